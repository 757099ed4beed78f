"""One connection to an MQTT broker through paho, driven by the caller's own loop: read in bulk, acknowledge in bulk.

paho's own loops select once for every packet; here its public calls for an external loop (`loop_read`, `loop_write`,
`loop_misc`) run as long as there is something to read, which halves what a message costs. One thread makes all calls.
"""

import logging
import select
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.message import Message
from ingest.mqtt_packets import (
    KEPT_OF_OVERSIZED,
    encode_acknowledgements,
    read_publishes,
)
from ingest.sparkplug.host import HostState

log = logging.getLogger(__name__)

READ_BYTES = 1 << 16
DISCONNECT = b"\xe0\x00"  # the same in MQTT 5, where nothing after it means "normal"
DISCONNECT_AND_END = b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00"  # MQTT 5: normal, the session expires in 0 s
FAREWELL_S = 2.0  # a broker closes as soon as it has read the goodbye
READ_AT_MOST = 512  # messages of one read, so that acknowledgements and pings get their turn

# All of forewarn/v1 but what goes down to devices (forewarn/v1/{serial}/down/...): that is ours, not theirs.
TOPIC_FILTERS = ("forewarn/v1/+", "forewarn/v1/+/+", "forewarn/v1/gateway/+/+", "v1/gateway/+")


class ConnectionLostError(Exception):
    """The broker cannot be talked to any more over this connection, for the reason given."""


class VersionRefusedError(ConnectionLostError):
    """The broker ended the connection before it had answered: it may not know this version of MQTT."""


def find_filters(share_group: str | None) -> list[str]:
    """What to subscribe to; with a group, as one of several that divide the messages among themselves."""
    return [f"$share/{share_group}/{f}" if share_group else f for f in TOPIC_FILTERS]


