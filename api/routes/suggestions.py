"""Who should do the work of an order, and what helped in such orders before."""

from dataclasses import asdict
from typing import Annotated

from api.auth import Caller, require
from api.problems import declare
from api.routes.work_orders import find_row
from api.shapes.assignments import (
    FailureCodeShape,
    FixShape,
    PastOrderShape,
    ReasonShape,
    SuggestionShape,
    SuggestionsShape,
    UsedPartShape,
)
from api.state import Database, now
from api.versioned_router import make_router
from domain.assignment import Suggestion, Work, explain_reason
from domain.roles import Permission
from domain.sentences import LANGUAGES
from domain.suggested_fix import PastOrder, SuggestedFix, find_fix
from store.assignments import load_assignment_book
from store.past_orders import load_past_orders

router = make_router("/work-orders", tag="service")
Insider = Annotated[Caller, require(Permission.STAFF_READ)]


@router.get("/{code}/suggestions", summary="Whom to assign, and what helped before", responses=declare(404))
def read_suggestions(code: str, caller: Insider, pool: Database) -> SuggestionsShape:
    """Technicians by how well they fit, each with the reasons and their numbers; past orders of the same device model
    and fault group with outcome and parts, and what most of them came to. Somebody decides, and the guards stay."""
    at = now()
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        work = Work(row.model, row.region, row.fault_group)
        fit = load_assignment_book(conn, [work], at).find(work)
        past = load_past_orders(conn, row.id, customer_id=caller.customer_id, now=at)
    fix = find_fix(past)
    return SuggestionsShape(
        work_order=code,
        assignees=[_shape_suggestion(one) for one in fit],
        fix=None if fix is None else _shape_fix(fix),
        past_orders=[_shape_past(order) for order in past],
    )


def _shape_suggestion(one: Suggestion) -> SuggestionShape:
    reasons = [
        ReasonShape(
            code=reason.code,
            params=dict(reason.params),
            text={language: explain_reason(reason, language) for language in LANGUAGES},
        )
        for reason in one.reasons
    ]
    return SuggestionShape(name=one.name, full_name=one.full_name, score=one.score, reasons=reasons)


def _shape_fix(fix: SuggestedFix) -> FixShape:
    values = {name: getattr(fix, name) for name in FixShape.model_fields if name not in ("failure_codes", "parts")}
    codes = [FailureCodeShape(code=code, orders=orders) for code, orders in fix.failure_codes]
    parts = [UsedPartShape.model_validate(asdict(part)) for part in fix.parts]
    return FixShape.model_validate(values | {"failure_codes": codes, "parts": parts})


def _shape_past(order: PastOrder) -> PastOrderShape:
    values = {name: getattr(order, name) for name in PastOrderShape.model_fields if name != "parts"}
    parts = [UsedPartShape.model_validate(asdict(part)) for part in order.parts]
    return PastOrderShape.model_validate(values | {"parts": parts})
