"""Readings into the store: a quick path for what is surely new, an idempotent one for what may be there already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import psycopg
from numpy.typing import NDArray

from domain.clock import MICROS_PER_DAY, from_micros
from store.pool import Connection
from store.rollup_marks import record_marks
from store.row_encoding import encode_rows as encode_columns

# What the quick path meets when its readings were not new after all, or their day's partition has gone.
ALREADY_STORED = psycopg.errors.UniqueViolation
PARTITION_MISSING = psycopg.errors.CheckViolation
# What the database will never take, however often it is tried: decoding lets nothing of the kind through, we believe.
UNSTORABLE = (psycopg.DataError, psycopg.IntegrityError)

POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_READING_ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("series_len", ">i4"),
        ("series_id", ">i4"),
        ("flags_len", ">i4"),
        ("flags", ">i2"),
        ("observed_len", ">i4"),
        ("observed", ">i8"),
        ("value_len", ">i4"),
        ("value", ">f8"),
    ]
)
_STAGED_ROW = np.dtype([*_READING_ROW.descr, ("ordinal_len", ">i4"), ("ordinal", ">i4")])


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Readings column by column; all four arrays have the same length."""

    series_id: NDArray[np.int32]
    observed_us: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]

    def __len__(self) -> int:
        return int(self.series_id.shape[0])

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> "ReadingColumns":
        """These rows, in this order."""
        return ReadingColumns(self.series_id[which], self.observed_us[which], self.value[which], self.flags[which])


ENSURE_PARTITIONS = "SELECT ensure_reading_partitions(%s)"


def ensure_partitions(conn: Connection, days: Iterable[date]) -> None:
    """After the commit, readings of these UTC days can be stored. In a transaction of its own: others wait for it."""
    conn.execute(ENSURE_PARTITIONS, (sorted(days),))


