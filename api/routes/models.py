"""Models as controlled records: lists, one with where it comes from, and the steps that engineers take."""

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey
from api.preconditions import IfMatch, make_etag
from api.problems import declare, not_found
from api.routes.device_models import find_profile
from api.shapes.models import (
    ModelRecordDetail,
    ModelRecordShape,
    ModelStepShape,
    ModelTransition,
    ShadowCounts,
    ShadowCountShape,
)
from api.shapes.pages import Page
from api.signing import make_signature
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.model_record import MODEL_PERMISSION, ModelKind, ModelState, find_model_steps, is_signed
from domain.roles import Permission
from store.model_steps import StepRequest, record_step
from store.models import ENTITY, ModelRow, load_model, load_models
from store.pool import Connection
from store.shadows import load_shadow_counts

router = make_router(tag="models")
# Figures over the devices of all customers.
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]


@router.get("/models", summary="List models", responses=declare(404))
def list_model_records(
    caller: Reader,
    pool: Database,
    state: Annotated[list[ModelState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    kind: ModelKind | None = None,
    model: Annotated[str, Query(description="Of this device model.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ModelRecordShape]:
    """Models, newest first, without their arrays."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        if model:
            find_profile(conn, model)
        found = load_models(
            conn,
            model=model,
            kind="" if kind is None else kind,
            states=[s.value for s in state],
            before_id=int(keys[0]) if keys else None,
            limit=limit + 1,
        )
    page = found[:limit]
    return Page(
        items=[ModelRecordShape.model_validate(row) for row in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
    )


@router.get("/models/{code}", summary="One model", responses=declare(404))
def read_model_record(code: str, caller: Reader, pool: Database, response: Response) -> ModelRecordDetail:
    """The model with its provenance and the steps that are possible."""
    with pool.connection() as conn:
        row = find_model(conn, code)
    response.headers["ETag"] = make_etag(row.row_version)
    return describe_model(row, caller)


@router.post(
    "/models/{code}/transitions",
    summary="Take a step",
    response_model=ModelRecordDetail,
    responses=declare(404, 409, 412, 428, 429),
)
def step_model(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: ModelTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Shadow, activate, roll back or retire; 409 names the guard that refused. On a safety-critical device model the
    first activation asks, and the second one, by another engineer, approves."""
    signature = make_signature(pool, caller, body.password, body.meaning)

    def work(conn: Connection) -> tuple[ModelRecordDetail, dict[str, str]]:
        wanted = StepRequest(body.step, body.reason, signature, expected_row_version=version)
        row = record_step(conn, caller.actor, code, wanted, now())
        return describe_model(row, caller), {"ETag": make_etag(row.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity=ENTITY,
        code=code,
        find_row_version=lambda conn: find_model(conn, code).row_version,
    )


@router.get("/models/{code}/shadow", summary="What a model counted in shadow", responses=declare(404))
def read_shadow_counts(code: str, caller: Reader, pool: Database) -> ShadowCounts:
    """What the model would have raised by day and monitor while it was in shadow, beside what was delivered."""
    with pool.connection() as conn:
        counts = load_shadow_counts(conn, find_model(conn, code).id)
    return ShadowCounts(items=[ShadowCountShape.model_validate(c) for c in counts])


def find_model(conn: Connection, code: str) -> ModelRow:
    """The model of that code.

    Raises
    ------
    ProblemError
        404: there is none.
    """
    row = load_model(conn, code)
    if row is None:
        raise not_found("model", code, "code")
    return row


def describe_model(row: ModelRow, caller: Caller) -> ModelRecordDetail:
    """The model with the steps that its state allows."""
    state = ModelState(row.state)
    steps = [
        ModelStepShape(
            step=step, allowed=caller.may(MODEL_PERMISSION), signed=is_signed(step, state, row.safety_critical)
        )
        for step in find_model_steps(state)
    ]
    named = {name: getattr(row, name) for name in ModelRecordDetail.model_fields if name != "next_steps"}
    return ModelRecordDetail.model_validate(named | {"next_steps": steps}, by_name=True)
