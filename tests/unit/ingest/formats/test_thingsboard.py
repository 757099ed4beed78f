"""ThingsBoard's gateway topics: what an update says of firmware, and what it leaves to the attributes."""

import json
from typing import Any

import pytest

from ingest.decode import TelemetryPart
from ingest.device_table import DeviceTable, TopicKind
from ingest.formats.contract import ReportPart
from ingest.formats.thingsboard import decode_gateway_attributes, decode_gateway_telemetry

TABLE = DeviceTable([], version=1, shard_count=1)


def _find_firmware(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    route = TABLE.find_route(b"v1/gateway/attributes")
    parts = list(decode_gateway_attributes(json.dumps({"SN-1": attributes}).encode(), route, 0))
    assert isinstance(parts[0], ReportPart)
    assert (parts[0].kind, parts[0].body) == (TopicKind.ATTRIBUTES, {"attributes": attributes})
    return [part.body for part in parts[1:] if isinstance(part, ReportPart) and part.kind is TopicKind.FIRMWARE]


def _updated(version: str, component: str = "main") -> dict[str, Any]:
    return {"component": component, "version": version, "state": "UPDATED"}


@pytest.mark.parametrize(
    ("attributes", "firmware"),
    [
        ({"fw_version": "1.0", "battery": 87}, [_updated("1.0")]),
        ({"current_fw_version": "1.0"}, [_updated("1.0")]),
        ({"current_fw_version": "2.0", "fw_version": "2.1", "fw_state": "UPDATED"}, [_updated("2.0")]),
        # What is being loaded has a name only where the device repeats it.
        ({"current_fw_version": "1.0", "fw_state": "DOWNLOADING"}, []),
        (
            {"current_fw_version": "1.0", "fw_version": "2.0", "fw_state": "DOWNLOADING"},
            [{"component": "main", "version": "2.0", "state": "DOWNLOADING", "previous": "1.0"}],
        ),
        (
            {"current_fw_version": "1.0", "fw_version": "2.0", "fw_state": "FAILED", "fw_error": "checksum"},
            [{"component": "main", "version": "2.0", "state": "FAILED", "previous": "1.0", "error": "checksum"}],
        ),
        ({"fw_version": "2.0", "fw_state": "QUEUED"}, []),
        ({"fw_version": 2}, []),
        ({"fw_version": " "}, []),
        ({"fw_version": "1", "fw_state": {}}, []),
        ({"fw_version": "1", "current_sw_version": "7"}, [_updated("1"), _updated("7", "software")]),
        ({"firmware": "1.0"}, []),
    ],
)
def test_what_an_update_says_of_firmware(attributes: dict[str, Any], firmware: list[dict[str, Any]]) -> None:
    assert _find_firmware(attributes) == firmware


def test_an_update_among_telemetry_keeps_its_time_and_leaves_the_readings() -> None:
    values = {"current_fw_version": "2.0", "fw_state": "UPDATED", "temperature": 36.5}
    payload = json.dumps({"SN-1": [{"ts": 5, "values": values, "seq": 1}]}).encode()
    parts = list(decode_gateway_telemetry(payload, TABLE.find_route(b"v1/gateway/telemetry"), 0))
    assert [part.body for part in parts if isinstance(part, TelemetryPart | ReportPart)] == [
        {"ts": 5, "values": {"temperature": 36.5}, "seq": 1},
        {"ts": 5, "attributes": {"current_fw_version": "2.0", "fw_state": "UPDATED"}},
        {"ts": 5, **_updated("2.0")},
    ]
