"""CAPA notices as rows: their lists, their members, and the decisions of people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_capa import capa_decided
from domain.capa import CapaState, find_capa_refusal
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from store.audit import record_audit
from store.outbox import OutboxEvent, record_events
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Capa:
    """One CAPA notice. `statistics` is what docs/reference/ticket-rules.md says; `row_version` is for If-Match."""

    id: int
    code: str
    kind: str
    state: str
    device_model_id: int
    model: str
    model_name: Mapping[str, str]
    safety_critical: bool
    scope_kind: str
    scope_value: str
    fault_group: str
    trigger: str
    statistics: Mapping[str, Any]
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    ineffective_of_code: str | None
    member_count: int
    device_count: int
    customer_count: int
    is_simulated: bool
    region: str
    row_version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


_SELECT = """
    SELECT q.id, q.code, q.kind, q.state, q.device_model_id, m.key AS model, m.name AS model_name, m.safety_critical,
        q.scope_kind, q.scope_value, q.fault_group, q.trigger, q.statistics, q.decision_reason, q.decided_by,
        q.decided_at, f.code AS ineffective_of_code, n.member_count, n.device_count, n.customer_count,
        q.is_simulated, q.region, q.row_version, q.created_at, q.updated_at, q.closed_at
    FROM capa q JOIN device_model m ON m.id = q.device_model_id LEFT JOIN capa f ON f.id = q.ineffective_of
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS member_count, count(DISTINCT w.device_id)::integer AS device_count,
            count(DISTINCT w.customer_id)::integer AS customer_count
        FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id
        WHERE cm.capa_id = q.id AND cm.excluded_reason IS NULL
    ) n
"""
LOAD_CAPA = f"{_SELECT} WHERE q.code = %s"


def load_capa(conn: Connection, code: str) -> Capa | None:
    """The CAPA of that code, or None."""
    with conn.cursor(row_factory=class_row(Capa)) as cursor:
        return cursor.execute(LOAD_CAPA, (code,)).fetchone()


LIST_CAPAS = f"""
    {_SELECT}
    WHERE (%(states)s::text[] = '{{}}' OR q.state = ANY (%(states)s))
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(fault_group)s = '' OR q.fault_group = %(fault_group)s)
        AND (%(before_id)s::bigint IS NULL OR q.id < %(before_id)s)
    ORDER BY q.id DESC LIMIT %(limit)s
"""
COUNT_CAPAS = """
    SELECT count(*) FROM capa q JOIN device_model m ON m.id = q.device_model_id
    WHERE (%(states)s::text[] = '{}' OR q.state = ANY (%(states)s))
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(fault_group)s = '' OR q.fault_group = %(fault_group)s)
"""


def load_capas(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    model: str = "",
    fault_group: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[Capa]:
    """CAPAs newest first; the `id` of the last one is the cursor for the next page."""
    values = {"states": list(states), "model": model, "fault_group": fault_group}
    with conn.cursor(row_factory=class_row(Capa)) as cursor:
        return cursor.execute(LIST_CAPAS, values | {"before_id": before_id, "limit": limit}).fetchall()


def count_capas(conn: Connection, *, states: Sequence[str] = (), model: str = "", fault_group: str = "") -> int:
    """How many CAPAs are wanted."""
    row = conn.execute(COUNT_CAPAS, {"states": list(states), "model": model, "fault_group": fault_group}).fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class CapaMember:
    """One work order of a CAPA; `excluded_reason` says why it does not count (any more)."""

    code: str
    state: str
    priority: str
    serial: str | None
    lot: str | None
    firmware: str | None  # at the time of its first breach
    customer_code: str | None
    customer_name: str | None
    title_code: str
    title_params: Mapping[str, Any]
    outcome: str | None
    failure_code: str | None
    breach_count: int
    created_at: datetime
    added_at: datetime
    excluded_reason: str | None


LOAD_CAPA_MEMBERS = """
    SELECT w.code, w.state, w.priority, d.serial, d.lot,
        coalesce((SELECT b.firmware FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
            WHERE wb.work_order_id = w.id AND b.device_id = w.device_id ORDER BY b.raised_at LIMIT 1), d.firmware)
            AS firmware,
        c.code AS customer_code, c.name AS customer_name, w.title_code, w.title_params, w.outcome, w.failure_code,
        w.breach_count, w.created_at, cm.added_at, cm.excluded_reason
    FROM capa_member cm JOIN work_order w ON w.id = cm.work_order_id
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN customer c ON c.id = w.customer_id
    WHERE cm.capa_id = %s ORDER BY (cm.excluded_reason IS NOT NULL), cm.added_at DESC, w.id DESC LIMIT %s
"""


def load_capa_members(conn: Connection, capa_id: int, *, limit: int = 500) -> list[CapaMember]:
    """The members of a CAPA, those that count first."""
    with conn.cursor(row_factory=class_row(CapaMember)) as cursor:
        return cursor.execute(LOAD_CAPA_MEMBERS, (capa_id, limit)).fetchall()


LOCK_CAPA = "SELECT id, state, row_version, is_simulated FROM capa WHERE code = %s FOR UPDATE"
DECIDE_CAPA = """
    UPDATE capa SET state = %(state)s, decision_reason = %(reason)s, decided_by = %(by)s, decided_at = %(now)s,
        closed_at = CASE WHEN %(state)s = 'REJECTED' THEN %(now)s::timestamptz END, row_version = row_version + 1,
        updated_at = %(now)s
    WHERE id = %(id)s
"""


def record_capa_decision(
    conn: Connection,
    actor: Actor,
    code: str,
    to: CapaState,
    *,
    reason: str,
    expected_row_version: int | None,
    now: datetime,
) -> Capa:
    """The CAPA as a person decided it: opened, or rejected with its justification. Audit and outbox go along.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such CAPA, or it has moved since the caller saw it.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.capa.CapaGuard`.
    """
    row = conn.execute(LOCK_CAPA, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    capa_id, state, row_version, is_simulated = row
    if expected_row_version is not None and row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row_version}, not {expected_row_version}.")
    refusal = find_capa_refusal(CapaState(state), to, reason=reason, by_person=actor.user_id is not None)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    conn.execute(DECIDE_CAPA, {"state": to, "reason": reason, "by": actor.name, "now": now, "id": capa_id})
    event_type = "capa.opened" if to is CapaState.OPEN else "capa.closed"
    data = {"code": code, "state": to}
    record_events(conn, OutboxEvent(event_type, code, "capa", code, now, data, is_simulated))
    record_audit(conn, actor, capa_decided(code, state, to, reason))
    decided = load_capa(conn, code)
    assert decided is not None
    return decided
