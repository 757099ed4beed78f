"""Forms of accounts: a new one, what is changed of one, its password, sessions, second factor and identity."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.account_changes import (
    change_account,
    end_account_session,
    end_account_sessions,
    find_user,
    make_account,
    remove_account_factor,
    reset_account_password,
    untie_account,
)
from api.auth import Caller
from api.console.account_views import find_refused, name_problem
from api.console.admin_user_pages import Admin, Typed, render_user, render_users
from api.console.admin_views import Refused, read_form
from api.console.page import View, find_view
from api.console.secret_page import render_secret
from api.once import change
from api.passwords import hash_password, make_password
from api.problems import ROW_VERSION_CONFLICT, ProblemError
from api.shapes.accounts import NewUser, Reason, UserChange
from api.state import Database, State
from store.pool import Connection

router = APIRouter(prefix="/admin", include_in_schema=False)
Text = Annotated[str, Form(max_length=1000)]


@router.post("/users/new")
def take_user(
    request: Request,
    pool: Database,
    caller: Admin,
    name: Text = "",
    full_name: Text = "",
    roles: Annotated[list[str] | None, Form(max_length=20)] = None,
    customer: Text = "",
) -> Response:
    """Makes an account, and shows its password this once."""
    view = find_view(request, caller)
    values = {"name": name.strip(), "full_name": full_name, "roles": roles or [], "customer": customer.strip() or None}
    body = read_form(view, NewUser, values)
    if isinstance(body, Refused):
        return render_users(view, pool, typed=Typed(values, view.t("form.unusable"), 422, wrong=body.wrong))
    password = make_password()
    password_hash = hash_password(password)
    try:
        change(pool, lambda conn: make_account(conn, caller, body, password_hash))
    except ProblemError as refused:
        problem, wrong = find_refused(view, refused, body.customer)
        return render_users(view, pool, typed=Typed(values, problem, refused.status, wrong=wrong))
    return _render_password(view, body.name, password)


@router.post("/users/{name}/account")
def take_change(
    request: Request,
    state: State,
    caller: Admin,
    name: str,
    full_name: Text = "",
    roles: Annotated[list[str] | None, Form(max_length=20)] = None,
    customer: Text = "",
    status: Text = "",
    reason: Text = "",
    row_version: Annotated[int, Form()] = 0,
) -> Response:
    """Changes name, roles, customer or status."""
    view = find_view(request, caller)
    values = {
        "full_name": full_name,
        "roles": roles or [],
        "customer": customer.strip() or None,
        "status": status,
        "reason": reason,
    }
    with state.pool.connection() as conn:
        find_user(conn, name)
    body = read_form(view, UserChange, values)
    if isinstance(body, Refused):
        return render_user(view, state, name, Typed(values, view.t("form.unusable"), 422, "change", body.wrong))
    try:
        change(state.pool, lambda conn: change_account(conn, caller, name, body, row_version))
    except ProblemError as refused:
        problem, wrong = find_refused(view, refused, customer.strip())
        if refused.kind is ROW_VERSION_CONFLICT:
            problem = view.t("admin.conflict", name=view.who(refused.extra["current"]["changed_by"]) or "?")
        return render_user(view, state, name, Typed(values, problem, refused.status, "change", wrong))
    return RedirectResponse(view.link(f"/admin/users/{name}", done="saved"), 303)


@router.post("/users/{name}/password")
def take_password_reset(request: Request, state: State, caller: Admin, name: str, reason: Text = "") -> Response:
    """Gives the account a new password, and shows it this once."""
    password = make_password()
    password_hash = hash_password(password)

    def work(conn: Connection, why: str) -> None:
        reset_account_password(conn, caller, state.settings, name, password_hash, why)

    refused = _act(request, state, caller, name, "password", reason, work)
    return refused or _render_password(find_view(request, caller), name, password)


@router.post("/users/{name}/sessions")
def take_end_sessions(request: Request, state: State, caller: Admin, name: str, reason: Text = "") -> Response:
    """Signs the person out everywhere."""

    def work(conn: Connection, why: str) -> None:
        end_account_sessions(conn, caller, name, why)

    return _act(request, state, caller, name, "sessions", reason, work) or _go_back(request, caller, name)


@router.post("/users/{name}/sessions/{session_id}/end")
def take_end_session(request: Request, state: State, caller: Admin, name: str, session_id: int) -> Response:
    """Signs the person out there."""
    change(state.pool, lambda conn: end_account_session(conn, caller, name, session_id))
    return _go_back(request, caller, name)


@router.post("/users/{name}/second-factor")
def take_factor_removal(request: Request, state: State, caller: Admin, name: str, reason: Text = "") -> Response:
    """The account has no second factor any more."""

    def work(conn: Connection, why: str) -> None:
        remove_account_factor(conn, caller, name, why)

    return _act(request, state, caller, name, "factor", reason, work) or _go_back(request, caller, name)


@router.post("/users/{name}/identity")
def take_untying(request: Request, state: State, caller: Admin, name: str, reason: Text = "") -> Response:
    """The identity at the provider opens the account no more."""

    def work(conn: Connection, why: str) -> None:
        untie_account(conn, caller, name, why)

    return _act(request, state, caller, name, "identity", reason, work) or _go_back(request, caller, name)


def _act(
    request: Request,
    state: State,
    caller: Caller,
    name: str,
    form: str,
    reason: str,
    work: Callable[[Connection, str], None],
) -> Response | None:
    # None: it was done. Else the account's page with why not.
    view = find_view(request, caller)
    with state.pool.connection() as conn:
        find_user(conn, name)
    body = read_form(view, Reason, {"reason": reason})
    if isinstance(body, Refused):
        typed = Typed({"reason": reason}, view.t("form.unusable"), 422, form, body.wrong)
        return render_user(view, state, name, typed)
    try:
        change(state.pool, lambda conn: work(conn, body.reason))
    except ProblemError as refused:
        typed = Typed({"reason": reason}, name_problem(view, refused), refused.status, form)
        return render_user(view, state, name, typed)
    return None


def _go_back(request: Request, caller: Caller, name: str) -> Response:
    return RedirectResponse(find_view(request, caller).link(f"/admin/users/{name}", done="saved"), 303)


def _render_password(view: View, name: str, password: str) -> Response:
    return render_secret(
        view,
        title=view.t("admin.password_of", name=name),
        label=view.t("sign_in.password"),
        secret=password,
        why=view.t("admin.password_once"),
        back=f"/admin/users/{name}",
    )
