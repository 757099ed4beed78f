"""Plans, their occurrences and reminders, because time passed: bounded rounds, each step in its own transaction."""

from datetime import datetime

from service_link.batch_plan import MACHINE
from store.contracts import expire_contracts
from store.device_usage import follow_counters
from store.plan_occurrences import follow_occurrences, plan_occurrences
from store.pool import Connection
from store.reminders import record_reminders

# What one round does of each, a second of work at most; the next one goes on.
AT_ONCE = 500


def keep_plans(conn: Connection, now: datetime) -> None:
    """Follows counters, plans what comes next, opens what is due, reminds of what ends and ends old contracts.
    It may be run by several, stopped and run again at any moment: an occurrence has one order."""
    with conn.transaction():
        follow_counters(conn, AT_ONCE)
    with conn.transaction():
        plan_occurrences(conn, MACHINE, now, AT_ONCE)
    with conn.transaction():
        follow_occurrences(conn, MACHINE, now, AT_ONCE)
    with conn.transaction():
        record_reminders(conn, MACHINE, now, AT_ONCE)
    with conn.transaction():
        expire_contracts(conn, MACHINE, now, AT_ONCE)
