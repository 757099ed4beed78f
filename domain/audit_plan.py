"""The audit's sentences about maintenance plans and reminders."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from domain.audit import AuditEntry
from domain.maintenance_plan import OccurrenceState

ENTITY = "maintenance_plan"
OCCURRENCE = "plan_occurrence"


def plan_made(code: str, after: Mapping[str, Any]) -> AuditEntry:
    """Somebody made a plan."""
    return AuditEntry("maintenance_plan.made", ENTITY, code, None, after)


def plan_ended(code: str, reason: str) -> AuditEntry:
    """Somebody ended a plan; what is due already stays due."""
    return AuditEntry("maintenance_plan.ended", ENTITY, code, {"state": "ACTIVE"}, {"state": "ENDED"}, reason)


def occurrence_planned(code: str, after: Mapping[str, Any]) -> AuditEntry:
    """The machine planned the next time of a plan at a device."""
    return AuditEntry("plan_occurrence.planned", OCCURRENCE, code, None, after)


def occurrence_moved(
    code: str, was: OccurrenceState, to: OccurrenceState, *, order: str | None, due_on: date | None
) -> AuditEntry:
    """An occurrence is in another state, by its work order or because days went by."""
    after = {"state": to, "work_order": order, "due_on": due_on}
    return AuditEntry("plan_occurrence.moved", OCCURRENCE, code, {"state": was}, after)


def occurrence_skipped(code: str, was: OccurrenceState, request: str, reason: str) -> AuditEntry:
    """Two people left an occurrence out."""
    after = {"state": OccurrenceState.SKIPPED, "request": request}
    return AuditEntry("plan_occurrence.skipped", OCCURRENCE, code, {"state": was}, after, reason)


def calibration_due_moved(serial: str, before: date | None, after: date | None) -> AuditEntry:
    """When a device is to be calibrated next follows from its plans."""
    return AuditEntry(
        "device.calibration_due", "device", serial, {"calibration_due": before}, {"calibration_due": after}
    )


def reminded(kind: str, subject: str, ends_on: date) -> AuditEntry:
    """The machine reminded of something that ends."""
    return AuditEntry("reminder.given", "reminder", f"{kind}:{subject}", None, {"ends_on": ends_on})
