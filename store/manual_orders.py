"""Work orders that a person opens for a device: order, outbox and audit in the caller's one transaction.

What a person reports joins by the rules that breaches join by (4 and 7): an open order of the device and fault group
takes it in, one that was closed lately is opened again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, dict_row

from domain.audit import Actor
from domain.audit_work_order import order_opened
from domain.audit_work_order_merge import order_joined_by_person, order_reopened_by_report
from domain.errors import GuardRefusedError, NotFoundError
from domain.sentences import in_both
from domain.tickets import Priority
from domain.work_order import Guard, InboxReason, Outcome, WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from domain.work_order_merge import FAULT_TYPES, REPORTED
from store.audit import record_audit
from store.fault_locks import lock_faults
from store.outbox import record_events
from store.pool import Connection
from store.profiles import load_profile
from store.sla_clocks import settle_clocks
from store.ticket_policies import load_ticket_policy
from store.triage_context import load_last_closed_orders
from store.work_order_notes import RECORD_NOTE
from store.work_order_transitions import (
    make_order_event,
    reopen,
)
from store.work_orders import (
    WORK_ORDER_COLUMNS,
    WorkOrderDraft,
    find_changes,
    lock_work_order,
    open_work_order,
    to_work_order,
    update_work_orders,
)


class ReportResult(StrEnum):
    """What became of a report."""

    OPENED = "OPENED"
    JOINED = "JOINED"
    REOPENED = "REOPENED"


@dataclass(frozen=True, slots=True)
class _DeviceOfOrder:
    id: int
    device_model_id: int
    model: str
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    region: str
    is_simulated: bool


LOAD_DEVICE_OF_ORDER = """
    SELECT d.id, d.device_model_id, m.key AS model, d.site_id, s.customer_id, d.region, d.is_simulated,
        (SELECT c.id FROM service_contract c WHERE c.customer_id = s.customer_id AND c.status = 'ACTIVE'
            AND (%(now)s::timestamptz AT TIME ZONE 'UTC')::date BETWEEN c.starts_on AND c.ends_on
            AND contract_covers(c, d.id)
            ORDER BY c.ends_on DESC LIMIT 1) AS contract_id
    FROM device d JOIN device_model m ON m.id = d.device_model_id LEFT JOIN site s ON s.id = d.site_id
    WHERE d.serial = %(serial)s
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
    recurrence_of: int | None = None,
) -> WorkOrder:
    """A new order that a person opened for a device, whatever is open; later breaches of its fault group join it
    (rule 4). A report of a fault goes through `report_fault`, which joins.

    Raises
    ------
    NotFoundError
        There is no device of that serial.
    """
    device = _load_device(conn, serial, now)
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
        title_params={"serial": serial, "fault_group": fault_group, **_name_fault(conn, device.model, fault_group)},
        created_by=actor.name,
        created_at=now,
        region=device.region,
        is_simulated=device.is_simulated,
        description=description,
        recurrence_of=recurrence_of,
    )
    order = open_work_order(conn, draft)
    assert order is not None  # the unique indexes are about automatic orders
    record_events(conn, make_order_event("workorder.opened", order, serial, now))
    after = {"serial": serial, "type": type_, "priority": priority, "fault_group": fault_group, "state": order.state}
    record_audit(conn, actor, order_opened(order.code, after, description))
    return order


def _name_fault(conn: Connection, model: str, fault_group: str) -> dict[str, dict[str, str]]:
    """What the profile calls the fault group, as a parameter; nothing where it has none of that key."""
    profile = load_profile(conn, model)
    group = None if profile is None else profile.find_fault_group(fault_group)
    return {} if group is None else {"fault_name": in_both(group.label)}


def _load_device(conn: Connection, serial: str, now: datetime) -> _DeviceOfOrder:
    with conn.cursor(row_factory=class_row(_DeviceOfOrder)) as cursor:
        device = cursor.execute(LOAD_DEVICE_OF_ORDER, {"serial": serial, "now": now}).fetchone()
    if device is None:
        raise NotFoundError(serial)
    return device


# By the order's own key, or by that of one that went up in it; an automatic one before others, then the oldest.
LOCK_ORDER_OF_FAULT = f"""
    SELECT {WORK_ORDER_COLUMNS} FROM work_order w
    WHERE w.type IN ('CORRECTIVE', 'PREDICTIVE') AND w.state NOT IN ('CLOSED', 'CANCELLED') AND w.id IN (
        SELECT surviving_order(o.id) FROM work_order o
        WHERE o.device_id = %(device_id)s AND o.fault_group = %(fault_group)s
            AND (o.state NOT IN ('CLOSED', 'CANCELLED') OR o.merged_into_id IS NOT NULL))
    ORDER BY (w.source <> 'AUTOMATIC'), w.id LIMIT 1 FOR UPDATE
"""  # noqa: S608


