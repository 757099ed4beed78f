"""Technicians' certificates: which device models a person may work on, and until when."""

from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_user import certificate_granted
from domain.errors import NotFoundError
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


RECORD_CERTIFICATE = """
    INSERT INTO technician_certificate (user_id, device_model_id, valid_until)
    SELECT u.id, m.id, %(valid_until)s FROM app_user u, device_model m WHERE u.name = %(user)s AND m.key = %(model)s
    ON CONFLICT (user_id, device_model_id) DO UPDATE SET valid_until = excluded.valid_until
    RETURNING user_id
"""


def record_certificate(conn: Connection, actor: Actor, user_name: str, model: str, valid_until: date) -> None:
    """Certifies the person for the device model up to and including that day, replacing what stood there.

    Raises
    ------
    NotFoundError
        There is no such person or model.
    """
    values = {"user": user_name, "model": model, "valid_until": valid_until}
    if conn.execute(RECORD_CERTIFICATE, values).fetchone() is None:
        raise NotFoundError(f"{user_name} or {model}")
    record_audit(conn, actor, certificate_granted(user_name, model, valid_until))


LOAD_CERTIFICATES = """
    SELECT u.id AS user_id, u.name AS user_name, u.full_name, m.key AS model, c.valid_until
    FROM technician_certificate c JOIN app_user u ON u.id = c.user_id JOIN device_model m ON m.id = c.device_model_id
    WHERE (%(model)s = '' OR m.key = %(model)s) AND (%(valid_on)s::date IS NULL OR c.valid_until >= %(valid_on)s)
        AND u.status = 'ACTIVE' AND 'technician' = ANY (u.roles)
    ORDER BY u.full_name, m.key
"""


def load_certificates(conn: Connection, *, model: str = "", valid_on: date | None = None) -> list[Certificate]:
    """The certificates of active technicians; with `model` and `valid_on`, whom an order may be assigned to."""
    with conn.cursor(row_factory=class_row(Certificate)) as cursor:
        return cursor.execute(LOAD_CERTIFICATES, {"model": model, "valid_on": valid_on}).fetchall()
