"""Visits of a work order as its page shows them, and the forms of who is on one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.console.acts import Field, list_typed, mark_fields
from api.console.forms import Typed
from api.console.page import View
from api.shapes.work_order_records import VisitShape
from domain.roles import Permission
from domain.visit import AT_WORK, VisitOutcome
from domain.work_order import WorkOrder


def find_visits(
    view: View, order: WorkOrder, visits: list[VisitShape], zone: str | None, typed: Typed
) -> dict[str, Any]:
    """Every visit, the newest first; the form to arrive, or to leave where this person is on a visit."""
    own = next((v for v in visits if v.left_at is None and v.technician == view.person.name), None)
    hidden, values, refusal = view.t("fact.hidden"), typed.values, find_work_refusal(view, order)
    arriving = (_find_time(view, "arrived_at", zone, values), _find_note(view, values))
    leaving = (_find_outcome(view, values), _find_time(view, "left_at", zone, values), _find_note(view, values))
    is_leaving = "visit_id" in values
    is_shown = own is not None if is_leaving else own is None and not refusal
    return {
        "visits": [
            {
                "who": v.technician_name or hidden,
                "arrived": view.when(v.arrived_at, zone),
                "left": view.when(v.left_at, zone),
                "outcome": view.name("visit_outcome", v.outcome) if v.outcome else view.t("visit.under_way"),
                "note": v.note or "",
                "order": v.work_order if v.work_order != order.code else "",
            }
            for v in reversed(visits)
        ],
        "own_visit": own.id if own is not None else None,
        "own_since": view.when(own.arrived_at, zone) if own is not None else None,
        "refusal": refusal,
        "kept": [] if is_shown or not values else list_typed(leaving if is_leaving else arriving),
        "arrive_fields": mark_fields(arriving, typed.wrong),
        "leave_fields": mark_fields(leaving, typed.wrong),
    }


def find_work_refusal(view: View, order: WorkOrder) -> str:
    """Why this person cannot arrive for the order or answer lines of its lists, or nothing."""
    if not view.may(Permission.WORK_ORDER_WORK):
        return view.say_missing(Permission.WORK_ORDER_WORK)
    if order.state not in AT_WORK:
        return view.name("record_guard", "order_not_at_work")
    if order.assignee_id != view.person.user_id:
        return view.name("record_guard", "not_assignee")
    return ""


def read_local_time(view: View, text: str, zone: str | None) -> datetime | None:
    """The instant of a local time as a browser's field gives it; None where nothing was typed.

    Raises
    ------
    ValueError
        It is no time.
    """
    return datetime.fromisoformat(text).replace(tzinfo=view.find_zone(zone)) if text.strip() else None


def _find_time(view: View, name: str, zone: str | None, values: Mapping[str, str]) -> Field:
    why = view.t("visit.time_why", zone=str(view.find_zone(zone)))
    return Field(name, view.t(f"visit.{name}"), "datetime-local", values.get(name, ""), required=False, why=why)


def _find_outcome(view: View, values: Mapping[str, str]) -> Field:
    outcomes = tuple((one.value, view.name("visit_outcome", one.value)) for one in VisitOutcome)
    return Field("outcome", view.t("visit.outcome"), "select", values.get("outcome", "COMPLETED"), outcomes)


def _find_note(view: View, values: Mapping[str, str]) -> Field:
    return Field("note", view.t("work_order.note"), "textarea", values.get("note", ""), required=False)
