"""Models as controlled records, and the long work around them: asked for here, done beside scoring, followed here."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, conflict, make_etag
from api.problems import INVALID, TOO_MANY_ATTEMPTS, ProblemError, declare, not_found
from api.routes.users import find_last_change
from api.shapes.models import (
    ModelJobDetail,
    ModelJobShape,
    ModelRecordDetail,
    ModelRecordShape,
    ModelStepShape,
    ModelTransition,
    MonitorChanges,
    MonitorProposal,
    NewBacktest,
    NewMonitorBacktest,
    NewTraining,
    ShadowCounts,
    ShadowCountShape,
)
from api.shapes.pages import Page
from api.sign_in import check_password
from api.state import Database, now
from domain.audit import Signature, find_content_sha256
from domain.audit_model import model_job_asked
from domain.errors import RowVersionConflictError
from domain.model_record import MODEL_PERMISSION, ModelKind, ModelState, describe_profile, find_model_steps, is_signed
from domain.profile import Profile
from domain.profile_checks import find_monitor_problems
from domain.profile_json import profile_from_json, profile_to_json
from domain.roles import Permission
from store.audit import record_audit
from store.model_jobs import ModelJob, load_job, load_jobs, load_newest_backtest, open_job
from store.models import ENTITY, ModelRow, NewModel, StepRequest, load_model, load_models, record_model, record_step
from store.pool import Connection, Pool
from store.profiles import load_profile
from store.shadows import load_shadow_counts

router = APIRouter(tags=["models"])
# Figures over the devices of all customers.
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "Queued; `Location` says where to follow it."}}


@router.get("/models", summary="List models")
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


@router.post(
    "/models",
    summary="Train a model",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 422) | ACCEPTED,
)
def train_model(
    caller: Writer, pool: Database, request: Request, body: NewTraining, idempotency_key: IdempotencyKey = None
) -> Response:
    """Queues the training of a draft from the fleet's history. It runs beside scoring; the answer is its job."""

    def work(conn: Connection) -> tuple[ModelJobDetail, dict[str, str]]:
        _find_profile(conn, body.model)
        _check_window(body)
        asked = {"model": body.model, "firmware": body.firmware, "since": body.since, "until": body.until}
        return _open(conn, caller, "train", asked, None)

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.get("/models/{code}", summary="One model", responses=declare(404))
def read_model_record(code: str, caller: Reader, pool: Database, response: Response) -> ModelRecordDetail:
    """The model with its provenance and the steps that are possible."""
    with pool.connection() as conn:
        row = _find(conn, code)
    response.headers["ETag"] = make_etag(row.row_version)
    return _describe(row, caller)


