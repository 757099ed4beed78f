"""People's accounts, for administrators."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.once import IdempotencyKey, change, change_once
from api.passwords import hash_password, make_password
from api.preconditions import IfMatch, conflict, make_etag
from api.problems import ALREADY_EXISTS, GUARD_REFUSED, INVALID, ProblemError, declare, not_found
from api.shapes.accounts import NewUser, PasswordReset, Reason, UserChange, UserMade, UserShape
from api.shapes.pages import Page
from api.state import Database
from api.steps import find_last_change
from domain.audit_user import password_reset, user_changed, user_created
from domain.roles import Permission, Role
from store.audit import record_audit
from store.customers import load_customer_id
from store.pool import Connection
from store.sessions import remove_sessions_of
from store.users import User, load_user, load_users, record_account, record_password, record_user

router = APIRouter(prefix="/users", tags=["users"])
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
        customer_id = find_customer_for(conn, body.roles, body.customer)
        made = record_user(
            conn,
            name=body.name,
            full_name=body.full_name,
            password_hash=password_hash,
            roles=sorted(body.roles),
            must_change_password=True,
            customer_id=customer_id,
            language=body.language,
        )
        if made is None:
            raise ProblemError(ALREADY_EXISTS, fields={"name": "is taken"}, guard="name_taken")
        user = find_user(conn, body.name)
        entry = user_created(body.name, full_name=user.full_name, roles=user.roles, customer=user.customer_code)
        record_audit(conn, caller.actor, entry)
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
    """Changes name, roles, customer or status; a disabled account's sessions end at once."""

    def work(conn: Connection) -> User:
        before = find_user(conn, name)
        roles = sorted(role.value for role in body.roles) if body.roles is not None else before.roles
        code = body.customer if "customer" in body.model_fields_set else before.customer_code
        status = body.status or before.status
        if name == caller.name and (status != "ACTIVE" or Role.ADMIN not in roles):
            raise ProblemError(
                GUARD_REFUSED,
                "Nobody takes his own administration away: another administrator must.",
                guard="own_account",
            )
        done = record_account(
            conn,
            before.id,
            row_version=version,
            full_name=body.full_name or before.full_name,
            roles=roles,
            customer_id=find_customer_for(conn, [Role(r) for r in roles], code),
            status=status,
        )
        if not done:
            # A sign-in is told of the account as well, and changes nothing.
            raise conflict(before.row_version, **find_last_change(conn, "user", name, action="user.changed"))
        if status != "ACTIVE":
            remove_sessions_of(conn, before.id)
        after = find_user(conn, name)
        record_audit(conn, caller.actor, user_changed(name, _kept(before), _kept(after), body.reason))
        return after

    user = change(pool, work)
    response.headers["ETag"] = make_etag(user.row_version)
    return UserShape.model_validate(user)


@router.post("/{name}/password-reset", summary="Give an account a new password", responses=declare(404))
def reset_password(name: str, caller: Admin, pool: Database, body: Reason) -> PasswordReset:
    """Sets a password that is shown this once, unlocks the account and ends its sessions."""
    password = make_password()
    password_hash = hash_password(password)

    def work(conn: Connection) -> None:
        user = find_user(conn, name)
        record_password(conn, user.id, password_hash, must_change_password=True)
        remove_sessions_of(conn, user.id)
        record_audit(conn, caller.actor, password_reset(name, body.reason))

    change(pool, work)
    return PasswordReset(initial_password=password)


def find_user(conn: Connection, name: str) -> User:
    """The account of that name, or a 404."""
    user = load_user(conn, name)
    if user is None:
        raise not_found("account", name, "name")
    return user


def find_customer_for(conn: Connection, roles: list[Role], code: str | None) -> int | None:
    """The id of the customer whose rows alone such an account sees; None: all.

    Raises
    ------
    ProblemError
        422: a customer's account without a customer, or with another role; or there is no such customer.
    """
    if Role.CUSTOMER in roles and len(roles) > 1:
        raise ProblemError(INVALID, fields={"roles": "the role customer goes with no other"})
    if Role.CUSTOMER in roles and code is None:
        raise ProblemError(INVALID, fields={"customer": "the role customer needs one"})
    if code is None:
        return None
    customer_id = load_customer_id(conn, code)
    if customer_id is None:
        raise ProblemError(INVALID, fields={"customer": f"there is no customer {code!r}"})
    return customer_id


def _kept(user: User) -> dict[str, object]:
    return {
        "full_name": user.full_name,
        "roles": user.roles,
        "customer": user.customer_code,
        "status": user.status,
    }