def find_days(observed_us: NDArray[np.int64]) -> set[date]:
    """The UTC days that these instants lie in."""
    if not len(observed_us):
        return set()
    first, last = int(observed_us.min()) // MICROS_PER_DAY, int(observed_us.max()) // MICROS_PER_DAY
    # Nearly always one day; only where it is not, every row is looked at.
    days = [first] if first == last else np.unique(observed_us // MICROS_PER_DAY).tolist()
    return {datetime.fromtimestamp(day * 86_400, UTC).date() for day in days}


COPY_READINGS = "COPY reading (series_id, flags, observed_at, value) FROM STDIN (FORMAT binary)"


def record_new_readings(conn: Connection, readings: ReadingColumns) -> None:
    """Stores readings that are not there yet: all of them, or, with an exception, none and the transaction is void.

    Raises
    ------
    ALREADY_STORED
        One of them is there: use `record_possible_repeats` for all, in a new transaction.
    PARTITION_MISSING
        Nobody made room for the day of one of them.
    """
    if not len(readings):
        return
    with conn.cursor().copy(COPY_READINGS) as copy:
        copy.write(encode_rows(readings))
    record_marks(conn, readings.series_id, readings.observed_us)


def encode_rows(readings: ReadingColumns) -> bytes:
    """The readings in PostgreSQL's binary COPY format, with header and trailer."""
    return b"".join((_COPY_HEADER, _fill_rows(readings, _READING_ROW).tobytes(), _COPY_TRAILER))


def _fill_rows(readings: ReadingColumns, layout: np.dtype[np.void]) -> NDArray[np.void]:
    rows = np.empty(len(readings), dtype=layout)
    rows["fields"] = 4
    rows["series_len"] = 4
    rows["series_id"] = readings.series_id
    rows["flags_len"] = 2
    rows["flags"] = readings.flags
    rows["observed_len"] = 8
    rows["observed"] = readings.observed_us - POSTGRES_EPOCH_US
    rows["value_len"] = 8
    rows["value"] = readings.value
    return rows


# One for each connection; what is in it goes with the transaction.
CREATE_STAGING = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_reading (
        series_id integer NOT NULL,
        flags smallint NOT NULL,
        observed_at timestamptz NOT NULL,
        value double precision NOT NULL,
        ordinal integer NOT NULL
    ) ON COMMIT DELETE ROWS
"""
COPY_STAGED = "COPY staged_reading (series_id, flags, observed_at, value, ordinal) FROM STDIN (FORMAT binary)"
INSERT_STAGED = """
    WITH inserted AS (
        INSERT INTO reading (series_id, flags, observed_at, value)
        SELECT series_id, flags, observed_at, value FROM staged_reading ORDER BY series_id, observed_at
        ON CONFLICT DO NOTHING
        RETURNING series_id, observed_at
    )
    SELECT ordinal FROM staged_reading JOIN inserted USING (series_id, observed_at)
"""
# A statement of its own, after the other: what another process committed meanwhile is then seen. The bounds let the
# planner leave out the partitions of other days; the sub-select looks each reading up by its key, whatever it guesses.
LOAD_STORED_VALUES = """
    SELECT ordinal, (
        SELECT r.value FROM reading r
        WHERE r.series_id = s.series_id AND r.observed_at = s.observed_at
            AND r.observed_at BETWEEN %(first)s AND %(last)s
    )
    FROM staged_reading s WHERE ordinal = ANY (%(ordinals)s)
"""


@dataclass(frozen=True, slots=True)
class RepeatsFound:
    """What `record_possible_repeats` met, row by row of its input."""

    is_new: NDArray[np.bool_]  # stored now
    stored_value: NDArray[np.float64]  # the value that was there before; the row's own where it is new or gone again


def record_possible_repeats(conn: Connection, readings: ReadingColumns) -> RepeatsFound:
    """Stores those readings that are not there yet and says which they were; each key may stand once in the input."""
    count = len(readings)
    is_new = np.zeros(count, dtype=np.bool_)
    stored_value = readings.value.copy()
    if not count:
        return RepeatsFound(is_new, stored_value)
    conn.execute(CREATE_STAGING)
    rows = _fill_rows(readings, _STAGED_ROW)
    rows["fields"] = 5
    rows["ordinal_len"] = 4
    rows["ordinal"] = np.arange(count)
    with conn.cursor().copy(COPY_STAGED) as copy:
        copy.write(b"".join((_COPY_HEADER, rows.tobytes(), _COPY_TRAILER)))
    for (ordinal,) in conn.execute(INSERT_STAGED, prepare=False):
        is_new[ordinal] = True
    if is_new.any():
        record_marks(conn, readings.series_id[is_new], readings.observed_us[is_new])
    repeated = np.flatnonzero(~is_new)
    if len(repeated):
        bounds = {
            "first": from_micros(int(readings.observed_us[repeated].min())),
            "last": from_micros(int(readings.observed_us[repeated].max())),
            "ordinals": repeated.tolist(),
        }
        for ordinal, value in conn.execute(LOAD_STORED_VALUES, bounds, prepare=False):
            if value is not None:
                stored_value[ordinal] = value
    return RepeatsFound(is_new, stored_value)


CREATE_STAGED_TIMES = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_time (series_id bigint NOT NULL, micros bigint NOT NULL)
    ON COMMIT DELETE ROWS
"""
COPY_STAGED_TIMES = "COPY staged_time FROM STDIN (FORMAT binary)"
RECORD_LAST_OBSERVED = """
    UPDATE series SET last_observed_at = new.at
    FROM (
        SELECT series_id, 'epoch'::timestamptz + micros * interval '1 microsecond' AS at FROM staged_time
        ORDER BY series_id
    ) AS new
    WHERE series.id = new.series_id AND (last_observed_at IS NULL OR last_observed_at < new.at)
"""


def record_last_observed(conn: Connection, series_ids: NDArray[np.int64], observed_us: NDArray[np.int64]) -> None:
    """Moves `series.last_observed_at` forward to these instants, never back. The ids ascend: one order for all
    processes, so that none waits for the other in a circle. To be called once in a transaction."""
    conn.execute(CREATE_STAGED_TIMES)
    with conn.cursor().copy(COPY_STAGED_TIMES) as copy:
        copy.write(encode_columns([series_ids, observed_us]))
    conn.execute(RECORD_LAST_OBSERVED, prepare=False)
