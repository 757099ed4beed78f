"""Carries out the decisions on a batch of transitions: orders, links, decisions, outbox, audit in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.audit import AuditEntry
from domain.breach import TransitionKind
from domain.profile import TicketPolicy
from domain.sla import Clocks, restart_clocks, start_clocks
from domain.tickets import (
    GATEWAY_FAULT_GROUP,
    PUT_OFF,
    STORM_FAULT_GROUP,
    DecisionKind,
    Priority,
    TicketReason,
    UndecidedTransition,
)
from domain.triage import Decision, decide
from domain.work_order import InboxReason, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from domain.working_set import WorkingSet
from service_link.batch_plan import MACHINE, BatchPlan, DecidedElsewhereError, make_breach_event
from service_link.working_set import find_policy, is_still_active, load_working_set
from store.decisions import RecordedDecision
from store.monitor_quality import load_useful_orders
from store.pool import Connection
from store.triage_context import adopt_children, lock_open_orders
from store.work_order_transitions import escalate, reopen
from store.work_orders import WorkOrderDraft, lock_work_order, open_work_order


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
    """
    with conn.transaction():
        batch = _Batch(conn, load_working_set(conn, transitions, policies, now), policies, now)
        for transition in transitions:
            batch.handle(transition)
        return batch.flush()


