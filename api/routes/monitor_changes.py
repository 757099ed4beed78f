"""Other thresholds of a monitor: tried on stored readings, and proposed as a draft that goes the way of a model."""

from dataclasses import replace
from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change_once
from api.preconditions import make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.device_models import find_profile
from api.routes.model_jobs import ACCEPTED, ask_backtest, open_asked
from api.routes.models import describe_model
from api.shapes.models import (
    ModelJobDetail,
    ModelRecordDetail,
    MonitorChanges,
    MonitorProposal,
    NewMonitorBacktest,
)
from api.state import Database, now
from api.versioned_router import make_router
from domain.audit import find_content_sha256
from domain.model_record import ModelKind, describe_profile
from domain.profile import Profile
from domain.profile_checks import find_monitor_problems
from domain.profile_json import profile_to_json
from domain.roles import Permission
from store.models import NewModel, record_model
from store.pool import Connection

router = make_router(tag="models")
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]


@router.post(
    "/monitors/{model}/{monitor}/backtest",
    summary="Backtest other thresholds",
    status_code=202,
    response_model=ModelJobDetail,
    responses=declare(404, 409, 422) | ACCEPTED,
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
        return ask_monitor_backtest(conn, caller, model, monitor, body)

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
        current = find_profile(conn, model)
        proposed = _propose(current, monitor, body.changes)
        description = describe_profile(profile_to_json(proposed), current.version)
        provenance = {"monitor": monitor, "changes": body.changes.model_dump(exclude_none=True)}
        sha256 = find_content_sha256(description)
        new = NewModel(ModelKind.PROFILE, model, "", description, b"", sha256, provenance)
        row = record_model(conn, caller.actor, new, now())
        return describe_model(row, caller), {
            "ETag": make_etag(row.row_version),
            "Location": f"/api/v1/models/{row.code}",
        }

    return change_once(pool, caller, request, idempotency_key, body, work)


def ask_monitor_backtest(
    conn: Connection, caller: Caller, model: str, monitor: str, body: NewMonitorBacktest
) -> tuple[ModelJobDetail, dict[str, str]]:
    """Queues it, audited: what is answered, and where to follow it.

    Raises
    ------
    ProblemError
        404: there is no such monitor. 422: the changes, or the window, cannot be used.
    GuardRefusedError
        Too many wait already.
    """
    proposed = _propose(find_profile(conn, model), monitor, body.changes)
    about = {"monitor": monitor, "changes": body.changes.model_dump(exclude_none=True)}
    return open_asked(conn, caller, "backtest", ask_backtest(body, model, "", proposed, None) | about, None)


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
