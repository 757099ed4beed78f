"""Changes that take two people: asked by one, granted or refused by another, both signed."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import FORBIDDEN, INVALID, ProblemError, declare, not_found
from api.shapes.approval_requests import (
    ApprovalRequestDetail,
    ApprovalRequestShape,
    ApprovalStep,
    ApprovalTransition,
    NewApprovalRequest,
)
from api.shapes.pages import Page
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.approval_request import DECISIONS, RULES, ApprovalKind, ApprovalRequest, ApprovalState, ApprovalWish
from domain.audit_approval_request import ENTITY
from domain.masking import mask_json
from domain.roles import Permission
from store.approval_handlers import HANDLERS
from store.approval_requests import (
    ask_approval,
    decide_approval,
    load_approval_request,
    load_approval_requests,
    load_request_signatures,
)
from store.pool import Connection

router = make_router("/approval-requests", tag="approvals")
Reader = Annotated[Caller, require(Permission.APPROVAL_REQUEST_READ)]


@router.get("", summary="List changes that take two people")
def list_approval_requests(
    caller: Reader,
    pool: Database,
    state: Annotated[list[ApprovalState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    kind: Annotated[list[ApprovalKind], Query(description="One or several.")] = [],  # noqa: B006
    entity: str = "",
    entity_id: str = "",
    asked_by: Annotated[str, Query(description="Name of the account.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApprovalRequestShape]:
    """Those that the caller may ask for or decide on, the newest first; an auditor reads all."""
    keys = read_cursor(cursor, [int])
    kinds = [k for k in kind or ApprovalKind if may_read(caller, k)]
    with pool.connection() as conn:
        found = load_approval_requests(
            conn,
            kinds=kinds,
            states=state,
            entity=entity,
            entity_id=entity_id,
            asked_by=asked_by,
            before_id=int(keys[0]) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    return Page(
        items=[shape_request(request, caller) for request in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
    )


@router.get("/{code}", summary="One change that takes two people", responses=declare(404))
def read_approval_request(code: str, caller: Reader, pool: Database, response: Response) -> ApprovalRequestDetail:
    """What is asked, of which record as it was, by whom, both signatures, and the steps that are possible."""
    with pool.connection() as conn:
        request = _find_request(conn, code, caller)
        detail = _describe(conn, request, caller)
    response.headers["ETag"] = make_etag(request.row_version)
    return detail


@router.post(
    "",
    summary="Ask for a change that takes two people",
    status_code=201,
    response_model=ApprovalRequestDetail,
    responses=declare(404, 409, 429),
)
def ask_for_approval(
    caller: Reader, pool: Database, request: Request, body: NewApprovalRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Records and signs the question; nothing changes until another person grants it. 409 names the guard."""
    acting = caller.acting_by(RULES[body.kind].ask)
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "An account of one customer asks for no change that takes two people.")
    handler = HANDLERS.get(body.kind)
    problems = {} if handler is None else handler.find_payload_problems(body.entity_id, body.payload)
    if problems:
        raise ProblemError(INVALID, fields=problems)
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[ApprovalRequestDetail, dict[str, str]]:
        wish = ApprovalWish(body.kind, body.entity_id, body.payload, body.reason)
        asked = ask_approval(conn, acting.actor, wish, HANDLERS, signature, now())
        headers = {"Location": f"/api/v1/approval-requests/{asked.code}", "ETag": make_etag(asked.row_version)}
        return _describe(conn, asked, caller), headers

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.post(
    "/{code}/transitions",
    summary="Grant, refuse or withdraw",
    response_model=ApprovalRequestDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def decide_on_request(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: ApprovalTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Grants (and carries out, in the same transaction), refuses or withdraws; 409 names the guard that refused."""
    with pool.connection() as conn:
        kind = ApprovalKind(_find_request(conn, code, caller).kind)
    acting = caller.acting_by(_find_permission(kind, body.to))
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[ApprovalRequestDetail, dict[str, str]]:
        decided = decide_approval(
            conn,
            acting.actor,
            code,
            body.to,
            HANDLERS,
            reason=body.reason,
            signature=signature,
            expected_row_version=version,
            now=now(),
        )
        return _describe(conn, decided, caller), {"ETag": make_etag(decided.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: _find_request(conn, code, caller).row_version,
    )


def may_read(caller: Caller, kind: ApprovalKind) -> bool:
    """Whether requests of that kind concern the caller: asks, decides, or audits. They are about all customers'
    records: an account of one customer alone has no part in them."""
    return caller.customer_id is None and any(
        caller.may(right) for right in (RULES[kind].ask, RULES[kind].decide, Permission.AUDIT_READ)
    )


def shape_request(request: ApprovalRequest, caller: Caller) -> ApprovalRequestShape:
    """The request as the contract has it, with people masked whom the caller does not see."""
    shape = ApprovalRequestShape.model_validate(request)
    free = ("payload", "subject", "outcome")
    return shape.model_copy(update={name: mask_json(getattr(shape, name), caller.permissions) for name in free})


def _find_permission(kind: ApprovalKind, to: ApprovalState) -> Permission:
    return RULES[kind].decide if to in DECISIONS else RULES[kind].ask


def _find_request(conn: Connection, code: str, caller: Caller) -> ApprovalRequest:
    request = load_approval_request(conn, code)
    if request is None or not may_read(caller, ApprovalKind(request.kind)):
        raise not_found("approval request", code, "code")
    return request


def _describe(conn: Connection, request: ApprovalRequest, caller: Caller) -> ApprovalRequestDetail:
    kind = ApprovalKind(request.kind)
    possible = (*DECISIONS, ApprovalState.WITHDRAWN) if request.state == ApprovalState.ASKED else ()
    steps = [
        ApprovalStep(
            to=to,
            allowed=caller.may(_find_permission(kind, to))
            and (caller.user_id == request.asked_by_id) == (to is ApprovalState.WITHDRAWN),
            permission=_find_permission(kind, to).value,
            signed=to in DECISIONS,
        )
        for to in possible
    ]
    signatures = [SignatureShape.model_validate(s) for s in load_request_signatures(conn, request)]
    values = shape_request(request, caller).model_dump()
    return ApprovalRequestDetail.model_validate(values | {"signatures": signatures, "next_steps": steps})
