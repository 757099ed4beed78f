"""A complaint as its answers show it: the row, what was assessed and decided, and the steps that are possible."""

from dataclasses import asdict

from api.auth import Caller
from api.masking import mask_shape
from api.problems import not_found
from api.shapes.complaints import AssessmentShape, ComplaintDetail, ComplaintShape, ComplaintStep, ReportClockShape
from api.shapes.signatures import SignatureShape
from domain.complaint import (
    COMPLAINT_TRANSITIONS,
    ComplaintState,
    find_complaint_next_states,
    find_missing_fields,
)
from domain.vigilance import Assessment, ReportClock
from store.complaint_lists import ComplaintRow, load_complaint_row
from store.complaint_transitions import load_complaint_signatures
from store.complaints import load_complaint
from store.pool import Connection
from store.vigilance import load_assessments, load_decision_signatures, load_report_clocks


def find_complaint_row(conn: Connection, code: str, caller: Caller) -> ComplaintRow:
    """The complaint of that code if the caller may see it, or a 404."""
    row = load_complaint_row(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("complaint", code, "code")
    return row


def shape_complaint(row: ComplaintRow, caller: Caller) -> ComplaintShape:
    """The row as the contract has it, with people masked whom the caller does not see."""
    return mask_shape("complaint", ComplaintShape.model_validate(row), caller)


def describe_complaint(conn: Connection, code: str, caller: Caller) -> ComplaintDetail:
    """The complaint with everything that was decided on it."""
    row = find_complaint_row(conn, code, caller)
    complaint = load_complaint(conn, code)
    assert complaint is not None
    assessments = load_assessments(conn, complaint.id)
    clocks = load_report_clocks(conn, complaint.id)
    signatures = [
        *load_complaint_signatures(conn, complaint),
        *load_decision_signatures(conn, complaint, assessments),
    ]
    state = ComplaintState(row.state)
    more = {
        "missing": list(find_missing_fields(complaint)),
        "assessments": [_shape_assessment(a, [c for c in clocks if c.assessment_id == a.id]) for a in assessments],
        "signatures": [SignatureShape.model_validate(s) for s in sorted(signatures, key=lambda s: s.signed_at)],
        "next_steps": [
            ComplaintStep(
                to=to,
                allowed=caller.may(COMPLAINT_TRANSITIONS[state, to]),
                permission=COMPLAINT_TRANSITIONS[state, to].value,
            )
            for to in find_complaint_next_states(state)
        ],
    }
    return ComplaintDetail.model_validate(shape_complaint(row, caller).model_dump() | more)


def _shape_assessment(assessment: Assessment, clocks: list[ReportClock]) -> AssessmentShape:
    values = {n: v for n, v in asdict(assessment).items() if n in AssessmentShape.model_fields}
    values |= {n: [str(j) for j in values[n]] for n in ("jurisdictions", "reportable_in")}
    return AssessmentShape.model_validate(
        values | {"clocks": [ReportClockShape.model_validate(_shown(c)) for c in clocks]}
    )


def _shown(clock: ReportClock) -> dict[str, object]:
    return {n: v for n, v in asdict(clock).items() if n in ReportClockShape.model_fields}