@router.post(
    "/models/{code}/transitions",
    summary="Take a step",
    response_model=ModelRecordDetail,
    responses=declare(404, 409, 412, 428),
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
    signature = _sign(pool, caller, body)

    def work(conn: Connection) -> tuple[ModelRecordDetail, dict[str, str]]:
        wanted = StepRequest(body.step, body.reason, signature, expected_row_version=version)
        row = record_step(conn, caller.actor, code, wanted, now())
        return _describe(row, caller), {"ETag": make_etag(row.row_version)}

    try:
        return change_once(pool, caller, request, idempotency_key, body, work, status=200)
    except RowVersionConflictError:
        with pool.connection() as conn:
            current = _find(conn, code)
            raise conflict(current.row_version, **find_last_change(conn, ENTITY, code)) from None


@router.get("/models/{code}/backtest", summary="The newest backtest of a model", responses=declare(404))
def read_model_backtest(code: str, caller: Reader, pool: Database) -> ModelJobDetail:
    """The backtest that was asked for last: its progress, then its result."""
    with pool.connection() as conn:
        job = load_newest_backtest(conn, _find(conn, code).id)
    if job is None:
        raise not_found("backtest", code, "code")
    return _shape_job(job)


@router.post(
    "/models/{code}/backtest",
    summary="Backtest a model",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 422) | ACCEPTED,
)
def backtest_model(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: NewBacktest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queues the comparison of the model with what is live, over stored readings."""

    def work(conn: Connection) -> tuple[ModelJobDetail, dict[str, str]]:
        row = _find(conn, code)
        proposed = profile_from_json(row.description["profile"]) if row.kind == ModelKind.PROFILE else None
        return _open(conn, caller, "backtest", _ask(body, row.model, row.firmware, proposed, row.id), row.id)

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.get("/models/{code}/shadow", summary="What a model counted in shadow", responses=declare(404))
def read_shadow_counts(code: str, caller: Reader, pool: Database) -> ShadowCounts:
    """What the model would have raised by day and monitor while it was in shadow, beside what was delivered."""
    with pool.connection() as conn:
        counts = load_shadow_counts(conn, _find(conn, code).id)
    return ShadowCounts(items=[ShadowCountShape.model_validate(c) for c in counts])


@router.post(
    "/monitors/{model}/{monitor}/backtest",
    summary="Backtest other thresholds",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 422) | ACCEPTED,
)
def backtest_monitor(
    model: str,
    monitor: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: NewMonitorBacktest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Queues the comparison of the current profile with one where this monitor is changed, over stored readings."""

    def work(conn: Connection) -> tuple[ModelJobDetail, dict[str, str]]:
        proposed = _propose(_find_profile(conn, model), monitor, body.changes)
        return _open(conn, caller, "backtest", _ask(body, model, "", proposed, None), None)

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.post(
    "/monitors/{model}/{monitor}/proposals",
    summary="Propose other thresholds",
    status_code=201,
    response_model=ModelRecordDetail,
    responses=declare(404, 422),
)
def propose_monitor(
    model: str,
    monitor: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: MonitorProposal,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Registers the current profile with this monitor changed as a draft: it is backtested, tried in shadow, and made
    live or rolled back by the steps of a model."""

    def work(conn: Connection) -> tuple[ModelRecordDetail, dict[str, str]]:
        current = _find_profile(conn, model)
        proposed = _propose(current, monitor, body.changes)
        description = describe_profile(profile_to_json(proposed), current.version)
        provenance = {"monitor": monitor, "changes": body.changes.model_dump(exclude_none=True)}
        sha256 = find_content_sha256(description)
        new = NewModel(ModelKind.PROFILE, model, "", description, b"", sha256, provenance)
        row = record_model(conn, caller.actor, new, now())
        return _describe(row, caller), {"ETag": make_etag(row.row_version), "Location": f"/api/v1/models/{row.code}"}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/model-jobs", summary="List trainings and backtests")
def list_model_jobs(caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelJobShape]:
    """Trainings and backtests, newest first, with how far they are."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found = load_jobs(conn, before_id=int(keys[0]) if keys else None, limit=limit + 1)
    page = found[:limit]
    shapes = [ModelJobShape.model_validate({n: getattr(job, n) for n in ModelJobShape.model_fields}) for job in page]
    return Page(items=shapes, next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None)


@router.get("/model-jobs/{job_id}", summary="One training or backtest", responses=declare(404))
def read_model_job(job_id: int, caller: Reader, pool: Database) -> ModelJobDetail:
    """How far it is and how long it will take, then its result."""
    with pool.connection() as conn:
        job = load_job(conn, job_id)
    if job is None:
        raise not_found("job", str(job_id), "job_id")
    return _shape_job(job)


def _open(
    conn: Connection, caller: Caller, kind: str, asked: dict[str, Any], model_id: int | None
) -> tuple[ModelJobDetail, dict[str, str]]:
    job_id = open_job(conn, kind, asked, caller.name, model_id)
    entry = {"model": asked["model"], "firmware": asked["firmware"], "since": asked["since"], "until": asked["until"]}
    record_audit(conn, caller.actor, model_job_asked(kind, job_id, entry))
    job = load_job(conn, job_id)
    assert job is not None
    return _shape_job(job), {"Location": f"/api/v1/model-jobs/{job_id}"}


def _shape_job(job: ModelJob) -> ModelJobDetail:
    return ModelJobDetail.model_validate({name: getattr(job, name) for name in ModelJobDetail.model_fields})


def _ask(
    body: NewBacktest, model: str, firmware: str, proposed: Profile | None, model_id: int | None
) -> dict[str, Any]:
    """What `anomaly.training.jobs` reads of a backtest.

    Raises
    ------
    ProblemError
        422: the window is none.
    """
    _check_window(body)
    return {
        "model": model,
        "firmware": firmware,
        "since": body.since,
        "until": body.until,
        "level": body.level,
        "settle_s": body.settle_days * 86_400.0,
        "proposed_profile": None if proposed is None else profile_to_json(proposed),
        "proposed_model_id": model_id,
    }


def _check_window(body: NewTraining | NewBacktest) -> None:
    if body.since is not None and body.until is not None and body.since >= body.until:
        raise ProblemError(INVALID, fields={"until": "must be after since"})


def _propose(profile: Profile, key: str, changes: MonitorChanges) -> Profile:
    """The profile with that monitor changed.

    Raises
    ------
    ProblemError
        404: it has no such monitor. 422: nothing would change, or what comes of it is no monitor.
    """
    monitor = profile.find_monitor(key)
    if monitor is None:
        raise not_found("monitor", key, "monitor")
    changed = replace(monitor, **changes.model_dump(exclude_none=True))
    if changed == monitor:
        raise ProblemError(INVALID, fields={"changes": "changes nothing"})
    problems = dict(find_monitor_problems(changed, {s.key: s for s in profile.sensors}))
    if problems:
        raise ProblemError(INVALID, fields={f"changes.{field}": reason for field, reason in problems.items()})
    return replace(profile, monitors=tuple(changed if m.key == key else m for m in profile.monitors))


def _sign(pool: Pool, caller: Caller, body: ModelTransition) -> Signature | None:
    """The caller's signature where a password comes along and is right.

    Raises
    ------
    ProblemError
        422: the password is wrong, or a token calls. 429: locked after too many wrong ones.
    """
    if body.password is None:
        return None
    if caller.user_id is None or caller.session is None:
        raise ProblemError(INVALID, fields={"password": "a token cannot sign; a person must, signed in"})
    refused = check_password(pool, caller.name, body.password, at=now(), request_id=caller.request_id)
    if refused is not None and refused.reason == "locked":
        raise ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": str(int(refused.wait_s) + 1)})
    if refused is not None:
        raise ProblemError(INVALID, fields={"password": "is not your password"})
    return Signature(caller.user_id, caller.full_name, body.meaning)


def _find_profile(conn: Connection, model: str) -> Profile:
    profile = load_profile(conn, model)
    if profile is None:
        raise not_found("device model", model, "model")
    return profile


def _find(conn: Connection, code: str) -> ModelRow:
    row = load_model(conn, code)
    if row is None:
        raise not_found("model", code, "code")
    return row


def _describe(row: ModelRow, caller: Caller) -> ModelRecordDetail:
    state = ModelState(row.state)
    steps = [
        ModelStepShape(
            step=step, allowed=caller.may(MODEL_PERMISSION), signed=is_signed(step, state, row.safety_critical)
        )
        for step in find_model_steps(state)
    ]
    named = {name: getattr(row, name) for name in ModelRecordDetail.model_fields if name != "next_steps"}
    return ModelRecordDetail.model_validate(named | {"next_steps": steps}, by_name=True)
