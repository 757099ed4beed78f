"""Sparkplug edge nodes between two of their messages, and which ingest process may write them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class StoredEdge:
    """One edge node; what stands in `births` is not looked at here."""

    group_id: str
    edge_id: str
    epoch: int
    is_alive: bool
    bd_seq: int | None
    former_bd_seq: int | None
    seq: int | None
    births_due: bool
    asked_us: int
    asks: int
    recent: bytes
    births: bytes | None  # None, for writing: as they were


LOAD_EDGES = """
    SELECT group_id, edge_id, epoch, is_alive, bd_seq, former_bd_seq, seq, births_due, asked_us, asks, recent, births
    FROM sparkplug_edge ORDER BY group_id, edge_id
"""


def load_edges(conn: Connection) -> list[StoredEdge]:
    """Every edge node that was ever heard of."""
    with conn.cursor(row_factory=class_row(StoredEdge), binary=True) as cursor:
        return cursor.execute(LOAD_EDGES).fetchall()


UPDATE_EDGE = """
    UPDATE sparkplug_edge SET epoch = %(epoch)s, is_alive = %(is_alive)s, bd_seq = %(bd_seq)s,
        former_bd_seq = %(former_bd_seq)s, seq = %(seq)s, births_due = %(births_due)s, asked_us = %(asked_us)s,
        asks = %(asks)s, recent = %(recent)s, updated_at = %(updated_at)s
    WHERE group_id = %(group_id)s AND edge_id = %(edge_id)s
"""
RECORD_EDGE = """
    INSERT INTO sparkplug_edge (group_id, edge_id, epoch, is_alive, bd_seq, former_bd_seq, seq, births_due, asked_us,
        asks, recent, births, updated_at)
    VALUES (%(group_id)s, %(edge_id)s, %(epoch)s, %(is_alive)s, %(bd_seq)s, %(former_bd_seq)s, %(seq)s, %(births_due)s,
        %(asked_us)s, %(asks)s, %(recent)s, %(births)s, %(updated_at)s)
    ON CONFLICT (group_id, edge_id) DO UPDATE SET epoch = excluded.epoch, is_alive = excluded.is_alive,
        bd_seq = excluded.bd_seq, former_bd_seq = excluded.former_bd_seq, seq = excluded.seq,
        births_due = excluded.births_due, asked_us = excluded.asked_us, asks = excluded.asks, recent = excluded.recent,
        births = excluded.births, updated_at = excluded.updated_at
"""


def record_edges(conn: Connection, edges: Sequence[StoredEdge], now: datetime) -> None:
    """Writes these edge nodes. One without `births` must have been written before."""
    with conn.cursor() as cursor:
        for statement, some in (
            (RECORD_EDGE, [edge for edge in edges if edge.births is not None]),
            (UPDATE_EDGE, [edge for edge in edges if edge.births is None]),
        ):
            if some:
                cursor.executemany(statement, [_to_parameters(edge, now) for edge in some])


def _to_parameters(edge: StoredEdge, now: datetime) -> dict[str, object]:
    return asdict(edge) | {"updated_at": now}


TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('forewarn sparkplug', 0))"
BEGIN_TERM = "UPDATE sparkplug_owner SET term = term + 1, writer = %s, since = now() RETURNING term"
LOAD_TERM = "SELECT term FROM sparkplug_owner"


def try_to_own(conn: Connection) -> bool:
    """Whether this connection holds the right to read Sparkplug now: it has it until it is closed, and no other one."""
    row = conn.execute(TRY_LOCK).fetchone()
    return row is not None and bool(row[0])


def begin_term(conn: Connection, writer: str) -> int:
    """The number of the term that begins with this owner; only who owns may call it."""
    row = conn.execute(BEGIN_TERM, (writer,)).fetchone()
    assert row is not None
    return int(row[0])


def load_term(conn: Connection) -> int:
    """The number of the term that lasts: another one than one's own means that somebody else was the owner since."""
    row = conn.execute(LOAD_TERM).fetchone()
    assert row is not None
    return int(row[0])
