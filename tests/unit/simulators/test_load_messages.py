"""The load's bytes: packets as MQTT 3.1.1 wants them, numbered so that loss and repetition can be told apart."""

import json
from typing import Any

import pytest

from domain.broker_address import BrokerAddress, parse_broker_address
from domain.errors import ConfigurationError
from simulators.load_messages import LoadMessages
from simulators.puback_socket import encode_connect, encode_publish_head, encode_remaining_length
from simulators.settings import LoadSettings


def split_packets(packets: bytes) -> list[tuple[str, int, Any]]:
    """Topic, packet identifier and body of every PUBLISH."""
    found = []
    while packets:
        assert packets[0] == 0x32, "PUBLISH, QoS 1"
        length = shift = 0
        i = 1
        while True:
            length |= (packets[i] & 0x7F) << shift
            shift += 7
            i += 1
            if not packets[i - 1] & 0x80:
                break
        packet, packets = packets[i : i + length], packets[i + length :]
        topic_length = int.from_bytes(packet[:2], "big")
        rest = packet[2 + topic_length :]
        found.append((packet[2 : 2 + topic_length].decode(), int.from_bytes(rest[:2], "big"), json.loads(rest[2:])))
    return found


def test_single_device_messages_are_the_wire_format_with_a_number() -> None:
    messages = LoadMessages(LoadSettings("mqtt://h", devices=3))
    assert messages.values_per_message == 5
    packets = split_packets(messages.encode([0, 1, 5], [7, 8, 9], [1770000000001, 1770000000002, 1770000000003]))
    assert [(topic, packet_id) for topic, packet_id, _ in packets] == [
        ("forewarn/v1/LOAD-00001/telemetry", 7),
        ("forewarn/v1/LOAD-00002/telemetry", 8),
        ("forewarn/v1/LOAD-00003/telemetry", 9),
    ]
    assert [(body["ts"], body["seq"]) for _, _, body in packets] == [
        (1770000000001, 1),
        (1770000000002, 1),
        (1770000000003, 2),
    ]
    assert set(packets[0][2]["values"]) == set(LoadSettings("").sensors)


def test_gateway_messages_hold_their_devices() -> None:
    messages = LoadMessages(LoadSettings("mqtt://h", devices=40, gateways=True))
    assert messages.values_per_message == 100
    assert messages.senders == ["LOAD-GW-001", "LOAD-GW-002"]
    ((topic, _, body),) = split_packets(messages.encode([3], [1], [1770000000001]))
    assert topic == "forewarn/v1/gateway/LOAD-GW-002/telemetry"
    assert list(body) == [f"LOAD-{i:05d}" for i in range(21, 41)]
    assert all(entries[0]["seq"] == 2 and entries[0]["ts"] == 1770000000001 for entries in body.values())
    assert len({json.dumps(entries[0]["values"]) for entries in body.values()}) == 20


def test_a_message_is_the_same_whenever_it_is_encoded() -> None:
    settings = LoadSettings("mqtt://h", devices=10)
    one, other = LoadMessages(settings), LoadMessages(settings)
    assert one.encode([17], [4], [1770000000000]) == other.encode([17], [4], [1770000000000])


def test_a_series_is_not_flat() -> None:
    messages = LoadMessages(LoadSettings("mqtt://h", devices=1))
    bodies = [body for _, _, body in split_packets(messages.encode(list(range(30)), [1] * 30, [1770000000000] * 30))]
    assert len({body["values"]["flow"] for body in bodies}) > 20


@pytest.mark.parametrize(
    ("length", "encoded"),
    [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (16_383, b"\xff\x7f"), (16_384, b"\x80\x80\x01")],
)
def test_remaining_length(length: int, encoded: bytes) -> None:
    assert encode_remaining_length(length) == encoded


def test_packets_have_the_bytes_of_the_standard() -> None:
    assert encode_connect(BrokerAddress("h", 1), "c") == b"\x10\x0d\x00\x04MQTT\x04\x02\xff\xff\x00\x01c"
    with_account = encode_connect(BrokerAddress("h", 1, username="u", password="p"), "c")
    assert with_account == b"\x10\x13\x00\x04MQTT\x04\xc2\xff\xff\x00\x01c\x00\x01u\x00\x01p"
    assert encode_publish_head("a/b", 10) == b"\x32\x11\x00\x03a/b"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://h", BrokerAddress("h", 1883)),
        ("mqtts://h", BrokerAddress("h", 8883, tls=True)),
        ("127.0.0.1:1884", BrokerAddress("127.0.0.1", 1884)),
        ("mqtt://u%40x:p%3A@h:1", BrokerAddress("h", 1, username="u@x", password="p:")),
    ],
)
def test_broker_addresses(url: str, expected: BrokerAddress) -> None:
    assert parse_broker_address(url) == expected
    assert (expected.password or "\0") not in repr(parse_broker_address(url))


@pytest.mark.parametrize("url", ["http://h", "mqtt://", "mqtt://h:port", "mqtt://h:99999"])
def test_what_is_no_brokers_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_broker_address(url)
