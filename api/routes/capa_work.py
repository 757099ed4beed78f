"""What people write into a CAPA: its root cause, its actions, and how its effect will be judged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.capa_answers import (
    describe_action,
    describe_capa,
    describe_effectiveness,
    describe_root_cause,
    find_capa,
)
from api.once import IdempotencyKey, change, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import INVALID, ProblemError, declare, not_found
from api.shapes.capas import (
    ActionFields,
    CapaActionShape,
    CapaActionTransition,
    EffectivenessFields,
    EffectivenessShape,
    RootCauseFields,
    RootCauseShape,
)
from api.shapes.service import CapaDetail
from api.state import Database, now
from api.steps import naming_conflict
from api.versioned_router import make_router
from domain.capa_action import ACTION_TRANSITIONS, ActionRequest
from domain.capa_cause import EvidenceRef
from domain.capa_effectiveness import LimitKind
from domain.roles import Permission
from store.capa_actions import (
    ActionDraft,
    load_action,
    load_owner,
)
from store.capa_causes import load_unknown_evidence
from store.capa_transitions import load_standing
from store.capa_work import (
    add_action,
    change_action,
    plan_effectiveness,
    record_action_step,
    write_root_cause,
)
from store.capas import ENTITY, Capa, lock_capa
from store.pool import Connection, Pool

router = make_router(tag="quality")
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Worker = Annotated[Caller, require(Permission.CAPA_WORK)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]


@router.get("/capas/{code}/root-cause", summary="The root cause", responses=declare(404))
def read_root_cause(code: str, caller: Reader, pool: Database, response: Response) -> RootCauseShape:
    """The investigation as it was last written."""
    with pool.connection() as conn:
        standing = load_standing(conn, find_capa(conn, code))
    response.headers["ETag"] = make_etag(standing.capa.row_version)
    return describe_root_cause(standing)


@router.put("/capas/{code}/root-cause", summary="Write the root cause", responses=declare(404, 409, 412, 428))
def put_root_cause(
    code: str, caller: Worker, pool: Database, response: Response, body: RootCauseFields, version: IfMatch
) -> CapaDetail:
    """Writes the problem and every cause that was looked at, in place of what was written before."""
    root_cause = body.to_root_cause()

    def work(conn: Connection, before: Capa) -> Capa:
        _verify_evidence(conn, root_cause.evidence)
        return write_root_cause(conn, caller.actor, before, root_cause, now=now())

    return _put(pool, caller, code, version, response, work)


@router.get("/capas/{code}/actions", summary="Its actions", responses=declare(404))
def read_actions(code: str, caller: Reader, pool: Database, response: Response) -> list[CapaActionShape]:
    """All actions of the CAPA by their number, cancelled ones too."""
    with pool.connection() as conn:
        standing = load_standing(conn, find_capa(conn, code))
    response.headers["ETag"] = make_etag(standing.capa.row_version)
    return [describe_action(action) for action in standing.plan.actions]


@router.post(
    "/capas/{code}/actions",
    summary="Add an action",
    status_code=201,
    response_model=CapaDetail,
    responses=declare(404, 409, 412, 428),
)
def post_action(
    code: str,
    caller: Worker,
    pool: Database,
    request: Request,
    body: ActionFields,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Adds an action to the plan; a correction may be planned before the cause is known."""

    def work(conn: Connection) -> tuple[CapaDetail, dict[str, str]]:
        before = lock_capa(conn, code, version)
        after, action = add_action(conn, caller.actor, before, _make_draft(conn, body), now=now())
        headers = {
            "Location": f"/api/v1/capas/{code}/actions/{action.number}",
            "ETag": make_etag(after.row_version),
        }
        return describe_capa(conn, after, caller), headers

    with _moving(pool, code):
        return change_once(pool, caller, request, idempotency_key, body, work)


@router.get("/capas/{code}/actions/{number}", summary="One action", responses=declare(404))
def read_action(code: str, number: Number, caller: Reader, pool: Database, response: Response) -> CapaActionShape:
    """One action of the CAPA; its ETag is the CAPA's."""
    with pool.connection() as conn:
        capa = find_capa(conn, code)
        action = load_action(conn, capa.id, number)
    if action is None:
        raise not_found("action", str(number), "number")
    response.headers["ETag"] = make_etag(capa.row_version)
    return describe_action(action)


