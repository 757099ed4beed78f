"""The ledger against itself and against what was published."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from store.device_days import load_device_days
from store.ledger import LedgerEntry, load_ledger
from store.pool import open_connection

PARTS = ("stored", "duplicates", "conflicts", "rejected")


def check_ledger(database_url: str) -> tuple[LedgerEntry, dict[str, int]]:
    """Received = stored + duplicates + conflicts + rejected, in total and for each device, and the sums by device are
    the total: the total, and by serial how many readings are stored."""
    today = datetime.now(UTC).date()
    with open_connection(database_url, application="test") as conn:
        serials: dict[int, str] = dict(conn.execute("SELECT id, serial FROM device").fetchall())
        days = load_device_days(conn, today - timedelta(days=1), today)
        total = load_ledger(conn, today - timedelta(days=1), today)
    assert total.values_received == sum(getattr(total, name) for name in PARTS), total
    stored: Counter[str] = Counter()
    for day in days:
        assert day.received == sum(getattr(day, name) for name in PARTS), day
        stored[serials.get(day.device_id, "")] += day.stored
    for name in (*PARTS, "late"):
        assert sum(getattr(day, name) for day in days) == getattr(total, name), name
    assert sum(day.received for day in days) == total.values_received
    return total, dict(stored)
