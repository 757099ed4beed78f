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


def _load_registry() -> tuple[DeviceTable, TimeWindow]:
    registry = json.loads((CASES / "registry.json").read_text("utf-8"))
    devices = [
        DeviceEntry(
            device["device_id"],
            serial,
            device["shard"],
            {key: SensorEntry(s["series_id"], s["min"], s["max"], s["unit"]) for key, s in device["sensors"].items()},
        )
        for serial, device in registry["devices"].items()
    ]
    received_us = to_micros(datetime.fromisoformat(registry["received"]))
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
    assert len(NAMES) >= 30


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    expected = json.loads((CASES / name / "case.json").read_text("utf-8"))
    payload = (CASES / name / "payload").read_bytes()
    table, window = _load_registry()
    message = Message(expected["topic"].encode(), payload, 1, 0x32, len(payload))

    columns = decode_messages([message], table, window, LIMITS)

    columns_found = zip(columns.series_id, columns.observed_us, columns.value, columns.flags, strict=True)
    readings = [
        {"series_id": int(s), "time": _name(int(t)), "value": float(v), "flags": int(f)} for s, t, v, f in columns_found
    ]
    assert readings == expected["readings"]
    rejections = [
        {"reason": r.reason.value, "serial": r.serial, "field": r.field, "detail": r.detail}
        for _, r in columns.rejections
    ]
    assert rejections == expected["rejections"]
    assert [_describe_report(report) for report in columns.reports] == expected["reports"]
    assert all(r.payload == payload[: len(r.payload)] for _, r in columns.rejections)
    # The careful way reads the same out of it, whichever way was taken.
    found = read_carefully(message, table, window, LIMITS.max_payload, LIMITS.max_values)
    assert found.judged.series_id == columns.series_id.tolist()
    assert found.judged.value == columns.value.tolist()
    assert found.judged.observed_us == columns.observed_us.tolist()
