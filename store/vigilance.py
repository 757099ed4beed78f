"""Vigilance as rows: assessments, decisions and clocks; written by people, told of by the machine."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from psycopg.rows import class_row, dict_row

from domain.audit import Actor, RecordedSignature, find_content_sha256
from domain.audit_complaint import (
    ENTITY as COMPLAINT,
)
from domain.audit_complaint import (
    ReportNews,
    report_submitted,
    report_told,
    vigilance_assessed,
    vigilance_decided,
)
from domain.complaint import Complaint, ComplaintState
from domain.errors import GuardRefusedError
from domain.vigilance import (
    Assessment,
    AssessmentRequest,
    DecisionRequest,
    ReportClock,
    ReportState,
    SubmissionRequest,
    VigilanceDecision,
    VigilanceRefusal,
    find_assessment_refusal,
    find_decision_content,
    find_decision_refusal,
    find_dues,
    find_submission_refusal,
)
from domain.vigilance_terms import Harm, Jurisdiction
from store.audit import record_audit
from store.complaints import lock_complaint, update_complaint
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.signatures import load_signatures, record_signature

ENTITY = "vigilance_assessment"
_A = ", ".join(f"a.{f.name}" for f in fields(Assessment))
_K = ", ".join(f"k.{f.name}" for f in fields(ReportClock))
LOAD_ASSESSMENTS = f"SELECT {_A} FROM vigilance_assessment a WHERE a.complaint_id = %s ORDER BY a.version"  # noqa: S608
LOAD_REPORT_CLOCKS = f"""
    SELECT {_K} FROM vigilance_clock k JOIN vigilance_assessment a ON a.id = k.assessment_id
    WHERE a.complaint_id = %s ORDER BY a.version, k.due_at, k.jurisdiction
"""  # noqa: S608


def load_assessments(conn: Connection, complaint_id: int) -> list[Assessment]:
    """The assessments of a complaint, the newest last."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_ASSESSMENTS.encode(), (complaint_id,)).fetchall()
    return [
        Assessment(
            **row
            | {
                "harm": Harm(row["harm"]),
                "decision": None if row["decision"] is None else VigilanceDecision(row["decision"]),
                "jurisdictions": tuple(Jurisdiction(j) for j in row["jurisdictions"]),
                "reportable_in": tuple(Jurisdiction(j) for j in row["reportable_in"]),
            }
        )
        for row in rows
    ]


def load_report_clocks(conn: Connection, complaint_id: int) -> list[ReportClock]:
    """The clocks of every assessment of a complaint, in their order, the one that is due first before others."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_REPORT_CLOCKS.encode(), (complaint_id,)).fetchall()
    return [
        ReportClock(**r | {"jurisdiction": Jurisdiction(r["jurisdiction"]), "state": ReportState(r["state"])})
        for r in rows
    ]


RECORD_ASSESSMENT = """
    INSERT INTO vigilance_assessment (complaint_id, version, aware_at, harm, is_unanticipated, needs_remedial_action,
        threat_known_at, remedial_need_known_at, jurisdictions, reason, assessed_by_id, assessed_by, assessed_at)
    VALUES (%(complaint_id)s, %(version)s, %(aware_at)s, %(harm)s, %(is_unanticipated)s, %(needs_remedial_action)s,
        %(threat_known_at)s, %(remedial_need_known_at)s, %(jurisdictions)s, %(reason)s, %(by_id)s, %(by)s, %(now)s)
    RETURNING id
"""
SUPERSEDE_CLOCKS = """
    UPDATE vigilance_clock k SET state = 'SUPERSEDED' FROM vigilance_assessment a
    WHERE a.id = k.assessment_id AND a.complaint_id = %s AND k.state = 'RUNNING'
"""
RECORD_REPORT_CLOCK = """
    INSERT INTO vigilance_clock (assessment_id, jurisdiction, state, rule, time_zone, due_at, warn_at, holidays_release)
    VALUES (%s, %s, 'RUNNING', %s, %s, %s, %s, %s)
