"""Attributes from the wire to their table: the newest by time stays, whatever comes when, and so many of a device."""

import json
import time
from collections.abc import Iterator

import pytest

from domain.report import MAX_ATTRIBUTES
from ingest.message import Message
from tests.integration.ingest.lab import Bench, Lab

NOW_MS = time.time_ns() // 1_000_000
NOW_US = NOW_MS * 1000


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    bench = Bench(lab)
    yield bench
    bench.close()


def _attributes(serial: str, ts: int | None, **attributes: object) -> Message:
    body: dict[str, object] = {"attributes": attributes} | ({} if ts is None else {"ts": ts})
    payload = json.dumps(body).encode()
    return Message(f"forewarn/v1/{serial}/attributes".encode(), payload, 1, 0x32, len(payload))


def _load(lab: Lab, serial: str) -> dict[str, object]:
    rows = lab.query(
        "SELECT key, value FROM device_attribute a JOIN device d ON d.id = a.device_id WHERE serial = %s", serial
    )
    return {row["key"]: row["value"] for row in rows}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2, 1)])
def test_the_newest_stays_in_whatever_order_they_come(lab: Lab, bench: Bench, order: tuple[int, ...]) -> None:
    messages = [
        _attributes("T-0000", NOW_MS - 2, place="ward 1", lamp={"hours": 7}),
        _attributes("T-0000", NOW_MS - 1, place="ward 2"),
        _attributes("T-0000", NOW_MS - 1, place="ward 10", filter=None),
    ]
    for i in order:
        bench.take([messages[i]], NOW_US)
    assert _load(lab, "T-0000") == {"place": "ward 2", "lamp": {"hours": 7}, "filter": None}
    assert lab.query("SELECT * FROM rejection") == []
    assert lab.count_in_blocks() == 0, "they are no news for scoring"


def test_what_a_device_has_no_room_for_is_refused_and_said(lab: Lab, bench: Bench) -> None:
    bench.take([_attributes("T-0000", NOW_MS, **{f"a{i:03}": i for i in range(MAX_ATTRIBUTES - 1)})], NOW_US)
    bench.take([_attributes("T-0000", NOW_MS + 1, a000="changed", b="fits", c="does not", d="nor this")], NOW_US)
    kept = _load(lab, "T-0000")
    assert len(kept) == MAX_ATTRIBUTES
    assert (kept["a000"], kept["b"]) == ("changed", "fits")
    (rejection,) = lab.query("SELECT serial, reason, field, detail FROM rejection")
    assert rejection == {
        "serial": "T-0000",
        "reason": "too_many_values",
        "field": "attributes.c",
        "detail": "a device has at most 100 attributes: no room for 2 more, 'c', 'd'",
    }
    lab.load_ledger()


def test_every_text_that_json_can_hold_is_kept(lab: Lab, bench: Bench) -> None:
    payload = (
        b'{"attributes": {"a": "nul \\u0000, lone \\ud800, backslash \\\\u0000", "b": 1.5e-7, "c": [[]], "\\u0000": 1}}'
    )
    bench.take([Message(b"forewarn/v1/T-0000/attributes", payload, 1, 0x32, len(payload))], NOW_US)
    kept = _load(lab, "T-0000")
    assert kept == {"a": "nul �, lone ?, backslash \\u0000", "b": 1.5e-7, "c": [[]], "�": 1}
