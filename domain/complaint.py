"""Complaints: their states, which steps there are, and the guards that refuse one. A refusal is a value. Pure.

The record holds what 21 CFR 820.35(a) asks for: the device's name, when the complaint was received, UDI, UPC or other
identification, who complains and how to reach them, nature and details, correction or corrective action, the reply,
and whether it was investigated or why not. Whether it is reported is in `domain.vigilance`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.audit import Signature
from domain.roles import Permission


class ComplaintState(StrEnum):
    """Values stand in the database and never change."""

    RECEIVED = "RECEIVED"
    INVESTIGATION = "INVESTIGATION"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"


class ComplaintSeverity(StrEnum):
    """How bad it is as it was received; what harm was done is assessed apart."""

    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class ComplaintGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    PERSON_NEEDED = "person_needed"
    REASON_MISSING = "reason_missing"
    INVESTIGATION_MISSING = "investigation_missing"
    MUST_INVESTIGATE = "must_investigate"
    RECORD_INCOMPLETE = "record_incomplete"
    VIGILANCE_UNDECIDED = "vigilance_undecided"
    REPORT_OPEN = "report_open"
    WORK_ORDER_OPEN = "work_order_open"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    MEANING_MISSING = "meaning_missing"
    CLOSED = "closed"
    LINKED_ALREADY = "linked_already"


@dataclass(frozen=True, slots=True)
class Complaint:
    """One complaint as stored; `row_version` is what `If-Match` compares."""

    id: int
    code: str  # CMP-2026-000001
    state: ComplaintState
    version: int
    received_at: datetime
    severity: ComplaintSeverity
    device_name: str
    device_identification: str
    reporter_name: str
    reporter_address: str
    reporter_phone: str
    details: str
    correction: str
    reply: str
    device_id: int | None
    customer_id: int | None
    fault_group: str | None
    work_order_id: int | None
    joined_as: str | None
    investigated: bool | None
    investigation: str
    not_investigated_reason: str
    investigation_decided_by_id: int | None
    investigation_decided_by: str | None
    closed_at: datetime | None
    region: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    external_refs: list[Mapping[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ComplaintRequest:
    """A step that somebody wants. Only the fields that the wanted state needs are looked at."""

    to: ComplaintState
    reason: str = ""  # RESOLVED from RECEIVED: why it is not investigated; INVESTIGATION again: why
    investigation: str = ""  # RESOLVED from INVESTIGATION: what was found
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ComplaintFacts:
    """What the guards must know, loaded in the same transaction."""

    state: ComplaintState
    actor_id: int | None
    missing: tuple[str, ...] = ()  # fields of 820.35(a) that are still empty
    is_assessed: bool = True  # there is an assessment of the harm
    is_decided: bool = True  # and the newest one is decided
    is_reportable: bool = False
    open_reports: tuple[str, ...] = ()  # authorities that are to be told, and were not yet
    investigated: bool | None = True
    has_open_order: bool = False


@dataclass(frozen=True, slots=True)
class ComplaintRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ComplaintGuard
    detail: str


_S = ComplaintState
_G = ComplaintGuard
_WRITE = Permission.COMPLAINT_WRITE
_JUDGE = Permission.VIGILANCE_ASSESS

# (from, to) -> the permission that it takes. What is not here does not exist. That there is no investigation, and that
# it is over, is for quality to say and not for whoever writes complaints down.
COMPLAINT_TRANSITIONS: dict[tuple[ComplaintState, ComplaintState], Permission] = {
    (_S.RECEIVED, _S.INVESTIGATION): _WRITE,
    (_S.RECEIVED, _S.RESOLVED): _JUDGE,
    (_S.INVESTIGATION, _S.RESOLVED): _WRITE,
    (_S.RESOLVED, _S.INVESTIGATION): _WRITE,
    (_S.RESOLVED, _S.CLOSED): _JUDGE,
    (_S.CLOSED, _S.INVESTIGATION): _JUDGE,
}
# Fields of 820.35(a) that a closed complaint has; where something could not be learnt the record says so in words.
REQUIRED_FIELDS = (
    "device_name",
    "device_identification",
    "reporter_name",
    "reporter_address",
    "reporter_phone",
    "details",
    "correction",
    "reply",
)


def find_missing_fields(complaint: Complaint) -> tuple[str, ...]:
    """The fields of 820.35(a) that are still empty."""
    return tuple(name for name in REQUIRED_FIELDS if not str(getattr(complaint, name)).strip())


def find_complaint_next_states(state: ComplaintState) -> tuple[ComplaintState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in COMPLAINT_TRANSITIONS if source is state)


def find_complaint_refusal(request: ComplaintRequest, facts: ComplaintFacts, by: str) -> ComplaintRefusal | None:
    """The first guard that refuses the step, or None. `by` is the permission that the actor uses."""
    needed = COMPLAINT_TRANSITIONS.get((facts.state, request.to))
    if needed is None:
        allowed = ", ".join(find_complaint_next_states(facts.state))
        return _refuse(_G.NO_SUCH_TRANSITION, f"from {facts.state} a complaint can become {allowed}; not {request.to}")
    if by != needed:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {needed}")
    if facts.actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "people decide on complaints; a token or a program does not")
    match request.to:
        case _S.INVESTIGATION:
            if facts.state is not _S.RECEIVED and not request.reason.strip():
                return _refuse(_G.REASON_MISSING, "investigating it again needs a reason")
            return None
        case _S.RESOLVED:
            return _check_resolved(request, facts)
        case _:
            return _check_closed(request, facts)


def _check_resolved(request: ComplaintRequest, facts: ComplaintFacts) -> ComplaintRefusal | None:
    if facts.state is _S.INVESTIGATION:
        if request.investigation.strip():
            return None
        return _refuse(_G.INVESTIGATION_MISSING, "say what the investigation found")
    if facts.is_reportable:
        return _refuse(_G.MUST_INVESTIGATE, "what is reported to an authority is investigated")
    if not request.reason.strip():
        return _refuse(_G.REASON_MISSING, "without an investigation the record says why there was none")
    return None


def _check_closed(request: ComplaintRequest, facts: ComplaintFacts) -> ComplaintRefusal | None:
    if facts.missing:
        return _refuse(_G.RECORD_INCOMPLETE, f"the record lacks {', '.join(facts.missing)}")
    if not facts.is_assessed or not facts.is_decided:
        return _refuse(_G.VIGILANCE_UNDECIDED, "whether it is reported to an authority is not decided")
    if facts.is_reportable and not facts.investigated:
        return _refuse(_G.MUST_INVESTIGATE, "what is reported to an authority is investigated")
    if facts.open_reports:
        return _refuse(_G.REPORT_OPEN, f"the report to {', '.join(facts.open_reports)} is not submitted")
    if facts.has_open_order:
        return _refuse(_G.WORK_ORDER_OPEN, "its work order is still open")
    if request.signature is None:
        return _refuse(_G.SIGNATURE_MISSING, "closing is signed: give the password again, and what it means")
    if request.signature.signer_id != facts.actor_id:
        return _refuse(_G.SIGNER_IS_ANOTHER, "one signs for oneself alone")
    if not request.signature.meaning.strip():
        return _refuse(_G.MEANING_MISSING, "a signature says what it means")
    return None


def find_complaint_content(complaint: Complaint) -> dict[str, Any]:
    """What stands in a complaint, without what changes by itself: what its closing signature is on."""
    names = ("code", "received_at", "severity", *REQUIRED_FIELDS, "device_id", "fault_group", "investigated",
             "investigation", "not_investigated_reason")  # fmt: skip
    return {name: getattr(complaint, name) for name in names}


def _refuse(guard: ComplaintGuard, detail: str) -> ComplaintRefusal:
    return ComplaintRefusal(guard, detail)
