"""Field actions: drafts and their scopes, the steps that people take, halting and going on."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey, change, change_once
from api.preconditions import IfMatch, conflict, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.shapes.field_actions import (
    FieldActionDetail,
    FieldActionFields,
    FieldActionShape,
    FieldActionStep,
    FieldActionTransition,
    FrozenScope,
    Halt,
    NextWave,
    Resumption,
    ScopePreviewShape,
    ScopeQuestion,
    ScopeShape,
)
from api.shapes.pages import Page
from api.shapes.signatures import SignatureShape
from api.signing import make_signature
from api.state import Database, now
from api.steps import find_last_change
from domain.audit import find_content_sha256
from domain.errors import NotFoundError, RowVersionConflictError
from domain.field_action import (
    FieldAction,
    FieldActionKind,
    FieldActionRequest,
    FieldActionState,
    find_field_action_content,
    find_field_action_next_states,
    find_field_action_permissions,
)
from domain.field_action_halt import HaltReason
from domain.field_action_scope import find_wave_problems
from domain.roles import Permission
from store.field_action_halts import record_halt, record_resumption
from store.field_action_scope import freeze_scope, load_scope_drift, load_scope_preview, load_unknown_serials
from store.field_action_transitions import open_next_wave, record_field_action_step
from store.field_actions import (
    ENTITY,
    FieldActionDraft,
    FieldActionFilter,
    change_draft,
    count_field_actions,
    load_approvers,
    load_field_actions,
    lock_field_action,
    record_draft,
)
from store.pool import Connection, Pool
from store.signatures import load_signatures

router = APIRouter(prefix="/field-actions", tags=["field actions"])
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
Result = TypeVar("Result")


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


@router.post("/scope-preview", summary="What a scope finds")
def preview_scope(caller: Writer, pool: Database, body: ScopeQuestion) -> ScopePreviewShape:
    """Counts the devices that a scope finds now, by region, customer, lot and firmware; nothing is written."""
    _verify_range(body)
    query = body.to_query(body.model, is_simulated=body.is_simulated)
    with pool.connection() as conn:
        preview = load_scope_preview(conn, query, component=body.component, is_campaign=True)
    return ScopePreviewShape.model_validate(preview)


@router.post(
    "", summary="Draft a field action", status_code=201, response_model=FieldActionDetail, responses=declare(404)
)
def draft_field_action(
    caller: Writer, pool: Database, request: Request, body: FieldActionFields, idempotency_key: IdempotencyKey = None
) -> Response:
    """Writes a draft; its scope is frozen apart, and two other people approve it."""
    draft = _make_draft(body)

    def work(conn: Connection) -> tuple[FieldActionDetail, dict[str, str]]:
        action = _with_references(body, lambda: record_draft(conn, caller.actor, draft, now=now()))
        headers = {"Location": f"/api/v1/field-actions/{action.code}", "ETag": make_etag(action.row_version)}
        return describe(conn, action, caller), headers

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/{code}", summary="One field action", responses=declare(404))
def read_field_action(code: str, caller: Reader, pool: Database, response: Response) -> FieldActionDetail:
    """The action with all that it says, its approvals, and the steps that are possible."""
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        detail = describe(conn, action, caller)
    response.headers["ETag"] = make_etag(action.row_version)
    return detail


@router.put("/{code}", summary="Change a draft", responses=declare(404, 409, 412, 428))
def change_field_action(
    code: str, caller: Writer, pool: Database, response: Response, body: FieldActionFields, version: IfMatch
) -> FieldActionDetail:
    """Rewrites a draft; signatures on it as it was hold no more. Another model or other waves need a new scope."""
    draft = _make_draft(body)

    def work(conn: Connection) -> FieldActionDetail:
        find_action(conn, code, caller)
        before = lock_field_action(conn, code, version)
        after = _with_references(body, lambda: change_draft(conn, caller.actor, before, draft, now=now()))
        return describe(conn, after, caller)

    detail = _changing(pool, caller, code, lambda: change(pool, work))
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@router.get("/{code}/scope", summary="The frozen scope", responses=declare(404))
def read_scope(code: str, caller: Reader, pool: Database) -> FrozenScope:
    """What was frozen, and which devices the same query finds today that are not in the action."""
    with pool.connection() as conn:
        action = find_action(conn, code, caller)
        if caller.customer_id is not None:
            raise not_found("scope of this field action", code, "code")
        drift = load_scope_drift(conn, action)
    return FrozenScope(
        query=dict(action.scope),
        sha256=action.scope_sha256,
        frozen_at=action.scope_frozen_at,
        devices=action.item_count,
        added_since=drift.added,
        removed_since=drift.removed,
        added_sample=drift.sample,
    )


@router.put("/{code}/scope", summary="Freeze the scope", responses=declare(404, 409, 412, 428))
def write_scope(
    code: str, caller: Writer, pool: Database, response: Response, body: ScopeShape, version: IfMatch
) -> FieldActionDetail:
    """Looks the devices up now and makes them the items of the draft; signatures on it as it was hold no more."""
    _verify_range(body)

    def work(conn: Connection) -> FieldActionDetail:
        find_action(conn, code, caller)
        before = lock_field_action(conn, code, version)
        query = body.to_query(before.model, is_simulated=before.is_simulated)
        unknown = load_unknown_serials(conn, query)
        if unknown:
            named = ", ".join(unknown[:10]) + (", …" if len(unknown) > 10 else "")
            raise ProblemError(INVALID, fields={"serials": f"{len(unknown)} are of no device of the model: {named}"})
        return describe(conn, freeze_scope(conn, caller.actor, before, query, now=now()), caller)

    detail = _changing(pool, caller, code, lambda: change(pool, work))
    response.headers["ETag"] = make_etag(detail.row_version)
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

    return _changing(
        pool, caller, code, lambda: change_once(pool, caller, request, idempotency_key, body, work, status=200)
    )


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

    return _changing(
        pool, caller, code, lambda: change_once(pool, caller, request, idempotency_key, body, work, status=200)
    )


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

    return _changing(
        pool, caller, code, lambda: change_once(pool, caller, request, idempotency_key, body, work, status=200)
    )


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


def _make_draft(body: FieldActionFields) -> FieldActionDraft:
    waves = tuple(wave.to_wave() for wave in body.waves)
    problems = find_wave_problems(waves)
    if body.kind is FieldActionKind.FIRMWARE and not body.firmware_version:
        problems = {**problems, "firmware_version": "is needed for a campaign"}
    if problems:
        raise ProblemError(INVALID, fields=problems)
    plain = {name: getattr(body, name) for name in FieldActionFields.model_fields if name not in ("waves", "capa")}
    return FieldActionDraft(**plain, waves=waves, capa_code=body.capa)


def _with_references(body: FieldActionFields, work: Callable[[], FieldAction]) -> FieldAction:
    """What `work` gives; what the draft names and is not there becomes a 404 that names the field."""
    try:
        return work()
    except NotFoundError as error:
        if error.detail.startswith("device model"):
            raise not_found("device model", body.model, "model") from None
        if error.detail.startswith("firmware"):
            raise not_found("registered firmware", body.firmware_version, "firmware_version") from None
        raise not_found("CAPA", body.capa, "capa") from None


def _verify_range(body: ScopeShape) -> None:
    problems = body.to_query("", is_simulated=False).firmware.find_problems()
    if problems:
        raise ProblemError(INVALID, fields={f"firmware.{name}": text for name, text in problems.items()})


def _changing(pool: Pool, caller: Caller, code: str, work: Callable[[], Result]) -> Result:
    """What `work` gives; where the action moved meanwhile, the 412 says to where and by whom."""
    try:
        return work()
    except RowVersionConflictError:
        with pool.connection() as conn:
            current = find_action(conn, code, caller)
            raise conflict(current.row_version, **find_last_change(conn, ENTITY, code)) from None
