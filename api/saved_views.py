"""What people do with their own views. The same for the API and the console."""

from datetime import datetime

from api.auth import Caller
from api.own_account import find_session
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, not_found
from domain.errors import NotFoundError
from domain.saved_view import SavedView, ViewPage, clean_name, clean_query
from store.pool import Connection
from store.saved_views import change_view, record_view, remove_view


def save_view(
    conn: Connection, caller: Caller, page: ViewPage, name: str, query: str, *, is_default: bool, now: datetime
) -> SavedView:
    """The new view of the caller.

    Raises
    ------
    ProblemError
        422: a token calls, or the name is none. 409: there is one of that name, or there are too many.
    """
    user_id = find_session(caller).user_id
    wanted = find_name(name)
    made = record_view(conn, user_id, page, wanted, clean_query(page, query), is_default=is_default, now=now)
    return _verify_free(made, wanted)


def alter_view(
    conn: Connection,
    caller: Caller,
    before: SavedView,
    *,
    name: str | None = None,
    query: str | None = None,
    is_default: bool | None = None,
    expected_row_version: int | None,
    now: datetime,
) -> SavedView:
    """The view with what is not None changed.

    Raises
    ------
    ProblemError
        422: the name is none. 409: another has it. 404: it is gone.
    RowVersionConflictError
    """
    wanted = None if name is None else find_name(name)
    try:
        after = change_view(
            conn,
            find_session(caller).user_id,
            before.id,
            name=wanted,
            query=None if query is None else clean_query(before.page, query),
            is_default=is_default,
            expected_row_version=expected_row_version,
            now=now,
        )
    except NotFoundError as error:
        raise not_found("view", str(before.id), "view_id") from error
    return _verify_free(after, wanted or "")


def delete_view(conn: Connection, caller: Caller, view_id: int) -> None:
    """The view is gone.

    Raises
    ------
    ProblemError
        404: it is not there, or somebody else's.
    """
    if not remove_view(conn, find_session(caller).user_id, view_id):
        raise not_found("view", str(view_id), "view_id")


def find_name(text: str) -> str:
    """The name as it is kept.

    Raises
    ------
    ProblemError
        422: it is none.
    """
    name = clean_name(text)
    if not name:
        raise ProblemError(INVALID, fields={"name": "must be a word or more, in at most 40 signs that can be seen"})
    return name


def _verify_free(view: SavedView | None, name: str) -> SavedView:
    if view is None:
        raise ProblemError(ALREADY_EXISTS, f"You have a view called {name!r}.", fields={"name": "is taken"})
    return view
