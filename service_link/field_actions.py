"""Follows running field actions: what devices and work orders say of their items, and campaigns that must stop.

A round opens one short transaction for each action in which something moved, under the action's lock; one in which
nothing moved costs two queries. All follows from what is stored, so a round that died is simply made again.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from domain.audit import Actor, AuditEntry
from domain.field_action import FieldAction, FieldActionKind, FieldActionState
from domain.field_action_item import ItemFacts, ItemRequest, ItemState, find_item_refusal
from service_link.campaign_watch import watch_action
from service_link.settings import ServiceLinkSettings
from store.audit import record_audit
from store.device_notices import refresh_notices
from store.field_action_campaigns import (
    ReportedItem,
    VisitedItem,
    load_live_actions,
    load_reported_items,
    load_visited_items,
    try_lock_field_actions,
)
from store.field_action_communications import record_failed_updates
from store.field_action_items import ItemChange, find_next_item, update_items
from store.field_action_orders import open_or_join_visit
from store.field_actions import load_field_action, lock_field_action
from store.pool import DATABASE_GONE, RETRYABLE, Connection, open_connection

log = logging.getLogger("forewarn.service_link")
MACHINE = Actor(name="service_link", role="machine", permission="field_action_rules")
ITEMS_AT_ONCE = 200  # in a transaction: everybody who writes to the audit waits for its end
_S = ItemState
_WORKED_ON = ("TRIAGED", "ASSIGNED", "IN_PROGRESS", "ON_HOLD")


def follow_field_actions(settings: ServiceLinkSettings, stop: threading.Event) -> None:
    """Follows every running action, round after round, until `stop`; ends between two short steps.

    One process of an installation does it at a time. A round that fails is logged and comes again.
    """
    while not stop.is_set():
        try:
            with open_connection(settings.database_url, application="field-actions", autocommit=True) as conn:
                has_lock, next_watch = False, 0.0
                while not stop.is_set():
                    has_lock = has_lock or try_lock_field_actions(conn)
                    if has_lock:
                        is_watching = monotonic() >= next_watch
                        if is_watching:
                            next_watch = monotonic() + settings.campaign_watch_s
                        follow_round(conn, datetime.now(UTC), lambda: not stop.is_set(), is_watching=is_watching)
                    stop.wait(settings.field_action_s)
        except DATABASE_GONE as error:
            log.warning("the database is away from field actions: %s", error)
            stop.wait(settings.max_backoff_s)


def follow_round(
    conn: Connection, now: datetime, keep_on: Callable[[], bool] = lambda: True, *, is_watching: bool = True
) -> None:
    """One round over all running actions; what fails at one is logged and keeps no other from its turn."""
    for code in load_live_actions(conn):
        if not keep_on():
            return
        try:
            follow_action(conn, code, now, keep_on)
            if is_watching:
                watch_action(conn, MACHINE, code, now)
        except RETRYABLE as error:
            log.info("a round of %s is left to the next: %s", code, error)
        except DATABASE_GONE:
            raise
        except Exception:
            log.exception("a round of %s failed", code)


def follow_action(conn: Connection, code: str, now: datetime, keep_on: Callable[[], bool] = lambda: True) -> int:
    """How many items were brought up to what their devices and work orders say, some in each transaction."""
    seen = load_field_action(conn, code)
    count = 0
    while seen is not None and keep_on() and _load_moved(conn, seen):
        moved = _follow_some(conn, code, now)
        count += moved
        if moved < ITEMS_AT_ONCE:
            break
    return count


def _follow_some(conn: Connection, code: str, now: datetime) -> int:
    with conn.transaction():
        action = lock_field_action(conn, code)
        if action.state not in (FieldActionState.NOTIFYING, FieldActionState.EXECUTING, FieldActionState.EFFECTIVENESS):
            return 0
        changes: list[ItemChange] = []
        entries: list[AuditEntry] = []
        for moved in _load_moved(conn, action):
            if isinstance(moved, ReportedItem):
                change, more = _find_reported(conn, action, moved, now)
                entries += more
            else:
                change = _find_visited(action, moved, now)
            if change is not None:
                changes.append(change)
        entries += update_items(conn, action, changes, now)
        refresh_notices(conn, action, now, [change.after.device_id for change in changes])
        record_audit(conn, MACHINE, *entries)
    return len(changes)


def _load_moved(conn: Connection, action: FieldAction) -> list[ReportedItem] | list[VisitedItem]:
    if action.kind is FieldActionKind.FIRMWARE:
        return load_reported_items(conn, action, limit=ITEMS_AT_ONCE)
    return load_visited_items(conn, action, limit=ITEMS_AT_ONCE)


def _find_reported(
    conn: Connection, action: FieldAction, moved: ReportedItem, now: datetime
) -> tuple[ItemChange | None, list[AuditEntry]]:
    """What the device's own reports make of its item."""
    item, entries = moved.item, list[AuditEntry]()
    after, reason = item, ""
    if moved.failures > item.install_failures:
        record_failed_updates(conn, action, item, moved.failures - item.install_failures, moved.last_error or "", now)
    if moved.failures != item.install_failures:
        after = replace(after, install_failures=moved.failures)
        reason = f"update failed: {moved.last_error}" if moved.last_error else "update failed"
    runs = moved.version == action.firmware_version
    if runs and item.state not in (_S.REMEDIATED, _S.VERIFIED):
        to, reason = _S.REMEDIATED, "the device reported it"
    elif not runs and item.state in (_S.REMEDIATED, _S.VERIFIED):
        to, reason = _S.NOTIFIED, f"the device runs {moved.version} again"
    elif item.state is _S.IDENTIFIED and moved.is_told:
        to, reason = _S.NOTIFIED, "its notice is at the broker"
    else:
        to = item.state
    if to is not item.state:
        request = ItemRequest(to, reason)
        refusal = find_item_refusal(request, _find_facts(action, item.state, runs=runs), MACHINE.permission)
        if refusal is None:
            after = find_next_item(after, request, None, now)
            if to is _S.REMEDIATED:
                after = replace(after, remediated_at=moved.reported_at or now)
    gave_up = after.state.is_open and after.install_failures >= action.install_attempts
    if gave_up and not action.is_halted and action.state is FieldActionState.EXECUTING:
        after, entries = open_or_join_visit(conn, MACHINE, action, after, now)
    return (None if after == item else ItemChange(item, after, reason)), entries


