"""Retention: days of readings are made before they are needed and dropped whole once no sensor needs them; within a day
the series of shorter classes go first; everything else goes by rows, a bounded number at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.profile import Retention
from store.pool import Connection
from store.reading_levels import Level
from store.readings import ensure_partitions

DAYS_AHEAD = 3
HOUSEKEEPING_LOCK = 4_660_121  # any number, the same for all
TAKE_LOCK = "SELECT pg_try_advisory_lock(%s)"


def try_lock_housekeeping(conn: Connection) -> bool:
    """Whether this connection is the one that keeps house; it is until it closes, however it ends."""
    row = conn.execute(TAKE_LOCK, (HOUSEKEEPING_LOCK,)).fetchone()
    return row is not None and bool(row[0])


SERIES_AT_ONCE = 500
DROP_READINGS = "SELECT drop_readings_before(%s)"


def prepare_reading_days(conn: Connection, today: date) -> None:
    """Readings of yesterday up to three days ahead can be stored without waiting for a table to be made."""
    ensure_partitions(conn, (today + timedelta(days=n) for n in range(-1, DAYS_AHEAD + 1)))


def drop_old_readings(conn: Connection, first_kept: date) -> int:
    """How many whole days, all before `first_kept`, were dropped."""
    row = conn.execute(DROP_READINGS, (first_kept,)).fetchone()
    return 0 if row is None else int(row[0])


# The class of a sensor is that of its model's current profile; a sensor that has left the profile is standard.
LOAD_CLASSES = """
    WITH sensor AS MATERIALIZED (
        SELECT m.id AS device_model_id, s ->> 'key' AS key, coalesce(s ->> 'retention', 'standard') AS class
        FROM device_model m
        JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
        CROSS JOIN jsonb_array_elements(p.body -> 'sensors') AS s
    )
    SELECT coalesce(sensor.class, 'standard'), array_agg(series.id ORDER BY series.id)
    FROM series
    JOIN device d ON d.id = series.device_id
    LEFT JOIN sensor ON sensor.device_model_id = d.device_model_id AND sensor.key = series.sensor
    GROUP BY 1
"""


def load_retention_classes(conn: Connection) -> dict[Retention, list[int]]:
    """The series of each class that has any."""
    return {Retention(name): series_ids for name, series_ids in conn.execute(LOAD_CLASSES)}


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What may go: whole days before `whole_before`, and more days of some series."""

    whole_before: date | None
    series_before: Sequence[tuple[date, Sequence[int]]]


def find_retention_plan(
    classes: Mapping[Retention, Sequence[int]], days: Mapping[Retention, int], today: date, rolled_up_to: date
) -> RetentionPlan:
    """What is older than the days of its class (0: kept for ever) and is rolled up."""
    first_kept: dict[Retention, date | None] = {
        name: min(today - timedelta(days=days[name]), rolled_up_to) if days[name] > 0 else None
        for name in (classes or (Retention.STANDARD,))
    }
    kept_longest = None if None in first_kept.values() else min(day for day in first_kept.values() if day is not None)
    shorter = [
        (day, classes[name])
        for name, day in first_kept.items()
        if day is not None and day != kept_longest and classes.get(name)
    ]
    return RetentionPlan(kept_longest, shorter)


# The first day that any of these series may still have readings of, and some of them.
LOAD_NEXT_REMOVAL = """
    WITH kept AS (
        SELECT s.id, greatest(coalesce(s.raw_from, r.raw_from), r.raw_from) AS raw_from
        FROM series s CROSS JOIN rollup_state r WHERE s.id = ANY (%(series_ids)s)
    ), next AS (
        SELECT date_bin('1 day', greatest(begin, readings_from), '1970-01-01 00:00:00+00') AS day
        FROM (SELECT min(raw_from) AS begin FROM kept WHERE raw_from < %(first_kept)s) AS b
        CROSS JOIN LATERAL find_readings_after(begin) AS readings_from
        WHERE readings_from IS NOT NULL
    )
    SELECT next.day, (
        SELECT array_agg(id) FROM (
            SELECT id FROM kept WHERE raw_from <= next.day ORDER BY raw_from, id LIMIT %(most)s
        ) AS few
    ) FROM next
"""
REMOVE_READINGS = "SELECT remove_readings(%s, %s, %s)"


