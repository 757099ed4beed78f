"""Carries out the decisions on a batch of transitions: orders, links, decisions, outbox, audit in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit_work_order import OrderNews
from domain.breach import TransitionKind
from domain.profile import TicketPolicy
from domain.sla import start_clocks
from domain.sla_changes import find_start
from domain.tickets import (
    PUT_OFF,
    DecisionKind,
    TicketReason,
    UndecidedTransition,
)
from domain.triage import Decision, decide
from domain.work_order import InboxReason, WorkOrder, WorkOrderState
from service_link.batch_orders import BatchOrders
from service_link.batch_plan import DecidedElsewhereError, make_breach_event
from service_link.parent_orders import ParentOrders
from service_link.working_set import find_policy, load_working_set
from store.decisions import RecordedDecision
from store.monitor_quality import load_useful_orders
from store.pool import Connection
from store.sla_terms import SlaBook
from store.triage_context import load_links, lock_open_orders
from store.work_order_transitions import reopen
from store.work_orders import lock_work_order, open_work_order


def triage_batch(
    conn: Connection,
    transitions: Sequence[UndecidedTransition],
    policies: Mapping[int, TicketPolicy],
    now: datetime,
) -> list[RecordedDecision]:
    """One decision for every transition, in order, committed with all that it causes or not at all.

    Raises
    ------
    DecidedElsewhereError
        Another process has decided one of them; nothing was written.
    DeviceMovedError
        What they say of their devices is not so any more; nothing was written.
    """
    with conn.transaction():
        sla = SlaBook()
        sla.read(
            conn,
            {t.site_id for t in transitions if t.site_id is not None},
            {t.contract_id for t in transitions if t.contract_id is not None},
        )
        known = load_working_set(conn, transitions, policies, now)
        batch = _Batch(BatchOrders(conn, known, sla, now), policies, [t.breach_id for t in transitions])
        for transition in transitions:
            batch.handle(transition)
        return batch.orders.flush()


class _Batch:
    """One batch under way."""

    def __init__(self, orders: BatchOrders, policies: Mapping[int, TicketPolicy], breach_ids: Sequence[UUID]) -> None:
        self.orders = orders
        self._parents = ParentOrders(orders)
        self._policies = policies
        self._breach_ids = breach_ids

    def handle(self, transition: UndecidedTransition) -> None:
        policy = find_policy(transition, self._policies)
        # A second time where an order of the key appeared between looking and inserting, then it is joined.
        for _ in range(3):
            decision = decide(transition, self.orders.known.find_context(transition, policy), policy, self.orders.now)
            order = self._carry_out(transition, decision, policy)
            if order is not None or decision.kind in (DecisionKind.NOTHING, DecisionKind.QUIET):
                break
        else:
            raise DecidedElsewhereError(f"transition {transition.id}")
        order = order or decision.order
        order_id = None if order is None else order.id
        params = decision.params if order is None else decision.params | {"order": order.code}
        self.orders.plan.decisions.append(
            RecordedDecision(transition.id, decision.kind, decision.reason, params, order_id)
        )
        if transition.earlier_reason not in PUT_OFF:
            self.orders.plan.events.append(make_breach_event(transition))

    def _carry_out(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        """The order that the decision changed or opened; None where there is none, or where the key was taken."""
        if decision.kind is DecisionKind.JOINED:
            return self._join(transition, decision, policy)
        if decision.kind is DecisionKind.ESCALATED:
            return self._escalate(transition, decision, policy)
        if decision.kind is DecisionKind.REOPENED:
            return self._reopen(transition, decision, policy)
        if decision.kind is DecisionKind.OPENED or decision.reason is TicketReason.SITE_STORM:
            return self._open(transition, decision, policy)
        if decision.reason is TicketReason.GATEWAY_OFFLINE:
            return self._parents.open_gateway_parent(transition, decision, policy)
        if transition.kind is TransitionKind.CLEARED:
            self._clear(transition)
        return None

    def _clear(self, transition: UndecidedTransition) -> None:
        """The breach is over on every order it is linked to; the last one starts the quiet period."""
        for order_id in self.orders.known.orders_of_breach.get(transition.breach_id, ()):
            active = self.orders.known.active_of_order[order_id]
            active.discard(transition.breach_id)
            order = self.orders.known.orders[order_id]
            if not active and order.quiet_since is None:
                self.orders.put(replace(order, quiet_since=transition.received_at))

    def _join(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        before = decision.order
        after = self.orders.take_in(before, transition)
        if decision.back_to_work:
            after = replace(
                after,
                state=WorkOrderState.IN_PROGRESS,
                resolved_at=None,
                outcome=None,
                failure_code=None,
                inbox_reason=InboxReason.CAME_BACK,
            )
        after = self.orders.settle(before, after, decision.priority, policy)
        self.orders.put(after)
        self.orders.plan.tell(OrderNews.JOINED, transition, decision, before, after, self.orders.now)
        return after

    def _escalate(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        before = decision.order
        after = self.orders.settle(before, before, decision.priority, policy)
        self.orders.put(after)
        self.orders.plan.tell(OrderNews.ESCALATED, transition, decision, before, after, self.orders.now, is_event=False)
        return after

    def _reopen(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        key = (transition.device_id, transition.fault_group)
        self.orders.known.closed.pop(key, None)
        if decision.order.id in self.orders.known.orders:
            # A breach of the other key that it takes care of has reopened it in this batch: it is joined.
            self.orders.known.add_key(key, decision.order.id)
            return None
        before = lock_work_order(self.orders.conn, decision.order.code, None)
        if before.state is not WorkOrderState.CLOSED:
            # A person reopened it at this moment: then it is open, and is joined.
            if before.state.is_open:
                self._learn(before)
                self.orders.known.add_key(key, before.id)
            return None
        terms = self.orders.find_terms(before.site_id, before.contract_id, decision.priority, policy)
        clocks = start_clocks(terms, self.orders.now)
        after = reopen(before, clocks.response_due_at, clocks.resolution_due_at)
        after = replace(after, priority=decision.priority, inbox_reason=InboxReason.REOPENED)
        self.orders.plan.clocks += find_start(after, terms, self.orders.now)
        self._learn(after)
        self.orders.known.add_key(key, after.id)
        after = self.orders.take_in(after, transition)
        self.orders.put(after)
        self.orders.plan.tell(OrderNews.REOPENED, transition, decision, before, after, self.orders.now)
        return after

    def _open(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        parent_id = self._parents.find_storm_parent(transition, decision, policy) if decision.in_storm else None
        order = open_work_order(
            self.orders.conn,
            self.orders.draft(
                transition,
                decision.order_type,
                decision.priority,
                policy,
                fault_group=transition.fault_group,
                title_code=transition.reason_code,
                title_params=self._find_title_params(transition),
                device_id=transition.device_id,
                recurrence_of=decision.recurrence_of,
                parent_id=parent_id,
            ),
        )
        if order is None:
            for existing in lock_open_orders(self.orders.conn, {(transition.device_id, transition.fault_group)}):
                self._learn(existing)
            return None
        self.orders.add_opened(order, policy)
        order = self.orders.take_in(order, transition)
        self.orders.put(order)
        self.orders.known.closed.pop((transition.device_id, transition.fault_group), None)
        self.orders.plan.tell(OrderNews.OPENED, transition, decision, None, order, self.orders.now)
        return order

    def _learn(self, order: WorkOrder) -> None:
        """An order that was not open when the batch began is known from now on, with the breaches that it has: one of
        them that is worse now is counted already.
        """
        self.orders.known.add_order(order)
        for order_id, breach_id, is_active in load_links(self.orders.conn, [order.id], self._breach_ids):
            self.orders.known.link(order_id, breach_id, is_active=is_active)

    def _find_title_params(self, transition: UndecidedTransition) -> dict[str, Any]:
        """The breach's own, and what became of the orders that its monitor opened before: how sure the ticket is."""
        useful, orders = load_useful_orders(
            self.orders.conn, transition.device_model_id, transition.monitor, is_simulated=transition.is_simulated
        )
        return transition.params | ({"precision": {"useful": useful, "orders": orders}} if orders else {})
