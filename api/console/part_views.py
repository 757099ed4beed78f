"""Parts of a work order as its page shows them: what was asked for, what went in and who signed for it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from api.console.acts import Field, list_typed, mark_fields
from api.console.forms import NOTHING, Typed
from api.console.page import View
from api.shapes.signatures import SignatureShape
from api.shapes.work_order_records import PartShape
from domain.part_usage import PartState
from domain.roles import Permission
from domain.visit import AT_WORK
from domain.work_order import WorkOrder, WorkOrderState

_ASKED, _USED = PartState.REQUESTED, PartState.USED


def find_parts(
    view: View,
    order: WorkOrder,
    parts: list[PartShape],
    zone: str | None,
    sent: Typed,
    is_critical: bool,
) -> dict[str, Any]:
    """Every part, the oldest first, with what can be done with it; the forms to ask for one and to use one at hand."""
    asking = find_asking_refusal(view, order)
    using = find_using_refusal(view, order)
    own = sent.values.get("part_id", "")
    to = sent.values.get("to", "")
    shown = set[PartState]() if own else {state for state, why in ((_ASKED, asking), (_USED, using)) if not why}
    lines = []
    for part in parts:
        typed = sent if own == str(part.id) else NOTHING
        is_open = part.state is PartState.REQUESTED and part.work_order == order.code
        if is_open and own == str(part.id):
            shown = {state for state, why in ((PartState.WITHDRAWN, asking), (_USED, using)) if not why}
        lines.append(
            {
                "id": part.id,
                "item": part.item,
                "description": part.description,
                "quantity": say_quantity(part.quantity),
                "state": view.name("part_state", part.state),
                "is_asked": part.state is PartState.REQUESTED,
                "lot": part.lot,
                "serial_in": part.serial_in,
                "serial_out": part.serial_out,
                "reason": part.reason,
                "who": view.who(part.decided_by or part.requested_by) or view.t("fact.hidden"),
                "at": view.when(part.decided_at or part.requested_at, zone),
                "signatures": find_signatures(view, part.signatures, zone),
                "order": part.work_order if part.work_order != order.code else "",
                "use_fields": _mark(_find_use_fields(view, typed.values, part, is_critical), typed, PartState.USED)
                if is_open and not using
                else None,
                "withdraw_fields": _mark([_find_reason(view, typed.values)], typed, PartState.WITHDRAWN)
                if is_open and not asking
                else None,
                "opened": typed.values.get("to", ""),
            }
        )
    fresh = sent if not own else NOTHING
    what = _find_what(view, fresh.values)
    return {
        "parts": lines,
        "ask_refusal": asking,
        "use_refusal": using,
        "kept": [] if to in shown else _list_kept(view, sent.values),
        "ask_fields": _mark(what, fresh, PartState.REQUESTED),
        "use_fields": _mark([*what, *_find_use_fields(view, fresh.values, None, is_critical)], fresh, PartState.USED),
        "opened": fresh.values.get("to", ""),
    }


def _list_kept(view: View, typed: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was typed into a form for a part, by what its fields are called."""
    if typed.get("to") == PartState.WITHDRAWN:
        return list_typed([_find_reason(view, typed)])
    fields = (*_find_what(view, typed), *_find_use_fields(view, typed, None, is_critical=False))
    return list_typed(one for one in fields if one.name in typed)


def _mark(fields: Iterable[Field], typed: Typed, to: PartState) -> tuple[Field, ...]:
    """The fields of the form that leads there; marked where it is the one that was sent."""
    return mark_fields(fields, typed.wrong if typed.values.get("to") == to else {})


def find_asking_refusal(view: View, order: WorkOrder) -> str:
    """Why this person cannot ask for a part for the order, or nothing."""
    if not (view.may(Permission.WORK_ORDER_ASSIGN) or view.may(Permission.WORK_ORDER_WORK)):
        return view.say_missing(Permission.WORK_ORDER_ASSIGN)
    if order.state not in AT_WORK:
        return view.name("record_guard", "order_not_at_work")
    if not view.may(Permission.WORK_ORDER_ASSIGN) and order.assignee_id != view.person.user_id:
        return view.name("record_guard", "not_assignee")
    return ""


def find_using_refusal(view: View, order: WorkOrder) -> str:
    """Why this person cannot sign for a part of the order, or nothing."""
    if not view.may(Permission.WORK_ORDER_WORK):
        return view.say_missing(Permission.WORK_ORDER_WORK)
    if order.state is not WorkOrderState.IN_PROGRESS:
        return view.t("part.start_first")
    if order.assignee_id != view.person.user_id:
        return view.name("record_guard", "not_assignee")
    return ""


def say_quantity(quantity: Decimal) -> str:
    """The number without zeros behind its point."""
    return format(quantity.normalize(), "f")


def find_signatures(view: View, signatures: list[SignatureShape], zone: str | None) -> list[dict[str, Any]]:
    """Who signed what and when, whether it still stands, and what changed where it does not."""
    return [
        {
            "who": s.printed_name,
            "meaning": s.meaning,
            "at": view.when(s.signed_at, zone),
            "version": s.entity_version,
            "valid": s.valid,
            "why": "" if s.valid else view.name("order_signature_invalid", s.invalid_reason),
            "changed": view.t("list.comma").join(s.changed_fields),
            "sha256": s.content_sha256,
        }
        for s in signatures
    ]


def _find_reason(view: View, typed: Mapping[str, str]) -> Field:
    return Field("reason", view.t("field.reason"), value=typed.get("reason", ""))


def _find_what(view: View, typed: Mapping[str, str]) -> list[Field]:
    return [
        Field("item", view.t("part.item"), value=typed.get("item", "")),
        Field("description", view.t("part.description"), value=typed.get("description", ""), required=False),
        Field("quantity", view.t("part.quantity"), "decimal", typed.get("quantity", "1")),
    ]


def _find_use_fields(view: View, typed: Mapping[str, str], part: PartShape | None, is_critical: bool) -> list[Field]:
    t = view.t
    quantity = [] if part is None else [Field("quantity", t("part.quantity_used"), "decimal",
        typed.get("quantity", say_quantity(part.quantity)))]  # fmt: skip
    why = t("part.identify_why") if is_critical else ""
    return [
        *quantity,
        Field("lot", t("part.lot"), value=typed.get("lot", ""), required=False, why=why),
        Field("serial_in", t("part.serial_in"), value=typed.get("serial_in", ""), required=False),
        Field("serial_out", t("part.serial_out"), value=typed.get("serial_out", ""), required=False),
        Field("meaning", t("field.meaning"), value=typed.get("meaning", t("part.meaning_default"))),
        Field("password", t("field.password"), "password", why=t("part.signed_why")),
    ]
