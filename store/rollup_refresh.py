"""The refresher of the roll-ups where they are tables: short steps, each a transaction, any of which may be the last.

On TimescaleDB's community edition the procedure `refresh_rollups` takes the same steps (migration 0008), because only
the owner of a continuous aggregate may refresh it; the steps here are for the two other flavours.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, sleep

from domain.clock import EPOCH
from store.pool import Connection
from store.rollups import RollupState, load_rollup_state

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOURS_AT_ONCE = timedelta(hours=6)  # so many rows of reading_1h of one series lie together on the disk
# Most readings are in this soon after their hour has ended; what comes later is marked and rolled up again.
SETTLED = timedelta(minutes=10)
MARKS_AT_ONCE = 200

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('forewarn refresh of roll-ups', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('forewarn refresh of roll-ups', 0))"


def refresh_rollups(conn: Connection, now: datetime, keep_on: Callable[[], bool], *, patience_s: float = 30.0) -> int:
    """Brings every roll-up up to `now` and takes in what came late, as far as `keep_on` lets it; returns its steps.

    The connection is in autocommit. Does nothing where another process is at it. Killed between two steps it has lost
    nothing: the next call goes on.
    """
    if not _ask(conn, TRY_LOCK):
        return 0
    steps = 0
    try:
        if not _announce(conn, _floor(now - SETTLED, HOUR), keep_on, patience_s):
            return 0
        for step in (advance_minutes, advance_hours, advance_days, refresh_late):
            while keep_on() and step(conn):
                steps += 1
        return steps
    finally:
        conn.execute(UNLOCK)


def _floor(at: datetime, width: timedelta) -> datetime:
    return at - (at - EPOCH) % width


def _ask(conn: Connection, question: str) -> bool:
    row = conn.execute(question).fetchone()
    return row is not None and bool(row[0])


ANNOUNCE = "UPDATE rollup_state SET announced_to = %(to)s WHERE announced_to < %(to)s"
LOAD_HORIZON = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
LOAD_IS_PAST = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8"


def _announce(conn: Connection, to: datetime, keep_on: Callable[[], bool], patience_s: float) -> bool:
    """Whether every writer that did not know of the announcement has ended."""
    with conn.transaction():
        conn.execute(ANNOUNCE, {"to": to})
    row = conn.execute(LOAD_HORIZON).fetchone()
    assert row is not None
    given_up_at = monotonic() + patience_s
    while True:
        past = conn.execute(LOAD_IS_PAST, row).fetchone()
        if past is not None and past[0]:
            return True
        if monotonic() > given_up_at or not keep_on():
            return False
        sleep(0.05)


FIND_READINGS_AFTER = "SELECT find_readings_after(%s)"


def _find_next(conn: Connection, begin: datetime, end: datetime, width: timedelta, most: timedelta) -> list[datetime]:
    """Begin and end of the next step from `begin`, what is surely empty left out; begin is end where all of it is."""
    row = conn.execute(FIND_READINGS_AFTER, (begin,)).fetchone()
    readings_from = end if row is None or row[0] is None else _floor(row[0], width)
    begin = min(max(begin, readings_from), end)
    return [begin, min(begin + most, end)]


MAKE_ROOM = "SELECT ensure_rollup_partitions(%s, %s)"
# Reading by reading in the order of arrival, as the BRIN index gives them: not by series, of which there may be many.
ROLL_UP_MINUTES = """
    INSERT INTO reading_1m AS old (series_id, flags, bucket, minimum, maximum, sum, n)
    SELECT series_id, bit_or(flags), date_bin('1 minute', observed_at, '1970-01-01 00:00:00+00') AS bucket,
        min(value) FILTER (WHERE flags & 4 = 0), max(value) FILTER (WHERE flags & 4 = 0),
        sum(value) FILTER (WHERE flags & 4 = 0), count(*) FILTER (WHERE flags & 4 = 0)
    FROM reading WHERE observed_at >= %s AND observed_at < %s
    GROUP BY series_id, bucket ORDER BY series_id, bucket
    ON CONFLICT (series_id, bucket) DO UPDATE SET flags = excluded.flags, minimum = excluded.minimum,
        maximum = excluded.maximum, sum = excluded.sum, n = excluded.n