def _find_visited(action: FieldAction, moved: VisitedItem, now: datetime) -> ItemChange | None:
    """What its work order makes of an item."""
    item, order = moved.item, moved.item.work_order_state
    code = item.work_order_code
    if order in _WORKED_ON:
        request = ItemRequest(_S.SCHEDULED, f"{code} was sent back to work")
    elif order == "CANCELLED":
        request = ItemRequest(_S.ACKNOWLEDGED, f"{code} was cancelled")
    elif item.state is _S.REMEDIATED:
        request = ItemRequest(_S.VERIFIED, f"{code} is {order}")
    elif item.state in (_S.ACKNOWLEDGED, _S.UNREACHABLE):
        request = ItemRequest(_S.SCHEDULED, f"{code} is {order}")
    else:
        request = ItemRequest(_S.REMEDIATED, f"{code} is {order}", evidence=f"{code}")
    refusal = find_item_refusal(request, _find_facts(action, item.state, runs=False), MACHINE.permission)
    if refusal is not None:
        return None
    after = find_next_item(item, request, moved.done_by_id, now)
    if request.to is _S.REMEDIATED:
        after = replace(after, remediated_at=moved.resolved_at or now)
    return ItemChange(item, after, request.reason)


def _find_facts(action: FieldAction, state: ItemState, *, runs: bool) -> ItemFacts:
    return ItemFacts(
        state=state,
        kind=action.kind,
        action_state=action.state,
        actor_id=None,
        is_machine=True,
        is_halted=action.is_halted,
        runs_wanted_version=runs,
    )
