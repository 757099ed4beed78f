"""Saved views in the console: the menu of a list, the addresses by name, and the page that puts them in order."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.page import View, find_view
from api.once import change
from api.problems import ProblemError, not_found
from api.routes.saved_views import find_view_of
from api.saved_views import alter_view, delete_view, save_view
from api.state import Database, now
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.roles import Permission
from domain.saved_view import LONGEST_NAME, SavedView, ViewPage, clean_query
from store.pool import Connection, Pool
from store.saved_views import load_views

router = APIRouter(include_in_schema=False)
Owner = Annotated[Caller, require(Permission.ACCOUNT_USE)]
Text = Annotated[str, Form(max_length=10_000)]


def find_opening(view: View, menu: Mapping[str, Any]) -> Response | None:
    """The way to the default view, where the list was asked for with nothing behind its address; `menu` is `load_menu`
    of that list."""
    if view.request.url.query:
        return None
    lines = [line for line in menu["lines"] if line["is_default"] and line["query"]]
    return RedirectResponse(lines[0]["address"], 303) if lines else None


def load_menu(view: View, conn: Connection, page: ViewPage) -> dict[str, Any]:
    """What the menu of views of that list shows."""
    user_id = view.person.user_id
    found = [] if user_id is None else load_views(conn, user_id, page)
    query = clean_query(page, view.request.url.query)
    has_default = any(one.is_default and one.query for one in found)
    return {
        "page": page.value,
        "query": query,
        "longest": LONGEST_NAME,
        "lines": [_find_line(one) | {"is_current": one.query == query} for one in found],
        # Everything is asked for in words where the bare address means something else.
        "all": f"{page.path}?view=all" if has_default else page.path,
        "has_default": has_default,
    }


def _find_line(one: SavedView) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "href": one.named_address,
        "address": one.address,
        "query": one.query,
        "is_default": one.is_default,
        "row_version": one.row_version,
        "page": one.page.value,
    }


@router.get("/inbox/views/{name:path}")
def open_inbox_view(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)], name: str
) -> Response:
    """The inbox as the caller's view of that name shows it."""
    return _open(find_view(request, caller), pool, ViewPage.INBOX, name)


@router.get("/work-orders/views/{name:path}")
def open_work_order_view(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)], name: str
) -> Response:
    """The work orders as the caller's view of that name shows them."""
    return _open(find_view(request, caller), pool, ViewPage.WORK_ORDERS, name)


def _open(view: View, pool: Pool, page: ViewPage, name: str) -> Response:
    with pool.connection() as conn:
        user_id = view.person.user_id
        found = [] if user_id is None else [one for one in load_views(conn, user_id, page) if one.name == name]
    if not found:
        raise not_found("view", name, "name")
    return RedirectResponse(found[0].address, 303)


@router.get("/account/views")
def show_views(request: Request, pool: Database, caller: Owner) -> Response:
    """All views of the caller."""
    return _render(find_view(request, caller), pool)


@router.post("/account/views")
def take_view(
    request: Request,
    pool: Database,
    caller: Owner,
    page: Annotated[ViewPage, Form()],
    name: Text = "",
    query: Text = "",
) -> Response:
    """Saves what a list shows under a name, and goes back there."""
    view = find_view(request, caller)
    try:
        made = change(pool, lambda conn: save_view(conn, caller, page, name, query, is_default=False, now=now()))
    except (ProblemError, GuardRefusedError) as refused:
        kept = {"page": page.value, "name": name.strip(), "query": clean_query(page, query)}
        said = _say(view, refused)
        wrong = {0: said} if isinstance(refused, ProblemError) else {}
        return _render(view, pool, problem=said, status=_find_status(refused), typed=kept, wrong=wrong)
    return RedirectResponse(view.link(made.address, done="view"), 303)


@router.post("/account/views/{view_id}")
def change_one(
    request: Request,
    pool: Database,
    caller: Owner,
    view_id: int,
    act: Annotated[str, Form(max_length=20)] = "",
    row_version: Annotated[int, Form(ge=0)] = 0,
    name: Text = "",
) -> Response:
    """Names a view anew, makes it the default one or one among others, or deletes it."""
    view = find_view(request, caller)
    before = find_view_of(pool, caller, view_id)

    def work(conn: Connection) -> object:
        if act == "delete":
            delete_view(conn, caller, view_id)
            return None
        wanted: dict[str, Any] = {"name": name} if act == "rename" else {"is_default": act == "default"}
        return alter_view(conn, caller, before, **wanted, expected_row_version=row_version, now=now())

    try:
        if act in ("delete", "rename", "default", "plain"):
            change(pool, work)
    except (ProblemError, RowVersionConflictError) as refused:
        said, status = _say(view, refused), _find_status(refused)
        wrong = {view_id: said} if isinstance(refused, ProblemError) else {}
        return _render(view, pool, problem=said, status=status, renamed={view_id: name}, wrong=wrong)
    return RedirectResponse(view.link("/account/views", done="saved"), 303)


def _say(view: View, refused: ProblemError | GuardRefusedError | RowVersionConflictError) -> str:
    if isinstance(refused, GuardRefusedError):
        return view.t("views.too_many")
    if isinstance(refused, RowVersionConflictError):
        return view.t("views.moved")
    return view.t("views.taken" if refused.status == 409 else "views.no_name", count=LONGEST_NAME)


def _find_status(refused: ProblemError | GuardRefusedError | RowVersionConflictError) -> int:
    if isinstance(refused, GuardRefusedError):
        return 409
    return 412 if isinstance(refused, RowVersionConflictError) else refused.status


def _render(
    view: View,
    pool: Pool,
    *,
    problem: str | None = None,
    status: int = 200,
    typed: dict[str, str] | None = None,
    renamed: dict[int, str] | None = None,
    wrong: dict[int, str] | None = None,
) -> Response:
    """The page; `wrong` says what is the matter with the name of a view, under 0 with that of one that is not yet."""
    user_id = view.person.user_id
    with pool.connection() as conn:
        found = [] if user_id is None else load_views(conn, user_id)
    titles = {ViewPage.INBOX: view.t("inbox.title"), ViewPage.WORK_ORDERS: view.t("work_orders.title")}
    groups = [
        {
            "page": page.value,
            "title": titles[page],
            "href": page.path,
            "lines": [
                _find_line(one)
                | {"typed": (renamed or {}).get(one.id, one.name), "wrong": (wrong or {}).get(one.id, "")}
                for one in found
                if one.page == page
            ],
        }
        for page in ViewPage
    ]
    return view.render(
        "saved_views.html",
        status,
        groups=groups,
        problem=problem,
        typed=typed,
        wrong=(wrong or {}).get(0, ""),
        longest=LONGEST_NAME,
    )
