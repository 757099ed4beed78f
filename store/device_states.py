"""Where each device's counter stands and how far its clock is ahead: moved on with every folding of ledger blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from domain.clock import MICROS_PER_SECOND
from store.device_clocks import MAX_GAP, NOTHING, Clocks, Counter, advance_clocks
from store.ledger_blocks import LedgerBlock, Table
from store.pool import Connection
from store.row_encoding import encode_rows

SequenceFindings: TypeAlias = tuple[int, int, int]  # missing, filled, back


@dataclass(frozen=True, slots=True)
class IngestState:
    """Where a device's counter stands and how far its clock is ahead (above 0) or behind; see `store.device_clocks`."""

    device_id: int
    last_seq: int | None
    last_seq_observed_at: datetime | None
    skew_s: float | None
    skew_at: datetime | None


LOAD_INGEST_STATES = """
    SELECT device_id, last_seq, last_seq_observed_at, skew_s, skew_at FROM device_ingest_state
    WHERE %(ids)s::bigint[] IS NULL OR device_id = ANY (%(ids)s::bigint[])
"""


def load_ingest_states(conn: Connection, device_ids: Sequence[int] | None = None) -> dict[int, IngestState]:
    """The states of these devices, or of all, as far as they have one; by device id."""
    with conn.cursor(row_factory=class_row(IngestState)) as cursor:
        found = cursor.execute(LOAD_INGEST_STATES, {"ids": None if device_ids is None else list(device_ids)})
        return {state.device_id: state for state in found}


LOAD_STATE_COLUMNS = """
    SELECT device_id, coalesce(last_seq, %(nothing)s),
        coalesce((extract(epoch FROM last_seq_observed_at) * 1000000)::bigint, %(nothing)s),
        coalesce(envelope_s, 'NaN'), coalesce(envelope_since_us, %(nothing)s), coalesce(earlier_envelope_s, 'NaN'),
        coalesce(level_s, 'NaN'), coalesce(level_since_us, %(nothing)s)
    FROM device_ingest_state WHERE device_id = ANY (%(ids)s::bigint[])
"""


@dataclass(slots=True)
class _States:
    """Some devices' states as columns, in ascending order of device id."""

    device_ids: NDArray[np.int64]
    last_seq: NDArray[np.int64]
    last_seq_us: NDArray[np.int64]
    clocks: Clocks


def advance_states(
    conn: Connection, blocks: Sequence[tuple[date, LedgerBlock]]
) -> dict[date, dict[int, SequenceFindings]]:
    """Moves the states on with these blocks, given in their order; what the counters showed, by day and device.

    To be called in the transaction that removes the blocks.
    """
    device_ids = np.unique(np.concatenate([t[0] for _, block in blocks for t in (block.delays, block.runs)]))
    if not len(device_ids):
        return {}
    states = _load_states(conn, device_ids)
    findings = _advance_counters(states, blocks)
    clocks = _advance_clocks(states, [block for _, block in blocks])
    conn.execute(CREATE_STAGED_STATE)
    with conn.cursor().copy(COPY_STAGED_STATE) as copy:
        columns = (getattr(clocks, name) for name in Clocks.__slots__)
        copy.write(encode_rows([states.device_ids, states.last_seq, states.last_seq_us, *columns]))
    conn.execute(RECORD_STAGED_STATE, {"nothing": NOTHING})
    return findings


def _load_states(conn: Connection, device_ids: NDArray[np.int64]) -> _States:
    size = len(device_ids)
    whole = np.full((4, size), NOTHING, dtype=np.int64)
    seconds = np.full((3, size), np.nan)
    with conn.cursor(binary=True) as cursor:
        rows = cursor.execute(LOAD_STATE_COLUMNS, {"nothing": NOTHING, "ids": device_ids.tolist()}).fetchall()
    if rows:
        found, last_seq, last_us, envelope_s, since_us, earlier_s, level_s, level_us = zip(*rows, strict=True)
        places = np.searchsorted(device_ids, np.array(found, dtype=np.int64))
        whole[:, places] = np.array((last_seq, last_us, since_us, level_us), dtype=np.int64)
        seconds[:, places] = (envelope_s, earlier_s, level_s)
    clocks = Clocks(
        skew_s=np.full(size, np.nan),
        skew_us=np.full(size, NOTHING, dtype=np.int64),
        envelope_s=seconds[0],
        envelope_since_us=whole[2],
        earlier_envelope_s=seconds[1],
        level_s=seconds[2],
        level_since_us=whole[3],
    )
    return _States(device_ids, whole[0], whole[1], clocks)


