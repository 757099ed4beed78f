"""Console sessions: the SHA-256 of a token, never the token, with an absolute end and an idle one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection

TOUCH_EVERY = timedelta(seconds=60)  # so that a page of twenty requests writes once


@dataclass(frozen=True, slots=True)
class SessionUser:
    """Who is signed in by a session that is still good."""

    id: int
    user_id: int
    name: str
    full_name: str
    roles: list[str]
    customer_id: int | None
    language: str
    must_change_password: bool
    has_second_factor: bool
    method: str
    csrf_token: str
    expires_at: datetime
    last_used_at: datetime


RECORD_SESSION = """
    INSERT INTO app_session (token_hash, user_id, csrf_token, expires_at, method, address, browser)
    VALUES (%(token_hash)s, %(user_id)s, %(csrf_token)s, %(expires_at)s, %(method)s, %(address)s, %(browser)s)
"""


def record_session(
    conn: Connection,
    token_hash: bytes,
    user_id: int,
    csrf_token: str,
    expires_at: datetime,
    *,
    method: str = "PASSWORD",
    address: str = "",
    browser: str = "",
) -> None:
    """Opens a session that ends at `expires_at` at the latest."""
    conn.execute(
        RECORD_SESSION,
        {
            "token_hash": token_hash,
            "user_id": user_id,
            "csrf_token": csrf_token,
            "expires_at": expires_at,
            "method": method,
            "address": address[:100],
            "browser": browser[:300],
        },
    )


LOAD_SESSION = """
    SELECT s.id, s.user_id, u.name, u.full_name, u.roles, u.customer_id, u.language, u.must_change_password,
        EXISTS (SELECT FROM second_factor f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_second_factor,
        s.method, s.csrf_token, s.expires_at, s.last_used_at
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


REMOVE_PENDING_OF = "DELETE FROM pending_sign_in WHERE user_id = %s"
REMOVE_SESSIONS_OF = "DELETE FROM app_session WHERE user_id = %s AND token_hash IS DISTINCT FROM %s::bytea"


def remove_sessions_of(conn: Connection, user_id: int, *, keep: bytes | None = None) -> int:
    """Ends all sessions of a person but the one to keep, and sign-ins that wait for a code; says how many ended."""
    conn.execute(REMOVE_PENDING_OF, (user_id,))
    return conn.execute(REMOVE_SESSIONS_OF, (user_id, keep)).rowcount


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session as its owner sees it; nothing of it opens anything."""

    id: int
    method: str
    address: str
    browser: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


LOAD_SESSIONS_OF = """
    SELECT id, method, address, browser, created_at, last_used_at, expires_at FROM app_session
    WHERE user_id = %s AND expires_at > %s AND last_used_at > %s ORDER BY last_used_at DESC, id DESC
"""


def load_sessions_of(conn: Connection, user_id: int, *, at: datetime, idle: timedelta) -> list[OpenSession]:
    """The sessions of a person that still open something, the last used first."""
    with conn.cursor(row_factory=class_row(OpenSession)) as cursor:
        return cursor.execute(LOAD_SESSIONS_OF, (user_id, at, at - idle)).fetchall()


REMOVE_SESSION_OF = "DELETE FROM app_session WHERE user_id = %s AND id = %s"


def remove_session_of(conn: Connection, user_id: int, session_id: int) -> bool:
    """Ends that session of that person; False where it is over already, or somebody else's."""
    return conn.execute(REMOVE_SESSION_OF, (user_id, session_id)).rowcount == 1


RECORD_REAUTHENTICATION = "UPDATE app_session SET reauthenticated_at = %s WHERE id = %s"


def record_reauthentication(conn: Connection, session_id: int, *, at: datetime) -> None:
    """The provider has just asked the session's owner again who he is."""
    conn.execute(RECORD_REAUTHENTICATION, (at, session_id))


USE_REAUTHENTICATION = """
    UPDATE app_session SET reauthenticated_at = NULL WHERE id = %s AND reauthenticated_at > %s
"""


def use_reauthentication(conn: Connection, session_id: int, *, since: datetime) -> bool:
    """Whether the provider asked the owner again after `since`; that is good once."""
    return conn.execute(USE_REAUTHENTICATION, (session_id, since)).rowcount == 1


IS_REAUTHENTICATED = "SELECT EXISTS (SELECT FROM app_session WHERE id = %s AND reauthenticated_at > %s)"


def is_reauthenticated(conn: Connection, session_id: int, *, since: datetime) -> bool:
    """The same without using it up, for what a page shows."""
    row = conn.execute(IS_REAUTHENTICATED, (session_id, since)).fetchone()
    return row is not None and bool(row[0])


REMOVE_EXPIRED = "DELETE FROM app_session WHERE expires_at <= %s OR last_used_at <= %s"


def remove_expired_sessions(conn: Connection, *, at: datetime, idle: timedelta) -> int:
    """Removes sessions that no longer open anything; says how many."""
    return conn.execute(REMOVE_EXPIRED, (at, at - idle)).rowcount
