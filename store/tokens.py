"""API tokens: one role each, kept as SHA-256, printed once when they are made."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from store.pool import Connection

TOUCH_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Token:
    """One API token, without its secret."""

    id: int
    name: str
    role: str
    customer_id: int | None
    customer_code: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


_COLUMNS = """
    t.id, t.name, t.role, t.customer_id, c.code AS customer_code, t.created_at, t.expires_at, t.revoked_at,
    t.last_used_at
    FROM api_token t LEFT JOIN customer c ON c.id = t.customer_id
"""
RECORD_TOKEN = """
    INSERT INTO api_token (name, token_hash, role, customer_id, expires_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (name) DO NOTHING RETURNING id
"""  # noqa: S105 - SQL


def record_token(
    conn: Connection,
    *,
    name: str,
    token_hash: bytes,
    role: str,
    customer_id: int | None = None,
    expires_at: datetime | None = None,
) -> int | None:
    """Makes a token and returns its id, or None when the name is taken (nothing is changed then)."""
    row = conn.execute(RECORD_TOKEN, (name, token_hash, role, customer_id, expires_at)).fetchone()
    return None if row is None else int(row[0])


LOAD_VALID_TOKEN = f"""
    SELECT {_COLUMNS}
    WHERE t.token_hash = %s AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > %s)
"""
TOUCH_TOKEN = "UPDATE api_token SET last_used_at = %s WHERE id = %s"  # noqa: S105


def load_valid_token(conn: Connection, token_hash: bytes, *, at: datetime) -> Token | None:
    """The token with that hash unless it expired or was revoked; its use is noted, at most once a minute."""
    with conn.cursor(row_factory=class_row(Token)) as cursor:
        token = cursor.execute(LOAD_VALID_TOKEN, (token_hash, at)).fetchone()
    if token is not None and (token.last_used_at is None or at - token.last_used_at > TOUCH_EVERY):
        conn.execute(TOUCH_TOKEN, (at, token.id))
    return token


LOAD_TOKENS = f"SELECT {_COLUMNS} ORDER BY t.name"


def load_tokens(conn: Connection) -> list[Token]:
    """All tokens by name, revoked ones too."""
    with conn.cursor(row_factory=class_row(Token)) as cursor:
        return cursor.execute(LOAD_TOKENS).fetchall()


LOAD_TOKEN = f"SELECT {_COLUMNS} WHERE t.id = %s"


def load_token(conn: Connection, token_id: int) -> Token | None:
    """The token of that id, or None."""
    with conn.cursor(row_factory=class_row(Token)) as cursor:
        return cursor.execute(LOAD_TOKEN, (token_id,)).fetchone()


REVOKE_TOKEN = "UPDATE api_token SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"  # noqa: S105


def revoke_token(conn: Connection, token_id: int, *, at: datetime) -> bool:
    """Revokes the token for good; False when it was revoked already or is not there."""
    return conn.execute(REVOKE_TOKEN, (at, token_id)).rowcount == 1
