"""Readings and scores as a chart wants them: raw where they fit, else a few figures per bucket of time.

One text of SQL for every flavour of the store: `date_bin` is PostgreSQL's own, the roll-ups have the same names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql
from psycopg.rows import class_row

from store.pool import Connection
from store.reading_levels import (
    MICRO,
    Grid,
    Level,
    Segment,
    Span,
    find_finest,
    find_grid,
    find_segments,
    find_width,
)
from store.rollups import load_rollup_state

BAD = 4  # domain.reading.ReadingFlag.BAD: stored and shown, but in no figure of a bucket


@dataclass(frozen=True, slots=True)
class Bucket:
    """Readings of [at, at + width). The figures leave BAD readings out and are None where there are only such."""

    at: datetime
    minimum: float | None
    maximum: float | None
    mean: float | None
    count: int
    flags: int  # every mark that a reading of the bucket carries


@dataclass(frozen=True, slots=True)
class Readings:
    """A window of one series: raw readings (`width` None, each a bucket of its own) or buckets."""

    width: timedelta | None
    buckets: list[Bucket]
    level: Level = Level.RAW  # the coarsest that the figures come from


LOAD_SERIES_ID = "SELECT id FROM series WHERE device_id = %s AND sensor = %s"


def load_series_id(conn: Connection, device_id: int, sensor: str) -> int | None:
    """The series of that sensor of the device."""
    row = conn.execute(LOAD_SERIES_ID, (device_id, sensor)).fetchone()
    return None if row is None else int(row[0])


def load_readings(conn: Connection, series_id: int, since: datetime, until: datetime, points: int) -> Readings:
    """The series in [since, until) in at most `points` points: every reading where they fit, else equal buckets.

    Counts, minima, maxima and sums are those of the readings, exactly, however late these came. Buckets of less than
    a minute begin at `since`; wider ones are whole minutes, hours or days in UTC, and only what of them lies in the
    window counts. Buckets without a reading are left out, so a gap stays a gap. Where retention has removed the
    readings, what is left of them answers: minutes, hours or days that lie in the window whole.
    """
    state = load_rollup_state(conn)
    raw_from = max(state.raw_from, _load_raw_from(conn, series_id) or state.raw_from)
    grid = find_grid(since, until, points, find_finest(since, raw_from, state))
    if grid.level is Level.RAW:
        raw = _load_raw(conn, series_id, since, until, points + 1)
        if len(raw) <= points:
            return Readings(None, raw)
    # What came for a day whose readings retention had removed already is not all of that day.
    late = [span for span in load_late(conn, series_id, since, until) if span.begin >= raw_from]
    buckets = _load_buckets(conn, series_id, find_segments(Span(since, until), grid.level, state, late), grid, since)
    if grid.level is not Level.RAW and since >= raw_from and sum(bucket.count for bucket in buckets) <= points:
        # So few, over so long: perhaps they fit. Bad ones are not among those counted.
        raw = _load_raw(conn, series_id, since, until, points + 1)
        if len(raw) <= points:
            return Readings(None, raw)
    return Readings(grid.width, buckets, grid.level)


LOAD_RAW_FROM = "SELECT raw_from FROM series WHERE id = %s"


def _load_raw_from(conn: Connection, series_id: int) -> datetime | None:
    row = conn.execute(LOAD_RAW_FROM, (series_id,)).fetchone()
    return None if row is None else row[0]


LOAD_RAW = """
    SELECT observed_at AS at, value AS minimum, value AS maximum, value AS mean, 1 AS count, flags
    FROM reading WHERE series_id = %(series_id)s AND observed_at >= %(since)s AND observed_at < %(until)s
    ORDER BY observed_at LIMIT %(limit)s
