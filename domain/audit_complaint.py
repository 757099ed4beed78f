"""The audit's sentences about complaints and vigilance."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.audit import AuditEntry
from domain.complaint import Complaint, ComplaintState, find_complaint_content
from domain.vigilance import Assessment, ReportClock

ENTITY = "complaint"
_S = ComplaintState
_ACTIONS = {
    (_S.RECEIVED, _S.INVESTIGATION): "complaint.investigated",
    (_S.RECEIVED, _S.RESOLVED): "complaint.not_investigated",
    (_S.INVESTIGATION, _S.RESOLVED): "complaint.resolved",
    (_S.RESOLVED, _S.INVESTIGATION): "complaint.investigated_again",
    (_S.RESOLVED, _S.CLOSED): "complaint.closed",
    (_S.CLOSED, _S.INVESTIGATION): "complaint.reopened",
}


class ReportNews(StrEnum):
    """What became of a report's clock because time passed. Values are actions of the audit and types of events."""

    DUE_SOON = "vigilance.due_soon"
    OVERDUE = "vigilance.overdue"


def complaint_received(complaint: Complaint, order: str | None) -> AuditEntry:
    """A complaint came in, and the work order that takes care of it, where there is one."""
    after = find_complaint_content(complaint) | {
        "state": complaint.state,
        "work_order": order,
        "joined_as": complaint.joined_as,
        "external_refs": complaint.external_refs,
    }
    return AuditEntry("complaint.received", ENTITY, complaint.code, None, after)


def complaint_changed(code: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str) -> AuditEntry:
    """Somebody put a complaint right or added to it; before and after hold what changed."""
    return AuditEntry("complaint.changed", ENTITY, code, before, after, reason)


def complaint_linked(code: str, order: str, joined_as: str) -> AuditEntry:
    """A complaint that had none got its work order."""
    return AuditEntry("complaint.linked", ENTITY, code, {"work_order": None}, {"work_order": order, "as": joined_as})


def complaint_stepped(before: Complaint, after: Complaint, reason: str) -> AuditEntry:
    """A person took a step of the life-cycle."""
    names = ("state", "version", "investigated", "investigation", "not_investigated_reason")
    was = {n: getattr(before, n) for n in names if getattr(before, n) != getattr(after, n)}
    becomes = {n: getattr(after, n) for n in was}
    return AuditEntry(_ACTIONS[before.state, after.state], ENTITY, before.code, was, becomes, reason)


def vigilance_assessed(code: str, before: Assessment | None, after: Assessment, due: Mapping[str, Any]) -> AuditEntry:
    """A person said what harm was done; the authorities' due times follow from it."""
    was = None if before is None else _find_assessed(before)
    return AuditEntry("vigilance.assessed", ENTITY, code, was, _find_assessed(after) | {"due": due}, after.reason)


def vigilance_decided(code: str, decided: Assessment, content_sha256: str) -> AuditEntry:
    """A person decided whether it is reported."""
    after = {
        "assessment": decided.version,
        "decision": decided.decision,
        "reportable_in": decided.reportable_in,
        "content_sha256": content_sha256,
    }
    return AuditEntry("vigilance.decided", ENTITY, code, {"decision": None}, after, decided.justification)


def report_submitted(code: str, before: ReportClock, after: ReportClock) -> AuditEntry:
    """A person reported to an authority."""
    names = ("state", "submitted_at", "reference")
    was, becomes = ({n: v for n, v in asdict(c).items() if n in names} for c in (before, after))
    late = {"jurisdiction": after.jurisdiction, "due_at": after.due_at}
    return AuditEntry("vigilance.submitted", ENTITY, code, was, becomes | late)


def report_told(news: ReportNews, code: str, jurisdiction: str, due_at: datetime) -> AuditEntry:
    """The time for a report runs out, or has; the machine says so and does nothing else."""
    return AuditEntry(news, ENTITY, code, None, {"jurisdiction": jurisdiction, "due_at": due_at})


def _find_assessed(assessment: Assessment) -> dict[str, Any]:
    names = ("version", "aware_at", "harm", "is_unanticipated", "needs_remedial_action", "jurisdictions")
    later = ("threat_known_at", "remedial_need_known_at")
    said = [name for name in later if getattr(assessment, name) is not None]
    return {name: getattr(assessment, name) for name in (*names, *said)}
