"""Roll-ups on every flavour: the figures are those of the readings at every moment, however late these come."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from domain.clock import to_micros
from store.migrate import load_flavour
from store.pool import Connection, open_connection
from store.reading_levels import WIDTH, Level, floor
from store.reading_queries import load_readings
from store.readings import (
    ALREADY_STORED,
    ReadingColumns,
    ensure_partitions,
    find_days,
    record_new_readings,
    record_possible_repeats,
)
from store.rollup_refresh import refresh_rollups
from store.rollups import load_counts, load_rollup_state
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
NOW = datetime(2026, 9, 4, 13, 25, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BAD = 4
Refresh = Callable[[datetime], None]


@pytest.fixture
def conn(any_database: Database) -> Iterator[Connection]:
    """Of the programs' account."""
    with open_connection(any_database.url, application="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def refresh(any_database: Database) -> Refresh:
    """Refreshes all levels: by our own refresher, or by the procedure that TimescaleDB's scheduler runs."""

    def run(now: datetime) -> None:
        with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
            if load_flavour(owner) == "timescaledb-community":
                owner.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (now,))
        with open_connection(any_database.url, application="test", autocommit=True) as app:
            if load_flavour(app) != "timescaledb-community":
                refresh_rollups(app, now, lambda: True)

    return run


def make_columns(series_id: int, times: list[datetime], values: list[float], flags: int = 0) -> ReadingColumns:
    count = len(times)
    return ReadingColumns(
        np.full(count, series_id, np.int32),
        np.array([to_micros(at) for at in times], np.int64),
        np.array(values, np.float64),
        np.full(count, flags, np.int16),
    )


def store(conn: Connection, readings: ReadingColumns) -> None:
    ensure_partitions(conn, find_days(readings.observed_us))
    with conn.transaction():
        record_new_readings(conn, readings)


def make_hours(series_id: int, hours: int) -> ReadingColumns:
    times = [BEGIN + n * 5 * MINUTE for n in range(hours * 12)]
    return make_columns(series_id, times, [float(n % 7) for n in range(len(times))])


LEVELS = {"reading_1m": MINUTE, "reading_1h": timedelta(hours=1), "reading_1d": timedelta(days=1)}
FROM_READINGS = """
    SELECT series_id, date_bin(%s, observed_at, '1970-01-01 00:00+00') AS bucket,
        min(value) FILTER (WHERE flags & 4 = 0), max(value) FILTER (WHERE flags & 4 = 0),
        sum(value) FILTER (WHERE flags & 4 = 0), count(*) FILTER (WHERE flags & 4 = 0), bit_or(flags)
    FROM reading WHERE observed_at < %s GROUP BY 1, 2 ORDER BY 1, 2
"""


def assert_levels_are_those_of_the_readings(conn: Connection) -> None:
    state = load_rollup_state(conn)
    for (level, width), ready_to in zip(LEVELS.items(), (state.minutes_to, state.hours_to, state.days_to), strict=True):
        rolled_up = conn.execute(
            f"SELECT series_id, bucket, minimum, maximum, sum, n, flags FROM {level} WHERE bucket < %s ORDER BY 1, 2",
            (ready_to,),
        ).fetchall()
        assert rolled_up == conn.execute(FROM_READINGS, (width, ready_to)).fetchall()
        assert rolled_up


def test_every_level_holds_what_the_readings_say(conn: Connection, refresh: Refresh) -> None:
    store(conn, make_hours(1, 85))
    store(conn, make_columns(2, [BEGIN, BEGIN + MINUTE], [1.5, 99.0], flags=1))
    store(conn, make_columns(2, [BEGIN + 30 * timedelta(seconds=1), BEGIN + 3 * MINUTE], [-5.0, 7.0], flags=BAD))
    refresh(NOW)
    state = load_rollup_state(conn)
    assert state.minutes_to >= datetime(2026, 9, 4, 13, tzinfo=UTC)
    assert state.days_to >= datetime(2026, 9, 4, tzinfo=UTC)
    assert_levels_are_those_of_the_readings(conn)
    refresh(NOW)
    assert_levels_are_those_of_the_readings(conn)


