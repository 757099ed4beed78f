"""From readings to outcomes and back: what people found at devices moves a threshold, and a drift is said before it
costs a visit. Scoring, triage, the worker of backtests and the watch over monitors are the real ones."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.clock import to_micros
from domain.profile import TicketPolicy
from domain.report import FirmwareReport, FirmwareState
from domain.roles import Role
from domain.work_order import Outcome
from service_link.drift import watch_drift
from service_link.monitor_feedback import watch_monitors
from store.monitor_quality import MonitorQuality, load_quality
from store.pool import open_connection
from store.reports import record_firmware_report
from store.rollup_refresh import refresh_rollups
from tests.support.databases import Database
from tests.support.fleet import LEVEL_HIGH, MODEL, PROFILE, make_devices, register
from tests.support.http_api import PASSWORD, running_api
from tests.support.models import work_jobs
from tests.support.scoring import START, Sample, scoring, select, wait_until_scored, write_blocks
from tests.support.service_world import World

DEVICES = 12
SERIALS = [f"T-{i:04d}" for i in range(DEVICES)]
HOUR_S, DAY_S = 3_600, 86_400
OPENED = """
    SELECT d.serial, b.peak, b.profile_version FROM work_order w JOIN device d ON d.id = w.device_id
    JOIN work_order_breach wb ON wb.work_order_id = w.id JOIN breach b ON b.id = wb.breach_id
    ORDER BY d.serial, b.first_seen
"""


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Twelve devices whose level is limited, and people who look after them."""
    profile = replace(PROFILE, monitors=(LEVEL_HIGH,), tickets=TicketPolicy())
    register(database.url, profile, make_devices(DEVICES))
    with open_connection(database.url, application="test", autocommit=True) as conn:
        yield World(conn, now=START)


def tell(world: World, url: str, rows: list[Sample], until_s: float) -> None:
    """The readings arrive, are scored, and what follows is triaged, at `until_s`."""
    write_blocks(url, sorted(rows, key=lambda r: r.at_s), received_s=until_s)
    wait_until_scored(url)
    world.now = START + timedelta(seconds=until_s)
    world.triage()


def close_open(world: World, outcomes: dict[str, Outcome]) -> int:
    """The visits to these devices are over, with what was found; how many they were."""
    closed = 0
    for serial, outcome in outcomes.items():
        closed += world.conn.execute(
            "UPDATE work_order SET state = 'CLOSED', outcome = %s, closed_at = %s"
            " WHERE state <> 'CLOSED' AND device_id = (SELECT id FROM device WHERE serial = %s)",
            (outcome, world.now, serial),
        ).rowcount
    return closed


def find_quality(world: World) -> MonitorQuality:
    (found,) = [q for q in load_quality(world.conn, model=MODEL) if q.monitor == LEVEL_HIGH.key]
    return found


def test_orders_in_vain_move_the_threshold_that_people_accept_and_scoring_judges_by_it(
    world: World, database: Database
) -> None:
    url = database.url
    chance = random.Random(3)
    faulty = SERIALS[6]
    surges = dict(zip(SERIALS[:6], (81.0, 82.0, 82.5, 83.0, 83.5, 84.0), strict=True)) | {faulty: 93.0}
    # A day before, so that a backtest has a day that is settled and a day that it counts.
    earlier = [Sample(serial, "level", -DAY_S - HOUR_S, 50.0) for serial in SERIALS]
    rows = [
        Sample(serial, "level", k, surges.get(serial, 50.0) if 60 <= k < 75 else 50.0 + chance.gauss(0, 1))
        for serial in SERIALS
        for k in range(0, 120, 3)
    ]
    with scoring(url):
        tell(world, url, earlier, -DAY_S)
        tell(world, url, rows, 120.0)
        assert [(row["serial"], row["peak"]) for row in select(url, OPENED)] == sorted(surges.items())
        found = dict.fromkeys(surges, Outcome.NO_FAULT_FOUND) | {faulty: Outcome.CONFIRMED}
        assert close_open(world, found) == 7
        world.pass_time(hours=1)
        (code,) = watch_monitors(world.conn, world.now)
        before = find_quality(world)
        assert (before.no_fault_found, before.confirmed) == (6, 1)
        assert work_jobs(url) == 1
        watch_monitors(world.conn, world.now)
        with running_api(url) as api:
            api.add_user("eva", Role.ENGINEER)
            who = api.sign_in("eva").writing
            seen = api.get(f"/threshold-proposals/{code}", headers=who)
            proposal: dict[str, Any] = seen.json()
            assert (proposal["state"], proposal["raise_at"], proposal["backtest_error"]) == ("BACKTESTED", 80.0, None)
            assert 84.0 < proposal["proposed_raise_at"] < 93.0
            now, then = (proposal["backtest"][side]["by_outcome"] for side in ("now", "proposed"))
            assert (now, then) == ({"CONFIRMED": 1, "NO_FAULT_FOUND": 6}, {"CONFIRMED": 1})
            assert proposal["backtest"]["lost"]["by_outcome"] == {"NO_FAULT_FOUND": 6}
            assert (proposal["backtest"]["changed"], proposal["backtest"]["uncovered"]) == (["level_high"], [])
            accepted = api.post(
                f"/threshold-proposals/{code}/transitions",
                headers=who | {"If-Match": seen.headers["etag"]},
                json={"to": "ACCEPTED", "reason": "no confirmed one is lost", "password": PASSWORD},
            )
            assert (accepted.status_code, accepted.json()["state"]) == (200, "ACCEPTED"), accepted.text
        # The same surge opens nothing any more, a fault does.
        later = [
            Sample(serial, "level", 2 * HOUR_S + k, value if k < 15 else 50.0)
            for serial, value in ((SERIALS[7], 84.0), (SERIALS[8], 93.0))
            for k in range(0, 60, 3)
        ]
        tell(world, url, later, 2 * HOUR_S + 60.0)
    fresh = [row for row in select(url, OPENED) if row["serial"] in SERIALS[7:]]
    assert fresh == [{"serial": SERIALS[8], "peak": 93.0, "profile_version": PROFILE.version + 1}]


