"""The service desk in memory: production's ticket rules decide on every transition, and orders end as real ones do.

`domain.triage.decide` takes each decision, with the context that `service_link.working_set` finds; what differs
from production is only that orders stand in memory. What people do is simple and the same for every set of rules: an
order of a real fault is closed when the part was replaced (or the line freed), any other after a visit of two days, as
a false alarm. So a wrong order hides what comes after it for no longer than two days.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from benchmarks.fleet_truth import Ticket, TrueFault
from benchmarks.fleet_world import BLOCK_US, DAY, HOUR, MINUTE, SECOND, FleetPlan, Nuisance, Unit
from domain.breach import BreachKind, BreachState, BreachTransition, Severity, TransitionKind
from domain.clock import from_micros, to_micros
from domain.profile import Profile, TicketPolicy
from domain.tickets import GATEWAY_FAULT_GROUP, PUT_OFF, DecisionKind, TicketReason, UndecidedTransition
from domain.triage import Decision, decide
from domain.work_order import Outcome, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from service_link.working_set import WorkingSet

VISIT_US = 2 * DAY
AFTER_REPAIR_US = 2 * HOUR  # until the order of a mended fault is verified and closed
UNDERWAY_US = 2 * SECOND  # from the device to the decision


@dataclass(slots=True)
class _Live:
    """One order and what is still to happen to it."""

    order: WorkOrder
    closes_us: int
    outcome: Outcome


class ServiceDesk:
    """Takes transitions in the order in which they were recorded; `tickets` are the orders opened or reopened."""

    def __init__(self, plan: FleetPlan, profiles: Mapping[str, Profile], faults: Sequence[TrueFault]) -> None:
        self._units = {unit.id: unit for unit in plan.units}
        self._policies: dict[str, TicketPolicy] = {model: p.tickets for model, p in profiles.items()}
        self._critical = {model: p.safety_critical for model, p in profiles.items()}
        self._known = WorkingSet()
        self._live: dict[int, _Live] = {}
        self._linked: dict[int, list[UUID]] = defaultdict(list)
        self._breaches: dict[UUID, BreachState] = {}
        self._raised: dict[tuple[int, str], list[int]] = defaultdict(list)  # raised above INFO, by time
        self._faults: dict[int, list[TrueFault]] = defaultdict(list)
        for fault in faults:
            self._faults[fault.device].append(fault)
        self._maintenance: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for episode in plan.episodes:
            if episode.kind is Nuisance.MAINTENANCE:
                self._maintenance[episode.unit + 1].append((episode.since_us, episode.until_us))
        self._put_off: list[tuple[int, UndecidedTransition]] = []
        self._transitions = 0
        self.tickets: list[Ticket] = []
        self.parents = 0  # of storms: each groups orders that are counted themselves
        self.decisions = 0

    def handle(self, transitions: Sequence[BreachTransition]) -> None:
        """Decides on what one block led to, after all that was due before each. What a gateway had buffered is decided
        on when it came, and by then it may be over already."""
        over = {t.breach_id for t in transitions if t.kind is TransitionKind.CLEARED}
        for transition in transitions:
            at_us, received_us = to_micros(transition.at), to_micros(transition.received_at)
            is_late = received_us - at_us > BLOCK_US + MINUTE
            now_us = received_us if is_late else at_us + UNDERWAY_US
            self.pass_time(now_us)
            self._decide(self._describe(transition, now_us, is_over=is_late and transition.breach_id in over), now_us)

    def pass_time(self, now_us: int) -> None:
        """Closes what is due, and decides again what was put off by a maintenance that is over."""
        for order_id in [i for i, live in self._live.items() if live.closes_us <= now_us]:
            self._close(order_id)
        due = [t for until_us, t in self._put_off if until_us <= now_us]
        self._put_off = [(until_us, t) for until_us, t in self._put_off if until_us > now_us]
        for transition in due:
            if self._breaches.get(transition.breach_id) is BreachState.ACTIVE:
                again = replace(
                    transition,
                    lifecycle="ACTIVE",
                    breach_state=BreachState.ACTIVE,
                    earlier_reason=TicketReason.UNDER_MAINTENANCE,
                )
                self._decide(again, now_us)

    def _describe(self, t: BreachTransition, now_us: int, *, is_over: bool) -> UndecidedTransition:
        unit = self._units[t.device_id]
        self._transitions += 1
        over = is_over or t.kind is TransitionKind.CLEARED
        self._breaches[t.breach_id] = BreachState.CLEARED if over else BreachState.ACTIVE
        if t.kind is TransitionKind.RAISED:
            if t.severity is not Severity.INFO:
                self._raised[t.device_id, t.fault_group].append(to_micros(t.at))
            if t.severity.rank >= Severity.MAJOR.rank:
                self._known.site_times[unit.site].append(t.at)
                self._known.site_breaches[unit.site].append((t.device_id, t.breach_id, True))
        if t.breach_kind is BreachKind.OFFLINE and unit.gateway is not None:
            offline = self._known.gateway_offline[unit.gateway]
            if over:
                offline.pop(t.device_id, None)
            else:
                offline[t.device_id] = t.breach_id
        under = self._find_maintenance(unit, now_us)
        device = unit.device
        return UndecidedTransition(
            id=self._transitions,
            breach_id=t.breach_id,
            kind=t.kind,
            severity=t.severity,
            at=t.at,
            received_at=from_micros(now_us),
            recorded_at=from_micros(now_us),
            reason_code=t.reason_code,
            params=dict(t.params),
            breach_kind=t.breach_kind,
            breach_state=self._breaches[t.breach_id],
            monitor=t.monitor,
            fault_group=t.fault_group,
            firmware=device.firmware,
            device_id=t.device_id,
            serial=device.serial,
            device_model_id=0,
            safety_critical=self._critical[device.model],
            lifecycle="ACTIVE" if under is None else "UNDER_MAINTENANCE",
            lifecycle_since=from_micros(unit.begins_us if under is None else under[0]),
            gateway_id=unit.gateway,
            gateway=device.gateway or None,
            site_id=unit.site,
            site_code=device.site_ref,
            customer_id=unit.customer,
            contract_id=None,
            region=device.region,
            is_simulated=True,
        )

    def _find_maintenance(self, unit: Unit, now_us: int) -> tuple[int, int] | None:
        return next((m for m in self._maintenance[unit.id] if m[0] <= now_us < m[1]), None)

    def _decide(self, transition: UndecidedTransition, now_us: int) -> None:
        policy = self._policies[self._units[transition.device_id].device.model]
        window_us = round(policy.minor_window_h * HOUR)
        times = sorted(self._raised[transition.device_id, transition.fault_group])
        at_us = to_micros(transition.at)
        episodes = bisect_right(times, at_us) - bisect_right(times, at_us - window_us)
        self._known.episodes = {transition.id: episodes}
        decision = decide(transition, self._known.find_context(transition, policy), policy, from_micros(now_us))
        self.decisions += 1
        self._carry_out(transition, decision, now_us)
        if decision.kind is DecisionKind.NOTHING and decision.reason in PUT_OFF:
            under = self._find_maintenance(self._units[transition.device_id], now_us)
            if under is not None:
                self._put_off.append((under[1], transition))

    def _carry_out(self, transition: UndecidedTransition, decision: Decision, now_us: int) -> None:
        if decision.kind is DecisionKind.JOINED and decision.order is not None:
            self._link(decision.order.id, transition, now_us)
        elif decision.kind in (DecisionKind.OPENED, DecisionKind.REOPENED) or decision.in_storm:
            self._open(transition, decision, now_us)
        elif decision.reason is TicketReason.GATEWAY_OFFLINE:
            self._open_gateway(transition, decision, now_us)
        elif transition.kind is TransitionKind.CLEARED:
            for order_id in self._known.orders_of_breach.pop(transition.breach_id, ()):
                self._known.active_of_order[order_id].discard(transition.breach_id)

    def _open(self, transition: UndecidedTransition, decision: Decision, now_us: int) -> None:
        key = (transition.device_id, transition.fault_group)
        self._known.closed.pop(key, None)
        order = self._make_order(transition, decision, now_us, transition.device_id, None, transition.fault_group)
        fault = self._find_fault(transition.device_id, transition.fault_group, now_us)
        closes_us, outcome = now_us + VISIT_US, Outcome.FALSE_ALARM
        if fault is not None:
            closes_us, outcome = max(fault.end_us + AFTER_REPAIR_US, now_us + HOUR), Outcome.CONFIRMED
        if decision.in_storm:
            self.parents += decision.kind is DecisionKind.PARENT
        self._start(order, closes_us, outcome, transition, decision, now_us)

    def _open_gateway(self, transition: UndecidedTransition, decision: Decision, now_us: int) -> None:
        order = self._make_order(transition, decision, now_us, None, transition.gateway_id, GATEWAY_FAULT_GROUP)
        self._start(order, now_us + 4 * HOUR, Outcome.CONFIRMED, transition, decision, now_us)

    def _start(
        self,
        order: WorkOrder,
        closes_us: int,
        outcome: Outcome,
        transition: UndecidedTransition,
        decision: Decision,
        now_us: int,
    ) -> None:
        self._known.add_order(order)
        self._live[order.id] = _Live(order, closes_us, outcome)
        self._known.link(order.id, transition.breach_id, is_active=True)
        self._linked[order.id].append(transition.breach_id)
        self.tickets.append(
            Ticket(
                order=order.id,
                device=transition.device_id,
                gateway=order.gateway_id,
                fault_group=order.fault_group,
                opened_us=now_us,
                monitor=transition.monitor,
                reason=decision.reason.value,
                is_new=True,
            )
        )

    def _link(self, order_id: int, transition: UndecidedTransition, now_us: int) -> None:
        if order_id in self._known.orders_of_breach[transition.breach_id]:
            return
        self._known.link(order_id, transition.breach_id, is_active=transition.breach_state is BreachState.ACTIVE)
        self._linked[order_id].append(transition.breach_id)
        order = self._known.orders[order_id]
        if order.device_id is None:
            return
        self.tickets.append(
            Ticket(
                order=order_id,
                device=transition.device_id,
                gateway=None,
                fault_group=order.fault_group,
                opened_us=now_us,
                monitor=transition.monitor,
                reason="joined",
                is_new=False,
            )
        )
        fault = self._find_fault(transition.device_id, order.fault_group, now_us)
        if fault is not None and order_id in self._live:
            live = self._live[order_id]
            live.closes_us = max(live.closes_us, fault.end_us + AFTER_REPAIR_US)
            live.outcome = Outcome.CONFIRMED

    def _find_fault(self, device: int, group: str, now_us: int) -> TrueFault | None:
        return next(
            (f for f in self._faults[device] if f.fault_group == group and f.onset_us <= now_us < f.end_us + HOUR), None
        )

    def _close(self, order_id: int) -> None:
        live = self._live.pop(order_id)
        order = replace(
            live.order, state=WorkOrderState.CLOSED, outcome=live.outcome, closed_at=from_micros(live.closes_us)
        )
        del self._known.orders[order_id]
        if order.device_id is not None:
            self._known.by_key.pop((order.device_id, order.fault_group), None)
        elif order.gateway_id is not None:
            self._known.by_gateway.pop(order.gateway_id, None)
        self._known.active_of_order.pop(order_id, None)
        for breach_id in self._linked.pop(order_id, ()):
            linked = self._known.orders_of_breach.get(breach_id, [])
            if order_id in linked:
                linked.remove(order_id)
        if order.device_id is not None:
            self._known.closed[order.device_id, order.fault_group] = order

    def _make_order(
        self,
        transition: UndecidedTransition,
        decision: Decision,
        now_us: int,
        device_id: int | None,
        gateway_id: int | None,
        fault_group: str,
    ) -> WorkOrder:
        number = len(self.tickets) + 1
        now: datetime = from_micros(now_us)
        return WorkOrder(
            id=number,
            code=f"WO-{number}",
            type=decision.order_type if device_id is not None else WorkOrderType.CORRECTIVE,
            source=WorkOrderSource.AUTOMATIC,
            priority=decision.priority,
            state=WorkOrderState.ASSIGNED,
            hold_reason=None,
            device_id=device_id,
            gateway_id=gateway_id,
            site_id=transition.site_id,
            customer_id=transition.customer_id,
            contract_id=None,
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
            response_due_at=now,
            resolution_due_at=now + timedelta(days=2),
            responded_at=None,
            resolved_at=None,
            response_breached=False,
            resolution_breached=False,
            inbox_reason=None,
            closed_at=None,
            cancel_reason=None,
            region=transition.region,
            is_simulated=True,
            row_version=1,
            created_by="service_link",
            created_at=now,
            updated_at=now,
        )
