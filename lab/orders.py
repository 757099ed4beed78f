"""The service desk in memory: production's ticket rules decide on every transition, and orders end as real ones do.

The orders are those of `domain.order_book`, as in a backtest. What people do is simple and the same for every set of
rules: an order of a real fault is closed when the part was replaced (or the line freed), any other after a visit of two
days, as a false alarm. So a wrong order hides what comes after it for no longer than two days.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from domain.breach import BreachState, BreachTransition, TransitionKind
from domain.clock import from_micros, to_micros
from domain.order_book import Booked, OrderBook
from domain.profile import Profile, TicketPolicy
from domain.tickets import HEARD_AGAIN, PUT_OFF, READING_KINDS, DecisionKind, TicketReason, UndecidedTransition
from domain.work_order import Outcome
from lab.plan import BLOCK_US, DAY, HOUR, MINUTE, SECOND, FleetPlan, Nuisance, Unit
from lab.truth import Ticket, TrueFault

VISIT_US = 2 * DAY
AFTER_REPAIR_US = 2 * HOUR  # until the order of a mended fault is verified and closed
GATEWAY_US = 4 * HOUR  # until the order of a gateway is closed
UNDERWAY_US = 2 * SECOND  # from the device to the decision
HEARD_AGAIN_US = round(HEARD_AGAIN.total_seconds() * SECOND)


@dataclass(slots=True)
class _Live:
    """What is still to happen to an order."""

    closes_us: int
    outcome: Outcome


@dataclass(slots=True)
class _PutOff:
    """A decision that is taken again when the maintenance is over and, of readings, the device was heard since."""

    transition: UndecidedTransition
    until_us: int
    heard_us: int | None = None  # first reading of then or later ...
    is_due: bool = False  # ... and one that came long enough after it


class ServiceDesk:
    """Takes transitions in the order in which they were recorded; `tickets` are the orders opened or reopened."""

    def __init__(self, plan: FleetPlan, profiles: Mapping[str, Profile], faults: Sequence[TrueFault]) -> None:
        self._units = {unit.id: unit for unit in plan.units}
        self._policies: dict[str, TicketPolicy] = {model: p.tickets for model, p in profiles.items()}
        self._critical = {model: p.safety_critical for model, p in profiles.items()}
        self._book = OrderBook()
        self._live: dict[int, _Live] = {}
        self._breaches: dict[UUID, BreachState] = {}
        self._faults: dict[int, list[TrueFault]] = defaultdict(list)
        for fault in faults:
            self._faults[fault.device].append(fault)
        self._maintenance: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for episode in plan.episodes:
            if episode.kind is Nuisance.MAINTENANCE:
                self._maintenance[episode.unit + 1].append((episode.since_us, episode.until_us))
        self._put_off: list[_PutOff] = []
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

    def hear(self, device: NDArray[np.int64], at_us: NDArray[np.int64]) -> None:
        """Readings that were scored, by device id and device time: what a put-off decision waits for."""
        for waiting in self._put_off:
            own = at_us[(device == waiting.transition.device_id) & (at_us >= waiting.until_us)]
            if own.shape[0]:
                waiting.heard_us = int(own.min()) if waiting.heard_us is None else waiting.heard_us
                waiting.is_due |= int(own.max()) >= waiting.heard_us + HEARD_AGAIN_US

    def pass_time(self, now_us: int) -> None:
        """Closes what is due, and decides again what was put off by a maintenance that is over."""
        for order_id, live in [(i, live) for i, live in self._live.items() if live.closes_us <= now_us]:
            del self._live[order_id]
            self._book.close(order_id, live.outcome, from_micros(live.closes_us))
        due = [w for w in self._put_off if w.until_us <= now_us and w.is_due]
        self._put_off = [w for w in self._put_off if w not in due]
        for waiting in due:
            if self._breaches.get(waiting.transition.breach_id) is BreachState.ACTIVE:
                again = replace(
                    waiting.transition,
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
        booked = self._book.take(transition, policy, from_micros(now_us))
        decision = booked.decision
        self.decisions += 1
        self.parents += decision.in_storm and decision.kind is DecisionKind.PARENT
        if decision.kind is DecisionKind.NOTHING and decision.reason in PUT_OFF:
            under = self._find_maintenance(self._units[transition.device_id], now_us)
            if under is not None:
                is_silent = transition.breach_kind not in READING_KINDS
                self._put_off.append(_PutOff(transition, under[1], is_due=is_silent))
        elif booked.order is not None and (booked.is_new or decision.kind is DecisionKind.JOINED):
            self._follow(transition, booked, now_us)

    def _follow(self, transition: UndecidedTransition, booked: Booked, now_us: int) -> None:
        """Notes the ticket, and how its order will end: it has a fault to mend, or nothing will be found."""
        order = booked.order
        assert order is not None
        if order.device_id is None and not booked.is_new:
            return
        fault = None if order.device_id is None else self._find_fault(order.device_id, order.fault_group, now_us)
        self.tickets.append(
            Ticket(
                order=order.id,
                device=transition.device_id,
                gateway=order.gateway_id,
                fault_group=order.fault_group,
                opened_us=now_us,
                monitor=transition.monitor,
                reason=booked.decision.reason.value if booked.is_new else "joined",
                is_new=booked.is_new,
            )
        )
        if order.device_id is None:
            self._live[order.id] = _Live(now_us + GATEWAY_US, Outcome.CONFIRMED)
        elif booked.is_new:
            self._live[order.id] = _Live(now_us + VISIT_US, Outcome.FALSE_ALARM)
            if fault is not None:
                closes_us = max(fault.end_us + AFTER_REPAIR_US, now_us + HOUR)
                self._live[order.id] = _Live(closes_us, Outcome.CONFIRMED)
        elif fault is not None and order.id in self._live:
            live = self._live[order.id]
            live.closes_us = max(live.closes_us, fault.end_us + AFTER_REPAIR_US)
            live.outcome = Outcome.CONFIRMED

    def _find_fault(self, device: int, group: str, now_us: int) -> TrueFault | None:
        return next(
            (f for f in self._faults[device] if f.fault_group == group and f.onset_us <= now_us < f.end_us + HOUR), None
        )
