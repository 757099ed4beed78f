"""PUBLISH packets out of a buffer and PUBACK packets into one: MQTT 3.1.1 and 5, many at a time. Pure.

paho takes a packet apart byte by byte and matches its topic against every subscription: more than all the rest of what
a message costs here. What is not a whole PUBLISH of QoS 0 or 1, or is malformed, is left to paho, which knows better.
"""

from collections.abc import Sequence

import numpy as np

from ingest.message import Message

KEPT_OF_OVERSIZED = 1 << 16  # what is kept of a message that is too large: enough to see what it was
_CONTENT_TYPE = 0x03
_USER_PROPERTY = 0x26
# MQTT 5, 2.2.2.2: how long the other properties of a PUBLISH are; None: a length of two bytes stands before them.
_SIZES = {0x01: 1, 0x02: 4, 0x23: 2, 0x08: None, 0x09: None}


def read_publishes(
    buffer: bytes, at: int, most: int, max_payload: int, *, is_mqtt5: bool, leave: bytes | None = None
) -> tuple[list[Message], int]:
    """At most so many messages that stand in the buffer from `at` on, and where the first packet stands that is left:
    one that is not whole, not a PUBLISH of QoS 0 or 1, malformed, or of the topic `leave`."""
    messages: list[Message] = []
    end = len(buffer)
    while at + 4 <= end and len(messages) < most:
        header = buffer[at]
        if header & 0xF4 != 0x30:
            break
        begin, length = at + 2, buffer[at + 1]
        if length & 0x80:
            begin, length = _read_number(buffer, at + 1)
        stop = begin + length
        if length < 3 or stop > end:
            break
        topic_end = begin + 2 + (buffer[begin] << 8 | buffer[begin + 1])
        packet_id = 0
        payload_at = topic_end
        if header & 0x02:
            payload_at += 2
            if payload_at > stop:
                break
            packet_id = buffer[topic_end] << 8 | buffer[topic_end + 1]
        content_type = ""
        if is_mqtt5:
            if payload_at >= stop:
                break
            properties_size = buffer[payload_at]
            payload_at += 1
            if properties_size:
                payload_at, properties_size = _read_number(buffer, payload_at - 1)
                found = (
                    None
                    if payload_at + properties_size > stop
                    else find_content_type(buffer[payload_at : payload_at + properties_size])
                )
                if found is None or properties_size < 0:
                    break
                content_type = found
                payload_at += properties_size
        if payload_at > stop:
            break
        topic = buffer[begin + 2 : topic_end]
        if topic == leave:
            break
        size = stop - payload_at
        payload = buffer[payload_at : stop if size <= max_payload else min(stop, payload_at + KEPT_OF_OVERSIZED)]
        messages.append(Message(topic, payload, packet_id, header & 0x0F, size, content_type))
        at = stop
    return messages, at


def _read_number(buffer: bytes, at: int) -> tuple[int, int]:
    """Where the number of one to four bytes ends, and the number; -1 when it is none, or not whole."""
    number = 0
    for i, byte in enumerate(buffer[at : at + 4]):
        number |= (byte & 0x7F) << 7 * i
        if not byte & 0x80:
            return at + i + 1, number
    return at, -1


def find_content_type(properties: bytes) -> str | None:
    """What an MQTT 5 publisher calls the content, by the property for it or else by a user property `content-type`; ""
    when it says nothing, None when these are no properties of a PUBLISH."""
    content_type = named = ""
    at = 0
    while at < len(properties):
        kind = properties[at]
        at += 1
        if kind == 0x0B:  # a subscription's identifier
            at, number = _read_number(properties, at)
            if number < 0:
                return None
        elif kind in (_CONTENT_TYPE, _USER_PROPERTY):
            texts = []
            for _ in range(1 if kind == _CONTENT_TYPE else 2):
                size = int.from_bytes(properties[at : at + 2], "big")
                texts.append(properties[at + 2 : at + 2 + size].decode("utf-8", "replace"))
                at += 2 + size
            if kind == _CONTENT_TYPE:
                content_type = texts[0]
            elif texts[0].lower() == "content-type":
                named = texts[1]
        elif kind in _SIZES:
            at += _SIZES[kind] or 2 + int.from_bytes(properties[at : at + 2], "big")
        else:
            return None
    return None if at != len(properties) else content_type or named


def encode_acknowledgements(packet_ids: Sequence[int]) -> bytes:
    """One PUBACK for each, in their order; the same bytes in both versions."""
    packets = np.empty(len(packet_ids), dtype=[("head", ">u2"), ("packet_id", ">u2")])
    packets["head"] = 0x4002
    packets["packet_id"] = packet_ids
    return packets.tobytes()
