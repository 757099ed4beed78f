"""What the inbox would show now, as codes with versions: what an open page compares itself with after each change.

It is one look at an index and no page, and a page's stream is told of it: hundreds of open inboxes of one kind are one
look.
"""

from collections.abc import Mapping
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Request
from starlette.responses import JSONResponse, StreamingResponse

from api.auth import Caller, require
from api.change_news import Audience
from api.console.capa_views import PROPOSALS
from api.console.inbox_wanted import ROWS, SORTS, find_wanted
from api.console.page import find_view
from api.problems import INVALID, ProblemError
from api.routes.events import open_stream
from api.shared_views import Shown
from api.state import State
from domain.capa import CapaState
from domain.roles import Permission
from store.capas import load_capa_codes
from store.pool import Connection, Pool
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_versions

router = APIRouter(include_in_schema=False)


@router.get("/inbox/versions")
def tell_versions(
    request: Request,
    state: State,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    sort: str = "sla",
    cursor: str = "",
) -> JSONResponse:
    """{"rows": {code: version}} of the page with the same query; a proposal has no version, only its code. The header
    `X-Look-After` says after how many milliseconds the page may ask again.

    Raises
    ------
    ProblemError
        422: the cursor is none of this list.
    """
    wanted = find_wanted(find_view(request, caller), dict(request.query_params))
    with state.pool.connection() as conn:
        try:
            rows = _load_rows(conn, wanted, sort, cursor, with_capas=caller.may(Permission.CAPA_READ))
        except ValueError as error:
            raise ProblemError(INVALID, fields={"cursor": "is none of this list"}) from error
    return JSONResponse({"rows": rows}, headers={"X-Look-After": str(state.hub.look_after_ms)})


@router.get("/inbox/events/stream")
async def follow_inbox(
    request: Request,
    state: State,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    sort: str = "sla",
    cursor: str = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """The stream of changes of orders and CAPAs for the page with the same query, with events `rows`: {"rows": {code:
    version}} at once, and within a second of what changes them. A cursor that is none of this list means page one.
    """
    wanted = find_wanted(find_view(request, caller), dict(request.query_params))
    with_capas = caller.may(Permission.CAPA_READ)
    audience = Audience(frozenset({"work_order", "capa"} if with_capas else {"work_order"}), caller.customer_id)
    shown = Shown(
        ("inbox", wanted, sort, cursor, with_capas),
        audience,
        lambda: _load_event(state.pool, wanted, sort, cursor, with_capas=with_capas),
    )
    return await open_stream(state, caller, last_event_id, shown)


def _load_event(pool: Pool, wanted: WorkOrderFilter, sort: str, cursor: str, *, with_capas: bool) -> bytes:
    with pool.connection() as conn:
        try:
            rows = _load_rows(conn, wanted, sort, cursor, with_capas=with_capas)
        except ValueError:  # as the page does
            rows = _load_rows(conn, wanted, sort, "", with_capas=with_capas)
    return orjson.dumps({"rows": rows})


def _load_rows(
    conn: Connection, wanted: WorkOrderFilter, sort: str, cursor: str, *, with_capas: bool
) -> Mapping[str, str]:
    by = SORTS.get(sort, "due")
    orders = load_work_order_versions(conn, wanted, sort=by, cursor=cursor or None, limit=ROWS)
    proposals = load_capa_codes(conn, (CapaState.PROPOSED,), limit=PROPOSALS) if with_capas else []
    return {code: str(version) for code, version in orders.items()} | dict.fromkeys(proposals, "")
