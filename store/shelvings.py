"""Shelvings: a person says that a device, or one fault group of it, shall open nothing for a while, and why."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_device import device_shelved, device_unshelved, shelving_expired
from domain.errors import NotFoundError
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Shelving:
    """One shelving. `fault_group` None is the whole device; it holds until `ended_at` or `shelved_until`."""

    id: int
    serial: str
    fault_group: str | None
    reason: str
    shelved_by: str
    shelved_at: datetime
    shelved_until: datetime
    ended_at: datetime | None


RECORD_SHELVING = """
    INSERT INTO shelving (device_id, fault_group, reason, shelved_by, shelved_at, shelved_until)
    SELECT id, %(fault_group)s, %(reason)s, %(by)s, %(now)s, %(until)s FROM device WHERE serial = %(serial)s
    RETURNING id
"""


def record_shelving(
    conn: Connection,
    actor: Actor,
    serial: str,
    *,
    fault_group: str | None,
    reason: str,
    until: datetime,
    now: datetime,
) -> int:
    """The id of the shelving that holds from now on; CRITICAL breaches still open orders.

    Raises
    ------
    NotFoundError
        There is no such device.
    """
    values = {
        "serial": serial,
        "fault_group": fault_group,
        "reason": reason,
        "by": actor.name,
        "now": now,
        "until": until,
    }
    row = conn.execute(RECORD_SHELVING, values).fetchone()
    if row is None:
        raise NotFoundError(serial)
    record_audit(conn, actor, device_shelved(serial, row[0], fault_group, until, reason))
    return int(row[0])


END_SHELVING = """
    UPDATE shelving s SET ended_at = %(now)s FROM device d
    WHERE s.id = %(id)s AND d.id = s.device_id AND s.ended_at IS NULL RETURNING d.serial
"""


def end_shelving(conn: Connection, actor: Actor, shelving_id: int, *, now: datetime) -> str:
    """The serial of the device that is not shelved any more; what is still active is triaged within seconds.

    Raises
    ------
    NotFoundError
        There is no such shelving, or it has ended.
    """
    row = conn.execute(END_SHELVING, {"id": shelving_id, "now": now}).fetchone()
    if row is None:
        raise NotFoundError(str(shelving_id))
    record_audit(conn, actor, device_unshelved(row[0], shelving_id))
    return str(row[0])


EXPIRE_SHELVINGS = """
    UPDATE shelving s SET ended_at = s.shelved_until FROM device d
    WHERE d.id = s.device_id AND s.ended_at IS NULL AND s.shelved_until <= %s RETURNING d.serial, s.id
"""


def expire_shelvings(conn: Connection, actor: Actor, now: datetime) -> list[str]:
    """The serials whose shelvings ran out by `now` and are ended by this call."""
    ended = conn.execute(EXPIRE_SHELVINGS, (now,)).fetchall()
    record_audit(conn, actor, *(shelving_expired(serial, shelving_id) for serial, shelving_id in ended))
    return [serial for serial, _ in ended]


# Why it was shelved for somebody who had the device before is no business of who has it now; that it is shelved, is.
LOAD_SHELVINGS = """
    SELECT s.id, d.serial, s.fault_group, CASE WHEN o.is_own THEN s.reason ELSE '' END AS reason, s.shelved_by,
        s.shelved_at, s.shelved_until, s.ended_at
    FROM shelving s JOIN device d ON d.id = s.device_id
    CROSS JOIN LATERAL (SELECT %(customer_id)s::bigint IS NULL OR s.shelved_at >= coalesce(
        (SELECT max(h.at) FROM device_history h WHERE h.device_id = d.id AND h.field = 'customer'), '-infinity'
    ) AS is_own) o
    WHERE (%(serial)s = '' OR d.serial = %(serial)s)
        AND (o.is_own OR (s.ended_at IS NULL AND s.shelved_until > %(now)s))
        AND (NOT %(current_only)s OR (s.ended_at IS NULL AND s.shelved_until > %(now)s))
    ORDER BY s.shelved_at DESC LIMIT %(limit)s
"""


def load_shelvings(
    conn: Connection,
    *,
    now: datetime,
    customer_id: int | None,
    serial: str = "",
    current_only: bool = True,
    limit: int = 200,
) -> list[Shelving]:
    """Shelvings, newest first; those that hold now unless all are asked for. To a customer's account (`customer_id`)
    those of the time before the device was its own are shown while they hold, and without their reason."""
    values = {
        "serial": serial,
        "current_only": current_only,
        "now": now,
        "customer_id": customer_id,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(Shelving)) as cursor:
        return cursor.execute(LOAD_SHELVINGS, values).fetchall()
