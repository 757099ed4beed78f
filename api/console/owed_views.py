"""What we owe a customer or a device, line by line: reasons of its risk, dates, clocks, orders, recalls, plans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.console.navigation import PLACES
from api.console.order_rows import Clock, find_clock, find_fault
from api.console.page import View
from api.shapes.overview_lines import (
    CapaLineShape,
    ClockLineShape,
    ComplaintLineShape,
    ItemLineShape,
    OrderLineShape,
    Part,
    PlannedLineShape,
)
from api.shapes.overviews import ContractLineShape
from api.shapes.risk import DueShape, ReasonShape
from domain.due_date import DueState
from domain.profile import Profile
from domain.risk import Risk, Trouble
from domain.work_order import HoldReason

_T = Trouble
# What the example of a reason is; of the others there is no page.
_PLACES: dict[Trouble, str] = {
    **dict.fromkeys(
        (_T.CRITICAL_BREACH, _T.MAJOR_BREACH, _T.OPEN_BREACH, _T.SAFETY_CRITICAL_FAULT, _T.FAILURE_FORECAST), "/devices"
    ),
    **dict.fromkeys((_T.RECALL_UNREACHABLE, _T.RECALL_OPEN, _T.FIRMWARE_PENDING, _T.FIRMWARE_WITHDRAWN), "/devices"),
    **dict.fromkeys((_T.DEVICE_SILENT, _T.DATA_UNKNOWN, _T.DEVICE_QUARANTINED, _T.WARRANTY_ENDING), "/devices"),
    **dict.fromkeys((_T.CALIBRATION_OVERDUE, _T.CALIBRATION_DUE, _T.CALIBRATION_UNKNOWN), "/devices"),
    _T.CONTRACT_MISSING: "/devices",
    **dict.fromkeys((_T.URGENT_ORDER, _T.HIGH_ORDER, _T.OPEN_REPAIR, _T.WAITS_FOR_CUSTOMER), "/work-orders"),
    **dict.fromkeys((_T.CAME_BACK, _T.SLA_BREACHED, _T.SLA_AT_RISK, _T.SLA_MISSED), "/work-orders"),
    _T.CAPA_OPEN: "/capa",
    **dict.fromkeys((_T.CRITICAL_COMPLAINT, _T.MAJOR_COMPLAINT, _T.OPEN_COMPLAINT), "/complaints"),
}


@dataclass(frozen=True, slots=True)
class ReasonLine:
    """Why there are points: a sentence around the record that it names, which is a link where it has a page."""

    points: int
    before: str
    example: str
    after: str
    href: str


@dataclass(frozen=True, slots=True)
class DueLine:
    """A date and how far off it is; `kind` is a value of `DueState`."""

    kind: str
    text: str


def find_href(place: str, code: str | None) -> str:
    """The page of that record; "" where this console has no such page."""
    known = any(entry.href == place for entry in PLACES)
    return f"{place}/{code}" if known and code else ""


def find_reasons(view: View, risk: Risk, most: int) -> list[ReasonLine]:
    """The first so many reasons."""
    lines = ((r.code, r.points, r.say(view.language), str(r.params["example"])) for r in risk.reasons[:most])
    return [_find_reason(*line) for line in lines]


def find_shaped_reasons(view: View, reasons: Iterable[ReasonShape]) -> list[ReasonLine]:
    """The same of reasons as the API says them."""
    return [_find_reason(r.code, r.points, r.sentence[view.language], str(r.params["example"])) for r in reasons]


def _find_reason(code: Trouble, points: int, sentence: str, example: str) -> ReasonLine:
    before, named, after = sentence.partition(example)
    place = _PLACES.get(code)
    return ReasonLine(points, before, named, after, find_href(place, named) if place else "")


def find_due(view: View, due: DueShape) -> DueLine:
    """A date in words: over, soon, later, or not known."""
    if due.on is None or due.days_left is None:
        return DueLine(DueState.UNKNOWN, view.t("owed.due_unknown"))
    key = "owed.due_over" if due.days_left < 0 else "owed.due_today" if due.days_left == 0 else "owed.due_in"
    return DueLine(due.state, view.t(key, date=due.on.isoformat(), count=abs(due.days_left)))


def find_contract(view: View, contract: ContractLineShape | None) -> dict[str, Any] | None:
    """The contract that counts; None: none has begun."""
    if contract is None:
        return None
    return {
        "code": contract.code,
        "coverage": contract.coverage,
        "status": contract.status,
        "is_current": contract.is_current,
        "since": contract.starts_on.isoformat(),
        "end": find_due(view, contract.end),
        "covers": view.t("owed.covers_all" if contract.covers_all else "owed.covers_named"),
        "policy": contract.sla_policy or view.t("owed.policy_of_model"),
        "follows": contract.follows,
    }


def find_owed_clock(view: View, clock: ClockLineShape) -> Clock | None:
    """An SLA clock of an open order as it stands."""
    held = clock.pause_reason if clock.state == "PAUSED" else None
    if held is not None and held not in set(HoldReason):
        return Clock(clock.clock.lower(), "paused", view.t("owed.paused"), None)
    due = None if held is not None else clock.due_at or clock.breached_at
    return find_clock(view, clock.clock.lower(), due, started=clock.started_at, held=held)


def find_clock_lines(view: View, part: Part[ClockLineShape]) -> list[dict[str, Any]]:
    """Clocks with their orders."""
    return [
        {"order": c.work_order, "priority": c.priority, "serial": c.serial, "clock": find_owed_clock(view, c)}
        for c in part.items
    ]


def find_order_lines(view: View, part: Part[OrderLineShape], *, shows_owner: bool) -> list[dict[str, Any]]:
    """Orders; where the owner is hidden from the reader's roles it says so."""
    return [
        {
            "code": o.code,
            "priority": o.priority,
            "state": o.state,
            "hold_reason": o.hold_reason,
            "title": o.title[view.language],
            "serial": o.serial,
            "owner": o.assignee_name or "–" if shows_owner else view.t("fact.hidden"),
            "created": view.when(o.created_at),
            "closed": view.when(o.closed_at),
            "outcome": view.name("outcome", o.outcome),
        }
        for o in part.items
    ]


