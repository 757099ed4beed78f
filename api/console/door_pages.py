"""Signing in and out, a new password, and how this browser shows things: what needs no record of the service."""

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require, verify_same_origin
from api.console.instants import SITE_ZONE, find_zone, name_duration
from api.console.language import LANGUAGES
from api.console.page import (
    KEYS_COOKIE,
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    ZONE_COOKIE,
    View,
    find_view,
)
from api.own_account import REAUTHENTICATED, change_own_password, comes_by_provider_alone
from api.passwords import MIN_LENGTH
from api.problems import ProblemError
from api.settings import ApiSettings
from api.sign_in import (
    PENDING,
    PENDING_COOKIE,
    CodeWanted,
    SignedIn,
    SignInRefused,
    delete_cookie,
    delete_session_cookie,
    find_cookie_name,
    give_code,
    set_cookie,
    set_session_cookie,
    sign_in,
    sign_out,
)
from api.state import ApiState, State, now
from domain.roles import Permission
from store.sessions import is_reauthenticated
from store.users import load_user

router = APIRouter(include_in_schema=False)
YEAR_S = 365 * 86_400

HOME = "/"  # leads on to what the person may see


def find_local(address: str) -> str:
    """The address if it is a page of this console, else the first page: no link leads to another site."""
    parts = urlsplit(address)
    is_local = (
        not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith(("//", "/\\"))
    )
    return address if is_local and parts.path != "/sign-in" and "\\" not in address else HOME


@router.get("/")
def show_home(caller: Annotated[Caller, require(Permission.ACCOUNT_USE)]) -> Response:
    """Leads to the first page of whoever comes."""
    return RedirectResponse(find_home(caller), 303)


def find_home(caller: Caller) -> str:
    """Where this person's day begins: at the own jobs of who decides none, at the inbox where something in it is to be
    decided or followed, else at the orders that may be seen."""
    if caller.may(Permission.WORK_ORDER_WORK) and not caller.may(Permission.WORK_ORDER_TRIAGE):
        return "/my"
    if caller.may(Permission.WORK_ORDER_READ):
        is_followed = caller.may(Permission.WORK_ORDER_TRIAGE) or caller.may(Permission.CAPA_READ)
        return "/inbox" if is_followed else "/work-orders"
    if caller.may(Permission.USER_MANAGE):
        return "/admin/users"
    return "/devices" if caller.may(Permission.DEVICE_READ) else "/account"


