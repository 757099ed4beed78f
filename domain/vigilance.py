"""Vigilance: one person says what harm was done and since when it is known, another decides whether it is reported.
The machine only counts down. Pure; a refusal is a value."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.audit import Signature
from domain.roles import Permission
from domain.vigilance_terms import Harm, Jurisdiction, ReportDue, find_first_due


class VigilanceDecision(StrEnum):
    """Values stand in the database and never change."""

    REPORTABLE = "REPORTABLE"
    NOT_REPORTABLE = "NOT_REPORTABLE"


class ReportState(StrEnum):
    """Where the report to one authority is. Values stand in the database and never change."""

    RUNNING = "RUNNING"
    SUBMITTED = "SUBMITTED"
    NOT_REQUIRED = "NOT_REQUIRED"
    SUPERSEDED = "SUPERSEDED"  # a newer assessment has a clock of its own


class VigilanceGuard(StrEnum):
    """The rule that refused; a 409 names it. Values never change."""

    PERMISSION_MISSING = "permission_missing"
    PERSON_NEEDED = "person_needed"
    COMPLAINT_CLOSED = "complaint_closed"
    AWARE_IN_FUTURE = "aware_in_future"
    KNOWN_BEFORE_AWARE = "known_before_aware"
    NOTHING_KNOWN_LATER = "nothing_known_later"
    JURISDICTION_MISSING = "jurisdiction_missing"
    REASON_MISSING = "reason_missing"
    NOT_ASSESSED = "not_assessed"
    DECIDED_ALREADY = "decided_already"
    SECOND_PERSON = "second_person"
    JUSTIFICATION_MISSING = "justification_missing"
    NOT_ASSESSED_THERE = "not_assessed_there"
    NO_HARM_ASSESSED = "no_harm_assessed"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    MEANING_MISSING = "meaning_missing"
    NOT_REPORTABLE = "not_reportable"
    SUBMITTED_ALREADY = "submitted_already"
    REFERENCE_MISSING = "reference_missing"
    SUBMITTED_IN_FUTURE = "submitted_in_future"
    SUBMITTED_BEFORE_AWARE = "submitted_before_aware"


@dataclass(frozen=True, slots=True)
class AssessmentRequest:
    """What somebody knows of the harm."""

    aware_at: datetime
    harm: Harm
    jurisdictions: tuple[Jurisdiction, ...]
    reason: str  # on what it rests; of a second one also why
    is_unanticipated: bool = False
    needs_remedial_action: bool = False
    threat_known_at: datetime | None = None  # since when a serious public health threat is known; None: as `harm` says
    remedial_need_known_at: datetime | None = None  # None: the need was known with the incident


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """Whether it is reported, and to whom."""

    decision: VigilanceDecision
    justification: str
    reportable_in: tuple[Jurisdiction, ...] = ()
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """A report was submitted."""

    jurisdiction: Jurisdiction
    submitted_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """One assessment as stored, with the decision on it where there is one."""

    id: int
    complaint_id: int
    version: int
    aware_at: datetime
    harm: Harm
    is_unanticipated: bool
    needs_remedial_action: bool
    jurisdictions: tuple[Jurisdiction, ...]
    reason: str
    assessed_by_id: int
    assessed_by: str
    assessed_at: datetime
    decision: VigilanceDecision | None
    reportable_in: tuple[Jurisdiction, ...]
    justification: str
    decided_by_id: int | None
    decided_by: str | None
    decided_at: datetime | None
    threat_known_at: datetime | None = None
    remedial_need_known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportClock:
    """Until when one authority must have been told."""

    assessment_id: int
    jurisdiction: Jurisdiction
    state: ReportState
    rule: str
    time_zone: str
    due_at: datetime
    warn_at: datetime
    holidays_release: str
    warned_at: datetime | None
    overdue_at: datetime | None
    submitted_at: datetime | None
    submitted_by: str | None
    reference: str


@dataclass(frozen=True, slots=True)
class VigilanceRefusal:
    """Why it may not be: the guard, and a sentence for people."""

    guard: VigilanceGuard
    detail: str


_G = VigilanceGuard
REPORT_PERMISSIONS = (Permission.VIGILANCE_ASSESS, Permission.VIGILANCE_DECIDE)


def find_dues(request: AssessmentRequest) -> list[ReportDue]:
    """When each authority would have to be told, in the order of the request; none where no harm is assessed."""
    found = [
        find_first_due(
            jurisdiction,
            request.harm,
            request.aware_at,
            is_unanticipated=request.is_unanticipated,
            needs_remedial_action=request.needs_remedial_action,
            threat_known_at=request.threat_known_at,
            remedial_need_known_at=request.remedial_need_known_at,
        )
        for jurisdiction in request.jurisdictions
    ]
    return [due for due in found if due is not None]


def find_later_faults(request: AssessmentRequest) -> dict[str, VigilanceRefusal]:
    """What is the matter with the moments from which more was known than an incident, by their names."""
    early = _refuse(_G.KNOWN_BEFORE_AWARE, "what was known before the incident counts from `aware_at`: leave it out")
    need = _refuse(_G.NOTHING_KNOWN_LATER, "since when is the need known, if no remedial action is needed?")
    threat = _refuse(_G.NOTHING_KNOWN_LATER, "since when is the threat known, if there is no harm?")
    known = (
        ("remedial_need_known_at", request.remedial_need_known_at, not request.needs_remedial_action, need),
        ("threat_known_at", request.threat_known_at, request.harm is Harm.NONE, threat),
    )
    return {
        name: early if at < request.aware_at else unfounded
        for name, at, is_unfounded, unfounded in known
        if at is not None and (at < request.aware_at or is_unfounded)
    }


def find_assessment_refusal(
    request: AssessmentRequest, *, actor_id: int | None, by: str, is_closed: bool, now: datetime
) -> VigilanceRefusal | None:
    """The first guard that refuses the assessment, or None."""
    if by != Permission.VIGILANCE_ASSESS:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {Permission.VIGILANCE_ASSESS}")
    if actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "people assess harm; a token or a program does not")
    if is_closed:
        return _refuse(_G.COMPLAINT_CLOSED, "the complaint is closed: reopen it first")
    later = [at for at in (request.threat_known_at, request.remedial_need_known_at) if at is not None]
    if max([request.aware_at, *later]) > now:
        return _refuse(_G.AWARE_IN_FUTURE, "nobody becomes aware in the future")
    if faults := [*find_later_faults(request).values()]:
        return next((one for one in faults if one.guard is _G.KNOWN_BEFORE_AWARE), faults[0])
    if not request.jurisdictions:
        return _refuse(_G.JURISDICTION_MISSING, "say which authorities it concerns")
    if not request.reason.strip():
        return _refuse(_G.REASON_MISSING, "say on what the assessment rests")
    return None


def find_decision_refusal(
    request: DecisionRequest, newest: Assessment | None, *, actor_id: int | None, by: str, is_closed: bool
) -> VigilanceRefusal | None:
    """The first guard that refuses the decision on the newest assessment, or None."""
    if by != Permission.VIGILANCE_DECIDE:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {Permission.VIGILANCE_DECIDE}")
    if actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "people decide whether it is reported; a token or a program does not")
    if is_closed:
        return _refuse(_G.COMPLAINT_CLOSED, "the complaint is closed: reopen it first")
    if newest is None:
        return _refuse(_G.NOT_ASSESSED, "nobody has assessed the harm yet")
    if newest.decision is not None:
        return _refuse(_G.DECIDED_ALREADY, "it is decided; what has changed since is a new assessment")
    if actor_id == newest.assessed_by_id:
        return _refuse(_G.SECOND_PERSON, "who assessed it does not decide on it")
    if not request.justification.strip():
        return _refuse(_G.JUSTIFICATION_MISSING, "a decision says why")
    if request.decision is VigilanceDecision.REPORTABLE:
        if newest.harm is Harm.NONE:
            return _refuse(_G.NO_HARM_ASSESSED, "no harm is assessed, so no clock runs: have it assessed again")
        if not request.reportable_in:
            return _refuse(_G.JURISDICTION_MISSING, "say to which authorities it is reported")
        strange = [j.value for j in request.reportable_in if j not in newest.jurisdictions]
        if strange:
            return _refuse(_G.NOT_ASSESSED_THERE, f"it was not assessed for {', '.join(strange)}")
    if request.signature is None:
        return _refuse(_G.SIGNATURE_MISSING, "the decision is signed: give the password again, and what it means")
    if request.signature.signer_id != actor_id:
        return _refuse(_G.SIGNER_IS_ANOTHER, "one signs for oneself alone")
    if not request.signature.meaning.strip():
        return _refuse(_G.MEANING_MISSING, "a signature says what it means")
    return None


def find_submission_refusal(
    request: SubmissionRequest,
    newest: Assessment | None,
    clock: ReportClock | None,
    *,
    actor_id: int | None,
    by: str,
    now: datetime,
) -> VigilanceRefusal | None:
    """The first guard that refuses that a report counts as submitted, or None."""
    if by not in REPORT_PERMISSIONS:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {' or '.join(REPORT_PERMISSIONS)}")
    if actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "people report to authorities; a token or a program does not")
    if newest is None:
        return _refuse(_G.NOT_ASSESSED, "nobody has assessed the harm yet")
    if clock is not None and clock.state is ReportState.SUBMITTED:
        return _refuse(_G.SUBMITTED_ALREADY, f"it was submitted as {clock.reference}")
    if clock is None or request.jurisdiction not in newest.reportable_in:
        return _refuse(_G.NOT_REPORTABLE, f"nobody has decided that it is reported in {request.jurisdiction}")
    if not request.reference.strip():
        return _refuse(_G.REFERENCE_MISSING, "give what the authority calls the report")
    if request.submitted_at > now:
        return _refuse(_G.SUBMITTED_IN_FUTURE, "nothing is submitted in the future")
    if request.submitted_at < newest.aware_at:
        return _refuse(_G.SUBMITTED_BEFORE_AWARE, "nobody reports what he does not know of")
    return None


def find_decision_content(code: str, assessment: Assessment) -> dict[str, Any]:
    """What a decision's signature is on: the assessment, and what was decided why."""
    names = ("version", "aware_at", "harm", "is_unanticipated", "needs_remedial_action", "reason", "assessed_by_id",
             "decision", "justification")  # fmt: skip
    lists = {name: sorted(getattr(assessment, name)) for name in ("jurisdictions", "reportable_in")}
    # Where nothing became known later nothing is said of it: what was signed before one could say so still holds.
    later = {name: getattr(assessment, name) for name in ("threat_known_at", "remedial_need_known_at")}
    said = {name: at for name, at in later.items() if at is not None}
    return {"complaint": code} | {name: getattr(assessment, name) for name in names} | lists | said


def _refuse(guard: VigilanceGuard, detail: str) -> VigilanceRefusal:
    return VigilanceRefusal(guard, detail)
