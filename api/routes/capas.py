"""CAPA notices: the machine proposes, a person decides."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, read_cursor
from api.once import IdempotencyKey
from api.preconditions import IfMatch, make_etag
from api.problems import declare, not_found
from api.shapes.pages import Page
from api.shapes.service import CapaDetail, CapaMemberShape, CapaShape, CapaStep, CapaTransition
from api.state import Database, now
from api.steps import take_step_once
from domain.capa import CAPA_TRANSITIONS, CapaState, find_capa_next_states
from domain.roles import Permission
from store.capas import Capa, count_capas, load_capa, load_capa_members, load_capas, record_capa_decision
from store.pool import Connection

router = APIRouter(prefix="/capas", tags=["quality"])
Reader = Annotated[Caller, require(Permission.CAPA_READ)]


@router.get("", summary="List CAPA notices")
def list_capas(
    caller: Reader,
    pool: Database,
    state: Annotated[list[CapaState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    model: str = "",
    fault_group: str = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[CapaShape]:
    """CAPA notices, newest first."""
    keys = read_cursor(cursor, [int])
    before = int(keys[0]) if keys else None
    states = [s.value for s in state]
    with pool.connection() as conn:
        found = load_capas(conn, states=states, model=model, fault_group=fault_group, before_id=before, limit=limit + 1)
        count = count_capas(conn, states=states, model=model, fault_group=fault_group) if total else None
    page = found[:limit]
    return Page(
        items=[CapaShape.model_validate(capa) for capa in page],
        next_cursor=make_cursor([page[-1].id]) if len(found) > limit else None,
        total=count,
    )


@router.get("/{code}", summary="One CAPA notice", responses=declare(404))
def read_capa(code: str, caller: Reader, pool: Database, response: Response) -> CapaDetail:
    """The notice with its figures, its cases and the steps that are possible."""
    with pool.connection() as conn:
        capa = _find_capa(conn, code)
        detail = _describe(conn, capa, caller)
    response.headers["ETag"] = make_etag(capa.row_version)
    return detail


@router.post(
    "/{code}/transitions",
    summary="Decide",
    response_model=CapaDetail,
    responses=declare(404, 409, 412, 428),
)
def decide_capa(
    code: str,
    caller: Reader,
    pool: Database,
    request: Request,
    body: CapaTransition,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Opens or rejects a proposal, with a justification; 409 names the guard that refused."""
    with pool.connection() as conn:
        needed = CAPA_TRANSITIONS.get((CapaState(_find_capa(conn, code).state), body.to))
    if needed is not None and not caller.may(needed):
        raise missing_permission(needed)
    acting = caller if needed is None else caller.acting_by(needed)

    def work(conn: Connection) -> tuple[CapaDetail, dict[str, str]]:
        capa = record_capa_decision(
            conn, acting.actor, code, body.to, reason=body.reason, expected_row_version=version, now=now()
        )
        return _describe(conn, capa, caller), {"ETag": make_etag(capa.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="capa",
        code=code,
        find_row_version=lambda conn: _find_capa(conn, code).row_version,
    )


def _find_capa(conn: Connection, code: str) -> Capa:
    capa = load_capa(conn, code)
    if capa is None:
        raise not_found("CAPA", code, "code")
    return capa


def _describe(conn: Connection, capa: Capa, caller: Caller) -> CapaDetail:
    members = [CapaMemberShape.model_validate(m).model_dump() for m in load_capa_members(conn, capa.id)]
    state = CapaState(capa.state)
    steps = [
        CapaStep(to=to, allowed=caller.may(CAPA_TRANSITIONS[state, to]), permission=CAPA_TRANSITIONS[state, to].value)
        for to in find_capa_next_states(state)
    ]
    values = CapaShape.model_validate(capa).model_dump()
    return CapaDetail.model_validate(values | {"members": members, "next_steps": steps}, by_name=True)
