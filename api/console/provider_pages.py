"""Signing in at the OpenID Connect provider, tying an account to it, and being asked again before a new password."""

import logging
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, identify, require
from api.console.account_page import render_account
from api.console.door_pages import HOME, find_address, find_local, let_in, render_door
from api.console.page import View, find_view
from api.oidc.flow import COOKIE, WITHIN, Departure, Return, arrive, depart
from api.oidc.people import Person, find_or_make_account, read_person, tie_account
from api.oidc.provider import ProviderAwayError, ProviderRefusedError
from api.own_account import comes_by_provider_alone, verify_own_password
from api.passwords import hash_secret
from api.problems import GUARD_REFUSED, ProblemError
from api.sign_in import delete_cookie, find_cookie_name, open_session, set_cookie
from api.state import ApiState, State, now
from domain.audit import Actor
from domain.roles import Permission
from store.provider_identities import ProviderFlow, load_linked_account
from store.sessions import record_reauthentication, remove_sessions_of
from store.users import load_user

log = logging.getLogger("forewarn.api")
router = APIRouter(include_in_schema=False)
Owner = Annotated[Caller, require(Permission.ACCOUNT_USE)]


@router.get("/sign-in/provider")
def show_way(request: Request, state: State, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """Sends the browser to the provider."""
    try:
        departure = depart(state, "SIGN_IN", target=find_local(next))
    except (ProviderAwayError, ProviderRefusedError) as problem:
        return _refuse(request, state, problem)
    response = RedirectResponse(departure.address, 303)
    set_cookie(response, state.settings, COOKIE, departure.browser_secret, max_age=WITHIN)
    return response


@router.get("/sign-in/provider/return")
def take_return(
    request: Request,
    state: State,
    code: str = "",
    error: str = "",
    iss: str = "",
) -> Response:
    """The way back: opens a session, ties an account, or lets one new password be set."""
    token = request.query_params.get("state", "")
    browser_secret = request.cookies.get(find_cookie_name(state.settings, COOKIE), "")
    try:
        flow, claims = arrive(state, Return(token, browser_secret, code, error, iss))
        person = read_person(state.settings.oidc, claims)
        response = (
            _let_person_in(request, state, flow, person)
            if flow.purpose == "SIGN_IN"
            else _go_on(request, state, flow, person)
        )
    except (ProviderAwayError, ProviderRefusedError) as problem:
        response = _refuse(request, state, problem)
    delete_cookie(response, state.settings, COOKIE)
    return response


@router.post("/account/identity")
def take_tying(
    request: Request, state: State, caller: Owner, password: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Shows the way to the provider, to whom the account is tied on the way back."""
    view = find_view(request, caller)
    try:
        verify_own_password(state, caller, password)
        return _show_departure(view, state, depart(state, "LINK", session_id=_find_session_id(caller)))
    except ProblemError as refused:
        if state.provider is None:
            raise
        return render_account(view, state, refused)
    except (ProviderAwayError, ProviderRefusedError) as problem:
        return _refuse(request, state, problem)


@router.post("/password/provider")
def take_asking(request: Request, state: State, caller: Owner) -> Response:
    """Shows the way to the provider, which asks anew who it is; then one password may be set."""
    view = find_view(request, caller)
    try:
        return _show_departure(view, state, depart(state, "PASSWORD", session_id=_find_session_id(caller)))
    except (ProviderAwayError, ProviderRefusedError) as problem:
        return _refuse(request, state, problem)


def _let_person_in(request: Request, state: ApiState, flow: ProviderFlow, person: Person) -> Response:
    at, request_id = now(), request.state.request_id
    view = find_view(request, None)
    with state.pool.connection() as conn:
        user = find_or_make_account(conn, state.settings.oidc, person, at=at, request_id=request_id)
        if user is None:
            return render_door(view, state.settings, HOME, problem=view.t("sign_in.provider_no_account"), status=403)
        if not user.roles:
            problem = view.t("sign_in.provider_no_roles", name=user.name)
            return render_door(view, state.settings, HOME, problem=problem, status=403)
        opened = open_session(
            conn,
            state.settings,
            user,
            "PROVIDER",
            address=find_address(request),
            browser=request.headers.get("user-agent", ""),
            at=at,
            request_id=request_id,
        )
    return let_in(state, opened, find_local(flow.target or HOME))


def _go_on(request: Request, state: ApiState, flow: ProviderFlow, person: Person) -> Response:
    # By the session that began it and no other: who is signed in here now may be somebody else.
    caller = identify(request, Permission.ACCOUNT_USE, None)
    if caller is None or caller.session is None or caller.session.id != flow.session_id or caller.user_id is None:
        raise ProviderRefusedError("the session that began it is over")
    with state.pool.connection() as conn:
        owner = load_linked_account(conn, state.settings.oidc.issuer, person.subject)
        if flow.purpose == "PASSWORD":
            user = load_user(conn, caller.name)
            if owner != caller.name or user is None or not comes_by_provider_alone(state.settings, user):
                raise ProviderRefusedError("somebody else came back")
            record_reauthentication(conn, caller.session.id, at=now())
            return RedirectResponse("/password", 303)
        actor = Actor(caller.name, caller.role, Permission.ACCOUNT_USE.value, caller.user_id, caller.request_id)
        if tie_account(conn, state.settings.oidc, person, caller.user_id, caller.name, actor, at=now()):
            own = request.cookies[find_cookie_name(state.settings)]
            remove_sessions_of(conn, caller.user_id, keep=hash_secret(own))
            return RedirectResponse("/account?done=tied", 303)
    taken = ProblemError(GUARD_REFUSED, "That identity, or this account, is tied already.", guard="identity_taken")
    return render_account(find_view(request, caller), state, taken)


def _show_departure(view: View, state: ApiState, departure: Departure) -> Response:
    # A page with a link, as a form may lead to no other site (form-action of the Content-Security-Policy).
    response = view.render("provider.html", provider=state.settings.oidc.label, href=departure.address)
    set_cookie(response, state.settings, COOKIE, departure.browser_secret, max_age=WITHIN)
    return response


def _find_session_id(caller: Caller) -> int:
    assert caller.session is not None  # a page is asked for by cookie
    return caller.session.id


def _refuse(request: Request, state: ApiState, problem: ProviderAwayError | ProviderRefusedError) -> Response:
    log.warning("sign-in at the provider: %s", problem)
    view = find_view(request, None)
    if isinstance(problem, ProviderAwayError):
        text = view.t("sign_in.provider_away", id=request.state.request_id)
        return render_door(view, state.settings, HOME, problem=text, status=503)
    return render_door(view, state.settings, HOME, problem=view.t("sign_in.provider_refused"), status=403)
