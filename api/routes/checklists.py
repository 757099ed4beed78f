"""Checklists of a work order and the answers to their lines."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change_once
from api.problems import declare, not_found
from api.routes.work_orders import find_row
from api.shapes.work_order_records import AnswerList, AnswerShape, ChecklistList, ChecklistShape, ItemShape, NewAnswers
from api.state import Database, now
from api.versioned_router import make_router
from domain.checklist import Checklist, ChecklistItem, GivenAnswer
from domain.roles import Permission
from store.checklists import load_answer_history, load_checklists, record_answers
from store.pool import Connection

router = make_router("/work-orders", tag="service")
Insider = Annotated[Caller, require(Permission.STAFF_READ)]
Worker = Annotated[Caller, require(Permission.WORK_ORDER_WORK)]


@router.get("/{code}/checklists", summary="Checklists of a work order", responses=declare(404))
def list_checklists(code: str, caller: Insider, pool: Database) -> ChecklistList:
    """With the newest answer to each line; what is required and has none keeps the order from WORK_DONE."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        return ChecklistList(items=[_shape(checklist) for checklist in load_checklists(conn, row.id)])


@router.get("/{code}/checklists/{checklist_id}/answers", summary="All answers", responses=declare(404))
def list_answers(code: str, checklist_id: int, caller: Insider, pool: Database) -> AnswerList:
    """Every answer that was ever given, the first one first: a later one replaces an earlier one, which is kept."""
    with pool.connection() as conn:
        row = find_row(conn, code, caller)
        if all(checklist.id != checklist_id for checklist in load_checklists(conn, row.id)):
            raise not_found("checklist", str(checklist_id), "checklist_id")
        answers = load_answer_history(conn, checklist_id)
    return AnswerList(items=[AnswerShape.model_validate(answer) for answer in answers])


@router.post(
    "/{code}/checklists/{checklist_id}/answers",
    summary="Answer lines",
    response_model=ChecklistShape,
    responses=declare(404, 409),
)
def answer_lines(
    code: str,
    checklist_id: int,
    caller: Worker,
    pool: Database,
    request: Request,
    body: NewAnswers,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Takes all of these answers, or none; each is kept for good with who gave it and when."""

    def work(conn: Connection) -> tuple[ChecklistShape, dict[str, str]]:
        find_row(conn, code, caller)
        given = [GivenAnswer(a.item, a.value, a.remark) for a in body.answers]
        return _shape(record_answers(conn, caller.actor, code, checklist_id, given, now=now())), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=200)


def shape_item(item: ChecklistItem) -> ItemShape:
    """One line as the contract has it."""
    return ItemShape.model_validate(asdict(item))


def _shape(checklist: Checklist) -> ChecklistShape:
    return ChecklistShape(
        id=checklist.id,
        work_order=checklist.work_order,
        order_version=checklist.order_version,
        template=checklist.template,
        template_version=checklist.template_version,
        kind=checklist.kind,
        title=dict(checklist.title),
        items=[shape_item(item) for item in checklist.items],
        answers=[
            AnswerShape.model_validate(checklist.answers[item.key])
            for item in checklist.items
            if item.key in checklist.answers
        ],
        missing=list(checklist.missing),
        made_at=checklist.made_at,
    )
