"""Many work orders at once: one step for each of them, and two that turn out to be one."""

import hashlib
from collections.abc import Callable
from typing import Annotated

import orjson
from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, KEY_REUSED, ProblemError, declare
from api.routes.work_orders import describe_order, find_row
from api.shapes.service import WorkOrderDetail
from api.shapes.work_order_merges import BulkAnswer, BulkLine, BulkResult, BulkTransition, NewMerge
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.roles import Permission
from domain.work_order import (
    Guard,
    WorkOrderState,
)
from domain.work_order_steps import (
    TransitionRequest,
    find_permissions_for,
)
from store.idempotency import StoredAnswer, load_answer, record_answer
from store.pool import Connection, Pool
from store.users import load_user
from store.work_order_lists import WorkOrderRow
from store.work_order_merges import merge_work_orders
from store.work_order_transitions import record_transition

router = make_router("/work-orders", tag="service")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Merger = Annotated[Caller, require(Permission.WORK_ORDER_MERGE)]


@router.post(
    "/{code}/merges",
    summary="Make two orders one",
    response_model=WorkOrderDetail,
    responses=declare(404, 409, 412, 428),
)
def merge_orders(
    code: str,
    caller: Merger,
    pool: Database,
    request: Request,
    body: NewMerge,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The order `code` goes on with all that the other one has: breaches, notes, visits, parts, files, children, the
    higher priority. The other one becomes CANCELLED and names it; what comes for its fault joins the one that goes on.
    """

    def work(conn: Connection) -> tuple[WorkOrderDetail, dict[str, str]]:
        find_row(conn, code, caller)
        find_row(conn, body.order, caller)
        order = merge_work_orders(
            conn, caller.actor, code, body.order, body.reason, expected_row_version=version, now=now()
        )
        return describe_order(conn, code, caller), {"ETag": make_etag(order.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="work_order",
        code=code,
        find_row_version=lambda conn: find_row(conn, code, caller).row_version,
    )


@router.post("/transitions", summary="Take a step with many orders", responses=declare(404))
def take_steps(
    caller: Reader,
    pool: Database,
    request: Request,
    body: BulkTransition,
    idempotency_key: IdempotencyKey = None,
) -> BulkAnswer:
    """Brings each order into the state in a transaction of its own, by the same rights and guards as a single step. One
    that is refused keeps no other one back. Repeated with its Idempotency-Key no order is moved twice, wherever the
    first request ended."""
    if len(set(body.codes)) < len(body.codes):
        raise ProblemError(INVALID, fields={"codes": "must be named once each"})
    lines = [_take_one(pool, caller, request, body, code, idempotency_key) for code in body.codes]
    done = sum(line.result is BulkResult.DONE for line in lines)
    return BulkAnswer(items=lines, done=done, refused=len(lines) - done)


def _take_one(
    pool: Pool, caller: Caller, request: Request, body: BulkTransition, code: str, key: str | None
) -> BulkLine:
    """What became of one order. The answer is kept with the change itself, or not at all: a refusal is tried again."""
    own_key = None if key is None else hashlib.sha256(f"{key} {code}".encode()).hexdigest()
    digest = hashlib.sha256(
        orjson.dumps([request.url.path, body.model_dump(mode="json")], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()

    def work(conn: Connection) -> BulkLine:
        if own_key is not None:
            known = load_answer(conn, caller.name, own_key)
            if known is not None and known.request_sha256 != digest:
                raise ProblemError(KEY_REUSED, fields={"Idempotency-Key": "was used for another request"})
            if known is not None:
                return BulkLine.model_validate(known.response["body"])
        line = _move(conn, caller, body, code)
        if own_key is not None:
            record_answer(
                conn,
                caller.name,
                own_key,
                StoredAnswer(digest, 200, {"body": line.model_dump(mode="json"), "headers": {}}),
            )
        return line

    return _say_refusal(pool, caller, code, lambda: change(pool, work))


def _move(conn: Connection, caller: Caller, body: BulkTransition, code: str) -> BulkLine:
    row = find_row(conn, code, caller)
    needed = find_permissions_for(WorkOrderState(row.state), body.to)
    held = next((permission for permission in needed if caller.may(permission)), None)
    if needed and held is None:
        raise GuardRefusedError(Guard.PERMISSION_MISSING, f"this needs {' or '.join(needed)}")
    acting = caller if held is None else caller.acting_by(held)
    user = load_user(conn, body.assignee) if body.assignee else None
    wanted = TransitionRequest(
        to=body.to,
        reason=body.reason,
        assignee_id=(-1 if user is None else user.id) if body.assignee else None,
        hold_reason=body.hold_reason,
    )
    seen = body.row_versions.get(code)
    order = record_transition(conn, acting.actor, code, wanted, expected_row_version=seen, now=now())
    return BulkLine(
        code=code, result=BulkResult.DONE, state=order.state, row_version=order.row_version, guard=None, detail=""
    )


def _say_refusal(pool: Pool, caller: Caller, code: str, work: Callable[[], BulkLine]) -> BulkLine:
    try:
        return work()
    except GuardRefusedError as refused:
        return _refuse(_find_row(pool, code, caller), code, refused.guard, str(refused))
    except RowVersionConflictError as conflict:
        return _refuse(_find_row(pool, code, caller), code, "row_version_conflict", str(conflict))
    except NotFoundError as missing:
        return _refuse(None, code, "not_found", str(missing))
    except ProblemError as problem:
        if problem.status != 404:
            raise
        return _refuse(None, code, "not_found", problem.detail)


def _find_row(pool: Pool, code: str, caller: Caller) -> WorkOrderRow:
    with pool.connection() as conn:
        return find_row(conn, code, caller)


def _refuse(row: WorkOrderRow | None, code: str, guard: str, detail: str) -> BulkLine:
    state, version = (None, None) if row is None else (row.state, row.row_version)
    return BulkLine(code=code, result=BulkResult.REFUSED, state=state, row_version=version, guard=guard, detail=detail)
