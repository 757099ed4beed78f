"""People's accounts, for administrators."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

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
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change, change_once
from api.passwords import hash_password, make_password
from api.preconditions import IfMatch, make_etag
from api.problems import declare
from api.shapes.accounts import NewUser, PasswordReset, Reason, SessionShape, UserChange, UserMade, UserShape
from api.shapes.pages import Page
from api.sign_in import find_idle
from api.state import Database, State, now
from api.versioned_router import make_router
from domain.roles import Permission
from store.pool import Connection
from store.sessions import load_sessions_of
from store.users import load_users

router = make_router("/users", tag="users")
Admin = Annotated[Caller, require(Permission.USER_MANAGE)]


@router.get("", summary="List accounts")
def list_users(
    caller: Admin, pool: Database, q: str = "", limit: Limit = 100, cursor: Cursor = None
) -> Page[UserShape]:
    """Accounts by name."""
    keys = read_cursor(cursor, [str])
    with pool.connection() as conn:
        users = load_users(conn, after=str(keys[0]) if keys else "", q=q, limit=limit + 1)
    items = [UserShape.model_validate(user) for user in users[:limit]]
    return Page(items=items, next_cursor=make_cursor([items[-1].name]) if len(users) > limit else None)


@router.get("/{name}", summary="One account", responses=declare(404))
def read_user(name: str, caller: Admin, pool: Database, response: Response) -> UserShape:
    """The account of that name, with its ETag."""
    with pool.connection() as conn:
        user = find_user(conn, name)
    response.headers["ETag"] = make_etag(user.row_version)
    return UserShape.model_validate(user)


@router.post("", summary="Make an account", status_code=201, response_model=UserMade, responses=declare(409))
def make_user(
    caller: Admin, pool: Database, request: Request, body: NewUser, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes an account with a password that is shown this once and must be changed at the first sign-in.

    With an Idempotency-Key the answer can be had again for a day, the password left out.
    """
    password = make_password()
    password_hash = hash_password(password)

    def work(conn: Connection) -> tuple[UserShape, dict[str, str]]:
        user = make_account(conn, caller, body, password_hash)
        return UserShape.model_validate(user), {"Location": f"/api/v1/users/{body.name}"}

    return change_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        present=lambda shape, replayed: {"user": shape, "initial_password": "" if replayed else password},
    )


@router.patch("/{name}", summary="Change an account", responses=declare(404, 409, 412, 428))
def change_user(
    name: str, caller: Admin, pool: Database, response: Response, body: UserChange, version: IfMatch
) -> UserShape:
    """Changes name, roles, customer or status. Where roles, customer or status change, the sessions end at once."""
    user = change(pool, lambda conn: change_account(conn, caller, name, body, version))
    response.headers["ETag"] = make_etag(user.row_version)
    return UserShape.model_validate(user)


@router.post("/{name}/password-reset", summary="Give an account a new password", responses=declare(404, 409))
def reset_password(name: str, caller: Admin, state: State, body: Reason) -> PasswordReset:
    """Sets a password that is shown this once, unlocks the account and ends its sessions.

    409 `provider_account`: who signs in at the OpenID Connect provider sets a password for signing himself.
    """
    password = make_password()
    password_hash = hash_password(password)
    change(
        state.pool,
        lambda conn: reset_account_password(conn, caller, state.settings, name, password_hash, body.reason),
    )
    return PasswordReset(initial_password=password)


@router.get("/{name}/sessions", summary="Sessions of an account", responses=declare(404))
def list_user_sessions(name: str, caller: Admin, state: State) -> Page[SessionShape]:
    """Where the person is signed in, the last used first."""
    with state.pool.connection() as conn:
        user = find_user(conn, name)
        sessions = load_sessions_of(conn, user.id, at=now(), idle=find_idle(state.settings))
    own = caller.session.id if caller.session else None
    return Page(items=[SessionShape.make(session, own) for session in sessions])


@router.post(
    "/{name}/sessions/end",
    summary="End all sessions of an account",
    status_code=204,
    response_class=Response,
    responses=declare(404),
)
def end_user_sessions(name: str, caller: Admin, pool: Database, body: Reason) -> Response:
    """Signs the person out everywhere; with none open nothing changes."""
    change(pool, lambda conn: end_account_sessions(conn, caller, name, body.reason))
    return Response(status_code=204)


@router.delete(
    "/{name}/sessions/{session_id}",
    summary="End a session of an account",
    status_code=204,
    response_class=Response,
    responses=declare(404),
)
def end_user_session(name: str, session_id: int, caller: Admin, pool: Database) -> Response:
    """Signs the person out there."""
    change(pool, lambda conn: end_account_session(conn, caller, name, session_id))
    return Response(status_code=204)


@router.post(
    "/{name}/second-factor/removal",
    summary="Remove an account's second factor",
    status_code=204,
    response_class=Response,
    responses=declare(404, 409),
)
def remove_user_factor(name: str, caller: Admin, pool: Database, body: Reason) -> Response:
    """For who has lost the app and the recovery codes; ends the sessions. 409 `own_factor`, `no_second_factor`."""
    change(pool, lambda conn: remove_account_factor(conn, caller, name, body.reason))
    return Response(status_code=204)


@router.post(
    "/{name}/identity/removal",
    summary="Untie an account from the provider",
    status_code=204,
    response_class=Response,
    responses=declare(404, 409),
)
def untie_user(name: str, caller: Admin, pool: Database, body: Reason) -> Response:
    """The identity at the OpenID Connect provider opens this account no more; ends the sessions. 409 `no_identity`."""
    change(pool, lambda conn: untie_account(conn, caller, name, body.reason))
    return Response(status_code=204)
