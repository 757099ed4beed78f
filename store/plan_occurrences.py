"""Occurrences of maintenance plans: planned, opened as work orders and followed, each step once whoever takes it.

The unique keys (plan, device, number) and (one open of plan and device) are the arbiter between workers; the order of
an occurrence is opened under the lock of its row, in the transaction that writes it there.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row

from domain.audit import Actor, AuditEntry
from domain.audit_plan import occurrence_moved, occurrence_planned
from domain.audit_work_order import order_opened
from domain.maintenance_plan import (
    Interval,
    LastOccurrence,
    NextOccurrence,
    OccurrenceFacts,
    OccurrenceState,
    PlanAnchor,
    PlanKind,
    PlanUnit,
    Usage,
    find_next_by_calendar,
    find_next_by_usage,
    find_occurrence_state,
    find_usage_due_on,
    needs_order,
)
from domain.tickets import Priority
from domain.work_order import WorkOrder, WorkOrderSource, WorkOrderState, WorkOrderType
from domain.working_time import find_zone
from store.audit import record_audit
from store.calibration_dues import follow_calibration
from store.outbox import record_events
from store.pool import Connection
from store.work_order_transitions import make_order_event
from store.work_orders import WorkOrderDraft, open_work_order

FAULT_GROUP = "maintenance"  # no fault: no breach ever joins such an order


@dataclass(frozen=True, slots=True)
class _Place:
    """A plan at a device, without an open occurrence."""

    plan_id: int
    plan: str
    kind: str
    anchor: str
    every_count: int | None
    every_unit: str | None
    usage_every: float | None
    lead_days: int
    starts_on: date
    order_type: str
    device_id: int
    serial: str
    installed_on: date
    time_zone: str
    is_simulated: bool
    last_number: int | None
    last_due_on: date | None
    last_done_on: date | None
    last_ended_at: datetime | None
    last_target: float | None
    last_total: float | None
    total: float | None
    breach_id: UUID | None


# A plan whose next occurrence cannot be told yet (no counter seen, no breach) is left out: it would keep others out.
LOAD_PLACES = """
    SELECT p.id AS plan_id, p.code AS plan, p.kind, p.anchor, p.every_count, p.every_unit, p.usage_every, p.lead_days,
        p.starts_on, p.order_type, d.id AS device_id, d.serial, d.installed_on,
        coalesce(s.time_zone, 'UTC') AS time_zone, d.is_simulated, l.number AS last_number,
        l.due_on AS last_due_on, l.done_on AS last_done_on,
        l.ended_at AS last_ended_at, l.usage_target AS last_target, l.usage_total AS last_total, u.total,
        b.id AS breach_id
    FROM maintenance_plan p
    JOIN device d ON d.device_model_id = p.device_model_id AND (p.device_id IS NULL OR p.device_id = d.id)
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN LATERAL (SELECT * FROM plan_occurrence o WHERE o.plan_id = p.id AND o.device_id = d.id
        ORDER BY o.number DESC LIMIT 1) l ON true
    LEFT JOIN device_usage u ON u.device_id = d.id AND u.sensor = p.usage_sensor
    LEFT JOIN LATERAL (SELECT e.id FROM breach e WHERE p.kind = 'CONDITION' AND e.device_id = d.id
        AND e.fault_group = p.fault_group AND e.state = 'ACTIVE' AND e.raised_at >= p.created_at
        AND (l.ended_at IS NULL OR e.raised_at > l.ended_at) ORDER BY e.raised_at LIMIT 1) b ON true
    WHERE p.state = 'ACTIVE' AND d.installed_on IS NOT NULL AND d.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED')
        AND (l.number IS NULL OR l.state IN ('DONE', 'SKIPPED'))
        AND (p.kind = 'CALENDAR' OR u.total IS NOT NULL OR b.id IS NOT NULL)
    ORDER BY p.id, d.id LIMIT %s
"""
RECORD_OCCURRENCE = """
    INSERT INTO plan_occurrence (code, plan_id, device_id, number, state, due_on, usage_target, usage_total, breach_id,
        is_simulated, created_at, updated_at)
    VALUES ('PO-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('plan_occurrence_number'), 'FM9999999999000000'),
        %(plan_id)s, %(device_id)s, %(number)s, 'UPCOMING', %(due_on)s, %(usage_target)s, %(usage_total)s,
        %(breach_id)s, %(is_simulated)s, %(now)s, %(now)s)
    ON CONFLICT DO NOTHING RETURNING code
