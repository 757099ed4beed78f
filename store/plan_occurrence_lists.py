"""Lists of occurrences of maintenance plans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class PlanOccurrence:
    """One time that planned work is due at one device."""

    id: int
    code: str
    plan: str
    plan_name: str
    order_type: str
    kind: str
    serial: str
    customer: str | None
    site: str | None
    time_zone: str
    number: int
    state: str
    due_on: date | None
    usage_target: float | None
    usage_total: float | None
    work_order: str | None
    work_order_state: str | None
    done_on: date | None
    skip_request: str | None
    skip_reason: str
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


# What is not due by a date yet comes last; what an ended plan never opened is no occurrence any more.
LOAD_OCCURRENCES = """
    SELECT o.id, o.code, p.code AS plan, p.name AS plan_name, p.order_type, p.kind, d.serial, c.code AS customer,
        s.code AS site, coalesce(s.time_zone, 'UTC') AS time_zone, o.number, o.state, o.due_on, o.usage_target,
        coalesce(u.total, o.usage_total) AS usage_total, w.code AS work_order, w.state AS work_order_state, o.done_on,
        o.skip_request, o.skip_reason, o.is_simulated, o.row_version, o.created_at, o.updated_at
    FROM (
        SELECT o.* FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id
        WHERE (p.state = 'ACTIVE' OR o.work_order_id IS NOT NULL OR o.state = 'SKIPPED') AND {condition}
        ORDER BY coalesce(o.due_on, '9999-12-31'::date), o.id LIMIT %(limit)s
    ) AS o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN customer c ON c.id = s.customer_id
    LEFT JOIN work_order w ON w.id = surviving_order(o.work_order_id)
    LEFT JOIN device_usage u ON u.device_id = d.id AND u.sensor = p.usage_sensor
        AND o.state IN ('UPCOMING', 'DUE', 'OVERDUE')
    ORDER BY coalesce(o.due_on, '9999-12-31'::date), o.id
"""
# On the occurrence itself, so that the server can walk the list's index and stop at the end of the page.
CONDITIONS = {
    "plan": "o.plan_id = (SELECT x.id FROM maintenance_plan x WHERE x.code = %(plan)s)",
    "serial": "o.device_id = (SELECT x.id FROM device x WHERE x.serial = %(serial)s)",
    "states": "o.state = ANY (%(states)s)",
    "customer_id": """o.device_id IN (SELECT x.id FROM device x JOIN site y ON y.id = x.site_id
        WHERE y.customer_id = %(customer_id)s)""",
    "after_id": "(coalesce(o.due_on, '9999-12-31'::date), o.id) > (%(after_on)s::date, %(after_id)s::bigint)",
}


def load_plan_occurrences(
    conn: Connection,
    *,
    plan: str = "",
    serial: str = "",
    states: Sequence[str] = (),
    customer_id: int | None,
    after: tuple[date, int] | None = None,
    limit: int,
) -> list[PlanOccurrence]:
    """Occurrences, the one that is due first at the top; `after` is (due_on or 9999-12-31, id) of the last one seen."""
    after_on, after_id = after or (None, None)
    asked = {"plan": plan, "serial": serial, "states": list(states), "customer_id": customer_id, "after_id": after_id}
    conditions = [CONDITIONS[name] for name, value in asked.items() if value not in ("", [], None)]
    query = LOAD_OCCURRENCES.format(condition=" AND ".join(conditions) or "true")
    with conn.cursor(row_factory=class_row(PlanOccurrence)) as cursor:
        # Which index is best depends on what is asked for: each is planned anew.
        return cursor.execute(query.encode(), asked | {"after_on": after_on, "limit": limit}, prepare=False).fetchall()
