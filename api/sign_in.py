"""Signing in and out of the console, and checking a password again where something is signed.

A password comes first; who has a second factor gives a code after it (`give_code`). Who comes from an OpenID Connect
provider (`api.oidc`) gets the same session.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from starlette.responses import Response

from api.attempts import AttemptLedger, find_lock_seconds
from api.passwords import hash_password, hash_secret, make_session_token, matches_password, needs_rehash
from api.seals import load_seal
from api.second_factor import CodeRefused, judge_code
from api.settings import ApiSettings
from domain.audit import Actor, AuditEntry
from domain.audit_sign_in import recovery_code_used, second_factor_locked
from domain.audit_user import signed_in, user_locked
from domain.roles import Role
from store.audit import record_audit
from store.pool import Connection, Pool
from store.second_factors import load_pending_sign_in, record_pending_sign_in, remove_pending_sign_in
from store.sessions import record_session, remove_session
from store.users import User, load_password_hash, load_user, record_attempts, record_rehash

COOKIE = "forewarn_session"
PENDING_COOKIE = "forewarn_sign_in"
PENDING = timedelta(minutes=5)  # between the password and the code


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened; the token is for the cookie and is kept nowhere else."""

    user: User
    token: str
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CodeWanted:
    """The password is right, and a code of the second factor has to follow; the token is for the cookie."""

    token: str


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """Why no session was opened: the password, name or code is wrong, nothing is looked at for `wait_s` seconds, too
    much time went by since the password; or, at signing, the account has no password."""

    reason: Literal["wrong", "locked", "late", "no_password"]
    wait_s: float = 0.0


def find_cookie_name(settings: ApiSettings, cookie: str = COOKIE) -> str:
    """`__Host-` where people come by TLS: then no other host and no plain connection can set it."""
    return f"__Host-{cookie}" if settings.is_https else cookie


def find_idle(settings: ApiSettings) -> timedelta:
    """After how long without a request a session is over."""
    return timedelta(minutes=settings.session_idle_minutes)


def sign_in(
    pool: Pool,
    settings: ApiSettings,
    attempts: AttemptLedger,
    *,
    name: str,
    password: str,
    address: str,
    at: datetime,
    request_id: str,
    browser: str = "",
) -> SignedIn | CodeWanted | SignInRefused:
    """Opens a session for the right password, or asks for a code; neither the answer nor its time tells whether the
    name exists, or belongs to somebody who may sign in at the provider alone."""
    wait_s = attempts.find_wait(address, at)
    if wait_s > 0:
        return SignInRefused("locked", wait_s)
    name = name.strip().lower()[:64]
    with pool.connection() as conn:
        user = load_user(conn, name)
        if user is None or not _opens_by_password(settings, user):
            wait_s = attempts.record_unknown_name(name, at)
            if wait_s > 0:
                return SignInRefused("locked", wait_s)
            matches_password(None, password)
            attempts.record_failure(address, at)
            return SignInRefused("wrong")
        refused = _check(conn, user, password, at, request_id)
        if refused is not None:
            if refused.reason == "wrong":
                attempts.record_failure(address, at)
            return refused
        if user.has_second_factor:
            token = make_session_token()
            record_pending_sign_in(conn, hash_secret(token), user.id, at + PENDING)
            return CodeWanted(token)
        return open_session(
            conn, settings, user, "PASSWORD", address=address, browser=browser, at=at, request_id=request_id
        )


def give_code(
    pool: Pool,
    settings: ApiSettings,
    attempts: AttemptLedger,
    *,
    token: str,
    code: str,
    address: str,
    at: datetime,
    request_id: str,
    browser: str = "",
) -> SignedIn | SignInRefused:
    """Opens the session that a password asked for, by a code of the app or a recovery code; each is good once."""
    wait_s = attempts.find_wait(address, at)
    if wait_s > 0:
        return SignInRefused("locked", wait_s)
    seal = load_seal(settings.sign_in_key_file)
    with pool.connection() as conn:
        name = load_pending_sign_in(conn, hash_secret(token), at=at)
        user = None if name is None else load_user(conn, name)
        if user is None:
            return SignInRefused("late")
        judged = judge_code(conn, seal, user.id, code, at=at)
        if isinstance(judged, CodeRefused):
            if judged.wait_s == 0:
                attempts.record_failure(address, at)
            if judged.lock_s:
                entry = second_factor_locked(user.name, failed=judged.failed, seconds=judged.lock_s)
                _audit(conn, user, entry, request_id)
            return SignInRefused("locked", judged.wait_s) if judged.wait_s else SignInRefused("wrong")
        if not remove_pending_sign_in(conn, hash_secret(token)):
            return SignInRefused("late")
        if judged.by == "RECOVERY_CODE":
            _audit(conn, user, recovery_code_used(user.name, left=judged.recovery_codes_left), request_id)
        return open_session(
            conn, settings, user, judged.by, address=address, browser=browser, at=at, request_id=request_id
        )


