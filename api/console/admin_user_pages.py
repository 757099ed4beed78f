"""Accounts, for administrators: the list, and one account with all that can be done with it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

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
from api.auth import Caller, require
from api.console.account_views import build_sessions, find_refused, name_problem
from api.console.acts import Act, Field
from api.console.admin_views import MOST_CUSTOMERS, Refused, build_user, list_roles, read_form
from api.console.page import View, find_view
from api.once import change
from api.passwords import hash_password, make_password
from api.problems import ROW_VERSION_CONFLICT, ProblemError
from api.shapes.accounts import NewUser, Reason, UserChange
from api.sign_in import find_idle
from api.state import Database, State
from domain.roles import Permission
from store.place_names import load_customer_names, load_place_names
from store.pool import Connection
from store.provider_identities import load_identity
from store.sessions import load_sessions_of
from store.users import load_users

router = APIRouter(prefix="/admin", include_in_schema=False)
Admin = Annotated[Caller, require(Permission.USER_MANAGE)]
Text = Annotated[str, Form(max_length=1000)]
ROWS = 50


@dataclass(frozen=True, slots=True)
class Typed:
    """What stood in a form that was refused."""

    values: dict[str, Any]
    problem: str
    status: int
    form: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)


@router.get("")
def show_admin(caller: Admin) -> Response:
    """Leads to the accounts."""
    return RedirectResponse("/admin/users", 303)


@router.get("/users")
def show_users(request: Request, pool: Database, caller: Admin, q: str = "", after: str = "") -> Response:
    """Accounts by name."""
    return _render_users(find_view(request, caller), pool, q.strip()[:100], after[:64])


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
        return _render_users(view, pool, "", "", Typed(values, view.t("form.unusable"), 422, wrong=body.wrong))
    password = make_password()
    password_hash = hash_password(password)
    try:
        change(pool, lambda conn: make_account(conn, caller, body, password_hash))
    except ProblemError as refused:
        problem, wrong = find_refused(view, refused, body.customer)
        return _render_users(view, pool, "", "", Typed(values, problem, refused.status, wrong=wrong))
    return _render_password(view, body.name, password)


@router.get("/users/{name}")
def show_user(request: Request, state: State, caller: Admin, name: str) -> Response:
    """One account."""
    return _render_user(find_view(request, caller), state, name)


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
        return _render_user(view, state, name, Typed(values, view.t("form.unusable"), 422, "change", body.wrong))
    try:
        change(state.pool, lambda conn: change_account(conn, caller, name, body, row_version))
    except ProblemError as refused:
        problem, wrong = find_refused(view, refused, customer.strip())
        if refused.kind is ROW_VERSION_CONFLICT:
            problem = view.t("admin.conflict", name=view.who(refused.extra["current"]["changed_by"]) or "?")
        return _render_user(view, state, name, Typed(values, problem, refused.status, "change", wrong))
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
        return _render_user(view, state, name, Typed({"reason": reason}, body.problem, 422, form))
    try:
        change(state.pool, lambda conn: work(conn, body.reason))
    except ProblemError as refused:
        typed = Typed({"reason": reason}, name_problem(view, refused), refused.status, form)
        return _render_user(view, state, name, typed)
    return None


def _go_back(request: Request, caller: Caller, name: str) -> Response:
    return RedirectResponse(find_view(request, caller).link(f"/admin/users/{name}", done="saved"), 303)


def _render_password(view: View, name: str, password: str) -> Response:
    return view.render(
        "secret_once.html",
        title=view.t("admin.password_of", name=name),
        label=view.t("sign_in.password"),
        secret=password,
        why=view.t("admin.password_once"),
        back=f"/admin/users/{name}",
    )


def _render_users(view: View, pool: Database, q: str, after: str, typed: Typed | None = None) -> Response:
    with pool.connection() as conn:
        users = load_users(conn, after=after, q=q, limit=ROWS + 1)
        codes = [user.customer_code for user in users]
        places = load_place_names(conn, customers=codes, customer_id=view.person.customer_id)
        customers = load_customer_names(conn, most=MOST_CUSTOMERS, customer_id=view.person.customer_id)
    values = typed.values if typed else {"name": "", "full_name": "", "roles": [], "customer": None}
    older = view.link("/admin/users", q=q, after=users[ROWS - 1].name) if len(users) > ROWS else None
    return view.render(
        "admin_users.html",
        typed.status if typed else 200,
        problem=typed.problem if typed else None,
        rows=[build_user(view, user, places) for user in users[:ROWS]],
        q=q,
        older=older,
        typed=values,
        wrong=defaultdict(str, typed.wrong if typed else {}),
        customers=customers,
        roles=list_roles(view, values["roles"]),
        opened=typed is not None,
    )


def _render_user(view: View, state: State, name: str, typed: Typed | None = None) -> Response:
    with state.pool.connection() as conn:
        user = find_user(conn, name)
        sessions = load_sessions_of(conn, user.id, at=view.now, idle=find_idle(state.settings))
        identity = load_identity(conn, user.id)
        places = load_place_names(conn, customers=[user.customer_code], customer_id=view.person.customer_id)
        customers = load_customer_names(conn, most=MOST_CUSTOMERS, customer_id=view.person.customer_id)
    shown = {"full_name": user.full_name, "roles": user.roles, "customer": user.customer_code, "status": user.status}
    form = typed.form if typed else ""
    values = {**shown, "reason": "", **(typed.values if typed and form == "change" else {})}
    own = view.person.session.id if view.person.session else None
    reason = typed.values["reason"] if typed else ""

    def act(which: str, refusal: str = "") -> Act:
        return Act(
            which,
            view.t(f"admin.{which}"),
            view.t(f"admin.{which}_do"),
            action=f"/admin/users/{name}/{PLACES[which]}",
            explain=view.t(f"admin.{which}_why"),
            fields=(Field("reason", view.t("admin.reason"), value=reason if form == which else ""),),
            refusal=refusal,
            open=form == which,
        )

    own_factor = view.name("account_guard", "own_factor") if name == view.person.name else ""
    no_factor = "" if user.has_second_factor else view.name("account_guard", "no_second_factor")
    acts = [
        act("password"),
        act("sessions", "" if sessions else view.t("admin.no_sessions")),
        act("factor", no_factor or own_factor),
    ]
    if identity is not None:
        acts.append(act("identity"))
    return view.render(
        "admin_user.html",
        typed.status if typed else 200,
        problem=typed.problem if typed else None,
        user=build_user(view, user, places),
        made=view.when(user.created_at),
        locked=view.when(user.locked_until),
        row_version=user.row_version,
        typed=values,
        wrong=defaultdict(str, typed.wrong if typed else {}),
        customers=customers,
        roles=list_roles(view, list(values["roles"])),
        statuses=[(code, view.name("account_status", code)) for code in ("ACTIVE", "DISABLED")],
        acts=acts,
        sessions=build_sessions(view, sessions, own),
        identity=identity,
    )


PLACES = {"password": "password", "sessions": "sessions", "factor": "second-factor", "identity": "identity"}
