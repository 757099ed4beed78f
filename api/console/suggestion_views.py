"""Whom an order is suggested to and what helped in such orders before, as its page shows them."""

from typing import Any

from api.console.page import View
from api.console.part_views import say_quantity
from api.shapes.assignments import SuggestionsShape, UsedPartShape

MOST = 10


def find_suggestions(view: View, said: SuggestionsShape, fault: str, zone: str | None) -> dict[str, Any]:
    """Technicians by how well they fit, each with the reasons; the fix of the past; the past orders themselves."""
    t, fix = view.t, said.fix
    return {
        "assignees": [
            {"who": one.full_name, "reasons": [reason.text[view.language] for reason in one.reasons]}
            for one in said.assignees[:MOST]
        ],
        "fix": None
        if fix is None
        else {
            "says": t("fix.says", count=fix.orders, fault=fault, confirmed=fix.confirmed, none=fix.no_fault_found)
            + (t("fix.came_back", count=fix.came_back) if fix.came_back else ""),
            "codes": [t("fix.code", code=one.code, count=one.orders) for one in fix.failure_codes],
            "parts": [_say_part(view, part) for part in fix.parts],
            "example": fix.example,
        },
        "past": [
            {
                "code": one.code,
                "serial": one.serial,
                "same": one.is_same_device,
                "outcome": view.name("outcome", one.outcome),
                "work": one.work_performed or "",
                "parts": view.t("list.comma").join(part.item for part in one.parts),
                "came_back": one.came_back,
                "closed": view.when(one.closed_at, zone),
            }
            for one in said.past_orders[:MOST]
        ],
    }


def _say_part(view: View, part: UsedPartShape) -> str:
    name = f"{part.item} {part.description}".strip()
    return view.t("fix.part", part=name, count=part.orders, quantity=say_quantity(part.quantity))
