"""Technicians' certificates: which device models a person may work on, and until when."""

from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_certificate import certificate_changed, certificate_granted, certificate_revoked
from domain.errors import NotFoundError, RowVersionConflictError
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Certificate:
    """One person may work on one device model up to and including a day."""

    user_id: int
    user_name: str
    full_name: str
    model: str
    valid_until: date
    reference: str = ""  # number of the document, or where it is kept
    row_version: int = 1


RECORD_CERTIFICATE = """
    INSERT INTO technician_certificate AS c (user_id, device_model_id, valid_until, reference)
    SELECT u.id, m.id, %(valid_until)s, %(reference)s FROM app_user u, device_model m
    WHERE u.name = %(user)s AND m.key = %(model)s
    ON CONFLICT (user_id, device_model_id) DO UPDATE SET valid_until = excluded.valid_until,
        reference = excluded.reference, row_version = c.row_version + 1
    RETURNING row_version
"""
_COLUMNS = """u.id AS user_id, u.name AS user_name, u.full_name, m.key AS model, c.valid_until, c.reference,
    c.row_version
    FROM technician_certificate c JOIN app_user u ON u.id = c.user_id JOIN device_model m ON m.id = c.device_model_id"""
LOCK_CERTIFICATE = f"SELECT {_COLUMNS} WHERE u.name = %s AND m.key = %s FOR UPDATE OF c"


def load_certificate(conn: Connection, user_name: str, model: str) -> Certificate | None:
    """What certifies the person for the model, locked until the transaction ends; it may have run out."""
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(LOCK_CERTIFICATE.encode(), (user_name, model)).fetchone()


def record_certificate(
    conn: Connection,
    actor: Actor,
    user_name: str,
    model: str,
    valid_until: date,
    *,
    reference: str = "",
    reason: str = "",
    expected_row_version: int | None = None,
) -> None:
    """Certifies the person for the device model up to and including that day, replacing what stood there.

    Raises
    ------
    NotFoundError
        There is no such person or model.
    RowVersionConflictError
        What stands there is not at `expected_row_version` (None: whatever it is at; 0: nothing may stand there), or
        somebody else gave the first one at the same time.
    """
    before = load_certificate(conn, user_name, model)
    _verify_version(before, user_name, model, expected_row_version)
    values = {"user": user_name, "model": model, "valid_until": valid_until, "reference": reference}
    row = conn.execute(RECORD_CERTIFICATE, values).fetchone()
    if row is None:
        raise NotFoundError(f"{user_name} or {model}")
    if before is None and row[0] > 1:
        raise RowVersionConflictError(f"The certificate of {user_name} for {model} was given by somebody just now.")
    if before is None:
        record_audit(conn, actor, certificate_granted(user_name, model, valid_until, reference, reason))
    else:
        was = {"model": model, "valid_until": before.valid_until, "reference": before.reference}
        becomes = {"model": model, "valid_until": valid_until, "reference": reference}
        record_audit(conn, actor, certificate_changed(user_name, model, was, becomes, reason))


REVOKE_CERTIFICATE = """
    DELETE FROM technician_certificate c USING device_model m
    WHERE c.user_id = %s AND m.id = c.device_model_id AND m.key = %s
"""


def revoke_certificate(
    conn: Connection, actor: Actor, user_name: str, model: str, reason: str, *, expected_row_version: int | None = None
) -> None:
    """Nobody is certified by it any more: no order can be given to the person, none be begun. The audit keeps it.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it was changed since.
    """
    before = load_certificate(conn, user_name, model)
    if before is None:
        raise NotFoundError(f"{user_name} has no certificate for {model}.")
    _verify_version(before, user_name, model, expected_row_version)
    conn.execute(REVOKE_CERTIFICATE, (before.user_id, model))
    was = {"model": model, "valid_until": before.valid_until, "reference": before.reference}
    record_audit(conn, actor, certificate_revoked(user_name, model, was, reason))


def _verify_version(known: Certificate | None, user_name: str, model: str, expected: int | None) -> None:
    at = 0 if known is None else known.row_version
    if expected is not None and at != expected:
        raise RowVersionConflictError(f"The certificate of {user_name} for {model} is at {at}, not {expected}.")


LOAD_CERTIFICATES = f"""
    SELECT {_COLUMNS}
    WHERE (%(model)s = '' OR m.key = %(model)s) AND (%(valid_on)s::date IS NULL OR c.valid_until >= %(valid_on)s)
        AND u.status = 'ACTIVE' AND 'technician' = ANY (u.roles)
        AND (%(user)s = '' OR u.name = %(user)s)
    ORDER BY u.full_name, m.key
"""


def load_certificates(
    conn: Connection, *, model: str = "", user: str = "", valid_on: date | None = None
) -> list[Certificate]:
    """The certificates of active technicians; with `model` and `valid_on`, whom an order may be assigned to."""
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(
            LOAD_CERTIFICATES.encode(), {"model": model, "user": user, "valid_on": valid_on}
        ).fetchall()
