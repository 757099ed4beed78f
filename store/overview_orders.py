"""Work at one customer or one device as short lines: orders, their SLA clocks, what is planned. Each line says how many
there are in all, so that a page that shows few hides none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from store.overview_scope import OverviewScope
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One work order."""

    code: str
    type: str
    source: str
    priority: str
    state: str
    hold_reason: str | None
    fault_group: str
    title_code: str
    title_params: Mapping[str, Any]
    serial: str | None
    site: str | None
    assignee: str | None
    assignee_name: str | None
    breach_count: int
    reopen_count: int
    recurrence_of: str | None
    outcome: str | None
    failure_code: str | None
    response_due_at: datetime | None
    resolution_due_at: datetime | None
    created_at: datetime
    closed_at: datetime | None
    total: int


_ORDERS = """
    SELECT w.code, w.type, w.source, w.priority, w.state, w.hold_reason, w.fault_group, w.title_code, w.title_params,
        d.serial, s.code AS site, u.name AS assignee, u.full_name AS assignee_name, w.breach_count, w.reopen_count,
        r.code AS recurrence_of, w.outcome, w.failure_code, w.response_due_at, w.resolution_due_at, w.created_at,
        w.closed_at, count(*) OVER ()::integer AS total
    FROM work_order w LEFT JOIN device d ON d.id = w.device_id LEFT JOIN site s ON s.id = w.site_id
    LEFT JOIN app_user u ON u.id = w.assignee_id LEFT JOIN work_order r ON r.id = w.recurrence_of
    WHERE {whose} AND w.is_simulated = %(is_simulated)s
        AND (%(own_customer_id)s::bigint IS NULL OR w.customer_id = %(own_customer_id)s)
        AND w.state {states}
    ORDER BY {order} LIMIT %(limit)s
"""
_OF_CUSTOMER, _OF_DEVICE = "w.customer_id = %(customer_id)s", "w.device_id = %(device_id)s"
_OPEN = {"states": "NOT IN ('CLOSED', 'CANCELLED')", "order": "w.priority, w.created_at, w.id"}
_ENDED = {"states": "IN ('CLOSED', 'CANCELLED')", "order": "w.created_at DESC, w.id DESC"}
LOAD_OPEN_OF_CUSTOMER = _ORDERS.format(whose=_OF_CUSTOMER, **_OPEN)
LOAD_OPEN_OF_DEVICE = _ORDERS.format(whose=_OF_DEVICE, **_OPEN)
LOAD_ENDED_OF_DEVICE = _ORDERS.format(whose=_OF_DEVICE, **_ENDED)


def load_open_orders(conn: Connection, scope: OverviewScope) -> list[OrderLine]:
    """The orders that are not closed, the most urgent first."""
    query = scope.pick(LOAD_OPEN_OF_CUSTOMER, LOAD_OPEN_OF_DEVICE)
    with conn.cursor(row_factory=class_row(OrderLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(), prepare=False).fetchall()


def load_past_orders_of_device(conn: Connection, scope: OverviewScope) -> list[OrderLine]:
    """The orders of the device that are closed or cancelled, newest first."""
    with conn.cursor(row_factory=class_row(OrderLine)) as cursor:
        return cursor.execute(LOAD_ENDED_OF_DEVICE.encode(), scope.to_values(), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class ClockLine:
    """One SLA clock of an open order, as of now: a running one whose time is over has breached."""

    work_order: str
    priority: str
    serial: str | None
    clock: str
    state: str
    started_at: datetime
    due_at: datetime | None
    due_soon_at: datetime | None
    paused_since: datetime | None
    pause_reason: str
    breached_at: datetime | None
    total: int


_CLOCKS = """
    SELECT w.code AS work_order, w.priority, d.serial, k.clock,
        CASE WHEN k.state = 'RUNNING' AND k.due_at < %(now)s THEN 'BREACHED' ELSE k.state END AS state, k.started_at,
        k.due_at, k.due_soon_at, k.paused_since, k.pause_reason,
        CASE WHEN k.state = 'RUNNING' AND k.due_at < %(now)s THEN k.due_at ELSE k.breached_at END AS breached_at,
        count(*) OVER ()::integer AS total
    FROM work_order w JOIN sla_clock k ON k.work_order_id = w.id AND k.version = w.version
    LEFT JOIN device d ON d.id = w.device_id
    WHERE {whose} AND w.state NOT IN ('CLOSED', 'CANCELLED') AND w.is_simulated = %(is_simulated)s
        AND (%(own_customer_id)s::bigint IS NULL OR w.customer_id = %(own_customer_id)s)
        AND k.state IN ('RUNNING', 'PAUSED', 'BREACHED') AND k.waived_at IS NULL
    ORDER BY coalesce(k.due_at, k.breached_at, 'infinity'), w.id, k.clock LIMIT %(limit)s
"""
LOAD_CLOCKS_OF_CUSTOMER = _CLOCKS.format(whose=_OF_CUSTOMER)
LOAD_CLOCKS_OF_DEVICE = _CLOCKS.format(whose=_OF_DEVICE)


def load_clock_lines(conn: Connection, scope: OverviewScope, now: datetime) -> list[ClockLine]:
    """The clocks of open orders that run, stand still or have breached; the one due first at the top."""
    query = scope.pick(LOAD_CLOCKS_OF_CUSTOMER, LOAD_CLOCKS_OF_DEVICE)
    with conn.cursor(row_factory=class_row(ClockLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(now=now), prepare=False).fetchall()


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One time that planned work is due."""

    occurrence: str
    plan: str
    plan_name: str
    order_type: str
    kind: str
    serial: str
    state: str
    due_on: date | None
    work_order: str | None
    today: date  # where the device stands
    total: int


_PLANNED = """
    SELECT o.code AS occurrence, p.code AS plan, p.name AS plan_name, p.order_type, p.kind, d.serial, o.state, o.due_on,
        w.code AS work_order, (%(now)s::timestamptz AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date AS today,
        count(*) OVER ()::integer AS total
    FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN work_order w ON w.id = surviving_order(o.work_order_id)
    WHERE {whose} AND d.is_simulated = %(is_simulated)s AND d.lifecycle <> 'DECOMMISSIONED'
        AND (p.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)
    ORDER BY coalesce(o.due_on, '9999-12-31'), o.id LIMIT %(limit)s
"""
LOAD_PLANNED_OF_CUSTOMER = _PLANNED.format(
    whose="s.customer_id = %(customer_id)s AND p.order_type = 'PREVENTIVE' AND (o.state IN ('DUE', 'OVERDUE')"
    " OR (o.state = 'UPCOMING' AND o.due_on <= %(now)s::timestamptz::date + 30))"
)
LOAD_PLANNED_OF_DEVICE = _PLANNED.format(
    whose="o.device_id = %(device_id)s AND o.state IN ('UPCOMING', 'DUE', 'OVERDUE')"
)


def load_planned_lines(conn: Connection, scope: OverviewScope, now: datetime) -> list[PlannedLine]:
    """The customer's maintenance that is due, overdue or comes within 30 days; of a device all planned work that is
    open, calibration too. What is due first is at the top.
    """
    query = scope.pick(LOAD_PLANNED_OF_CUSTOMER, LOAD_PLANNED_OF_DEVICE)
    with conn.cursor(row_factory=class_row(PlannedLine)) as cursor:
        return cursor.execute(query.encode(), scope.to_values(now=now), prepare=False).fetchall()
