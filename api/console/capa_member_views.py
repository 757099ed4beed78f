"""What a CAPA is made of: the work orders that count, the complaints about them, and the devices in its scope."""

from collections.abc import Iterable
from typing import Any

from api.console.order_rows import find_clock
from api.console.page import View
from store.capa_complaints import CapaComplaint
from store.capa_effectiveness import ScopeDevice
from store.capas import CapaMember


def find_members(view: View, members: Iterable[CapaMember]) -> list[dict[str, Any]]:
    """Its work orders, with what came of them and why one does not count."""
    return [
        {
            "code": m.code,
            "priority": m.priority,
            "serial": m.serial,
            "customer": " · ".join(part for part in (m.customer_name, m.lot, m.firmware) if part),
            "state": m.state,
            "outcome": view.name("outcome", m.outcome),
            "excluded": view.name("excluded", m.excluded_reason),
        }
        for m in members
    ]


def find_devices(devices: Iterable[ScopeDevice]) -> list[dict[str, Any]]:
    """The devices in its scope."""
    return [
        {"serial": d.serial, "lot": d.lot, "firmware": d.firmware, "customer": d.customer_name or ""} for d in devices
    ]


def find_complaints(view: View, complaints: Iterable[CapaComplaint]) -> list[dict[str, Any]]:
    """Complaints about its orders, each with the clock of its report to an authority."""
    return [_find_complaint(view, complaint) for complaint in complaints]


def _find_complaint(view: View, complaint: CapaComplaint) -> dict[str, Any]:
    is_running = complaint.clock_state in ("RUNNING", "SUBMITTED")
    clock = find_clock(
        view,
        "report",
        complaint.due_at if is_running else None,
        started=complaint.aware_at,
        met_at=complaint.submitted_at,
    )
    return {
        "code": complaint.code,
        "state": complaint.state,
        "severity": view.name("complaint_severity", complaint.severity),
        "order": complaint.work_order,
        "decision": view.name("vigilance_decision", complaint.decision) if complaint.decision else "",
        "authority": view.name("jurisdiction", complaint.jurisdiction),
        "clock": clock,
        "clock_state": view.name("report_state", complaint.clock_state),
    }
