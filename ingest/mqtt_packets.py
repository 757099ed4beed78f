"""MQTT 3.1.1 packets of a subscriber, as bytes and back: the part of the protocol that receiving telemetry needs.

Why not a client library: see docs/adr/0010-own-mqtt-subscriber.md. Packets come out of a whole buffer at once, and a
batch of acknowledgements is one write; a general client spends forty microseconds on each message.
Source: MQTT Version 3.1.1, OASIS Standard, 2014.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CONNACK, PUBLISH, SUBACK, PINGRESP = 2, 3, 9, 13
PINGREQ_BYTES = b"\xc0\x00"
DISCONNECT_BYTES = b"\xe0\x00"

CONNACK_REASONS = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker refuses this client id",
    3: "the broker is not available",
    4: "wrong user name or password",
    5: "this user may not connect",
}


class Message(NamedTuple):
    """One PUBLISH as it came. `packet_id` is 0 for QoS 0, which nobody acknowledges."""

    topic: bytes
    payload: bytes
    packet_id: int
    header: int  # first byte: DUP 8, QoS 6, RETAIN 1
    size: int  # of the whole payload, of which `payload` is only the beginning when it was too large


@dataclass(frozen=True, slots=True)
class ControlPacket:
    """Any packet but PUBLISH."""

    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a buffer held: whole packets, and how many of its bytes they are."""

    messages: list[Message]
    controls: list[ControlPacket]
    consumed: int


class MalformedPacketError(Exception):
    """The broker sent bytes that are no MQTT; the connection is of no use any more."""


def encode_connect(
    client_id: str, *, keepalive_s: int, username: str | None = None, password: str | None = None
) -> bytes:
    """CONNECT with a persistent session (clean session 0)."""
    flags = 0
    body = _text(client_id)
    if username is not None:
        flags |= 0x80
        body += _text(username)
        if password is not None:
            flags |= 0x40
            body += _text(password)
    head = _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    return _packet(0x10, head + body)


def encode_subscribe(packet_id: int, filters: Sequence[str]) -> bytes:
    """SUBSCRIBE to every filter with QoS 1."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + b"".join(_text(f) + b"\x01" for f in filters))


def encode_pubacks(packet_ids: Sequence[int]) -> bytes:
    """One PUBACK for each id, in the order given (MQTT-4.6.0-2 wants the order of receipt)."""
    packets = np.empty((len(packet_ids), 2), dtype=">u2")
    packets[:, 0] = 0x4002
    packets[:, 1] = packet_ids
    return packets.tobytes()


def parse_packets(buffer: bytes) -> Parsed:
    """All whole packets at the beginning of the buffer.

    Raises
    ------
    MalformedPacketError
        A length or a PUBLISH that MQTT does not allow.
    """
    messages: list[Message] = []
    controls: list[ControlPacket] = []
    append = messages.append
    make = tuple.__new__  # half the cost of Message(...), which matters here and nowhere else
    end_of_buffer = len(buffer)
    at = 0
    while at + 2 <= end_of_buffer:
        header = buffer[at]
        length = buffer[at + 1]
        start = at + 2
        if length > 127:
            head = find_remaining_length(buffer, at + 1)
            if head is None:
                break
            length, start = head
        end = start + length
        if end > end_of_buffer:
            break
        if header >> 4 == PUBLISH:
            topic_end = start + 2 + (buffer[start] << 8 | buffer[start + 1]) if length >= 2 else end + 1
            if header & 6:
                if topic_end + 2 > end:
                    raise MalformedPacketError("a PUBLISH is shorter than its topic")
                packet_id = buffer[topic_end] << 8 | buffer[topic_end + 1]
                payload = buffer[topic_end + 2 : end]
            else:
                if topic_end > end:
                    raise MalformedPacketError("a PUBLISH is shorter than its topic")
                packet_id = 0
                payload = buffer[topic_end:end]
            append(make(Message, (buffer[start + 2 : topic_end], payload, packet_id, header, len(payload))))
        else:
            controls.append(ControlPacket(header >> 4, buffer[start:end]))
        at = end
    return Parsed(messages, controls, at)


def find_remaining_length(buffer: bytes, at: int) -> tuple[int, int] | None:
    """The remaining length that stands at `at`, and where it ends; None when it is not all there yet.

    Raises
    ------
    MalformedPacketError
        More than four bytes.
    """
    value = 0
    for i in range(4):
        if at + i >= len(buffer):
            return None
        byte = buffer[at + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at + i + 1
    raise MalformedPacketError("a remaining length has more than four bytes")


def _packet(header: int, body: bytes) -> bytes:
    length = len(body)
    encoded = bytearray()
    while True:
        length, byte = length >> 7, length & 127
        encoded.append(byte | 128 if length else byte)
        if not length:
            return bytes((header,)) + bytes(encoded) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 65_535:
        raise ValueError("a text of MQTT has at most 65,535 bytes")
    return len(encoded).to_bytes(2, "big") + encoded
