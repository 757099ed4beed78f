"""An MQTT 5 client that notes what a broker says to it: why it refused a connection, a message, a subscription."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from domain.broker_address import BrokerAddress
from tests.support.waiting import wait_until


class Client:
    """Connected, or refused with `refusal`, once made; it never connects again by itself."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str = "",
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        will: str | None = None,
    ) -> None:
        self.received: list[str] = []
        self.refusal = ""
        self.disconnected = False
        self._connected = False
        self._answers: dict[int, str] = {}
        self._grants: dict[int, bool] = {}
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=protocol, reconnect_on_failure=False
        )
        client.connect_timeout = 60
        if will is not None:
            client.will_set(will, b"{}", qos=1)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set(address.ca_file, address.cert_file, address.key_file)
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: setattr(self, "disconnected", True)
        client.on_message = lambda _client, _data, message: self.received.append(message.topic)
        client.on_publish = lambda _client, _data, mid, reason, _: self._answers.__setitem__(mid, str(reason))
        client.on_subscribe = lambda _client, _data, mid, reasons, _: self._grants.__setitem__(
            mid, not reasons[0].is_failure
        )
        self._client = client
        try:
            if address.tls:
                _shake_hands(address)
            client.connect(address.host, address.port)
        except OSError as error:
            self.refusal = str(error)
            return
        client.loop_start()
        # With TLS 1.3 a server refuses a client's certificate after the handshake, by hanging up.
        wait_until(lambda: self._connected or self.refusal or self.disconnected, what="an answer to CONNECT")
        if not self._connected and not self.refusal:
            self.refusal = "the broker hung up"

    def publish(self, topic: str, payload: bytes = b"{}") -> str:
        """What the broker answered to a QoS 1 message."""
        mid = self._client.publish(topic, payload, qos=1).mid
        wait_until(lambda: mid in self._answers or self.disconnected, what=f"an answer to {topic}")
        assert mid in self._answers, "the broker hung up"
        return self._answers[mid]

    def is_cut_off_by(self, topic: str) -> bool:
        """The broker hangs up on a message to that topic instead of acknowledging it."""
        mid = self._client.publish(topic, b"{}", qos=1).mid
        wait_until(lambda: self.disconnected or mid in self._answers, what=f"an answer to {topic}")
        return mid not in self._answers

    def subscribe(self, topic_filter: str) -> bool:
        """Whether the broker granted it."""
        _, mid = self._client.subscribe(topic_filter, qos=1)
        assert mid is not None
        wait_until(lambda: mid in self._grants or self.disconnected, what=f"an answer to {topic_filter}")
        assert mid in self._grants, "the broker hung up"
        return self._grants[mid]

    def close(self) -> None:
        forget(self._client)

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
        else:
            self._connected = True


def forget(client: mqtt.Client) -> None:
    """Says goodbye if it still can. Then paho knows nobody who knows it: whoever drops the client closes the sockets by
    which it wakes its thread, and no test that comes later finds them open."""
    with suppress(ValueError):
        client.disconnect()
    client.loop_stop()
    client.on_connect = client.on_disconnect = client.on_message = client.on_publish = client.on_subscribe = None


def _shake_hands(address: BrokerAddress) -> None:
    """Fails as paho would, which leaves the socket of a failed handshake open."""
    context = ssl.create_default_context(cafile=address.ca_file)
    if address.cert_file is not None:
        context.load_cert_chain(address.cert_file, address.key_file)
    with (
        socket.create_connection((address.host, address.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=address.host),
    ):
        pass


@contextmanager
def connected(address: BrokerAddress, client_id: str = "", **more: Any) -> Iterator[Client]:
    """A client that is closed at the end, refused or not."""
    client = Client(address, client_id, **more)
    try:
        yield client
    finally:
        client.close()


def try_publish(address: BrokerAddress, topic: str) -> str:
    """What the broker answers over a connection of its own: Mosquitto ends one over which it denied a message."""
    with connected(address) as client:
        return client.publish(topic)