"""


def _load_raw(conn: Connection, series_id: int, since: datetime, until: datetime, limit: int) -> list[Bucket]:
    parameters = {"series_id": series_id, "since": since, "until": until, "limit": limit}
    with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        return cursor.execute(LOAD_RAW, parameters, prepare=False).fetchall()


LOAD_LATE = """
    SELECT min(first_at), max(last_at) FROM rollup_late
    WHERE series_id = %s AND last_at >= %s AND first_at < %s
    GROUP BY date_bin('1 day', first_at, '1970-01-01 00:00:00+00')
"""


def load_late(conn: Connection, series_id: int, since: datetime, until: datetime) -> list[Span]:
    """Where readings of the series in [since, until) may not be in the roll-ups yet: one span a day at most."""
    rows = conn.execute(LOAD_LATE, (series_id, since, until)).fetchall()
    return [Span(first, last + MICRO) for first, last in rows]


# An arm for each segment, with its bounds as constants: the planner then opens no other partition or chunk.
_ROLLED_UP_ARM = sql.SQL("""
    SELECT date_bin(%(width)s, bucket, %(origin)s) AS at, minimum, maximum, sum, n, flags
    FROM {table} WHERE series_id = %(series_id)s AND bucket >= {begin} AND bucket < {end}
""")
_RAW_ARM = sql.SQL("""
    SELECT date_bin(%(width)s, observed_at, %(origin)s) AS at, good, good, good, (good IS NOT NULL)::integer, flags
    FROM reading CROSS JOIN LATERAL (SELECT CASE WHEN flags & 4 = 0 THEN value END AS good) AS g
    WHERE series_id = %(series_id)s AND observed_at >= {begin} AND observed_at < {end}
""")
LOAD_BUCKETS = sql.SQL("""
    SELECT greatest(at, %(since)s) AS at, min(minimum) AS minimum, max(maximum) AS maximum,
        sum(sum) / nullif(sum(n), 0) AS mean, sum(n)::bigint AS count, bit_or(flags) AS flags
    FROM ({arms}) AS parts (at, minimum, maximum, sum, n, flags)
    GROUP BY parts.at ORDER BY parts.at
""")


def _load_buckets(
    conn: Connection, series_id: int, segments: Sequence[Segment], grid: Grid, since: datetime
) -> list[Bucket]:
    arms = [
        _RAW_ARM.format(begin=sql.Literal(s.begin), end=sql.Literal(s.end))
        if s.level is Level.RAW
        else _ROLLED_UP_ARM.format(
            table=sql.Identifier(f"reading_{s.level}"), begin=sql.Literal(s.begin), end=sql.Literal(s.end)
        )
        for s in segments
    ]
    parameters = {"series_id": series_id, "width": grid.width, "origin": grid.origin, "since": since}
    with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        query = LOAD_BUCKETS.format(arms=sql.SQL(" UNION ALL ").join(arms))
        return cursor.execute(query, parameters, prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class ScoreBucket:
    """Scores of one detector in [at, at + width)."""

    at: datetime
    detector: str
    maximum: float
    mean: float
    count: int


LOAD_SCORES = """
    SELECT date_bin(%(width)s, minute, %(since)s) AS at, detector, max(max_score)::float8 AS maximum,
        (sum(mean_score::float8 * n) / sum(n)) AS mean, sum(n)::bigint AS count
    FROM score_rollup
    WHERE series_id = %(series_id)s AND minute >= %(since)s AND minute < %(until)s AND n > 0
        AND (%(detector)s::text IS NULL OR detector = %(detector)s)
    GROUP BY detector, 1 ORDER BY detector, 1
"""


def load_scores(
    conn: Connection, series_id: int, since: datetime, until: datetime, points: int, *, detector: str | None = None
) -> tuple[timedelta, list[ScoreBucket]]:
    """The bucket width (a minute at least, as scores are kept by the minute) and at most `points` of each detector."""
    width = max(find_width(since, until, points), timedelta(minutes=1))
    parameters = {"series_id": series_id, "since": since, "until": until, "width": width, "detector": detector}
    with conn.cursor(row_factory=class_row(ScoreBucket)) as cursor:
        return width, cursor.execute(LOAD_SCORES, parameters).fetchall()