@pytest.mark.parametrize("plan", ["enable_nestloop", "enable_hashjoin", "enable_indexscan"])
def test_where_readings_begin_is_found_by_whatever_plan(conn: Connection, plan: str) -> None:
    # A plan that looks at names before it joins meets the names of every relation there is.
    store(conn, make_columns(1, [BEGIN + timedelta(hours=5)], [1.0]))
    conn.execute(f"SET {plan} = off")
    find = "SELECT find_readings_after(%s)"
    for at in (BEGIN - timedelta(days=400), BEGIN, BEGIN + timedelta(hours=23, minutes=59)):
        row = conn.execute(find, (at,)).fetchone()
        assert row == (BEGIN,)
    assert conn.execute(find, (BEGIN + timedelta(days=1),)).fetchone() == (None,)


def test_late_readings_reach_every_level_and_are_counted_before_they_do(conn: Connection, refresh: Refresh) -> None:
    store(conn, make_hours(1, 85))
    refresh(NOW)
    late = make_columns(1, [BEGIN + timedelta(hours=h, seconds=7) for h in (1, 2, 30)], [100.0, 101.0, 102.0])
    with conn.transaction():
        found = record_possible_repeats(conn, late)
    assert found.is_new.all()
    assert conn.execute("SELECT count(*) FROM rollup_late").fetchone() == (2,)
    counts = [count.n for count in load_counts(conn, BEGIN.date(), NOW.date())]
    assert counts == [290, 289, 288, 13 * 12]
    refresh(NOW)
    assert conn.execute("SELECT count(*) FROM rollup_late").fetchone() == (0,)
    assert [count.n for count in load_counts(conn, BEGIN.date(), NOW.date())] == counts
    assert_levels_are_those_of_the_readings(conn)


def test_a_chart_is_exact_at_its_edges_behind_the_frontier_and_among_late_readings(
    any_database: Database, conn: Connection, refresh: Refresh
) -> None:
    series_id = _register(conn, any_database.url)
    store(conn, make_hours(series_id, 85))
    store(conn, make_columns(series_id, [BEGIN + MINUTE], [1e6], flags=BAD))
    refresh(NOW)
    late = make_columns(series_id, [BEGIN + timedelta(hours=h, seconds=7) for h in (1, 2, 30)], [100.0, 101.0, 102.0])
    with conn.transaction():
        record_possible_repeats(conn, late)
    since, until = BEGIN + timedelta(minutes=61, seconds=5), NOW - timedelta(minutes=2)
    levels = {1: Level.DAY, 3: Level.DAY, 24: Level.HOUR, 90: Level.MINUTE, 500: Level.MINUTE}
    for _ in range(2):  # behind the roll-ups, and within them
        for points, level in levels.items():
            found = load_readings(conn, series_id, since, until, points)
            assert found.width is not None
            assert found.level is level
            assert len(found.buckets) <= points
            wanted = conn.execute(
                """
                SELECT greatest(date_bin(%(width)s, observed_at, %(origin)s), %(since)s), min(value), max(value),
                    sum(value), count(*), bit_or(flags)
                FROM reading WHERE observed_at >= %(since)s AND observed_at < %(until)s GROUP BY 1 ORDER BY 1
                """,
                {"width": found.width, "origin": floor(since, WIDTH[level]), "since": since, "until": until},
            ).fetchall()
            assert [
                (b.at, b.minimum, b.maximum, pytest.approx((b.mean or 0.0) * b.count), b.count, b.flags)
                for b in found.buckets
            ] == wanted
        refresh(NOW)


