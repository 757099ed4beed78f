"""A broker that breaks the protocol ends its connection, never the thread that would make the next one."""

import socket
import threading
import time
from contextlib import suppress

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ingest.mqtt_source import MqttSource
from ingest.settings import MqttSettings
from tests.support.waiting import wait_until

CONNACK = b"\x20\x02\x00\x00"
SHORT_SUBACK = b"\x90\x02\x00\x01"  # one subscription's answer too few: none at all


def test_an_answer_that_paho_cannot_read_ends_the_connection_alone() -> None:
    connections = 0

    def serve(server: socket.socket) -> None:
        nonlocal connections
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                connections += 1
                with client, suppress(OSError):
                    client.recv(4096)
                    client.sendall(CONNACK)
                    client.recv(4096)
                    client.sendall(SHORT_SUBACK)
                    client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        settings = MqttSettings(f"mqtt://127.0.0.1:{server.getsockname()[1]}", version="3.1.1", max_backoff_s=0.05)
        source = MqttSource(settings, lambda: time.time_ns() // 1000, 1 << 20)
        source.start()
        try:
            wait_until(lambda: connections >= 3, what="connections after the broken one")
        finally:
            source.close()


def test_paho_has_what_its_buffers_are_built_on() -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    assert client._in_packet["command"] == 0
    assert all(callable(getattr(client, name)) for name in ("_sock_recv", "_sock_send"))
