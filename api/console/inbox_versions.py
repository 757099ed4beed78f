"""What the inbox would show now, as codes with versions: an open page asks for them after each change.

Hundreds of open inboxes ask at once, so the answer is one look at an index and no page.
"""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from api.auth import Caller, require
from api.console.capa_views import PROPOSALS
from api.console.inbox_wanted import ROWS, SORTS, find_wanted
from api.console.page import find_view
from api.problems import INVALID, ProblemError
from api.state import State
from domain.capa import CapaState
from domain.roles import Permission
from store.capas import load_capa_codes
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
            orders = load_work_order_versions(
                conn, wanted, sort=SORTS.get(sort, "due"), cursor=cursor or None, limit=ROWS
            )
        except ValueError as error:
            raise ProblemError(INVALID, fields={"cursor": "is none of this list"}) from error
        proposals = (
            load_capa_codes(conn, (CapaState.PROPOSED,), limit=PROPOSALS) if caller.may(Permission.CAPA_READ) else []
        )
    rows = {code: str(version) for code, version in orders.items()} | dict.fromkeys(proposals, "")
    return JSONResponse({"rows": rows}, headers={"X-Look-After": str(state.hub.look_after_ms)})
