"""Vigilance: people assess harm and decide on reports to authorities; the machine counts down and decides nothing."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.complaint_steps import act_on_complaint_once
from api.complaint_views import find_complaint_row
from api.once import IdempotencyKey
from api.preconditions import IfMatch
from api.problems import declare
from api.shapes.complaints import ComplaintDetail, NewAssessment, NewSubmission, NewVigilanceDecision
from api.signing import make_signature
from api.state import Database, now
from api.versioned_router import make_router
from domain.complaint import Complaint
from domain.roles import Permission
from domain.vigilance import AssessmentRequest, DecisionRequest, SubmissionRequest
from store.pool import Connection
from store.vigilance import record_assessment, record_submission, record_vigilance_decision

router = make_router("/complaints", tag="complaints")
Reader = Annotated[Caller, require(Permission.COMPLAINT_READ)]
Assessor = Annotated[Caller, require(Permission.VIGILANCE_ASSESS)]
Decider = Annotated[Caller, require(Permission.VIGILANCE_DECIDE)]


@router.post(
    "/{code}/assessment",
    summary="Assess the harm",
    status_code=201,
    response_model=ComplaintDetail,
    responses=declare(404, 409, 412, 428),
)
def assess_harm(
    code: str,
    caller: Assessor,
    pool: Database,
    request: Request,
    body: NewAssessment,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Records what is known of the harm. It counts from now on: the clocks of the one before end, its own run from
    `aware_at`, and another person decides on it."""
    values = body.model_dump() | {"jurisdictions": tuple(body.jurisdictions)}
    wanted = AssessmentRequest(**values)

    def act(conn: Connection) -> Complaint:
        return record_assessment(conn, caller.actor, code, wanted, expected_row_version=version, now=now())

    return act_on_complaint_once(pool, caller, request, idempotency_key, body, code, act, status=201)


@router.post(
    "/{code}/assessment/decision",
    summary="Decide whether it is reported",
    response_model=ComplaintDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def decide_on_report(
    code: str,
    caller: Decider,
    pool: Database,
    request: Request,
    body: NewVigilanceDecision,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Decides on the newest assessment, signed, by somebody who did not make it."""
    signature = make_signature(pool, caller, body.password, body.meaning)
    wanted = DecisionRequest(body.decision, body.justification, tuple(body.reportable_in), signature)

    def act(conn: Connection) -> Complaint:
        return record_vigilance_decision(conn, caller.actor, code, wanted, expected_row_version=version, now=now())

    return act_on_complaint_once(pool, caller, request, idempotency_key, body, code, act)


@router.post(
    "/{code}/assessment/submissions",
    summary="Say that a report was submitted",
    status_code=201,
    response_model=ComplaintDetail,
    responses=declare(404, 409, 412, 428),
)
def submit_report(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: NewSubmission,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Stops the clock of one authority with what it calls the report. It takes the right to assess or to decide."""
    with pool.connection() as conn:
        find_complaint_row(conn, code, caller)
    can_decide = caller.may(Permission.VIGILANCE_DECIDE)
    acting = caller.acting_by(Permission.VIGILANCE_DECIDE if can_decide else Permission.VIGILANCE_ASSESS)
    wanted = SubmissionRequest(body.jurisdiction, body.submitted_at, body.reference)

    def act(conn: Connection) -> Complaint:
        return record_submission(conn, acting.actor, code, wanted, expected_row_version=version, now=now())

    return act_on_complaint_once(pool, caller, request, idempotency_key, body, code, act, status=201)
