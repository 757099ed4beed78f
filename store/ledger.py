"""The ledger: what became of all that arrived. Received = stored + duplicates + conflicts + rejected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

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


RECORD_RECEIPTS = "INSERT INTO ingest_receipt (writer, received_at, digests) VALUES (%s, %s, %s)"


def record_receipts(conn: Connection, writer: str, received_at: datetime, digests: Sequence[bytes]) -> None:
    """Notes which messages of this transaction could not be known again by what is stored of them (8 bytes each)."""
    conn.execute(RECORD_RECEIPTS, (writer, received_at, b"".join(digests)))


LOAD_RECEIPTS = "SELECT digests FROM ingest_receipt WHERE received_at >= %s"


def load_receipts(conn: Connection, since: datetime) -> set[bytes]:
    """The digests of every writer's messages that were received since then."""
    return {
        digests[at : at + 8] for (digests,) in conn.execute(LOAD_RECEIPTS, (since,)) for at in range(0, len(digests), 8)
    }


DELETE_RECEIPTS = "DELETE FROM ingest_receipt WHERE received_at < %s"


def delete_receipts(conn: Connection, before: datetime) -> None:
    """Forgets messages that no broker will send again."""
    conn.execute(DELETE_RECEIPTS, (before,))


LOAD_TRANSACTION_STATUS = "SELECT pg_xact_status(%s::xid8)"


def load_is_committed(conn: Connection, transaction_id: str) -> bool | None:
    """Whether that transaction was committed; None while it is still under way."""
    row = conn.execute(LOAD_TRANSACTION_STATUS, (transaction_id,)).fetchone()
    if row is None or row[0] == "in progress":
        return None
    return bool(row[0] == "committed")