"""


def plan_occurrences(conn: Connection, actor: Actor, now: datetime, limit: int) -> int:
    """How many next occurrences were planned, of devices installed lately or long ago alike; at most `limit`."""
    with conn.cursor(row_factory=class_row(_Place)) as cursor:
        places = cursor.execute(LOAD_PLACES, (limit,)).fetchall()
    entries: list[AuditEntry] = []
    for place in places:
        due = _find_next(place, now)
        values = {name: getattr(place, name) for name in ("plan_id", "device_id", "breach_id", "is_simulated")}
        values |= {"number": due.number, "due_on": due.due_on, "usage_target": due.usage_target, "now": now}
        row = conn.execute(RECORD_OCCURRENCE, values | {"usage_total": place.total}).fetchone()
        if row is not None:
            after = {"plan": place.plan, "serial": place.serial, "number": due.number, "due_on": due.due_on}
            entries.append(occurrence_planned(row[0], after | {"usage_target": due.usage_target}))
    entries += follow_calibration(conn, {p.device_id for p in places if p.order_type == "CALIBRATION"})
    record_audit(conn, actor, *entries)
    return len(places)


def _find_next(place: _Place, now: datetime) -> NextOccurrence:
    zone = find_zone(place.time_zone)
    last = None
    if place.last_number is not None and place.last_ended_at is not None:
        last = LastOccurrence(
            place.last_number,
            place.last_due_on,
            place.last_done_on,
            place.last_ended_at.astimezone(zone).date(),
            place.last_target,
            place.last_total,
        )
    anchor = PlanAnchor(place.anchor)
    match PlanKind(place.kind):
        case PlanKind.CALENDAR:
            assert place.every_count is not None
            assert place.every_unit is not None
            every = Interval(place.every_count, PlanUnit(place.every_unit))
            return find_next_by_calendar(every, anchor, place.installed_on, place.starts_on, last)
        case PlanKind.USAGE:
            assert place.usage_every is not None
            assert place.total is not None
            return find_next_by_usage(place.usage_every, anchor, place.total, last)
        case PlanKind.CONDITION:
            today = now.astimezone(zone).date()
            number = 1 if last is None else last.number + 1
            return NextOccurrence(number, date.fromordinal(today.toordinal() + place.lead_days))


@dataclass(frozen=True, slots=True)
class _Open:
    """An open occurrence of which something may have changed, its row locked."""

    id: int
    code: str
    plan: str
    plan_name: str
    state: str
    due_on: date | None
    usage_target: float | None
    lead_days: int
    order_type: str
    priority: str
    instructions: str
    device_id: int
    serial: str
    time_zone: str
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    region: str
    is_simulated: bool
    work_order_id: int | None
    work_order: str | None
    order_state: str | None
    resolved_at: datetime | None
    serviced_on: date | None
    total: float | None
    last_value: float | None
    last_at: datetime | None
    window_total: float | None
    window_at: datetime | None
    earlier_total: float | None
    earlier_at: datetime | None


# `today` is the site's. What went up in another order follows that one.
LOCK_OPEN = """
    SELECT o.id, o.code, p.code AS plan, p.name AS plan_name, o.state, o.due_on, o.usage_target, p.lead_days,
        p.order_type, p.priority, p.instructions, o.device_id, d.serial, coalesce(s.time_zone, 'UTC') AS time_zone,
        d.site_id, s.customer_id, (SELECT k.id FROM service_contract k WHERE k.customer_id = s.customer_id
            AND k.status = 'ACTIVE' AND t.today BETWEEN k.starts_on AND k.ends_on AND contract_covers(k, d.id)
            ORDER BY k.ends_on DESC LIMIT 1) AS contract_id,
        d.region, o.is_simulated, o.work_order_id, w.code AS work_order, w.state AS order_state,
        w.resolved_at, (w.close_out ->> 'serviced_on')::date AS serviced_on, u.total, u.last_value, u.last_at,
        u.window_total, u.window_at, u.earlier_total, u.earlier_at
    FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN device_usage u ON u.device_id = d.id AND u.sensor = p.usage_sensor
    LEFT JOIN work_order w ON w.id = surviving_order(o.work_order_id)
    CROSS JOIN LATERAL (SELECT (%(now)s AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date AS today) t
    WHERE o.state IN ('UPCOMING', 'DUE', 'OVERDUE') AND (
        (o.work_order_id IS NULL AND p.state = 'ACTIVE' AND d.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED')
            AND (o.due_on - p.lead_days <= t.today OR u.last_at > o.updated_at))
        OR w.state = 'CLOSED'
        OR (o.state <> 'OVERDUE' AND o.due_on < t.today AND w.resolved_at IS NULL
            AND (p.state = 'ACTIVE' OR o.work_order_id IS NOT NULL)))
    ORDER BY o.id LIMIT %(limit)s FOR UPDATE OF o SKIP LOCKED
"""
UPDATE_OCCURRENCE = """
    UPDATE plan_occurrence SET state = %(state)s, due_on = %(due_on)s, usage_total = coalesce(%(total)s, usage_total),
        work_order_id = %(work_order_id)s, done_on = %(done_on)s, ended_at = %(ended_at)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def follow_occurrences(conn: Connection, actor: Actor, now: datetime, limit: int) -> int:
    """How many open occurrences were looked at: forecasts by usage, orders that open, what is overdue, what is done."""
    with conn.cursor(row_factory=class_row(_Open)) as cursor:
        found = cursor.execute(LOCK_OPEN, {"now": now, "limit": limit}).fetchall()
    entries: list[AuditEntry] = []
    for occurrence in found:
        entries += _follow(conn, actor, occurrence, now)
    entries += follow_calibration(conn, {o.device_id for o in found if o.order_type == "CALIBRATION"})
    record_audit(conn, actor, *entries)
    return len(found)


def _follow(conn: Connection, actor: Actor, o: _Open, now: datetime) -> list[AuditEntry]:
    today = now.astimezone(find_zone(o.time_zone)).date()
    due_on = o.due_on
    usage = _find_usage(o)
    if o.usage_target is not None and usage is not None and o.work_order_id is None:
        due_on = find_usage_due_on(usage, o.usage_target, today)
    was = OccurrenceState(o.state)
    order_state = None if o.order_state is None else WorkOrderState(o.order_state)
    facts = OccurrenceFacts(was, due_on, o.lead_days, today, order_state, o.resolved_at is not None)
    entries: list[AuditEntry] = []
    order_id, order_code = o.work_order_id, o.work_order
    if needs_order(facts):
        order = _open_order(conn, actor, o, due_on, now)
        order_id, order_code = order.id, order.code
        after = {"serial": o.serial, "type": o.order_type, "priority": o.priority, "plan": o.plan, "due_on": due_on}
        entries.append(order_opened(order.code, after | {"occurrence": o.code}, o.instructions))
        facts = OccurrenceFacts(was, due_on, o.lead_days, today, order.state, False)
    state = find_occurrence_state(facts)
    is_done = state is OccurrenceState.DONE
    worked_on = o.serviced_on or (o.resolved_at or now).astimezone(find_zone(o.time_zone)).date()
    values = {"id": o.id, "state": state, "due_on": due_on, "total": o.total, "work_order_id": order_id, "now": now}
    values |= {"done_on": worked_on if is_done else None, "ended_at": now if is_done else None}
    conn.execute(UPDATE_OCCURRENCE, values)
    if state is not was:
        entries.append(occurrence_moved(o.code, was, state, order=order_code, due_on=due_on))
    return entries


def _open_order(conn: Connection, actor: Actor, o: _Open, due_on: date | None, now: datetime) -> WorkOrder:
    order = open_work_order(
        conn,
        WorkOrderDraft(
            type=WorkOrderType(o.order_type),
            source=WorkOrderSource.PLAN,
            priority=Priority(o.priority),
            device_id=o.device_id,
            gateway_id=None,
            site_id=o.site_id,
            customer_id=o.customer_id,
            contract_id=o.contract_id,
            fault_group=FAULT_GROUP,
            title_code="planned_work",
            title_params={"serial": o.serial, "plan": o.plan_name, "due_on": "" if due_on is None else str(due_on)},
            created_by=actor.name,
            created_at=now,
            region=o.region,
            is_simulated=o.is_simulated,
            description=o.instructions,
        ),
    )
    assert order is not None  # the unique indexes are about automatic orders
    record_events(conn, make_order_event("workorder.opened", order, o.serial, now, plan=o.plan, occurrence=o.code))
    return order


def _find_usage(o: _Open) -> Usage | None:
    if o.total is None or o.last_value is None or o.last_at is None or o.window_total is None:
        return None
    assert o.window_at is not None
    assert o.earlier_total is not None
    assert o.earlier_at is not None
    return Usage(o.total, o.last_value, o.last_at, o.window_total, o.window_at, o.earlier_total, o.earlier_at)
