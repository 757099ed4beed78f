"""Retention of readings: days ahead are made before they are needed, days past are dropped whole."""

from datetime import date, timedelta

from store.pool import Connection
from store.readings import ensure_partitions

DAYS_AHEAD = 3
DROP_READINGS = "SELECT drop_readings_before(%s)"


def prepare_reading_days(conn: Connection, today: date) -> None:
    """Readings of yesterday up to three days ahead can be stored without waiting for a table to be made."""
    ensure_partitions(conn, (today + timedelta(days=n) for n in range(-1, DAYS_AHEAD + 1)))


def drop_old_readings(conn: Connection, first_kept: date) -> int:
    """How many whole days, all before `first_kept`, were dropped."""
    row = conn.execute(DROP_READINGS, (first_kept,)).fetchone()
    return 0 if row is None else int(row[0])