def _advance_clocks(states: _States, blocks: Sequence[LedgerBlock]) -> Clocks:
    """The clocks after the shortest delay of each device in these blocks; those that have none stay as they are."""
    size = len(states.device_ids)
    delay_us = np.full(size, np.iinfo(np.int64).max, dtype=np.int64)
    received_us = np.full(size, NOTHING, dtype=np.int64)
    for block in blocks:
        places = np.searchsorted(states.device_ids, block.delays[0])
        delay_us[places] = np.minimum(delay_us[places], block.delays[1])
        received_us[places] = np.maximum(received_us[places], block.received_us)
    compared = received_us != NOTHING
    before = Clocks(*(getattr(states.clocks, name)[compared] for name in Clocks.__slots__))
    after = advance_clocks(before, delay_us[compared] / MICROS_PER_SECOND, received_us[compared])
    for name in Clocks.__slots__:
        getattr(states.clocks, name)[compared] = getattr(after, name)
    return states.clocks


def _advance_counters(
    states: _States, blocks: Sequence[tuple[date, LedgerBlock]]
) -> dict[date, dict[int, SequenceFindings]]:
    """Moves the counters on and says what they showed, by the day of the block that showed it."""
    days = sorted({day for day, _ in blocks})
    runs = np.concatenate([block.runs for _, block in blocks], axis=1)
    day_of = np.repeat([days.index(day) for day, _ in blocks], [block.runs.shape[1] for _, block in blocks])
    # In order of observation: what several processes received belongs together.
    order = np.lexsort((runs[5], runs[0]))
    runs, day_of = _join_runs(runs[:, order], day_of[order])
    findings: dict[date, dict[int, SequenceFindings]] = {}
    device_id = place = -1
    counter = Counter()
    for number, (at, *run) in zip(day_of.tolist(), runs.T.tolist(), strict=True):
        if at != device_id:
            device_id, place = at, int(np.searchsorted(states.device_ids, at))
            counter = Counter(int(states.last_seq[place]), int(states.last_seq_us[place]))
        before = (counter.missing, counter.filled, counter.back)
        counter.take(*run)
        states.last_seq[place], states.last_seq_us[place] = counter.last, counter.observed_us
        change = (counter.missing - before[0], counter.filled - before[1], counter.back - before[2])
        if any(change):
            of_day = findings.setdefault(days[number], {})
            known = of_day.get(device_id, (0, 0, 0))
            of_day[device_id] = (known[0] + change[0], known[1] + change[1], known[2] + change[2])
    return findings


def _join_runs(runs: Table, day_of: NDArray[np.intp]) -> tuple[Table, NDArray[np.intp]]:
    """The same, with one run in place of those of a device and day of which each goes on where the one before ended."""
    if not runs.shape[1]:
        return runs, day_of
    device_id, lowest, highest, count, first_us, last_us = runs
    goes_on = (device_id[1:] == device_id[:-1]) & (day_of[1:] == day_of[:-1])
    goes_on &= (lowest[1:] > highest[:-1]) & (lowest[1:] - highest[:-1] <= MAX_GAP) & (first_us[1:] > last_us[:-1])
    first = np.flatnonzero(np.concatenate(([True], ~goes_on)))
    joined = np.array(
        (
            device_id[first],
            np.minimum.reduceat(lowest, first),
            np.maximum.reduceat(highest, first),
            np.add.reduceat(count, first),
            np.minimum.reduceat(first_us, first),
            np.maximum.reduceat(last_us, first),
        )
    )
    return joined, day_of[first]


CREATE_STAGED_STATE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_device_state (
        device_id bigint, last_seq bigint, last_seq_us bigint, skew_s double precision, skew_us bigint,
        envelope_s double precision, envelope_since_us bigint, earlier_envelope_s double precision,
        level_s double precision, level_since_us bigint
    ) ON COMMIT DELETE ROWS
"""
COPY_STAGED_STATE = "COPY staged_device_state FROM STDIN (FORMAT binary)"
# A skew that was not estimated this time stays what it was; a sum of an epoch and whole microseconds is exact.
RECORD_STAGED_STATE = """
    INSERT INTO device_ingest_state AS d (device_id, last_seq, last_seq_observed_at, skew_s, skew_at, envelope_s,
        envelope_since_us, earlier_envelope_s, level_s, level_since_us)
    SELECT device_id, nullif(last_seq, %(nothing)s),
        'epoch'::timestamptz + nullif(last_seq_us, %(nothing)s) * interval '1 microsecond',
        nullif(skew_s, 'NaN'), 'epoch'::timestamptz + nullif(skew_us, %(nothing)s) * interval '1 microsecond',
        nullif(envelope_s, 'NaN'), nullif(envelope_since_us, %(nothing)s), nullif(earlier_envelope_s, 'NaN'),
        nullif(level_s, 'NaN'), nullif(level_since_us, %(nothing)s)
    FROM staged_device_state ORDER BY device_id
    ON CONFLICT (device_id) DO UPDATE SET
        last_seq = excluded.last_seq,
        last_seq_observed_at = excluded.last_seq_observed_at,
        skew_s = coalesce(excluded.skew_s, d.skew_s),
        skew_at = coalesce(excluded.skew_at, d.skew_at),
        envelope_s = excluded.envelope_s,
        envelope_since_us = excluded.envelope_since_us,
        earlier_envelope_s = excluded.earlier_envelope_s,
        level_s = excluded.level_s,
        level_since_us = excluded.level_since_us
"""
