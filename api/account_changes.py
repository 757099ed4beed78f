"""What administrators do with people's accounts and with tokens: the same for the API and for the console."""

from datetime import datetime

from api.auth import Caller
from api.passwords import hash_secret
from api.preconditions import conflict
from api.problems import ALREADY_EXISTS, GUARD_REFUSED, INVALID, ProblemError, not_found
from api.settings import ApiSettings
from api.shapes.accounts import NewToken, NewUser, UserChange
from api.steps import find_last_change
from domain.audit_sign_in import identity_untied, second_factor_removed, sessions_ended
from domain.audit_token import token_created, token_revoked
from domain.audit_user import password_reset, user_changed, user_created
from domain.roles import Role
from store.audit import record_audit
from store.customers import load_customer_id
from store.pool import Connection
from store.provider_identities import load_identity, remove_identity
from store.second_factors import remove_second_factor
from store.sessions import remove_session_of, remove_sessions_of
from store.tokens import Token, load_token, record_token, revoke_token
from store.users import User, load_user, record_account, record_password, record_user


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


def make_account(conn: Connection, caller: Caller, body: NewUser, password_hash: str) -> User:
    """A new account whose password must be changed at the first sign-in.

    Raises
    ------
    ProblemError
        409: the name is taken. 422: as `find_customer_for`.
    """
    made = record_user(
        conn,
        name=body.name,
        full_name=body.full_name,
        password_hash=password_hash,
        roles=sorted(body.roles),
        must_change_password=True,
        customer_id=find_customer_for(conn, body.roles, body.customer),
        language=body.language,
    )
    if made is None:
        raise ProblemError(ALREADY_EXISTS, fields={"name": "is taken"}, guard="name_taken")
    user = find_user(conn, body.name)
    entry = user_created(body.name, full_name=user.full_name, roles=user.roles, customer=user.customer_code)
    record_audit(conn, caller.actor, entry)
    return user


def change_account(conn: Connection, caller: Caller, name: str, body: UserChange, row_version: int) -> User:
    """Name, roles, customer or status changed; where what the account may do is another thing now, its sessions end.

    Raises
    ------
    ProblemError
        404, 409: one's own administration. 412: the account is at another version. 422: as `find_customer_for`.
    """
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
        row_version=row_version,
        full_name=body.full_name or before.full_name,
        roles=roles,
        customer_id=find_customer_for(conn, [Role(r) for r in roles], code),
        status=status,
    )
    if not done:
        # A sign-in is told of the account as well, and changes nothing.
        raise conflict(before.row_version, **find_last_change(conn, "user", name, action="user.changed"))
    after = find_user(conn, name)
    if (sorted(before.roles), before.customer_id, before.status) != (roles, after.customer_id, after.status):
        remove_sessions_of(conn, before.id)
    record_audit(conn, caller.actor, user_changed(name, _kept(before), _kept(after), body.reason))
    return after


def reset_account_password(
    conn: Connection, caller: Caller, settings: ApiSettings, name: str, password_hash: str, reason: str
) -> None:
    """The account has this password, which must be changed; it is unlocked and its sessions have ended.

    Raises
    ------
    ProblemError
        404. 409: its owner signs in at the provider, and chooses a password for signing there and nowhere else.
    """
    user = find_user(conn, name)
    if settings.has_provider and user.is_linked and name not in settings.break_glass_names:
        raise ProblemError(
            GUARD_REFUSED,
            "Its owner signs in at the provider, and sets a password for signing on the own account's page.",
            guard="provider_account",
        )
    record_password(conn, user.id, password_hash, must_change_password=True)
    remove_sessions_of(conn, user.id)
    record_audit(conn, caller.actor, password_reset(name, reason))


def end_account_sessions(conn: Connection, caller: Caller, name: str, reason: str) -> int:
    """All sessions of that account have ended; says how many.

    Raises
    ------
    ProblemError
        404.
    """
    user = find_user(conn, name)
    ended = remove_sessions_of(conn, user.id)
    if ended:
        record_audit(conn, caller.actor, sessions_ended(name, ended=ended, reason=reason))
    return ended


def end_account_session(conn: Connection, caller: Caller, name: str, session_id: int) -> None:
    """That session of the account has ended.

    Raises
    ------
    ProblemError
        404: it is over already, or another account's.
    """
    user = find_user(conn, name)
    if not remove_session_of(conn, user.id, session_id):
        raise not_found("session", str(session_id), "session_id")
    record_audit(conn, caller.actor, sessions_ended(name, ended=1))


def remove_account_factor(conn: Connection, caller: Caller, name: str, reason: str) -> None:
    """The account has no second factor, and its sessions have ended.

    Raises
    ------
    ProblemError
        404. 409: it has none, or it is one's own: that takes one's password, on the own account's page.
    """
    user = find_user(conn, name)
    if name == caller.name:
        raise ProblemError(GUARD_REFUSED, "One's own second factor is removed with one's password.", guard="own_factor")
    if not remove_second_factor(conn, user.id):
        raise ProblemError(GUARD_REFUSED, "The account has no second factor.", guard="no_second_factor")
    remove_sessions_of(conn, user.id)
    record_audit(conn, caller.actor, second_factor_removed(name, reason))


def untie_account(conn: Connection, caller: Caller, name: str, reason: str) -> None:
    """The account has nothing to do with an identity at the provider any more, and its sessions have ended.

    Raises
    ------
    ProblemError
        404. 409: it is tied to none.
    """
    user = find_user(conn, name)
    identity = load_identity(conn, user.id)
    if identity is None or not remove_identity(conn, user.id):
        raise ProblemError(GUARD_REFUSED, "The account is tied to no identity.", guard="no_identity")
    remove_sessions_of(conn, user.id)
    entry = identity_untied(name, issuer=identity.issuer, subject=identity.subject, reason=reason)
    record_audit(conn, caller.actor, entry)


def make_access_token(conn: Connection, caller: Caller, body: NewToken, secret: str, *, at: datetime) -> Token:
    """A token by that secret, which is kept only as a hash.

    Raises
    ------
    ProblemError
        409: the name is taken. 422: it would have expired, or as `find_customer_for`.
    """
    if body.expires_at is not None and body.expires_at <= at:
        raise ProblemError(INVALID, fields={"expires_at": "is in the past"})
    made = record_token(
        conn,
        name=body.name,
        token_hash=hash_secret(secret),
        role=body.role,
        customer_id=find_customer_for(conn, [body.role], body.customer),
        expires_at=body.expires_at,
    )
    token = None if made is None else load_token(conn, made)
    if token is None:
        raise ProblemError(ALREADY_EXISTS, fields={"name": "is taken"}, guard="name_taken")
    entry = token_created(body.name, role=token.role, customer=token.customer_code, expires_at=token.expires_at)
    record_audit(conn, caller.actor, entry)
    return token


def revoke_access_token(conn: Connection, caller: Caller, token_id: int, *, at: datetime) -> None:
    """The token opens nothing any more; doing it again changes nothing.

    Raises
    ------
    ProblemError
        404.
    """
    token = load_token(conn, token_id)
    if token is None:
        raise not_found("token", str(token_id), "token_id")
    if revoke_token(conn, token_id, at=at):
        record_audit(conn, caller.actor, token_revoked(token.name))


def _kept(user: User) -> dict[str, object]:
    return {
        "full_name": user.full_name,
        "roles": user.roles,
        "customer": user.customer_code,
        "status": user.status,
    }
