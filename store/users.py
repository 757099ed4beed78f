"""People's accounts: who they are, which roles they hold, how often they mistyped."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class User:
    """One account, without its password hash."""

    id: int
    name: str
    full_name: str
    must_change_password: bool
    roles: list[str]
    customer_id: int | None
    customer_code: str | None
    language: str
    status: str
    failed_count: int
    locked_until: datetime | None
    row_version: int
    created_at: datetime
    has_password: bool
    has_second_factor: bool
    is_linked: bool  # to an identity at the OpenID Connect provider


_COLUMNS = """
    u.id, u.name, u.full_name, u.must_change_password, u.roles, u.customer_id, c.code AS customer_code, u.language,
    u.status, u.failed_count, u.locked_until, u.row_version, u.created_at, u.password_hash IS NOT NULL AS has_password,
    EXISTS (SELECT FROM second_factor f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_second_factor,
    EXISTS (SELECT FROM provider_identity i WHERE i.user_id = u.id) AS is_linked
    FROM app_user u LEFT JOIN customer c ON c.id = u.customer_id
"""
LOAD_USER = f"SELECT {_COLUMNS} WHERE u.name = %s"


def load_user(conn: Connection, name: str) -> User | None:
    """The account of that name, disabled ones too."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(LOAD_USER, (name,)).fetchone()


LOAD_USERS = f"""
    SELECT {_COLUMNS}
    WHERE u.name > %(after)s AND (%(q)s = '' OR strpos(lower(u.name || ' ' || u.full_name), lower(%(q)s)) > 0)
    ORDER BY u.name LIMIT %(limit)s
"""


def load_users(conn: Connection, *, after: str = "", q: str = "", limit: int = 1000) -> list[User]:
    """Accounts by name, those after the name `after`, with `q` in either name."""
    with conn.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(LOAD_USERS, {"after": after, "q": q, "limit": limit}).fetchall()


# The lock is taken before the hash is read: two guesses at once are counted one after the other.
LOCK_PASSWORD_HASH = "SELECT password_hash FROM app_user WHERE id = %s FOR UPDATE"  # noqa: S105


def load_password_hash(conn: Connection, user_id: int) -> str | None:
    """The argon2id hash of that account, whose row stays locked until the transaction ends; None: without password."""
    row = conn.execute(LOCK_PASSWORD_HASH, (user_id,)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


RECORD_USER = """
    INSERT INTO app_user (name, full_name, password_hash, must_change_password, roles, customer_id, language)
    VALUES (%(name)s, %(full_name)s, %(password_hash)s, %(must_change_password)s, %(roles)s, %(customer_id)s,
        %(language)s)
    ON CONFLICT (name) DO NOTHING RETURNING id
"""


def record_user(
    conn: Connection,
    *,
    name: str,
    full_name: str,
    password_hash: str | None,
    roles: list[str],
    must_change_password: bool,
    customer_id: int | None = None,
    language: str = "",
) -> int | None:
    """Makes an account and returns its id, or None when the name is taken (nothing is changed then)."""
    row = conn.execute(
        RECORD_USER,
        {
            "name": name,
            "full_name": full_name,
            "password_hash": password_hash,
            "must_change_password": must_change_password,
            "roles": roles,
            "customer_id": customer_id,
            "language": language,
        },
    ).fetchone()
    return None if row is None else int(row[0])


RECORD_ACCOUNT = """
    UPDATE app_user SET full_name = %(full_name)s, roles = %(roles)s, customer_id = %(customer_id)s,
        status = %(status)s, row_version = row_version + 1
    WHERE id = %(id)s AND row_version = %(row_version)s
"""


def record_account(
    conn: Connection,
    user_id: int,
    *,
    row_version: int,
    full_name: str,
    roles: list[str],
    customer_id: int | None,
    status: str,
) -> bool:
    """Changes the account if it still has that row version, and says whether it had."""
    parameters = {
        "id": user_id,
        "row_version": row_version,
        "full_name": full_name,
        "roles": roles,
        "customer_id": customer_id,
        "status": status,
    }
    return conn.execute(RECORD_ACCOUNT, parameters).rowcount == 1


RECORD_PASSWORD = """
    UPDATE app_user SET password_hash = %s, must_change_password = %s, failed_count = 0, locked_until = NULL
    WHERE id = %s
"""  # noqa: S105 - SQL


def record_password(conn: Connection, user_id: int, password_hash: str, *, must_change_password: bool) -> None:
    """Sets the password, and forgets failed attempts and their lock."""
    conn.execute(RECORD_PASSWORD, (password_hash, must_change_password, user_id))


RECORD_REHASH = "UPDATE app_user SET password_hash = %s WHERE id = %s"


def record_rehash(conn: Connection, user_id: int, password_hash: str) -> None:
    """The same password, hashed with today's parameters."""
    conn.execute(RECORD_REHASH, (password_hash, user_id))


RECORD_FAILURE = "UPDATE app_user SET failed_count = %s, locked_until = %s WHERE id = %s"


def record_attempts(conn: Connection, user_id: int, failed_count: int, locked_until: datetime | None) -> None:
    """How many wrong passwords in a row there were, and until when none is looked at."""
    conn.execute(RECORD_FAILURE, (failed_count, locked_until, user_id))


# By what is kept, not by a counter: however a name was changed, this is another one.
_NAMES_VERSION = "count(*) || ' ' || coalesce(sum(hashtextextended(name || ' ' || full_name, 0)), 0)"
LOAD_NAMES_VERSION = f"SELECT {_NAMES_VERSION} FROM app_user"  # noqa: S608


def load_names_version(conn: Connection) -> str:
    """What is another text as soon as an account was made or somebody is called otherwise."""
    row = conn.execute(LOAD_NAMES_VERSION).fetchone()
    assert row is not None
    return str(row[0])


LOAD_FULL_NAMES = f"""
    SELECT {_NAMES_VERSION}, coalesce(jsonb_object_agg(name, full_name), '{{}}') FROM app_user
"""  # noqa: S608


def load_full_names(conn: Connection) -> tuple[str, dict[str, str]]:
    """What people are called, by account, disabled ones too, and the version of these names."""
    row = conn.execute(LOAD_FULL_NAMES).fetchone()
    assert row is not None
    return str(row[0]), row[1]
