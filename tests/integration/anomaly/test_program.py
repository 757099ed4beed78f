"""Blocks in a real database to breaches, evidence and roll-ups; restarts and several processes."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from anomaly.evidence import find_sha256
from domain.breach import Severity
from domain.report import ConnectionState, EventReport, StatusReport
from domain.sentences import render
from store.profiles import record_profile
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.scoring import (
    START,
    Sample,
    load_test_registry,
    say_ingest_lives,
    scoring,
    select,
    wait_until_scored,
    write_blocks,
)
from tests.support.waiting import wait_until

DEVICES = 6
TRANSITIONS = """
    SELECT d.serial, b.monitor, t.kind, t.severity, t.at, t.score, t.reason_code, t.params, b.id
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY t.at, d.serial, b.monitor, t.kind
"""


@pytest.fixture
def url(database: Database) -> str:
    """A database with six registered devices."""
    register(database.url, PROFILE, make_devices(DEVICES))
    return database.url


def _quiet(serial: str, at_s: float, chance: random.Random) -> list[Sample]:
    return [
        Sample(serial, "level", at_s, 50 + chance.gauss(0, 1)),
        Sample(serial, "flow", at_s, 200 + chance.gauss(0, 1)),
    ]


def _story(seed: int = 1) -> list[list[Sample]]:
    """240 instants of six devices in blocks of irregular length: two break the level's limit, one flow shifts."""
    chance = random.Random(seed)
    rows: list[Sample] = []
    for k in range(240):
        for d in range(DEVICES):
            samples = _quiet(f"T-{d:04d}", k, chance)
            if d < 2 and 100 <= k < 130:
                samples[0] = Sample(f"T-{d:04d}", "level", k, 90.0 if d == 0 or k < 110 else 97.0)
            if d == 2 and k >= 150:
                samples[1] = Sample(f"T-{d:04d}", "flow", k, 230 + chance.gauss(0, 1))
            rows += samples
    blocks: list[list[Sample]] = []
    while rows:
        cut = chance.randrange(1, 160)
        blocks.append(rows[:cut])
        rows = rows[cut:]
    return blocks


def _transitions(url: str) -> list[dict[str, Any]]:
    return select(url, TRANSITIONS)


def _expected(url: str) -> list[tuple[str, str, str, str, datetime]]:
    return [(r["serial"], r["monitor"], r["kind"], r["severity"], r["at"]) for r in _transitions(url)]


def _second(k: int) -> datetime:
    return START + timedelta(seconds=k)


LEVEL_STORY = [
    ("T-0000", "level_high", "RAISED", "MAJOR", _second(102)),
    ("T-0001", "level_high", "RAISED", "MAJOR", _second(102)),
    ("T-0001", "level_high", "ESCALATED", "CRITICAL", _second(112)),
    ("T-0000", "level_high", "CLEARED", "MAJOR", _second(135)),
    ("T-0001", "level_high", "CLEARED", "CRITICAL", _second(135)),
]


def test_faults_become_breaches_with_frozen_evidence(url: str) -> None:
    with scoring(url):
        for block in _story():
            write_blocks(url, block)
        wait_until_scored(url)
    found = _expected(url)
    assert [t for t in found if t[1] == "level_high"] == LEVEL_STORY
    flow = [t for t in found if t[1] == "flow_unusual"]
    assert [(t[0], t[2]) for t in flow] == [("T-0002", "RAISED")]
    assert _second(151) <= flow[0][4] <= _second(154)

    rows = select(
        url,
        "SELECT b.monitor, b.state, b.count, b.peak, e.body, e.sha256 FROM breach b JOIN evidence e "
        "ON e.breach_id = b.id JOIN device d ON d.id = b.device_id ORDER BY d.serial",
    )
    assert [(r["monitor"], r["state"]) for r in rows] == [
        ("level_high", "CLEARED"),
        ("level_high", "CLEARED"),
        ("flow_unusual", "ACTIVE"),
    ]
    assert [r["peak"] for r in rows[:2]] == [90.0, 97.0]
    assert rows[0]["count"] == 30
    for r in rows:
        assert find_sha256(r["body"]) == r["sha256"]
    body = rows[2]["body"]
    assert len(body["series"][0]["points"]) > 100
    assert body["series"][0]["points"][-1][0] == body["window"]["to_us"]
    assert 198 < body["expected"]["level"] < 202
    assert body["monitor"]["key"] == "flow_unusual"
    assert rows[0]["body"]["limits"] == {"raise": 80.0, "clear": 70.0, "critical": 95.0}
    scores = select(url, "SELECT count(*) AS n, sum(n) AS total FROM score_rollup")
    assert scores[0]["n"] > DEVICES
    assert select(url, "SELECT 1 FROM heartbeat WHERE program = 'anomaly'") == []


@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_is_killed_at_any_point_finds_the_same_once(url: str, seed: int) -> None:
    chance = random.Random(seed)
    blocks = _story()
    while blocks:
        some = blocks[: chance.randrange(1, 9)]
        blocks = blocks[len(some) :]
        # Half of the runs have no check-point but their last one; the connection is cut in the middle of the work.
        with scoring(url, checkpoint_s=chance.choice([0.0, 1000.0])):
            for block in some:
                write_blocks(url, block)
                if chance.random() < 0.4:
                    select(
                        url,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                        "AND application_name LIKE 'forewarn anomaly%%'",
                    )
            wait_until_scored(url)
    found = _expected(url)
    assert [t for t in found if t[1] == "level_high"] == LEVEL_STORY
    assert [(t[0], t[2]) for t in found if t[1] == "flow_unusual"] == [("T-0002", "RAISED")]
    assert len(select(url, "SELECT 1 FROM evidence")) == 3


