"""Claim codes: a device fetches its account with one, once. Kept as SHA-256 with an expiry."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from store.pool import Connection

WITHDRAW_CLAIMS = """
    UPDATE device_claim SET withdrawn_at = now()
    WHERE device_id = %s AND used_at IS NULL AND withdrawn_at IS NULL
"""
RECORD_CLAIM = "INSERT INTO device_claim (device_id, code_hash, created_by, expires_at) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """A code that may still be used."""

    id: int
    code_hash: bytes


def withdraw_claims(conn: Connection, device_id: int) -> bool:
    """The device's open code opens nothing any more; False where there was none."""
    return conn.execute(WITHDRAW_CLAIMS, (device_id,)).rowcount > 0


def record_claim(conn: Connection, device_id: int, code_hash: bytes, *, by: str, expires_at: datetime) -> None:
    """The device's one open code from now on; an earlier one is withdrawn."""
    withdraw_claims(conn, device_id)
    conn.execute(RECORD_CLAIM, (device_id, code_hash, by, expires_at))


LOAD_OPEN_CLAIM = """
    SELECT c.id, c.code_hash FROM device_claim c JOIN device d ON d.id = c.device_id
    WHERE d.serial = %s AND d.lifecycle <> 'DECOMMISSIONED' AND c.used_at IS NULL AND c.withdrawn_at IS NULL
        AND c.expires_at > %s
"""


def load_open_claim(conn: Connection, serial: str, *, at: datetime) -> OpenClaim | None:
    """The code of that serial that may still be used; a device out of service has none."""
    with conn.cursor(row_factory=class_row(OpenClaim)) as cursor:
        return cursor.execute(LOAD_OPEN_CLAIM, (serial, at)).fetchone()


# The row's lock decides between two that come at once: the second waits for the first, and then finds it used.
USE_CLAIM = "UPDATE device_claim SET used_at = now() WHERE id = %s AND used_at IS NULL AND withdrawn_at IS NULL"


def use_claim(conn: Connection, claim_id: int) -> bool:
    """The code is used up, if the caller's transaction commits; False when another was first."""
    return conn.execute(USE_CLAIM, (claim_id,)).rowcount == 1
