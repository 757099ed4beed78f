"""Signing in and out of the console, and checking a password again where something is signed."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from starlette.responses import Response

from api.attempts import AttemptLedger, find_lock_seconds
from api.passwords import hash_password, hash_secret, make_session_token, matches_password, needs_rehash
from api.settings import ApiSettings
from domain.audit import Actor, AuditEntry
from domain.audit_user import signed_in, user_locked
from store.audit import record_audit
from store.pool import Connection, Pool
from store.sessions import record_session, remove_session
from store.users import User, load_password_hash, load_user, record_attempts, record_rehash

COOKIE = "forewarn_session"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened; the token is for the cookie and is kept nowhere else."""

    user: User
    token: str
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """Why no session was opened: the password or name is wrong, or nothing is looked at for `wait_s` seconds."""

    reason: Literal["wrong", "locked"]
    wait_s: float = 0.0


def find_cookie_name(settings: ApiSettings) -> str:
    """`__Host-` where people come by TLS: then no other host and no plain connection can set it."""
    return f"__Host-{COOKIE}" if settings.is_https else COOKIE


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
) -> SignedIn | SignInRefused:
    """Opens a session for the right password; neither the answer nor its time tells whether the name exists."""
    wait_s = attempts.find_wait(address, at)
    if wait_s > 0:
        return SignInRefused("locked", wait_s)
    name = name.strip().lower()[:64]
    with pool.connection() as conn:
        user = load_user(conn, name)
        if user is None or user.status != "ACTIVE":
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
        token = make_session_token()
        csrf_token = secrets.token_urlsafe(32)
        expires_at = at + timedelta(hours=settings.session_hours)
        record_session(conn, hash_secret(token), user.id, csrf_token, expires_at)
        _audit(conn, user, signed_in(user.name), request_id)
        return SignedIn(user, token, csrf_token, expires_at)


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
    return _check(conn, user, password, at, request_id)


def sign_out(pool: Pool, token: str) -> None:
    """Ends the session of that cookie at once, on the server; one that is over already is no error."""
    with pool.connection() as conn:
        remove_session(conn, hash_secret(token))


def set_session_cookie(response: Response, settings: ApiSettings, signed_in: SignedIn) -> None:
    """The cookie: no script reads it, no other site's form sends it, it ends with the browser or the session."""
    response.set_cookie(
        find_cookie_name(settings), signed_in.token, path="/", httponly=True, samesite="lax", secure=settings.is_https
    )


def delete_session_cookie(response: Response, settings: ApiSettings) -> None:
    """Makes the browser forget the session."""
    response.delete_cookie(
        find_cookie_name(settings), path="/", httponly=True, samesite="lax", secure=settings.is_https
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
