"""What became of all that each device sent, by UTC day of receipt: folded from ledger blocks, exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from store.device_states import IngestState, SequenceFindings, advance_states, load_ingest_states
from store.ledger_blocks import COUNTED, LedgerBlock, Table, decode_ledger_block
from store.pool import Connection
from store.row_encoding import encode_rows

__all__ = ["DeviceDay", "IngestState", "fold_ledger_blocks", "load_device_days", "load_ingest_states"]

# Any number will do, as long as every process that folds takes the same one.
FOLDING_LOCK = 4_660_114


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """Counts of one device on one day: received = stored + duplicates + conflicts + rejected."""

    day: date
    device_id: int  # store.ledger_blocks.NO_DEVICE: what names no device that is known
    messages: int = 0
    received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0
    rejected: int = 0
    inconsistent: int = 0
    implausible: int = 0
    seq_missing: int = 0
    seq_filled: int = 0
    seq_back: int = 0


TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
TAKE_BLOCKS = """
    DELETE FROM ledger_block WHERE id = ANY (ARRAY(SELECT id FROM ledger_block ORDER BY id LIMIT %s))
    RETURNING id, day, payload
"""


def fold_ledger_blocks(conn: Connection, most: int = 1_000) -> int:
    """Moves what the oldest blocks counted into `device_day` and `device_ingest_state`, and removes them, all in one
    transaction; how many they were. 0 also while another process is folding."""
    with conn.transaction():
        locked = conn.execute(TRY_LOCK, (FOLDING_LOCK,)).fetchone()
        if locked is None or not locked[0]:
            return 0
        with conn.cursor(binary=True) as cursor:
            rows = sorted(cursor.execute(TAKE_BLOCKS, (most,)).fetchall())
        if rows:
            blocks = [(day, decode_ledger_block(payload)) for _, day, payload in rows]
            sequences = advance_states(conn, blocks)
            for day in sorted({day for day, _ in blocks}):
                _add_day(conn, day, [block for of, block in blocks if of == day], sequences.get(day, {}))
    return len(rows)


CREATE_STAGED_DAY = """
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_device_day (
        device_id bigint, messages bigint, stored bigint, duplicates bigint, conflicts bigint, late bigint,
        rejected bigint, inconsistent bigint, implausible bigint, seq_missing bigint, seq_filled bigint, seq_back bigint
    ) ON COMMIT DELETE ROWS
"""
COPY_STAGED_DAY = "COPY staged_device_day FROM STDIN (FORMAT binary)"
# Emptied, as the next day of the same transaction uses it again. In order of device, as every process takes its locks.
ADD_STAGED_DAY = """
    WITH staged AS (DELETE FROM staged_device_day RETURNING *)
    INSERT INTO device_day AS d (day, device_id, messages, received, stored, duplicates, conflicts, late, rejected,
        inconsistent, implausible, seq_missing, seq_filled, seq_back)
    SELECT %s, device_id, messages, stored + duplicates + conflicts + rejected, stored, duplicates, conflicts, late,
        rejected, inconsistent, implausible, seq_missing, seq_filled, seq_back
    FROM staged ORDER BY device_id
    ON CONFLICT (day, device_id) DO UPDATE SET
        messages = d.messages + excluded.messages,
        received = d.received + excluded.received,
        stored = d.stored + excluded.stored,
        duplicates = d.duplicates + excluded.duplicates,
        conflicts = d.conflicts + excluded.conflicts,
        late = d.late + excluded.late,
        rejected = d.rejected + excluded.rejected,
        inconsistent = d.inconsistent + excluded.inconsistent,
        implausible = d.implausible + excluded.implausible,
        seq_missing = d.seq_missing + excluded.seq_missing,
        seq_filled = d.seq_filled + excluded.seq_filled,
        seq_back = d.seq_back + excluded.seq_back
"""


def _add_day(
    conn: Connection, day: date, blocks: Sequence[LedgerBlock], sequences: Mapping[int, SequenceFindings]
) -> None:
    counts = _add_counts(blocks)
    found = np.zeros((3, counts.shape[1]), dtype=np.int64)
    for device_id, changes in sequences.items():
        found[:, np.searchsorted(counts[0], device_id)] = changes
    conn.execute(CREATE_STAGED_DAY)
    with conn.cursor().copy(COPY_STAGED_DAY) as copy:
        copy.write(encode_rows([*counts, *found]))
    conn.execute(ADD_STAGED_DAY, (day,))


def _add_counts(blocks: Iterable[LedgerBlock]) -> Table:
    """The sum of the blocks' counts, each device once, in ascending order."""
    all_counts = np.concatenate([block.counts for block in blocks], axis=1)
    device_ids, place = np.unique(all_counts[0], return_inverse=True)
    summed = np.zeros((len(COUNTED), len(device_ids)), dtype=np.int64)
    summed[0] = device_ids
    for row, counted in zip(summed[1:], all_counts[1:], strict=True):
        np.add.at(row, place, counted)
    return summed


# In one statement, so that what is folded meanwhile is seen once: a block, or what it became.
LOAD_DEVICE_DAYS = """
    SELECT day, device_id, messages, received, stored, duplicates, conflicts, late, rejected, inconsistent, implausible,
        seq_missing, seq_filled, seq_back, NULL::bytea AS payload
    FROM device_day
    WHERE day BETWEEN %(first)s AND %(last)s AND (%(device)s::bigint IS NULL OR device_id = %(device)s)
    UNION ALL
    SELECT day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, payload
    FROM ledger_block WHERE day BETWEEN %(first)s AND %(last)s
"""


def load_device_days(conn: Connection, first: date, last: date, device_id: int | None = None) -> list[DeviceDay]:
    """The counts of these days, both included, in order of day and device, with what is not folded yet: their sums are
    those of `store.ledger.load_ledger` at that moment, in all but messages. What `seq` tells comes with the folding.

    Raises
    ------
    BlockCorruptError
        A block that is not folded yet cannot be read.
    """
    days: dict[tuple[date, int], DeviceDay] = {}
    unfolded: dict[date, list[LedgerBlock]] = {}
    with conn.cursor(binary=True) as cursor:
        for *columns, payload in cursor.execute(LOAD_DEVICE_DAYS, {"first": first, "last": last, "device": device_id}):
            if payload is None:
                days[columns[0], columns[1]] = DeviceDay(*columns)
            else:
                unfolded.setdefault(columns[0], []).append(decode_ledger_block(payload))
    for day, blocks in unfolded.items():
        counts = _add_counts(blocks)
        for column in counts.T if device_id is None else counts.T[counts[0] == device_id]:
            found = dict(zip(COUNTED, column.tolist(), strict=True))
            known = days.get((day, found["device_id"]), DeviceDay(day, found["device_id"]))
            days[day, found["device_id"]] = _add(known, found)
    return [days[key] for key in sorted(days)]


def _add(known: DeviceDay, found: Mapping[str, int]) -> DeviceDay:
    parts = ("stored", "duplicates", "conflicts", "rejected")
    counted = {name: getattr(known, name) + found[name] for name in COUNTED[1:]}
    return replace(known, received=known.received + sum(found[name] for name in parts), **counted)


REMOVE_DEVICE_DAYS = "SELECT remove_device_days_before(%s, %s)"


def remove_old_device_days(conn: Connection, first_kept: date, most: int) -> int:
    """How many rows, all of days before `first_kept` and the oldest first, were removed: at most `most`."""
    row = conn.execute(REMOVE_DEVICE_DAYS, (first_kept, most)).fetchone()
    return 0 if row is None else int(row[0])