def report_fault(
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
) -> tuple[WorkOrder, ReportResult]:
    """The order that takes care of what a person reported, and whether it is new, was open, or is open again.

    Planned work (of another type than CORRECTIVE or PREDICTIVE) is always an order of its own.

    Raises
    ------
    NotFoundError
        There is no device of that serial.
    """
    recurrence_of = None
    if type_ in FAULT_TYPES:
        device = _load_device(conn, serial, now)
        # The arbiter between people who report at once, and between them and the machine.
        lock_faults(conn, [device.id])
        with conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                LOCK_ORDER_OF_FAULT.encode(), {"device_id": device.id, "fault_group": fault_group}
            ).fetchone()
        if row is not None:
            return _join(conn, actor, serial, to_work_order(row), priority, description, now), ReportResult.JOINED
        key = (device.id, fault_group)
        closed = load_last_closed_orders(conn, {key}).get(key)
        if closed is not None and closed.closed_at is not None and closed.outcome is not Outcome.FALSE_ALARM:
            policy = load_ticket_policy(conn, device.device_model_id)
            if now - closed.closed_at <= timedelta(days=policy.reopen_days):
                reopened = _reopen(conn, actor, serial, closed, priority, description, now)
                return reopened, ReportResult.REOPENED
            recurrence_of = closed.id
    order = open_manual_order(
        conn,
        actor,
        serial,
        type_=type_,
        priority=priority,
        fault_group=fault_group,
        description=description,
        now=now,
        source=source,
        recurrence_of=recurrence_of,
    )
    return order, ReportResult.OPENED


def _join(
    conn: Connection,
    actor: Actor,
    serial: str,
    before: WorkOrder,
    priority: Priority,
    description: str,
    now: datetime,
) -> WorkOrder:
    """The priority is raised and never lowered; work that was reported done goes on; the quiet period begins anew."""
    after = replace(
        before, quiet_since=None if before.quiet_since is None else now, ready_to_verify_at=None, updated_at=now
    )
    if before.state in REPORTED:
        after = replace(
            after,
            state=WorkOrderState.IN_PROGRESS,
            resolved_at=None,
            outcome=None,
            failure_code=None,
            inbox_reason=InboxReason.CAME_BACK,
        )
    if priority.is_above(before.priority):
        after = replace(after, priority=priority, inbox_reason=after.inbox_reason or InboxReason.ESCALATED)
    after = _write(conn, actor, before, after, description, now)
    record_events(conn, make_order_event("workorder.joined", after, serial, now, reported=True))
    record_audit(conn, actor, order_joined_by_person(after.code, *find_changes(before, after), description))
    return after


def _reopen(
    conn: Connection, actor: Actor, serial: str, closed: WorkOrder, priority: Priority, description: str, now: datetime
) -> WorkOrder:
    before = lock_work_order(conn, closed.code, None)
    if before.state is not WorkOrderState.CLOSED:  # somebody reopened it at this moment
        return _join(conn, actor, serial, before, priority, description, now)
    after = reopen(before, None, None)
    kept = priority if priority.is_above(before.priority) else before.priority
    after = replace(after, priority=kept, inbox_reason=InboxReason.REOPENED, updated_at=now)
    after = _write(conn, actor, before, after, description, now)
    record_events(conn, make_order_event("workorder.reopened", after, serial, now, reported=True))
    record_audit(conn, actor, order_reopened_by_report(after.code, *find_changes(before, after), description))
    return after


def _write(
    conn: Connection, actor: Actor, before: WorkOrder, after: WorkOrder, description: str, now: datetime
) -> WorkOrder:
    after = settle_clocks(conn, before, after, now)
    try:
        with conn.transaction():
            update_work_orders(conn, [after])
    except UniqueViolation as error:
        # Between the look and the reopening the machine opened another order of the key: the next try joins that.
        raise GuardRefusedError(Guard.OPEN_ORDER_OF_KEY, "another order for this fault was opened just now") from error
    conn.execute(RECORD_NOTE, (after.id, now, actor.name, description))
    return replace(after, row_version=before.row_version + 1)
