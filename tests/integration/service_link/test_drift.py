"""Days are counted once and compared with the reference; a drift is said once, and before orders are in vain."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.breach import BreachKind, Severity
from domain.profile import Direction, Monitor, MonitorRule
from service_link.drift import DAYS_AT_ONCE, watch_drift
from service_link.monitor_feedback import watch_monitors
from store.drift import DriftDay, load_drift, record_drift
from store.monitor_quality import load_quality
from store.profiles import record_profile
from tests.support.databases import Database
from tests.support.releases import PROFILE, add_fleet
from tests.support.service_world import World, open_world

BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 45
CREEPS_FROM = 22
ODD = Monitor(
    "current_odd",
    MonitorRule.ADAPTIVE,
    BreachKind.ANOMALY,
    Severity.MINOR,
    "motor",
    ("current",),
    Direction.HIGH,
    raise_at=10.0,
    clear_at=5.0,
)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Twelve pumps whose current creeps up slowly from the 23rd day on, and with it its scores."""
    with open_world(database.url) as made:
        made.now = BEGIN + DAYS * DAY
        add_fleet(made, 12, updated=0)
        record_profile(made.conn, replace(PROFILE, version=3, monitors=(*PROFILE.monitors, ODD)), "test")
        store_days(made)
        yield made


def find_days(at: datetime) -> float:
    """Days of creeping."""
    return max((at - BEGIN) / DAY - CREEPS_FROM, 0.0)


# Every hour of every series, as if it had been rolled up: a level of the device, a rhythm of the day, some noise.
STORE_HOURS = """
    INSERT INTO reading_1h (series_id, flags, bucket, minimum, maximum, sum, n)
    SELECT series_id, 0, at, level, level, 60 * level, 60 FROM (
        SELECT s.id AS series_id, at,
            0.5 + 0.02 * sin(s.device_id) + 0.02 * sin(extract(hour FROM at)::float8) + 0.01 * sin(s.id + hour * hour)
                + CASE WHEN s.sensor = 'current' THEN 0.01 * greatest(hour / 24.0 - %(creeps)s, 0) ELSE 0 END AS level
        FROM series s CROSS JOIN generate_series(0, %(hours)s - 1) AS hour
        CROSS JOIN LATERAL (SELECT %(begin)s::timestamptz + hour * interval '1 hour' AS at) t
    ) levels
"""
STORE_SCORES = """
    INSERT INTO score_rollup (series_id, minute, detector, max_score, mean_score, n)
    SELECT s.id, %(begin)s::timestamptz + hour * interval '1 hour', 'current_odd', score, score, 1
    FROM series s CROSS JOIN generate_series(0, %(hours)s - 1) AS hour
    CROSS JOIN LATERAL (SELECT 3.0 + 0.5 * ((hour * 7 + s.id * 3) %% 5) / 4
        + 0.2 * greatest(hour / 24.0 - %(creeps)s, 0) AS score) v
    WHERE s.sensor = 'current'
"""


def store_days(world: World) -> None:
    values = {"begin": BEGIN, "hours": DAYS * 24, "creeps": CREEPS_FROM}
    world.conn.execute("SELECT ensure_rollup_partitions(%s, %s)", (BEGIN, world.now))
    world.conn.execute(STORE_HOURS, values)
    world.conn.execute(STORE_SCORES, values)
    world.conn.execute("UPDATE rollup_state SET hours_to = %s", (world.now,))


def watch_all(world: World) -> list[DriftDay]:
    said: list[DriftDay] = []
    for _ in range(DAYS // DAYS_AT_ONCE + 2):
        said += watch_drift(world.conn, world.now)
    return said


def test_a_creeping_score_is_said_once_and_before_it_alarms(world: World) -> None:
    said = watch_all(world)
    assert {(d.kind, d.subject) for d in said} == {("input", "current"), ("score", "current_odd")}
    assert {d.firmware for d in said} == {"", "1.0"}
    score = next(d for d in said if d.kind == "score" and d.firmware == "")
    assert score.devices == 12
    assert score.psi >= 0.25 > 2 * score.usual_psi
    # Said within a week or two of creeping, at a score of 6 at most; the threshold of 10 is three weeks away.
    at = datetime(score.day.year, score.day.month, score.day.day, tzinfo=UTC)
    assert (at - BEGIN) / DAY > CREEPS_FROM
    assert 3.5 + 0.2 * find_days(at) < 6.5
    alerts = world.rows("SELECT kind, subject, firmware FROM drift_alert WHERE ended_at IS NULL")
    assert len(alerts) == len(said)
    events = world.rows("SELECT body FROM outbox WHERE type = 'model.drift'")
    assert len(events) == len(said)
    assert {e["body"]["data"]["subject"] for e in events} == {"current", "current_odd"}
    # Each day was counted once, and the temperature never drifted.
    days = world.rows("SELECT count(*) AS n, count(DISTINCT day) AS days FROM distribution_day WHERE firmware = ''")
    assert days == [{"n": 3 * DAYS, "days": DAYS}]
    found = load_drift(world.conn, BEGIN.date(), model="PUMP", subjects=["temperature"])
    assert {d.state for d in found} == {"STABLE"}
    assert watch_drift(world.conn, world.now) == []
    # No order was in vain yet.
    watch_monitors(world.conn, world.now)
    (quality,) = [q for q in load_quality(world.conn) if q.monitor == "current_odd"]
    assert (quality.false_alarm, quality.tickets) == (0, 0)


def test_what_is_over_may_be_said_again(world: World) -> None:
    row = world.rows("SELECT id FROM device_model WHERE key = 'PUMP'")[0]
    day = DriftDay(row["id"], "PUMP", False, "input", "current", "", BEGIN.date(), 0.3, 0.01, 12, 100, 900, "DRIFT")
    said = []
    for place, state in enumerate(("DRIFT", "DRIFT", "WATCH", "DRIFT", "STABLE", "DRIFT")):
        later = replace(day, day=(BEGIN + place * DAY).date(), state=state)
        with world.conn.transaction():
            said.append(len(record_drift(world.conn, [later], world.now)))
    assert said == [1, 0, 0, 0, 0, 1]
    assert len(load_drift(world.conn, BEGIN.date(), states=["DRIFT"])) == 4
    assert world.rows("SELECT count(*) AS n FROM outbox WHERE type = 'model.drift'") == [{"n": 2}]
