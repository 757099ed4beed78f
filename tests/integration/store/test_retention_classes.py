"""Retention by class: readings of short-lived sensors go first, and roll-ups stay, whatever comes too late."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain.clock import to_micros
from domain.profile import Retention
from service_link.housekeeping import apply_retention
from service_link.settings import ServiceLinkSettings
from store.migrate import load_flavour
from store.pool import Connection, open_connection
from store.reading_levels import Level
from store.reading_queries import load_readings
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings, record_possible_repeats
from store.retention import find_retention_plan, load_retention_classes
from store.rollup_refresh import refresh_rollups
from store.rollups import load_counts
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 9, 11, 6, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = ServiceLinkSettings("", reading_days=8, short_reading_days=3, long_reading_days=8, minute_days=0)


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    """Ten days of a short-lived and a standard series, an hour apart, rolled up."""
    first, second, *others = PROFILE.sensors
    profile = replace(PROFILE, sensors=(replace(first, retention=Retention.SHORT), second, *others))
    register(any_database.url, profile, make_devices(1))
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        for series_id in find_series(opened):
            record(opened, series_id, [BEGIN + n * timedelta(hours=1) for n in range(240)])
        refresh(any_database, opened)
        yield opened


def find_series(conn: Connection) -> tuple[int, int]:
    """The short-lived series and a standard one."""
    classes = load_retention_classes(conn)
    assert set(classes) == {Retention.SHORT, Retention.STANDARD}
    return classes[Retention.SHORT][0], classes[Retention.STANDARD][0]


def record(conn: Connection, series_id: int, times: list[datetime]) -> None:
    count = len(times)
    readings = ReadingColumns(
        np.full(count, series_id, np.int32),
        np.array([to_micros(at) for at in times], np.int64),
        np.arange(count, dtype=np.float64),
        np.zeros(count, np.int16),
    )
    ensure_partitions(conn, find_days(readings.observed_us))
    with conn.transaction():
        record_possible_repeats(conn, readings) if count == 1 else record_new_readings(conn, readings)


def refresh(database: Database, conn: Connection) -> None:
    if load_flavour(conn) == "timescaledb-community":
        with open_connection(database.owner_url, application="test", autocommit=True) as owner:
            owner.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (NOW,))
            owner.execute("SELECT compress_chunk(c, true) FROM show_chunks('reading', older_than => %s) AS c", (NOW,))
    else:
        refresh_rollups(conn, NOW, lambda: True)


def count_days(conn: Connection, series_id: int) -> list[int]:
    rows = conn.execute(
        "SELECT count(*) FROM (SELECT observed_at::date AS day FROM reading WHERE series_id = %s) AS r "
        "GROUP BY day ORDER BY day",
        (series_id,),
    )
    return [count for (count,) in rows]


def test_readings_go_by_class_and_their_rollups_stay(any_database: Database, conn: Connection) -> None:
    short, standard = find_series(conn)
    for _ in range(2):  # once, and again without any change
        apply_retention(conn, NOW, SETTINGS, lambda: True)
        assert (count_days(conn, short), count_days(conn, standard)) == ([24] * 3, [24] * 8)
    for series_id in (short, standard):
        counts = load_counts(conn, BEGIN.date(), NOW.date(), series_ids=[series_id])
        assert [count.n for count in counts] == [24] * 10
        whole = load_readings(conn, series_id, BEGIN, NOW, 1000)
        assert (whole.level, sum(bucket.count for bucket in whole.buckets)) == (Level.MINUTE, 240)
    # What comes for a day that is gone neither changes its roll-up nor stays.
    record(conn, short, [BEGIN + 4 * DAY + timedelta(minutes=5)])
    record(conn, standard, [BEGIN + 4 * DAY + timedelta(minutes=5)])
    for _ in range(2):
        assert sum(b.count for b in load_readings(conn, short, BEGIN, NOW, 1000).buckets) == 240
        assert sum(b.count for b in load_readings(conn, standard, BEGIN, NOW, 1000).buckets) == 241
        refresh(any_database, conn)
        apply_retention(conn, NOW, SETTINGS, lambda: True)
        assert (count_days(conn, short), count_days(conn, standard)) == ([24] * 3, [24, 24, 25, *[24] * 5])


def test_readings_that_are_not_rolled_up_stay(database: Database) -> None:
    register(database.url, PROFILE, make_devices(1))
    with open_connection(database.url, application="test", autocommit=True) as conn:
        record(conn, 1, [BEGIN, BEGIN + DAY])
        apply_retention(conn, NOW, SETTINGS, lambda: True)
        assert count_days(conn, 1) == [1, 1]


def test_the_plan_keeps_whole_days_as_long_as_the_longest_class_in_use() -> None:
    days = {Retention.SHORT: 30, Retention.STANDARD: 400, Retention.LONG: 0}
    today, rolled_up = NOW.date(), NOW.date() - DAY
    only = find_retention_plan({}, days, today, rolled_up)
    assert (only.whole_before, only.series_before) == (today - 400 * DAY, [])
    both = find_retention_plan({Retention.SHORT: [1], Retention.STANDARD: [2]}, days, today, rolled_up)
    assert (both.whole_before, both.series_before) == (today - 400 * DAY, [(today - 30 * DAY, [1])])
    all_three = find_retention_plan({name: [n] for n, name in enumerate(Retention)}, days, today, rolled_up)
    assert all_three.whole_before is None
    assert all_three.series_before == [(today - 30 * DAY, [0]), (today - 400 * DAY, [1])]
    behind = find_retention_plan({Retention.SHORT: [1]}, days, today, today - 50 * DAY)
    assert (behind.whole_before, behind.series_before) == (today - 50 * DAY, [])