UPDATED_DAY = 16
DAYS = 27
EVENING_S = 23 * HOUR_S


def find_rows(day: int, chance: random.Random) -> list[Sample]:
    """Each evening a treatment lifts the level; the new firmware reads a little higher, and higher every day."""
    shift = 0.0 if day < UPDATED_DAY else 4.0 + 0.8 * (day - UPDATED_DAY)
    instants = [(hour * HOUR_S, 50.0) for hour in range(23)] + [(EVENING_S + 10 * k, 70.0) for k in range(3)]
    return [
        Sample(serial, "level", day * DAY_S + at, level + shift + chance.gauss(0, 1))
        for serial in SERIALS
        for at, level in instants
    ]


def test_a_firmware_that_shifts_readings_is_said_to_drift_before_orders_are_in_vain(
    world: World, database: Database
) -> None:
    url = database.url
    chance = random.Random(4)
    said: dict[str, int] = {}
    in_vain: dict[int, tuple[int, float]] = {}
    with scoring(url, checkpoint_s=1_000.0):
        before = [row for day in range(UPDATED_DAY) for row in find_rows(day, chance)]
        tell(world, url, before, (UPDATED_DAY - 1) * DAY_S + EVENING_S + 30.0)
        report_firmware(world, START + timedelta(days=UPDATED_DAY))
        for day in range(UPDATED_DAY, DAYS):
            tell(world, url, find_rows(day, chance), day * DAY_S + EVENING_S + 30.0)
            close_open(world, dict.fromkeys(SERIALS, Outcome.NO_FAULT_FOUND))
            refresh_rollups(world.conn, world.now, lambda: True)
            counted = -1
            while counted < (counted := count_days(world)):
                for drift in watch_drift(world.conn, world.now):
                    said.setdefault(f"{drift.kind} {drift.subject}", day)
            watch_monitors(world.conn, world.now)
            quality = find_quality(world)
            in_vain[day] = (quality.no_fault_found, quality.precision_mean)
    assert set(said) == {"input level"}
    warned = said["input level"]
    first = min(day for day, (orders, _) in in_vain.items() if orders)
    assert UPDATED_DAY < warned < first, (warned, first)
    assert in_vain[warned] == (0, 0.5), "nobody knows anything of the monitor yet"
    assert in_vain[DAYS - 1][1] < 0.1
    events = world.rows("SELECT body -> 'data' ->> 'subject' AS subject FROM outbox WHERE type = 'model.drift'")
    assert {e["subject"] for e in events} == {"level"}


def count_days(world: World) -> int:
    """The days of the story that the watch over drift has counted."""
    (row,) = world.rows("SELECT count(DISTINCT day) AS n FROM distribution_day WHERE firmware = ''")
    return int(row["n"])


def report_firmware(world: World, at: datetime) -> None:
    """Every device says that it runs the new version, as ingest stores it."""
    for row in world.rows("SELECT id FROM device ORDER BY id"):
        us = to_micros(at)
        report = FirmwareReport(row["id"], us, us + 1, "main", "2.0", FirmwareState.UPDATED, "1.0.0")
        with world.conn.transaction():
            assert record_firmware_report(world.conn, report)
