"""Maintenance plans as rows: made and ended by people; `store.plan_occurrences` counts them out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_plan import plan_ended, plan_made
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.maintenance_plan import PlanDraft, PlanGuard, PlanState
from store.audit import record_audit, to_jsonb
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """One plan; `serial` None: of every installed device of the model."""

    id: int
    code: str
    name: str
    state: str
    order_type: str
    kind: str
    anchor: str
    model: str
    serial: str | None
    every_count: int | None
    every_unit: str | None
    usage_sensor: str | None
    usage_every: float | None
    fault_group: str | None
    lead_days: int
    priority: str
    instructions: str
    starts_on: date
    ended_at: datetime | None
    end_reason: str
    open_occurrences: int
    overdue_occurrences: int
    external_refs: list[dict[str, str]]
    region: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime


# Whose devices a plan is for, and what stands open, is told a customer of its own devices alone.
LOAD_PLANS = """
    SELECT p.id, p.code, p.name, p.state, p.order_type, p.kind, p.anchor, m.key AS model, d.serial, p.every_count,
        p.every_unit, p.usage_sensor, p.usage_every, p.fault_group, p.lead_days, p.priority, p.instructions,
        p.starts_on, p.ended_at, p.end_reason, n.open_occurrences, n.overdue_occurrences, p.external_refs, p.region,
        p.is_simulated, p.row_version, p.created_by, p.created_at, p.updated_at
    FROM maintenance_plan p JOIN device_model m ON m.id = p.device_model_id LEFT JOIN device d ON d.id = p.device_id
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS open_occurrences,
            (count(*) FILTER (WHERE o.state = 'OVERDUE'))::integer AS overdue_occurrences
        FROM plan_occurrence o
        WHERE o.plan_id = p.id AND o.state IN ('UPCOMING', 'DUE', 'OVERDUE')
            AND (p.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)
            AND (%(customer_id)s::bigint IS NULL OR o.device_id IN (
                SELECT e.id FROM device e JOIN site s ON s.id = e.site_id WHERE s.customer_id = %(customer_id)s))
    ) n
    WHERE (%(code)s = '' OR p.code = %(code)s) AND (%(model)s = '' OR m.key = %(model)s)
        AND (%(state)s = '' OR p.state = %(state)s) AND (%(before_id)s::bigint IS NULL OR p.id < %(before_id)s)
        AND (%(customer_id)s::bigint IS NULL OR EXISTS (
            SELECT FROM device e JOIN site s ON s.id = e.site_id WHERE e.device_model_id = p.device_model_id
                AND (p.device_id IS NULL OR e.id = p.device_id) AND s.customer_id = %(customer_id)s))
    ORDER BY p.id DESC LIMIT %(limit)s
"""


def load_maintenance_plans(
    conn: Connection,
    *,
    code: str = "",
    model: str = "",
    state: str = "",
    customer_id: int | None,
    before_id: int | None = None,
    limit: int,
) -> list[MaintenancePlan]:
    """Plans, the newest first."""
    values = {"code": code, "model": model, "state": state, "customer_id": customer_id, "before_id": before_id}
    with conn.cursor(row_factory=class_row(MaintenancePlan)) as cursor:
        # Planned for what is asked: without a customer nothing is looked up about whose devices they are.
        return cursor.execute(LOAD_PLANS, values | {"limit": limit}, prepare=False).fetchall()


def load_maintenance_plan(conn: Connection, code: str, *, customer_id: int | None) -> MaintenancePlan | None:
    """The plan of that code, if it concerns that customer."""
    found = load_maintenance_plans(conn, code=code, customer_id=customer_id, limit=1) if code else []
    return found[0] if found else None


RECORD_PLAN = """
    INSERT INTO maintenance_plan (code, name, state, order_type, kind, anchor, device_model_id, device_id, every_count,
        every_unit, usage_sensor, usage_every, fault_group, lead_days, priority, instructions, starts_on, external_refs,
        region, is_simulated, created_by, created_at, updated_at)
    SELECT 'MP-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('maintenance_plan_number'), 'FM9999999999000000'),
        %(name)s, 'ACTIVE', %(order_type)s, %(kind)s, %(anchor)s, m.id, d.id, %(every_count)s, %(every_unit)s,
        %(usage_sensor)s, %(usage_every)s, %(fault_group)s, %(lead_days)s, %(priority)s, %(instructions)s,
        %(starts_on)s, %(external_refs)s, coalesce(d.region, ''), coalesce(d.is_simulated, false), %(by)s, %(now)s,
        %(now)s
    FROM device_model m LEFT JOIN device d ON d.serial = %(serial)s AND d.device_model_id = m.id
    WHERE m.key = %(model)s AND (%(serial)s::text IS NULL OR d.id IS NOT NULL) RETURNING code
"""


def record_maintenance_plan(
    conn: Connection,
    actor: Actor,
    draft: PlanDraft,
    *,
    model: str,
    serial: str | None,
    starts_on: date,
    external_refs: list[Mapping[str, str]],
    now: datetime,
) -> str:
    """The code of the new plan. Its occurrences, also of devices that are installed already, come with the next tick.

    Raises
    ------
    NotFoundError
        There is no such model, or no such device of it.
    """
    values = asdict(draft) | {"model": model, "serial": serial, "starts_on": starts_on, "by": actor.name, "now": now}
    row = conn.execute(RECORD_PLAN, values | {"external_refs": to_jsonb(external_refs)}).fetchone()
    if row is None:
        raise NotFoundError(serial or model)
    record_audit(conn, actor, plan_made(row[0], _shown(asdict(draft)) | {"model": model, "serial": serial}))
    return str(row[0])


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


LOCK_PLAN = "SELECT id, state, row_version FROM maintenance_plan WHERE code = %s FOR UPDATE"
END_PLAN = """
    UPDATE maintenance_plan SET state = 'ENDED', ended_at = %s, end_reason = %s, row_version = row_version + 1,
        updated_at = %s WHERE id = %s
"""


def end_maintenance_plan(
    conn: Connection, actor: Actor, code: str, reason: str, *, expected_row_version: int | None, now: datetime
) -> None:
    """The plan makes no work orders any more; those that are open stay.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such plan, or it has moved since the caller saw it.
    GuardRefusedError
        It is ended already, or no reason is given.
    """
    row = conn.execute(LOCK_PLAN, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    if expected_row_version is not None and row[2] != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row[2]}, not {expected_row_version}.")
    if row[1] == PlanState.ENDED:
        raise GuardRefusedError(PlanGuard.ENDED_ALREADY, "it is ended already")
    if not reason.strip():
        raise GuardRefusedError(PlanGuard.REASON_MISSING, "ending a plan needs a reason")
    conn.execute(END_PLAN, (now, reason, now, row[0]))
    record_audit(conn, actor, plan_ended(code, reason))