@router.get("/sign-in")
def show_sign_in(request: Request, state: State, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """The door."""
    return _render_door(find_view(request, None), state, find_local(next))


@router.post("/sign-in")
def take_sign_in(
    request: Request,
    state: State,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,  # noqa: A002 - the name in the form
) -> Response:
    """Opens a session and goes where the person wanted to; a wrong password says only that something is wrong."""
    verify_same_origin(request)
    view = find_view(request, None)
    outcome = sign_in(
        state.pool,
        state.settings,
        state.attempts,
        name=name,
        password=password,
        address=find_address(request),
        at=now(),
        request_id=request.state.request_id,
        browser=request.headers.get("user-agent", ""),
    )
    if isinstance(outcome, SignInRefused):
        return _render_door(view, state, find_local(next), name, outcome)
    if isinstance(outcome, CodeWanted):
        response = RedirectResponse(view.link("/sign-in/code", next=find_local(next)), 303)
        set_cookie(response, state.settings, PENDING_COOKIE, outcome.token, max_age=PENDING)
        return response
    return let_in(state, outcome, find_local(next))


@router.get("/sign-in/code")
def show_code(request: Request, state: State, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """The second step at the door."""
    if find_cookie_name(state.settings, PENDING_COOKIE) not in request.cookies:
        return RedirectResponse("/sign-in", 303)
    return find_view(request, None).render("sign_in_code.html", next=find_local(next), problem=None)


@router.post("/sign-in/code")
def take_code(
    request: Request,
    state: State,
    code: Annotated[str, Form(max_length=100)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,  # noqa: A002 - the name in the form
) -> Response:
    """Opens the session by a code; what was too slow begins again with the password."""
    verify_same_origin(request)
    view = find_view(request, None)
    outcome = give_code(
        state.pool,
        state.settings,
        state.attempts,
        token=request.cookies.get(find_cookie_name(state.settings, PENDING_COOKIE), ""),
        code=code,
        address=find_address(request),
        at=now(),
        request_id=request.state.request_id,
        browser=request.headers.get("user-agent", ""),
    )
    if isinstance(outcome, SignedIn):
        response = let_in(state, outcome, find_local(next))
        delete_cookie(response, state.settings, PENDING_COOKIE)
        return response
    if outcome.reason == "late":
        response = _render_door(view, state, find_local(next), "", outcome)
        delete_cookie(response, state.settings, PENDING_COOKIE)
        return response
    problem, status = _name_refusal(view, outcome, wrong="sign_in.wrong_code")
    return view.render("sign_in_code.html", status, next=find_local(next), problem=problem)


def find_address(request: Request) -> str:
    """From where the request comes, as far as it is believed (FOREWARN_API_TRUSTED_PROXIES)."""
    return request.client.host if request.client else ""


def let_in(state: ApiState, outcome: SignedIn, target: str) -> Response:
    """The way on with the new session, by way of a new password where one is wanted."""
    response = RedirectResponse("/password" if outcome.user.must_change_password else target, 303)
    set_session_cookie(response, state.settings, outcome)
    return response


def _render_door(
    view: View, state: ApiState, target: str, typed: str = "", refused: SignInRefused | None = None
) -> Response:
    problem, status = (None, 200) if refused is None else _name_refusal(view, refused, wrong="sign_in.wrong")
    return render_door(view, state.settings, target, typed, problem, status)


def render_door(
    view: View, settings: ApiSettings, target: str, typed: str = "", problem: str | None = None, status: int = 200
) -> Response:
    """The door, with the way to the provider where there is one."""
    provider = None
    if settings.has_provider:
        provider = {"label": settings.oidc.label, "href": view.link("/sign-in/provider", next=target)}
    by_password = not settings.has_provider or settings.password_sign_in
    return view.render(
        "sign_in.html",
        status,
        next=target,
        problem=problem,
        typed_name=typed,
        provider=provider,
        by_password=by_password,
        open_password=by_password or bool(typed),
    )


def _name_refusal(view: View, refused: SignInRefused, *, wrong: str) -> tuple[str, int]:
    if refused.reason == "locked":
        span = name_duration(timedelta(seconds=max(refused.wait_s, 1)), view.language)
        return view.t("sign_in.locked", span=span), 429
    return view.t("sign_in.late" if refused.reason == "late" else wrong), 401


@router.post("/sign-out")
def take_sign_out(request: Request, state: State) -> Response:
    """Ends the session on the server and in the browser."""
    verify_same_origin(request)
    token = request.cookies.get(find_cookie_name(state.settings))
    if token:
        sign_out(state.pool, token)
    response = RedirectResponse("/sign-in", 303)
    delete_session_cookie(response, state.settings)
    return response


@router.get("/password")
def show_password(
    request: Request, state: State, caller: Annotated[Caller, require(Permission.ACCOUNT_USE)]
) -> Response:
    """The form for a new password."""
    return _render_password(find_view(request, caller), state)


def _render_password(
    view: View, state: ApiState, problem: str | None = None, status: int = 200, wrong: Collection[str] = ()
) -> Response:
    with state.pool.connection() as conn:
        user = load_user(conn, view.person.name)
        by_provider = user is not None and comes_by_provider_alone(state.settings, user)
        session = view.person.session
        is_asked = (
            by_provider
            and session is not None
            and is_reauthenticated(conn, session.id, since=view.now - REAUTHENTICATED)
        )
    return view.render(
        "password.html",
        status,
        problem=problem,
        wrong=dict.fromkeys(("current", "new"), "") | dict.fromkeys(wrong, problem),
        length=MIN_LENGTH,
        by_provider=by_provider,
        is_asked=is_asked,
        provider=state.settings.oidc.label,
    )


@router.post("/password")
def take_password(
    request: Request,
    state: State,
    caller: Annotated[Caller, require(Permission.ACCOUNT_USE)],
    current: Annotated[str, Form(max_length=1000)] = "",
    new: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Sets a password that only this person knows; every other session of the account is over."""
    view = find_view(request, caller)
    try:
        change_own_password(state, caller, request, current=current, new=new)
    except ProblemError as refused:
        problem, wrong = _name_password_problem(view, refused), [error.field for error in refused.errors]
        return _render_password(view, state, problem, refused.status, wrong)
    return RedirectResponse(view.link(find_home(caller), done="password"), 303)


def _name_password_problem(view: View, refused: ProblemError) -> str:
    if "Retry-After" in refused.headers:
        span = name_duration(timedelta(seconds=int(refused.headers["Retry-After"])), view.language)
        return view.t("sign_in.locked", span=span)
    if refused.extra.get("guard") == "not_reauthenticated":
        return view.t("password.ask_provider_first")
    if refused.extra.get("guard") == "no_password":
        return view.name("account_guard", "no_password")
    is_new_one = any(error.field == "new" for error in refused.errors)
    return view.t("password.rule", count=MIN_LENGTH) if is_new_one else view.t("password.wrong")


@router.post("/preferences")
def take_preferences(
    request: Request,
    language: Annotated[str, Form(max_length=8)] = "",
    theme: Annotated[str, Form(max_length=8)] = "",
    zone: Annotated[str, Form(max_length=64)] = "",
    keys: Annotated[str, Form(max_length=3)] = "",
    next: Annotated[str, Form(max_length=2000)] = HOME,  # noqa: A002 - the name in the form
) -> Response:
    """Keeps the choice in this browser; it changes no record, so anyone may choose, signed in or not."""
    verify_same_origin(request)
    response = RedirectResponse("/sign-in" if next.startswith("/sign-in") else find_local(next), 303)
    if language in LANGUAGES:
        _keep(response, LANGUAGE_COOKIE, language)
    if theme in (*THEMES, "auto"):
        _keep(response, THEME_COOKIE, theme)
    if zone in (SITE_ZONE, "UTC") or find_zone(zone) is not find_zone("UTC"):
        _keep(response, ZONE_COOKIE, zone)
    if keys in ("on", "off"):
        _keep(response, KEYS_COOKIE, keys)
    return response


def _keep(response: Response, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=YEAR_S, path="/", samesite="lax", httponly=True)
