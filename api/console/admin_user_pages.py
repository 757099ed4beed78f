"""Accounts, for administrators: the list, and one account with all that can be done with it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.account_changes import (
    find_user,
)
from api.auth import Caller, require
from api.console.account_views import build_sessions
from api.console.acts import Act, Field, mark_fields
from api.console.admin_views import MOST_CUSTOMERS, build_user, list_roles
from api.console.page import View, find_view
from api.sign_in import find_idle
from api.state import ApiState, Database, State
from domain.roles import Permission
from store.place_names import load_customer_names, load_place_names
from store.pool import Pool
from store.provider_identities import load_identity
from store.sessions import load_sessions_of
from store.users import load_users

router = APIRouter(prefix="/admin", include_in_schema=False)
Admin = Annotated[Caller, require(Permission.USER_MANAGE)]
ROWS = 50
PLACES = {"password": "password", "sessions": "sessions", "factor": "second-factor", "identity": "identity"}


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
    return render_users(find_view(request, caller), pool, q.strip()[:100], after[:64])


@router.get("/users/{name}")
def show_user(request: Request, state: State, caller: Admin, name: str) -> Response:
    """One account."""
    return render_user(find_view(request, caller), state, name)


def render_users(view: View, pool: Pool, q: str = "", after: str = "", typed: Typed | None = None) -> Response:
    """The list; with a form that was refused, what stood in it and why."""
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


def render_user(view: View, state: ApiState, name: str, typed: Typed | None = None) -> Response:
    """The account's page; with a form that was refused, what stood in it and why."""
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
    wrong: defaultdict[str, str] = defaultdict(str, typed.wrong if typed else {})

    def act(which: str, refusal: str = "") -> Act:
        return Act(
            which,
            view.t(f"admin.{which}"),
            view.t(f"admin.{which}_do"),
            action=f"/admin/users/{name}/{PLACES[which]}",
            explain=view.t(f"admin.{which}_why"),
            fields=mark_fields(
                (Field("reason", view.t("admin.reason"), value=reason if form == which else ""),),
                wrong if form == which else {},
            ),
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
        wrong=wrong if form == "change" else defaultdict(str),
        customers=customers,
        roles=list_roles(view, list(values["roles"])),
        statuses=[(code, view.name("account_status", code)) for code in ("ACTIVE", "DISABLED")],
        acts=acts,
        sessions=build_sessions(view, sessions, own),
        identity=identity,
    )
