"""What was ever counted never goes down, whatever retention removes; and the equation is looked at, not believed."""

from datetime import UTC, date, datetime, timedelta

from store.ledger import LedgerEntry, record_ledger
from store.ledger_moves import Moved, record_moved
from store.ledger_queries import is_balanced, load_ledger_days, load_ledger_totals
from store.pool import open_connection
from store.retention import remove_old_rows
from tests.support.databases import Database

DAY = date(2026, 11, 20)


def test_totals_outlive_their_days_and_replays_move_within_one(database: Database) -> None:
    entry = LedgerEntry(messages=4, values_received=20, stored=12, duplicates=3, conflicts=1, late=2, rejected=4)
    with open_connection(database.url, application="test", autocommit=True) as conn:
        for days in (0, 1, 700):
            record_ledger(conn, DAY - timedelta(days=days), "w", entry)
        record_moved(conn, DAY, Moved(stored=2, duplicates=1, late=1, rejected=-3))
        before = load_ledger_totals(conn)
        assert (before.stored, before.rejected, before.replayed, before.values_received) == (38, 9, 3, 60)
        first_kept = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) - timedelta(days=30)
        assert remove_old_rows(conn, "ingest_ledger", first_kept, 100) == 1
        assert load_ledger_totals(conn) == before
        newest, *older = load_ledger_days(conn, DAY - timedelta(days=999), DAY)
        assert (newest.stored, newest.rejected, newest.replayed, len(older)) == (14, 1, 3, 1)
        assert is_balanced(newest)
        conn.execute("UPDATE ingest_ledger SET stored = stored + 1 WHERE day = %s AND writer = 'w'", (DAY,))
        assert not is_balanced(load_ledger_days(conn, DAY, DAY)[0])
