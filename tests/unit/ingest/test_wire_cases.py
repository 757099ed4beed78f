"""Every folder of tests/cases with a payload: what is read out of it, by either way that ingest has."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from domain.clock import from_micros, to_micros
from domain.report import report_to_json
from ingest.careful import ReceivedReport, read_carefully
from ingest.columns import Limits, decode_messages
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.validate import TimeWindow, find_window

CASES = Path(__file__).parents[2] / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/payload"))
LIMITS = Limits(max_payload=1 << 20, max_values=10_000)


def _load_registry(received: str | None) -> tuple[DeviceTable, TimeWindow]:
    registry = json.loads((CASES / "registry.json").read_text("utf-8"))
    devices = [
        DeviceEntry(
            device["device_id"],
            serial,
            device["shard"],
            {
                key: SensorEntry(s["series_id"], s["min"], s["max"], s["unit"], s.get("states", {}))
                for key, s in device["sensors"].items()
            },
            device.get("gateway"),
        )
        for serial, device in registry["devices"].items()
    ]
    received_us = to_micros(datetime.fromisoformat(received or registry["received"]))
    return (
        DeviceTable(devices, version=1, shard_count=2),
        find_window(received_us, retention_days=400, max_future_s=300),
    )


def _describe_report(received: ReceivedReport) -> dict[str, Any]:
    document = report_to_json(received.report)
    document["observed"] = _name(document.pop("observed_us"))
    del document["received_us"]
    return document


def _name(micros: int) -> str:
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def test_there_are_cases() -> None:
    assert len(NAMES) >= 80


def describe_case(case: dict[str, Any], payload: bytes) -> dict[str, list[dict[str, Any]]]:
    """What is read out of the payload, as a case.json has it."""
    table, window = _load_registry(case.get("received"))
    message = Message(case["topic"].encode(), payload, 1, 0x32, len(payload), case.get("content_type", ""))
    columns = decode_messages([message], table, window, LIMITS)
    columns_found = zip(columns.series_id, columns.observed_us, columns.value, columns.flags, strict=True)
    assert all(r.payload == payload[: len(r.payload)] for _, r in columns.rejections)
    # The careful way reads the same out of it, whichever way was taken.
    found = read_carefully(message, table, window, LIMITS.max_payload, LIMITS.max_values)
    assert found.judged.series_id == columns.series_id.tolist()
    assert found.judged.value == columns.value.tolist()
    assert found.judged.observed_us == columns.observed_us.tolist()
    return {
        "readings": [
            {"series_id": int(s), "time": _name(int(t)), "value": float(v), "flags": int(f)}
            for s, t, v, f in columns_found
        ],
        "rejections": [
            {"reason": r.reason.value, "serial": r.serial, "field": r.field, "detail": r.detail}
            for _, r in columns.rejections
        ],
        "reports": [_describe_report(report) for report in columns.reports],
    }


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    case = json.loads((CASES / name / "case.json").read_text("utf-8"))
    found = describe_case(case, (CASES / name / "payload").read_bytes())
    assert found["readings"] == case["readings"]
    assert found["rejections"] == case["rejections"]
    assert found["reports"] == case["reports"]