"""
RECORD_MINUTES = "UPDATE rollup_state SET minutes_to = %s, refreshed_at = now()"


def advance_minutes(conn: Connection) -> bool:
    """Rolls up the next hour with readings that was announced, or some hours if far behind; False: there is none."""
    state = load_rollup_state(conn)
    if state.minutes_to >= state.announced_to:
        return False
    # Hour by hour as time goes; what was there before the first refresh, or lay idle for days, in larger steps.
    most = HOUR if state.announced_to - state.minutes_to <= DAY else HOURS_AT_ONCE
    begin, end = _find_next(conn, state.minutes_to, state.announced_to, HOUR, most)
    if begin < end:
        conn.execute(MAKE_ROOM, (begin, end))
    with conn.transaction():
        if begin < end:
            _allow_time(conn)
            conn.execute(ROLL_UP_MINUTES, (begin, end), prepare=False)
        conn.execute(RECORD_MINUTES, (end,))
    return True


def _allow_time(conn: Connection) -> None:
    conn.execute("SET LOCAL statement_timeout = '10min'")


ROLL_UP_COARSER = """
    INSERT INTO {to} AS old (series_id, flags, bucket, minimum, maximum, sum, n)
    SELECT series_id, bit_or(flags), date_bin('{width}', bucket, '1970-01-01 00:00:00+00') AS begin,
        min(minimum), max(maximum), sum(sum), sum(n)::bigint
    FROM {of} WHERE bucket >= %s AND bucket < %s
    GROUP BY series_id, begin ORDER BY series_id, begin
    ON CONFLICT (series_id, bucket) DO UPDATE SET flags = excluded.flags, minimum = excluded.minimum,
        maximum = excluded.maximum, sum = excluded.sum, n = excluded.n
"""
ROLL_UP_HOURS = ROLL_UP_COARSER.format(to="reading_1h", of="reading_1m", width="1 hour")
RECORD_HOURS = "UPDATE rollup_state SET hours_to = %s"


def advance_hours(conn: Connection) -> bool:
    """Rolls up the next six hours whose minutes are there; False: there are none."""
    state = load_rollup_state(conn)
    wanted = _floor(state.minutes_to, HOURS_AT_ONCE)
    if state.hours_to >= wanted:
        return False
    begin, end = _find_next(conn, state.hours_to, wanted, HOURS_AT_ONCE, HOURS_AT_ONCE)
    with conn.transaction():
        if begin < end:
            _allow_time(conn)
            conn.execute(ROLL_UP_HOURS, (begin, end), prepare=False)
        conn.execute(RECORD_HOURS, (end,))
    return True


ROLL_UP_DAYS = ROLL_UP_COARSER.format(to="reading_1d", of="reading_1h", width="1 day")
RECORD_DAYS = "UPDATE rollup_state SET days_to = %s"


def advance_days(conn: Connection) -> bool:
    """Rolls up the next day whose hours are there; False: there is none."""
    state = load_rollup_state(conn)
    wanted = _floor(state.hours_to, DAY)
    if state.days_to >= wanted:
        return False
    begin, end = _find_next(conn, state.days_to, wanted, DAY, DAY)
    with conn.transaction():
        if begin < end:
            _allow_time(conn)
            conn.execute(ROLL_UP_DAYS, (begin, end), prepare=False)
        conn.execute(RECORD_DAYS, (end,))
    return True


# Where readings were removed a new sum would be that of what is left: such a mark goes with what it names (retention).
LOAD_MARKS = """
    SELECT array_agg(id), array_agg(series_id), array_agg(first_at), array_agg(last_at)
    FROM (
        SELECT l.* FROM rollup_late l LEFT JOIN series s ON s.id = l.series_id
        WHERE l.first_at >= %(raw_from)s AND l.first_at >= coalesce(s.raw_from, %(raw_from)s)
        ORDER BY l.id LIMIT %(most)s
    ) AS next
