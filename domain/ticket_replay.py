"""Which tickets a sequence of breaches would have led to, by the ticket rules themselves. Pure.

The rules are those of `domain.triage`. What people would have done cannot be known, so it is assumed, for every side of
a comparison alike: an order is closed, as a confirmed fault, when the time of resolution of its priority is over and
its breaches have been quiet for the policy's quiet period, whichever is later. Nobody shelves anything, no device is
under maintenance, and neither gateways nor storms gather devices: each device is counted for itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.breach import BreachState, BreachTransition, TransitionKind
from domain.order_book import OrderBook
from domain.profile import TicketPolicy
from domain.tickets import Priority, TicketReason, UndecidedTransition
from domain.triage import Decision
from domain.work_order import Outcome
from domain.working_set import Key


@dataclass(frozen=True, slots=True)
class ReplayedDevice:
    """What the ticket rules ask of a device."""

    id: int
    serial: str
    safety_critical: bool
    contract_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReplayedTicket:
    """An order that would have been opened, or opened again; `first_seen` is that of the breach that did it."""

    device_id: int
    fault_group: str
    monitor: str
    opened_at: datetime
    first_seen: datetime
    priority: Priority
    reason: TicketReason
    breach_id: UUID

    @property
    def is_reopened(self) -> bool:
        """The rules would have opened an order of before again."""
        return self.reason is TicketReason.REOPENED_WITHIN_DAYS


class TicketReplay:
    """Takes the transitions of a fleet in order of time; `tickets` grows as it does."""

    def __init__(self, devices: Iterable[ReplayedDevice], policies: Mapping[int, TicketPolicy]) -> None:
        """`policies` by device id."""
        self.tickets: list[ReplayedTicket] = []
        self._devices = {device.id: device for device in devices}
        self._policies = policies
        self._book = OrderBook()

    def take(self, transition: BreachTransition) -> Decision:
        """What the rules decide on the transition; the order that it opens is in `tickets` then."""
        policy = self._policies[transition.device_id]
        self._close_what_is_done((transition.device_id, transition.fault_group), policy, transition.at)
        booked = self._book.take(self._describe(transition), policy, transition.at)
        if booked.is_new:
            self.tickets.append(
                ReplayedTicket(
                    device_id=transition.device_id,
                    fault_group=transition.fault_group,
                    monitor=transition.monitor,
                    opened_at=transition.at,
                    first_seen=transition.first_seen,
                    priority=booked.decision.priority,
                    reason=booked.decision.reason,
                    breach_id=transition.breach_id,
                )
            )
        return booked.decision

    def _close_what_is_done(self, key: Key, policy: TicketPolicy, now: datetime) -> None:
        order = self._book.find_open(key)
        if order is None or order.quiet_since is None:
            return
        done = order.created_at + timedelta(hours=policy.resolution_h[order.priority.place])
        closed_at = max(done, order.quiet_since + timedelta(hours=policy.quiet_h))
        if closed_at <= now:
            self._book.close(order.id, Outcome.CONFIRMED, closed_at)

    def _describe(self, transition: BreachTransition) -> UndecidedTransition:
        device = self._devices[transition.device_id]
        is_over = transition.kind is TransitionKind.CLEARED
        return UndecidedTransition(
            id=0,
            breach_id=transition.breach_id,
            kind=transition.kind,
            severity=transition.severity,
            at=transition.at,
            received_at=transition.at,
            recorded_at=transition.at,
            reason_code=transition.reason_code,
            params=transition.params,
            breach_kind=transition.breach_kind,
            breach_state=BreachState.CLEARED if is_over else BreachState.ACTIVE,
            monitor=transition.monitor,
            fault_group=transition.fault_group,
            firmware="",
            device_id=device.id,
            serial=device.serial,
            device_model_id=0,
            safety_critical=device.safety_critical,
            lifecycle="IN_SERVICE",
            lifecycle_since=transition.at,
            gateway_id=None,
            gateway=None,
            site_id=None,
            site_code=None,
            customer_id=None,
            contract_id=device.contract_id,
            region="",
            is_simulated=False,
        )
