"""One connection to an MQTT broker: handshake, keep-alive, reading in bulk, writing what is due."""

import select
import socket
import ssl
import time
from collections.abc import Sequence

from ingest.mqtt_packets import (
    CONNACK,
    CONNACK_REASONS,
    DISCONNECT_BYTES,
    PINGREQ_BYTES,
    PUBLISH,
    SUBACK,
    ControlPacket,
    MalformedPacketError,
    Message,
    encode_connect,
    encode_subscribe,
    find_remaining_length,
    parse_packets,
)

READ_BYTES = 1 << 18
KEPT_OF_OVERSIZED = 1 << 16  # what is kept of a message that is too large: enough to see what it was
SUBSCRIBE_ID = 1

# All of forewarn/v1 but what goes down to devices (forewarn/v1/{serial}/down/...): that is ours, not theirs.
TOPIC_FILTERS = ("forewarn/v1/+", "forewarn/v1/+/+", "forewarn/v1/gateway/+/+", "v1/gateway/telemetry")


class ConnectionLostError(Exception):
    """The broker cannot be talked to any more over this connection, for the reason given."""


def find_filters(share_group: str | None) -> list[str]:
    """What to subscribe to; with a group, as one of several that divide the messages among themselves."""
    return [f"$share/{share_group}/{f}" if share_group else f for f in TOPIC_FILTERS]


class Connection:
    """A socket with a session on it. `out` holds bytes to be written; the owner guards it."""

    def __init__(self, sock: socket.socket, max_payload: int) -> None:
        self.sock = sock
        self.out = bytearray()
        self.session_present = False
        self._max_packet = max_payload + 65_535 + 16
        self._rest = b""
        self._skipping = 0  # bytes of an oversized message that are still to come
        self._oversized: Message | None = None
        now = time.monotonic()
        self._sent_at = now
        self._heard_at = now

    def open_session(
        self, client_id: str, filters: Sequence[str], *, keepalive_s: int, username: str | None, password: str | None
    ) -> None:
        """Connects and subscribes, on a socket that still blocks.

        Raises
        ------
        ConnectionLostError
            The broker refuses, or talks something else.
        """
        connect = encode_connect(client_id, keepalive_s=keepalive_s, username=username, password=password)
        self.sock.sendall(connect)
        answer = self._receive_exactly(4)
        if answer[0] >> 4 != CONNACK or answer[1] != 2:
            raise ConnectionLostError("what answers there does not speak MQTT")
        if answer[3] != 0:
            raise ConnectionLostError(CONNACK_REASONS.get(answer[3], f"the broker refuses with code {answer[3]}"))
        self.session_present = bool(answer[2] & 1)
        self.sock.sendall(encode_subscribe(SUBSCRIBE_ID, filters))

    def _receive_exactly(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            data = self.sock.recv(count - len(received))
            if not data:
                raise ConnectionLostError("the broker closed the connection")
            received += data
        return received

    def has_buffered_input(self) -> bool:
        """TLS holds decrypted bytes that `select` does not see."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def read(self) -> tuple[list[Message], int]:
        """The messages that have come in whole, and their bytes; nothing when there is nothing to read after all.

        Raises
        ------
        ConnectionLostError
            The broker closed the connection, or sent what is not MQTT.
        """
        try:
            data = self.sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return [], 0
        if not data:
            raise ConnectionLostError("the broker closed the connection")
        self._heard_at = time.monotonic()
        ended: list[Message] = []
        if self._skipping:
            skipped = min(self._skipping, len(data))
            self._skipping -= skipped
            data = data[skipped:]
            if not self._skipping and self._oversized is not None:
                ended.append(self._oversized)
                self._oversized = None
        buffer = self._rest + data if self._rest else data
        try:
            parsed = parse_packets(buffer)
            self._rest = buffer[parsed.consumed :]
            if len(self._rest) > KEPT_OF_OVERSIZED:
                self._begin_oversized()
        except MalformedPacketError as error:
            raise ConnectionLostError(str(error)) from error
        for packet in parsed.controls:
            _check_control(packet)
        return ended + parsed.messages, len(data) + KEPT_OF_OVERSIZED * len(ended)

    def _begin_oversized(self) -> None:
        head = find_remaining_length(self._rest, 1)
        if head is None or head[0] <= self._max_packet:
            return
        length, start = head
        header = self._rest[0]
        topic_end = start + 2 + int.from_bytes(self._rest[start : start + 2], "big")
        id_end = topic_end + 2 if header & 6 else topic_end
        if header >> 4 != PUBLISH or id_end > len(self._rest):
            raise MalformedPacketError("a packet is larger than any that we asked for")
        packet_id = int.from_bytes(self._rest[topic_end:id_end], "big")
        kept = self._rest[id_end : id_end + KEPT_OF_OVERSIZED]
        size = length - (id_end - start)
        self._oversized = Message(self._rest[start + 2 : topic_end], kept, packet_id, header, size)
        self._skipping = start + length - len(self._rest)
        self._rest = b""

    def write(self) -> None:
        """Writes as much of `out` as the socket takes now."""
        if not self.out:
            return
        try:
            sent = self.sock.send(self.out)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return
        del self.out[:sent]
        self._sent_at = time.monotonic()

    def keep_alive(self, keepalive_s: int, now: float, *, reading: bool) -> None:
        """Pings in time, whether or not anything is read meanwhile.

        Raises
        ------
        ConnectionLostError
            We are reading, and nothing was heard for one and a half keep-alive times.
        """
        if not reading:
            self._heard_at = now  # the answer to a ping waits behind the messages that we leave with the broker
        elif now - self._heard_at > 1.5 * keepalive_s:
            raise ConnectionLostError(f"nothing heard from the broker for {now - self._heard_at:.0f} s")
        if now - self._sent_at > keepalive_s / 2 and not self.out:
            self.out += PINGREQ_BYTES
            self._sent_at = now

    def finish(self, timeout_s: float) -> None:
        """Writes all that is due, says goodbye and waits until the broker has taken both; the session stays there."""
        self.out += DISCONNECT_BYTES
        deadline = time.monotonic() + timeout_s
        while self.out and (left := deadline - time.monotonic()) > 0:
            if select.select([], [self.sock], [], left)[1]:
                self.write()
        if not self.out:
            # Closing with unread input would reset the connection and could take our last bytes with it.
            self.sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0 and select.select([self.sock], [], [], left)[0]:
                try:
                    if not self.sock.recv(READ_BYTES):
                        break
                except (BlockingIOError, ssl.SSLWantReadError):
                    continue

    def close(self) -> None:
        """Closes the socket, without a word."""
        self.sock.close()


def _check_control(packet: ControlPacket) -> None:
    if packet.kind == SUBACK and 0x80 in packet.body[2:]:
        refused = [TOPIC_FILTERS[i] for i, code in enumerate(packet.body[2:]) if code == 0x80]
        raise ConnectionLostError(f"the broker does not let this user subscribe to {', '.join(refused)}")
