"""What changed, in an order that never skips a commit: the source of the consoles' streams.

Ids alone would: a transaction that took id 7 may commit after one that took id 8 was read. Nor is waited until nothing
older is under way: one long transaction would hold back everybody's news. A follower remembers which transactions were
over when it looked (`domain.change_position`), and what it finds next is every change of those that ended since,
whatever they are numbered. Changes of one record come in their order: who changes it second waits for the first.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from domain.change_position import Part, Position, Snapshot, parse_snapshot
from store.pool import Connection, find_connection_arguments

CHANNEL = "forewarn_change"
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record."""

    xid: int
    id: int
    at: datetime
    entity: str
    entity_id: str
    row_version: int
    customer_id: int | None


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes that were found by one look, by id: all between two positions, of one customer if one was named."""

    begin: Position
    upto: Snapshot  # what was over when they were looked for
    changes: Sequence[Change]
    end: Position

    @property
    def is_whole(self) -> bool:
        """Nothing that was over at `upto` is left; otherwise the next batch begins with it."""
        return self.end.part is None

    def find_position(self, change: Change) -> Position:
        """Where somebody stands who has seen this batch up to that change."""
        if change is self.changes[-1]:
            return self.end
        return Position(self.begin.seen, Part(self.upto, change.id))


# By id, for it is taken while the changed record is locked. The index is asked for all from the oldest transaction on
# that was under way at `seen`: they are few, which a plan for any position would not know (so it is never prepared).
LOAD_CHANGES = """
    SELECT xid::text::bigint AS xid, id, at, entity, entity_id, row_version, customer_id
    FROM change_log
    WHERE xid >= pg_snapshot_xmin(%(seen)s::text::pg_snapshot)
        AND NOT pg_visible_in_snapshot(xid, %(seen)s::text::pg_snapshot)
        AND pg_visible_in_snapshot(xid, %(upto)s::text::pg_snapshot) AND id > %(id)s
        AND (%(customer_id)s::bigint IS NULL OR customer_id = %(customer_id)s)
    ORDER BY id LIMIT %(limit)s
"""
LOAD_SNAPSHOT = "SELECT pg_current_snapshot()::text"


def load_changes(
    conn: Connection, after: Position, *, customer_id: int | None = None, limit: int = BATCH
) -> ChangeBatch:
    """The changes after that position whose transactions are over; a customer's own only, if one is named."""
    # Before the rows: of what is over now, the statement that follows sees all.
    upto = after.part.upto if after.part is not None else load_now(conn).seen
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        values = _find_values(after, upto, customer_id, limit)
        changes = cursor.execute(LOAD_CHANGES, values, prepare=False).fetchall()
    return _find_batch(after, upto, changes, limit)


def load_now(conn: Connection) -> Position:
    """The position after all that is over: who starts here misses nothing that commits from now on."""
    return Position(_read_snapshot(conn.execute(LOAD_SNAPSHOT).fetchone()))


# Removed are those of transactions below the lowest that is kept: all of them must have been over at the position. What
# lies ahead of us was said by another server, before the database was restored here.
REACHES_BACK = """
    SELECT pg_snapshot_xmax(%(newest)s::text::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
        AND pg_snapshot_xmin(%(seen)s::text::pg_snapshot) >= (SELECT xid FROM change_log ORDER BY xid, id LIMIT 1)
"""


def reaches_back(conn: Connection, position: Position) -> bool:
    """Whether everything after that position is certainly still kept."""
    newest = position.seen if position.part is None else position.part.upto
    row = conn.execute(REACHES_BACK, {"seen": str(position.seen), "newest": str(newest)}).fetchone()
    return row is not None and bool(row[0])


# Whole transactions, up to that of the newest row of that age: it stays, so that a position at it still holds.
REMOVE_CHANGES = """
    DELETE FROM change_log
    WHERE xid < (SELECT xid FROM change_log WHERE at < %s ORDER BY xid DESC, id DESC LIMIT 1)
"""


def remove_changes_before(conn: Connection, before: datetime) -> int:
    """Removes changes logged before that time, but those of the newest transaction among them; says how many."""
    return conn.execute(REMOVE_CHANGES, (before,)).rowcount


async def follow_changes(
    url: str, *, application: str, idle_s: float, pace_s: float = 0.0
) -> AsyncGenerator[ChangeBatch, None]:
    """Every change that is committed from now on, once; an empty batch first, and after `idle_s` of quiet.

    One connection of its own. The first (empty) batch says that the connection listens: what commits after it is seen.
    Looks are `pace_s` apart at least, a quarter of it while more is known to wait: the first change after a quiet time
    is told at once, and what comes as a storm is told together.

    Raises
    ------
    psycopg.OperationalError
        The connection cannot be made or was lost.
    """
    arguments = find_connection_arguments(url, application)
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, **arguments)  # type: ignore[arg-type]
    clock = asyncio.get_running_loop().time
    async with connection as conn:
        await conn.execute(f"LISTEN {CHANNEL}")
        position = Position(await _look(conn))
        yield ChangeBatch(position, position.seen, (), position)
        is_heard = True
        while True:
            looked_at = clock()
            batch = await _load_next(conn, position)
            position = batch.end
            if batch.changes or not is_heard:
                yield batch
            if batch.is_whole:
                is_heard = False
                async for _ in conn.notifies(timeout=idle_s, stop_after=1):
                    is_heard = True
            pause_s = pace_s if batch.is_whole else pace_s / 4
            await asyncio.sleep(max(0.0, looked_at + pause_s - clock()))


async def _look(conn: psycopg.AsyncConnection[Any]) -> Snapshot:
    return _read_snapshot(await (await conn.execute(LOAD_SNAPSHOT)).fetchone())


async def _load_next(conn: psycopg.AsyncConnection[Any], after: Position) -> ChangeBatch:
    upto = after.part.upto if after.part is not None else await _look(conn)
    async with conn.cursor(row_factory=class_row(Change)) as cursor:
        await cursor.execute(LOAD_CHANGES, _find_values(after, upto, None, BATCH), prepare=False)
        return _find_batch(after, upto, await cursor.fetchall(), BATCH)


def _find_values(after: Position, upto: Snapshot, customer_id: int | None, limit: int) -> dict[str, object]:
    return {
        "seen": str(after.seen),
        "upto": str(upto),
        "id": after.part.id if after.part is not None else 0,
        "customer_id": customer_id,
        "limit": limit,
    }


def _find_batch(after: Position, upto: Snapshot, changes: list[Change], limit: int) -> ChangeBatch:
    is_full = len(changes) == limit
    return ChangeBatch(
        after, upto, changes, Position(after.seen, Part(upto, changes[-1].id)) if is_full else Position(upto)
    )


def _read_snapshot(row: tuple[Any, ...] | None) -> Snapshot:
    snapshot = parse_snapshot(row[0]) if row is not None else None
    assert snapshot is not None
    return snapshot
