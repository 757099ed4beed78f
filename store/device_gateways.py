"""Which gateway speaks for a device: what decides whether ingest believes a message that came through one."""

from domain.audit import Actor
from domain.audit_device import gateway_assigned
from domain.errors import NotFoundError
from store.audit import record_audit
from store.pool import Connection

LOCK_ASSIGNED = """
    SELECT d.id, g.name FROM device d LEFT JOIN gateway g ON g.id = d.gateway_id WHERE d.serial = %s FOR UPDATE OF d
"""
INSERT_GATEWAY = """
    INSERT INTO gateway (name, site_id) SELECT %(gateway)s, site_id FROM device WHERE id = %(device_id)s
    ON CONFLICT (name) DO NOTHING
"""
ASSIGN_GATEWAY = """
    UPDATE device SET gateway_id = (SELECT id FROM gateway WHERE name = %(gateway)s), row_version = row_version + 1,
        updated_at = now()
    WHERE id = %(device_id)s
"""
# The trigger device_gateway_change writes the history, for imports as well; this tells it who.
NAME_SOURCE = "SELECT set_config('forewarn.source', %s, true)"


def assign_gateway(conn: Connection, actor: Actor, serial: str, gateway: str | None) -> bool:
    """That gateway, made where it is new, or none speaks for the device; history and audit say so. False: as before.

    Raises
    ------
    NotFoundError
        No device has that serial.
    """
    row = conn.execute(LOCK_ASSIGNED, (serial,)).fetchone()
    if row is None:
        raise NotFoundError(f"(device {serial!r})")
    device_id, before = row
    if before == gateway:
        return False
    values = {"gateway": gateway, "device_id": device_id}
    if gateway is not None:
        conn.execute(INSERT_GATEWAY, values)
    conn.execute(NAME_SOURCE, (f"user:{actor.name}",))
    conn.execute(ASSIGN_GATEWAY, values)
    record_audit(conn, actor, gateway_assigned(serial, before, gateway))
    return True