@router.put("/capas/{code}/actions/{number}", summary="Change an action", responses=declare(404, 409, 412, 428))
def put_action(
    code: str,
    number: Number,
    caller: Worker,
    pool: Database,
    response: Response,
    body: ActionFields,
    version: IfMatch,
) -> CapaDetail:
    """Rewrites what the plan says of an action that is not done."""

    def work(conn: Connection, before: Capa) -> Capa:
        if load_action(conn, before.id, number) is None:
            raise not_found("action", str(number), "number")
        return change_action(conn, caller.actor, before, number, _make_draft(conn, body), now=now())[0]

    return _put(pool, caller, code, version, response, work)


@router.post(
    "/capas/{code}/actions/{number}/transitions",
    summary="Take a step of an action",
    response_model=CapaDetail,
    responses=declare(404, 409, 412, 428),
)
def step_action(
    code: str,
    number: Number,
    caller: Reader,
    pool: Database,
    request: Request,
    body: CapaActionTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Says that an action is done, was seen to be done, goes back, or is left out; 409 names the guard that refused."""
    with pool.connection() as conn:
        found = load_action(conn, find_capa(conn, code).id, number)
    if found is None:
        raise not_found("action", str(number), "number")
    needed = ACTION_TRANSITIONS.get((found.state, body.to), ())
    held = [permission for permission in needed if caller.may(permission)]
    if needed and not held:
        raise missing_permission(needed[0])
    acting = caller.acting_by(held[0]) if held else caller
    references = tuple(ref.to_ref() for ref in body.references)

    def work(conn: Connection) -> tuple[CapaDetail, dict[str, str]]:
        before = lock_capa(conn, code, version)
        _verify_evidence(conn, references)
        wanted = ActionRequest(body.to, body.evidence, body.reason)
        after, _ = record_action_step(conn, acting.actor, before, number, wanted, references, now=now())
        return describe_capa(conn, after, caller), {"ETag": make_etag(after.row_version)}

    with _moving(pool, code):
        return change_once(pool, caller, request, idempotency_key, body, work, status=200)


@router.get("/capas/{code}/effectiveness", summary="Whether it helped", responses=declare(404))
def read_effectiveness(code: str, caller: Reader, pool: Database, response: Response) -> EffectivenessShape:
    """How the effect is judged, what was counted before, and everything that was computed since."""
    with pool.connection() as conn:
        standing = load_standing(conn, find_capa(conn, code))
        shape = describe_effectiveness(conn, standing)
    response.headers["ETag"] = make_etag(standing.capa.row_version)
    return shape


@router.put("/capas/{code}/effectiveness", summary="Plan the check", responses=declare(404, 409, 412, 428))
def put_effectiveness(
    code: str, caller: Worker, pool: Database, response: Response, body: EffectivenessFields, version: IfMatch
) -> CapaDetail:
    """Says by which figure, against which limit and over which period the effect will be judged."""
    if body.limit_kind is LimitKind.RATIO and body.limit > 1.0:
        raise ProblemError(INVALID, fields={"limit": "of a ratio is at most 1: no more than before"})

    def work(conn: Connection, before: Capa) -> Capa:
        return plan_effectiveness(conn, caller.actor, before, body.to_plan(), now=now())

    return _put(pool, caller, code, version, response, work)


def _put(
    pool: Pool,
    caller: Caller,
    code: str,
    version: int,
    response: Response,
    work: Callable[[Connection, Capa], Capa],
) -> CapaDetail:
    def write(conn: Connection) -> CapaDetail:
        return describe_capa(conn, work(conn, lock_capa(conn, code, version)), caller)

    with _moving(pool, code):
        detail = change(pool, write)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@contextmanager
def _moving(pool: Pool, code: str) -> Iterator[None]:
    """404 where there is no such CAPA, 412 that says who moved it."""
    with pool.connection() as conn:
        find_capa(conn, code)
    with naming_conflict(pool, ENTITY, code, lambda conn: find_capa(conn, code).row_version):
        yield


def _make_draft(conn: Connection, body: ActionFields) -> ActionDraft:
    owner = None if not body.owner else load_owner(conn, body.owner)
    if body.owner and owner is None:
        raise ProblemError(INVALID, fields={"owner": "is no active account of the maker's people"})
    if owner is not None and not owner.may_read:
        raise ProblemError(INVALID, fields={"owner": f"needs the right {Permission.CAPA_READ}: cannot read CAPAs"})
    return ActionDraft(body.kind, body.text, None if owner is None else owner.id, body.due_on)


def _verify_evidence(conn: Connection, evidence: tuple[EvidenceRef, ...]) -> None:
    unknown = load_unknown_evidence(conn, evidence)
    if unknown:
        named = ", ".join(f"{ref.kind} {ref.ref}" for ref in unknown[:10])
        raise ProblemError(INVALID, fields={"evidence": f"there is no {named}"})
