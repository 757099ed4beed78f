"""What came of orders: the record that closes one, and how those like it ended."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from api.console.facts import Fact
from api.console.page import View
from domain.work_order import CloseOut, WorkOrder
from store.work_order_pages import SimilarOrder


def find_similar(view: View, similar: list[SimilarOrder]) -> dict[str, Any]:
    """How many there were and how they ended, and the first five with what was done."""

    def name_end(order: SimilarOrder) -> str:
        return view.name("outcome", order.outcome) if order.outcome else view.t("work_order.still_open")

    counts = Counter(name_end(order) for order in similar)
    said = view.t("list.comma").join(
        view.t("work_order.similar_outcome", count=count, outcome=end) for end, count in counts.most_common()
    )
    none = view.t("work_order.similar_none")
    return {
        "sentence": view.t("work_order.similar_some", count=len(similar), outcomes=said) if similar else none,
        "orders": [
            {"code": o.code, "serial": o.serial, "outcome": name_end(o), "fix": o.work_performed or ""}
            for o in similar[:5]
        ],
    }


def find_close_out(view: View, order: WorkOrder) -> list[Fact]:
    record = order.close_out or {}
    lines = [Fact(view.t(f"field.{name}"), str(record.get(name) or "–"), own=True) for name in asdict(CloseOut())]
    lines.append(Fact(view.t("field.outcome"), view.name("outcome", order.outcome)))
    if order.failure_code:
        lines.append(Fact(view.t("field.failure_code"), order.failure_code, own=True))
    return lines
