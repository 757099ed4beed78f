"""Visits for work orders as rows: begun and ended by whoever made them. The order is locked, the audit comes last."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor
from domain.audit_visit import visit_begun, visit_ended
from domain.errors import GuardRefusedError, NotFoundError
from domain.visit import ArrivalFacts, Visit, VisitOutcome, find_arrival_refusal, find_departure_refusal
from store.audit import record_audit
from store.pool import Connection
from store.work_order_records import touch_work_order
from store.work_orders import lock_work_order

LOAD_VISITS = """
    SELECT v.id, w.code AS work_order, v.technician_id, u.name AS technician, u.full_name AS technician_name,
        v.arrived_at, v.left_at, v.outcome, v.note
    FROM work_order_visit v JOIN work_order w ON w.id = v.work_order_id JOIN app_user u ON u.id = v.technician_id
    WHERE v.work_order_id IN (SELECT orders_within(%(order_id)s)) AND (%(id)s::bigint IS NULL OR v.id = %(id)s)
    ORDER BY v.arrived_at, v.id
"""


def load_visits(conn: Connection, order_id: int) -> list[Visit]:
    """The visits for the order and for what went up in it, the first one first."""
    return _load(conn, order_id, None)


def _load(conn: Connection, order_id: int, visit_id: int | None) -> list[Visit]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_VISITS, {"order_id": order_id, "id": visit_id}).fetchall()
    return [_to_visit(row) for row in rows]


def _to_visit(row: dict[str, Any]) -> Visit:
    outcome = None if row["outcome"] is None else VisitOutcome(row["outcome"])
    return Visit(**{**row, "outcome": outcome})


RECORD_ARRIVAL = """
    INSERT INTO work_order_visit (work_order_id, order_version, technician_id, arrived_at, note)
    VALUES (%s, %s, %s, %s, %s) RETURNING id
"""


def record_arrival(
    conn: Connection, actor: Actor, code: str, *, arrived_at: datetime, note: str = "", now: datetime
) -> Visit:
    """The visit that begins.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order; a rule refuses it (`domain.visit.VisitGuard`).
    """
    order = lock_work_order(conn, code, None)
    own = [v for v in load_visits(conn, order.id) if v.technician_id == actor.user_id]
    facts = ArrivalFacts(
        state=order.state,
        assignee_id=order.assignee_id,
        created_at=order.created_at,
        is_under_way=any(v.left_at is None for v in own),
        last_left_at=max((v.left_at for v in own if v.left_at is not None), default=None),
    )
    refusal = find_arrival_refusal(facts, actor_id=actor.user_id, by=actor.permission, arrived_at=arrived_at, now=now)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    row = conn.execute(RECORD_ARRIVAL, (order.id, order.version, actor.user_id, arrived_at, note)).fetchone()
    assert row is not None
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, visit_begun(code, row[0], actor.name, arrived_at))
    (visit,) = _load(conn, order.id, row[0])
    return visit


RECORD_DEPARTURE = "UPDATE work_order_visit SET left_at = %s, outcome = %s, note = %s WHERE id = %s"


def record_departure(
    conn: Connection,
    actor: Actor,
    code: str,
    visit_id: int,
    *,
    left_at: datetime,
    outcome: VisitOutcome,
    note: str = "",
    now: datetime,
) -> Visit:
    """The visit that is over, and stays as it is from now on.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order or visit; a rule refuses it (`domain.visit.VisitGuard`).
    """
    order = lock_work_order(conn, code, None)
    visit = next(iter(_load(conn, order.id, visit_id)), None)
    if visit is None:
        raise NotFoundError(f"{code} has no visit {visit_id}.")
    refusal = find_departure_refusal(visit, actor_id=actor.user_id, by=actor.permission, left_at=left_at, now=now)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    said = "\n".join(part for part in (visit.note, note) if part)
    conn.execute(RECORD_DEPARTURE, (left_at, outcome, said, visit_id))
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, visit_ended(code, visit, left_at, outcome, note))
    return replace(visit, left_at=left_at, outcome=outcome, note=said)