def test_two_processes_share_the_shards_and_take_over_from_each_other(url: str) -> None:
    blocks = _story()
    third = len(blocks) // 3
    with scoring(url, instance="a"):
        for block in blocks[:third]:
            write_blocks(url, block)
        with scoring(url, instance="b"):
            wait_until(lambda: _shards_of(url) == {"a": 2, "b": 2}, what="an even division")
            for block in blocks[third : 2 * third]:
                write_blocks(url, block)
            wait_until_scored(url)
        wait_until(lambda: _shards_of(url) == {"a": 4}, what="the take-over")
        for block in blocks[2 * third :]:
            write_blocks(url, block)
        wait_until_scored(url)
    found = _expected(url)
    assert [t for t in found if t[1] == "level_high"] == LEVEL_STORY
    assert [(t[0], t[2]) for t in found if t[1] == "flow_unusual"] == [("T-0002", "RAISED")]


def _shards_of(url: str) -> dict[str, int]:
    rows = select(url, "SELECT instance, details FROM heartbeat WHERE program = 'anomaly'")
    return {r["instance"]: len(r["details"]["shards"]) for r in rows}


def test_a_device_that_goes_offline_and_comes_back(url: str) -> None:
    device = load_test_registry(url).devices["T-0003"]
    now_us = int(datetime.now(UTC).timestamp() * 1e6)
    say_ingest_lives(url)
    with scoring(url):
        write_blocks(url, [], [StatusReport(device.id, now_us, now_us, ConnectionState.OFFLINE)])
        wait_until(lambda: [t["kind"] for t in _transitions(url)] == ["RAISED"], what="the offline breach")
    # A restart knows it from the database and does not raise it again.
    with scoring(url):
        write_blocks(url, [], [StatusReport(device.id, now_us + 5_000_000, now_us, ConnectionState.ONLINE)])
        wait_until(lambda: len(_transitions(url)) == 2, what="the end of it")
    steps = _transitions(url)
    assert [t["reason_code"] for t in steps] == ["offline", "online_again"]
    assert steps[0]["id"] == steps[1]["id"]


def test_without_ingest_silence_is_not_held_against_a_device(url: str) -> None:
    device = load_test_registry(url).devices["T-0003"]
    with scoring(url):
        write_blocks(url, [], [StatusReport(device.id, 1, 1, ConnectionState.OFFLINE)])
        wait_until_scored(url)
        beats = "SELECT at FROM heartbeat WHERE program = 'anomaly'"
        first = select(url, beats)[0]["at"]
        wait_until(lambda: select(url, beats)[0]["at"] > first + timedelta(seconds=1.5), what="time to pass")
    assert _transitions(url) == []


def test_the_devices_own_alarm_is_one_breach_however_often_it_is_repeated(url: str) -> None:
    device = load_test_registry(url).devices["T-0001"]
    with scoring(url):
        for k, severity in enumerate([Severity.MINOR, Severity.MAJOR, Severity.CRITICAL, Severity.MAJOR]):
            at_us = 1_770_000_000_000_000 + k
            write_blocks(url, [], [EventReport(device.id, at_us, at_us, "E1042", severity, "occlusion downstream")])
        write_blocks(url, [], [EventReport(device.id, 1, 1, "E7", Severity.CRITICAL, "no monitor names this code")])
        wait_until_scored(url)
    assert [(t["kind"], t["severity"]) for t in _transitions(url)] == [("RAISED", "MAJOR"), ("ESCALATED", "CRITICAL")]


def test_a_monitor_that_is_taken_away_closes_its_breach_and_others_keep_their_state(url: str) -> None:
    blocks = _story()
    with scoring(url):
        for block in blocks:
            write_blocks(url, block)
        wait_until_scored(url)
        fewer = replace(PROFILE, version=2, monitors=tuple(m for m in PROFILE.monitors if m.key != "flow_unusual"))
        with psycopg.connect(url) as conn:
            record_profile(conn, fewer, "test")
        wait_until(
            lambda: any(t["reason_code"] == "monitor_retired" for t in _transitions(url)), what="the monitor's end"
        )
    assert select(url, "SELECT 1 FROM breach WHERE state = 'ACTIVE'") == []
    (end,) = [t["params"] for t in _transitions(url) if t["reason_code"] == "monitor_retired"]
    assert render("monitor_retired", end, "en").startswith("The monitor “flow: adaptive” of T-0002 no longer exists")


def test_decommissioning_a_device_closes_its_breaches(url: str) -> None:
    active = "SELECT d.serial FROM breach b JOIN device d ON d.id = b.device_id WHERE b.state = 'ACTIVE'"
    with scoring(url):
        write_blocks(url, [Sample(serial, "level", k, 99.0) for k in range(30) for serial in ("T-0000", "T-0001")])
        wait_until_scored(url)
        assert {row["serial"] for row in select(url, active)} == {"T-0000", "T-0001"}
        with psycopg.connect(url) as conn:
            conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED' WHERE serial = 'T-0001'")
        wait_until(
            lambda: any(t["reason_code"] == "device_decommissioned" for t in _transitions(url)), what="the device's end"
        )
        assert {row["serial"] for row in select(url, active)} == {"T-0000"}
    (end,) = [t["params"] for t in _transitions(url) if t["reason_code"] == "device_decommissioned"]
    assert "“level: limit, high”" in render("device_decommissioned", end, "en")
