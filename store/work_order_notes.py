"""What people note of a work order beside its steps."""

from datetime import datetime

from domain.audit import Actor
from domain.audit_work_order import order_noted
from store.audit import record_audit
from store.pool import Connection
from store.work_order_records import touch_work_order
from store.work_orders import lock_work_order

RECORD_NOTE = "INSERT INTO work_order_note (work_order_id, at, author, body) VALUES (%s, %s, %s, %s) RETURNING id"


def record_note(conn: Connection, actor: Actor, code: str, body: str, *, now: datetime) -> int:
    """The id of the note that was added, written once. The order's row_version stays: a note conflicts with nothing.

    Raises
    ------
    NotFoundError
        There is no such order.
    """
    order = lock_work_order(conn, code, None)
    row = conn.execute(RECORD_NOTE, (order.id, now, actor.name, body)).fetchone()
    assert row is not None
    touch_work_order(conn, order.id, now)
    record_audit(conn, actor, order_noted(code, row[0]))
    return int(row[0])
