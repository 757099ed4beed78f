"""One's own account: where one is signed in, the password, the second factor."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, lacks_second_factor, require
from api.console.account_views import build_sessions, name_problem
from api.console.acts import Act, Field, mark_fields
from api.console.page import View, find_view
from api.own_account import (
    begin_own_factor,
    comes_by_provider_alone,
    confirm_own_factor,
    end_other_sessions,
    end_own_session,
    find_own_begun_secret,
    remove_own_factor,
    renew_own_codes,
)
from api.problems import ProblemError
from api.sign_in import find_idle
from api.state import State
from api.totp import ISSUER, draw_qr, make_address
from domain.roles import Permission
from store.provider_identities import load_identity
from store.second_factors import load_second_factor
from store.sessions import load_sessions_of
from store.users import load_user

router = APIRouter(prefix="/account", include_in_schema=False)
Owner = Annotated[Caller, require(Permission.ACCOUNT_USE)]
Password = Annotated[str, Form(max_length=200)]


@router.get("")
def show_account(request: Request, state: State, caller: Owner) -> Response:
    """Who one is here, and what one can do with the account."""
    return render_account(find_view(request, caller), state)


@router.post("/sessions/end-others")
def take_end_others(request: Request, state: State, caller: Owner) -> Response:
    """Signs out everywhere but here."""
    view = find_view(request, caller)
    try:
        ended = end_other_sessions(state, caller, request)
    except ProblemError as refused:
        return render_account(view, state, refused)
    return RedirectResponse(view.link("/account", done="sessions", n=ended), 303)


@router.post("/sessions/{session_id}/end")
def take_end_session(request: Request, state: State, caller: Owner, session_id: int) -> Response:
    """Signs out there."""
    end_own_session(state, caller, session_id)
    return RedirectResponse(find_view(request, caller).link("/account", done="sessions", n=1), 303)


@router.post("/second-factor")
def take_begin(request: Request, state: State, caller: Owner, password: Password = "") -> Response:
    """Shows the secret, once, and asks for a code that it makes."""
    view = find_view(request, caller)
    try:
        secret = begin_own_factor(state, caller, password)
    except ProblemError as refused:
        return render_account(view, state, refused, "begin")
    return _render_set_up(view, secret)


@router.post("/second-factor-code")
def take_confirm(
    request: Request, state: State, caller: Owner, code: Annotated[str, Form(max_length=40)] = ""
) -> Response:
    """Shows the recovery codes, once; a wrong code leaves the secret where it is."""
    view = find_view(request, caller)
    try:
        codes = confirm_own_factor(state, caller, request, code)
    except ProblemError as refused:
        secret = find_own_begun_secret(state, caller)
        if secret is None:
            return render_account(view, state, refused, "begin")
        return _render_set_up(view, secret, name_problem(view, refused), refused.status)
    return view.render("recovery_codes.html", codes=codes)


@router.post("/recovery-codes")
def take_codes(request: Request, state: State, caller: Owner, password: Password = "") -> Response:
    """Shows new recovery codes, once."""
    view = find_view(request, caller)
    try:
        codes = renew_own_codes(state, caller, password)
    except ProblemError as refused:
        return render_account(view, state, refused, "codes")
    return view.render("recovery_codes.html", codes=codes)


@router.post("/second-factor-removal")
def take_removal(request: Request, state: State, caller: Owner, password: Password = "") -> Response:
    """The account has no second factor any more."""
    view = find_view(request, caller)
    try:
        remove_own_factor(state, caller, request, password)
    except ProblemError as refused:
        return render_account(view, state, refused, "removal")
    return RedirectResponse(view.link("/account", done="factor_removed"), 303)


def _render_set_up(view: View, secret: str, problem: str | None = None, status: int = 200) -> Response:
    address = make_address(secret, name=view.person.name, issuer=ISSUER)
    spaced = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return view.render("second_factor.html", status, qr=draw_qr(address), secret=spaced, problem=problem)


def render_account(view: View, state: State, refused: ProblemError | None = None, opened: str = "") -> Response:
    """The page; with why something was refused, and the form of it open."""
    caller = view.person
    session = caller.session
    assert session is not None  # a page is asked for by cookie
    with state.pool.connection() as conn:
        user = load_user(conn, caller.name)
        factor = load_second_factor(conn, session.user_id)
        identity = load_identity(conn, session.user_id)
        sessions = load_sessions_of(conn, session.user_id, at=view.now, idle=find_idle(state.settings))
    assert user is not None
    by_provider = comes_by_provider_alone(state.settings, user)
    is_set_up = factor is not None and factor.confirmed_at is not None
    is_password_wrong = refused is not None and any(error.field == "password" for error in refused.errors)
    wrong_password = name_problem(view, refused) if refused is not None and is_password_wrong else ""
    return view.render(
        "account.html",
        200 if refused is None else refused.status,
        problem=None if refused is None else name_problem(view, refused),
        user=user,
        by_provider=by_provider,
        provider=state.settings.oidc.label if state.settings.has_provider else None,
        identity=identity,
        is_required=lacks_second_factor(state.settings, caller),
        set_up_at=view.when(factor.confirmed_at) if factor is not None else None,
        codes_left=factor.recovery_codes_left if factor is not None else 0,
        is_set_up=is_set_up,
        acts=_find_factor_acts(view, is_set_up, opened, wrong_password),
        wrong_password="" if opened else wrong_password,
        sessions=build_sessions(view, sessions, session.id),
    )


def _find_factor_acts(view: View, is_set_up: bool, opened: str, wrong_password: str) -> list[Act]:
    password = Field("password", view.t("sign_in.password"), "password")

    def act(name: str, action: str) -> Act:
        return Act(
            name,
            view.t(f"account.{name}"),
            view.t(f"account.{name}_do"),
            action=f"/account/{action}",
            explain=view.t(f"account.{name}_why"),
            fields=mark_fields((password,), {"password": wrong_password} if opened == name else {}),
            open=opened == name,
        )

    if is_set_up:
        return [act("codes", "recovery-codes"), act("removal", "second-factor-removal")]
    return [act("begin", "second-factor")]
