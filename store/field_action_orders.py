"""Visits of a field action: a work order for each device that somebody must go to, joined where one is open already."""

from dataclasses import dataclass, replace
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor, AuditEntry
from domain.audit_field_action import visit_joined
from domain.audit_work_order import order_opened
from domain.field_action import FieldAction, FieldActionKind
from domain.field_action_item import FieldActionItem
from domain.tickets import Priority
from domain.work_order import WorkOrderSource, WorkOrderType
from store.outbox import record_events
from store.pool import Connection
from store.work_order_transitions import make_order_event
from store.work_orders import WorkOrderDraft, open_work_order

FAULT_GROUP = "field_action"  # no fault: no breach ever joins such an order


@dataclass(frozen=True, slots=True)
class _Place:
    device_id: int
    device_model_id: int
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    region: str
    is_simulated: bool


# The device's row is the arbiter between two actions that send somebody to it at once.
LOCK_PLACE = """
    SELECT d.id AS device_id, d.device_model_id, d.site_id, s.customer_id, d.region, d.is_simulated,
        (SELECT c.id FROM service_contract c WHERE c.customer_id = s.customer_id AND c.status = 'ACTIVE'
            AND (%(now)s::timestamptz AT TIME ZONE 'UTC')::date BETWEEN c.starts_on AND c.ends_on
            AND contract_covers(c, d.id)
            ORDER BY c.ends_on DESC LIMIT 1) AS contract_id
    FROM device d LEFT JOIN site s ON s.id = d.site_id WHERE d.id = %(device_id)s FOR NO KEY UPDATE OF d
"""
FIND_OPEN_VISIT = """
    SELECT id, code, state FROM work_order
    WHERE device_id = %s AND fault_group = %s AND type = %s
        AND state NOT IN ('WORK_DONE', 'VERIFIED', 'CLOSED', 'CANCELLED')
    ORDER BY id LIMIT 1
"""


def open_or_join_visit(
    conn: Connection, actor: Actor, action: FieldAction, item: FieldActionItem, now: datetime
) -> tuple[FieldActionItem, list[AuditEntry]]:
    """The item with its work order, and what the audit is to say of that: an item has one as long as it is not
    cancelled, and an open visit of another action to the same device is joined.

    The caller holds the action's lock, and writes the item and then the audit. Raising a joined order's priority is
    left to people.
    """
    if item.work_order_id is not None and item.work_order_state != "CANCELLED":
        return item, []
    with conn.cursor(row_factory=class_row(_Place)) as cursor:
        place = cursor.execute(LOCK_PLACE, {"device_id": item.device_id, "now": now}).fetchone()
    assert place is not None
    type_ = WorkOrderType.FIRMWARE if action.kind is FieldActionKind.FIRMWARE else WorkOrderType.RECALL
    known = conn.execute(FIND_OPEN_VISIT, (item.device_id, FAULT_GROUP, type_.value)).fetchone()
    if known is not None:
        joined = replace(item, work_order_id=known[0], work_order_code=known[1], work_order_state=known[2])
        return joined, [visit_joined(known[1], action.code, item.serial)]
    priority = Priority(action.priority)
    order = open_work_order(
        conn,
        WorkOrderDraft(
            type=type_,
            source=WorkOrderSource.MANUAL,
            priority=priority,
            device_id=place.device_id,
            gateway_id=None,
            site_id=place.site_id,
            customer_id=place.customer_id,
            contract_id=place.contract_id,
            fault_group=FAULT_GROUP,
            title_code="field_action_visit",
            title_params={"serial": item.serial, "action": action.code, "title": action.title},
            created_by=actor.name,
            created_at=now,
            region=place.region,
            is_simulated=place.is_simulated,
            description=action.instructions,
        ),
    )
    assert order is not None  # the unique indexes are about automatic orders
    record_events(conn, make_order_event("workorder.opened", order, item.serial, now, field_action=action.code))
    opened = replace(item, work_order_id=order.id, work_order_code=order.code, work_order_state=order.state.value)
    after = {"serial": item.serial, "type": type_, "priority": priority, "field_action": action.code}
    return opened, [order_opened(order.code, after | {"state": order.state}, action.instructions)]
