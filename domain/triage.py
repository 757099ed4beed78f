"""What becomes of one breach transition: rules 1 to 8 of the service side, as one pure function.

Nothing here reads a clock or a row: `domain.working_set` brings the context, `service_link.batch` carries out the
decision. The rules are asked in this order, and the first that has an answer names it; docs/reference/ticket-rules.md
says the same for people.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.breach import BreachKind, BreachState, Severity, TransitionKind
from domain.profile import TicketPolicy
from domain.tickets import PUT_OFF, DecisionKind, Priority, TicketReason, UndecidedTransition, find_priority
from domain.work_order import Outcome, WorkOrder, WorkOrderState, WorkOrderType

PREDICTING_KINDS = (BreachKind.ANOMALY, BreachKind.FORECAST)


@dataclass(frozen=True, slots=True)
class Context:
    """What the rules look at beside the transition, as of this moment of the batch."""

    open_order: WorkOrder | None = None  # open order of the device and fault group, whoever opened it
    linked_order: WorkOrder | None = None  # open order that this breach is linked to already
    closed_order: WorkOrder | None = None  # the order of the key that was closed last
    minor_episodes: int = 1  # episodes of the key in the policy's window, this one included
    shelved_until: datetime | None = None
    shelved_because: str = ""
    gateway_order: WorkOrder | None = None
    gateway_offline: frozenset[int] = frozenset()  # devices behind the gateway that are offline now
    storm_order: WorkOrder | None = None
    storm_devices: frozenset[int] = frozenset()  # devices of the site that breached within the policy's window
    others_active: bool = False  # another breach of the linked order is still active


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why, and with what. `params` are shown to people beside the reason."""

    kind: DecisionKind
    reason: TicketReason
    params: dict[str, Any] = field(default_factory=dict)
    order: WorkOrder | None = None  # the order to join, escalate, reopen or quieten
    priority: Priority = Priority.P4
    order_type: WorkOrderType = WorkOrderType.CORRECTIVE
    recurrence_of: int | None = None
    back_to_work: bool = False  # the order was done or verified: the fault is still there
    in_storm: bool = False  # the order that opens belongs below the site's storm order


def decide(transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime) -> Decision:
    """The one decision on this transition. Same arguments, same decision."""
    if transition.kind is TransitionKind.CLEARED:
        return _decide_cleared(context)
    for rule in (_decide_unfit, _decide_suppressed, _decide_linked, _decide_gateway, _decide_join):
        decision = rule(transition, context, policy, now)
        if decision is not None:
            return decision
    opening = _find_opening_reason(transition, context, policy, now)
    if opening is None:
        params = {"severity": transition.severity, "episodes": context.minor_episodes, "needed": policy.minor_episodes}
        return Decision(DecisionKind.NOTHING, TicketReason.BELOW_THRESHOLD, params)
    return _decide_open(transition, context, policy, opening, now)


def is_awaited(transition: UndecidedTransition, policy: TicketPolicy, now: datetime, grace: timedelta) -> bool:
    """Whether a late transition waits a little: the rest of a gateway's backlog may show that it is over already."""
    return (
        transition.kind is not TransitionKind.CLEARED
        and _is_late(transition, policy)
        and transition.breach_state is BreachState.ACTIVE
        and now - transition.recorded_at < grace
    )


def _is_late(transition: UndecidedTransition, policy: TicketPolicy) -> bool:
    return transition.received_at - transition.at > timedelta(minutes=policy.late_after_min)


def _decide_cleared(context: Context) -> Decision:
    """Rule 6: clearing never closes anything; the last one to clear starts the quiet period."""
    if context.linked_order is None:
        return Decision(DecisionKind.NOTHING, TicketReason.CLEARED_WITHOUT_ORDER)
    if context.others_active:
        return Decision(DecisionKind.NOTHING, TicketReason.OTHERS_STILL_ACTIVE, order=context.linked_order)
    return Decision(DecisionKind.QUIET, TicketReason.ALL_CLEARED, order=context.linked_order)