def remove_readings_of(conn: Connection, series_ids: Sequence[int], first_kept: date) -> int | None:
    """Removes the oldest day before `first_kept` of some of these series: how many readings; None: nothing is left."""
    end = datetime(first_kept.year, first_kept.month, first_kept.day, tzinfo=UTC)
    parameters = {"series_ids": list(series_ids), "first_kept": end, "most": SERIES_AT_ONCE}
    row = conn.execute(LOAD_NEXT_REMOVAL, parameters).fetchone()
    if row is None or row[0] >= end:
        return None
    day, some = row
    removed = conn.execute(REMOVE_READINGS, (some, day, day + timedelta(days=1))).fetchone()
    return 0 if removed is None else int(removed[0])


LOAD_TOO_LATE = """
    SELECT l.series_id, date_bin('1 day', min(l.first_at), '1970-01-01 00:00:00+00')
    FROM rollup_late l JOIN series s ON s.id = l.series_id AND s.raw_from > l.first_at
    GROUP BY l.series_id LIMIT %s
"""


def remove_what_came_too_late(conn: Connection, most: int = SERIES_AT_ONCE) -> int:
    """How many readings of days whose readings had been removed before were removed: they are in no roll-up."""
    removed = 0
    for series_id, day in conn.execute(LOAD_TOO_LATE, (most,)).fetchall():
        row = conn.execute(REMOVE_READINGS, ([series_id], day, day + timedelta(days=1))).fetchone()
        removed += 0 if row is None else int(row[0])
    return removed


DROP_ROLLUPS = "SELECT drop_rollups_before(%s, %s)"


def drop_old_rollups(conn: Connection, level: Level, first_kept: datetime) -> int:
    """How many months, chunks or (by day) rows of that level, all before `first_kept`, were dropped."""
    row = conn.execute(DROP_ROLLUPS, (f"reading_{level}", first_kept)).fetchone()
    return 0 if row is None else int(row[0])


PRUNED = ("device_event", "status_report", "ingest_ledger", "outbox")
REMOVE_ROWS = "SELECT remove_rows_before(%s, %s, %s)"


def remove_old_rows(conn: Connection, table: str, first_kept: datetime, most: int) -> int:
    """How many of the oldest rows of one of the PRUNED tables were removed; of the outbox only simulated ones."""
    row = conn.execute(REMOVE_ROWS, (table, first_kept, most)).fetchone()
    return 0 if row is None else int(row[0])


# By place in the table, so that the oldest of a big table are found and removed without a join on three columns.
REMOVE_SCORES = """
    DELETE FROM score_rollup WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM score_rollup WHERE minute < %s ORDER BY minute LIMIT %s))
"""


def remove_old_scores(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many minutes of scores, all before `first_kept` and the oldest first, were removed: at most `most`."""
    return conn.execute(REMOVE_SCORES, (first_kept, most)).rowcount


REMOVE_REJECTIONS = "SELECT remove_rejections_before(%s, %s)"


def remove_old_rejections(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many rejections, all received before `first_kept` and the oldest first, were removed: at most `most`."""
    row = conn.execute(REMOVE_REJECTIONS, (first_kept, most)).fetchone()
    return 0 if row is None else int(row[0])


REMOVE_RUNS = "SELECT remove_runs_before(%s, %s)"


def remove_old_runs(conn: Connection, first_kept: datetime, most: int) -> int:
    """How many runs of the lab, trainings and backtests that ended before `first_kept` and that no decision rests on
    were removed, the oldest first: at most `most`."""
    row = conn.execute(REMOVE_RUNS, (first_kept, most)).fetchone()
    return 0 if row is None else int(row[0])
