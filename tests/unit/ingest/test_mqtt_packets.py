"""PUBLISH packets are read as their publisher wrote them, whole ones alone, and no bytes make the reader fail."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.message import Message
from ingest.mqtt_packets import KEPT_OF_OVERSIZED, encode_acknowledgements, find_content_type, read_publishes

MOST = 1 << 16


def _text(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def _number(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def publish(message: Message, properties: bytes | None = None) -> bytes:
    body = _text(message.topic)
    if message.header & 0x06:
        body += struct.pack(">H", message.packet_id)
    if properties is not None:
        body += _number(len(properties)) + properties
    body += message.payload
    return bytes([0x30 | message.header]) + _number(len(body)) + body


messages = st.builds(
    lambda topic, payload, packet_id, flags: Message(
        topic.encode(), payload, packet_id if flags & 0x02 else 0, flags, len(payload)
    ),
    st.text(min_size=1, max_size=30),
    st.one_of(st.binary(max_size=300), st.just(b"x" * 20_000)),
    st.integers(1, 65_535),
    st.sampled_from([0x00, 0x01, 0x02, 0x03, 0x0A, 0x0B]),
)


@given(st.lists(messages, max_size=5), st.booleans(), st.integers(0, 40))
def test_whole_messages_are_read_and_the_rest_is_left(sent: list[Message], is_mqtt5: bool, cut: int) -> None:
    packets = [publish(message, b"" if is_mqtt5 else None) for message in sent]
    stream = b"".join(packets)
    whole = len(stream) - min(cut, len(stream))
    found, at = read_publishes(stream[:whole], 0, 100, MOST, is_mqtt5=is_mqtt5)
    assert found == sent[: len(found)]
    assert at == sum(len(packet) for packet in packets[: len(found)])
    assert len(found) == len(sent) or at + len(packets[len(found)]) > whole


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_fail_or_go_beyond_them(buffer: bytes, is_mqtt5: bool) -> None:
    found, at = read_publishes(b"\x32" + buffer, 0, 10, 50, is_mqtt5=is_mqtt5)
    assert 0 <= at <= len(buffer) + 1
    assert all(message.size >= 0 for message in found)
    find_content_type(buffer)


def test_what_is_no_publish_of_qos_0_or_1_or_is_ours_is_left() -> None:
    message = Message(b"a/b", b"1", 7, 0x02, 1)
    rest = b"\xd0\x00" + publish(message)
    for left in (b"\x34" + publish(message)[1:], rest, publish(message._replace(topic=b"own"))):
        found, at = read_publishes(publish(message) + left, 0, 10, MOST, is_mqtt5=False, leave=b"own")
        assert found == [message]
        assert at == len(publish(message))


def test_of_a_message_that_is_too_large_the_beginning_is_kept() -> None:
    message = Message(b"a", b"y" * (MOST + 5_000), 1, 0x02, MOST + 5_000)
    ((found,), _) = read_publishes(publish(message), 0, 10, MOST, is_mqtt5=False)
    assert (found.size, found.payload) == (MOST + 5_000, b"y" * KEPT_OF_OVERSIZED)


def test_of_a_message_that_is_too_large_nothing_is_kept_of_what_follows_it() -> None:
    # A bound below what is kept of larger ones: found by fuzzing.
    large, next_one = Message(b"a", b"y" * 200, 1, 0x02, 200), Message(b"b", b"z", 2, 0x02, 1)
    found, _ = read_publishes(publish(large) + publish(next_one), 0, 10, 100, is_mqtt5=False)
    assert found == [large, next_one]


@pytest.mark.parametrize(
    ("properties", "content_type"),
    [
        (b"\x01\x01\x02\0\0\0\x09\x03" + _text(b"application/json"), "application/json"),
        (b"\x0b\x81\x01\x26" + _text(b"Content-Type") + _text(b"gzip"), "gzip"),
        (b"\x26" + _text(b"a") + _text(b"b") + b"\x08" + _text(b"reply") + b"\x09" + _text(b"\0\1") + b"\x23\0\1", ""),
    ],
)
def test_the_content_type_is_what_the_publisher_says(properties: bytes, content_type: str) -> None:
    message = Message(b"a", b"{}", 1, 0x02, 2, content_type)
    assert read_publishes(publish(message, properties), 0, 10, MOST, is_mqtt5=True)[0] == [message]


def test_acknowledgements_stand_in_their_order() -> None:
    assert encode_acknowledgements([1, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
