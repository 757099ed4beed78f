"""Parts of work orders as rows: asked for, used and signed for, withdrawn. The order is locked, the audit last."""

from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor, RecordedSignature, Signature
from domain.audit_part_usage import part_requested, part_used, part_withdrawn
from domain.errors import GuardRefusedError, NotFoundError
from domain.part_usage import (
    PartFacts,
    PartLine,
    PartState,
    PartUsage,
    find_part_content,
    find_request_refusal,
    find_use_refusal,
    find_withdrawal_refusal,
)
from domain.refusal import RecordRefusal
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.signatures import load_signatures, record_signature
from store.work_order_records import touch_work_order
from store.work_orders import lock_work_order

ENTITY = "part_usage"
LOAD_PARTS = """
    SELECT p.id, w.code AS work_order, p.state, p.item, p.description, p.quantity, p.lot, p.serial_in, p.serial_out,
        p.requested_by, p.requested_at, p.decided_by, p.decided_at, p.reason
    FROM part_usage p JOIN work_order w ON w.id = p.work_order_id
    WHERE p.work_order_id IN (SELECT orders_within(%(order_id)s)) AND (%(id)s::bigint IS NULL OR p.id = %(id)s)
    ORDER BY p.id
"""


def load_parts(conn: Connection, order_id: int) -> list[PartUsage]:
    """The parts of the order and of what went up in it, the oldest first."""
    return _load(conn, order_id, None)


def _load(conn: Connection, order_id: int, part_id: int | None) -> list[PartUsage]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOAD_PARTS, {"order_id": order_id, "id": part_id}).fetchall()
    return [_to_part(row) for row in rows]


def _to_part(row: dict[str, Any]) -> PartUsage:
    return PartUsage(**{**row, "state": PartState(row["state"])})


def load_part_signatures(conn: Connection, part: PartUsage) -> list[RecordedSignature]:
    """Who signed for the part, and whether that still stands."""
    return load_signatures(conn, ENTITY, part.id, find_part_content(part))


RECORD_REQUEST = """
    INSERT INTO part_usage (work_order_id, order_version, state, item, description, quantity, requested_quantity,
        requested_by, requested_at)
    VALUES (%(order_id)s, %(version)s, 'REQUESTED', %(item)s, %(description)s, %(quantity)s, %(quantity)s, %(by)s,
        %(now)s)
    RETURNING id
"""


def record_part_request(conn: Connection, actor: Actor, code: str, line: PartLine, *, now: datetime) -> PartUsage:
    """The part that is asked for; other systems are told by `part.requested`.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order; a rule refuses it (`domain.part_usage.PartGuard`).
    """
    order = lock_work_order(conn, code, None)
    facts, serial = _load_facts(conn, order)
    _verify(find_request_refusal(facts, actor_id=actor.user_id, by=actor.permission))
    values = {"order_id": order.id, "version": order.version, "item": line.item, "description": line.description}
    row = conn.execute(RECORD_REQUEST, values | {"quantity": line.quantity, "by": actor.name, "now": now}).fetchone()
    assert row is not None
    data = {"work_order": code, "part": row[0], "item": line.item, "description": line.description}
    data |= {"quantity": format(line.quantity.normalize(), "f"), "priority": order.priority, "serial": serial}
    record_events(
        conn, OutboxEvent("part.requested", serial or code, "work_order", code, now, data, order.is_simulated)
    )
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, part_requested(code, row[0], line))
    return _load_one(conn, order, row[0])


RECORD_USED = """
    INSERT INTO part_usage (work_order_id, order_version, state, item, description, quantity, lot, serial_in,
        serial_out, decided_by_id, decided_by, decided_at)
    VALUES (%(order_id)s, %(version)s, 'USED', %(item)s, %(description)s, %(quantity)s, %(lot)s, %(serial_in)s,
        %(serial_out)s, %(by_id)s, %(by)s, %(now)s)
    RETURNING id
"""
USE_REQUESTED = """
    UPDATE part_usage SET state = 'USED', description = %(description)s, quantity = %(quantity)s, lot = %(lot)s,
        serial_in = %(serial_in)s, serial_out = %(serial_out)s, decided_by_id = %(by_id)s, decided_by = %(by)s,
        decided_at = %(now)s
    WHERE id = %(id)s RETURNING id
"""


def record_part_use(
    conn: Connection,
    actor: Actor,
    code: str,
    part_id: int | None,
    line: PartLine,
    signature: Signature | None,
    *,
    now: datetime,
) -> PartUsage:
    """The part that was used, signed for; `part_id` is the request that it answers, None: it was at hand.

    The caller has checked the signer's password again just now.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order or request; a rule refuses it (`domain.part_usage.PartGuard`).
    """
    order = lock_work_order(conn, code, None)
    facts, _ = _load_facts(conn, order)
    known = None if part_id is None else _load_one(conn, order, part_id)
    _verify(find_use_refusal(facts, line, known, signature, actor_id=actor.user_id, by=actor.permission))
    assert signature is not None
    values: dict[str, Any] = {
        "id": part_id,
        "order_id": order.id,
        "version": order.version,
        "item": line.item,
        "description": line.description,
        "quantity": line.quantity,
        "lot": line.lot,
        "serial_in": line.serial_in,
        "serial_out": line.serial_out,
        "by_id": actor.user_id,
        "by": actor.name,
        "now": now,
    }
    row = conn.execute(RECORD_USED if known is None else USE_REQUESTED, values).fetchone()
    assert row is not None
    part = _load_one(conn, order, row[0])
    record_signature(conn, ENTITY, part.id, 1, find_part_content(part), signature, now)
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, part_used(code, part.id, None if known is None else known.state, line))
    return part


WITHDRAW = """
    UPDATE part_usage SET state = 'WITHDRAWN', decided_by_id = %s, decided_by = %s, decided_at = %s, reason = %s
    WHERE id = %s
"""


def record_part_withdrawal(
    conn: Connection, actor: Actor, code: str, part_id: int, reason: str, *, now: datetime
) -> PartUsage:
    """The request taken back.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order or request; a rule refuses it (`domain.part_usage.PartGuard`).
    """
    order = lock_work_order(conn, code, None)
    facts, _ = _load_facts(conn, order)
    known = _load_one(conn, order, part_id)
    _verify(find_withdrawal_refusal(facts, known, reason, actor_id=actor.user_id, by=actor.permission))
    conn.execute(WITHDRAW, (actor.user_id, actor.name, now, reason, part_id))
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, part_withdrawn(code, part_id, reason))
    return _load_one(conn, order, part_id)


LOAD_PART_FACTS = """
    SELECT d.serial, coalesce(m.safety_critical, false) FROM work_order w
    LEFT JOIN device d ON d.id = w.device_id LEFT JOIN device_model m ON m.id = d.device_model_id WHERE w.id = %s
"""


def _load_facts(conn: Connection, order: WorkOrder) -> tuple[PartFacts, str | None]:
    row = conn.execute(LOAD_PART_FACTS, (order.id,)).fetchone()
    assert row is not None
    return PartFacts(order.state, order.assignee_id, bool(row[1])), row[0]


def _load_one(conn: Connection, order: WorkOrder, part_id: int) -> PartUsage:
    found = _load(conn, order.id, part_id)
    if not found:
        raise NotFoundError(f"{order.code} has no part {part_id}.")
    return found[0]


def _verify(refusal: RecordRefusal | None) -> None:
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
