"""The device that a complaint is about."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.errors import NotFoundError
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class DeviceOfComplaint:
    """What a complaint takes from its device, and what decides how soon its order is served."""

    id: int
    serial: str
    name: str
    udi: str
    customer_id: int | None
    safety_critical: bool
    under_contract: bool
    region: str
    is_simulated: bool


LOAD_DEVICE_OF_COMPLAINT = """
    SELECT d.id, d.serial, m.manufacturer || ' ' || m.key AS name, d.udi, s.customer_id, m.safety_critical, d.region,
        d.is_simulated, EXISTS (SELECT FROM service_contract k WHERE k.customer_id = s.customer_id
            AND k.status = 'ACTIVE'
            AND (%(now)s::timestamptz AT TIME ZONE 'UTC')::date BETWEEN k.starts_on AND k.ends_on
            AND contract_covers(k, d.id)) AS under_contract
    FROM device d JOIN device_model m ON m.id = d.device_model_id LEFT JOIN site s ON s.id = d.site_id
    WHERE d.serial = %(serial)s
"""


def load_device_of_complaint(conn: Connection, serial: str, now: datetime) -> DeviceOfComplaint:
    """The device of that serial, and whether it is under contract on the day (UTC) of `now`.

    Raises
    ------
    NotFoundError
        There is none.
    """
    with conn.cursor(row_factory=class_row(DeviceOfComplaint)) as cursor:
        device = cursor.execute(LOAD_DEVICE_OF_COMPLAINT, {"serial": serial, "now": now}).fetchone()
    if device is None:
        raise NotFoundError(serial)
    return device


LOAD_SERIAL = "SELECT serial FROM device WHERE id = %s"


def load_serial(conn: Connection, device_id: int) -> str:
    """The serial of a device that is known."""
    row = conn.execute(LOAD_SERIAL, (device_id,)).fetchone()
    assert row is not None
    return str(row[0])
