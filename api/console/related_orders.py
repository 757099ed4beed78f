"""What a work order belongs together with: orders above and below it, what went up in it, complaints, CAPAs."""

from typing import Any

from api.console.acts import Field, list_typed, mark_fields
from api.console.forms import NOTHING
from api.console.order_sections import Refused
from api.console.page import View
from domain.roles import Permission
from domain.work_order import WorkOrder
from store.work_order_pages import OrderCards


def find_related(view: View, order: WorkOrder, cards: OrderCards, refused: Refused | None) -> dict[str, Any]:
    """Groups of links, each with what they are, and the form that takes another order up in this one."""
    own = refused if refused is not None and refused.section == "related" else None
    typed = NOTHING if own is None else own.typed
    values = typed.values
    orders: dict[str, list[str | None]] = {
        "parent": [cards.parent_code],
        "children": [*cards.child_codes],
        "recurrence_of": [cards.recurrence_of_code],
        "merged": [*cards.merged_codes],
        "merged_into": [cards.merged_into_code],
    }
    groups = [(view.t(f"related.{name}"), "/work-orders", codes) for name, codes in orders.items()]
    if view.may(Permission.COMPLAINT_READ):
        groups.append((view.t("related.complaints"), "/complaints", [*cards.complaint_codes]))
    if view.may(Permission.CAPA_READ):
        groups.append((view.t("related.capas"), "/capa", [*cards.capa_codes]))
    fields = (
        Field("order", view.t("merge.order"), value=values.get("order", ""), why=view.t("merge.order_why")),
        Field("reason", view.t("field.reason"), "textarea", values.get("reason", "")),
    )
    may_merge = order.state.is_open and view.may(Permission.WORK_ORDER_MERGE)
    return {
        "groups": [
            {"label": label, "links": [{"code": code, "href": f"{place}/{code}"} for code in codes if code]}
            for label, place, codes in groups
            if any(codes)
        ],
        "problem": None if own is None else own.problem,
        "opened": own is not None,
        "merge_fields": mark_fields(fields, typed.wrong) if may_merge else None,
        "kept": [] if may_merge else list_typed(fields),
    }
