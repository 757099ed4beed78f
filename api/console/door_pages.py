"""Signing in and out, a new password, and how this browser shows things: what needs no record of the service."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode, urlsplit

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
from api.passwords import MIN_LENGTH
from api.problems import ProblemError
from api.routes.account import change_own_password
from api.sign_in import (
    SignInRefused,
    delete_session_cookie,
    find_cookie_name,
    set_session_cookie,
    sign_in,
    sign_out,
)
from api.state import State, now
from domain.roles import Permission

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
    """Where this person's day begins: at the own orders of who decides none, else at the inbox where it may be seen."""
    if caller.may(Permission.WORK_ORDER_WORK) and not caller.may(Permission.WORK_ORDER_TRIAGE):
        return f"/work-orders?{urlencode({'owner': caller.name})}"
    if caller.may(Permission.WORK_ORDER_READ):
        return "/inbox"
    return "/devices" if caller.may(Permission.DEVICE_READ) else "/password"


@router.get("/sign-in")
def show_sign_in(request: Request, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """The door."""
    return _render_door(find_view(request, None), find_local(next))


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
        address=request.client.host if request.client else "",
        at=now(),
        request_id=request.state.request_id,
    )
    if isinstance(outcome, SignInRefused):
        return _render_door(view, find_local(next), name, outcome)
    target = "/password" if outcome.user.must_change_password else find_local(next)
    response = RedirectResponse(target, 303)
    set_session_cookie(response, state.settings, outcome)
    return response


def _render_door(view: View, target: str, typed: str = "", refused: SignInRefused | None = None) -> Response:
    problem, status = None, 200
    if refused is not None:
        locked = refused.reason == "locked"
        span = name_duration(timedelta(seconds=max(refused.wait_s, 1)), view.language)
        problem = view.t("sign_in.locked", span=span) if locked else view.t("sign_in.wrong")
        status = 429 if locked else 401
    return view.render("sign_in.html", status, next=target, problem=problem, typed_name=typed)


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
def show_password(request: Request, caller: Annotated[Caller, require(Permission.ACCOUNT_USE)]) -> Response:
    """The form for a new password."""
    return find_view(request, caller).render("password.html", problem=None, length=MIN_LENGTH)


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
        problem = _name_password_problem(view, refused)
        return view.render("password.html", refused.status, problem=problem, length=MIN_LENGTH)
    return RedirectResponse(view.link(find_home(caller), done="password"), 303)


def _name_password_problem(view: View, refused: ProblemError) -> str:
    if "Retry-After" in refused.headers:
        span = name_duration(timedelta(seconds=int(refused.headers["Retry-After"])), view.language)
        return view.t("sign_in.locked", span=span)
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
