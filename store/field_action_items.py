"""The devices of a field action as rows: lists, and steps, each with its audit entry and its event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor, AuditEntry
from domain.audit_field_action import item_moved
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.field_action import FieldAction, FieldActionKind
from domain.field_action_item import (
    FieldActionItem,
    ItemFacts,
    ItemRequest,
    ItemState,
    find_item_id,
    find_item_refusal,
)
from store.outbox import OutboxEvent, record_events
from store.pool import Connection

_S = ItemState
# What the device runs is what its own newest report says, not what the master data say.
_SELECT = """
    SELECT i.id, i.field_action_id, i.device_id, d.serial, i.wave, i.state, i.state_since, i.attempts,
        i.install_failures, i.notified_at, i.acknowledged_at, i.scheduled_for, i.remediated_at, i.remediated_by_id,
        i.verified_at, i.evidence, i.reason, i.work_order_id, w.code AS work_order_code, w.state AS work_order_state,
        s.customer_id, d.region, d.is_simulated, i.row_version
    FROM field_action_item i JOIN device d ON d.id = i.device_id
    LEFT JOIN site s ON s.id = d.site_id LEFT JOIN work_order w ON w.id = i.work_order_id
"""
LIST_ITEMS = f"""
    {_SELECT} LEFT JOIN customer c ON c.id = s.customer_id
    WHERE i.field_action_id = %(field_action_id)s AND (%(states)s::text[] = '{{}}' OR i.state = ANY (%(states)s))
        AND (%(wave)s::integer IS NULL OR i.wave = %(wave)s) AND (%(region)s = '' OR d.region = %(region)s)
        AND (%(customer)s = '' OR c.code = %(customer)s)
        AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
        AND (%(serial)s = '' OR d.serial = %(serial)s) AND (%(after_id)s::bigint IS NULL OR i.id > %(after_id)s)
    ORDER BY i.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items of an action; an empty value means all."""

    states: tuple[str, ...] = ()
    wave: int | None = None
    region: str = ""
    customer: str = ""  # code
    customer_id: int | None = None  # what a customer's own user may see
    serial: str = ""


def load_items(
    conn: Connection,
    field_action_id: int,
    wanted: ItemFilter = ItemFilter(),
    *,
    after_id: int | None = None,
    limit: int = 100,
) -> list[FieldActionItem]:
    """Items in the order in which they were frozen; the `id` of the last one is the cursor for the next page."""
    values = {f.name: getattr(wanted, f.name) for f in fields(wanted)} | {"states": list(wanted.states)}
    values |= {"field_action_id": field_action_id, "after_id": after_id, "limit": limit}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [to_item(row) for row in cursor.execute(LIST_ITEMS, values)]


def to_item(row: Mapping[str, Any]) -> FieldActionItem:
    """The item of a row with its columns."""
    return FieldActionItem(**{f.name: row[f.name] for f in fields(FieldActionItem)} | {"state": _S(row["state"])})


LOAD_ITEM = f"{_SELECT} WHERE i.field_action_id = %s AND d.serial = %s"


def lock_item(
    conn: Connection, action: FieldAction, serial: str, expected_row_version: int | None = None
) -> FieldActionItem:
    """The item of that device; the caller holds the action's lock, so nobody else changes it.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        The device is not in the action, or the item is not at `expected_row_version`.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_ITEM, (action.id, serial)).fetchone()
    if row is None:
        raise NotFoundError(f"{serial} in {action.code}")
    item = to_item(row)
    if expected_row_version is not None and item.row_version != expected_row_version:
        raise RowVersionConflictError(
            f"{serial} in {action.code} is at version {item.row_version}, not {expected_row_version}."
        )
    return item


LOAD_REPORTED = """
    SELECT s.version FROM firmware_step s WHERE s.device_id = %s AND s.component = %s
    ORDER BY s.observed_at DESC, s.id DESC LIMIT 1
"""


def load_reported_version(conn: Connection, device_id: int, component: str) -> str | None:
    """What the component of the device runs by its own newest report; None: it has reported none."""
    row = conn.execute(LOAD_REPORTED, (device_id, component)).fetchone()
    return None if row is None else str(row[0])


def find_item_facts(
    conn: Connection, action: FieldAction, item: FieldActionItem, actor_id: int | None, *, is_machine: bool = False
) -> ItemFacts:
    """What the guards must know of the item."""
    runs = False
    if action.kind is FieldActionKind.FIRMWARE:
        runs = load_reported_version(conn, item.device_id, action.component or "main") == action.firmware_version
    is_visit_open = item.work_order_id is not None and item.work_order_state not in (*DONE_ORDER_STATES, "CANCELLED")
    return ItemFacts(
        state=item.state,
        kind=action.kind,
        action_state=action.state,
        actor_id=actor_id,
        is_machine=is_machine,
        is_halted=action.is_halted,
        wave=item.wave,
        current_wave=action.current_wave,
        attempts=item.attempts,
        max_attempts=action.max_attempts,
        runs_wanted_version=runs,
        has_open_visit=is_visit_open,
        remediated_by_id=item.remediated_by_id,
    )


