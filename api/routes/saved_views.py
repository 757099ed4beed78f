"""One's saved views of lists: named queries, kept with the account."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.once import IdempotencyKey, change, change_once
from api.own_account import find_session
from api.preconditions import IfMatch, conflict, make_etag
from api.problems import declare, not_found
from api.saved_views import alter_view, delete_view, save_view
from api.shapes.pages import Page
from api.shapes.saved_views import NewView, ViewChange, ViewShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.errors import RowVersionConflictError
from domain.roles import Permission
from domain.saved_view import SavedView, ViewPage
from store.pool import Connection, Pool
from store.saved_views import load_view, load_views

router = make_router("/account/views", tag="account")
Owner = Annotated[Caller, require(Permission.ACCOUNT_USE)]


@router.get("", summary="One's views", responses=declare(422))
def list_views(
    caller: Owner,
    pool: Database,
    page: Annotated[ViewPage | None, Query(description="Those of that list.")] = None,
) -> Page[ViewShape]:
    """The caller's views by name. A view only chooses among what its owner may see."""
    user_id = find_session(caller).user_id
    with pool.connection() as conn:
        return Page(items=[ViewShape.model_validate(view) for view in load_views(conn, user_id, page)])


@router.post("", summary="Save a view", status_code=201, response_model=ViewShape, responses=declare(409, 422))
def make_view(
    caller: Owner, pool: Database, request: Request, body: NewView, idempotency_key: IdempotencyKey = None
) -> Response:
    """Keeps a view; as the default one it takes the place of another. 409 `too_many_views`: 40 are there."""
    find_session(caller)

    def work(conn: Connection) -> tuple[ViewShape, Mapping[str, str]]:
        made = save_view(conn, caller, body.page, body.name, body.query, is_default=body.is_default, now=now())
        return ViewShape.model_validate(made), {"ETag": make_etag(made.row_version)}

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.patch("/{view_id}", summary="Change a view", responses=declare(404, 409, 412, 422, 428))
def patch_view(
    view_id: int, caller: Owner, pool: Database, body: ViewChange, version: IfMatch, response: Response
) -> ViewShape:
    """Names it anew, gives it another query, or makes it the default one."""
    before = find_view_of(pool, caller, view_id)

    def work(conn: Connection) -> SavedView:
        sent = body.model_dump()
        return alter_view(conn, caller, before, **sent, expected_row_version=version, now=now())

    try:
        after = change(pool, work)
    except RowVersionConflictError:
        current = find_view_of(pool, caller, view_id)
        raise conflict(current.row_version, changed_by=caller.name, changed_at=current.updated_at) from None
    response.headers["ETag"] = make_etag(after.row_version)
    return ViewShape.model_validate(after)


@router.delete(
    "/{view_id}", summary="Delete a view", status_code=204, response_class=Response, responses=declare(404, 422)
)
def remove(view_id: int, caller: Owner, pool: Database) -> Response:
    """The view is gone; what it showed is not."""
    change(pool, lambda conn: delete_view(conn, caller, view_id))
    return Response(status_code=204)


def find_view_of(pool: Pool, caller: Caller, view_id: int) -> SavedView:
    """That view of the caller's.

    Raises
    ------
    ProblemError
        404: it is not there, or somebody else's. 422: a token calls.
    """
    user_id = find_session(caller).user_id
    with pool.connection() as conn:
        found = load_view(conn, user_id, view_id)
    if found is None:
        raise not_found("view", str(view_id), "view_id")
    return found
