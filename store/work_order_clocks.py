"""What the passing of time does to open orders: quiet periods end, clocks run out. Each is said once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor, AuditEntry
from domain.sla import DUE_SOON_SHARE
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.work_order_transitions import make_order_event
from store.work_orders import WORK_ORDER_COLUMNS, to_work_order

# A policy is its profile's, or the defaults for an order that belongs to no device.
_POLICY = """
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
"""
_OPEN = "w.state NOT IN ('CLOSED', 'CANCELLED')"
_ACTIVE_BREACH = """EXISTS (SELECT FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id
            WHERE wb.work_order_id = w.id AND b.state = 'ACTIVE')"""

MARK_READY = f"""
    UPDATE work_order w SET ready_to_verify_at = %(now)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE w.id IN (
        SELECT w.id FROM work_order w {_POLICY}
        WHERE {_OPEN} AND w.ready_to_verify_at IS NULL AND w.quiet_since IS NOT NULL
            AND w.quiet_since + make_interval(secs => 3600 * coalesce((p.body #>> '{{tickets,quiet_h}}')::float8, 2))
                <= %(now)s
            AND NOT {_ACTIVE_BREACH}
        ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)
    RETURNING w.code, w.quiet_since
"""  # noqa: S608


def record_quiet_orders(conn: Connection, actor: Actor, now: datetime) -> list[str]:
    """The codes of the orders that are ready to be verified from now on: quiet for their policy's time (rule 6)."""
    ready = conn.execute(MARK_READY, {"now": now}).fetchall()
    entries = [
        AuditEntry("workorder.ready_to_verify", "work_order", code, None, {"quiet_since": since, "ready_at": now})
        for code, since in ready
    ]
    record_audit(conn, actor, *entries)
    return [code for code, _ in ready]


# The transitions say when an order becomes quiet; this mends what a lost one would leave wrong for ever.
MEND_QUIET = f"""
    UPDATE work_order w SET quiet_since = CASE WHEN w.quiet_since IS NULL THEN %(now)s::timestamptz END,
        ready_to_verify_at = NULL, row_version = row_version + 1, updated_at = %(now)s
    WHERE w.id IN (
        SELECT w.id FROM work_order w WHERE {_OPEN} AND w.breach_count > 0 AND w.updated_at < %(settled)s
            AND (w.quiet_since IS NULL) <> {_ACTIVE_BREACH}
            AND NOT EXISTS (SELECT FROM work_order_breach wb JOIN breach_transition t ON t.breach_id = wb.breach_id
                WHERE wb.work_order_id = w.id
                    AND NOT EXISTS (SELECT FROM ticket_decision y WHERE y.transition_id = t.id))
        ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)
    RETURNING w.code, w.quiet_since
"""  # noqa: S608


def mend_quiet_orders(conn: Connection, actor: Actor, now: datetime, settled: datetime) -> list[str]:
    """The codes of orders untouched since `settled` whose quiet mark disagreed with their breaches and is right now."""
    mended = conn.execute(MEND_QUIET, {"now": now, "settled": settled}).fetchall()
    entries = [
        AuditEntry("workorder.quiet_mended", "work_order", code, None, {"quiet_since": since}) for code, since in mended
    ]
    record_audit(conn, actor, *entries)
    return [code for code, _ in mended]


_CLOCKS: dict[str, Mapping[str, str]] = {
    "RESPONSE": {
        "due": "response_due_at",
        "met": "responded_at",
        "warned": "response_warned",
        "breached": "response_breached",
        "hours": "response_h",
        "defaults": "ARRAY[1, 4, 24, 72]",
    },
    "RESOLUTION": {
        "due": "resolution_due_at",
        "met": "resolved_at",
        "warned": "resolution_warned",
        "breached": "resolution_breached",
        "hours": "resolution_h",
        "defaults": "ARRAY[8, 24, 120, 336]",
    },
}
_HOURS = """coalesce((p.body -> 'tickets' -> '{hours}' ->> (substr(w.priority, 2)::integer - 1))::float8,
                ({defaults})[substr(w.priority, 2)::integer])"""
_MARK_CLOCK = """
    UPDATE work_order w SET {mark} = true, row_version = row_version + 1, updated_at = %(now)s
    WHERE w.id IN (
        SELECT w.id FROM work_order w {policy}
        WHERE {open} AND w.{met} IS NULL AND NOT w.{breached} AND NOT w.{mark} AND {when}
        ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)
    RETURNING {columns}, (SELECT d.serial FROM device d WHERE d.id = w.device_id) AS subject
"""


def _compose(clock: Mapping[str, str], mark: str, when: str) -> str:
    values = {**clock, "mark": clock[mark], "when": when, "policy": _POLICY, "open": _OPEN}
    return _MARK_CLOCK.format_map(values | {"columns": WORK_ORDER_COLUMNS})


MARK_BREACHED = {name: _compose(clock, "breached", f"w.{clock['due']} <= %(now)s") for name, clock in _CLOCKS.items()}
MARK_DUE_SOON = {
    name: _compose(
        clock,
        "warned",
        f"w.{clock['due']} > %(now)s AND w.{clock['due']} - make_interval("
        f"secs => 3600 * {DUE_SOON_SHARE} * {_HOURS.format_map(clock)}) <= %(now)s",
    )
    for name, clock in _CLOCKS.items()
}


def record_clocks(conn: Connection, actor: Actor, now: datetime) -> list[tuple[str, str, str]]:
    """(event, clock, order) of every clock that ran out, or comes near it, and was not said to before.

    A breached clock stays breached, whatever becomes of the order.
    """
    told: list[tuple[str, str, str]] = []
    events: list[OutboxEvent] = []
    entries: list[AuditEntry] = []
    for event, queries in (("sla.breached", MARK_BREACHED), ("sla.due_soon", MARK_DUE_SOON)):
        for clock, query in queries.items():
            for order, subject in _mark(conn, query, now):
                due_at = order.response_due_at if clock == "RESPONSE" else order.resolution_due_at
                events.append(make_order_event(event, order, subject, now, clock=clock, due_at=due_at))
                entries.append(AuditEntry(event, "work_order", order.code, None, {"clock": clock, "due_at": due_at}))
                told.append((event, clock, order.code))
    record_events(conn, *events)
    record_audit(conn, actor, *entries)
    return told


def _mark(conn: Connection, query: str, now: datetime) -> list[tuple[WorkOrder, str | None]]:
    values: dict[str, Any] = {"now": now}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query.encode(), values).fetchall()
    return [(to_work_order(row), row["subject"]) for row in rows]
