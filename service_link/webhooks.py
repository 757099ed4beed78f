"""Delivers events to webhooks, beside triage, on a connection and in threads of its own.

Any number of processes do it at once. Each asks the database what is due, sends what it has claimed in threads that
only speak HTTP, and writes down what came of it. Whatever dies in between is sent again when its lease is over.
"""

import logging
import random
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue

from domain.errors import ConfigurationError, GuardRefusedError
from domain.webhook import DeliveryError, EndpointState, StateCause
from domain.webhook_address import read_networks
from domain.webhook_proxy import read_proxy
from domain.webhook_schedule import AttemptResult, find_next_attempt
from service_link.batch_plan import MACHINE
from service_link.settings import ServiceLinkSettings
from service_link.webhook_sender import Message, WebhookSender, make_body
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection
from store.webhook_deliveries import (
    Claim,
    claim_deliveries,
    hold_delivery,
    load_due_endpoints,
    record_result,
    release_claims,
)
from store.webhook_planning import plan_deliveries
from store.webhook_secrets import open_secrets
from store.webhooks import load_secrets, move_endpoint

log = logging.getLogger("forewarn.service_link")
GONE_REASON = "the receiver answered that it is gone (410)"
# The longest that resolving a name may take beside an attempt, with room: then another process takes the event.
LEASE_MARGIN_S = 60.0

Send = Callable[[Message], AttemptResult]


@dataclass(slots=True)
class DeliveryStatus:
    """What the heartbeat says of deliveries; written by their thread, read by others."""

    delivered: int = 0
    failed: int = 0
    sending: int = 0
    error: str = ""

    def describe(self) -> dict[str, object]:
        """As it stands in the heartbeat."""
        return {"delivered": self.delivered, "failed": self.failed, "sending": self.sending, "error": self.error}


def deliver_webhooks(settings: ServiceLinkSettings, status: DeliveryStatus, stop: threading.Event) -> None:
    """Delivers until `stop`; what is being sent then has a moment to end, and is given back if it has not.

    Raises
    ------
    ConfigurationError
        The allowed networks or the proxy cannot be read.
    """
    networks, proxy = read_networks(settings.webhook_networks), read_proxy(settings.webhook_proxy)
    sender = WebhookSender(networks, settings.webhook_timeout_s, proxy=proxy)
    crew = Crew(sender.send, settings.webhook_workers)
    backoff = 0.2
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="webhooks", autocommit=True) as conn:
                courier = Courier(conn, settings, crew, status)
                while not stop.is_set():
                    try:
                        busy = courier.deliver_round(datetime.now(UTC))
                        backoff = 0.2
                    except RETRYABLE as error:
                        log.info("a round of deliveries is left to the next: %s", error)
                        busy = False
                    except DATABASE_GONE:
                        raise
                    except Exception:  # what was claimed is claimed again when its lease is over
                        log.exception("a round of deliveries failed")
                        busy = False
                    crew.wait(0.05 if busy else settings.webhook_poll_s, stop)
                courier.finish(datetime.now(UTC), settings.webhook_stop_s)
        except DATABASE_GONE as error:
            log.warning("the database is away from deliveries, trying again in %.1f s: %s", backoff, error)
            crew.forget()  # their leases end, and they are sent again
            stop.wait(backoff)
            backoff = min(2 * backoff, settings.max_backoff_s)


class Crew:
    """Threads that send: what is handed to them comes back with what came of it. They end with the process."""

    def __init__(self, send: Send, size: int) -> None:
        self._send = send
        self._size = size
        self._threads: list[threading.Thread] = []
        self._tasks: SimpleQueue[tuple[Claim, Message]] = SimpleQueue()
        self._results: SimpleQueue[tuple[Claim, AttemptResult]] = SimpleQueue()
        self._ended = threading.Event()
        self.sending: dict[int, Claim] = {}

    @property
    def room(self) -> int:
        """How many more can be sent at once."""
        return self._size - len(self.sending)

    def give(self, claim: Claim, message: Message) -> None:
        """Has it sent."""
        self.sending[claim.id] = claim
        self._tasks.put((claim, message))
        if len(self._threads) < min(self._size, len(self.sending)):
            thread = threading.Thread(target=self._work, name="webhook", daemon=True)
            self._threads.append(thread)
            thread.start()

    def collect(self) -> list[tuple[Claim, AttemptResult]]:
        """What has been sent since the last time. What was forgotten meanwhile is left out."""
        found = []
        while True:
            try:
                claim, result = self._results.get_nowait()
            except Empty:
                break
            if self.sending.get(claim.id) is claim:
                del self.sending[claim.id]
                found.append((claim, result))
        if self._results.empty():
            self._ended.clear()
            if not self._results.empty():
                self._ended.set()
        return found

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Returns when something was sent, or after that time; soon after `stop`."""
        if not stop.is_set():
            self._ended.wait(seconds)

    def forget(self) -> None:
        """What is being sent is nobody's business any more."""
        self.sending.clear()

    def _work(self) -> None:
        while True:
            claim, message = self._tasks.get()
            try:
                result = self._send(message)
            except Exception as problem:
                log.exception("delivery %d could not be tried", claim.id)
                detail = type(problem).__name__
                result = AttemptResult(datetime.now(UTC), 0, error=DeliveryError.CONNECTION, detail=detail)
            self._results.put((claim, result))
            self._ended.set()


