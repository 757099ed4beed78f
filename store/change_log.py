"""What changed, in an order that never skips a commit: the source of the consoles' streams.

Ids alone would: a transaction that took id 7 may commit after one that took id 8 was read. Rows are therefore read in
the order of their transaction's number, and only those of transactions older than every one still under way
(`pg_snapshot_xmin`): nothing can appear before them any more.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from store.pool import Connection

CHANNEL = "forewarn_change"
BATCH = 1000
# A commit that logs no change sends no notification but may be what holds the horizon back: look again this soon.
HELD_BACK_S = 0.05


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log: everything up to and including it was seen."""

    xid: int
    id: int


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

    @property
    def position(self) -> Position:
        """Where this change stands in the log."""
        return Position(self.xid, self.id)


LOAD_CHANGES = """
    SELECT xid::text::bigint AS xid, id, at, entity, entity_id, row_version, customer_id
    FROM change_log
    WHERE (xid, id) > (%(xid)s::text::xid8, %(id)s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        AND (%(customer_id)s::bigint IS NULL OR customer_id = %(customer_id)s)
    ORDER BY xid, id LIMIT %(limit)s
"""
# The newest place that is safe to start from, and whether rows wait behind the horizon.
LOAD_HORIZON = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
        EXISTS (SELECT FROM change_log WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())) AS held_back
"""


def load_changes(
    conn: Connection, after: Position, *, customer_id: int | None = None, limit: int = BATCH
) -> list[Change]:
    """The changes after that position that nothing can precede any more; a customer's own only, if one is named."""
    parameters = {"xid": after.xid, "id": after.id, "customer_id": customer_id, "limit": limit}
    with conn.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(LOAD_CHANGES, parameters).fetchall()


LOAD_NOW = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


def load_now(conn: Connection) -> Position:
    """The position before everything that is not final yet: who starts here misses nothing that commits from now on."""
    row = conn.execute(LOAD_NOW).fetchone()
    assert row is not None
    return Position(int(row[0]) - 1, 2**62)


# What lies before the oldest row that is kept may have been removed; what lies ahead of us was said by another server,
# before the database was restored here.
REACHES_BACK = """
    SELECT %(xid)s::text::xid8 < pg_snapshot_xmin(pg_current_snapshot())
        AND EXISTS (SELECT FROM change_log WHERE (xid, id) <= (%(xid)s::text::xid8, %(id)s))
"""


def reaches_back(conn: Connection, position: Position) -> bool:
    """Whether everything after that position is certainly still kept."""
    row = conn.execute(REACHES_BACK, {"xid": position.xid, "id": position.id}).fetchone()
    return row is not None and bool(row[0])


# In the log's own order, up to the newest row of that age: that one stays, so that a position at it still holds.
REMOVE_CHANGES = """
    DELETE FROM change_log
    WHERE (xid, id) < (SELECT xid, id FROM change_log WHERE at < %s ORDER BY xid DESC, id DESC LIMIT 1)
"""


def remove_changes_before(conn: Connection, before: datetime) -> int:
    """Removes changes logged before that time, but the newest of them; says how many."""
    return conn.execute(REMOVE_CHANGES, (before,)).rowcount


async def follow_changes(url: str, *, application: str, idle_s: float) -> AsyncGenerator[list[Change], None]:
    """Every change that becomes final from now on, in order, once; an empty list first, and after `idle_s` of quiet.

    One connection of its own. The first (empty) list says that the connection listens: what commits after it is seen.

    Raises
    ------
    psycopg.OperationalError
        The connection cannot be made or was lost.
    """
    connection = await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        application_name=f"forewarn {application}",
        options="-c timezone=UTC -c statement_timeout=60000",
        connect_timeout=5,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
    async with connection as conn:
        await conn.execute(f"LISTEN {CHANNEL}")
        row = await (await conn.execute(LOAD_NOW)).fetchone()
        assert row is not None
        position = Position(int(row[0]) - 1, 2**62)
        yield []
        while True:
            changes, held_back = await _load_final(conn, position)
            if changes:
                position = changes[-1].position
                yield changes
                if len(changes) == BATCH:
                    continue
            if held_back:
                await asyncio.sleep(HELD_BACK_S)
                continue
            async for _ in conn.notifies(timeout=idle_s, stop_after=1):
                break
            else:
                yield []


async def _load_final(
    conn: psycopg.AsyncConnection[psycopg.rows.TupleRow], position: Position
) -> tuple[list[Change], bool]:
    # The horizon is read first: rows that fall behind it between the two statements are found by the second or are
    # announced by a notification that is still to come.
    row = await (await conn.execute(LOAD_HORIZON)).fetchone()
    assert row is not None
    async with conn.cursor(row_factory=class_row(Change)) as cursor:
        parameters = {"xid": position.xid, "id": position.id, "customer_id": None, "limit": BATCH}
        await cursor.execute(LOAD_CHANGES, parameters)
        return await cursor.fetchall(), bool(row[1])
