"""Leaving an occurrence of a plan out: what two people decided by an approval request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from domain.approval_request import ApprovalRequest, ApprovalSubject, ApprovalWish
from domain.audit import Actor
from domain.audit_plan import occurrence_skipped
from domain.errors import GuardRefusedError, NotFoundError
from domain.maintenance_plan import OccurrenceState, find_skip_problems, find_skip_refusal
from domain.work_order import WorkOrderState
from store.approval_requests import ApprovalHandler
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class _Skipped:
    id: int
    plan: str
    serial: str
    number: int
    state: str
    due_on: date | None
    order_state: str | None
    region: str
    is_simulated: bool


LOCK_SKIPPED = """
    SELECT o.id, p.code AS plan, d.serial, o.number, o.state, o.due_on, w.state AS order_state, d.region, o.is_simulated
    FROM plan_occurrence o JOIN maintenance_plan p ON p.id = o.plan_id JOIN device d ON d.id = o.device_id
    LEFT JOIN work_order w ON w.id = surviving_order(o.work_order_id)
    WHERE o.code = %s FOR UPDATE OF o
"""
SKIP = """
    UPDATE plan_occurrence SET state = 'SKIPPED', skip_request = %s, skip_reason = %s, ended_at = %s,
        row_version = row_version + 1, updated_at = %s WHERE id = %s
"""


def load_skip_subject(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    """The occurrence that shall be left out, locked. That it becomes overdue while people decide changes nothing.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such occurrence; `guard` is a value of `domain.maintenance_plan.PlanGuard`.
    """
    found = _lock(conn, wish.entity_id)
    values = {"plan": found.plan, "serial": found.serial, "number": found.number, "due_on": str(found.due_on or "")}
    return ApprovalSubject(values, found.region, found.is_simulated)


def record_skip(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    """The occurrence is left out; the next one comes with the next tick.

    Raises
    ------
    NotFoundError, GuardRefusedError
        As of `load_skip_subject`.
    """
    found = _lock(conn, request.entity_id)
    conn.execute(SKIP, (request.code, request.reason, now, now, found.id))
    was = OccurrenceState(found.state)
    record_audit(conn, actor, occurrence_skipped(request.entity_id, was, request.code, request.reason))
    return {"state": OccurrenceState.SKIPPED}


def _lock(conn: Connection, code: str) -> _Skipped:
    with conn.cursor(row_factory=class_row(_Skipped)) as cursor:
        found = cursor.execute(LOCK_SKIPPED, (code,)).fetchone()
    if found is None:
        raise NotFoundError(code)
    order_state = None if found.order_state is None else WorkOrderState(found.order_state)
    refusal = find_skip_refusal(OccurrenceState(found.state), order_state)
    if refusal is not None:
        raise GuardRefusedError(*refusal)
    return found


PLAN_SKIP = ApprovalHandler(find_skip_problems, load_skip_subject, record_skip)
