"""Which tickets a sequence of breaches would have led to, by the ticket rules themselves. Pure.

The rules are those of `domain.triage`. What people would have done cannot be known, so it is assumed, for every side of
a comparison alike: an order is closed, as a confirmed fault, when the time of resolution of its priority is over and
its breaches have been quiet for the policy's quiet period, whichever is later. Nobody shelves anything, no device is
under maintenance, and neither gateways nor storms gather devices: each device is counted for itself.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.breach import BreachState, BreachTransition, Severity, TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import DecisionKind, Priority, TicketReason, UndecidedTransition
from domain.triage import Context, Decision, decide
from domain.work_order import Outcome, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType

Key = tuple[int, str]  # device, fault group


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


@dataclass(slots=True)
class _Key:
    """One device and fault group: its order, what is linked to it, and its lesser episodes of late."""

    order: WorkOrder | None = None
    linked: set[UUID] = field(default_factory=set)
    active: set[UUID] = field(default_factory=set)
    quiet_since: datetime | None = None
    closed: WorkOrder | None = None
    minor: deque[datetime] = field(default_factory=deque)


class TicketReplay:
    """Takes the transitions of a fleet in order of time; `tickets` grows as it does."""

    def __init__(self, devices: Iterable[ReplayedDevice], policies: Mapping[int, TicketPolicy]) -> None:
        """`policies` by device id."""
        self.tickets: list[ReplayedTicket] = []
        self._devices = {device.id: device for device in devices}
        self._policies = policies
        self._keys: dict[Key, _Key] = defaultdict(_Key)
        self._next_id = 1

    def take(self, transition: BreachTransition) -> Decision:
        """What the rules decide on the transition; the order that it opens is in `tickets` then."""
        policy = self._policies[transition.device_id]
        key = self._keys[transition.device_id, transition.fault_group]
        now = transition.at
        self._close_what_is_done(key, policy, now)
        if transition.kind is not TransitionKind.CLEARED:
            self._note_minor(key, transition, policy)
        decision = decide(self._describe(transition), self._find_context(key, transition), policy, now)
        self._carry_out(key, transition, decision)
        if transition.kind is TransitionKind.CLEARED:
            key.active.discard(transition.breach_id)
            if key.order is not None and not key.active:
                key.quiet_since = now
        return decision

    def _close_what_is_done(self, key: _Key, policy: TicketPolicy, now: datetime) -> None:
        if key.order is None or key.quiet_since is None:
            return
        done = key.order.created_at + timedelta(hours=policy.resolution_h[key.order.priority.place])
        closed_at = max(done, key.quiet_since + timedelta(hours=policy.quiet_h))
        if closed_at <= now:
            key.closed = replace(key.order, state=WorkOrderState.CLOSED, outcome=Outcome.CONFIRMED, closed_at=closed_at)
            key.order, key.quiet_since = None, None
            key.linked.clear()

    def _note_minor(self, key: _Key, transition: BreachTransition, policy: TicketPolicy) -> None:
        while key.minor and key.minor[0] <= transition.at - timedelta(hours=policy.minor_window_h):
            key.minor.popleft()
        if transition.severity is Severity.MINOR and transition.kind is TransitionKind.RAISED:
            key.minor.append(transition.at)

    def _find_context(self, key: _Key, transition: BreachTransition) -> Context:
        is_linked = transition.breach_id in key.linked
        return Context(
            open_order=key.order,
            linked_order=key.order if is_linked else None,
            closed_order=key.closed,
            minor_episodes=max(1, len(key.minor)),
            others_active=bool(key.active - {transition.breach_id}),
        )

    def _carry_out(self, key: _Key, transition: BreachTransition, decision: Decision) -> None:
        at = transition.at
        if decision.kind in (DecisionKind.OPENED, DecisionKind.REOPENED):
            key.order = self._make_order(transition, decision)
            key.active.clear()
            self.tickets.append(
                ReplayedTicket(
                    device_id=transition.device_id,
                    fault_group=transition.fault_group,
                    monitor=transition.monitor,
                    opened_at=at,
                    first_seen=transition.first_seen,
                    priority=decision.priority,
                    reason=decision.reason,
                    breach_id=transition.breach_id,
                )
            )
        elif decision.kind in (DecisionKind.JOINED, DecisionKind.ESCALATED) and key.order is not None:
            key.order = replace(key.order, priority=decision.priority)
        linked = (DecisionKind.OPENED, DecisionKind.REOPENED, DecisionKind.JOINED)
        if decision.kind in linked:
            key.linked.add(transition.breach_id)
            key.active.add(transition.breach_id)
            key.quiet_since = None

    def _make_order(self, transition: BreachTransition, decision: Decision) -> WorkOrder:
        number, self._next_id = self._next_id, self._next_id + 1
        return WorkOrder(
            id=number,
            code=f"REPLAY-{number}",
            type=WorkOrderType.CORRECTIVE,
            source=WorkOrderSource.AUTOMATIC,
            priority=decision.priority,
            state=WorkOrderState.NEW,
            hold_reason=None,
            device_id=transition.device_id,
            gateway_id=None,
            site_id=None,
            customer_id=None,
            contract_id=None,
            fault_group=transition.fault_group,
            title_code=transition.reason_code,
            title_params={},
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
            region="",
            is_simulated=False,
            row_version=1,
            created_by="replay",
            created_at=transition.at,
            updated_at=transition.at,
        )

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
