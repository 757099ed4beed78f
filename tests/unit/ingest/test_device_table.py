"""What a topic means."""

import pytest

from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry, TopicKind

TABLE = DeviceTable(
    [DeviceEntry(7, "SN-1", 0, {"a": SensorEntry(3, 0.0, 1.0, "1"), "b": SensorEntry(5, 0.0, 2.0, "V")})],
    version=1,
    shard_count=1,
)


@pytest.mark.parametrize(
    ("topic", "kind", "by_gateway", "serial"),
    [
        (b"forewarn/v1/SN-1/telemetry", TopicKind.TELEMETRY, False, "SN-1"),
        (b"forewarn/v1/SN-2/event", TopicKind.EVENT, False, "SN-2"),
        (b"forewarn/v1/SN-1/firmware", TopicKind.FIRMWARE, False, "SN-1"),
        (b"forewarn/v1/gateway/G/status", TopicKind.STATUS, True, None),
        (b"forewarn/v1/gateway/G/telemetry", TopicKind.TELEMETRY, True, None),
        (b"v1/gateway/telemetry", TopicKind.TELEMETRY, True, None),
        (b"forewarn/v1/SN-1/attributes", TopicKind.ATTRIBUTES, False, "SN-1"),
        (b"forewarn/v1/SN-1/senml", TopicKind.TELEMETRY, False, "SN-1"),
        (b"forewarn/v1/SN-1/senml-cbor", TopicKind.TELEMETRY, False, "SN-1"),
        (b"forewarn/v1/gateway/G/senml", TopicKind.TELEMETRY, True, None),
        (b"v1/gateway/attributes", TopicKind.ATTRIBUTES, True, None),
        (b"v1/gateway/connect", TopicKind.STATUS, True, None),
        (b"v1/gateway/disconnect", TopicKind.STATUS, True, None),
        (b"v1/gateway/rpc", TopicKind.UNKNOWN, False, None),
        (b"forewarn/v1/SN-1/unknown", TopicKind.UNKNOWN, False, None),
        (b"forewarn/v1/SN-1/telemetry/more", TopicKind.UNKNOWN, False, None),
        (b"forewarn/v2/SN-1/telemetry", TopicKind.UNKNOWN, False, None),
        (b"\xff\xfe", TopicKind.UNKNOWN, False, None),
        (b"", TopicKind.UNKNOWN, False, None),
    ],
)
def test_routes(topic: bytes, kind: TopicKind, by_gateway: bool, serial: str | None) -> None:
    route = TABLE.find_route(topic)
    assert (route.kind, route.by_gateway, route.serial) == (kind, by_gateway, serial)
    assert (route.device is not None) == (serial == "SN-1")
    assert TABLE.find_route(topic) is route


def test_series_are_found_by_the_sensors_that_came_together() -> None:
    device = TABLE.devices["SN-1"]
    assert TABLE.find_shape(device, ("b", "a")) == (5, 3)
    assert TABLE.find_shape(device, ("a", "x")) is None
    assert TABLE.find_series(5) == (device, "b")
    assert TABLE.maximum[5] == 2.0
    assert TABLE.minimum[4] > TABLE.maximum[4], "no value is in the range of a series that is not there"


def test_what_strangers_send_does_not_grow_the_caches_without_bound() -> None:
    device = DeviceEntry(1, "SN-1", 0, {f"s{i}": SensorEntry(i, 0.0, 1.0, "1") for i in range(200)})
    table = DeviceTable([device], version=1, shard_count=1)
    for i in range(200):
        assert table.find_shape(device, (f"s{i}",)) == (i,)
    assert len(device.shapes) == 64


def test_a_long_topic_is_understood_and_not_remembered() -> None:
    topic = b"forewarn/v1/gateway/" + b"g" * 60_000 + b"/telemetry"
    assert TABLE.find_route(topic).kind is TopicKind.TELEMETRY
    assert topic not in TABLE.routes


def test_a_series_names_its_device_and_sensor() -> None:
    device, sensor = TABLE.find_series(5)
    assert (device.serial, sensor) == ("SN-1", "b")
