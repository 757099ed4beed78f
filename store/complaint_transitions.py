"""What people do to a complaint: guard, row, signature and audit in the caller's one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor, RecordedSignature
from domain.audit_complaint import ENTITY, complaint_stepped
from domain.complaint import (
    Complaint,
    ComplaintFacts,
    ComplaintRequest,
    ComplaintState,
    find_complaint_content,
    find_complaint_refusal,
    find_missing_fields,
)
from domain.errors import GuardRefusedError
from store.audit import record_audit
from store.complaints import lock_complaint, update_complaint
from store.pool import Connection
from store.signatures import load_signatures, record_signature

_S = ComplaintState


@dataclass(frozen=True, slots=True)
class _Surroundings:
    is_assessed: bool
    is_decided: bool
    is_reportable: bool
    open_reports: list[str]
    has_open_order: bool


# Reports of earlier assessments are superseded or submitted: the newest one alone is open. That it is reportable is
# said by any of them: what was reported once is investigated.
LOAD_COMPLAINT_SURROUNDINGS = """
    SELECT EXISTS (SELECT FROM vigilance_assessment a WHERE a.complaint_id = c.id) AS is_assessed,
        coalesce((SELECT a.decision IS NOT NULL FROM vigilance_assessment a WHERE a.complaint_id = c.id
            ORDER BY a.version DESC LIMIT 1), false) AS is_decided,
        EXISTS (SELECT FROM vigilance_assessment a WHERE a.complaint_id = c.id AND a.decision = 'REPORTABLE')
            AS is_reportable,
        ARRAY(SELECT k.jurisdiction FROM vigilance_clock k JOIN vigilance_assessment a ON a.id = k.assessment_id
            WHERE a.complaint_id = c.id AND k.state = 'RUNNING' ORDER BY k.due_at) AS open_reports,
        EXISTS (SELECT FROM work_order w WHERE w.id = surviving_order(c.work_order_id)
            AND w.state NOT IN ('CLOSED', 'CANCELLED')) AS has_open_order
    FROM complaint c WHERE c.id = %s
"""


def find_complaint_facts(conn: Connection, complaint: Complaint, actor_id: int | None) -> ComplaintFacts:
    """What the guards must know of the complaint and of what was decided on it now."""
    with conn.cursor(row_factory=class_row(_Surroundings)) as cursor:
        around = cursor.execute(LOAD_COMPLAINT_SURROUNDINGS, (complaint.id,)).fetchone()
    assert around is not None
    return ComplaintFacts(
        state=complaint.state,
        actor_id=actor_id,
        missing=find_missing_fields(complaint),
        is_assessed=around.is_assessed,
        is_decided=around.is_decided,
        is_reportable=around.is_reportable,
        open_reports=tuple(around.open_reports),
        investigated=complaint.investigated,
        has_open_order=around.has_open_order,
    )


def record_complaint_step(
    conn: Connection,
    actor: Actor,
    code: str,
    request: ComplaintRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> Complaint:
    """The complaint after the step. The caller has just checked the password again for a signature.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such complaint, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.complaint.ComplaintGuard`.
    """
    before = lock_complaint(conn, code, expected_row_version)
    facts = find_complaint_facts(conn, before, actor.user_id)
    refusal = find_complaint_refusal(request, facts, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    after = update_complaint(conn, _find_next(before, request, actor, now))
    if after.state is _S.CLOSED and request.signature is not None:
        record_signature(conn, ENTITY, after.id, after.version, find_complaint_content(after), request.signature, now)
    record_audit(conn, actor, complaint_stepped(before, after, request.reason))
    return after


def _find_next(before: Complaint, request: ComplaintRequest, actor: Actor, now: datetime) -> Complaint:
    after = replace(before, state=request.to, updated_at=now)
    decided = replace(after, investigation_decided_by_id=actor.user_id, investigation_decided_by=actor.name)
    if request.to is _S.INVESTIGATION:
        again = before.state is _S.CLOSED
        return replace(
            decided,
            investigated=True,
            not_investigated_reason="",
            closed_at=None,
            version=before.version + 1 if again else before.version,
        )
    if request.to is _S.RESOLVED and before.state is _S.RECEIVED:
        return replace(decided, investigated=False, not_investigated_reason=request.reason.strip())
    if request.to is _S.RESOLVED:
        return replace(after, investigation=request.investigation.strip())
    return replace(after, closed_at=now)


def load_complaint_signatures(conn: Connection, complaint: Complaint) -> list[RecordedSignature]:
    """The complaint's signatures, oldest first, each with whether it stands for the complaint as it is now."""
    return load_signatures(conn, ENTITY, complaint.id, find_complaint_content(complaint), complaint.version)
