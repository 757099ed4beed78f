"""Readings and scores as a chart wants them: raw where they fit, else a few figures per bucket of time.

One text of SQL for both flavours of the store: `date_bin` is PostgreSQL's own.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection

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


LOAD_SERIES_ID = "SELECT id FROM series WHERE device_id = %s AND sensor = %s"


def load_series_id(conn: Connection, device_id: int, sensor: str) -> int | None:
    """The series of that sensor of the device."""
    row = conn.execute(LOAD_SERIES_ID, (device_id, sensor)).fetchone()
    return None if row is None else int(row[0])


LOAD_RAW = """
    SELECT observed_at AS at, value AS minimum, value AS maximum, value AS mean, 1 AS count, flags
    FROM reading WHERE series_id = %(series_id)s AND observed_at >= %(since)s AND observed_at < %(until)s
    ORDER BY observed_at LIMIT %(limit)s
"""
LOAD_BUCKETS = """
    SELECT date_bin(%(width)s, observed_at, %(since)s) AS at,
        min(value) FILTER (WHERE flags & 4 = 0) AS minimum,
        max(value) FILTER (WHERE flags & 4 = 0) AS maximum,
        avg(value) FILTER (WHERE flags & 4 = 0) AS mean,
        count(*) FILTER (WHERE flags & 4 = 0) AS count,
        bit_or(flags) AS flags
    FROM reading WHERE series_id = %(series_id)s AND observed_at >= %(since)s AND observed_at < %(until)s
    GROUP BY 1 ORDER BY 1
"""


def find_width(since: datetime, until: datetime, points: int) -> timedelta:
    """The narrowest bucket width, in whole microseconds, of which at most `points` cover [since, until)."""
    micros = (until - since) // timedelta(microseconds=1)
    return timedelta(microseconds=max(-(-micros // points), 1))


def load_readings(conn: Connection, series_id: int, since: datetime, until: datetime, points: int) -> Readings:
    """The series in [since, until) in at most `points` points: every reading where they fit, else equal buckets.

    Buckets begin at `since`; those without a reading are left out, so a gap stays a gap.
    """
    parameters = {"series_id": series_id, "since": since, "until": until, "limit": points + 1}
    with conn.cursor(row_factory=class_row(Bucket)) as cursor:
        raw = cursor.execute(LOAD_RAW, parameters).fetchall()
        if len(raw) <= points:
            return Readings(None, raw)
        width = find_width(since, until, points)
        return Readings(width, cursor.execute(LOAD_BUCKETS, parameters | {"width": width}).fetchall())


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
