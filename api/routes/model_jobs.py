"""Trainings and backtests of models: asked for here, run beside scoring, followed here."""

from typing import Annotated, Any

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change_once
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.device_models import find_profile
from api.routes.models import find_model
from api.shapes.models import CallOff, ModelJobDetail, ModelJobShape, NewBacktest, NewTraining
from api.shapes.pages import Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.audit_model import model_job_asked
from domain.errors import GuardRefusedError
from domain.long_jobs import QueueGuard
from domain.model_record import ModelKind
from domain.profile import Profile
from domain.profile_json import profile_from_json, profile_to_json
from domain.roles import Permission
from store.audit import record_audit
from store.model_jobs import MODEL_JOBS, ModelJob, cancel_job, load_newest_backtest, open_job
from store.pool import Connection

router = make_router(tag="models")
# Figures over the devices of all customers.
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "Queued; `Location` says where to follow it."}}


@router.post(
    "/models",
    summary="Train a model",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 409, 422) | ACCEPTED,
)
def train_model(
    caller: Writer, pool: Database, request: Request, body: NewTraining, idempotency_key: IdempotencyKey = None
) -> Response:
    """Queues the training of a draft from the fleet's history. It runs beside scoring; the answer is its job."""

    def work(conn: Connection) -> tuple[ModelJobDetail, dict[str, str]]:
        find_profile(conn, body.model)
        _check_window(body)
        asked = {"model": body.model, "firmware": body.firmware, "since": body.since, "until": body.until}
        return open_asked(conn, caller, "train", asked, None)

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.get("/models/{code}/backtest", summary="The newest backtest of a model", responses=declare(404))
def read_model_backtest(code: str, caller: Reader, pool: Database) -> ModelJobDetail:
    """The backtest that was asked for last: its progress, then its result."""
    with pool.connection() as conn:
        job = load_newest_backtest(conn, find_model(conn, code).id)
    if job is None:
        raise not_found("backtest", code, "code")
    return shape_job(job)


@router.post(
    "/models/{code}/backtest",
    summary="Backtest a model",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 409, 422) | ACCEPTED,
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
        row = find_model(conn, code)
        proposed = profile_from_json(row.description["profile"]) if row.kind == ModelKind.PROFILE else None
        return open_asked(
            conn, caller, "backtest", ask_backtest(body, row.model, row.firmware, proposed, row.id), row.id
        )

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.get("/model-jobs", summary="List trainings and backtests")
def list_model_jobs(caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelJobShape]:
    """Trainings and backtests, newest first, with how far they are."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found = MODEL_JOBS.load_page(conn, before_id=int(keys[0]) if keys else None, limit=limit + 1)
    page = found[:limit]
    shapes = [ModelJobShape.model_validate({n: getattr(job, n) for n in ModelJobShape.model_fields}) for job in page]
    return Page(items=shapes, next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None)


@router.get("/model-jobs/{job_id}", summary="One training or backtest", responses=declare(404))
def read_model_job(job_id: int, caller: Reader, pool: Database) -> ModelJobDetail:
    """How far it is and how long it will take, then its result."""
    with pool.connection() as conn:
        return shape_job(find_job(conn, job_id))


@router.post(
    "/model-jobs/{job_id}/cancel",
    summary="Call a training or backtest off",
    response_model=ModelJobDetail,
    responses=declare(404, 409, 422),
)
def cancel_model_job(
    job_id: int,
    caller: Writer,
    pool: Database,
    request: Request,
    body: CallOff,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ends a job that waits or runs, within seconds and without a result; called off again it stays so. A job has no
    version to be named: one that has ended otherwise is refused."""

    def work(conn: Connection) -> tuple[ModelJobDetail, dict[str, str]]:
        return shape_job(call_off_job(conn, caller, job_id, body.reason)), {}

    return change_once(pool, caller, request, idempotency_key, body, work, status=200)


def call_off_job(conn: Connection, caller: Caller, job_id: int, reason: str) -> ModelJob:
    """The job, called off.

    Raises
    ------
    ProblemError
        404: there is no such job.
    GuardRefusedError
        It has ended otherwise.
    """
    is_ended = cancel_job(conn, caller.actor, find_job(conn, job_id), reason, now())
    job = find_job(conn, job_id)
    if not is_ended and job.state != "CANCELLED":
        raise GuardRefusedError(QueueGuard.JOB_IS_OVER, f"It has ended: {job.state}.")
    return job


def find_job(conn: Connection, job_id: int) -> ModelJob:
    """The job of that id.

    Raises
    ------
    ProblemError
        404: there is none.
    """
    job = MODEL_JOBS.load(conn, job_id)
    if job is None:
        raise not_found("job", str(job_id), "job_id")
    return job


def open_asked(
    conn: Connection, caller: Caller, kind: str, asked: dict[str, Any], model_id: int | None
) -> tuple[ModelJobDetail, dict[str, str]]:
    """Queues the work, audited: what is answered, and where to follow it.

    Raises
    ------
    GuardRefusedError
        Too many wait already; `guard` is a value of `domain.long_jobs.QueueGuard`.
    """
    MODEL_JOBS.verify_room(conn, caller.name)
    job_id = open_job(conn, kind, asked, caller.name, model_id)
    entry = {"model": asked["model"], "firmware": asked["firmware"], "since": asked["since"], "until": asked["until"]}
    record_audit(conn, caller.actor, model_job_asked(kind, job_id, entry))
    job = MODEL_JOBS.load(conn, job_id)
    assert job is not None
    return shape_job(job), {"Location": f"/api/v1/model-jobs/{job_id}"}


def shape_job(job: ModelJob) -> ModelJobDetail:
    """The job as it is answered."""
    return ModelJobDetail.model_validate({name: getattr(job, name) for name in ModelJobDetail.model_fields})


def ask_backtest(
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