class Courier:
    """The rounds on one connection: what is due is handed to the crew, what it has done is written down."""

    def __init__(
        self,
        conn: Connection,
        settings: ServiceLinkSettings,
        crew: Crew,
        status: DeliveryStatus,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._conn = conn
        self._settings = settings
        self._crew = crew
        self._status = status
        self._spread = spread
        self._last_endpoint = 0
        self._lease = timedelta(seconds=settings.webhook_timeout_s + LEASE_MARGIN_S)

    def deliver_round(self, now: datetime) -> bool:
        """Whether anything was done, so that another round may have more to do at once."""
        collected = self.collect(now)
        planned = plan_deliveries(self._conn, now)
        claims = self._claim(now)
        self._hand_out(claims, now)
        self._status.sending = len(self._crew.sending)
        return bool(collected or planned or claims)

    def collect(self, now: datetime) -> int:
        """Writes down what the crew has done; how many attempts those were."""
        collected = self._crew.collect()
        for claim, result in collected:
            self._record(claim, result, now)
        return len(collected)

    def finish(self, now: datetime, patience_s: float) -> None:
        """Waits a moment for what is being sent, and gives back the rest."""
        never = threading.Event()
        until = now + timedelta(seconds=patience_s)
        while self._crew.sending and (at := datetime.now(UTC)) < until:
            self._crew.wait((until - at).total_seconds(), never)
            self.collect(datetime.now(UTC))
        # Those still go on for a moment; who takes them anew sends them a second time, under the same id.
        release_claims(self._conn, list(self._crew.sending.values()))
        self._crew.forget()

    def _claim(self, now: datetime) -> Sequence[Claim]:
        room = self._crew.room
        if room <= 0:
            return []
        busy = Counter(claim.endpoint_id for claim in self._crew.sending.values())
        due = load_due_endpoints(self._conn, now)
        first = bisect_right(due, self._last_endpoint)  # each in turn, however many there are
        rooms: dict[int, int] = {}
        for endpoint_id in due[first:] + due[:first]:
            own = min(self._settings.webhook_per_endpoint - busy[endpoint_id], room)
            if own > 0:
                rooms[endpoint_id] = own
                room -= own
                self._last_endpoint = endpoint_id
        return claim_deliveries(self._conn, rooms, now, self._lease)

    def _hand_out(self, claims: Sequence[Claim], now: datetime) -> None:
        sealed = load_secrets(self._conn, list({claim.endpoint for claim in claims}), now) if claims else {}
        for claim in claims:
            try:
                secrets = open_secrets(self._settings.webhook_key_file, claim.endpoint, sealed.get(claim.endpoint, []))
                if not secrets:
                    raise ConfigurationError(f"{claim.endpoint} has no secret")
            except ConfigurationError as problem:
                self._status.error = str(problem)
                log.error("%s cannot be delivered to: %s", claim.endpoint, problem)
                result = AttemptResult(now, 0, error=DeliveryError.SECRET, detail=str(problem)[:500])
                self._record(claim, result, now)
                continue
            self._status.error = ""
            body = make_body(claim.body, claim.outbox_id)
            self._crew.give(claim, Message(claim.url, str(claim.event_id), body, secrets))

    def _record(self, claim: Claim, result: AttemptResult, now: datetime) -> None:
        if result.is_delivered:
            self._status.delivered += 1
            record_result(self._conn, claim, result, None)
            return
        self._status.failed += 1
        log.info("delivery %d to %s failed: %s %s", claim.id, claim.endpoint, result.error, result.status or "")
        if result.is_gone:
            self._disable(claim, result, now)
            return
        next_at = find_next_attempt(claim.tries + 1, now, spread=self._spread(), retry_after=result.retry_after)
        record_result(self._conn, claim, result, next_at)

    def _disable(self, claim: Claim, result: AttemptResult, now: datetime) -> None:
        with self._conn.transaction():
            try:
                with self._conn.transaction():
                    move_endpoint(
                        self._conn,
                        MACHINE,
                        claim.endpoint,
                        EndpointState.DISABLED,
                        GONE_REASON,
                        expected=None,
                        now=now,
                        cause=StateCause.GONE,
                    )
                log.warning("%s is disabled: %s", claim.endpoint, GONE_REASON)
            except GuardRefusedError:  # another event was answered so before, or a person was quicker
                pass
            hold_delivery(self._conn, claim, result)