def find_capa_lines(
    view: View, part: Part[CapaLineShape] | None, profiles: Mapping[str, Profile]
) -> list[dict[str, Any]] | None:
    """Open CAPAs; None: hidden by role."""
    if part is None:
        return None
    return [
        {
            "code": c.code,
            "state": c.state,
            "scope": view.t(f"capa.scope_{c.scope_kind}", value=c.scope_value),
            "model": c.model,
            "fault": find_fault(view, profiles, c.model, c.fault_group),
            "orders": c.orders,
        }
        for c in part.items
    ]


def find_item_lines(view: View, part: Part[ItemLineShape] | None) -> list[dict[str, Any]] | None:
    """Devices in field actions; None: hidden by role."""
    if part is None:
        return None
    return [
        {
            "action": i.action,
            "href": find_href("/field-actions", i.action),
            "kind": i.kind,
            "title": i.title,
            "action_state": i.action_state,
            "halted": i.is_halted,
            "serial": i.serial,
            "state": i.state,
            "since": view.when(i.state_since),
            "order": i.work_order,
        }
        for i in part.items
    ]


def find_complaint_lines(
    view: View, part: Part[ComplaintLineShape] | None, profiles: Mapping[str, Profile], models: Mapping[str, str]
) -> list[dict[str, Any]] | None:
    """Complaints, without who complained; None: hidden by role. `models` are those of the serials that are known."""
    if part is None:
        return None
    return [
        {
            "code": c.code,
            "href": find_href("/complaints", c.code),
            "state": c.state,
            "severity": c.severity,
            "serial": c.serial,
            "fault": find_fault(view, profiles, models.get(c.serial or ""), c.fault_group) if c.fault_group else "",
            "order": c.work_order,
            "received": view.when(c.received_at),
        }
        for c in part.items
    ]


def find_planned_lines(view: View, part: Part[PlannedLineShape]) -> list[dict[str, Any]]:
    """Planned work: its plan, when it is due, its order."""
    lines = []
    for p in part.items:
        state = DueState.OVER if p.state == "OVERDUE" else DueState.SOON if p.state == "DUE" else DueState.LATER
        due = find_due(view, DueShape(on=p.due_on, days_left=p.days_left, state=state))
        name = {"name": p.plan_name, "code": p.plan, "state": p.state, "serial": p.serial, "order": p.work_order}
        lines.append({**name, "due": due, "type": p.order_type})
    return lines
