"""Two work orders that turn out to be one: which goes on, and what refuses it. Pure.

The survivor takes over what the other has; the other becomes CANCELLED and names the survivor for good.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from domain.counting import say_count
from domain.refusal import RecordRefusal
from domain.roles import Permission
from domain.work_order import InboxReason, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType

_S = WorkOrderState
FAULT_TYPES = frozenset({WorkOrderType.CORRECTIVE, WorkOrderType.PREDICTIVE})
REPORTED = frozenset({_S.WORK_DONE, _S.VERIFIED})


class MergeGuard(StrEnum):
    """The rule that refused; a 409 names it. Values never change."""

    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    SAME_ORDER = "same_order"
    NOT_OPEN = "not_open"
    NOT_OF_ONE_DEVICE = "not_of_one_device"
    PLANNED_WORK = "planned_work"
    WORK_REPORTED = "work_reported"
    OTHER_CHILDREN = "other_children"


@dataclass(frozen=True, slots=True)
class MergeFacts:
    """What the guards must know beside the two orders, loaded with both locked."""

    other_children: int = 0  # open orders below the one that goes, without the survivor


def find_merge_refusal(
    survivor: WorkOrder, merged: WorkOrder, facts: MergeFacts, reason: str, by: str
) -> RecordRefusal | None:
    """The first guard that refuses that `merged` goes up in `survivor`, or None."""
    if by != Permission.WORK_ORDER_MERGE:
        return RecordRefusal(MergeGuard.PERMISSION_MISSING, f"this needs {Permission.WORK_ORDER_MERGE}")
    if survivor.id == merged.id:
        return RecordRefusal(MergeGuard.SAME_ORDER, "these are not two orders")
    for order in (survivor, merged):
        if not order.state.is_open:
            detail = f"{order.code} is {order.state}: only open orders become one"
            return RecordRefusal(MergeGuard.NOT_OPEN, detail, (order.code,))
    for order in (survivor, merged):
        if order.type not in FAULT_TYPES or order.source is WorkOrderSource.PLAN:
            detail = f"{order.code} is planned work, and is done as such"
            return RecordRefusal(MergeGuard.PLANNED_WORK, detail, (order.code,))
    for order in (survivor, merged):
        if order.state in REPORTED:
            detail = f"the work of {order.code} is reported done: send it back to work first, or finish it"
            return RecordRefusal(MergeGuard.WORK_REPORTED, detail, (order.code,))
    if not (_is_one_subject(survivor, merged) or merged.id == survivor.parent_id or survivor.id == merged.parent_id):
        return RecordRefusal(
            MergeGuard.NOT_OF_ONE_DEVICE, "they are neither of one device nor one the parent of the other"
        )
    if facts.other_children and merged.device_id is None and survivor.device_id is not None:
        others = say_count(facts.other_children, "other order")
        detail = f"{merged.code} has {others} below it: let it go on, and the child go up in it"
        return RecordRefusal(MergeGuard.OTHER_CHILDREN, detail)
    if not reason.strip():
        return RecordRefusal(MergeGuard.REASON_MISSING, "say why the two are one")
    return None


def _is_one_subject(one: WorkOrder, other: WorkOrder) -> bool:
    if one.device_id is not None or other.device_id is not None:
        return one.device_id == other.device_id
    if one.gateway_id is not None or other.gateway_id is not None:
        return one.gateway_id == other.gateway_id
    return one.site_id == other.site_id


def find_survivor(
    survivor: WorkOrder, merged: WorkOrder, *, breaches: int, is_active: bool, now: datetime
) -> WorkOrder:
    """The survivor with what it takes over; its clocks are settled by the caller.

    Parameters
    ----------
    breaches
        How many different breaches both have together.
    is_active
        One of them still goes on.
    """
    raised = merged.priority.is_above(survivor.priority)
    last = [at for at in (survivor.last_breach_at, merged.last_breach_at) if at is not None]
    quiet = [at for at in (survivor.quiet_since, merged.quiet_since) if at is not None]
    return replace(
        survivor,
        priority=merged.priority if raised else survivor.priority,
        inbox_reason=survivor.inbox_reason or (InboxReason.ESCALATED if raised else None),
        breach_count=breaches,
        last_breach_at=max(last, default=None),
        quiet_since=None if is_active else max(quiet, default=None),
        ready_to_verify_at=None,
        parent_id=merged.parent_id if survivor.parent_id == merged.id else survivor.parent_id,
        updated_at=now,
    )


def find_merged(survivor: WorkOrder, merged: WorkOrder, now: datetime) -> WorkOrder:
    """The order that goes: CANCELLED, and it names the one that goes on."""
    return replace(
        merged,
        state=_S.CANCELLED,
        hold_reason=None,
        inbox_reason=None,
        cancel_reason=f"merged_into {survivor.code}",
        merged_into_id=survivor.id,
        closed_at=now,
        updated_at=now,
    )