def test_raw_readings_are_given_where_they_fit_however_long_the_window(
    any_database: Database, conn: Connection, refresh: Refresh
) -> None:
    series_id = _register(conn, any_database.url)
    store(conn, make_columns(series_id, [BEGIN, BEGIN + timedelta(days=2)], [1.0, 2.0]))
    store(conn, make_columns(series_id, [BEGIN + MINUTE], [3.0], flags=BAD))
    refresh(NOW)
    found = load_readings(conn, series_id, BEGIN - timedelta(days=300), NOW, 3)
    assert (found.level, [bucket.mean for bucket in found.buckets]) == (Level.RAW, [1.0, 3.0, 2.0])
    assert load_readings(conn, series_id, BEGIN - timedelta(days=300), NOW, 2).level is Level.DAY


def _register(conn: Connection, url: str) -> int:
    register(url, PROFILE, make_devices(1))
    row = conn.execute("SELECT min(id) FROM series").fetchone()
    assert row is not None
    return int(row[0])


def _compress(any_database: Database) -> None:
    """Where there is a columnstore, all is in it."""
    with open_connection(any_database.owner_url, application="test", autocommit=True) as owner:
        if load_flavour(owner) == "timescaledb-community":
            chunks = owner.execute("SELECT compress_chunk(c, true) FROM show_chunks('reading') AS c").fetchall()
            assert chunks


def test_late_readings_into_compressed_chunks_are_stored_once_and_reach_every_level(
    any_database: Database, conn: Connection, refresh: Refresh
) -> None:
    store(conn, make_hours(1, 60))
    refresh(NOW)
    _compress(any_database)
    again = make_columns(1, [BEGIN, BEGIN + MINUTE, BEGIN + timedelta(minutes=10)], [0.0, 5.0, 9.0])
    with pytest.raises(ALREADY_STORED), conn.transaction():
        record_new_readings(conn, again)
    with conn.transaction():
        found = record_possible_repeats(conn, again)
    assert found.is_new.tolist() == [False, True, False]
    assert found.stored_value.tolist() == [0.0, 5.0, 2.0], "the second differs from what is stored"
    with conn.transaction():
        assert not record_possible_repeats(conn, again).is_new.any()
    assert conn.execute("SELECT count(*), sum(value) FROM reading WHERE series_id = 1").fetchone() == (
        721,
        sum(n % 7 for n in range(720)) + 5,
    )
    refresh(NOW)
    assert conn.execute("SELECT n FROM reading_1d ORDER BY bucket LIMIT 1").fetchone() == (289,)
    assert_levels_are_those_of_the_readings(conn)


def test_a_refresh_that_is_killed_after_any_step_is_finished_by_the_next(database: Database) -> None:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        store(conn, make_hours(1, 30))
        store(conn, make_hours(2, 30))
        for steps in range(1, 100):
            left = iter(range(steps))
            taken = refresh_rollups(conn, NOW, lambda left=left: next(left, None) is not None)  # type: ignore[misc]
            if steps % 3 == 0:
                with conn.transaction():
                    record_new_readings(conn, make_columns(1, [BEGIN + timedelta(seconds=steps)], [50.0]))
            if not taken:
                break
        refresh_rollups(conn, NOW, lambda: True)
        assert_levels_are_those_of_the_readings(conn)
        assert load_rollup_state(conn).days_to == datetime(2026, 9, 4, tzinfo=UTC)


def test_a_writer_that_began_before_the_announcement_is_waited_for(database: Database) -> None:
    with (
        open_connection(database.url, application="test", autocommit=True) as conn,
        open_connection(database.url, application="test", autocommit=True) as writer,
    ):
        store(conn, make_hours(1, 30))
        with writer.transaction():
            # It does not know that its hour is about to be rolled up, so it makes no mark.
            record_new_readings(writer, make_columns(2, [BEGIN], [1.0]))
            assert refresh_rollups(conn, NOW, lambda: True, patience_s=0.0) == 0
            assert load_rollup_state(conn).minutes_to < BEGIN
        assert refresh_rollups(conn, NOW, lambda: True) > 0
        assert conn.execute("SELECT count(*) FROM rollup_late").fetchone() == (0,)
        assert_levels_are_those_of_the_readings(conn)
