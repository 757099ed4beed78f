"""What the embedded broker promises, seen through a real MQTT client."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.embedded_broker import MAX_PAYLOAD
from tests.support.brokers import Broker
from tests.support.mqtt_client import forget
from tests.support.waiting import wait_until

FILTER = "forewarn/v1/+/telemetry"


class Listener:
    """A subscriber with a persistent session that acknowledges only what the test tells it to."""

    def __init__(self, broker: Broker, name: str, topic_filter: str, *, acknowledges: bool) -> None:
        self.messages: queue.SimpleQueue[mqtt.MQTTMessage] = queue.SimpleQueue()
        self.bodies: list[bytes] = []
        self.session_present = False
        self._acknowledges = acknowledges
        self._subscribed = threading.Event()
        self._filter = topic_filter
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            clean_session=False,
            manual_ack=True,
            protocol=mqtt.MQTTv311,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        self.client = client
        assert self._subscribed.wait(60)

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: object,
        flags: mqtt.ConnectFlags,
        reason_code: object,
        properties: object,
    ) -> None:
        self.session_present = flags.session_present
        client.subscribe(self._filter, qos=1)

    def _on_message(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        self.messages.put(message)
        self.bodies.append(bytes(message.payload))
        if self._acknowledges:
            client.ack(message.mid, message.qos)

    def close(self) -> None:
        forget(self.client)


@contextmanager
def listening(broker: Broker, name: str, topic_filter: str = FILTER, *, acknowledges: bool) -> Iterator[Listener]:
    listener = Listener(broker, name, topic_filter, acknowledges=acknowledges)
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def publisher(broker: Broker, name: str = "publisher") -> Iterator[mqtt.Client]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: mqtt.Client, topic: str, bodies: list[bytes], *, retain: bool = False) -> None:
    sent = [client.publish(topic, body, qos=1, retain=retain) for body in bodies]
    for one in sent:
        one.wait_for_publish(60)
        assert one.is_published()


def numbered(count: int) -> list[bytes]:
    return [b"%06d" % number for number in range(count)]


def test_what_was_not_acknowledged_comes_again_in_order(broker: Broker) -> None:
    with listening(broker, "ingest", acknowledges=False) as first, publisher(broker) as device:
        publish(device, "forewarn/v1/SN-1/telemetry", numbered(50))
        wait_until(lambda: len(first.bodies) == 50, what="all messages")
        for _ in range(20):
            message = first.messages.get(timeout=60)
            first.client.ack(message.mid, message.qos)
    with listening(broker, "ingest", acknowledges=True) as second:
        assert second.session_present
        wait_until(lambda: second.bodies[-1:] == [b"000049"], what="the redelivery")
        assert second.bodies == numbered(50)[20:]


def test_what_is_published_while_ingest_is_away_waits_for_it(broker: Broker) -> None:
    with listening(broker, "ingest", acknowledges=True):
        pass
    with publisher(broker) as device:
        publish(device, "forewarn/v1/SN-1/telemetry", numbered(5_000))
    with listening(broker, "ingest", acknowledges=True) as back:
        wait_until(lambda: len(back.bodies) >= 5_000, what="the backlog")
        assert back.bodies == numbered(5_000)


def test_acknowledging_late_holds_the_rest_back_and_loses_nothing(broker: Broker) -> None:
    with listening(broker, "ingest", acknowledges=False) as slow, publisher(broker) as device:
        publish(device, "forewarn/v1/SN-1/telemetry", numbered(1_000))
        for _ in range(1_000):
            message = slow.messages.get(timeout=60)
            slow.client.ack(message.mid, message.qos)
        assert slow.bodies == numbered(1_000)


def test_retained_messages_meet_a_later_subscriber(broker: Broker) -> None:
    with publisher(broker) as device:
        publish(device, "forewarn/v1/SN-1/status", [b'{"state": "online"}'], retain=True)
    with listening(broker, "late", "forewarn/v1/+/status", acknowledges=True) as late:
        message = late.messages.get(timeout=60)
        assert message.retain
        assert message.payload == b'{"state": "online"}'


def test_a_device_that_vanishes_leaves_its_will(broker: Broker) -> None:
    with listening(broker, "ingest", "forewarn/v1/+/status", acknowledges=True) as listener:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="SN-1")
        client.will_set("forewarn/v1/SN-1/status", b'{"state": "offline"}', qos=1, retain=True)
        client.connect("127.0.0.1", broker.port)
        wait_until(lambda: not client.loop(timeout=0.1) and client.is_connected(), what="the session", every_s=0)
        connection = client.socket()
        assert connection is not None
        connection.close()  # no DISCONNECT: as if the power had gone
        assert listener.messages.get(timeout=60).payload == b'{"state": "offline"}'


def test_a_payload_larger_than_a_message_may_be_still_arrives_to_be_rejected(broker: Broker) -> None:
    with listening(broker, "ingest", acknowledges=True) as listener, publisher(broker) as device:
        publish(device, "forewarn/v1/SN-1/telemetry", [b"x" * (1 << 20), b"x" * (MAX_PAYLOAD - 100)])
        wait_until(lambda: len(listener.bodies) == 2, what="the large messages")
        assert [len(body) for body in listener.bodies] == [1 << 20, MAX_PAYLOAD - 100]
