"""Work orders that a person opens for a device: order, outbox and audit in the caller's one transaction."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_work_order import order_opened
from domain.errors import NotFoundError
from domain.tickets import Priority
from domain.work_order import WorkOrder, WorkOrderSource, WorkOrderType
from store.audit import record_audit
from store.outbox import record_events
from store.pool import Connection
from store.work_order_transitions import make_order_event
from store.work_orders import WorkOrderDraft, open_work_order


@dataclass(frozen=True, slots=True)
class _DeviceOfOrder:
    id: int
    device_model_id: int
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    region: str
    is_simulated: bool


LOAD_DEVICE_OF_ORDER = """
    SELECT d.id, d.device_model_id, d.site_id, s.customer_id, d.region, d.is_simulated,
        (SELECT c.id FROM service_contract c WHERE c.customer_id = s.customer_id AND c.status = 'ACTIVE'
            AND current_date BETWEEN c.starts_on AND c.ends_on ORDER BY c.ends_on DESC LIMIT 1) AS contract_id
    FROM device d LEFT JOIN site s ON s.id = d.site_id WHERE d.serial = %s
"""


def open_manual_order(
    conn: Connection,
    actor: Actor,
    serial: str,
    *,
    type_: WorkOrderType,
    priority: Priority,
    fault_group: str,
    description: str,
    now: datetime,
    source: WorkOrderSource = WorkOrderSource.MANUAL,
) -> WorkOrder:
    """A new order that a person opened for a device; later breaches of its fault group join it (rule 4).

    Raises
    ------
    NotFoundError
        There is no device of that serial.
    """
    with conn.cursor(row_factory=class_row(_DeviceOfOrder)) as cursor:
        device = cursor.execute(LOAD_DEVICE_OF_ORDER, (serial,)).fetchone()
    if device is None:
        raise NotFoundError(serial)
    draft = WorkOrderDraft(
        type=type_,
        source=source,
        priority=priority,
        device_id=device.id,
        gateway_id=None,
        site_id=device.site_id,
        customer_id=device.customer_id,
        contract_id=device.contract_id,
        fault_group=fault_group,
        title_code="manual_order",
        title_params={"serial": serial, "fault_group": fault_group},
        created_by=actor.name,
        created_at=now,
        region=device.region,
        is_simulated=device.is_simulated,
        description=description,
    )
    order = open_work_order(conn, draft)
    assert order is not None  # the unique indexes are about automatic orders
    record_events(conn, make_order_event("workorder.opened", order, serial, now))
    after = {"serial": serial, "type": type_, "priority": priority, "fault_group": fault_group, "state": order.state}
    record_audit(conn, actor, order_opened(order.code, after, description))
    return order
