"""What ingest says to a node is worth nothing later: in MQTT 5 it expires, and in 3.1.1 it is said all the same."""

import time
from queue import Queue
from typing import Literal

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ingest.mqtt_source import MqttSource
from ingest.settings import MqttSettings
from tests.support.brokers import MosquittoProcess
from tests.support.waiting import wait_until

TOPIC = "spBv1.0/G/NCMD/EDGE"


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_request_expires_where_the_broker_knows_how(
    mosquitto: MosquittoProcess, version: Literal["5", "3.1.1"]
) -> None:
    heard: Queue[int | None] = Queue()
    subscribed: Queue[bool] = Queue()
    node = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    node.on_message = lambda _client, _data, message: heard.put(
        getattr(message.properties, "MessageExpiryInterval", None)
    )
    node.on_subscribe = lambda *_: subscribed.put(True)
    node.connect("127.0.0.1", mosquitto.port)
    node.subscribe(TOPIC)
    node.loop_start()
    source = MqttSource(
        MqttSettings(f"mqtt://127.0.0.1:{mosquitto.port}", version=version), lambda: time.time_ns() // 1000, 1 << 20
    )
    source.start()
    try:
        assert subscribed.get(timeout=60)
        wait_until(lambda: source.publish(TOPIC, b"be born", expires_s=600), what="a connection")
        expires_s = heard.get(timeout=60)
    finally:
        source.close()
        node.disconnect()
        node.loop_stop()
    # The broker counts down what is left.
    assert (expires_s is None) if version == "3.1.1" else (expires_s is not None and 0 < expires_s <= 600)
