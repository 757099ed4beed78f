"""What the passing of time does to open orders: quiet periods end, clocks run out. Each is said once."""

from datetime import datetime

from psycopg.rows import dict_row

from domain.audit import Actor, AuditEntry
from domain.audit_work_order import ClockNews, clock_told, order_quiet_mended, order_ready_to_verify
from domain.sla_changes import ClockChange
from domain.sla_clock import ClockEvent, ClockEventKind
from domain.sla_policy import ClockKind
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.sla_clocks import record_clock_changes
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
    record_audit(conn, actor, *(order_ready_to_verify(code, since, now) for code, since in ready))
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
    record_audit(conn, actor, *(order_quiet_mended(code, since) for code, since in mended))
    return [code for code, _ in mended]


# A clock whose time is used up: it ran until then, or ended later than that before anybody could say so.
LOCK_BREACHED = """
    SELECT c.work_order_id, c.version, c.clock, coalesce(c.breached_at, c.due_at) AS due_at
    FROM sla_clock c JOIN work_order w ON w.id = c.work_order_id
    WHERE (c.state = 'RUNNING' AND c.due_at < %(now)s) OR (c.state = 'BREACHED' AND NOT c.breach_said)
    ORDER BY c.work_order_id, c.clock LIMIT %(limit)s FOR UPDATE OF w, c SKIP LOCKED
"""
LOCK_DUE_SOON = """
    SELECT c.work_order_id, c.version, c.clock, c.due_at FROM sla_clock c JOIN work_order w ON w.id = c.work_order_id
    WHERE c.state = 'RUNNING' AND c.warned_at IS NULL AND c.due_soon_at <= %(now)s AND c.due_at >= %(now)s
    ORDER BY c.work_order_id, c.clock LIMIT %(limit)s FOR UPDATE OF w, c SKIP LOCKED
"""
# The marks are of the order's present version. A breach brings the order back to the people who decide.
_MARK = """
    UPDATE work_order w SET {marks}, row_version = row_version + 1, updated_at = %(now)s
    FROM (SELECT m.id, bool_or(m.clock = 'RESPONSE') AS response, bool_or(m.clock = 'RESOLUTION') AS resolution
        FROM unnest(%(ids)s::bigint[], %(versions)s::integer[], %(clocks)s::text[]) AS m (id, version, clock)
        JOIN work_order o ON o.id = m.id AND o.version = m.version GROUP BY m.id) m
    WHERE w.id = m.id
"""
MARK_BREACHED = _MARK.format(
    marks="""response_breached = w.response_breached OR m.response,
        resolution_breached = w.resolution_breached OR m.resolution,
        inbox_reason = CASE WHEN w.state IN ('CLOSED', 'CANCELLED', 'WORK_DONE', 'VERIFIED') THEN w.inbox_reason
            ELSE coalesce(w.inbox_reason, 'ESCALATED') END"""
)
MARK_DUE_SOON = _MARK.format(
    marks="response_warned = w.response_warned OR m.response, resolution_warned = w.resolution_warned OR m.resolution"
)
LOAD_MARKED = f"""
    SELECT {WORK_ORDER_COLUMNS}, (SELECT d.serial FROM device d WHERE d.id = w.device_id) AS subject
    FROM work_order w WHERE w.id = ANY (%s)
"""  # noqa: S608
_ROUNDS = (
    (ClockNews.BREACHED, ClockEventKind.BREACHED, LOCK_BREACHED, MARK_BREACHED),
    (ClockNews.DUE_SOON, ClockEventKind.DUE_SOON, LOCK_DUE_SOON, MARK_DUE_SOON),
)
# Of one round; what is more waits for the next, some seconds later.
MOST_SAID = 1000


def record_clocks(conn: Connection, actor: Actor, now: datetime) -> list[tuple[str, str, str]]:
    """(event, clock, order) of every clock that ran out, or comes near it, and was not said to before.

    A breached clock stays breached, whatever becomes of the order; an order that is still to be worked on goes back
    to the inbox with it.
    """
    told: list[tuple[str, str, str]] = []
    events: list[OutboxEvent] = []
    entries: list[AuditEntry] = []
    for news, kind, lock, mark in _ROUNDS:
        found = conn.execute(lock.encode(), {"now": now, "limit": MOST_SAID}).fetchall()
        if not found:
            continue
        changes = [
            ClockChange(
                order_id,
                version,
                ClockKind(clock),
                ClockEvent(kind, due_at if kind is ClockEventKind.BREACHED else now),
            )
            for order_id, version, clock, due_at in found
        ]
        record_clock_changes(conn, changes)
        columns = zip(*found, strict=True)
        values = dict(zip(("ids", "versions", "clocks"), (list(column) for column in columns), strict=False))
        conn.execute(mark.encode(), values | {"now": now})
        orders = _load_marked(conn, values["ids"])
        for order_id, _, clock, due_at in found:
            order, subject = orders[order_id]
            events.append(make_order_event(news, order, subject, now, clock=clock, due_at=due_at))
            entries.append(clock_told(news, order.code, clock, due_at))
            told.append((news, clock, order.code))
    record_events(conn, *events)
    record_audit(conn, actor, *entries)
    return told


def _load_marked(conn: Connection, order_ids: list[int]) -> dict[int, tuple[WorkOrder, str | None]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_MARKED, (order_ids,)).fetchall()
    return {row["id"]: (to_work_order(row), row["subject"]) for row in rows}