def open_session(
    conn: Connection,
    settings: ApiSettings,
    user: User,
    method: str,
    *,
    address: str,
    browser: str,
    at: datetime,
    request_id: str,
) -> SignedIn:
    """A new session of somebody who has shown who he is, by that method."""
    token, csrf_token = make_session_token(), secrets.token_urlsafe(32)
    expires_at = at + timedelta(hours=settings.session_hours)
    record_session(
        conn, hash_secret(token), user.id, csrf_token, expires_at, method=method, address=address, browser=browser
    )
    _audit(conn, user, signed_in(user.name, method), request_id)
    return SignedIn(user, token, csrf_token, expires_at)


def _opens_by_password(settings: ApiSettings, user: User) -> bool:
    if user.status != "ACTIVE" or not user.has_password:
        return False
    if not settings.has_provider:
        return True
    if user.name in settings.break_glass_names and Role.ADMIN in user.roles:
        return True
    # Who belongs to the provider comes by it alone: an account that ended there must not open here.
    return settings.password_sign_in and not user.is_linked


def check_password(pool: Pool, name: str, password: str, *, at: datetime, request_id: str) -> SignInRefused | None:
    """None when it is that person's password, asked for again at signing; wrong ones count towards the lock."""
    with pool.connection() as conn:
        return judge_password(conn, name, password, at=at, request_id=request_id)


def judge_password(
    conn: Connection, name: str, password: str, *, at: datetime, request_id: str
) -> SignInRefused | None:
    """The same in the transaction of `conn`, which has to be committed: what is refused was counted in it."""
    user = load_user(conn, name)
    if user is None or user.status != "ACTIVE":
        matches_password(None, password)
        return SignInRefused("wrong")
    if not user.has_password:
        return SignInRefused("no_password")
    return _check(conn, user, password, at, request_id)


def sign_out(pool: Pool, token: str) -> None:
    """Ends the session of that cookie at once, on the server; one that is over already is no error."""
    with pool.connection() as conn:
        remove_session(conn, hash_secret(token))


def set_session_cookie(response: Response, settings: ApiSettings, signed_in: SignedIn) -> None:
    """The cookie: no script reads it, no other site's form sends it, it ends with the browser or the session."""
    set_cookie(response, settings, COOKIE, signed_in.token)


def delete_session_cookie(response: Response, settings: ApiSettings) -> None:
    """Makes the browser forget the session."""
    delete_cookie(response, settings, COOKIE)


def set_cookie(
    response: Response, settings: ApiSettings, cookie: str, value: str, *, max_age: timedelta | None = None
) -> None:
    """A cookie for the server alone."""
    response.set_cookie(
        find_cookie_name(settings, cookie),
        value,
        max_age=None if max_age is None else int(max_age.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.is_https,
    )


def delete_cookie(response: Response, settings: ApiSettings, cookie: str) -> None:
    """Makes the browser forget it."""
    response.delete_cookie(
        find_cookie_name(settings, cookie), path="/", httponly=True, samesite="lax", secure=settings.is_https
    )


def _check(conn: Connection, user: User, password: str, at: datetime, request_id: str) -> SignInRefused | None:
    password_hash = load_password_hash(conn, user.id)
    # Read again under the row's lock: another guess may have been counted since.
    current = load_user(conn, user.name)
    if password_hash is None or current is None:
        return SignInRefused("wrong")
    if current.locked_until is not None and current.locked_until > at:
        return SignInRefused("locked", (current.locked_until - at).total_seconds())
    if matches_password(password_hash, password):
        if current.failed_count:
            record_attempts(conn, user.id, 0, None)
        if needs_rehash(password_hash):
            record_rehash(conn, user.id, hash_password(password))
        return None
    failed = current.failed_count + 1
    lock_s = find_lock_seconds(failed)
    record_attempts(conn, user.id, failed, at + timedelta(seconds=lock_s) if lock_s else None)
    if lock_s:
        _audit(conn, user, user_locked(user.name, failed=failed, seconds=lock_s), request_id)
    return SignInRefused("wrong")


def _audit(conn: Connection, user: User, entry: AuditEntry, request_id: str) -> None:
    record_audit(conn, Actor(user.name, "", "account.use", user.id, request_id), entry)
