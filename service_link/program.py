"""The program: one triages, others stand by; what is decided is committed, so any of them may die at any moment."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

from domain.broker_address import parse_broker_address
from domain.tickets import DecisionKind
from domain.webhook_address import read_networks
from domain.webhook_proxy import read_proxy
from service_link.device_notices import NoticeStatus, publish_notices
from service_link.effectiveness import measure_effectiveness
from service_link.field_actions import follow_field_actions
from service_link.housekeeping import keep_readings
from service_link.model_watch import watch_models
from service_link.plans import keep_plans
from service_link.quality import QualityWatch, propose_capas
from service_link.queue import TriageQueue
from service_link.settings import ServiceLinkSettings
from service_link.ticks import keep_house, keep_sla, remove_what_is_old, tick, watch_data_quality
from service_link.webhooks import DeliveryStatus, deliver_webhooks
from store.decisions import try_lock_triage
from store.heartbeats import record_heartbeat, remove_heartbeat
from store.listening import listen, wait_for_notice
from store.migrate import verify_migrated
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.ticket_policies import load_ticket_policies

log = logging.getLogger("forewarn.service_link")
PROGRAM = "service-link"
OPENING = (DecisionKind.OPENED, DecisionKind.REOPENED, DecisionKind.PARENT)
# The statistic is asked at once after an opening, but not more often than this in a flood of them.
MIN_COHORT_S = 2.0
# How often it is asked whether CAPAs helped: their periods are weeks.
EFFECTIVENESS_S = 60.0


def run(settings: ServiceLinkSettings, stop: threading.Event) -> None:
    """Decides every breach transition, once, until `stop`; ends between two batches.

    Raises
    ------
    DatabaseNotMigratedError
        The database has no schema of this version.
    ConfigurationError
        The broker's address, or a network of webhooks, cannot be used.
    """
    instance = settings.instance or f"{socket.gethostname()}:{os.getpid()}"
    started_at = _now()
    backoff = 0.2
    ended = threading.Event()
    notices, deliveries = NoticeStatus(), DeliveryStatus()
    if settings.mqtt_url:
        parse_broker_address(settings.mqtt_url)  # a wrong one is said at the start
    read_networks(settings.webhook_networks)
    read_proxy(settings.webhook_proxy)
    beside = [
        threading.Thread(target=keep_readings, args=(settings, ended), name="housekeeping"),
        threading.Thread(target=watch_models, args=(settings, ended), name="model-watch"),
        threading.Thread(target=follow_field_actions, args=(settings, ended), name="field-actions"),
        threading.Thread(target=publish_notices, args=(settings, notices, ended), name="device-notices"),
        threading.Thread(target=deliver_webhooks, args=(settings, deliveries, ended), name="webhooks"),
    ]
    try:
        while not stop.is_set():
            try:
                # One connection for lock, notices and work: when it is lost, so is the lock, and nothing is half done.
                with open_connection(settings.database_url, application=PROGRAM, autocommit=True) as conn:
                    verify_migrated(conn)
                    backoff = 0.2
                    for thread in beside:
                        if thread.ident is None:
                            thread.start()
                    _Service(conn, settings, instance, started_at, notices, deliveries).serve(stop)
            except DATABASE_GONE as error:
                log.warning("the database is away, trying again in %.1f s: %s", backoff, error)
                stop.wait(backoff)
                backoff = min(2 * backoff, settings.max_backoff_s)
    finally:
        ended.set()
        for thread in beside:
            if thread.ident is not None:
                thread.join()


def _now() -> datetime:
    return datetime.now(UTC)


class _Service:
    """The program on one connection."""

    def __init__(
        self,
        conn: Connection,
        settings: ServiceLinkSettings,
        instance: str,
        started_at: datetime,
        notices: NoticeStatus,
        deliveries: DeliveryStatus,
    ) -> None:
        self._conn = conn
        self._notices = notices
        self._deliveries = deliveries
        self._settings = settings
        self._instance = instance
        self._started_at = started_at
        self._is_active = False
        self._queue = TriageQueue(settings.batch_size, timedelta(seconds=settings.late_grace_s))
        self._watch = QualityWatch()
        self._next: dict[str, float] = {}
        self._last_cohort = 0.0

    def serve(self, stop: threading.Event) -> None:
        listen(self._conn, "forewarn_transition")
        while not stop.is_set():
            if not self._is_active:
                self._take_over()
            self._beat()
            if self._is_active:
                self._work(stop)
            if not stop.is_set():
                wait_for_notice(self._conn, self._settings.poll_s)
        remove_heartbeat(self._conn, PROGRAM, self._instance)

    def _take_over(self) -> None:
        self._is_active = try_lock_triage(self._conn)
        if self._is_active:
            log.info("this process triages now")
            keep_house(self._conn, _now())
            self._queue.start(self._conn, _now())
            self._next["house"] = monotonic() + self._settings.housekeeping_s

    def _work(self, stop: threading.Event) -> None:
        def keep_on() -> bool:
            self._beat()
            return not stop.is_set()

        taken = self._queue.drain(self._conn, _now, keep_on)
        if any(d.decision in OPENING for d in taken):
            self._hurry_cohorts()
        if self._is_time("tick", self._settings.tick_s):
            self._try(lambda: tick(self._conn, _now()))
            self._try(lambda: remove_what_is_old(self._conn, _now(), self._settings.reading_days))
            self._try(lambda: watch_data_quality(self._conn, _now()))
            taken = self._queue.decide_put_off(self._conn, _now())
            if any(d.decision in OPENING for d in taken):
                self._hurry_cohorts()
        if self._is_time("cohort", self._settings.cohort_s):
            self._last_cohort = monotonic()
            self._try(self._propose)
        if self._is_time("effectiveness", EFFECTIVENESS_S):
            self._try(lambda: measure_effectiveness(self._conn, _now()))
        if self._is_time("plans", self._settings.plan_s):
            self._try(lambda: keep_plans(self._conn, _now()))
        if self._is_time("house", self._settings.housekeeping_s):
            self._try(lambda: keep_house(self._conn, _now()))
            self._try(lambda: keep_sla(self._conn, _now()))
            self._queue.retry_failed(self._conn, _now())

    def _propose(self) -> None:
        for code in propose_capas(self._conn, self._watch, load_ticket_policies(self._conn), _now()):
            log.info("proposed %s", code)

    def _try(self, work: Callable[[], object]) -> None:
        """Runs a round that comes again anyway: what must be retried, or is broken in it, waits for the next."""
        try:
            work()
        except RETRYABLE as error:
            log.info("a round is left to the next: %s", error)
        except DATABASE_GONE:
            raise
        except Exception:
            # Triage goes on whatever is wrong with a statistic or a clock; the log and `failed_rounds` say that it is.
            log.exception("a round failed")
            self._queue.failed += 1

    def _hurry_cohorts(self) -> None:
        self._next["cohort"] = min(self._next.get("cohort", 0.0), self._last_cohort + MIN_COHORT_S)

    def _is_time(self, what: str, every_s: float) -> bool:
        if monotonic() < self._next.get(what, 0.0):
            return False
        self._next[what] = monotonic() + every_s
        return True

    def _beat(self) -> None:
        if not self._is_time("heartbeat", self._settings.heartbeat_s):
            return
        details = {
            "role": "active" if self._is_active else "standby",
            "decided": self._queue.decided,
            "awaited": len(self._queue.awaited),
            "failed": self._queue.failed,
            "device_notices": self._notices.describe(),
            "webhooks": self._deliveries.describe(),
        }
        record_heartbeat(self._conn, PROGRAM, self._instance, self._started_at, details)
