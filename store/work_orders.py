"""Work orders as rows: opening one, locking one, writing one back. domain/work_order.py decides what may change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.errors import NotFoundError, RowVersionConflictError
from domain.sla import Clocks, start_clocks
from domain.sla_changes import find_start
from domain.tickets import Priority
from domain.work_order import (
    HoldReason,
    InboxReason,
    Outcome,
    WorkOrder,
    WorkOrderSource,
    WorkOrderState,
    WorkOrderType,
)
from store.audit import to_jsonb
from store.pool import Connection
from store.sla_clocks import record_clock_changes
from store.sla_terms import load_order_terms

WORK_ORDER_COLUMNS = ", ".join(f"w.{f.name}" for f in fields(WorkOrder))
OPEN_STATES = tuple(s.value for s in WorkOrderState if s.is_open)
_NULLABLE_ENUMS: dict[str, type] = {"hold_reason": HoldReason, "outcome": Outcome, "inbox_reason": InboxReason}


def to_work_order(row: Mapping[str, Any]) -> WorkOrder:
    """The record of a row that has WORK_ORDER_COLUMNS (more are let be)."""
    values = {f.name: row[f.name] for f in fields(WorkOrder)}
    for name, kind in _NULLABLE_ENUMS.items():
        values[name] = None if values[name] is None else kind(values[name])
    values["type"] = WorkOrderType(row["type"])
    values["source"] = WorkOrderSource(row["source"])
    values["priority"] = Priority(row["priority"])
    values["state"] = WorkOrderState(row["state"])
    return WorkOrder(**values)


@dataclass(frozen=True, slots=True)
class WorkOrderDraft:
    """All that must be known to open an order. At least one of device, gateway and site."""

    type: WorkOrderType
    source: WorkOrderSource
    priority: Priority
    device_id: int | None
    gateway_id: int | None
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    fault_group: str
    title_code: str
    title_params: Mapping[str, Any]
    created_by: str
    created_at: datetime
    region: str = ""
    is_simulated: bool = False
    clocks: Clocks | None = None  # who gives them records their start as well; None: both is done here
    description: str = ""
    breach_count: int = 0
    last_breach_at: datetime | None = None
    recurrence_of: int | None = None
    parent_id: int | None = None
    external_refs: list[Mapping[str, str]] = field(default_factory=list)


# The unique indexes are the arbiter: where an open automatic order of the key exists, nothing is inserted.
OPEN_WORK_ORDER = f"""
    INSERT INTO work_order AS w (code, type, source, priority, state, device_id, gateway_id, site_id, customer_id,
        contract_id, fault_group, title_code, title_params, description, breach_count, last_breach_at, recurrence_of,
        parent_id, response_due_at, resolution_due_at, inbox_reason, region, external_refs, is_simulated, created_by,
        created_at, updated_at)
    VALUES (
        'WO-' || extract(year FROM %(created_at)s::timestamptz)::text || '-'
            || to_char(nextval('work_order_number'), 'FM9999999999000000'),
        %(type)s, %(source)s, %(priority)s, 'NEW', %(device_id)s, %(gateway_id)s, %(site_id)s, %(customer_id)s,
        %(contract_id)s, %(fault_group)s, %(title_code)s, %(title_params)s, %(description)s, %(breach_count)s,
        %(last_breach_at)s, %(recurrence_of)s, %(parent_id)s, %(response_due_at)s, %(resolution_due_at)s, 'NEW',
        %(region)s, %(external_refs)s, %(is_simulated)s, %(created_by)s, %(created_at)s, %(created_at)s)
    ON CONFLICT DO NOTHING
    RETURNING {WORK_ORDER_COLUMNS}
"""  # noqa: S608


def open_work_order(conn: Connection, draft: WorkOrderDraft) -> WorkOrder | None:
    """The order that was opened, or None where an open automatic one of the same key exists (committed by whomever).

    Its SLA clocks run from `created_at`. Writes neither audit nor outbox: the caller does, in the same transaction.
    """
    terms = None
    clocks = draft.clocks
    if clocks is None:
        terms = load_order_terms(
            conn,
            device_id=draft.device_id,
            site_id=draft.site_id,
            contract_id=draft.contract_id,
            priority=draft.priority,
        )
        clocks = start_clocks(terms, draft.created_at)
    values = {f.name: getattr(draft, f.name) for f in fields(draft)}
    values |= {
        "title_params": to_jsonb(draft.title_params),
        "external_refs": to_jsonb(draft.external_refs),
        "response_due_at": clocks.response_due_at,
        "resolution_due_at": clocks.resolution_due_at,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(OPEN_WORK_ORDER, values).fetchone()
    if row is None:
        return None
    order = to_work_order(row)
    if terms is not None:
        record_clock_changes(conn, find_start(order, terms, draft.created_at))
    return order


LOAD_WORK_ORDER = f"SELECT {WORK_ORDER_COLUMNS} FROM work_order w WHERE w.code = %s"  # noqa: S608


def load_work_order(conn: Connection, code: str) -> WorkOrder | None:
    """The order of that code, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_WORK_ORDER, (code,)).fetchone()
    return None if row is None else to_work_order(row)


LOCK_WORK_ORDER = LOAD_WORK_ORDER + " FOR UPDATE"


def lock_work_order(conn: Connection, code: str, expected_row_version: int | None) -> WorkOrder:
    """The order of that code, locked until the transaction ends.

    Raises
    ------
    NotFoundError
        There is none.
    RowVersionConflictError
        It is not at `expected_row_version` (None: whatever it is at).
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOCK_WORK_ORDER, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    order = to_work_order(row)
    if expected_row_version is not None and order.row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {order.row_version}, not {expected_row_version}.")
    return order


# What may change in an order once it is open; who it is for, and why it opened, never does.
MUTABLE_COLUMNS = (
    "priority", "state", "hold_reason", "assignee_id", "breach_count", "last_breach_at", "quiet_since",
    "ready_to_verify_at", "reopen_count", "version", "parent_id", "outcome", "failure_code", "close_out",
    "response_due_at", "resolution_due_at", "responded_at", "resolved_at", "response_breached", "resolution_breached",
    "inbox_reason", "closed_at", "cancel_reason", "merged_into_id", "updated_at",
)  # fmt: skip
# A clock that was set anew has not been warned of.
UPDATE_WORK_ORDER = f"""
    UPDATE work_order SET {", ".join(f"{name} = %({name})s" for name in MUTABLE_COLUMNS)},
        row_version = row_version + 1,
        response_warned = response_warned AND response_due_at IS NOT DISTINCT FROM %(response_due_at)s,
        resolution_warned = resolution_warned AND resolution_due_at IS NOT DISTINCT FROM %(resolution_due_at)s
    WHERE id = %(id)s
"""  # noqa: S608


def update_work_orders(conn: Connection, orders: Iterable[WorkOrder]) -> None:
    """Writes each order back as it stands in memory, one version up. The caller holds their locks."""
    rows = [_find_update(order) for order in orders]
    with conn.cursor() as cursor:
        cursor.executemany(UPDATE_WORK_ORDER, rows)


def _find_update(order: WorkOrder) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(order, name) for name in MUTABLE_COLUMNS}
    return values | {"id": order.id, "close_out": to_jsonb(order.close_out)}


def find_changes(before: WorkOrder, after: WorkOrder) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, as they were and as they are: what an audit event keeps."""
    names = [n for n in MUTABLE_COLUMNS if n != "updated_at" and getattr(before, n) != getattr(after, n)]
    return {n: getattr(before, n) for n in names}, {n: getattr(after, n) for n in names}
