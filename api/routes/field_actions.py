"""Field actions: lists, the steps that people take, halting and going on."""

from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import declare, not_found
from api.shapes.field_actions import (
    FieldActionDetail,
    FieldActionShape,
    FieldActionStep,
    FieldActionTransition,
    Halt,
    NextWave,
    Resumption,
)
from api.shapes.pages import Page
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import naming_conflict
from api.versioned_router import make_router
from domain.audit import find_content_sha256
from domain.field_action import (
    FieldAction,
    FieldActionKind,
    FieldActionState,
    find_field_action_content,
)
from domain.field_action_halt import HaltReason
from domain.field_action_steps import (
    FieldActionRequest,
    find_field_action_next_states,
    find_field_action_permissions,
)
from domain.roles import Permission
from store.field_action_halts import record_halt, record_resumption
from store.field_action_transitions import open_next_wave, record_field_action_step
from store.field_actions import (
    ENTITY,
    FieldActionFilter,
    count_field_actions,
    load_approvers,
    load_field_actions,
    lock_field_action,
)
from store.pool import Connection, Pool
from store.signatures import load_signatures

router = make_router("/field-actions", tag="field actions")
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIELD_ACTION_WRITE)]
Approver = Annotated[Caller, require(Permission.FIELD_ACTION_APPROVE)]
HIDDEN = {
    "scope": {},
    "waves": [],
    "item_count": 0,
    "halt_statistics": None,
    "effectiveness": None,
    "signatures": [],
    "created_by": "",
}
HALTERS = (Permission.FIELD_ACTION_WRITE, Permission.FIELD_ACTION_APPROVE)


