"""Oneself: who one is, the password, the second factor, and where one is signed in."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.own_account import (
    begin_own_factor,
    change_own_password,
    confirm_own_factor,
    end_other_sessions,
    end_own_session,
    find_session,
    remove_own_factor,
    renew_own_codes,
)
from api.problems import declare
from api.shapes.accounts import (
    FactorBegun,
    FactorCode,
    FactorShape,
    Me,
    OwnPassword,
    PasswordChange,
    RecoveryCodes,
    SessionShape,
)
from api.shapes.pages import Page
from api.sign_in import find_idle
from api.state import Database, State, now
from api.totp import ISSUER, make_address
from api.versioned_router import make_router
from domain.roles import Permission
from store.customers import load_customer_code
from store.second_factors import load_second_factor
from store.sessions import load_sessions_of

router = make_router("/account", tag="account")
Owner = Annotated[Caller, require(Permission.ACCOUNT_USE)]


@router.get("", summary="Who one is")
def read_account(caller: Owner, pool: Database) -> Me:
    """Name, roles and permissions of the caller."""
    code = None
    if caller.customer_id is not None:
        with pool.connection() as conn:
            code = load_customer_code(conn, caller.customer_id)
    session = caller.session
    return Me(
        name=caller.name,
        full_name=caller.full_name,
        roles=sorted(caller.roles),
        permissions=sorted(caller.permissions),
        customer=code,
        must_change_password=session is not None and session.must_change_password,
        csrf_token=None if session is None else session.csrf_token,
        session_ends_at=None if session is None else session.expires_at,
    )


@router.post(
    "/password",
    summary="Change one's password",
    status_code=204,
    response_class=Response,
    responses=declare(409, 422, 429),
)
def change_password(caller: Owner, state: State, request: Request, body: PasswordChange) -> Response:
    """Sets a new password and ends all other sessions of the account.

    409 `not_reauthenticated`: who signs in at the OpenID Connect provider begins on the page of the account.
    """
    change_own_password(state, caller, request, current=body.current, new=body.new)
    return Response(status_code=204)


@router.get("/sessions", summary="One's sessions", responses=declare(422))
def list_sessions(caller: Owner, state: State) -> Page[SessionShape]:
    """Where one is signed in, the last used first."""
    session = find_session(caller)
    with state.pool.connection() as conn:
        sessions = load_sessions_of(conn, session.user_id, at=now(), idle=find_idle(state.settings))
    return Page(items=[SessionShape.make(one, session.id) for one in sessions])


@router.delete(
    "/sessions", summary="End one's other sessions", status_code=204, response_class=Response, responses=declare(422)
)
def end_others(caller: Owner, state: State, request: Request) -> Response:
    """Signs out everywhere but here."""
    end_other_sessions(state, caller, request)
    return Response(status_code=204)


@router.delete(
    "/sessions/{session_id}",
    summary="End one of one's sessions",
    status_code=204,
    response_class=Response,
    responses=declare(404, 422),
)
def end_session(session_id: int, caller: Owner, state: State) -> Response:
    """Signs out there; of this session too."""
    end_own_session(state, caller, session_id)
    return Response(status_code=204)


@router.get("/second-factor", summary="One's second factor", responses=declare(422))
def read_factor(caller: Owner, state: State) -> FactorShape:
    """Whether there is one, and how many recovery codes are left."""
    session = find_session(caller)
    with state.pool.connection() as conn:
        factor = load_second_factor(conn, session.user_id)
    set_up_at = None if factor is None else factor.confirmed_at
    return FactorShape(
        is_set_up=set_up_at is not None,
        is_required=state.settings.second_factor_required,
        set_up_at=set_up_at,
        recovery_codes_left=0 if factor is None else factor.recovery_codes_left,
    )


@router.post("/second-factor", summary="Begin a second factor", responses=declare(409, 422, 429))
def begin_factor(caller: Owner, state: State, body: OwnPassword) -> FactorBegun:
    """A new secret for an app (RFC 6238: SHA-1, six digits, 30 s), which a code has to confirm within ten minutes.

    409: `factor_exists`, or `provider_account` for who signs in at the OpenID Connect provider.
    """
    secret = begin_own_factor(state, caller, body.password)
    return FactorBegun(secret=secret, address=make_address(secret, name=caller.name, issuer=ISSUER))


@router.post("/second-factor/confirmation", summary="Confirm a second factor", responses=declare(409, 422))
def confirm_factor(caller: Owner, state: State, request: Request, body: FactorCode) -> RecoveryCodes:
    """From now on every sign-in asks for a code; all other sessions end. 409 `not_begun` after ten minutes."""
    return RecoveryCodes(recovery_codes=confirm_own_factor(state, caller, request, body.code))


@router.post("/second-factor/recovery-codes", summary="New recovery codes", responses=declare(409, 422, 429))
def make_codes(caller: Owner, state: State, body: OwnPassword) -> RecoveryCodes:
    """Ten new codes; earlier ones are good for nothing. 409 `no_second_factor`."""
    return RecoveryCodes(recovery_codes=renew_own_codes(state, caller, body.password))


@router.post(
    "/second-factor/removal",
    summary="Remove one's second factor",
    status_code=204,
    response_class=Response,
    responses=declare(409, 422, 429),
)
def remove_factor(caller: Owner, state: State, request: Request, body: OwnPassword) -> Response:
    """No code is asked for any more; all other sessions end. 409 `no_second_factor`."""
    remove_own_factor(state, caller, request, body.password)
    return Response(status_code=204)
