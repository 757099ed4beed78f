"""What a batch of decisions will write at its end: changed orders, links, decisions, events, audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit import Actor, AuditEntry
from domain.audit_work_order import OrderNews, order_told_of_breach
from domain.breach import TransitionKind
from domain.errors import ForewarnError
from domain.sla_changes import ClockChange
from domain.tickets import UndecidedTransition
from domain.triage import Decision
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.decisions import RecordedDecision, record_decisions
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.sla_clocks import apply_clocks, record_clock_changes
from store.triage_context import record_links
from store.work_order_transitions import make_order_event
from store.work_orders import find_changes, update_work_orders

MACHINE = Actor(name="service_link", role="machine", permission="ticket_rules")
BREACH_EVENTS = {
    TransitionKind.RAISED: "breach.opened",
    TransitionKind.ESCALATED: "breach.escalated",
    TransitionKind.CLEARED: "breach.cleared",
}


class DecidedElsewhereError(ForewarnError):
    """Another process decided a transition of this batch first; what was done for it here is undone."""


@dataclass(slots=True)
class BatchPlan:
    """Collected while the batch is decided, written at its end."""

    touched: dict[int, None] = field(default_factory=dict)
    links: list[tuple[int, UUID]] = field(default_factory=list)
    clocks: list[ClockChange] = field(default_factory=list)
    decisions: list[RecordedDecision] = field(default_factory=list)
    events: list[OutboxEvent] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)

    def tell(
        self,
        what: OrderNews,
        transition: UndecidedTransition,
        decision: Decision,
        before: WorkOrder | None,
        after: WorkOrder,
        now: datetime,
        *,
        is_event: bool = True,
    ) -> None:
        """Notes for the audit, and for other systems where `is_event`, what became of the order (before None: new)."""
        if before is None:
            was, becomes = None, _find_opened(after, transition)
        else:
            was, becomes = find_changes(before, after)
        becomes |= {"breach_id": transition.breach_id}
        self.audit.append(order_told_of_breach(what, after.code, was, becomes, decision.reason))
        if is_event:
            more = {"reason": decision.reason, "breach_id": transition.breach_id}
            subject = transition.serial if after.device_id is not None else after.code
            self.events.append(make_order_event(what, after, subject, now, **more))

    def write_links(self, conn: Connection) -> None:
        """Writes the links so far, for what has to find orders by their breaches."""
        if self.links:
            record_links(conn, self.links)
            self.links = []

    def write(self, conn: Connection, orders: Mapping[int, WorkOrder], now: datetime) -> list[RecordedDecision]:
        """Writes all of it, the audit last; `orders` are those that were touched, as they stand now.

        Raises
        ------
        DecidedElsewhereError
            Another process has decided one of the transitions: the caller rolls back.
        """
        self.write_links(conn)
        clocks = record_clock_changes(conn, self.clocks)
        update_work_orders(conn, [apply_clocks(orders[i], clocks) for i in sorted(self.touched)])
        if not record_decisions(conn, self.decisions, now):
            raise DecidedElsewhereError()
        record_events(conn, *self.events)
        record_audit(conn, MACHINE, *self.audit)
        return self.decisions


def _find_opened(order: WorkOrder, transition: UndecidedTransition) -> dict[str, Any]:
    return {
        "type": order.type,
        "priority": order.priority,
        "state": order.state,
        "fault_group": order.fault_group,
        "serial": transition.serial if order.device_id is not None else None,
        "parent_id": order.parent_id,
        "recurrence_of": order.recurrence_of,
    }


def make_breach_event(transition: UndecidedTransition) -> OutboxEvent:
    """What other systems are told of this step of a breach."""
    data = {
        "breach_id": transition.breach_id,
        "serial": transition.serial,
        "monitor": transition.monitor,
        "kind": transition.breach_kind,
        "severity": transition.severity,
        "fault_group": transition.fault_group,
        "firmware": transition.firmware,
        "at": transition.at,
        "reason_code": transition.reason_code,
        "reason_params": transition.params,
    }
    return OutboxEvent(
        BREACH_EVENTS[transition.kind],
        transition.serial,
        "breach",
        str(transition.breach_id),
        transition.at,
        data,
        transition.is_simulated,
    )
