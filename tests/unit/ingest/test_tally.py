"""What a ledger block says of each device of a batch."""

import json
from collections import Counter
from typing import Any

import numpy as np

from ingest.batch import read_batch
from ingest.device_table import DeviceEntry, DeviceTable, SensorEntry
from ingest.message import Message
from ingest.mqtt_source import Chunk
from ingest.settings import IngestSettings
from ingest.tally import tally
from store.ledger_blocks import COUNTED, NO_DEVICE, RUNS, LedgerBlock

NOW_MS = 1_795_000_000_000
NOW_US = NOW_MS * 1000
TABLE = DeviceTable(
    [
        DeviceEntry(
            10 * (i + 1),
            f"SN-{i + 1}",
            0,
            {"a": SensorEntry(2 * i + 1, -100, 100, "1"), "b": SensorEntry(2 * i + 2, -100, 100, "1")},
            "G",
            installed_us=NOW_US - 3_600_000_000,
        )
        for i in range(3)
    ],
    version=1,
    shard_count=1,
)


def message(topic: str, body: Any) -> Message:
    payload = json.dumps(body).encode()
    return Message(f"forewarn/v1/{topic}".encode(), payload, 1, 0x32, len(payload))


def part(at_s: float, seq: int | None = None, **values: float) -> dict[str, Any]:
    body: dict[str, Any] = {"ts": NOW_MS + round(at_s * 1000), "values": values}
    return body if seq is None else {**body, "seq": seq}


def count(messages: list[Message], *, repeats: tuple[int, ...] = ()) -> LedgerBlock:
    batch = read_batch([Chunk(1, NOW_US, messages, 0)], TABLE, IngestSettings(""), Counter())
    repeated = np.array(repeats, dtype=np.intp)
    new = np.setdiff1d(np.arange(len(batch.value)), repeated)
    return tally(batch, TABLE, new, repeated, repeated[:0], new[:0])


def counts_of(block: LedgerBlock, device_id: int) -> dict[str, int]:
    (column,) = block.counts.T[block.counts[0] == device_id]
    return {name: int(n) for name, n in zip(COUNTED[1:], column[1:], strict=True) if n}


def runs_of(block: LedgerBlock, device_id: int) -> list[tuple[int, int, int]]:
    return [(int(r[1]), int(r[2]), int(r[3])) for r in block.runs.T if r[0] == device_id]


def test_a_message_of_a_gateway_counts_for_each_device_in_it() -> None:
    block = count(
        [
            message("gateway/G/telemetry", {"SN-1": [part(0, a=1, b=2), part(1, a=1)], "SN-2": part(0, a=1)}),
            message("SN-1/telemetry", part(2, a=1)),
            message("SN-3/event", {"ts": NOW_MS, "code": "E1", "severity": "MAJOR"}),
        ],
        repeats=(0,),
    )
    assert counts_of(block, 10) == {"messages": 2, "stored": 3, "duplicates": 1}
    assert counts_of(block, 20) == {"messages": 1, "stored": 1}
    assert counts_of(block, 30) == {"messages": 1}


def test_what_is_refused_counts_for_its_device_and_else_for_none() -> None:
    block = count(
        [
            message("SN-1/telemetry", part(0, a=1, c=2)),
            message("SN-1/telemetry", part(400, a=1, b=2)),
            message("SN-1/telemetry", part(0, a=1000)),
            message("gateway/OTHER/telemetry", {"SN-2": part(0, a=1, b=1)}),
            message("NOBODY/telemetry", part(0, a=1, b=1)),
            message("nonsense", 1),
        ]
    )
    assert counts_of(block, 10) == {"messages": 3, "stored": 1, "rejected": 4, "inconsistent": 1, "implausible": 2}
    assert counts_of(block, 20) == {"messages": 1, "rejected": 2, "inconsistent": 2}
    assert counts_of(block, NO_DEVICE) == {"messages": 2, "rejected": 3}


def test_a_reading_from_before_the_installation_is_stored_and_implausible() -> None:
    block = count([message("SN-1/telemetry", [part(-3601, a=1, b=1), part(-3600, a=1)])])
    assert counts_of(block, 10) == {"messages": 1, "stored": 3, "implausible": 2}


def test_the_shortest_delay_tells_the_clock_and_one_from_the_future_too() -> None:
    block = count(
        [
            message("SN-1/telemetry", [part(-50, a=1), part(-2, a=1)]),
            message("SN-2/telemetry", part(3_600, a=1)),
            message("SN-3/telemetry", {"values": {"a": 1}}),
        ]
    )
    assert dict(block.delays.T.tolist()) == {10: 2_000_000, 20: -3_600_000_000}


def test_runs_of_the_counter() -> None:
    def send(*numbered: tuple[float, int]) -> list[Message]:
        return [message("SN-1/telemetry", part(at, seq, a=1)) for at, seq in numbered]

    assert runs_of(count(send((-5, 7), (-4, 8), (-3, 10))), 10) == [(7, 10, 3)]
    assert runs_of(count(send((-5, 7), (-3, 9), (-4, 8))), 10) == [(7, 9, 3)], "a latecomer"
    assert runs_of(count(send((-5, 7), (-4, 1), (-3, 2))), 10) == [(7, 7, 1), (1, 2, 2)], "it counts anew"
    assert runs_of(count(send((-5, 7), (-5, 7), (-4, 8)), repeats=(1,)), 10) == [(7, 8, 2)], "a repeat is no number"
    assert runs_of(count([message("SN-1/telemetry", part(0, a=1))]), 10) == []
    assert len(RUNS) == 6


def test_an_empty_batch_is_an_empty_block() -> None:
    block = count([])
    assert block.counts.shape[1] == block.delays.shape[1] == block.runs.shape[1] == 0
