"""Drafts of field actions: written, changed, and their scopes looked at and frozen."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import FORBIDDEN, INVALID, ProblemError, declare, not_found
from api.routes.field_actions import describe, find_action, moving
from api.shapes.field_actions import (
    FieldActionDetail,
    FieldActionFields,
    FrozenScope,
    ScopePreviewShape,
    ScopeQuestion,
    ScopeShape,
)
from api.state import Database, now
from api.versioned_router import make_router
from domain.errors import NotFoundError
from domain.field_action import FieldAction, FieldActionKind
from domain.field_action_scope import find_wave_problems
from domain.roles import Permission
from store.field_action_drafts import (
    FieldActionDraft,
    change_draft,
    record_draft,
)
from store.field_action_scope import freeze_scope, load_scope_drift, load_scope_preview, load_unknown_serials
from store.field_actions import lock_field_action
from store.pool import Connection

router = make_router("/field-actions", tag="field actions")
Reader = Annotated[Caller, require(Permission.FIELD_ACTION_READ)]
Writer = Annotated[Caller, require(Permission.FIELD_ACTION_WRITE)]


@router.post("/scope-preview", summary="What a scope finds")
def preview_scope(caller: Writer, pool: Database, body: ScopeQuestion) -> ScopePreviewShape:
    """Counts the devices that a scope finds now, by region, customer, lot and firmware; nothing is written."""
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "An account of one customer looks at no scope: it is among everybody's devices.")
    _verify_range(body)
    query = body.to_query(body.model, is_simulated=body.is_simulated)
    with pool.connection() as conn:
        preview = load_scope_preview(conn, query, component=body.component, is_campaign=True)
    return ScopePreviewShape.model_validate(preview)


@router.post(
    "", summary="Draft a field action", status_code=201, response_model=FieldActionDetail, responses=declare(404, 409)
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

    with moving(pool, caller, code):
        detail = change(pool, work)
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

    with moving(pool, caller, code):
        detail = change(pool, work)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


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
