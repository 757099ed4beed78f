"""Oneself: who one is, and a new password."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.passwords import find_password_weakness, hash_password, hash_secret
from api.problems import INVALID, TOO_MANY_ATTEMPTS, ProblemError, declare
from api.shapes.accounts import Me, PasswordChange
from api.sign_in import check_password, find_cookie_name
from api.state import Database, State, now
from domain.audit_user import password_changed
from domain.roles import Permission
from store.audit import record_audit
from store.customers import load_customer_code
from store.sessions import remove_sessions_of
from store.users import record_password

router = APIRouter(prefix="/account", tags=["account"])
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
    responses=declare(422, 429),
)
def change_password(caller: Owner, state: State, request: Request, body: PasswordChange) -> Response:
    """Sets a new password and ends all other sessions of the account."""
    change_own_password(state, caller, request, current=body.current, new=body.new)
    return Response(status_code=204)


def change_own_password(state: State, caller: Caller, request: Request, *, current: str, new: str) -> None:
    """The caller's password is `new`, and this session is the only one left.

    Raises
    ------
    ProblemError
        422: a token calls, the current password is wrong or the new one too weak. 429: locked.
    """
    if caller.session is None or caller.user_id is None:
        raise ProblemError(INVALID, "A token has no password.")
    refused = check_password(state.pool, caller.name, current, at=now(), request_id=caller.request_id)
    if refused is not None and refused.reason == "locked":
        raise ProblemError(TOO_MANY_ATTEMPTS, headers={"Retry-After": str(int(refused.wait_s) + 1)})
    if refused is not None:
        raise ProblemError(INVALID, fields={"current": "is not the password"})
    weakness = find_password_weakness(new, name=caller.name)
    if weakness is None and new == current:
        weakness = "must differ from the current one"
    if weakness is not None:
        raise ProblemError(INVALID, fields={"new": weakness})
    password_hash = hash_password(new)
    cookie = request.cookies[find_cookie_name(state.settings)]
    with state.pool.connection() as conn:
        record_password(conn, caller.user_id, password_hash, must_change_password=False)
        remove_sessions_of(conn, caller.user_id, keep=hash_secret(cookie))
        record_audit(conn, caller.actor, password_changed(caller.name))
