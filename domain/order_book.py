"""Orders in memory, opened, joined and quietened by the ticket rules; when they close is the caller's matter.

A replay of history and the simulated fleet keep their orders here. Nothing is written, no clock is read: an order that
the rules reopen is a new one here, and a storm has no order of its own above those of its devices.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import GATEWAY_FAULT_GROUP, DecisionKind, TicketReason, UndecidedTransition
from domain.triage import Decision, decide
from domain.work_order import Outcome, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from domain.working_set import Key, WorkingSet


@dataclass(frozen=True, slots=True)
class Booked:
    """What was decided; the order is the one that was opened or took the breach in, None where there is none."""

    decision: Decision
    order: WorkOrder | None
    is_new: bool = False


class OrderBook:
    """The open orders, and those of each key that were closed last."""

    def __init__(self) -> None:
        self._known = WorkingSet()
        self._raised: dict[Key, list[datetime]] = defaultdict(list)  # above INFO, by time
        self._last_id = 0

    @property
    def orders(self) -> dict[int, WorkOrder]:
        """The open ones by id."""
        return self._known.orders

    def find_open(self, key: Key) -> WorkOrder | None:
        """The open order of a device and fault group."""
        return self._known.orders.get(self._known.by_key.get(key, 0))

    def take(self, transition: UndecidedTransition, policy: TicketPolicy, now: datetime) -> Booked:
        """Decides and carries out. A decision that was put off, and is taken again, comes with its `earlier_reason`."""
        key = (transition.device_id, transition.fault_group)
        if transition.earlier_reason is None:
            self._note(transition, key)
        since = transition.at - timedelta(hours=policy.minor_window_h)
        times = self._raised[key]
        self._known.episodes = {transition.id: bisect_right(times, transition.at) - bisect_right(times, since)}
        decision = decide(transition, self._known.find_context(transition, policy), policy, now)
        return self._carry_out(transition, decision, now)

    def close(self, order_id: int, outcome: Outcome, closed_at: datetime) -> None:
        """The order is done: what comes after it of its key is a recurrence, or opens it again."""
        order = self._known.orders.pop(order_id)
        if order.device_id is not None:
            key = (order.device_id, order.fault_group)
            self._known.by_key.pop(key, None)
            closed = replace(order, state=WorkOrderState.CLOSED, outcome=outcome, closed_at=closed_at)
            self._known.closed[key] = closed
        elif order.gateway_id is not None:
            self._known.by_gateway.pop(order.gateway_id, None)
        self._known.active_of_order.pop(order_id, None)
        for breach_id in [b for b, ids in self._known.orders_of_breach.items() if order_id in ids]:
            self._unlink(breach_id, order_id)

    def _note(self, t: UndecidedTransition, key: Key) -> None:
        """What the rules ask of the surroundings."""
        if t.kind is TransitionKind.RAISED:
            if t.severity is not Severity.INFO:
                insort(self._raised[key], t.at)
            if t.site_id is not None and t.severity.rank >= Severity.MAJOR.rank:
                self._known.site_times[t.site_id].append(t.at)
                self._known.site_breaches[t.site_id].append((t.device_id, t.breach_id, True))
        if t.breach_kind is BreachKind.OFFLINE and t.gateway_id is not None:
            offline = self._known.gateway_offline[t.gateway_id]
            if t.breach_state is BreachState.CLEARED:
                offline.pop(t.device_id, None)
            else:
                offline[t.device_id] = t.breach_id

    def _carry_out(self, transition: UndecidedTransition, decision: Decision, now: datetime) -> Booked:
        if decision.kind is DecisionKind.JOINED and decision.order is not None:
            order = replace(decision.order, priority=decision.priority, quiet_since=None)
            return Booked(decision, self._link(order, transition))
        if decision.kind is DecisionKind.ESCALATED and decision.order is not None:
            order = replace(decision.order, priority=decision.priority)
            self._known.orders[order.id] = order
            return Booked(decision, order)
        if decision.kind in (DecisionKind.OPENED, DecisionKind.REOPENED) or decision.in_storm:
            self._known.closed.pop((transition.device_id, transition.fault_group), None)
            order = self._open(transition, decision, now, transition.device_id, None, transition.fault_group)
            return Booked(decision, order, is_new=True)
        if decision.reason is TicketReason.GATEWAY_OFFLINE:
            order = self._open(transition, decision, now, None, transition.gateway_id, GATEWAY_FAULT_GROUP)
            return Booked(decision, order, is_new=True)
        if transition.kind is TransitionKind.CLEARED:
            self._clear(transition)
        return Booked(decision, None)

    def _link(self, order: WorkOrder, transition: UndecidedTransition) -> WorkOrder:
        self._known.orders[order.id] = order
        self._known.link(order.id, transition.breach_id, is_active=transition.breach_state is not BreachState.CLEARED)
        return order

    def _clear(self, transition: UndecidedTransition) -> None:
        """The breach is over on every order it is linked to; the last one starts the quiet period."""
        for order_id in self._known.orders_of_breach.pop(transition.breach_id, ()):
            active = self._known.active_of_order[order_id]
            active.discard(transition.breach_id)
            order = self._known.orders[order_id]
            if not active and order.quiet_since is None:
                self._known.orders[order_id] = replace(order, quiet_since=transition.received_at)

    def _unlink(self, breach_id: UUID, order_id: int) -> None:
        linked = self._known.orders_of_breach[breach_id]
        linked.remove(order_id)
        if not linked:
            del self._known.orders_of_breach[breach_id]

    def _open(
        self,
        transition: UndecidedTransition,
        decision: Decision,
        now: datetime,
        device_id: int | None,
        gateway_id: int | None,
        fault_group: str,
    ) -> WorkOrder:
        self._last_id += 1
        order = WorkOrder(
            id=self._last_id,
            code=f"MEMORY-{self._last_id}",
            type=decision.order_type if device_id is not None else WorkOrderType.CORRECTIVE,
            source=WorkOrderSource.AUTOMATIC,
            priority=decision.priority,
            state=WorkOrderState.NEW,
            hold_reason=None,
            device_id=device_id,
            gateway_id=gateway_id,
            site_id=transition.site_id,
            customer_id=transition.customer_id,
            contract_id=transition.contract_id,
            fault_group=fault_group,
            title_code=transition.reason_code,
            title_params=transition.params,
            description="",
            assignee_id=None,
            breach_count=1,
            last_breach_at=transition.at,
            quiet_since=None,
            ready_to_verify_at=None,
            reopen_count=0,
            version=1,
            recurrence_of=decision.recurrence_of,
            parent_id=None,
            outcome=None,
            failure_code=None,
            close_out=None,
            response_due_at=None,
            resolution_due_at=None,
            responded_at=None,
            resolved_at=None,
            response_breached=False,
            resolution_breached=False,
            inbox_reason=None,
            closed_at=None,
            cancel_reason=None,
            region=transition.region,
            is_simulated=transition.is_simulated,
            row_version=1,
            created_by="",
            created_at=now,
            updated_at=now,
        )
        self._known.add_order(order)
        return self._link(order, transition)