"""


def record_assessment(
    conn: Connection,
    actor: Actor,
    code: str,
    request: AssessmentRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> Complaint:
    """The complaint with a new assessment, which counts from now on; its clocks run in place of those still running.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such complaint, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.vigilance.VigilanceGuard`.
    """
    complaint = lock_complaint(conn, code, expected_row_version)
    is_closed = complaint.state is ComplaintState.CLOSED
    _verify(find_assessment_refusal(request, actor_id=actor.user_id, by=actor.permission, is_closed=is_closed, now=now))
    assert actor.user_id is not None
    earlier = load_assessments(conn, complaint.id)
    values = {f.name: getattr(request, f.name) for f in fields(request)}
    values |= {"jurisdictions": [j.value for j in request.jurisdictions], "by_id": actor.user_id, "by": actor.name}
    values |= {"complaint_id": complaint.id, "version": len(earlier) + 1, "now": now}
    row = conn.execute(RECORD_ASSESSMENT, values).fetchone()
    assert row is not None
    conn.execute(SUPERSEDE_CLOCKS, (complaint.id,))
    dues = find_dues(request)
    for due in dues:
        more = (due.term.rule, due.time_zone, due.due_at, due.warn_at, due.holidays_release)
        conn.execute(RECORD_REPORT_CLOCK, (row[0], due.jurisdiction, *more))
    after = update_complaint(conn, replace(complaint, updated_at=now))
    before, assessed = earlier[-1] if earlier else None, load_assessments(conn, complaint.id)[-1]
    record_audit(conn, actor, vigilance_assessed(code, before, assessed, {d.jurisdiction: d.due_at for d in dues}))
    return after


RECORD_DECISION = """
    UPDATE vigilance_assessment SET decision = %(decision)s, reportable_in = %(reportable_in)s,
        justification = %(justification)s, decided_by_id = %(by_id)s, decided_by = %(by)s, decided_at = %(now)s
    WHERE id = %(id)s
"""
END_CLOCKS = """
    UPDATE vigilance_clock SET state = 'NOT_REQUIRED'
    WHERE assessment_id = %s AND state = 'RUNNING' AND jurisdiction <> ALL (%s::text[])
"""


def record_vigilance_decision(
    conn: Connection,
    actor: Actor,
    code: str,
    request: DecisionRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> Complaint:
    """The complaint with its newest assessment decided and signed. Clocks of authorities that are not told end.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such complaint, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.vigilance.VigilanceGuard`.
    """
    complaint = lock_complaint(conn, code, expected_row_version)
    newest = _find_newest(load_assessments(conn, complaint.id))
    is_closed = complaint.state is ComplaintState.CLOSED
    _verify(find_decision_refusal(request, newest, actor_id=actor.user_id, by=actor.permission, is_closed=is_closed))
    assert newest is not None
    assert request.signature is not None
    is_reported = request.decision is VigilanceDecision.REPORTABLE
    told = [j.value for j in request.reportable_in] if is_reported else []
    values = {"decision": request.decision, "reportable_in": told, "justification": request.justification.strip()}
    conn.execute(RECORD_DECISION, values | {"id": newest.id, "by_id": actor.user_id, "by": actor.name, "now": now})
    conn.execute(END_CLOCKS, (newest.id, told))
    after = update_complaint(conn, replace(complaint, updated_at=now))
    decided = load_assessments(conn, complaint.id)[-1]
    content = find_decision_content(code, decided)
    record_signature(conn, ENTITY, decided.id, decided.version, content, request.signature, now)
    record_audit(conn, actor, vigilance_decided(code, decided, find_content_sha256(content)))
    return after


RECORD_SUBMISSION = """
    UPDATE vigilance_clock SET state = 'SUBMITTED', submitted_at = %(submitted_at)s, submitted_by = %(by)s,
        reference = %(reference)s,
        overdue_at = CASE WHEN %(submitted_at)s >= due_at THEN coalesce(overdue_at, due_at) ELSE overdue_at END
    WHERE assessment_id = %(id)s AND jurisdiction = %(jurisdiction)s
