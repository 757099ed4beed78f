"""Roll-ups and retention, beside triage on a connection of its own: neither may keep a work order waiting."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from time import monotonic

from domain.counting import say_count
from domain.profile import Retention
from domain.retention import KeptClass
from service_link.settings import ServiceLinkSettings
from store.decisions import record_decided_to
from store.device_days import remove_old_device_days
from store.migrate import load_flavour
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.reading_levels import Level
from store.retention import (
    drop_old_readings,
    drop_old_rollups,
    find_retention_plan,
    load_retention_classes,
    remove_old_rows,
    remove_old_runs,
    remove_readings_of,
    remove_what_came_too_late,
    try_lock_housekeeping,
)
from store.retention_classes import apply_days
from store.rollup_refresh import refresh_rollups
from store.rollups import load_rollup_state
from store.webhook_deliveries import remove_old_deliveries

log = logging.getLogger("forewarn.service_link")
ROWS_AT_ONCE = 20_000


def keep_readings(settings: ServiceLinkSettings, stop: threading.Event) -> None:
    """Refreshes roll-ups and applies retention, round after round, until `stop`; ends between two short steps.

    One process of an installation does it at a time. A round that fails is logged and comes again.
    """
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="housekeeping", autocommit=True) as conn:
                keeper = _Keeper(conn, settings, load_flavour(conn), stop)
                while not stop.is_set():
                    keeper.keep_round()
                    stop.wait(settings.refresh_s)
        except DATABASE_GONE as error:
            log.warning("the database is away from housekeeping: %s", error)
            stop.wait(settings.max_backoff_s)


class _Keeper:
    """The rounds on one connection."""

    def __init__(self, conn: Connection, settings: ServiceLinkSettings, flavour: str, stop: threading.Event) -> None:
        self._conn = conn
        self._settings = settings
        # On the community edition TimescaleDB's scheduler runs the refresher.
        self._refreshes = flavour != "timescaledb-community"
        self._stop = stop
        self._has_lock = False
        self._next_retention = 0.0

    def keep_round(self) -> None:
        self._has_lock = self._has_lock or try_lock_housekeeping(self._conn)
        if not self._has_lock:
            return
        try:
            if self._refreshes:
                refresh_rollups(self._conn, datetime.now(UTC), self._keep_on)
            if monotonic() >= self._next_retention and self._keep_on():
                self._next_retention = monotonic() + self._settings.retention_s
                apply_retention(self._conn, datetime.now(UTC), self._settings, self._keep_on)
                with self._conn.transaction():
                    record_decided_to(self._conn)
        except RETRYABLE as error:
            log.info("a round of housekeeping is left to the next: %s", error)
        except DATABASE_GONE:
            raise
        except Exception:
            log.exception("a round of housekeeping failed")

    def _keep_on(self) -> bool:
        return not self._stop.is_set()


def apply_retention(
    conn: Connection, now: datetime, settings: ServiceLinkSettings, keep_on: Callable[[], bool]
) -> None:
    """Removes what is older than two people decided, else than its settings say, in short transactions, as far as
    `keep_on` lets it; what it goes by is noted.

    Readings go only once they are rolled up by day. Roll-ups outlive them; see docs/operations.md for what is kept how
    long and why.
    """
    with conn.transaction():
        kept = apply_days(conn, find_kept_days(settings), now)
    days = {
        Retention.SHORT: kept[KeptClass.READINGS_SHORT],
        Retention.STANDARD: kept[KeptClass.READINGS_STANDARD],
        Retention.LONG: kept[KeptClass.READINGS_LONG],
    }
    rolled_up_to = load_rollup_state(conn).days_to.date()
    plan = find_retention_plan(load_retention_classes(conn), days, now.date(), rolled_up_to)
    if plan.whole_before is not None:
        with conn.transaction():
            dropped = drop_old_readings(conn, plan.whole_before)
        if dropped:
            log.info("dropped %s of readings before %s", say_count(dropped, "day"), plan.whole_before)
    for first_kept, series_ids in plan.series_before:
        while keep_on() and _remove_day(conn, series_ids, first_kept):
            pass
    with conn.transaction():
        remove_what_came_too_late(conn)
    for level, kept_days in (
        (Level.MINUTE, kept[KeptClass.ROLLUPS_MINUTE]),
        (Level.HOUR, kept[KeptClass.ROLLUPS_HOUR]),
    ):
        if kept_days > 0:
            with conn.transaction():
                drop_old_rollups(conn, level, now - timedelta(days=kept_days))
    for table, kept_days in (
        ("status_report", kept[KeptClass.READINGS_STANDARD]),
        ("device_event", kept[KeptClass.RECORDS]),
        ("ingest_ledger", kept[KeptClass.RECORDS]),
        ("outbox", kept[KeptClass.SIMULATED_EVENTS]),
    ):
        while kept_days > 0 and keep_on():
            with conn.transaction():
                removed = remove_old_rows(conn, table, now - timedelta(days=kept_days), ROWS_AT_ONCE)
            if removed < ROWS_AT_ONCE:
                break
    while settings.delivery_days > 0 and keep_on():
        with conn.transaction():
            ended = remove_old_deliveries(conn, now - timedelta(days=settings.delivery_days), ROWS_AT_ONCE)
        if ended < ROWS_AT_ONCE:
            break
    if kept[KeptClass.RUNS] > 0:
        with conn.transaction():
            remove_old_runs(conn, now - timedelta(days=kept[KeptClass.RUNS]), ROWS_AT_ONCE)
    reading_days = kept[KeptClass.READINGS_STANDARD]
    if reading_days > 0:
        with conn.transaction():
            first_kept = (now - timedelta(days=reading_days)).date()
            remove_old_device_days(conn, first_kept, ROWS_AT_ONCE)


def find_kept_days(settings: ServiceLinkSettings) -> dict[KeptClass, int]:
    """For how many days each class is kept where nobody decided otherwise."""
    return {
        KeptClass.READINGS_SHORT: settings.short_reading_days,
        KeptClass.READINGS_STANDARD: settings.reading_days,
        KeptClass.READINGS_LONG: settings.long_reading_days,
        KeptClass.ROLLUPS_MINUTE: settings.minute_days,
        KeptClass.ROLLUPS_HOUR: settings.hour_days,
        KeptClass.RECORDS: settings.record_days,
        KeptClass.SIMULATED_EVENTS: settings.simulated_days,
        KeptClass.RUNS: settings.run_days,
    }


def _remove_day(conn: Connection, series_ids: Sequence[int], first_kept: date) -> bool:
    with conn.transaction():
        return remove_readings_of(conn, series_ids, first_kept) is not None
