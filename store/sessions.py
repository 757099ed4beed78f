"""Console sessions: the SHA-256 of a token, never the token, with an absolute end and an idle one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection

TOUCH_EVERY = timedelta(seconds=60)  # so that a page of twenty requests writes once


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Who is signed in by a session that is still good."""

    user_id: int
    name: str
    full_name: str
    roles: list[str]
    customer_id: int | None
    language: str
    must_change_password: bool
    csrf_token: str
    expires_at: datetime
    last_used_at: datetime


RECORD_SESSION = "INSERT INTO app_session (token_hash, user_id, csrf_token, expires_at) VALUES (%s, %s, %s, %s)"


def record_session(conn: Connection, token_hash: bytes, user_id: int, csrf_token: str, expires_at: datetime) -> None:
    """Opens a session that ends at `expires_at` at the latest."""
    conn.execute(RECORD_SESSION, (token_hash, user_id, csrf_token, expires_at))


LOAD_SESSION = """
    SELECT s.user_id, u.name, u.full_name, u.roles, u.customer_id, u.language, u.must_change_password, s.csrf_token,
        s.expires_at, s.last_used_at
    FROM app_session s JOIN app_user u ON u.id = s.user_id
    WHERE s.token_hash = %s AND s.expires_at > %s AND s.last_used_at > %s AND u.status = 'ACTIVE'
"""
TOUCH_SESSION = "UPDATE app_session SET last_used_at = greatest(last_used_at, %s) WHERE token_hash = %s"


def load_session(
    conn: Connection, token_hash: bytes, *, at: datetime, idle: timedelta, touch: bool = True
) -> SessionUser | None:
    """Whose session this is, if it has neither expired nor idled and the account is active.

    Its use is noted unless `touch` is false: what a page does by itself keeps no session from idling.
    """
    with conn.cursor(row_factory=class_row(SessionUser)) as cursor:
        session = cursor.execute(LOAD_SESSION, (token_hash, at, at - idle)).fetchone()
    if touch and session is not None and at - session.last_used_at > TOUCH_EVERY:
        conn.execute(TOUCH_SESSION, (at, token_hash))
    return session


REMOVE_SESSION = "DELETE FROM app_session WHERE token_hash = %s"


def remove_session(conn: Connection, token_hash: bytes) -> None:
    """Ends the session; ending one that is not there is no error."""
    conn.execute(REMOVE_SESSION, (token_hash,))


REMOVE_SESSIONS_OF = "DELETE FROM app_session WHERE user_id = %s AND token_hash IS DISTINCT FROM %s::bytea"


def remove_sessions_of(conn: Connection, user_id: int, *, keep: bytes | None = None) -> int:
    """Ends all sessions of a person but the one to keep; says how many ended."""
    return conn.execute(REMOVE_SESSIONS_OF, (user_id, keep)).rowcount


REMOVE_EXPIRED = "DELETE FROM app_session WHERE expires_at <= %s OR last_used_at <= %s"


def remove_expired_sessions(conn: Connection, *, at: datetime, idle: timedelta) -> int:
    """Removes sessions that no longer open anything; says how many."""
    return conn.execute(REMOVE_EXPIRED, (at, at - idle)).rowcount
