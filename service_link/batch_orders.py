"""The orders of one batch of decisions: in memory while it is decided, written at its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domain.profile import TicketPolicy
from domain.sla import OrderTerms, start_clocks
from domain.sla_changes import find_clock_changes, find_dues_after, find_start
from domain.tickets import Priority, UndecidedTransition
from domain.work_order import WorkOrder, WorkOrderSource, WorkOrderType
from domain.working_set import WorkingSet
from service_link.batch_plan import MACHINE, BatchPlan
from service_link.working_set import is_still_active
from store.decisions import RecordedDecision
from store.pool import Connection
from store.sla_terms import SlaBook
from store.work_order_transitions import escalate
from store.work_orders import WorkOrderDraft


@dataclass(slots=True)
class BatchOrders:
    """What is known of all orders that the batch may touch, and what it will write."""

    conn: Connection
    known: WorkingSet
    sla: SlaBook
    now: datetime
    plan: BatchPlan = field(default_factory=BatchPlan)

    def take_in(self, order: WorkOrder, transition: UndecidedTransition) -> WorkOrder:
        """The order with the breach linked and counted; it is not quiet while the breach goes on."""
        is_active = is_still_active(transition)
        is_new = order.id not in self.known.orders_of_breach[transition.breach_id]
        self.known.link(order.id, transition.breach_id, is_active=is_active)
        self.plan.links.append((order.id, transition.breach_id))
        is_quiet = not self.known.active_of_order[order.id]
        last = transition.at if order.last_breach_at is None else max(order.last_breach_at, transition.at)
        return replace(
            order,
            breach_count=order.breach_count + is_new,
            last_breach_at=last,
            quiet_since=transition.received_at if is_quiet else None,
            ready_to_verify_at=None,
        )

    def settle(self, before: WorkOrder, after: WorkOrder, priority: Priority, policy: TicketPolicy) -> WorkOrder:
        """`after` at `priority` where that is above its own, with what this does to its clocks (rule 4)."""
        terms = None
        if priority.is_above(before.priority):
            terms = self.find_terms(before.site_id, before.contract_id, priority, policy)
            after = escalate(after, priority, after.response_due_at, after.resolution_due_at)
        changes = find_clock_changes(before, after, self.now, terms=terms)
        self.plan.clocks += changes
        due = find_dues_after(after, changes)
        return replace(after, response_due_at=due.response_due_at, resolution_due_at=due.resolution_due_at)

    def add_opened(self, order: WorkOrder, policy: TicketPolicy) -> None:
        """Makes a new order known, and starts its clocks."""
        self.known.add_order(order)
        terms = self.find_terms(order.site_id, order.contract_id, order.priority, policy)
        self.plan.clocks += find_start(order, terms, self.now)

    def find_terms(
        self, site_id: int | None, contract_id: int | None, priority: Priority, policy: TicketPolicy
    ) -> OrderTerms:
        """By which terms clocks begin that start now."""
        return self.sla.find_terms(self.conn, site_id, contract_id, priority, policy)

    def draft(
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
        """What a new order starts from."""
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
            clocks=start_clocks(
                self.find_terms(transition.site_id, transition.contract_id, priority, policy), self.now
            ),
            created_by=MACHINE.name,
            created_at=self.now,
            region=transition.region,
            is_simulated=transition.is_simulated,
            recurrence_of=recurrence_of,
            parent_id=parent_id,
        )

    def put(self, order: WorkOrder) -> None:
        """The order as it is from now on, until it is written."""
        self.known.orders[order.id] = replace(order, updated_at=self.now)
        self.plan.touched[order.id] = None

    def flush(self) -> list[RecordedDecision]:
        """Writes everything; the decisions."""
        return self.plan.write(self.conn, self.known.orders, self.now)
