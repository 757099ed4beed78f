"""The actions of all CAPAs: whose they are, and what is late."""

from datetime import UTC, date
from typing import Annotated

from fastapi import Query

from api.auth import Caller, require
from api.capa_answers import describe_action
from api.cursors import Cursor, Limit, WantsTotal, make_cursor, not_ours, read_cursor
from api.shapes.capas import CapaActionShape
from api.shapes.pages import Page
from api.state import Database, now
from api.versioned_router import make_router
from domain.capa_action import ActionState
from domain.roles import Permission
from store.capa_actions import ActionFilter, count_actions, list_actions

router = make_router("/capa-actions", tag="quality")
Reader = Annotated[Caller, require(Permission.CAPA_READ)]


@router.get("", summary="Actions of all CAPAs")
def list_capa_actions(
    caller: Reader,
    pool: Database,
    state: Annotated[list[ActionState], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    owner: Annotated[str, Query(max_length=200, description="Name of the account.")] = "",
    overdue: Annotated[bool, Query(description="Those alone that are open after their day.")] = False,
    live: Annotated[bool, Query(description="Of CAPAs that are neither rejected nor closed.")] = True,
    limit: Limit = 50,
    cursor: Cursor = None,
    total: WantsTotal = False,
) -> Page[CapaActionShape]:
    """Actions by the day they are due, those without a day last."""
    keys = read_cursor(cursor, [str, int])
    if keys is not None and not _is_day(str(keys[0])):
        raise not_ours()
    today = now().astimezone(UTC).date()
    wanted = ActionFilter(tuple(s.value for s in state), owner, today if overdue else None, live)
    after = None if keys is None else (str(keys[0]), int(keys[1]))
    with pool.connection() as conn:
        found = list_actions(conn, wanted, after=after, limit=limit + 1)
        count = count_actions(conn, wanted) if total else None
    page = found[:limit]
    last = page[-1] if len(found) > limit else None
    return Page(
        items=[describe_action(action) for action in page],
        next_cursor=None if last is None else make_cursor([str(last.due_on or "infinity"), last.id]),
        total=count,
    )


def _is_day(text: str) -> bool:
    if text == "infinity":
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
