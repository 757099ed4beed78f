"""What devices sent over a long time, in order of the device's time and in bounded memory: for training and backtests.

Readings come in slices of time as columns. A slice is as long as the density of the readings allows, so that what is in
memory at once does not grow with the window or the fleet; where slices are cut changes nothing for a scorer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from domain.report import Report, report_from_json
from store.blocks import BlockColumns
from store.pool import Connection
from store.readings import POSTGRES_EPOCH_US
from store.rollups import load_rollup_state

FIRST_SLICE = timedelta(hours=1)
LONGEST_SLICE = timedelta(days=4)
SHORTEST_SLICE = timedelta(seconds=1)
MOST_ROWS = 1_000_000  # of a slice, about: the next one is cut shorter


class HistoryLevel(StrEnum):
    """What is read: every reading, or the means of minutes or hours."""

    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"

    @property
    def width(self) -> timedelta:
        """Of a bucket; zero for readings."""
        return {"raw": timedelta(0), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}[self.value]


@dataclass(frozen=True, slots=True)
class HistorySlice:
    """The readings of [since, until), in order of time, and then of series."""

    since: datetime
    until: datetime
    columns: BlockColumns


_ROW = np.dtype([("series_id", ">i4"), ("observed", ">i8"), ("value", ">f8"), ("flags", ">i2")])

# One value of bytes for all rows of a slice: four times as fast as a row each. The limit keeps a slice that is too
# dense from filling the memory of the server or ours.
LOAD_RAW = """
    SELECT string_agg(
        int4send(series_id) || timestamptz_send(observed_at) || float8send(value::float8) || int2send(flags), ''::bytea)
    FROM (
        SELECT series_id, observed_at, value, flags FROM reading
        WHERE observed_at >= %(since)s AND observed_at < %(until)s AND series_id = ANY (%(series)s::integer[])
        LIMIT %(most)s
    ) r
"""
# A bucket is known when it is over. Bad readings are in none of its figures.
_LOAD_BUCKETS = """
    SELECT string_agg(
        int4send(series_id) || timestamptz_send(bucket + interval '{width}') || float8send(sum / n)
            || int2send(0::smallint), ''::bytea)
    FROM (
        SELECT series_id, bucket, sum, n FROM {table}
        WHERE bucket >= %(since)s AND bucket < %(until)s AND series_id = ANY (%(series)s::integer[]) AND n > 0
        LIMIT %(most)s
    ) r
"""
LOAD_MINUTES = _LOAD_BUCKETS.format(width="1 minute", table="reading_1m")
LOAD_HOURS = _LOAD_BUCKETS.format(width="1 hour", table="reading_1h")
_QUERIES = {HistoryLevel.RAW: LOAD_RAW, HistoryLevel.MINUTE: LOAD_MINUTES, HistoryLevel.HOUR: LOAD_HOURS}


def iterate_history(
    conn: Connection,
    series_ids: Sequence[int],
    since: datetime,
    until: datetime,
    *,
    level: HistoryLevel = HistoryLevel.RAW,
    most_rows: int = MOST_ROWS,
) -> Iterator[HistorySlice]:
    """All readings of these series in [since, until), slice by slice; slices without a reading too.

    Each slice is a statement of its own: no transaction stays open for as long as the whole takes.
    """
    series = sorted(series_ids)
    width, at = FIRST_SLICE, since
    while at < until:
        end = min(at + width, until)
        limit = None if width <= SHORTEST_SLICE else 2 * most_rows
        columns = _load_slice(conn, series, at, end, level, limit)
        if columns is None:
            width = max(SHORTEST_SLICE, width / 4)
            continue
        yield HistorySlice(at, end, columns)
        at = end
        count = len(columns)
        if count > most_rows:
            width = max(SHORTEST_SLICE, width / 2)
        elif count < most_rows // 4:
            width = min(LONGEST_SLICE, width * 2)


def _load_slice(
    conn: Connection, series: Sequence[int], since: datetime, until: datetime, level: HistoryLevel, limit: int | None
) -> BlockColumns | None:
    """The readings of [since, until) in order; None: they are as many as `limit`, or more."""
    values = {"series": list(series), "since": since, "until": until, "most": limit}
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(_QUERIES[level], values).fetchone()
    rows = np.frombuffer(b"" if found is None or found[0] is None else found[0], dtype=_ROW)
    if limit is not None and rows.shape[0] >= limit:
        return None
    observed_us = rows["observed"].astype(np.int64) + POSTGRES_EPOCH_US
    series_id = rows["series_id"].astype(np.int32)
    order: NDArray[np.intp] = np.lexsort((series_id, observed_us))
    return BlockColumns(
        series_id=series_id[order],
        observed_us=observed_us[order],
        value=rows["value"].astype(np.float64)[order],
        flags=rows["flags"].astype(np.int16)[order],
    )


LOAD_SPAN = """
    SELECT min(s.first_at),
        greatest(max(s.last_at), (SELECT max(last_observed_at) FROM series WHERE id = ANY (%(series)s::integer[])))
    FROM unnest(%(some)s::integer[]) i CROSS JOIN LATERAL (
        SELECT (SELECT min(r.observed_at) FROM reading r WHERE r.series_id = i) AS first_at,
            (SELECT max(r.observed_at) FROM reading r WHERE r.series_id = i) AS last_at
    ) s
