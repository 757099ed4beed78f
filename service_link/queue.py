"""The queue of undecided transitions: in id order, none passed over, a poisonous one set aside with its reason."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from domain.audit_breach import triage_failed
from domain.profile import TicketPolicy
from domain.tickets import DecisionKind, TicketReason, UndecidedTransition
from domain.triage import is_awaited
from service_link.batch import triage_batch
from service_link.batch_plan import MACHINE, DecidedElsewhereError
from service_link.working_set import DeviceMovedError, find_policy
from store.audit import record_audit
from store.decisions import (
    RACED,
    RecordedDecision,
    load_decided_floor,
    load_failed,
    load_put_off,
    load_undecided,
    record_decisions,
)
from store.pool import DATABASE_GONE, RETRYABLE, Connection
from store.ticket_policies import load_ticket_policies

log = logging.getLogger("forewarn.service_link")

# A writer may commit a lower id after a higher one is visible, but not this much later: its statements time out before.
COMMIT_HORIZON = timedelta(minutes=10)
MAX_ATTEMPTS = 10


@dataclass(slots=True)
class TriageQueue:
    """Where triage stands. All of it can be lost: `start` finds it again from what is committed."""

    batch_size: int
    late_grace: timedelta
    floor: int = 0  # everything up to here is decided and was committed long ago
    awaited: dict[int, datetime] = field(default_factory=dict)  # late ones, and until when
    decided: int = 0
    failed: int = 0
    _marks: deque[tuple[datetime, int]] = field(default_factory=deque)

    def start(self, conn: Connection, now: datetime) -> None:
        """Begins at the oldest undecided transition; those whose triage failed get another chance, once."""
        self._marks.clear()
        self._marks.append((now, load_decided_floor(conn)))
        self.floor = 0
        self.awaited.clear()
        self.retry_failed(conn, now)

    def drain(
        self, conn: Connection, clock: Callable[[], datetime], keep_on: Callable[[], bool]
    ) -> list[RecordedDecision]:
        """Decides all that is undecided while `keep_on()` holds; the decisions taken."""
        taken: list[RecordedDecision] = []
        policies = load_ticket_policies(conn)
        while keep_on():
            now = clock()
            self.awaited = {i: until for i, until in self.awaited.items() if until > now}
            found = load_undecided(conn, after=self.floor, skipped=list(self.awaited), now=now, limit=self.batch_size)
            ready = []
            for transition in found:
                if is_awaited(transition, find_policy(transition, policies), now, self.late_grace):
                    self.awaited[transition.id] = transition.recorded_at + self.late_grace
                else:
                    ready.append(transition)
            taken += self.triage(conn, ready, policies, now)
            if len(found) < self.batch_size:
                self._mark(conn, now)
                break
        return taken

    def decide_put_off(self, conn: Connection, now: datetime) -> list[RecordedDecision]:
        """Decides what was put off by a shelving or maintenance that is over; the decisions taken."""
        return self.triage(conn, load_put_off(conn, now=now, limit=self.batch_size), load_ticket_policies(conn), now)

    def retry_failed(self, conn: Connection, now: datetime) -> list[RecordedDecision]:
        """Tries again what could not be triaged, each once; the decisions taken."""
        taken: list[RecordedDecision] = []
        after = 0
        policies = load_ticket_policies(conn)
        while failed := load_failed(conn, after=after, now=now, limit=self.batch_size):
            taken += self.triage(conn, failed, policies, now)
            after = failed[-1].id
        return taken

    def triage(
        self,
        conn: Connection,
        transitions: Sequence[UndecidedTransition],
        policies: Mapping[int, TicketPolicy],
        now: datetime,
    ) -> list[RecordedDecision]:
        """Decides these transitions: all together, and if that fails by halves, until the poisonous one stands alone.

        One alone that cannot be decided is recorded as `triage_failed` and never blocks the queue.
        """
        if not transitions:
            return []
        for _ in range(MAX_ATTEMPTS):
            try:
                taken = triage_batch(conn, transitions, policies, now)
            except (*RETRYABLE, *RACED) as error:
                log.info("triage is tried again: %s", error)
                continue
            except (DecidedElsewhereError, DeviceMovedError):
                return []  # what is undecided is loaded again
            except DATABASE_GONE:
                raise
            except Exception as error:  # noqa: BLE001 - one poisonous transition must not stop the others
                if len(transitions) == 1:
                    return self._set_aside(conn, transitions[0], error, now)
                break
            else:
                self.decided += len(taken)
                return taken
        else:
            return []
        half = len(transitions) // 2
        first = self.triage(conn, transitions[:half], policies, now)
        return first + self.triage(conn, transitions[half:], policies, now)

    def _set_aside(
        self, conn: Connection, transition: UndecidedTransition, error: Exception, now: datetime
    ) -> list[RecordedDecision]:
        log.exception("transition %d could not be triaged", transition.id)
        self.failed += 1
        params = {"error": f"{type(error).__name__}: {error}"[:500], "serial": transition.serial}
        failed = RecordedDecision(transition.id, DecisionKind.NOTHING, TicketReason.TRIAGE_FAILED, params, None)
        with conn.transaction():
            if record_decisions(conn, [failed], now):
                record_audit(conn, MACHINE, triage_failed(transition.breach_id, params))
        return [failed]

    def _mark(self, conn: Connection, now: datetime) -> None:
        """Moves the floor to what was the newest decided id one commit horizon ago."""
        if self._marks and now - self._marks[-1][0] < timedelta(minutes=1):
            return
        while self._marks and now - self._marks[0][0] >= COMMIT_HORIZON:
            self.floor = self._marks.popleft()[1]
        self._marks.append((now, load_decided_floor(conn)))
