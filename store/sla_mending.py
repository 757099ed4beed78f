"""Clocks counted anew from their events, and put right where what lists say of them differs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor, AuditEntry
from domain.audit_sla import clock_mended
from domain.sla_policy import ClockKind
from domain.work_order import WorkOrder
from store.audit import record_audit
from store.pool import Connection
from store.sla_clocks import (
    CLOCK_COLUMNS,
    ClockKey,
    apply_clocks,
    find_clock_row,
    load_clock_events,
    read_events,
    record_clocks,
)
from store.work_orders import WORK_ORDER_COLUMNS, to_work_order, update_work_orders

LOCK_SLICE = f"""
    SELECT {WORK_ORDER_COLUMNS} FROM work_order w
    WHERE w.state NOT IN ('CLOSED', 'CANCELLED') AND w.id %% %(slices)s = %(place)s
    ORDER BY w.id FOR UPDATE SKIP LOCKED
"""  # noqa: S608
LOAD_CLOCKS = f"""
    SELECT work_order_id, version, clock, {", ".join(CLOCK_COLUMNS)} FROM sla_clock WHERE work_order_id = ANY (%s)
"""  # noqa: S608


def mend_clocks(conn: Connection, actor: Actor, now: datetime, *, slices: int = 1, place: int = 0) -> list[str]:
    """The codes of open orders (one in `slices`: those whose id leaves `place`) whose clocks were put right.

    The events are the truth; a difference is a fault of a program or a time zone whose rules changed, and is audited.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOCK_SLICE.encode(), {"slices": slices, "place": place}).fetchall()
    return _mend(conn, actor, {row["id"]: to_work_order(row) for row in rows}, now)


LOCK_ORDERS = f"SELECT {WORK_ORDER_COLUMNS} FROM work_order w WHERE w.id = ANY (%s) ORDER BY w.id FOR UPDATE"  # noqa: S608


def mend_order_clocks(conn: Connection, actor: Actor, order_ids: list[int], now: datetime) -> list[str]:
    """The codes of those of these orders whose clocks were put right, in whatever state they are."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOCK_ORDERS.encode(), (order_ids,)).fetchall()
    return _mend(conn, actor, {row["id"]: to_work_order(row) for row in rows}, now)


REMOVE_CLOCK = "DELETE FROM sla_clock WHERE work_order_id = %s AND version = %s AND clock = %s"


def _mend(conn: Connection, actor: Actor, orders: Mapping[int, WorkOrder], now: datetime) -> list[str]:
    if not orders:
        return []
    stored = {(row[0], row[1], row[2]): row for row in conn.execute(LOAD_CLOCKS.encode(), (list(orders),))}
    clocks = {}
    entries: list[AuditEntry] = []
    for key, events in load_clock_events(conn, list(orders)).items():
        clock = read_events(events)
        if clock is None:
            continue
        clocks[key] = clock
        row = find_clock_row(key, clock)
        known = stored.pop((key[0], key[1], key[2].value), None)
        if known != row:
            entries.append(_find_entry(orders[key[0]], key, known, row))
            record_clocks(conn, {key: clock})
    for (order_id, version, name), known in stored.items():
        # A line without a start among the events is no clock.
        conn.execute(REMOVE_CLOCK, (order_id, version, name))
        entries.append(clock_mended(orders[order_id].code, ClockKind(name), {"state": known[3]}, {"state": None}))
    after = [(order, apply_clocks(order, clocks)) for order in orders.values()]
    moved = [(before, now_due) for before, now_due in after if before != now_due]
    update_work_orders(conn, [replace(order, updated_at=now) for _, order in moved])
    for before, order in moved:
        entries += _find_due_entries(before, order)
    record_audit(conn, actor, *entries)
    return sorted({entry.entity_id for entry in entries})


def _find_entry(order: WorkOrder, key: ClockKey, known: tuple[Any, ...] | None, row: tuple[Any, ...]) -> AuditEntry:
    was = known or (None,) * len(row)
    names = ("work_order_id", "version", "clock", *CLOCK_COLUMNS)
    differing = [(name, a, b) for name, a, b in zip(names, was, row, strict=True) if a != b]
    return clock_mended(
        order.code, key[2], {name: a for name, a, _ in differing}, {name: b for name, _, b in differing}
    )


def _find_due_entries(before: WorkOrder, after: WorkOrder) -> list[AuditEntry]:
    dues = (
        (ClockKind.RESPONSE, before.response_due_at, after.response_due_at),
        (ClockKind.RESOLUTION, before.resolution_due_at, after.resolution_due_at),
    )
    return [
        clock_mended(after.code, kind, {"due_at": was}, {"due_at": becomes})
        for kind, was, becomes in dues
        if was != becomes
    ]
