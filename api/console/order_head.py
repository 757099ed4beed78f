"""The head of an order's page: code, priority, state, owner and clocks, and what is wrong in sentences."""

from typing import Any

from api.console.order_rows import find_clock, find_fault, find_summary, name_fault
from api.console.page import View
from domain.profile import Profile
from domain.roles import Permission
from domain.work_order import WorkOrder, WorkOrderState
from store.work_order_pages import OrderCards


def find_head(
    view: View, order: WorkOrder, cards: OrderCards, profiles: dict[str, Profile], zone: str | None
) -> dict[str, Any]:
    """Code, priority, state, owner, clocks, and what is wrong in sentences."""
    is_over = order.state in (WorkOrderState.CANCELLED,)
    flags = {
        order.inbox_reason or "": order.inbox_reason not in (None, "NEW"),
        "RECURRENCE": cards.recurrence_of_code is not None or order.reopen_count > 0,
        "CAPA": bool(cards.capa_codes) and view.may(Permission.CAPA_READ),
        "DATA_GAP": cards.connectivity in ("STALE", "OFFLINE", "UNKNOWN"),
        "SIM": order.is_simulated,
    }
    fault = find_fault(view, profiles, cards.model, order.fault_group)
    return {
        "code": order.code,
        "row_version": order.row_version,
        "priority": order.priority,
        "state": order.state,
        "hold_reason": order.hold_reason,
        "owner": cards.assignee_name,
        "flags": [flag for flag, is_shown in flags.items() if is_shown],
        "fault": fault,
        "response": None
        if is_over
        else find_clock(
            view,
            "response",
            order.response_due_at,
            started=order.created_at,
            met_at=order.responded_at,
            was_late=order.response_breached,
            zone=zone,
        ),
        "resolution": None
        if is_over
        else find_clock(
            view,
            "resolution",
            order.resolution_due_at,
            started=order.created_at,
            met_at=order.resolved_at,
            was_late=order.resolution_breached,
            held=order.hold_reason,
            zone=zone,
        ),
        "sentence": find_summary(view, order.title_code, name_fault(fault, order.title_params), zone),
        "advice": _find_advice(view, order, profiles.get(cards.model or "")),
        "description": order.description,
        "created_by": view.who(order.created_by) or view.t("fact.hidden"),
        "created": view.when(order.created_at, zone),
    }


def _find_advice(view: View, order: WorkOrder, profile: Profile | None) -> str:
    """What to do, by the profile, with what the sentence of the order does not say already."""
    group = profile.find_fault_group(order.fault_group) if profile else None
    if group is None:
        return ""
    action, consequence = view.say(group.action), view.say(group.consequence)
    if "part" not in order.title_params:  # as of a manual order, or of an older record
        part = view.say(group.suspected_part)
        return view.t("work_order.advice", consequence=consequence, part=part, action=action)
    if "forecast" in order.title_params:  # the sentence gives the time to the limit, not what happens there
        return view.t("work_order.advice_after", consequence=consequence, action=action)
    return action


def find_undo(view: View, order: WorkOrder) -> dict[str, Any] | None:
    """The step that takes back what this person has just done, where the life-cycle has one: the assignment."""
    is_assigned = order.state is WorkOrderState.ASSIGNED and view.request.query_params.get("done") == "assigned"
    if not is_assigned or not view.may(Permission.WORK_ORDER_ASSIGN):
        return None
    return {
        "to": WorkOrderState.TRIAGED.value,
        "row_version": order.row_version,
        "reason": view.t("work_order.undo_reason"),
    }