DONE_ORDER_STATES = ("WORK_DONE", "VERIFIED", "CLOSED")


def verify_item_step(conn: Connection, actor: Actor, action: FieldAction, item: FieldActionItem, request: ItemRequest,
                     *, is_machine: bool = False) -> None:  # fmt: skip
    """Returns when no guard refuses the step.

    Raises
    ------
    GuardRefusedError
        One does; `guard` is a value of `domain.field_action_item.ItemGuard`.
    """
    facts = find_item_facts(conn, action, item, actor.user_id, is_machine=is_machine)
    refusal = find_item_refusal(request, facts, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)


def find_next_item(item: FieldActionItem, request: ItemRequest, actor_id: int | None, now: datetime) -> FieldActionItem:
    """The item after a step that no guard refused."""
    after = replace(item, state=request.to, state_since=now, reason=request.reason, row_version=item.row_version + 1)
    if item.state is _S.UNREACHABLE and after.state.is_open:
        after = replace(after, attempts=0)  # found: attempts count from now on
    match request.to:
        case _S.NOTIFIED:
            # A roll-back, or work that was sent back: what was done is not done.
            return replace(
                after, notified_at=item.notified_at or now, remediated_at=None, remediated_by_id=None, verified_at=None
            )
        case _S.ACKNOWLEDGED:
            return replace(after, acknowledged_at=now, notified_at=item.notified_at or now, attempts=0)
        case _S.SCHEDULED:
            return replace(
                after,
                scheduled_for=request.scheduled_for or item.scheduled_for,
                remediated_at=None,
                remediated_by_id=None,
                verified_at=None,
            )
        case _S.REMEDIATED:
            return replace(
                after, remediated_at=now, remediated_by_id=actor_id, evidence=request.evidence or item.evidence
            )
        case _S.VERIFIED:
            return replace(after, verified_at=now, evidence=request.evidence or item.evidence)
    return after


MUTABLE_COLUMNS = (
    "state", "state_since", "attempts", "install_failures", "notified_at", "acknowledged_at", "scheduled_for",
    "remediated_at", "remediated_by_id", "verified_at", "evidence", "reason", "work_order_id",
)  # fmt: skip
UPDATE_ITEM = f"""
    UPDATE field_action_item SET {", ".join(f"{name} = %({name})s" for name in MUTABLE_COLUMNS)},
        row_version = row_version + 1
    WHERE id = %(id)s
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item before and after, and why."""

    before: FieldActionItem
    after: FieldActionItem
    reason: str = ""


def update_items(
    conn: Connection, action: FieldAction, changes: Sequence[ItemChange], now: datetime
) -> list[AuditEntry]:
    """Writes the items and their events, and gives the audit entries for the caller to record last."""
    if not changes:
        return []
    with conn.cursor() as cursor:
        cursor.executemany(
            UPDATE_ITEM,
            [{n: getattr(c.after, n) for n in MUTABLE_COLUMNS} | {"id": c.after.id} for c in changes],
        )
    record_events(conn, *(_make_event(action, c, now) for c in changes if c.before.state is not c.after.state))
    entries = []
    for change in changes:
        names = [
            n
            for n in MUTABLE_COLUMNS
            if n not in ("state_since", "reason") and getattr(change.before, n) != getattr(change.after, n)
        ]
        was, becomes = ({n: getattr(side, n) for n in names} for side in (change.before, change.after))
        entries.append(item_moved(action.code, change.before.serial, was, becomes, change.reason))
    return entries


def _make_event(action: FieldAction, change: ItemChange, now: datetime) -> OutboxEvent:
    after = change.after
    data = {
        "action": action.code,
        "kind": action.kind,
        "serial": after.serial,
        "state": after.state,
        "previous": change.before.state,
        "wave": after.wave,
        "customer_id": after.customer_id,
        "work_order": after.work_order_code,
    }
    if action.kind is FieldActionKind.FIRMWARE:
        data |= {"component": action.component, "version": action.firmware_version}
    return OutboxEvent(
        "fieldaction.item.changed",
        after.serial,
        "field_action_item",
        find_item_id(action.code, after.serial),
        now,
        data,
        after.is_simulated or action.is_simulated,
    )
