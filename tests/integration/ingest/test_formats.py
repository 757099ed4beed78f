"""Every format into its tables, and the same once more when a broker sends all of it again."""

import gzip
import json
import time
from collections.abc import Iterator

import cbor2
import pytest
import zstandard

from ingest.batch import read_batch
from ingest.message import Message
from ingest.mqtt_source import Chunk
from tests.integration.ingest.lab import Bench, Lab

NOW_S = time.time_ns() // 1_000_000_000
NOW_US = NOW_S * 1_000_000
DUP = 0x08

LOAD_READINGS = """
    SELECT d.serial, s.sensor, extract(epoch FROM r.observed_at)::float - %s AS age, r.value, r.flags
    FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
    ORDER BY serial, sensor, age
"""


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    bench = Bench(lab)
    yield bench
    bench.close()


def _message(topic: str, payload: bytes) -> Message:
    return Message(topic.encode(), payload, 1, 0x32, len(payload))


def _say_everything() -> list[Message]:
    senml = [{"bn": "urn:dev:x:1:", "bt": NOW_S, "n": "level", "v": 1}, {"n": "level", "t": 1, "v": 2}]
    relative = [{"n": "level", "t": -60, "v": 3}, {"n": "flow", "v": 4}]
    pack = cbor2.dumps([{-2: "T-0002/", -3: NOW_S, 0: "level", 2: 5}, {-2: "T-0003/", 0: "flow", 2: 6}])
    own = json.dumps({"ts": NOW_S * 1000, "values": {"level": 7}}).encode()
    update = {"current_fw_version": "9.9", "fw_state": "UPDATED"}
    return [
        _message("forewarn/v1/T-0000/senml", json.dumps(senml).encode()),
        _message("forewarn/v1/T-0001/senml", zstandard.ZstdCompressor().compress(json.dumps(relative).encode())),
        _message("forewarn/v1/gateway/G/senml-cbor", pack),
        _message("forewarn/v1/T-0004/telemetry", gzip.compress(own, mtime=0)),
        _message("v1/gateway/telemetry", json.dumps({"T-0005": [{"level": 8}]}).encode()),
        _message("v1/gateway/attributes", json.dumps({"T-0005": {"ward": "ICU 2"} | update}).encode()),
        _message("v1/gateway/connect", b'{"device": "T-0006"}'),
        _message("forewarn/v1/gateway/other/senml", b'[{"n": "T-0000/level", "v": 9}]'),
    ]


def test_every_format_arrives_once(lab: Lab, bench: Bench) -> None:
    messages = _say_everything()
    bench.take(messages, NOW_US)
    expected = [
        ("T-0000", "level", 0.0, 1.0, 0),
        ("T-0000", "level", 1.0, 2.0, 0),
        ("T-0001", "flow", 0.0, 4.0, 1),
        ("T-0001", "level", -60.0, 3.0, 1),
        ("T-0002", "level", 0.0, 5.0, 0),
        ("T-0003", "flow", 0.0, 6.0, 0),
        ("T-0004", "level", 0.0, 7.0, 0),
        ("T-0005", "level", 0.0, 8.0, 1),
    ]
    assert _load(lab) == expected
    after = Bench(lab)
    chunk = Chunk(1, NOW_US + 60_000_000, [m._replace(header=m.header | DUP) for m in messages], 0)
    batch = read_batch([chunk], after.table, after.settings, after.recorder.receipts)
    after.recorder.record(after.conn, batch, after.table)
    after.close()
    assert _load(lab) == expected
    assert [row["reason"] for row in lab.query("SELECT reason FROM rejection")] == ["not_its_gateway"]
    assert lab.query("SELECT key, value #>> '{}' AS value FROM device_attribute ORDER BY key") == [
        {"key": "current_fw_version", "value": "9.9"},
        {"key": "fw_state", "value": "UPDATED"},
        {"key": "ward", "value": "ICU 2"},
    ]
    assert lab.query("SELECT version, state FROM firmware_report") == [{"version": "9.9", "state": "UPDATED"}]
    assert lab.query("SELECT state FROM status_report") == [{"state": "online"}]
    lab.load_ledger()


def _load(lab: Lab) -> list[tuple[str, str, float, float, int]]:
    # To the millisecond: messages of one chunk are received a microsecond apart.
    return [
        (row["serial"], row["sensor"], round(row["age"], 3) + 0.0, row["value"], row["flags"])
        for row in lab.query(LOAD_READINGS, NOW_S)
    ]