"""
SOME_SERIES = 200


def load_history_span(conn: Connection, series_ids: Sequence[int]) -> tuple[datetime, datetime] | None:
    """From the first reading of up to 200 of the series, evenly chosen, to the last of these, or the last that the
    registry knows of any, whichever is later; None: there is none."""
    series = sorted(series_ids)
    some = series[:: -(-len(series) // SOME_SERIES) or 1]
    row = conn.execute(LOAD_SPAN, {"some": some, "series": series}).fetchone()
    if row is None or row[0] is None or row[1] is None:
        return None
    return row[0], row[1] + timedelta(microseconds=1)


def find_level_end(conn: Connection, level: HistoryLevel) -> datetime | None:
    """Up to when the roll-ups of that level are complete; None: readings always are."""
    state = load_rollup_state(conn)
    return {"raw": None, "minute": state.minutes_to, "hour": state.hours_to}[level.value]


# In order of arrival within an instant, as `anomaly` heard them.
LOAD_REPORTS = """
    SELECT body FROM (
        SELECT observed_at, received_at, 0 AS place, id, jsonb_build_object('kind', 'firmware', 'device_id', device_id,
            'observed_us', (extract(epoch FROM observed_at) * 1000000)::bigint,
            'received_us', (extract(epoch FROM received_at) * 1000000)::bigint,
            'component', component, 'version', version, 'state', state, 'previous', previous, 'error', error) AS body
        FROM firmware_report
        WHERE device_id = ANY (%(devices)s) AND observed_at >= %(since)s AND observed_at < %(until)s
        UNION ALL
        SELECT observed_at, received_at, 1, id, jsonb_build_object('kind', 'event', 'device_id', device_id,
            'observed_us', (extract(epoch FROM observed_at) * 1000000)::bigint,
            'received_us', (extract(epoch FROM received_at) * 1000000)::bigint,
            'code', code, 'severity', severity, 'message', message)
        FROM device_event WHERE device_id = ANY (%(devices)s) AND observed_at >= %(since)s AND observed_at < %(until)s
        UNION ALL
        SELECT b.at, b.at, 2, b.id, jsonb_build_object('kind', 'work', 'device_id', b.device_id,
            'observed_us', (extract(epoch FROM b.at) * 1000000)::bigint,
            'received_us', (extract(epoch FROM b.at) * 1000000)::bigint, 'work_order', w.code)
        FROM baseline_reset b JOIN work_order w ON w.id = b.work_order_id
        WHERE b.device_id = ANY (%(devices)s) AND b.at >= %(since)s AND b.at < %(until)s
    ) report ORDER BY observed_at, place, id
"""


def load_reports(conn: Connection, device_ids: Sequence[int], since: datetime, until: datetime) -> list[Report]:
    """Firmware reports, device codes and work done on these devices in [since, until), in order of device time."""
    values = {"devices": sorted(device_ids), "since": since, "until": until}
    return [report_from_json(body) for (body,) in conn.execute(LOAD_REPORTS, values)]


@dataclass(frozen=True, slots=True)
class PastOrder:
    """A work order of the window as a backtest compares with it; `first_seen` of its first breach, if any."""

    code: str
    device_id: int
    serial: str
    fault_group: str
    type: str
    source: str
    outcome: str | None
    created_at: datetime
    closed_at: datetime | None
    first_seen: datetime | None


LOAD_PAST_ORDERS = """
    SELECT w.code, w.device_id, d.serial, w.fault_group, w.type, w.source, w.outcome, w.created_at, w.closed_at,
        (SELECT min(b.first_seen) FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
            WHERE wb.work_order_id = w.id) AS first_seen
    FROM work_order w JOIN device d ON d.id = w.device_id
    WHERE w.device_id = ANY (%(devices)s) AND w.state <> 'CANCELLED'
        AND w.created_at < %(until)s AND coalesce(w.closed_at, 'infinity') >= %(since)s
    ORDER BY w.created_at, w.id
"""


def load_past_orders(conn: Connection, device_ids: Sequence[int], since: datetime, until: datetime) -> list[PastOrder]:
    """The orders of these devices that were open at some time of [since, until), oldest first."""
    values = {"devices": sorted(device_ids), "since": since, "until": until}
    with conn.cursor(row_factory=class_row(PastOrder)) as cursor:
        return cursor.execute(LOAD_PAST_ORDERS, values).fetchall()
