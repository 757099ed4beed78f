"""An MQTT connection of a device or gateway: QoS 1, a bounded window, reconnects, counted acknowledgements."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from domain.broker_address import BrokerAddress

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
FIRST_BACKOFF_S = 1
LAST_BACKOFF_S = 30


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection is lost without a farewell."""

    topic: str
    payload: bytes


class Connection:
    """A connection that comes back by itself; what it took and what was not acknowledged is sent again then.

    What comes on `listen_to`, a topic filter, is given to `on_message` in paho's thread.
    `publish` may be called from one thread at a time. It waits while `window` messages are unacknowledged, so that
    a slow service slows the sender down instead of filling its memory.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        will: Will | None = None,
        window: int = 50,
        on_connected: Callable[[], None] | None = None,
        listen_to: str = "",
        on_message: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.client_id = client_id
        self.published = 0
        self.acknowledged = 0
        self.refusal: str | None = None  # why the broker did not let it in the last time it tried
        self.acknowledged_weight = 0  # sum over the acknowledged messages of what `publish` was told they weigh
        self._weights: dict[int, int] = {}  # by paho's message number, of messages in flight
        self._early: set[int] = set()  # acknowledged before `publish` came to know their number
        self._address = address
        self._window = window
        self._on_connected = on_connected
        self._listen_to = listen_to
        self._is_told = False
        self._changed = threading.Condition()
        self._running = False
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
        client.max_inflight_messages_set(window)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(FIRST_BACKOFF_S, LAST_BACKOFF_S)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls:
            client.tls_set(address.ca_file, address.cert_file, address.key_file)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._note_connected
        client.on_disconnect = self._note_disconnected
        client.on_publish = self._note_acknowledged
        if on_message is not None:
            client.on_message = lambda _client, _data, message: on_message(message.topic, bytes(message.payload))
        self._client = client

    @property
    def is_connected(self) -> bool:
        """Whether the broker has accepted the connection, `on_connected` was told so, and it still stands."""
        return self._is_told and self._client.is_connected()

    def start(self) -> None:
        """Begins to connect, in a thread of its own, and goes on trying until `close` or `cut`."""
        if not self._running:
            self._client.connect_async(self._address.host, self._address.port, KEEP_ALIVE_S)
            self._client.loop_start()
            self._running = True

    def cut(self) -> None:
        """Drops the connection as a pulled cable does: no farewell, so the broker publishes the will."""
        if self._running:
            self._client.loop_stop()
            self._running = False
            self._is_told = False
            sock: Any = self._client.socket()
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            close_pair(self._client)

    def close(self, timeout_s: float = 5.0) -> None:
        """Waits for open acknowledgements up to `timeout_s`, then says farewell."""
        if self._running:
            self.wait_acknowledged(timeout_s)
            self._client.disconnect()
            self._client.loop_stop()
            close_pair(self._client)
            self._running = False

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, timeout_s: float = 10.0, weight: int = 1
    ) -> bool:
        """Takes the message for delivery at least once; False: the window stayed full, and nothing was taken."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.published - self.acknowledged < self._window, timeout_s):
                return False
            self.published += 1
        # Not under the lock: paho calls `_note_acknowledged` while it holds the lock that its `publish` needs.
        number = self._client.publish(topic, payload, qos=1, retain=retain).mid
        with self._changed:
            if number in self._early:
                self._early.remove(number)
                self.acknowledged_weight += weight
            else:
                self._weights[number] = weight
        return True

    def wait_connected(self, stop: threading.Event, timeout_s: float) -> bool:
        """Whether the connection stands, waiting for it up to `timeout_s` or until `stop`."""
        deadline = time.monotonic() + timeout_s
        while not self.is_connected and not stop.is_set() and time.monotonic() < deadline:
            with self._changed:
                self._changed.wait(0.1)
        return self.is_connected

    def wait_acknowledged(self, timeout_s: float) -> bool:
        """Whether everything is acknowledged, waiting for it up to `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: self.published == self.acknowledged, timeout_s)

    def _note_connected(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any) -> None:
        if reason_code.is_failure:
            self.refusal = str(reason_code)
            log.warning("%s: the broker refuses the connection: %s", self.client_id, reason_code)
            return
        self.refusal = None
        if self._listen_to:
            client.subscribe(self._listen_to, qos=1)  # clean sessions: it is retained, and comes at every connect
        # First: who sees that the connection stands finds what the callback has made of it.
        if self._on_connected is not None:
            self._on_connected()
        with self._changed:
            self._is_told = True
            self._changed.notify_all()

    def _note_disconnected(self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any) -> None:
        self._is_told = False
        if reason_code.is_failure:
            log.info("%s: connection lost: %s", self.client_id, reason_code)

    def _note_acknowledged(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        with self._changed:
            self.acknowledged += 1
            if mid in self._weights:
                self.acknowledged_weight += self._weights.pop(mid)
            else:
                self._early.add(mid)
            self._changed.notify_all()


def close_pair(client: mqtt.Client) -> None:
    """Closes the sockets by which paho wakes its thread: it makes a pair at every `loop_start` and forgets the last."""
    for name in ("_sockpairR", "_sockpairW"):
        if (half := getattr(client, name, None)) is not None:
            half.close()
            setattr(client, name, None)  # or its `publish` would write to the closed one
