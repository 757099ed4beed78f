"""A customer in words and figures: its line in the ranking, and the page of what we owe it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.console.facts import say_share
from api.console.owed_views import (
    ReasonLine,
    find_capa_lines,
    find_clock_lines,
    find_complaint_lines,
    find_contract,
    find_due,
    find_item_lines,
    find_order_lines,
    find_planned_lines,
    find_reasons,
    find_shaped_reasons,
)
from api.console.page import View
from api.shapes.overviews import CustomerOverview, ExceptionDeviceShape, SlaShape
from domain.customer_risk import find_customer_risk
from domain.device_exception import DeviceException
from domain.health import HealthState
from domain.masking import mask_record
from domain.profile import Profile
from domain.risk import Found, Trouble
from domain.roles import Permission
from domain.sla_policy import ClockKind
from store.customer_standing import CustomerLine
from store.customers import Site

TYPES = ("HOSPITAL", "CLINIC", "LAB", "DISTRIBUTOR")
REASONS = 3  # of each line of the ranking


@dataclass(frozen=True, slots=True)
class AttentionLine:
    """One customer of the ranking."""

    rank: int
    code: str
    name: str
    under: str
    score: int
    reasons: list[ReasonLine]
    more: int
    devices: str
    contacts: list[str] | None
    flags: list[str]


def find_attention_line(view: View, rank: int, line: CustomerLine, found: Mapping[Trouble, Found]) -> AttentionLine:
    """The line of that customer for this reader: the reasons that count most, and whom to call."""
    risk = find_customer_risk(found)
    shown = mask_record("customer", {"contacts": line.contacts}, view.person.permissions)
    parts = (line.code, view.name("customer_type", line.type), line.region)
    return AttentionLine(
        rank=rank,
        code=line.code,
        name=line.name,
        under=" · ".join(part for part in parts if part),
        score=risk.score,
        reasons=find_reasons(view, risk, REASONS),
        more=max(len(risk.reasons) - REASONS, 0),
        devices=f"{line.device_count:,}",
        contacts=say_contacts(shown["contacts"]),
        flags=["SIM"] if line.is_simulated else [],
    )


def say_contacts(contacts: Sequence[Mapping[str, Any]] | None) -> list[str] | None:
    """People as name, phone and mail; None: hidden by role."""
    if contacts is None:
        return None
    said = (" ".join(str(c[key]) for key in ("name", "phone", "email") if c.get(key)) for c in contacts)
    return [text for text in said if text]


def find_hidden_words(view: View, hidden: Iterable[Trouble]) -> str:
    """Of which records this reader's roles show nothing, so that they give no points; "" where they show all."""
    records = sorted({_RECORDS[trouble] for trouble in hidden})
    named = view.t("list.comma").join(view.t(f"customers.hidden_{record}") for record in records)
    return view.t("customers.hidden", records=named) if records else ""


_RECORDS = {
    Trouble.CRITICAL_COMPLAINT: "complaints",
    Trouble.MAJOR_COMPLAINT: "complaints",
    Trouble.OPEN_COMPLAINT: "complaints",
    Trouble.RECALL_UNREACHABLE: "field_actions",
    Trouble.RECALL_OPEN: "field_actions",
    Trouble.FIRMWARE_PENDING: "field_actions",
    Trouble.FIRMWARE_WITHDRAWN: "field_actions",
    Trouble.CAPA_OPEN: "capas",
}


def find_overview(
    view: View, page: CustomerOverview, sites: Sequence[Site], profiles: Mapping[str, Profile]
) -> dict[str, Any]:
    """What the page of one customer shows."""
    shows_owner = view.may(Permission.STAFF_READ)
    devices = page.devices
    models = {d.serial: d.model for e in devices.exceptions for d in e.items}
    kinds = (view.name("customer_type", page.type), view.name("customer_channel", page.channel), page.region)
    return {
        "customer": {
            "code": page.code,
            "name": page.name,
            "what": " · ".join(part for part in kinds if part),
            "status": page.status,
            "flags": ["SIM"] if page.is_simulated else [],
        },
        "score": page.risk.score,
        "reasons_list": find_shaped_reasons(view, page.risk.reasons),
        "more_reasons": page.risk.more_reasons,
        "hidden": find_hidden_words(view, (Trouble(name) for name in page.hidden if name in set(Trouble))),
        "contacts": say_contacts(page.contacts),
        "contract": find_contract(view, page.contract),
        "sla": _find_sla(view, page.sla),
        "clocks": find_clock_lines(view, page.sla.clocks),
        "clock_total": page.sla.clocks.total,
        "devices": f"{devices.total:,}",
        "health_counts": [(state.value, f"{devices.by_health[state]:,}") for state in HealthState],
        "exceptions": [
            {
                "code": e.exception.value,
                "total": e.total,
                "items": [_find_exception_device(view, e.exception, d) for d in e.items],
            }
            for e in devices.exceptions
            if e.total
        ],
        "no_exceptions": [view.name("device_exception", e.exception.value) for e in devices.exceptions if not e.total],
        "order_list": find_order_lines(view, page.work_orders, shows_owner=shows_owner),
        "order_total": page.work_orders.total,
        "capa_list": find_capa_lines(view, page.capas, profiles),
        "item_list": find_item_lines(view, page.field_actions),
        "item_total": page.field_actions.total if page.field_actions else 0,
        "complaint_list": find_complaint_lines(view, page.complaints, profiles, models),
        "calibrations": [
            {"serial": c.serial, "model": c.model, "site": c.site, "due": find_due(view, c.due)}
            for c in page.calibrations.items
        ],
        "calibration_total": page.calibrations.total,
        "maintenance": find_planned_lines(view, page.maintenance),
        "maintenance_total": page.maintenance.total,
        "sites": sites,
    }


def _find_sla(view: View, sla: SlaShape) -> list[dict[str, str]]:
    lines = []
    for kind in ClockKind:
        share = sla.shares[kind.value]
        key = "customer.sla_none" if share.share is None else "customer.sla_of"
        text = view.t(key, met=share.met, ended=share.met + share.breached)
        lines.append({"clock": kind.value.lower(), "share": say_share(share.share), "text": text})
    return lines


def _find_exception_device(view: View, kind: DeviceException, device: ExceptionDeviceShape) -> dict[str, Any]:
    """The device with why it is an exception, in words."""
    match kind:
        case DeviceException.OPEN_BREACH:
            why = view.name("severity", device.reason)
        case DeviceException.UNKNOWN_HEALTH:
            why = view.name("owed_health", device.reason)
        case DeviceException.CALIBRATION_OVERDUE | DeviceException.WARRANTY_ENDING:
            why = device.reason
        case _:
            since = view.when(device.since)
            why = since.ago if since else ""
    return {"serial": device.serial, "why": why}