"""


def record_submission(
    conn: Connection,
    actor: Actor,
    code: str,
    request: SubmissionRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> Complaint:
    """The complaint with its report to one authority submitted. A late one stays marked as late.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such complaint, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.vigilance.VigilanceGuard`.
    """
    complaint = lock_complaint(conn, code, expected_row_version)
    newest = _find_newest(load_assessments(conn, complaint.id))
    before = _find_clock(conn, complaint.id, newest, request.jurisdiction)
    refusal = find_submission_refusal(request, newest, before, actor_id=actor.user_id, by=actor.permission, now=now)
    _verify(refusal)
    assert newest is not None
    assert before is not None
    values = {"submitted_at": request.submitted_at, "reference": request.reference.strip(), "by": actor.name}
    conn.execute(RECORD_SUBMISSION, values | {"id": newest.id, "jurisdiction": request.jurisdiction})
    after = update_complaint(conn, replace(complaint, updated_at=now))
    clock = _find_clock(conn, complaint.id, newest, request.jurisdiction)
    assert clock is not None
    record_audit(conn, actor, report_submitted(code, before, clock))
    return after


def load_decision_signatures(
    conn: Connection, complaint: Complaint, assessments: Sequence[Assessment]
) -> list[RecordedSignature]:
    """The signatures on the decisions, oldest first, each with whether it stands for what is recorded."""
    return [
        signature
        for assessment in assessments
        for signature in load_signatures(
            conn, ENTITY, assessment.id, find_decision_content(complaint.code, assessment), assessment.version
        )
    ]


@dataclass(frozen=True, slots=True)
class _ToldClock:
    code: str
    serial: str | None
    jurisdiction: str
    due_at: datetime
    is_simulated: bool


# Each clock is told of once: the row is its own arbiter.
TELL_DUE_SOON = """
    UPDATE vigilance_clock k SET warned_at = %(now)s
    FROM vigilance_assessment a JOIN complaint c ON c.id = a.complaint_id LEFT JOIN device d ON d.id = c.device_id
    WHERE a.id = k.assessment_id AND k.state = 'RUNNING' AND k.warned_at IS NULL
        AND k.warn_at <= %(now)s AND k.due_at > %(now)s
    RETURNING c.code, d.serial, k.jurisdiction, k.due_at, c.is_simulated
"""
TELL_OVERDUE = """
    UPDATE vigilance_clock k SET overdue_at = k.due_at
    FROM vigilance_assessment a JOIN complaint c ON c.id = a.complaint_id LEFT JOIN device d ON d.id = c.device_id
    WHERE a.id = k.assessment_id AND k.state = 'RUNNING' AND k.overdue_at IS NULL AND k.due_at <= %(now)s
    RETURNING c.code, d.serial, k.jurisdiction, k.due_at, c.is_simulated
"""


def tell_report_clocks(conn: Connection, actor: Actor, now: datetime) -> int:
    """How many reports are said to be due soon, or overdue: each once. Nothing is decided."""
    told = 0
    for news, query in ((ReportNews.DUE_SOON, TELL_DUE_SOON), (ReportNews.OVERDUE, TELL_OVERDUE)):
        with conn.cursor(row_factory=class_row(_ToldClock)) as cursor:
            clocks = cursor.execute(query, {"now": now}).fetchall()
        record_events(conn, *(_make_event(news, clock, now) for clock in clocks))
        record_audit(conn, actor, *(report_told(news, c.code, c.jurisdiction, c.due_at) for c in clocks))
        told += len(clocks)
    return told


def _make_event(news: ReportNews, clock: _ToldClock, now: datetime) -> OutboxEvent:
    data = {"complaint": clock.code, "jurisdiction": clock.jurisdiction, "due_at": clock.due_at}
    return OutboxEvent(news, clock.serial or clock.code, COMPLAINT, clock.code, now, data, clock.is_simulated)


def _find_newest(assessments: Sequence[Assessment]) -> Assessment | None:
    return assessments[-1] if assessments else None


def _find_clock(
    conn: Connection, complaint_id: int, newest: Assessment | None, jurisdiction: Jurisdiction
) -> ReportClock | None:
    if newest is None:
        return None
    clocks = load_report_clocks(conn, complaint_id)
    return next((c for c in clocks if c.assessment_id == newest.id and c.jurisdiction is jurisdiction), None)


def _verify(refusal: VigilanceRefusal | None) -> None:
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