class _Batch:
    """One batch under way."""

    def __init__(
        self, conn: Connection, known: WorkingSet, policies: Mapping[int, TicketPolicy], now: datetime
    ) -> None:
        self._conn = conn
        self._known = known
        self._policies = policies
        self._now = now
        self._plan = BatchPlan()

    def handle(self, transition: UndecidedTransition) -> None:
        policy = find_policy(transition, self._policies)
        # A second time where an order of the key appeared between looking and inserting, then it is joined.
        for _ in range(3):
            decision = decide(transition, self._known.find_context(transition, policy), policy, self._now)
            order = self._carry_out(transition, decision, policy)
            if order is not None or decision.kind in (DecisionKind.NOTHING, DecisionKind.QUIET):
                break
        else:
            raise DecidedElsewhereError(f"transition {transition.id}")
        order = order or decision.order
        order_id = None if order is None else order.id
        params = decision.params if order is None else decision.params | {"order": order.code}
        self._plan.decisions.append(RecordedDecision(transition.id, decision.kind, decision.reason, params, order_id))
        if transition.earlier_reason not in PUT_OFF:
            self._plan.events.append(make_breach_event(transition))

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
            return self._open_gateway_parent(transition, decision, policy)
        if transition.kind is TransitionKind.CLEARED:
            self._clear(transition)
        return None

    def _clear(self, transition: UndecidedTransition) -> None:
        """The breach is over on every order it is linked to; the last one starts the quiet period."""
        for order_id in self._known.orders_of_breach.get(transition.breach_id, ()):
            active = self._known.active_of_order[order_id]
            active.discard(transition.breach_id)
            order = self._known.orders[order_id]
            if not active and order.quiet_since is None:
                self._put(replace(order, quiet_since=transition.received_at))

    def _join(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        before = decision.order
        after = self._take_in(before, transition)
        if decision.priority.is_above(before.priority):
            after = self._raise(after, decision.priority, policy)
        if decision.back_to_work:
            after = replace(
                after,
                state=WorkOrderState.IN_PROGRESS,
                resolved_at=None,
                outcome=None,
                failure_code=None,
                inbox_reason=InboxReason.CAME_BACK,
            )
        self._put(after)
        self._plan.tell("workorder.joined", transition, decision, before, after, self._now)
        return after

    def _escalate(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        before = decision.order
        after = self._raise(before, decision.priority, policy)
        self._put(after)
        self._plan.tell("workorder.escalated", transition, decision, before, after, self._now, is_event=False)
        return after

    def _reopen(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        assert decision.order is not None
        key = (transition.device_id, transition.fault_group)
        before = lock_work_order(self._conn, decision.order.code, None)
        self._known.closed.pop(key, None)
        if before.state is not WorkOrderState.CLOSED:
            # A person reopened it at this moment: then it is open, and is joined.
            if before.state.is_open:
                self._known.add_order(before)
            return None
        clocks = start_clocks(policy, decision.priority, self._now)
        after = reopen(before, clocks.response_due_at, clocks.resolution_due_at)
        after = replace(after, priority=decision.priority, inbox_reason=InboxReason.REOPENED)
        self._known.add_order(after)
        after = self._take_in(after, transition)
        self._put(after)
        self._plan.tell("workorder.reopened", transition, decision, before, after, self._now)
        return after

    def _open(self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy) -> WorkOrder | None:
        parent_id = self._find_storm_parent(transition, decision, policy) if decision.in_storm else None
        order = open_work_order(
            self._conn,
            self._draft(
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
            for existing in lock_open_orders(self._conn, {(transition.device_id, transition.fault_group)}):
                self._known.add_order(existing)
            return None
        self._known.add_order(order)
        order = self._take_in(order, transition)
        self._put(order)
        self._known.closed.pop((transition.device_id, transition.fault_group), None)
        self._plan.tell("workorder.opened", transition, decision, None, order, self._now)
        return order

    def _find_title_params(self, transition: UndecidedTransition) -> dict[str, Any]:
        """The breach's own, and what became of the orders that its monitor opened before: how sure the ticket is."""
        useful, orders = load_useful_orders(
            self._conn, transition.device_model_id, transition.monitor, is_simulated=transition.is_simulated
        )
        return transition.params | ({"precision": {"useful": useful, "orders": orders}} if orders else {})

    def _find_storm_parent(
        self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy
    ) -> int | None:
        """The site's storm order, opened where there is none; what the storm opened before becomes its child."""
        assert transition.site_id is not None
        known = self._known.by_site.get(transition.site_id)
        if known is not None:
            before = self._known.orders[known]
            parent = self._take_in(before, transition)
            # The inbox shows the parent alone: it must be as urgent as the worst below it.
            if decision.priority.is_above(parent.priority):
                parent = self._raise(parent, decision.priority, policy)
            self._put(parent)
            self._plan.tell("workorder.joined", transition, decision, before, parent, self._now)
            return parent.id
        params = {"site": transition.site_code, "devices": decision.params["devices"]}
        breaches = {breach_id: active for _, breach_id, active in self._known.find_storm(transition, policy)}
        parent_order = self._open_parent(
            transition, decision, policy, STORM_FAULT_GROUP, "site_storm", params, breaches, gateway_id=None
        )
        return self._known.by_site.get(transition.site_id) if parent_order is None else parent_order.id

    def _open_gateway_parent(
        self, transition: UndecidedTransition, decision: Decision, policy: TicketPolicy
    ) -> WorkOrder | None:
        assert transition.gateway_id is not None
        breaches = dict.fromkeys(self._known.gateway_offline[transition.gateway_id].values(), True)
        return self._open_parent(
            transition,
            decision,
            policy,
            GATEWAY_FAULT_GROUP,
            "gateway_offline",
            decision.params,
            breaches,
            gateway_id=transition.gateway_id,
        )

    def _open_parent(
        self,
        transition: UndecidedTransition,
        decision: Decision,
        policy: TicketPolicy,
        fault_group: str,
        title_code: str,
        title_params: dict[str, Any],
        breaches: Mapping[UUID, bool],
        *,
        gateway_id: int | None,
    ) -> WorkOrder | None:
        """An order for a gateway or site with all these breaches; open orders of single devices become its children."""
        draft = self._draft(
            transition,
            WorkOrderType.CORRECTIVE,
            decision.priority,
            policy,
            fault_group=fault_group,
            title_code=title_code,
            title_params=title_params,
            gateway_id=gateway_id,
        )
        parent = open_work_order(self._conn, draft)
        if parent is None:
            gateways = [] if gateway_id is None else [gateway_id]
            sites = [transition.site_id] if gateway_id is None and transition.site_id is not None else []
            for existing in lock_open_orders(self._conn, (), (), gateways, sites):
                self._known.add_order(existing)
            return None
        self._known.add_order(parent)
        # Links of this batch are still in memory: the orders they belong to must be found by their breaches.
        self._plan.write_links(self._conn)
        children = adopt_children(
            self._conn, parent.id, list(breaches), transition.fault_group if gateway_id is not None else None, self._now
        )
        for child_id, code in children:
            if child_id in self._known.orders:
                self._known.orders[child_id] = replace(self._known.orders[child_id], parent_id=parent.id)
            self._plan.audit.append(
                AuditEntry("workorder.adopted", "work_order", code, None, {"parent": parent.code}, decision.reason)
            )
        for breach_id, is_active in breaches.items():
            self._known.link(parent.id, breach_id, is_active=is_active)
            self._plan.links.append((parent.id, breach_id))
        parent = replace(parent, breach_count=len(breaches))
        parent = self._take_in(parent, transition)
        self._put(parent)
        self._plan.tell("workorder.opened", transition, decision, None, parent, self._now)
        return parent

    def _take_in(self, order: WorkOrder, transition: UndecidedTransition) -> WorkOrder:
        """The order with the breach linked and counted; it is not quiet while the breach goes on."""
        is_active = is_still_active(transition)
        is_new = order.id not in self._known.orders_of_breach[transition.breach_id]
        self._known.link(order.id, transition.breach_id, is_active=is_active)
        self._plan.links.append((order.id, transition.breach_id))
        is_quiet = not self._known.active_of_order[order.id]
        last = transition.at if order.last_breach_at is None else max(order.last_breach_at, transition.at)
        return replace(
            order,
            breach_count=order.breach_count + is_new,
            last_breach_at=last,
            quiet_since=transition.received_at if is_quiet else None,
            ready_to_verify_at=None,
        )

    def _raise(self, order: WorkOrder, priority: Priority, policy: TicketPolicy) -> WorkOrder:
        running = Clocks(order.response_due_at or self._now, order.resolution_due_at or self._now)
        clocks = restart_clocks(policy, priority, self._now, running)
        return escalate(order, priority, clocks.response_due_at, clocks.resolution_due_at)

    def _draft(
        self,
        transition: UndecidedTransition,
        order_type: WorkOrderType,
        priority: Priority,
        policy: TicketPolicy,
        *,
        fault_group: str,
        title_code: str,
        title_params: Mapping[str, Any],
        device_id: int | None = None,
        gateway_id: int | None = None,
        recurrence_of: int | None = None,
        parent_id: int | None = None,
    ) -> WorkOrderDraft:
        return WorkOrderDraft(
            type=order_type,
            source=WorkOrderSource.AUTOMATIC,
            priority=priority,
            device_id=device_id,
            gateway_id=gateway_id,
            site_id=transition.site_id,
            customer_id=transition.customer_id,
            contract_id=transition.contract_id,
            fault_group=fault_group,
            title_code=title_code,
            title_params=title_params,
            clocks=start_clocks(policy, priority, self._now),
            created_by=MACHINE.name,
            created_at=self._now,
            region=transition.region,
            is_simulated=transition.is_simulated,
            recurrence_of=recurrence_of,
            parent_id=parent_id,
        )

    def _put(self, order: WorkOrder) -> None:
        self._known.orders[order.id] = replace(order, updated_at=self._now)
        self._plan.touched[order.id] = None

    def flush(self) -> list[RecordedDecision]:
        """Writes everything; the decisions."""
        return self._plan.write(self._conn, self._known.orders, self._now)
