"""What else is open at one customer or one device, as short lines: field actions, CAPAs, complaints, breaches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from store.overview_scope import OverviewScope
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ItemLine:
    """A device in a field action."""

    action: str
    kind: str
    title: str
    action_state: str
    is_halted: bool
    serial: str
    state: str
    state_since: datetime
    scheduled_for: datetime | None
    work_order: str | None
    total: int


# What is only planned is nobody's business yet but of those who plan it.
_ITEMS = """
    SELECT a.code AS action, a.kind, a.title, a.state AS action_state, a.halted_at IS NOT NULL AS is_halted, d.serial,
        i.state, i.state_since, i.scheduled_for, w.code AS work_order, count(*) OVER ()::integer AS total
    FROM field_action_item i JOIN field_action a ON a.id = i.field_action_id JOIN device d ON d.id = i.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN work_order w ON w.id = i.work_order_id
    WHERE {whose} AND a.is_simulated = %(is_simulated)s AND a.state {states}
        AND (%(own_customer_id)s::bigint IS NULL OR s.customer_id = %(own_customer_id)s)
    ORDER BY array_position(ARRAY['RECALL', 'CORRECTION', 'FIRMWARE'], a.kind), a.id DESC, d.serial LIMIT %(limit)s
"""
LOAD_ITEMS_OF_CUSTOMER = _ITEMS.format(
    whose="d.site_id IN (SELECT id FROM site WHERE customer_id = %(customer_id)s)"
    " AND i.state NOT IN ('VERIFIED', 'SCRAPPED')",
    states="IN ('NOTIFYING', 'EXECUTING', 'EFFECTIVENESS')",
)
LOAD_ITEMS_OF_DEVICE = _ITEMS.format(whose="i.device_id = %(device_id)s", states="NOT IN ('DRAFT', 'APPROVED')")


def load_item_lines(conn: Connection, scope: OverviewScope) -> list[ItemLine]:
    """The customer's devices that running field actions have still to do with; of a device all that it ever was in."""
    query = scope.pick(LOAD_ITEMS_OF_CUSTOMER, LOAD_ITEMS_OF_DEVICE)
    with conn.cursor(row_factory=class_row(ItemLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class CapaLine:
    """An open CAPA, and how many of its orders are of this customer or device."""

    code: str
    kind: str
    state: str
    scope_kind: str
    scope_value: str
    model: str
    fault_group: str
    orders: int
    created_at: datetime
    total: int


_CAPAS = """
    SELECT q.code, q.kind, q.state, q.scope_kind, q.scope_value, m.key AS model, q.fault_group, t.orders, q.created_at,
        count(*) OVER ()::integer AS total
    FROM capa q JOIN device_model m ON m.id = q.device_model_id
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS orders FROM capa_member y JOIN work_order w ON w.id = y.work_order_id
        WHERE y.capa_id = q.id AND y.excluded_reason IS NULL AND {whose}
            AND (%(own_customer_id)s::bigint IS NULL OR w.customer_id = %(own_customer_id)s)
    ) t
    WHERE q.state NOT IN ('REJECTED', 'CLOSED') AND q.is_simulated = %(is_simulated)s AND t.orders > 0
    ORDER BY q.id DESC LIMIT %(limit)s
"""
LOAD_CAPAS_OF_CUSTOMER = _CAPAS.format(whose="w.customer_id = %(customer_id)s")
LOAD_CAPAS_OF_DEVICE = _CAPAS.format(whose="w.device_id = %(device_id)s")


def load_capa_lines(conn: Connection, scope: OverviewScope) -> list[CapaLine]:
    """The open CAPAs that orders of the customer or device belong to, newest first."""
    query = scope.pick(LOAD_CAPAS_OF_CUSTOMER, LOAD_CAPAS_OF_DEVICE)
    with conn.cursor(row_factory=class_row(CapaLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class ComplaintLine:
    """A complaint, without who complained."""

    code: str
    state: str
    severity: str
    received_at: datetime
    serial: str | None
    fault_group: str | None
    work_order: str | None
    closed_at: datetime | None
    total: int


_COMPLAINTS = """
    SELECT x.code, x.state, x.severity, x.received_at, d.serial, x.fault_group, w.code AS work_order, x.closed_at,
        count(*) OVER ()::integer AS total
    FROM complaint x LEFT JOIN device d ON d.id = x.device_id
    LEFT JOIN work_order w ON w.id = surviving_order(x.work_order_id)
    WHERE {whose} AND x.is_simulated = %(is_simulated)s
        AND (%(own_customer_id)s::bigint IS NULL OR x.customer_id = %(own_customer_id)s)
    ORDER BY x.state = 'CLOSED', array_position(ARRAY['CRITICAL', 'MAJOR', 'MINOR'], x.severity), x.received_at DESC,
        x.id DESC LIMIT %(limit)s
"""
LOAD_COMPLAINTS_OF_CUSTOMER = _COMPLAINTS.format(whose="x.customer_id = %(customer_id)s AND x.state <> 'CLOSED'")
LOAD_COMPLAINTS_OF_DEVICE = _COMPLAINTS.format(whose="x.device_id = %(device_id)s")


def load_complaint_lines(conn: Connection, scope: OverviewScope) -> list[ComplaintLine]:
    """The customer's open complaints, the worst first; of a device all, the closed ones last."""
    query = scope.pick(LOAD_COMPLAINTS_OF_CUSTOMER, LOAD_COMPLAINTS_OF_DEVICE)
    with conn.cursor(row_factory=class_row(ComplaintLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class BreachLine:
    """One active breach. `forecast` are the parameters of its newest step where it is a FORECAST."""

    id: UUID
    serial: str
    sensor: str | None
    monitor: str
    kind: str
    severity: str
    fault_group: str
    first_seen: datetime
    raised_at: datetime
    last_seen: datetime
    count: int
    reason_code: str
    params: Mapping[str, Any]
    is_acknowledged: bool
    is_shelved: bool
    work_orders: list[str]
    forecast_at: datetime
    forecast: Mapping[str, Any]
    total: int


LOAD_BREACHES_OF_DEVICE = """
    SELECT b.id, d.serial, r.sensor, b.monitor, b.kind, b.severity, b.fault_group, b.first_seen, b.raised_at,
        b.last_seen, b.count, b.reason_code, b.params, b.acknowledged_at IS NOT NULL AS is_acknowledged,
        EXISTS (SELECT FROM shelving h WHERE h.device_id = d.id AND h.ended_at IS NULL AND h.shelved_until > %(now)s
            AND (h.fault_group IS NULL OR h.fault_group = b.fault_group)) AS is_shelved,
        ARRAY(SELECT w.code FROM work_order_breach wb JOIN work_order w ON w.id = wb.work_order_id
            WHERE wb.breach_id = b.id AND (%(own_customer_id)s::bigint IS NULL OR w.customer_id = %(own_customer_id)s)
            ORDER BY w.id) AS work_orders,
        coalesce(t.at, b.raised_at) AS forecast_at, coalesce(t.params, b.params) AS forecast,
        count(*) OVER ()::integer AS total
    FROM breach b JOIN device d ON d.id = b.device_id LEFT JOIN series r ON r.id = b.series_id
    LEFT JOIN LATERAL (SELECT t.at, t.params FROM breach_transition t
        WHERE b.kind = 'FORECAST' AND t.breach_id = b.id AND t.params ? 'hours_to_limit'
        ORDER BY t.at DESC LIMIT 1) t ON true
    WHERE b.device_id = %(device_id)s AND b.state = 'ACTIVE'
    ORDER BY array_position(ARRAY['CRITICAL', 'MAJOR', 'MINOR', 'INFO'], b.severity), b.raised_at, b.id LIMIT %(limit)s
"""


def load_breach_lines(conn: Connection, scope: OverviewScope, now: datetime) -> list[BreachLine]:
    """The device's active breaches, the worst first."""
    with conn.cursor(row_factory=class_row(BreachLine)) as cursor:
        return cursor.execute(LOAD_BREACHES_OF_DEVICE, scope.to_values(now=now)).fetchall()
