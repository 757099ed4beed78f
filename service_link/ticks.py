"""What happens because time passed, and not because something arrived: one round every few seconds."""

import logging
from datetime import datetime, timedelta

from service_link.batch import MACHINE
from store.pool import Connection
from store.retention import drop_old_readings, prepare_reading_days
from store.shelvings import expire_shelvings
from store.work_order_clocks import mend_quiet_orders, record_clocks, record_quiet_orders

log = logging.getLogger("forewarn.service_link")
# An order that was touched within this time may still have a transition on its way.
SETTLED = timedelta(minutes=1)


def tick(conn: Connection, now: datetime) -> None:
    """Ends shelvings, marks quiet orders as ready to verify, and says which clocks run out; each in a transaction."""
    with conn.transaction():
        expire_shelvings(conn, MACHINE, now)
    with conn.transaction():
        mend_quiet_orders(conn, MACHINE, now, now - SETTLED)
        record_quiet_orders(conn, MACHINE, now)
    with conn.transaction():
        record_clocks(conn, MACHINE, now)


def keep_house(conn: Connection, now: datetime, reading_days: int) -> None:
    """Makes the days ahead and drops whole days of readings that are older than `reading_days` (0: none)."""
    with conn.transaction():
        prepare_reading_days(conn, now.date())
    if reading_days > 0:
        with conn.transaction():
            dropped = drop_old_readings(conn, now.date() - timedelta(days=reading_days))
        if dropped:
            log.info("dropped %d days of readings older than %d days", dropped, reading_days)