@router.get("", summary="List field actions")
def list_field_actions(
    caller: Reader,
    pool: Database,
    state: Annotated[list[FieldActionState], Query(description="One or several.")] = [],  # noqa: B006 - copied
    kind: Annotated[list[FieldActionKind], Query(description="One or several.")] = [],  # noqa: B006
    model: str = "",
    region: str = "",
    device: Annotated[str, Query(description="Serial.")] = "",
    halted: Annotated[bool | None, Query(description="Those that stand still, or those that do not.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[FieldActionShape]:
    """Recalls, corrections and firmware campaigns, newest first."""
    keys = read_cursor(cursor, [int])
    wanted = FieldActionFilter(
        states=tuple(s.value for s in state),
        kinds=tuple(k.value for k in kind),
        model=model,
        region=region,
        serial=device,
        halted=halted,
        customer_id=caller.customer_id,
    )
    with pool.connection() as conn:
        found = load_field_actions(conn, wanted, before_id=int(keys[0]) if keys else None, limit=limit + 1)
        count = count_field_actions(conn, wanted) if total else None
    page = found[:limit]
    return Page(
        items=[FieldActionShape.model_validate(_to_values(action, FieldActionShape)) for action in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
        total=count,
    )


@router.get("/{code}", summary="One field action", responses=declare(404))
def read_field_action(code: str, caller: Reader, pool: Database, response: Response) -> FieldActionDetail:
    """The action with all that it says, its approvals, and the steps that are possible."""
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        detail = describe(conn, action, caller)
    response.headers["ETag"] = make_etag(action.row_version)
    return detail


@router.post(
    "/{code}/transitions",
    summary="Take a step",
    response_model=FieldActionDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def step_field_action(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: FieldActionTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Brings the action into another state; the first of two approvals leaves it a draft. 409 names the guard."""
    with pool.connection() as conn:
        needed = find_field_action_permissions(find_action(conn, code, caller).state, body.to)
    held = [permission for permission in needed if caller.may(permission)]
    if needed and not held:
        raise missing_permission(needed[0])
    acting = caller.acting_by(held[0]) if held else caller
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[FieldActionDetail, dict[str, str]]:
        before = lock_field_action(conn, code, version)
        wanted = FieldActionRequest(body.to, body.reason, signature)
        after = record_field_action_step(conn, acting.actor, before, wanted, now=now())
        return describe(conn, after, caller), {"ETag": make_etag(after.row_version)}

    with moving(pool, caller, code):
        return change_once(pool, caller, request, idempotency_key, body, work, status=200)


@router.post("/{code}/halt", summary="Halt", response_model=FieldActionDetail, responses=declare(404, 409))
def halt_field_action(
    code: str, caller: Reader, pool: Database, request: Request, body: Halt, idempotency_key: IdempotencyKey = None
) -> Response:
    """Stops a running action where it stands: devices are told nothing more. Needs no If-Match: stopping is urgent.

    Whoever may write or approve field actions may stop one.
    """
    with pool.connection() as conn:
        find_action(conn, code, caller)
    held = [permission for permission in HALTERS if caller.may(permission)]
    if not held:
        raise missing_permission(HALTERS[0])

    def work(conn: Connection) -> tuple[FieldActionDetail, dict[str, str]]:
        before = lock_field_action(conn, code)
        after = record_halt(
            conn, caller.acting_by(held[0]).actor, before, HaltReason.PERSON, body.reason, None, now=now()
        )
        return describe(conn, after, caller), {"ETag": make_etag(after.row_version)}

    return change_once(pool, caller, request, idempotency_key, body, work, status=200)


@router.post(
    "/{code}/resumption",
    summary="Go on",
    response_model=FieldActionDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def resume_field_action(
    code: str,
    caller: Approver,
    pool: Database,
    request: Request,
    body: Resumption,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Lets a halted action go on, with a reason and a signature; what is upgraded from now on is watched anew."""
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[FieldActionDetail, dict[str, str]]:
        find_action(conn, code, caller)
        before = lock_field_action(conn, code, version)
        after = record_resumption(conn, caller.actor, before, body.reason, signature, now=now())
        return describe(conn, after, caller), {"ETag": make_etag(after.row_version)}

    with moving(pool, caller, code):
        return change_once(pool, caller, request, idempotency_key, body, work, status=200)


@router.post(
    "/{code}/waves",
    summary="Open the next wave",
    response_model=FieldActionDetail,
    responses=declare(404, 409, 412, 428),
)
def open_wave(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: NextWave,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Opens the next wave once the one before is done and has stood; its devices are told from now on."""

    def work(conn: Connection) -> tuple[FieldActionDetail, dict[str, str]]:
        find_action(conn, code, caller)
        after = open_next_wave(conn, caller.actor, lock_field_action(conn, code, version), now=now())
        return describe(conn, after, caller), {"ETag": make_etag(after.row_version)}

    with moving(pool, caller, code):
        return change_once(pool, caller, request, idempotency_key, body, work, status=200)


def find_action(conn: Connection, code: str, caller: Caller) -> FieldAction:
    """The action of that code if the caller may see it, or a 404."""
    found = (
        load_field_actions(conn, FieldActionFilter(code=code, customer_id=caller.customer_id), limit=1) if code else []
    )
    if not found:
        raise not_found("field action", code, "code")
    return found[0]


def describe(conn: Connection, action: FieldAction, caller: Caller) -> FieldActionDetail:
    """The action with everything that its page shows."""
    content = find_field_action_content(action)
    steps = [
        FieldActionStep(to=to, allowed=any(caller.may(p) for p in needed), permissions=[p.value for p in needed])
        for to in find_field_action_next_states(action.state)
        for needed in (find_field_action_permissions(action.state, to),)
    ]
    more = {
        "content_sha256": find_content_sha256(content),
        "approvals": len(load_approvers(conn, action)),
        "signatures": [SignatureShape.model_validate(s) for s in load_signatures(conn, ENTITY, action.id, content)],
        "next_steps": steps,
    }
    detail = FieldActionDetail.model_validate(_to_values(action, FieldActionDetail) | more)
    # What stands of other customers' devices, and who signed, is not for a customer's own people.
    return detail if caller.customer_id is None else detail.model_copy(update=HIDDEN)


def _to_values(action: FieldAction, shape: type[FieldActionShape]) -> dict[str, object]:
    values: dict[str, object] = {
        name: getattr(action, name) for name in shape.model_fields if hasattr(action, name) and name != "waves"
    }
    values |= {"wave_count": len(action.waves), "capa": action.capa_code}
    return values | ({"waves": [dict(w) for w in action.waves]} if "waves" in shape.model_fields else {})


def moving(pool: Pool, caller: Caller, code: str) -> AbstractContextManager[None]:
    """Where the block finds that the action moved meanwhile, the 412 says to where and by whom."""
    return naming_conflict(pool, ENTITY, code, lambda conn: find_action(conn, code, caller).row_version)
