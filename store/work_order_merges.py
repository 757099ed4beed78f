"""Two work orders become one: what is written once stays where it stands, and the survivor shows it as its own."""

from dataclasses import replace
from datetime import datetime

from domain.audit import Actor
from domain.audit_work_order_merge import child_moved, order_merged, order_took_over
from domain.errors import GuardRefusedError
from domain.work_order import WorkOrder
from domain.work_order_merge import MergeFacts, find_merge_refusal, find_merged, find_survivor
from store.audit import record_audit
from store.fault_locks import lock_faults_of_orders
from store.outbox import record_events
from store.pool import Connection
from store.sla_clocks import settle_clocks
from store.work_order_transitions import make_order_event
from store.work_orders import find_changes, lock_work_order, update_work_orders

# With the children that move, and in the order of their ids, as whoever else locks several of them does.
LOCK_ORDERS = """
    SELECT id FROM work_order
    WHERE code IN (%(survivor)s, %(merged)s) OR (state NOT IN ('CLOSED', 'CANCELLED')
        AND parent_id = (SELECT m.id FROM work_order m WHERE m.code = %(merged)s))
    ORDER BY id FOR UPDATE
"""
COUNT_OTHER_CHILDREN = """
    SELECT count(*)::integer FROM work_order
    WHERE parent_id = %s AND id <> %s AND state NOT IN ('CLOSED', 'CANCELLED')
"""
TAKE_BREACHES = """
    INSERT INTO work_order_breach (work_order_id, breach_id, linked_at)
    SELECT %(survivor)s, breach_id, linked_at FROM work_order_breach WHERE work_order_id = %(merged)s
    ON CONFLICT DO NOTHING
"""
COUNT_BREACHES = """
    SELECT count(*)::integer, coalesce(bool_or(b.state = 'ACTIVE'), false)
    FROM work_order_breach wb JOIN breach b ON b.id = wb.breach_id WHERE wb.work_order_id = %s
"""
MOVE_CHILDREN = """
    UPDATE work_order SET parent_id = %(survivor)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE parent_id = %(merged)s AND id <> %(survivor)s AND state NOT IN ('CLOSED', 'CANCELLED') RETURNING code
"""
# The case counts once, for the order that goes on; the other leaves the CAPA as every cancelled order does.
TAKE_MEMBERSHIPS = """
    INSERT INTO capa_member (capa_id, work_order_id, added_at)
    SELECT cm.capa_id, %(survivor)s, %(now)s FROM capa_member cm JOIN capa q ON q.id = cm.capa_id
    WHERE cm.work_order_id = %(merged)s AND cm.excluded_reason IS NULL AND q.state NOT IN ('REJECTED', 'CLOSED')
    ON CONFLICT DO NOTHING
"""
LOAD_SUBJECT = """
    SELECT coalesce(d.serial, g.name, s.code) FROM work_order w LEFT JOIN device d ON d.id = w.device_id
    LEFT JOIN gateway g ON g.id = w.gateway_id LEFT JOIN site s ON s.id = w.site_id WHERE w.id = %s
"""


def merge_work_orders(
    conn: Connection,
    actor: Actor,
    code: str,
    merged_code: str,
    reason: str,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> WorkOrder:
    """The order `code` with all that the other one had; the other is CANCELLED and names it.

    Visits, parts, files, notes and checklists stay where they were written; `orders_within` finds them. Breaches are
    linked to the survivor as well, so that they clear there and count there.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        One of them is not there; the survivor is not at `expected_row_version`.
    GuardRefusedError
        A rule refuses it (`domain.work_order_merge.MergeGuard`).
    """
    lock_faults_of_orders(conn, [code, merged_code])
    conn.execute(LOCK_ORDERS, {"survivor": code, "merged": merged_code})
    survivor = lock_work_order(conn, code, expected_row_version)
    merged = lock_work_order(conn, merged_code, None)
    children = conn.execute(COUNT_OTHER_CHILDREN, (merged.id, survivor.id)).fetchone()
    assert children is not None
    refusal = find_merge_refusal(survivor, merged, MergeFacts(children[0]), reason, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail, refusal.about)
    ids = {"survivor": survivor.id, "merged": merged.id, "now": now}
    conn.execute(TAKE_BREACHES, ids)
    counted = conn.execute(COUNT_BREACHES, (survivor.id,)).fetchone()
    assert counted is not None
    after = find_survivor(survivor, merged, breaches=counted[0], is_active=counted[1], now=now)
    after = settle_clocks(conn, survivor, after, now)
    gone = settle_clocks(conn, merged, find_merged(survivor, merged, now), now)
    # The one that goes first: the unique index never sees two open automatic orders of a key.
    update_work_orders(conn, [gone, after])
    moved = conn.execute(MOVE_CHILDREN, ids).fetchall()
    conn.execute(TAKE_MEMBERSHIPS, ids)
    after = replace(after, row_version=survivor.row_version + 1)
    subjects = [conn.execute(LOAD_SUBJECT, (order.id,)).fetchone() for order in (survivor, merged)]
    serials = [None if row is None else row[0] for row in subjects]
    record_events(
        conn,
        make_order_event("workorder.closed", gone, serials[1], now, merged_into=code),
        make_order_event("workorder.joined", after, serials[0], now, merged=merged_code),
    )
    record_audit(
        conn,
        actor,
        order_merged(merged_code, code, *find_changes(merged, gone), reason),
        *(child_moved(child, merged_code, code, reason) for (child,) in moved),
        order_took_over(code, merged_code, *find_changes(survivor, after), reason),
    )
    return after


LOAD_MERGED_CODES = "SELECT code FROM work_order WHERE merged_into_id = %s ORDER BY id"
LOAD_SURVIVOR_CODE = "SELECT code FROM work_order WHERE id = surviving_order(%(id)s) AND id <> %(id)s"


def load_merged_codes(conn: Connection, order_id: int) -> list[str]:
    """The orders that went up in this one, without those that had gone up in them before."""
    return [code for (code,) in conn.execute(LOAD_MERGED_CODES, (order_id,))]


def load_survivor_code(conn: Connection, order_id: int) -> str | None:
    """The order that goes on in place of this one; None: it goes on itself."""
    row = conn.execute(LOAD_SURVIVOR_CODE, {"id": order_id}).fetchone()
    return None if row is None else str(row[0])