class _BulkClient(mqtt.Client):
    """paho with a buffer on each side of its socket: a system call for many packets, not three for one.

    More than the calls themselves it saves what they do to a second thread: each gives the interpreter away, and
    getting it back from a thread that computes takes milliseconds. Should a later paho name these two methods
    otherwise, it reads and writes as it always did.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._unread = b""
        self._read_to = 0
        self.unsent = bytearray()
        self.is_mqtt5 = options["protocol"] == MQTTProtocolVersion.MQTTv5

    def take_publishes(self, most: int, max_payload: int, leave: bytes | None) -> list[Message]:
        """The messages that have been read from the socket in whole, unless paho is in the middle of a packet. (The
        first packet of each read is always paho's, so that it knows that the broker is there.)"""
        if not self.has_unread() or self._in_packet["command"]:
            return []
        messages, self._read_to = read_publishes(
            self._unread,
            self._read_to,
            most,
            max_payload,
            is_mqtt5=self.is_mqtt5,
            leave=leave,
        )
        return messages

    def has_unread(self) -> bool:
        """There are bytes that `select` does not know of."""
        return self._read_to < len(self._unread)

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._read_to >= len(self._unread):
            self._unread = super()._sock_recv(READ_BYTES)
            self._read_to = 0
        begin = self._read_to
        self._read_to = begin + bufsize
        return self._unread[begin : begin + bufsize]

    def _sock_send(self, buf: bytes | bytearray) -> int:
        """What paho writes waits for `flush`."""
        self.unsent += buf
        return len(buf)

    def flush(self) -> None:
        """Writes what the socket takes of `unsent`; of a socket that is gone, paho's next read will know."""
        while self.unsent:
            try:
                sent = super()._sock_send(bytes(self.unsent[:READ_BYTES]))
            except OSError:
                return
            del self.unsent[:sent]


class Connection:
    """A persistent session (clean session off) with QoS 1 and acknowledgement by hand, over MQTT 5 or 3.1.1.

    Raises
    ------
    OSError
        The broker cannot be reached.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str,
        filters: Sequence[str],
        keepalive_s: int,
        connect_timeout_s: float,
        max_payload: int,
        tls: ssl.SSLContext | None,
        username: str | None,
        password: str | None,
        is_mqtt5: bool,
        session_expiry_s: int,
        is_leaving: bool = False,
        host_state: HostState | None = None,
    ) -> None:
        self._filters = filters if host_state is None else [*filters, host_state.topic]
        self._host_state = host_state
        self._max_payload = max_payload
        self._inbox: list[Message] = []
        self._inbox_bytes = 0
        self._lost = ""
        self.session_present = False
        self._is_mqtt5 = is_mqtt5
        self._is_leaving = is_leaving
        self._is_answered = False
        self._own_topic = None if host_state is None else host_state.topic.encode()
        client = _BulkClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if is_mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,  # the source connects again, with a back-off and a new generation
        )
        client.connect_timeout = connect_timeout_s
        if tls is not None:
            client.tls_set_context(tls)
        if username is not None:
            client.username_pw_set(username, password)
        if host_state is not None:
            client.will_set(host_state.topic, host_state.describe(is_online=False), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        # With it, paho leaves writing to this loop instead of writing each acknowledgement when it is made.
        client.on_socket_register_write = _leave_to_the_loop
        self._client = client
        if is_mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = session_expiry_s
            properties.ReceiveMaximum = 65_535  # what we bound ourselves; a window of the broker's may be smaller
            client.connect(host, port, keepalive=keepalive_s, clean_start=False, properties=properties)
        else:
            client.connect(host, port, keepalive=keepalive_s)
        found = client.socket()
        if found is None:
            raise ConnectionLostError("the broker closed the connection")
        assert isinstance(found, socket.socket)
        self.sock = found

    def wants_write(self) -> bool:
        """Something waits to be written."""
        return self._client.want_write() or bool(self._client.unsent)

    def has_buffered_input(self) -> bool:
        """There are bytes to be read that `select` does not see: in our buffer, or decrypted in that of TLS."""
        return self._client.has_unread() or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0)

    def read(self) -> tuple[list[Message], int]:
        """The messages that have come in whole, and their bytes; nothing when there is nothing to read after all.

        Raises
        ------
        ConnectionLostError
            The broker closed or refused the connection.
        """
        while (room := READ_AT_MOST - len(self._inbox)) > 0:
            before = len(self._inbox)
            messages = self._client.take_publishes(room, self._max_payload, self._own_topic)
            if messages:
                self._inbox += messages
                self._inbox_bytes += sum([len(message.payload) for message in messages])
                continue
            self._check(self._client.loop_read())
            if len(self._inbox) == before and not self._client.has_unread():
                break
        messages, size = self._inbox, self._inbox_bytes
        self._inbox, self._inbox_bytes = [], 0
        return messages, size

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """One PUBACK for each id, in the order given (MQTT-4.6.0-2 wants the order of receipt)."""
        if packet_ids:
            self._client.unsent += encode_acknowledgements(packet_ids)

    def publish(self, topic: str, payload: bytes, expires_s: int) -> None:
        """Hands the message to paho, QoS 0, not retained; `write` sends it. In MQTT 5 the broker drops it where it
        could not be handed on for `expires_s`."""
        properties = None
        if self._is_mqtt5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expires_s
        self._client.publish(topic, payload, properties=properties)

    def say_offline(self, now_ms: int) -> None:
        """Says, before a farewell after which no will is published, what the will would have said."""
        if self._host_state is not None:
            self._client.publish(
                self._host_state.topic, self._host_state.describe(is_online=False, at_ms=now_ms), 1, retain=True
            )

    def write(self) -> None:
        """Writes as much as the socket takes now.

        Raises
        ------
        ConnectionLostError
            The connection is gone.
        """
        if self._client.want_write():
            self._check(self._client.loop_write())
        self._client.flush()

    def keep_alive(self) -> None:
        """Pings when it is time to.

        Raises
        ------
        ConnectionLostError
            No ping was answered for two keep-alive times.
        """
        self._check(self._client.loop_misc())

    def close(self, *, ends_session: bool = False) -> None:
        """Says goodbye if it still can; the broker keeps the session, unless it is told, in MQTT 5, to end it.

        Not by paho, which closes the socket at once: bytes that nobody has read would make a reset of that, and the
        broker would throw away the acknowledgements that it has not read yet.
        """
        self._client.on_disconnect = None
        if self._client.is_connected():
            self._client.unsent += DISCONNECT_AND_END if ends_session and self._is_mqtt5 else DISCONNECT
            self._client.flush()
            self._drain()
        self.sock.close()

    def _drain(self) -> None:
        deadline = time.monotonic() + FAREWELL_S
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            while (left_s := deadline - time.monotonic()) > 0:
                if select.select([self.sock], [], [], left_s)[0] and not self.sock.recv(READ_BYTES):
                    return

    def _check(self, code: MQTTErrorCode) -> None:
        lost = self._lost
        if not lost and code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            lost = mqtt.error_string(code)
        if lost:
            raise (ConnectionLostError if self._is_answered or not self._is_mqtt5 else VersionRefusedError)(lost)

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            # What is refused for its version is tried again with the other one, and nothing else.
            self._is_answered = str(reason) != "Unsupported protocol version"
            self._lost = f"the broker refuses the connection: {reason}"
            return
        self._is_answered = True
        self.session_present = flags.session_present
        if self._is_leaving:
            client.unsubscribe(list(self._filters))
        elif self._is_mqtt5:
            client.subscribe([(f, SubscribeOptions(qos=1)) for f in self._filters])
        else:
            client.subscribe([(f, 1) for f in self._filters])

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        refused = [f for f, reason in zip(self._filters, reasons, strict=True) if reason.is_failure]
        if refused:
            self._lost = f"the broker does not let this user subscribe to {', '.join(refused)}"
        elif self._host_state is not None:
            self._say_online(self._host_state)

    def _say_online(self, host: HostState) -> None:
        self._client.publish(host.topic, host.describe(is_online=True), 1, retain=True)

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._lost = self._lost or f"the connection ended: {reason}"

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)  # no copy: paho has bytes already
        size = len(payload)
        if size > self._max_payload:
            payload = payload[:KEPT_OF_OVERSIZED]
        header = message.dup << 3 | message.qos << 1 | message.retain
        # paho hands over a topic that is no UTF-8 as bytes it cannot decode; the contract has none of that kind.
        try:
            topic = message.topic.encode()
        except UnicodeDecodeError:
            topic = b"\xff"
        if self._host_state is not None and topic == self._host_state.topic.encode():
            if not self._host_state.is_online(payload):  # a will of the connection before, or somebody else's word
                self._say_online(self._host_state)
            if message.qos:
                self._client.ack(message.mid, message.qos)
            return
        packet_id = message.mid if message.qos else 0
        self._inbox.append(Message(topic, payload, packet_id, header, size, _find_content_type(message)))
        self._inbox_bytes += len(payload)


def _find_content_type(message: mqtt.MQTTMessage) -> str:
    """As `mqtt_packets.find_content_type`, of a message that paho has taken apart."""
    named = {name.lower(): text for name, text in getattr(message.properties, "UserProperty", ())}
    return str(getattr(message.properties, "ContentType", named.get("content-type", "")))


def _leave_to_the_loop(client: mqtt.Client, userdata: Any, sock: Any) -> None:
    return None
