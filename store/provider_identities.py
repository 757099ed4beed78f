"""Accounts of an OpenID Connect provider, and who is on the way there and back."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection

LOAD_LINKED_ACCOUNT = """
    SELECT u.name FROM provider_identity i JOIN app_user u ON u.id = i.user_id WHERE i.issuer = %s AND i.subject = %s
"""


def load_linked_account(conn: Connection, issuer: str, subject: str) -> str | None:
    """The name of the account of that identity, disabled ones too."""
    row = conn.execute(LOAD_LINKED_ACCOUNT, (issuer, subject)).fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """Who an account is at the provider."""

    issuer: str
    subject: str
    linked_at: datetime
    last_used_at: datetime | None


LOAD_IDENTITY = "SELECT issuer, subject, linked_at, last_used_at FROM provider_identity WHERE user_id = %s"


def load_identity(conn: Connection, user_id: int) -> ProviderIdentity | None:
    """Who the account is at the provider; None for one that has nothing to do with one."""
    with conn.cursor(row_factory=class_row(ProviderIdentity)) as cursor:
        return cursor.execute(LOAD_IDENTITY, (user_id,)).fetchone()


RECORD_IDENTITY = """
    INSERT INTO provider_identity (issuer, subject, user_id, last_used_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


def record_identity(conn: Connection, issuer: str, subject: str, user_id: int, *, at: datetime) -> bool:
    """Ties the account to the identity; False, and nothing changed, where one of them is tied already."""
    return conn.execute(RECORD_IDENTITY, (issuer, subject, user_id, at)).rowcount == 1


TOUCH_IDENTITY = "UPDATE provider_identity SET last_used_at = %s WHERE issuer = %s AND subject = %s"


def touch_identity(conn: Connection, issuer: str, subject: str, *, at: datetime) -> None:
    """Somebody came in by it."""
    conn.execute(TOUCH_IDENTITY, (at, issuer, subject))


REMOVE_IDENTITY = "DELETE FROM provider_identity WHERE user_id = %s"


def remove_identity(conn: Connection, user_id: int) -> bool:
    """The account has nothing to do with the provider any more; False where it had not."""
    return conn.execute(REMOVE_IDENTITY, (user_id,)).rowcount == 1


@dataclass(frozen=True, slots=True)
class ProviderFlow:
    """Somebody who was sent to the provider: for what, by which session, and where to go afterwards."""

    purpose: str
    session_id: int | None
    target: str
    begun_at: datetime


RECORD_FLOW = """
    INSERT INTO provider_flow (state_hash, browser_hash, purpose, session_id, target, begun_at, expires_at)
    VALUES (%(state_hash)s, %(browser_hash)s, %(purpose)s, %(session_id)s, %(target)s, %(at)s, %(expires_at)s)
"""


def record_flow(
    conn: Connection,
    *,
    state_hash: bytes,
    browser_hash: bytes,
    purpose: str,
    session_id: int | None,
    target: str,
    at: datetime,
    expires_at: datetime,
) -> None:
    """Somebody is sent to the provider now."""
    conn.execute(
        RECORD_FLOW,
        {
            "state_hash": state_hash,
            "browser_hash": browser_hash,
            "purpose": purpose,
            "session_id": session_id,
            "target": target,
            "at": at,
            "expires_at": expires_at,
        },
    )


TAKE_FLOW = """
    DELETE FROM provider_flow WHERE state_hash = %s AND browser_hash = %s AND expires_at > %s
    RETURNING purpose, session_id, target, begun_at
"""


def take_flow(conn: Connection, *, state_hash: bytes, browser_hash: bytes, at: datetime) -> ProviderFlow | None:
    """The flow that this browser comes back from; it is good once, and nobody else's return uses it up."""
    with conn.cursor(row_factory=class_row(ProviderFlow)) as cursor:
        return cursor.execute(TAKE_FLOW, (state_hash, browser_hash, at)).fetchone()


REMOVE_EXPIRED_FLOWS = "DELETE FROM provider_flow WHERE expires_at <= %s"


def remove_expired_flows(conn: Connection, *, at: datetime) -> int:
    """Removes those who did not come back; says how many."""
    return conn.execute(REMOVE_EXPIRED_FLOWS, (at,)).rowcount
