"""The ledger: what became of all that arrived. Received = stored + duplicates + conflicts + rejected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Counts of one transaction, or of one day. `late` readings are among those stored."""

    messages: int = 0
    values_received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0
    rejected: int = 0


RECORD_LEDGER = """
    INSERT INTO ingest_ledger AS l
        (day, writer, messages, values_received, stored, duplicates, conflicts, late, rejected)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (day, writer) DO UPDATE SET
        messages = l.messages + excluded.messages,
        values_received = l.values_received + excluded.values_received,
        stored = l.stored + excluded.stored,
        duplicates = l.duplicates + excluded.duplicates,
        conflicts = l.conflicts + excluded.conflicts,
        late = l.late + excluded.late,
        rejected = l.rejected + excluded.rejected
"""


def record_ledger(conn: Connection, day: date, writer: str, entry: LedgerEntry) -> None:
    """Adds these counts to the writer's row of that day; each writer has rows of its own, so none waits for another."""
    conn.execute(
        RECORD_LEDGER,
        (
            day,
            writer,
            entry.messages,
            entry.values_received,
            entry.stored,
            entry.duplicates,
            entry.conflicts,
            entry.late,
            entry.rejected,
        ),
    )


LOAD_LEDGER = """
    SELECT coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(values_received), 0)::bigint AS values_received,
        coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicates), 0)::bigint AS duplicates,
        coalesce(sum(conflicts), 0)::bigint AS conflicts, coalesce(sum(late), 0)::bigint AS late,
        coalesce(sum(rejected), 0)::bigint AS rejected
    FROM ingest_ledger WHERE day BETWEEN %s AND %s
"""


def load_ledger(conn: Connection, first: date, last: date) -> LedgerEntry:
    """The sum over all writers of these days, both included."""
    with conn.cursor(row_factory=class_row(LedgerEntry)) as cursor:
        return cursor.execute(LOAD_LEDGER, (first, last)).fetchone() or LedgerEntry()


@dataclass(frozen=True, slots=True)
class Receipts:
    """Digests, 8 bytes each, of the messages of one transaction that could not be known again otherwise."""

    id: int
    digests: Sequence[bytes]


RECORD_RECEIPTS = "INSERT INTO ingest_receipt (writer, digests) VALUES (%s, %s) RETURNING id"


def record_receipts(conn: Connection, writer: str, digests: Sequence[bytes]) -> Receipts:
    """Keeps these digests as the writer's newest."""
    row = conn.execute(RECORD_RECEIPTS, (writer, b"".join(digests))).fetchone()
    assert row is not None
    return Receipts(int(row[0]), digests)


REMOVE_RECEIPTS = "DELETE FROM ingest_receipt WHERE writer = %s AND id <= %s"


def remove_receipts(conn: Connection, writer: str, up_to: int) -> None:
    """Forgets the writer's receipts up to that id."""
    conn.execute(REMOVE_RECEIPTS, (writer, up_to))


LOAD_RECEIPTS = "SELECT id, digests FROM ingest_receipt WHERE writer = %s ORDER BY id"


def load_receipts(conn: Connection, writer: str) -> list[Receipts]:
    """What the writer keeps, the oldest first."""
    return [
        Receipts(row_id, [kept[at : at + 8] for at in range(0, len(kept), 8)])
        for row_id, kept in conn.execute(LOAD_RECEIPTS, (writer,))
    ]


LOAD_TRANSACTION_ID = "SELECT pg_current_xact_id()::text"


def load_transaction_id(conn: Connection) -> str:
    """The number of the transaction under way, by which `load_is_committed` finds out what became of it."""
    row = conn.execute(LOAD_TRANSACTION_ID).fetchone()
    assert row is not None
    return str(row[0])


LOAD_TRANSACTION_STATUS = "SELECT pg_xact_status(%s::xid8)"


def load_is_committed(conn: Connection, transaction_id: str) -> bool | None:
    """Whether that transaction was committed; None while it is still under way."""
    row = conn.execute(LOAD_TRANSACTION_STATUS, (transaction_id,)).fetchone()
    if row is None or row[0] == "in progress":
        return None
    return bool(row[0] == "committed")
