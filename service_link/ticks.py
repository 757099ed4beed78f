"""What happens because time passed, and not because something arrived: one round every few seconds."""

from datetime import datetime, timedelta
from time import monotonic

from domain.retention import KeptClass
from service_link.batch_plan import MACHINE
from service_link.data_quality import judge_devices
from store.approval_requests import expire_approval_requests
from store.data_quality import remove_old_quality_days
from store.pool import Connection
from store.rejection_groups import fold_rejections, remove_old_groups
from store.retention import prepare_reading_days, remove_old_rejections, remove_old_scores
from store.retention_classes import load_days
from store.service_calendars import renew_calendars
from store.shelvings import expire_shelvings
from store.sla_mending import mend_clocks
from store.vigilance import tell_report_clocks
from store.work_order_clocks import mend_quiet_orders, record_clocks, record_quiet_orders

# An order that was touched within this time may still have a transition on its way.
SETTLED = timedelta(minutes=1)
# What one round removes: a fraction of a second of work, and in an hour more than 100,000 series make.
REMOVED_AT_ONCE = 20_000
# Rejections that one round counts; a flood of more is counted round by round.
FOLDED_AT_ONCE = 10_000
# The clocks of every open order are counted anew once a day, an hour's share at a time.
HOURS = 24
# After this long no further round of judging begins: transitions wait meanwhile.
JUDGING_S = 0.2


def tick(conn: Connection, now: datetime) -> None:
    """Ends shelvings and questions that nobody decided, marks quiet orders as ready to verify, and says which clocks
    of orders and of reports to authorities run out; each in a transaction."""
    with conn.transaction():
        expire_shelvings(conn, MACHINE, now)
    with conn.transaction():
        expire_approval_requests(conn, MACHINE, now)
    with conn.transaction():
        mend_quiet_orders(conn, MACHINE, now, now - SETTLED)
        record_quiet_orders(conn, MACHINE, now)
    with conn.transaction():
        record_clocks(conn, MACHINE, now)
    with conn.transaction():
        tell_report_clocks(conn, MACHINE, now)


def watch_data_quality(conn: Connection, now: datetime) -> None:
    """Counts new rejections by their cause and judges the days of some devices; a bounded amount of each."""
    with conn.transaction():
        fold_rejections(conn, FOLDED_AT_ONCE)
    begin = monotonic()
    while judge_devices(conn, now)[0] and monotonic() - begin < JUDGING_S:
        pass


def keep_house(conn: Connection, now: datetime) -> None:
    """Makes the days ahead, so that no writer waits for a table to be made."""
    with conn.transaction():
        prepare_reading_days(conn, now.date())


def keep_sla(conn: Connection, now: datetime) -> None:
    """Gives calendars the public holidays of coming years, and counts the clocks of one open order in 24 anew."""
    with conn.transaction():
        renew_calendars(conn, MACHINE, now)
    with conn.transaction():
        mend_clocks(conn, MACHINE, now, slices=HOURS, place=now.hour)


def remove_what_is_old(conn: Connection, now: datetime, reading_days: int) -> int:
    """How many scores, rejections and judged days older than two people decided for readings, else than `reading_days`
    (0: none is), were removed, a bounded number a round."""
    kept_days = load_days(conn, KeptClass.READINGS_STANDARD, reading_days)
    if kept_days <= 0:
        return 0
    first_kept = now - timedelta(days=kept_days)
    with conn.transaction():
        removed = remove_old_scores(conn, first_kept, REMOVED_AT_ONCE)
    with conn.transaction():
        removed += remove_old_rejections(conn, first_kept, REMOVED_AT_ONCE)
    with conn.transaction():
        removed += remove_old_groups(conn, first_kept.date(), REMOVED_AT_ONCE)
    with conn.transaction():
        removed += remove_old_quality_days(conn, first_kept.date(), REMOVED_AT_ONCE)
    return removed
