"""Tokens, roles and settings, for administrators."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.account_changes import make_access_token, revoke_access_token
from api.auth import Caller, require
from api.console.account_views import find_refused
from api.console.admin_views import (
    MOST_CUSTOMERS,
    Refused,
    build_matrix,
    build_token,
    list_settings,
    list_ways_in,
    read_form,
)
from api.console.page import View, find_view
from api.console.secret_page import render_secret
from api.once import change
from api.passwords import make_api_token
from api.problems import ProblemError
from api.shapes.accounts import NewToken
from api.state import Database, State
from domain.roles import Permission, Role
from store.place_names import load_customer_names, load_place_names
from store.tokens import load_tokens

router = APIRouter(prefix="/admin", include_in_schema=False)
Text = Annotated[str, Form(max_length=1000)]


@router.get("/tokens")
def show_tokens(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.TOKEN_MANAGE)]
) -> Response:
    """Tokens by name."""
    return _render_tokens(find_view(request, caller), pool)


@router.post("/tokens/new")
def take_token(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.TOKEN_MANAGE)],
    name: Text = "",
    role: Text = "",
    customer: Text = "",
    expires_on: Text = "",
) -> Response:
    """Makes a token, and shows its secret this once."""
    view = find_view(request, caller)
    typed = {"name": name.strip(), "role": role, "customer": customer.strip(), "expires_on": expires_on}
    expires_at: Any = None
    if expires_on:
        try:
            expires_at = datetime.combine(datetime.fromisoformat(expires_on).date(), time.max, view.find_zone())
        except ValueError:
            expires_at = expires_on
    values = {**typed, "customer": typed["customer"] or None, "expires_at": expires_at}
    values.pop("expires_on")
    if isinstance(expires_at, datetime):
        values["expires_at"] = expires_at.astimezone(UTC)
    body = read_form(view, NewToken, values)
    if isinstance(body, Refused):
        return _render_tokens(view, pool, typed, view.t("form.unusable"), body.wrong, 422)
    secret = make_api_token()
    try:
        change(pool, lambda conn: make_access_token(conn, caller, body, secret, at=view.now))
    except ProblemError as refused:
        problem, wrong = find_refused(view, refused, body.customer)
        return _render_tokens(view, pool, typed, problem, wrong, refused.status)
    return render_secret(
        view,
        title=view.t("admin.token_of", name=body.name),
        label=view.t("admin.token"),
        secret=secret,
        why=view.t("admin.token_once"),
        back="/admin/tokens",
    )


@router.post("/tokens/{token_id}/revocation")
def take_revocation(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.TOKEN_MANAGE)], token_id: int
) -> Response:
    """The token opens nothing any more."""
    view = find_view(request, caller)
    change(pool, lambda conn: revoke_access_token(conn, caller, token_id, at=view.now))
    return RedirectResponse(view.link("/admin/tokens", done="saved"), 303)


@router.get("/roles")
def show_roles(request: Request, caller: Annotated[Caller, require(Permission.USER_MANAGE)]) -> Response:
    """Which role has which right."""
    view = find_view(request, caller)
    return view.render("admin_roles.html", **build_matrix(view))


@router.get("/settings")
def show_settings(
    request: Request, state: State, caller: Annotated[Caller, require(Permission.USER_MANAGE)]
) -> Response:
    """What is set, without secrets."""
    view = find_view(request, caller)
    return view.render(
        "admin_settings.html", ways=list_ways_in(view, state.settings), rows=list_settings(view, state.settings)
    )


def _render_tokens(
    view: View,
    pool: Database,
    typed: dict[str, str] | None = None,
    problem: str | None = None,
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    with pool.connection() as conn:
        tokens = load_tokens(conn)
        codes = [token.customer_code for token in tokens]
        places = load_place_names(conn, customers=codes, customer_id=view.person.customer_id)
        customers = load_customer_names(conn, most=MOST_CUSTOMERS, customer_id=view.person.customer_id)
    return view.render(
        "admin_tokens.html",
        status,
        problem=problem,
        wrong=defaultdict(str, wrong or {}),
        customers=customers,
        rows=[build_token(view, token, places) for token in tokens],
        typed=typed or {"name": "", "role": Role.INTEGRATOR.value, "customer": "", "expires_on": ""},
        roles=[(role.value, view.name("role", role)) for role in Role],
    )
