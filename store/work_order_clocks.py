"""What the passing of time does to open orders: quiet periods end, clocks run out. Each is said once."""

from collections.abc import Mapping
from datetime import datetime

from psycopg.rows import dict_row

from domain.audit import Actor
from domain.audit_work_order import ClockNews, clock_told, order_quiet_mended, order_ready_to_verify
from domain.sla_changes import ClockChange
from domain.sla_clock import ClockEvent, ClockEventKind, read_clock
from domain.sla_policy import ClockKind
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.outbox import record_events
from store.pool import Connection
from store.sla_clocks import load_clock_events, record_clock_changes
from store.sla_mending import mend_order_clocks
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


_Key = tuple[int, int, str]  # order, version of it, clock

# A clock whose time is used up: it ran until then, or ended later than that before anybody could say so.
LOCK_BREACHED = """
    SELECT c.work_order_id, c.version, c.clock FROM sla_clock c JOIN work_order w ON w.id = c.work_order_id
    WHERE (c.state = 'RUNNING' AND c.due_at < %(now)s) OR (c.state = 'BREACHED' AND NOT c.breach_said)
    ORDER BY c.work_order_id, c.clock LIMIT %(limit)s FOR UPDATE OF w, c SKIP LOCKED
"""
LOCK_DUE_SOON = """
    SELECT c.work_order_id, c.version, c.clock FROM sla_clock c JOIN work_order w ON w.id = c.work_order_id
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
    to the inbox with it. What is said is what the events say: a line that says otherwise is put right instead.
    """
    told: list[tuple[str, str, str]] = []
    for news, kind, lock, mark in _ROUNDS:
        found = set(conn.execute(lock.encode(), {"now": now, "limit": MOST_SAID}).fetchall())
        if not found:
            continue
        due = {
            key: at
            for key, at in _load_dues(conn, kind, sorted({key[0] for key in found}), now).items()
            if key in found
        }
        wrong = {key[0] for key in found if key not in due}
        if wrong:
            mend_order_clocks(conn, actor, sorted(wrong), now)
        if due:
            told += _say(conn, actor, news, kind, mark, due, now)
    return told


def _load_dues(conn: Connection, kind: ClockEventKind, order_ids: list[int], now: datetime) -> dict[_Key, datetime]:
    """When each clock of these orders of which that is to be said is due."""
    dues = {}
    for (order_id, version, clock_kind), events in load_clock_events(conn, order_ids).items():
        clock = read_clock(events, now)
        if clock is None or clock.due_at is None:
            continue
        is_breached = clock.breached_at is not None
        is_near = not is_breached and clock.due_soon_at is not None and clock.due_soon_at <= now
        if is_breached if kind is ClockEventKind.BREACHED else is_near:
            dues[order_id, version, clock_kind.value] = clock.due_at
    return dues


def _say(
    conn: Connection,
    actor: Actor,
    news: ClockNews,
    kind: ClockEventKind,
    mark: str,
    due: Mapping[_Key, datetime],
    now: datetime,
) -> list[tuple[str, str, str]]:
    """Says it of each of these clocks: event, marks of the order, outbox, audit."""
    is_breach = kind is ClockEventKind.BREACHED
    changes = [
        ClockChange(order_id, version, ClockKind(clock), ClockEvent(kind, at if is_breach else now))
        for (order_id, version, clock), at in due.items()
    ]
    record_clock_changes(conn, changes)
    ids, versions, clocks = (list(column) for column in zip(*due, strict=True))
    conn.execute(mark.encode(), {"ids": ids, "versions": versions, "clocks": clocks, "now": now})
    orders = _load_marked(conn, ids)
    said = [(*orders[order_id], clock, at) for (order_id, _, clock), at in due.items()]
    record_events(
        conn,
        *(make_order_event(news, order, subject, now, clock=clock, due_at=at) for order, subject, clock, at in said),
    )
    record_audit(conn, actor, *(clock_told(news, order.code, clock, at) for order, _, clock, at in said))
    return [(news, clock, order.code) for order, _, clock, _ in said]


def _load_marked(conn: Connection, order_ids: list[int]) -> dict[int, tuple[WorkOrder, str | None]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_MARKED, (order_ids,)).fetchall()
    return {row["id"]: (to_work_order(row), row["subject"]) for row in rows}
