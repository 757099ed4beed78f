"""The lab: would this profile catch that fault? Runs on simulated devices are asked for here, followed and read."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change, change_once
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.model_jobs import ACCEPTED
from api.shapes.lab import CallOffRun, LabRunDetail, LabRunShape, NewLabRun
from api.shapes.pages import Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.counting import fill_counts
from domain.errors import GuardRefusedError
from domain.lab import LabRefusal, LabRefusalCode, find_refusals
from domain.model_record import ModelKind
from domain.monitor_quality import move_threshold
from domain.profile import Profile
from domain.profile_json import profile_from_json
from domain.roles import Permission
from store.lab_runs import LAB_RUNS, LabRun, cancel_run, load_result, load_run, open_run
from store.models import load_model
from store.pool import Connection, Pool
from store.profiles import load_profile
from store.threshold_proposals import load_threshold_proposal

router = make_router("/lab/runs", tag="lab")
# Who may see what monitors do may see what they would do.
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
REASONS = {
    LabRefusalCode.NOT_SIMULATED: "has no simulated physics: {models} have",
    LabRefusalCode.NOT_OF_MODEL: "is no fault of {model}: {faults}",
    LabRefusalCode.NOT_A_SENSOR: "is no sensor that the simulated device has: {sensors}",
    LabRefusalCode.NO_SENSOR_WANTED: "is for a sensor that sticks or is silent alone",
    LabRefusalCode.OUT_OF_RANGE: "must lie between {low} and {high}",
    LabRefusalCode.TOO_SHORT: "must be {least} or more for a fault of {span} h: devices settle first, and it must end",
    LabRefusalCode.TOO_MUCH: "times days and seeds are {asked:device-day|device-days}, and {most} are the most",
    LabRefusalCode.NO_PROFILE: "has no profile here",
    LabRefusalCode.NOT_A_PROPOSAL: "is no threshold proposal and no draft of a profile of {model}",
}


class LabRefusedError(ProblemError):
    """422: the run cannot be begun; `refusals` say why, field by field."""

    def __init__(self, refusals: list[LabRefusal]) -> None:
        self.refusals = refusals
        super().__init__(INVALID, fields={r.field: fill_counts(REASONS[r.code], r.params) for r in refusals})


@router.post(
    "",
    summary="Plant a fault",
    status_code=202,
    response_model=LabRunDetail,
    responses=declare(409, 422) | ACCEPTED,
)
def open_lab_run(
    caller: Writer, pool: Database, request: Request, body: NewLabRun, idempotency_key: IdempotencyKey = None
) -> Response:
    """Queues a run on simulated devices. It runs beside everything else, and changes nothing but itself."""

    def work(conn: Connection) -> tuple[LabRunDetail, Mapping[str, str]]:
        code = ask_run(conn, caller, body)
        return read_run(conn, code), {"Location": f"/api/v1/lab/runs/{code}"}

    return change_once(pool, caller, request, idempotency_key, body, work, status=202)


@router.get("", summary="List runs of the lab")
def list_lab_runs(caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[LabRunShape]:
    """Runs, newest first, with their figures."""
    keys = read_cursor(cursor, [int])
    with pool.connection() as conn:
        found = LAB_RUNS.load_page(conn, before_id=int(keys[0]) if keys else None, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[LabRunShape.model_validate(_find_fields(run, LabRunShape)) for run in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
    )


@router.get("/{code}", summary="One run of the lab", responses=declare(404))
def read_lab_run(code: str, caller: Reader, pool: Database) -> LabRunDetail:
    """How far it is, then its result."""
    with pool.connection() as conn:
        return read_run(conn, code)


@router.post("/{code}/cancel", summary="Call a run off", responses=declare(404, 409, 422))
def cancel_lab_run(code: str, caller: Writer, pool: Database, body: CallOffRun | None = None) -> LabRunDetail:
    """Ends a run that waits or runs, without a result; called off again it stays so."""
    return call_off(pool, caller, code, "" if body is None else body.reason)


def call_off(pool: Pool, caller: Caller, code: str, reason: str = "") -> LabRunDetail:
    """The run, called off.

    Raises
    ------
    ProblemError
        404: there is no such run.
    GuardRefusedError
        It has ended otherwise.
    """

    def work(conn: Connection) -> LabRunDetail:
        is_ended = cancel_run(conn, caller.actor, code, now(), reason)
        run = read_run(conn, code)
        if not is_ended and run.state != "CANCELLED":
            raise GuardRefusedError("run_is_over", f"It has ended: {run.state}.")
        return run

    return change(pool, work)


def ask_run(conn: Connection, caller: Caller, body: NewLabRun) -> str:
    """Queues the run, audited, and gives its code.

    Raises
    ------
    LabRefusedError
        A field cannot be used.
    GuardRefusedError
        Too many wait already; `guard` is a value of `domain.long_jobs.QueueGuard`.
    """
    request = body.to_request()
    if refusals := find_refusals(request):
        raise LabRefusedError(refusals)
    profile = load_profile(conn, request.model)
    if profile is None:
        raise LabRefusedError([LabRefusal("model", LabRefusalCode.NO_PROFILE, {})])
    judged = profile if body.proposal is None else _find_proposed(conn, profile, body.proposal)
    if judged is None:
        raise LabRefusedError([LabRefusal("proposal", LabRefusalCode.NOT_A_PROPOSAL, {"model": request.model})])
    LAB_RUNS.verify_room(conn, caller.name)
    return open_run(conn, caller.actor, request, judged, body.proposal, now())


def _find_proposed(conn: Connection, live: Profile, code: str) -> Profile | None:
    """What would be live if that proposal was accepted, or that draft."""
    proposal = load_threshold_proposal(conn, code)
    if proposal is not None and proposal.model == live.model and live.find_monitor(proposal.monitor) is not None:
        return move_threshold(live, proposal.monitor, proposal.proposed_raise_at, proposal.proposed_clear_at)
    draft = load_model(conn, code)
    if draft is not None and draft.model == live.model and draft.kind == ModelKind.PROFILE:
        return profile_from_json(draft.description["profile"])
    return None


def read_run(conn: Connection, code: str) -> LabRunDetail:
    """The run of that code with its result.

    Raises
    ------
    ProblemError
        404: there is none.
    """
    run = load_run(conn, code)
    if run is None:
        raise not_found("run", code, "code")
    result = load_result(conn, code) if run.figures is not None else None
    return LabRunDetail.model_validate(_find_fields(run, LabRunShape) | {"result": result})


def _find_fields(run: LabRun, shape: type[LabRunShape]) -> dict[str, Any]:
    return {name: getattr(run, name) for name in shape.model_fields}
