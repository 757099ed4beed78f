"""Roll-ups of readings by minute, hour and day: how far they are, and exact figures from them at every moment.

A level's row is valid if its bucket ends at or before the level's instant (`RollupState`) and no row of rollup_late
names it. All else is taken from the finer level, in the end from the readings: see docs/adr/0013-rollups.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class RollupState:
    """How far the roll-ups are; every instant is aligned to its level."""

    announced_to: datetime  # who stores a reading of before marks it as late
    minutes_to: datetime
    hours_to: datetime
    days_to: datetime
    raw_from: datetime  # readings of before are gone, of every series
    final_before: datetime  # readings of before are gone, of some series at least: these roll-ups are not made again
    minutes_from: datetime  # minutes of before are gone
    hours_from: datetime
    refreshed_at: datetime


LOAD_ROLLUP_STATE = """
    SELECT announced_to, minutes_to, hours_to, days_to, raw_from, final_before, minutes_from, hours_from, refreshed_at
    FROM rollup_state
"""


def load_rollup_state(conn: Connection) -> RollupState:
    """How far the roll-ups are now. They only ever go forward."""
    with conn.cursor(row_factory=class_row(RollupState)) as cursor:
        state = cursor.execute(LOAD_ROLLUP_STATE).fetchone()
    assert state is not None
    return state


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many readings a series has of one UTC day, without those that are marked bad."""

    series_id: int
    day: date
    n: int


# One statement, so one snapshot. A series-day with late readings is counted from the readings.
LOAD_COUNTS = """
    WITH late AS MATERIALIZED (
        SELECT DISTINCT series_id, date_bin('1 day', first_at, '1970-01-01 00:00:00+00') AS day
        FROM rollup_late r WHERE first_at >= %(first)s AND first_at < %(last)s
            AND NOT EXISTS (SELECT FROM series s WHERE s.id = r.series_id AND s.raw_from > r.first_at)
    ), counted AS (
        SELECT series_id, bucket AS day, n FROM reading_1d WHERE bucket >= %(first)s AND bucket < %(days_to)s
        UNION ALL
        SELECT series_id, date_bin('1 day', bucket, '1970-01-01 00:00:00+00'), n
        FROM reading_1h WHERE bucket >= %(days_to)s AND bucket < %(hours_to)s
        UNION ALL
        SELECT series_id, date_bin('1 day', bucket, '1970-01-01 00:00:00+00'), n
        FROM reading_1m WHERE bucket >= %(hours_to)s AND bucket < %(minutes_to)s
        UNION ALL
        SELECT series_id, date_bin('1 day', observed_at, '1970-01-01 00:00:00+00'), (flags & 4 = 0)::integer
        FROM reading WHERE observed_at >= %(minutes_to)s AND observed_at < %(last)s
    )
    SELECT series_id, (day AT TIME ZONE 'UTC')::date AS day, sum(n)::bigint AS n FROM (
        SELECT series_id, day, n FROM counted c
        WHERE (%(series_ids)s::integer[] IS NULL OR series_id = ANY (%(series_ids)s))
            AND NOT EXISTS (SELECT FROM late l WHERE l.series_id = c.series_id AND l.day = c.day)
        UNION ALL
        SELECT l.series_id, l.day, (
            SELECT count(*) FROM reading r
            WHERE r.series_id = l.series_id AND r.observed_at >= l.day AND r.observed_at < l.day + interval '1 day'
                AND r.observed_at >= %(first)s AND r.observed_at < %(last)s AND r.flags & 4 = 0
        ) FROM late l WHERE %(series_ids)s::integer[] IS NULL OR l.series_id = ANY (%(series_ids)s)
    ) AS everything
    GROUP BY 1, 2 HAVING sum(n) > 0 ORDER BY 1, 2
"""


def load_counts(
    conn: Connection, first: date, last: date, *, series_ids: Sequence[int] | None = None
) -> list[DayCount]:
    """Exact counts of the UTC days `first` to `last`, both included, of these series or of all.

    A series without a reading on a day has no row. Whole past days cost one row a series; of the current day some hours
    come from finer levels and the last hour or so from the readings.
    """
    state = load_rollup_state(conn)
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    days_to = min(max(state.days_to, begin), end)
    hours_to = min(max(state.hours_to, days_to), end)
    parameters = {
        "first": begin,
        "last": end,
        "days_to": days_to,
        "hours_to": hours_to,
        "minutes_to": min(max(state.minutes_to, hours_to), end),
        "series_ids": None if series_ids is None else list(series_ids),
    }
    with conn.cursor(row_factory=class_row(DayCount)) as cursor:
        return cursor.execute(LOAD_COUNTS, parameters, prepare=False).fetchall()
