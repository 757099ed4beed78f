"""What a replay moves: the ledger of the day of receipt, in total and by device, and when devices were heard of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from store.pool import Connection

RECORD_MOVED = """
    INSERT INTO ingest_ledger AS l
        (day, writer, messages, values_received, stored, duplicates, conflicts, late, rejected, replayed)
    VALUES (%(day)s, 'replay', 0, %(received)s, %(stored)s, %(duplicates)s, %(conflicts)s, %(late)s, %(rejected)s,
        %(replayed)s)
    ON CONFLICT (day, writer) DO UPDATE SET
        values_received = l.values_received + excluded.values_received,
        stored = l.stored + excluded.stored,
        duplicates = l.duplicates + excluded.duplicates,
        conflicts = l.conflicts + excluded.conflicts,
        late = l.late + excluded.late,
        rejected = l.rejected + excluded.rejected,
        replayed = l.replayed + excluded.replayed
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """How a replay moves the ledger: what was rejected is counted as what it is now. `rejected` is zero or less, but
    for what could not be counted when it was refused."""

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0
    rejected: int = 0

    @property
    def received(self) -> int:
        """By how much more, or less, has been received: the equation holds whatever moves."""
        return self.stored + self.duplicates + self.conflicts + self.rejected

    def __add__(self, other: "Moved") -> "Moved":
        """Both."""
        return Moved(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.conflicts + other.conflicts,
            self.late + other.late,
            self.rejected + other.rejected,
        )


def record_moved(conn: Connection, day: date, moved: Moved) -> None:
    """Moves the ledger of the day of receipt, in a row of its own: the sum of all writers is what counts."""
    conn.execute(
        RECORD_MOVED,
        {
            "day": day,
            "received": moved.received,
            "stored": moved.stored,
            "duplicates": moved.duplicates,
            "conflicts": moved.conflicts,
            "late": moved.late,
            "rejected": moved.rejected,
            "replayed": max(0, -moved.rejected),
        },
    )


RECORD_DEVICE_MOVES = """
    INSERT INTO device_day AS d (day, device_id, received, stored, duplicates, conflicts, late, rejected, inconsistent)
    SELECT %(day)s, m.device_id, m.stored + m.duplicates + m.conflicts + m.rejected, m.stored, m.duplicates,
        m.conflicts, m.late, m.rejected, m.inconsistent
    FROM unnest(%(ids)s::bigint[], %(stored)s::bigint[], %(duplicates)s::bigint[], %(conflicts)s::bigint[],
        %(late)s::bigint[], %(rejected)s::bigint[], %(inconsistent)s::bigint[])
        AS m (device_id, stored, duplicates, conflicts, late, rejected, inconsistent)
    ORDER BY m.device_id
    ON CONFLICT (day, device_id) DO UPDATE SET
        received = d.received + excluded.received,
        stored = d.stored + excluded.stored,
        duplicates = d.duplicates + excluded.duplicates,
        conflicts = d.conflicts + excluded.conflicts,
        late = d.late + excluded.late,
        rejected = d.rejected + excluded.rejected,
        inconsistent = d.inconsistent + excluded.inconsistent
"""


def record_device_moves(
    conn: Connection, day: date, moves: Mapping[int, Moved], inconsistent: Mapping[int, int]
) -> None:
    """The same move by device; `inconsistent` says by how much fewer or more values contradict the master data."""
    device_ids = sorted(moves.keys() | inconsistent.keys())
    moved = [moves.get(device_id, Moved()) for device_id in device_ids]
    conn.execute(
        RECORD_DEVICE_MOVES,
        {
            "day": day,
            "ids": device_ids,
            "stored": [m.stored for m in moved],
            "duplicates": [m.duplicates for m in moved],
            "conflicts": [m.conflicts for m in moved],
            "late": [m.late for m in moved],
            "rejected": [m.rejected for m in moved],
            "inconsistent": [inconsistent.get(device_id, 0) for device_id in device_ids],
        },
    )


# The same locks in the same order as whoever writes sightings.
RECORD_HEARD = """
    UPDATE device d SET last_seen_at = h.at
    FROM (
        SELECT device.id, new.at FROM device JOIN unnest(%s::bigint[], %s::timestamptz[]) AS new (id, at) USING (id)
        WHERE device.last_seen_at IS NULL OR device.last_seen_at < new.at
        ORDER BY device.id FOR NO KEY UPDATE OF device
    ) h
    WHERE d.id = h.id
"""


def record_heard(conn: Connection, received_at: Mapping[int, datetime]) -> None:
    """Says when each of these devices was heard of, if that is later than what is known; whether it is connected now
    does not follow from it."""
    device_ids = sorted(received_at)
    if device_ids:
        conn.execute(RECORD_HEARD, (device_ids, [received_at[device_id] for device_id in device_ids]))
