"""The second factor of accounts: a sealed secret, the last code that was taken, and recovery codes as hashes."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """One account's factor; only one that is confirmed is asked for."""

    user_id: int
    sealed_secret: bytes
    begun_at: datetime
    begun_session_id: int
    confirmed_at: datetime | None
    last_step: int
    failed_count: int
    locked_until: datetime | None
    recovery_codes_left: int


LOAD_SECOND_FACTOR = """
    SELECT f.user_id, f.sealed_secret, f.begun_at, f.begun_session_id, f.confirmed_at, f.last_step, f.failed_count,
        f.locked_until,
        (SELECT count(*) FROM recovery_code r WHERE r.user_id = f.user_id AND r.used_at IS NULL) AS recovery_codes_left
    FROM second_factor f WHERE f.user_id = %s
"""
LOCK_SECOND_FACTOR = "SELECT FROM second_factor WHERE user_id = %s FOR UPDATE"


def load_second_factor(conn: Connection, user_id: int, *, lock: bool = False) -> SecondFactor | None:
    """The account's factor, begun or confirmed. With `lock` its row is this transaction's until that ends: two codes
    at once are then judged one after the other."""
    if lock:
        conn.execute(LOCK_SECOND_FACTOR, (user_id,))
    with conn.cursor(row_factory=class_row(SecondFactor)) as cursor:
        return cursor.execute(LOAD_SECOND_FACTOR, (user_id,)).fetchone()


BEGIN_SECOND_FACTOR = """
    INSERT INTO second_factor (user_id, sealed_secret, begun_at, begun_session_id)
    VALUES (%(user_id)s, %(sealed_secret)s, %(at)s, %(session_id)s)
    ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, begun_at = excluded.begun_at,
        begun_session_id = excluded.begun_session_id
    WHERE second_factor.confirmed_at IS NULL
"""


def begin_second_factor(conn: Connection, user_id: int, sealed_secret: bytes, *, session_id: int, at: datetime) -> bool:
    """Keeps a secret that this session has yet to confirm; False, and nothing changed, where one is confirmed."""
    parameters = {"user_id": user_id, "sealed_secret": sealed_secret, "at": at, "session_id": session_id}
    return conn.execute(BEGIN_SECOND_FACTOR, parameters).rowcount == 1


CONFIRM_SECOND_FACTOR = """
    UPDATE second_factor SET confirmed_at = %s, last_step = %s, failed_count = 0, locked_until = NULL
    WHERE user_id = %s AND confirmed_at IS NULL
"""
RECORD_RECOVERY_CODES = "INSERT INTO recovery_code (user_id, code_hash) SELECT %s, unnest(%s::bytea[])"
REMOVE_RECOVERY_CODES = "DELETE FROM recovery_code WHERE user_id = %s"


def confirm_second_factor(conn: Connection, user_id: int, *, step: int, code_hashes: list[bytes], at: datetime) -> bool:
    """From now on the factor is asked for; False where it is confirmed already or was not begun."""
    if conn.execute(CONFIRM_SECOND_FACTOR, (at, step, user_id)).rowcount != 1:
        return False
    record_recovery_codes(conn, user_id, code_hashes)
    return True


def record_recovery_codes(conn: Connection, user_id: int, code_hashes: list[bytes]) -> None:
    """These are the account's recovery codes from now on; earlier ones are good for nothing."""
    conn.execute(REMOVE_RECOVERY_CODES, (user_id,))
    conn.execute(RECORD_RECOVERY_CODES, (user_id, code_hashes))


USE_STEP = """
    UPDATE second_factor SET last_step = %(step)s, failed_count = 0, locked_until = NULL
    WHERE user_id = %(user_id)s AND last_step < %(step)s
"""


def use_step(conn: Connection, user_id: int, step: int) -> bool:
    """Notes that the code of that time step was taken; False where it, or a later one, was taken before."""
    return conn.execute(USE_STEP, {"user_id": user_id, "step": step}).rowcount == 1


USE_RECOVERY_CODE = "UPDATE recovery_code SET used_at = %s WHERE user_id = %s AND code_hash = %s AND used_at IS NULL"


def use_recovery_code(conn: Connection, user_id: int, code_hash: bytes, *, at: datetime) -> bool:
    """Notes that the recovery code was taken; False where it is none of this account's, or was taken before."""
    return conn.execute(USE_RECOVERY_CODE, (at, user_id, code_hash)).rowcount == 1


RECORD_FACTOR_ATTEMPTS = "UPDATE second_factor SET failed_count = %s, locked_until = %s WHERE user_id = %s"


def record_factor_attempts(conn: Connection, user_id: int, failed_count: int, locked_until: datetime | None) -> None:
    """How many wrong codes in a row there were, and until when none is looked at."""
    conn.execute(RECORD_FACTOR_ATTEMPTS, (failed_count, locked_until, user_id))


REMOVE_SECOND_FACTOR = "DELETE FROM second_factor WHERE user_id = %s RETURNING confirmed_at IS NOT NULL"


def remove_second_factor(conn: Connection, user_id: int) -> bool:
    """The account has none any more; says whether it had one that was confirmed."""
    row = conn.execute(REMOVE_SECOND_FACTOR, (user_id,)).fetchone()
    return row is not None and bool(row[0])


RECORD_PENDING = "INSERT INTO pending_sign_in (token_hash, user_id, expires_at) VALUES (%s, %s, %s)"


def record_pending_sign_in(conn: Connection, token_hash: bytes, user_id: int, expires_at: datetime) -> None:
    """Somebody has given this account's password, and has to give a code."""
    conn.execute(RECORD_PENDING, (token_hash, user_id, expires_at))


LOAD_PENDING = """
    SELECT u.name FROM pending_sign_in p JOIN app_user u ON u.id = p.user_id
    WHERE p.token_hash = %s AND p.expires_at > %s AND u.status = 'ACTIVE'
"""


def load_pending_sign_in(conn: Connection, token_hash: bytes, *, at: datetime) -> str | None:
    """The name of the account whose password was given, unless that is too long ago."""
    row = conn.execute(LOAD_PENDING, (token_hash, at)).fetchone()
    return None if row is None else str(row[0])


REMOVE_PENDING = "DELETE FROM pending_sign_in WHERE token_hash = %s"


def remove_pending_sign_in(conn: Connection, token_hash: bytes) -> bool:
    """It was gone on with, or given up; False where it was gone already."""
    return conn.execute(REMOVE_PENDING, (token_hash,)).rowcount == 1


REMOVE_EXPIRED_PENDING = "DELETE FROM pending_sign_in WHERE expires_at <= %s"


def remove_expired_pending(conn: Connection, *, at: datetime) -> int:
    """Removes what nobody went on with; says how many."""
    return conn.execute(REMOVE_EXPIRED_PENDING, (at,)).rowcount
