"""The ledger as people read it: day by day, device by device, and since the beginning."""

from dataclasses import asdict, dataclass
from datetime import date

from psycopg.rows import class_row

from store.device_days import DeviceDay, load_device_days
from store.ledger_blocks import NO_DEVICE
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """Counts of all writers: values_received = stored + duplicates + conflicts + rejected.

    `late` are among those stored; `replayed` were rejected at first and are no longer among those rejected.
    """

    messages: int = 0
    values_received: int = 0
    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0
    rejected: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What became of all that was received on one day (UTC)."""

    day: date
    messages: int
    values_received: int
    stored: int
    duplicates: int
    conflicts: int
    late: int
    rejected: int
    replayed: int


_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in LedgerTotals.__slots__)
_NAMES = ", ".join(LedgerTotals.__slots__)
LOAD_LEDGER_TOTALS = f"""
    SELECT {_SUMS} FROM (SELECT {_NAMES} FROM ingest_ledger UNION ALL SELECT {_NAMES} FROM ingest_ledger_past) ever
"""  # noqa: S608


def load_ledger_totals(conn: Connection) -> LedgerTotals:
    """All that was ever counted, whatever retention removes."""
    with conn.cursor(row_factory=class_row(LedgerTotals)) as cursor:
        return cursor.execute(LOAD_LEDGER_TOTALS).fetchone() or LedgerTotals()


LOAD_LEDGER_DAYS = f"""
    SELECT day, {_SUMS} FROM ingest_ledger WHERE day BETWEEN %s AND %s GROUP BY day ORDER BY day DESC
"""  # noqa: S608


def load_ledger_days(conn: Connection, first: date, last: date) -> list[LedgerDay]:
    """The ledger of these days, both included, the newest first; a day on which nothing came has no row."""
    with conn.cursor(row_factory=class_row(LedgerDay)) as cursor:
        return cursor.execute(LOAD_LEDGER_DAYS, (first, last)).fetchall()


def load_device_ledger(conn: Connection, device_id: int, first: date, last: date) -> list[DeviceDay]:
    """The same of one device, with what its own counter and the master data say against it."""
    return load_device_days(conn, first, last, device_id)[::-1]


@dataclass(frozen=True, slots=True)
class DeviceLedger:
    """One device's part of a day's ledger; without a serial: what names no device that is known."""

    serial: str | None
    counts: DeviceDay


LOAD_SERIALS = "SELECT id, serial FROM device WHERE id = ANY (%s)"


def load_ledger_of_devices(
    conn: Connection, day: date, *, after: int = -1, limit: int = 100
) -> tuple[list[DeviceLedger], int]:
    """Every device's part of that day in the order of their ids, those after the id `after`; and how many in all.

    The sum of all is the ledger of the day, but for what was committed between two pages.
    """
    days = load_device_days(conn, day, day)
    page = [counts for counts in days if counts.device_id > after][:limit]
    serials: dict[int, str] = dict(conn.execute(LOAD_SERIALS, ([counts.device_id for counts in page],)).fetchall())
    found = [
        DeviceLedger(None if counts.device_id == NO_DEVICE else serials.get(counts.device_id), counts)
        for counts in page
    ]
    return found, len(days)


def is_balanced(entry: LedgerTotals | LedgerDay) -> bool:
    """The equation of the ledger holds."""
    counted = asdict(entry)
    return bool(
        counted["values_received"]
        == counted["stored"] + counted["duplicates"] + counted["conflicts"] + counted["rejected"]
    )
