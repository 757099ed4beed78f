"""The packets that the gate reads: as paho and Mosquitto's clients write them, in pieces, cut off, and made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.broker_address import BrokerAddress
from forewarn.mqtt_packets import (
    Connect,
    MalformedPacketError,
    OtherProtocolError,
    PacketCutter,
    encode_connect,
    parse_connect,
    parse_filters,
    parse_topic,
)
from simulators.puback_socket import encode_connect as encode_as_a_device
from simulators.puback_socket import encode_publish_head

LIMIT = 1 << 16
ACCOUNT = BrokerAddress("h", 1, username="SN-1", password="secret")
CONNECT = encode_as_a_device(ACCOUNT, "any")
PUBLISH = encode_publish_head("forewarn/v1/SN-1/telemetry", 2) + b"\x00\x01{}"
SUBSCRIBE = b"\x82\x0d\x00\x01\x00\x03a/b\x01\x00\x02c/\x00"
WITH_WILL = b"\x10\x1d\x00\x04MQTT\x04\xc6\x00\x3c\x00\x01c\x00\x01w\x00\x02{}\x00\x02me\x00\x02pw"


def test_a_connect_says_who_it_is() -> None:
    connect = parse_connect(CONNECT)
    assert (connect.client_id, connect.username, connect.password) == ("any", "SN-1", "secret")
    assert connect.will_topic is None
    assert "secret" not in repr(connect)
    with_will = parse_connect(WITH_WILL)
    assert (with_will.will_topic, with_will.username, with_will.password) == ("w", "me", "pw")


def test_what_is_passed_on_has_the_accounts_name_and_no_password() -> None:
    for packet in (CONNECT, WITH_WILL):
        connect = parse_connect(packet)
        passed = encode_connect(connect, "SN-1")
        again = parse_connect(passed)
        assert (again.client_id, again.username, again.password) == ("SN-1", "", "")
        assert (again.will_topic, again.will, again.keep_alive) == (
            connect.will_topic,
            connect.will,
            connect.keep_alive,
        )
        assert again.flags & 0x3E == connect.flags & 0x3E
        assert connect.password.encode() not in passed


def test_topics_and_filters_are_read() -> None:
    assert parse_topic(PUBLISH) == "forewarn/v1/SN-1/telemetry"
    assert parse_filters(SUBSCRIBE) == ["a/b", "c/"]


@given(st.lists(st.integers(1, 40), max_size=40))
def test_packets_are_cut_wherever_the_stream_is_split(sizes: list[int]) -> None:
    packets = [CONNECT, PUBLISH, SUBSCRIBE, b"\xc0\x00", encode_publish_head("t", 300) + b"\x00\x02" + b"x" * 300]
    stream, cutter, found = b"".join(packets), PacketCutter(LIMIT), list[bytes]()
    for size in sizes:
        found += cutter.feed(stream[:size])
        stream = stream[size:]
    found += cutter.feed(stream)
    assert found == packets


@given(st.binary(max_size=200))
def test_nothing_that_is_made_up_does_harm(data: bytes) -> None:
    cutter = PacketCutter(100)
    try:
        for packet in cutter.feed(data):
            for parse in (parse_connect, parse_topic, parse_filters):
                try:
                    assert isinstance(parse(packet), Connect | str | list)
                except MalformedPacketError:
                    continue
    except MalformedPacketError:
        return


@pytest.mark.parametrize("length", [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x01", b"\x81\x80\x04"])
def test_what_announces_too_much_is_refused_before_it_comes(length: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        PacketCutter(LIMIT).feed(b"\x30" + length + b"x")


def test_other_versions_and_other_protocols_are_told_apart() -> None:
    with pytest.raises(OtherProtocolError):
        parse_connect(CONNECT.replace(b"MQTT\x04", b"MQTT\x05"))
    for other in (PUBLISH, b"\x10\x00", CONNECT.replace(b"MQTT", b"AMQP"), CONNECT[:-1], b"GE"):
        with pytest.raises(MalformedPacketError):
            parse_connect(other)
