"""Firmware releases, drift and outcomes of orders, beside triage on a connection of its own: none of it may keep a work
order waiting."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from service_link.drift import watch_drift
from service_link.firmware_regression import watch_releases
from service_link.monitor_feedback import watch_monitors
from service_link.settings import ServiceLinkSettings
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.releases import try_lock_model_watch

log = logging.getLogger("forewarn.service_link")


def watch_models(settings: ServiceLinkSettings, stop: threading.Event) -> None:
    """Looks at what monitors and firmware do in the field, round after round, until `stop`; ends between two steps.

    One process of an installation does it at a time. A round that fails is logged and comes again.
    """
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="model-watch", autocommit=True) as conn:
                has_lock = False
                while not stop.is_set():
                    has_lock = has_lock or try_lock_model_watch(conn)
                    if has_lock:
                        watch_round(conn, datetime.now(UTC), lambda: not stop.is_set())
                    stop.wait(settings.watch_s)
        except DATABASE_GONE as error:
            log.warning("the database is away from the watch over models: %s", error)
            stop.wait(settings.max_backoff_s)


def watch_round(conn: Connection, now: datetime, keep_on: Callable[[], bool] = lambda: True) -> None:
    """One round of everything; what fails is logged and keeps nothing else from its turn."""
    for work in (_watch_releases, _watch_monitors, _watch_drift):
        if not keep_on():
            return
        try:
            work(conn, now, keep_on)
        except RETRYABLE as error:
            log.info("a round of the watch over models is left to the next: %s", error)
        except DATABASE_GONE:
            raise
        except Exception:
            log.exception("a round of the watch over models failed")


def _watch_releases(conn: Connection, now: datetime, keep_on: Callable[[], bool]) -> None:
    for code in watch_releases(conn, now, keep_on):
        log.info("proposed %s for a firmware release", code)


def _watch_monitors(conn: Connection, now: datetime, keep_on: Callable[[], bool]) -> None:
    for code in watch_monitors(conn, now):
        log.info("proposed %s from outcomes of orders", code)


def _watch_drift(conn: Connection, now: datetime, keep_on: Callable[[], bool]) -> None:
    for day in watch_drift(conn, now, keep_on):
        log.info("%s of %s drifts: index %.2f, usually %.2f", day.subject, day.model, day.psi, day.usual_psi)