def _decide_unfit(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> Decision | None:
    """Rule 1: a device out of use opens nothing; what arrives late opens something only if it is still true."""
    if transition.lifecycle == "DECOMMISSIONED":
        return Decision(DecisionKind.NOTHING, TicketReason.DECOMMISSIONED)
    if _is_late(transition, policy) and transition.breach_state is not BreachState.ACTIVE:
        late_min = round((transition.received_at - transition.at).total_seconds() / 60)
        return Decision(DecisionKind.NOTHING, TicketReason.LATE_NO_LONGER_TRUE, {"late_min": late_min})
    return None


def _find_suppression(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> tuple[TicketReason, dict[str, Any]] | None:
    if context.shelved_until is not None and context.shelved_until > now:
        params = {"until": context.shelved_until, "because": context.shelved_because}
        return TicketReason.SHELVED, params
    ends = transition.lifecycle_since + timedelta(hours=policy.maintenance_timeout_h)
    if transition.lifecycle == "UNDER_MAINTENANCE" and ends > now:
        return TicketReason.UNDER_MAINTENANCE, {"until": ends}
    return None


def _decide_suppressed(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> Decision | None:
    """Rule 5: shelved or under maintenance is recorded only; CRITICAL goes on."""
    suppression = _find_suppression(transition, context, policy, now)
    if suppression is None or transition.severity is Severity.CRITICAL:
        return None
    return Decision(DecisionKind.NOTHING, *suppression)


def _decide_linked(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> Decision | None:
    """A breach that has its order can only raise it: escalation of severity, rule 4."""
    order = context.linked_order
    if order is None:
        return None
    priority = _find_priority(transition)
    if priority.is_above(order.priority):
        params = {"from": order.priority, "to": priority}
        return Decision(DecisionKind.ESCALATED, TicketReason.PRIORITY_RAISED, params, order, priority)
    return Decision(DecisionKind.NOTHING, TicketReason.ALREADY_LINKED, order=order, priority=order.priority)


def _decide_gateway(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> Decision | None:
    """Rule 8: many devices silent behind one gateway are one fault, the gateway's."""
    if transition.breach_kind is not BreachKind.OFFLINE or transition.gateway_id is None:
        return None
    offline = context.gateway_offline | {transition.device_id}
    params = {"gateway": transition.gateway, "devices": len(offline)}
    order = context.gateway_order
    if order is not None and (order.quiet_since is None or len(offline) >= policy.gateway_devices):
        return _join(transition, order, TicketReason.JOINED_GATEWAY_ORDER, params)
    if len(offline) >= policy.gateway_devices:
        priority = _find_priority(transition)
        return Decision(DecisionKind.PARENT, TicketReason.GATEWAY_OFFLINE, params, priority=priority)
    return None


def _decide_join(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> Decision | None:
    """Rule 4: an open order of the key takes the breach in, manual ones too."""
    if context.open_order is None:
        return None
    return _join(transition, context.open_order, TicketReason.JOINED_OPEN_ORDER, {})


def _join(transition: UndecidedTransition, order: WorkOrder, reason: TicketReason, params: dict[str, Any]) -> Decision:
    """Linked and counted; the priority is raised and never lowered; work reported done goes back to work."""
    priority = _find_priority(transition)
    is_raised = priority.is_above(order.priority)
    is_done = order.state in (WorkOrderState.WORK_DONE, WorkOrderState.VERIFIED)
    if is_raised:
        params = params | {"from": order.priority, "to": priority}
    if is_done:
        reason = TicketReason.CAME_BACK_AFTER_WORK
    elif is_raised and reason is TicketReason.JOINED_OPEN_ORDER:
        reason = TicketReason.JOINED_AND_RAISED_PRIORITY
    return Decision(
        DecisionKind.JOINED,
        reason,
        params,
        order,
        priority if is_raised else order.priority,
        back_to_work=is_done,
    )


def _find_opening_reason(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, now: datetime
) -> TicketReason | None:
    """Rule 3: MAJOR or above, the third MINOR episode, or a forecast shorter than the lead time."""
    suppression = _find_suppression(transition, context, policy, now)
    if suppression is not None:
        is_shelved = suppression[0] is TicketReason.SHELVED
        return TicketReason.CRITICAL_OVERRIDES_SHELVING if is_shelved else TicketReason.CRITICAL_OVERRIDES_MAINTENANCE
    reason: TicketReason | None = None
    if transition.severity is Severity.CRITICAL:
        reason = TicketReason.OPENED_CRITICAL
    elif transition.severity is Severity.MAJOR:
        reason = TicketReason.OPENED_MAJOR
    elif transition.breach_kind is BreachKind.FORECAST and _is_within_lead_time(transition.params):
        reason = TicketReason.FORECAST_WITHIN_LEAD_TIME
    elif transition.severity is Severity.MINOR and context.minor_episodes >= policy.minor_episodes:
        reason = TicketReason.THIRD_MINOR
    if reason is not None and transition.earlier_reason in PUT_OFF:
        is_shelved = transition.earlier_reason is TicketReason.SHELVED
        return TicketReason.SHELVING_EXPIRED if is_shelved else TicketReason.MAINTENANCE_TIMED_OUT
    return reason


def _is_within_lead_time(params: dict[str, Any]) -> bool:
    hours, lead = params.get("hours_to_limit"), params.get("lead_time_h")
    return isinstance(hours, int | float) and isinstance(lead, int | float) and hours < lead


def _decide_open(
    transition: UndecidedTransition, context: Context, policy: TicketPolicy, opening: TicketReason, now: datetime
) -> Decision:
    """Rule 7 first: what was closed lately is reopened. Else a new order, below the storm's parent where one blows."""
    params: dict[str, Any] = {"severity": transition.severity}
    if opening is TicketReason.THIRD_MINOR:
        params |= {"episodes": context.minor_episodes, "window_h": policy.minor_window_h}
    priority = _find_priority(transition)
    order_type = WorkOrderType.PREDICTIVE if transition.breach_kind in PREDICTING_KINDS else WorkOrderType.CORRECTIVE
    kind, reason, recurrence_of = DecisionKind.OPENED, opening, None
    closed = context.closed_order
    if closed is not None and closed.closed_at is not None:
        days = round((now - closed.closed_at).total_seconds() / 86_400, 1)
        params |= {"opened_because": opening, "earlier": closed.code, "days_since": days}
        if closed.outcome is Outcome.FALSE_ALARM:
            reason = TicketReason.CLOSED_AS_FALSE_ALARM
        elif now - closed.closed_at <= timedelta(days=policy.reopen_days):
            params["within_days"] = policy.reopen_days
            # A reopened order keeps its priority unless the breach is worse.
            kept = priority if priority.is_above(closed.priority) else closed.priority
            return Decision(DecisionKind.REOPENED, TicketReason.REOPENED_WITHIN_DAYS, params, closed, kept, closed.type)
        else:
            reason, recurrence_of = TicketReason.RECURRENCE, closed.id
    devices = context.storm_devices | {transition.device_id}
    in_storm = transition.site_id is not None and len(devices) >= policy.storm_devices
    if in_storm:
        params |= {"site": transition.site_code, "devices": len(devices)}
        if context.storm_order is None:
            kind, reason, params["opened_because"] = DecisionKind.PARENT, TicketReason.SITE_STORM, reason
    return Decision(kind, reason, params, None, priority, order_type, recurrence_of=recurrence_of, in_storm=in_storm)


def _find_priority(transition: UndecidedTransition) -> Priority:
    return find_priority(
        transition.severity,
        safety_critical=transition.safety_critical,
        under_contract=transition.contract_id is not None,
    )