"""
_LATE_BUCKETS = """
    WITH late AS MATERIALIZED (
        SELECT DISTINCT m.series_id, at FROM unnest(%(series_ids)s::integer[], %(firsts)s::timestamptz[],
            %(lasts)s::timestamptz[]) AS m (series_id, first_at, last_at)
        CROSS JOIN generate_series(date_bin('{width}', first_at, '1970-01-01 00:00:00+00'), last_at, '{width}') AS at
        WHERE at < %(ready_to)s
    )
"""
_LATE_MINUTES = """
    {late}
    INSERT INTO reading_1m AS old (series_id, flags, bucket, minimum, maximum, sum, n)
    SELECT r.* FROM late CROSS JOIN LATERAL (
        SELECT series_id, bit_or(flags), date_bin('1 minute', observed_at, '1970-01-01 00:00:00+00') AS bucket,
            min(value) FILTER (WHERE flags & 4 = 0), max(value) FILTER (WHERE flags & 4 = 0),
            sum(value) FILTER (WHERE flags & 4 = 0), count(*) FILTER (WHERE flags & 4 = 0)
        FROM reading
        WHERE series_id = late.series_id AND observed_at >= late.at AND observed_at < late.at + interval '1 hour'
        GROUP BY series_id, bucket
    ) AS r
    ON CONFLICT (series_id, bucket) DO UPDATE SET flags = excluded.flags, minimum = excluded.minimum,
        maximum = excluded.maximum, sum = excluded.sum, n = excluded.n
"""
_LATE_COARSER = """
    {late}
    INSERT INTO {to} AS old (series_id, flags, bucket, minimum, maximum, sum, n)
    SELECT r.* FROM late CROSS JOIN LATERAL (
        SELECT late.series_id, bit_or(flags), late.at AS bucket, min(minimum), max(maximum), sum(sum), sum(n)::bigint
        FROM {of} WHERE series_id = late.series_id AND bucket >= late.at AND bucket < late.at + interval '{width}'
        HAVING count(*) > 0
    ) AS r
    ON CONFLICT (series_id, bucket) DO UPDATE SET flags = excluded.flags, minimum = excluded.minimum,
        maximum = excluded.maximum, sum = excluded.sum, n = excluded.n
"""
_LATE_OF_HOURS, _LATE_OF_DAYS = (_LATE_BUCKETS.format(width=width) for width in ("1 hour", "1 day"))
ROLL_UP_LATE_MINUTES = _LATE_MINUTES.format(late=_LATE_OF_HOURS)
ROLL_UP_LATE_HOURS = _LATE_COARSER.format(late=_LATE_OF_HOURS, to="reading_1h", of="reading_1m", width="1 hour")
ROLL_UP_LATE_DAYS = _LATE_COARSER.format(late=_LATE_OF_DAYS, to="reading_1d", of="reading_1h", width="1 day")
REMOVE_MARKS = "DELETE FROM rollup_late WHERE id = ANY (%s)"
RECORD_REFRESHED = "UPDATE rollup_state SET refreshed_at = now()"


def refresh_late(conn: Connection) -> bool:
    """Takes the next late readings into every level that has their bucket; False: there are none."""
    state = load_rollup_state(conn)
    row = conn.execute(LOAD_MARKS, {"raw_from": state.raw_from, "most": MARKS_AT_ONCE}).fetchone()
    if row is None or row[0] is None:
        return False
    ids, series_ids, firsts, lasts = row
    marks = {"series_ids": series_ids, "firsts": firsts, "lasts": lasts}
    conn.execute(MAKE_ROOM, (min(firsts), max(lasts)))
    with conn.transaction():
        _allow_time(conn)
        for statement, ready_to in _find_levels(state):
            conn.execute(statement, marks | {"ready_to": ready_to}, prepare=False)
        conn.execute(REMOVE_MARKS, (ids,))
        conn.execute(RECORD_REFRESHED)
    return True


def _find_levels(state: RollupState) -> list[tuple[str, datetime]]:
    return [
        (ROLL_UP_LATE_MINUTES, state.minutes_to),
        (ROLL_UP_LATE_HOURS, state.hours_to),
        (ROLL_UP_LATE_DAYS, state.days_to),
    ]
