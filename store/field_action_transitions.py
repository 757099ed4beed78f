"""What people do to a field action and its items: records, signatures, notices, audit and outbox change in the caller's
one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor, AuditEntry, find_content_sha256
from domain.audit_field_action import field_action_moved, field_action_signed, wave_opened
from domain.counting import say_count
from domain.errors import GuardRefusedError
from domain.field_action import (
    FieldAction,
    FieldActionGuard,
    FieldActionKind,
    FieldActionState,
    find_field_action_content,
)
from domain.field_action_item import FieldActionItem, ItemRequest, ItemState
from domain.field_action_scope import Wave
from domain.field_action_steps import (
    FieldActionFacts,
    FieldActionRequest,
    find_field_action_next,
    find_field_action_refusal,
    is_field_action_step_signed,
)
from store.audit import record_audit
from store.device_notices import refresh_notices
from store.field_action_items import ItemChange, find_next_item, update_items, verify_item_step
from store.field_action_orders import open_or_join_visit
from store.field_actions import ENTITY, load_approvers, update_field_action
from store.pool import Connection
from store.signatures import record_signature

_S = FieldActionState
# Steps that close something are signed on what they close.
SIGNED_STEPS = (_S.CLOSED, _S.CANCELLED)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    items: int
    items_open: int
    items_unverified: int
    items_unreachable: int
    customers_waiting: int
    overlapping: int


LOAD_SURROUNDINGS = """
    SELECT count(*)::integer AS items, (count(*) FILTER (WHERE p.is_open))::integer AS items_open,
        (count(*) FILTER (WHERE p.state = 'REMEDIATED'))::integer AS items_unverified,
        (count(*) FILTER (WHERE p.state = 'UNREACHABLE'))::integer AS items_unreachable,
        (count(DISTINCT p.customer_id) FILTER (WHERE p.state = 'IDENTIFIED' AND NOT EXISTS (
            SELECT FROM field_action_communication c WHERE c.field_action_id = p.field_action_id
                AND c.customer_id = p.customer_id AND c.result IN ('SENT', 'REACHED', 'ACKNOWLEDGED', 'REFUSED')
        )))::integer AS customers_waiting,
        (SELECT count(DISTINCT i.device_id) FROM field_action_item i
            JOIN field_action_item o ON o.device_id = i.device_id
            JOIN field_action a ON a.id = o.field_action_id
            WHERE i.field_action_id = %(id)s AND a.id <> %(id)s AND %(is_campaign)s AND a.kind = 'FIRMWARE'
                AND a.state IN ('APPROVED', 'NOTIFYING', 'EXECUTING'))::integer AS overlapping
    FROM field_action_place p WHERE p.field_action_id = %(id)s
"""
# Two campaigns for one device must not be approved, or taken up again, at the same moment.
LOCK_MODEL_CAMPAIGNS = "SELECT pg_advisory_xact_lock(4660123, %s)"


def find_field_action_facts(conn: Connection, action: FieldAction, actor_id: int | None) -> FieldActionFacts:
    """What the guards must know of the action and its items now."""
    with conn.cursor(row_factory=class_row(_Surroundings)) as cursor:
        is_campaign = action.kind is FieldActionKind.FIRMWARE
        around = cursor.execute(LOAD_SURROUNDINGS, {"id": action.id, "is_campaign": is_campaign}).fetchone()
    assert around is not None
    return FieldActionFacts(
        state=action.state,
        kind=action.kind,
        actor_id=actor_id,
        author_ids=action.author_ids,
        signed_by=load_approvers(conn, action) if action.state in (_S.DRAFT, _S.APPROVED) else (),
        items=around.items,
        items_open=around.items_open,
        items_unverified=around.items_unverified,
        items_unreachable=around.items_unreachable,
        customers_waiting=around.customers_waiting,
        overlapping=around.overlapping,
        firmware_state=action.firmware_state,
        is_halted=action.is_halted,
        has_effectiveness=action.effectiveness is not None,
    )


def record_field_action_step(
    conn: Connection, actor: Actor, before: FieldAction, request: FieldActionRequest, *, now: datetime
) -> FieldAction:
    """The action after the step. The caller holds its lock, and has just checked the password again for a signature.

    The first of two approvals is recorded and leaves it a draft.

    Raises
    ------
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.field_action.FieldActionGuard`.
    """
    if request.to in (_S.APPROVED, _S.EXECUTING) and before.kind is FieldActionKind.FIRMWARE:
        conn.execute(LOCK_MODEL_CAMPAIGNS, (before.device_model_id,))
    facts = find_field_action_facts(conn, before, actor.user_id)
    refusal = find_field_action_refusal(request, facts, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    state = find_field_action_next(request, facts)
    sha256 = _sign(conn, before, request, now)
    after = update_field_action(conn, _find_next(before, state, request, now))
    refresh_notices(conn, after, now)
    if state is before.state:
        assert sha256 is not None
        entry = field_action_signed(before, len({*facts.signed_by}) + 1, sha256)
    else:
        entry = field_action_moved(before, after, request.reason, sha256)
    record_audit(conn, actor, entry)
    return after


def _sign(conn: Connection, action: FieldAction, request: FieldActionRequest, now: datetime) -> str | None:
    if request.signature is None or not is_field_action_step_signed(action.state, request.to):
        return None
    content = find_field_action_content(action)
    entity = ENTITY
    if request.to in SIGNED_STEPS:
        entity = f"{ENTITY}.{request.to.lower()}"
        content = find_step_content(action, request)
    record_signature(conn, entity, action.id, action.content_version, content, request.signature, now)
    return find_content_sha256(content)


def find_step_content(action: FieldAction, request: FieldActionRequest) -> dict[str, Any]:
    """What is signed when an action is closed or cancelled: the action as approved, its outcome, and why."""
    return {
        "action": find_content_sha256(find_field_action_content(action)),
        "step": request.to,
        "effectiveness": action.effectiveness,
        "reason": request.reason,
    }


def _find_next(before: FieldAction, state: FieldActionState, request: FieldActionRequest, now: datetime) -> FieldAction:
    after = replace(before, state=state, updated_at=now)
    match state:
        case _S.EXECUTING if before.state is _S.NOTIFYING:
            watched = now if before.kind is FieldActionKind.FIRMWARE else None
            return replace(after, current_wave=1, wave_opened_at=now, executing_at=now, watched_from=watched)
        case _S.EXECUTING:
            return replace(after, effectiveness=None)
        case _S.EFFECTIVENESS:
            return replace(after, effectiveness=None)
        case _S.CLOSED:
            return replace(after, closed_at=now)
        case _S.CANCELLED:
            return replace(after, closed_at=now, cancel_reason=request.reason)
    return after


@dataclass(frozen=True, slots=True)
class WaveFigures:
    """How far a wave is; `done` are those neither open nor rolled back."""

    wave: int
    devices: int
    done: int
    remediated: int


LOAD_WAVES = """
    SELECT p.wave, count(*)::integer AS devices, (count(*) FILTER (WHERE NOT p.is_open))::integer AS done,
        (count(*) FILTER (WHERE p.is_remediated))::integer AS remediated
    FROM field_action_place p WHERE p.field_action_id = %s GROUP BY p.wave ORDER BY p.wave
"""


def load_wave_figures(conn: Connection, field_action_id: int) -> list[WaveFigures]:
    """How far each wave is, in order."""
    with conn.cursor(row_factory=class_row(WaveFigures)) as cursor:
        return cursor.execute(LOAD_WAVES, (field_action_id,)).fetchall()


def load_open_wave(conn: Connection, action: FieldAction) -> tuple[int, int]:
    """How many devices are in the wave that is open, and how many of them are done."""
    figures = {f.wave: f for f in load_wave_figures(conn, action.id)}.get(action.current_wave)
    return (figures.devices, figures.done) if figures is not None else (0, 0)


def find_wave_refusal(
    action: FieldAction, devices: int, done: int, now: datetime
) -> tuple[FieldActionGuard, str] | None:
    """Why the wave that is open, with so many devices of which so many are done, lets no next one open yet."""
    plan = Wave.from_json(action.waves[action.current_wave - 1])
    if done < plan.done_share * devices:
        of = f"{say_count(devices, 'device')} of wave {action.current_wave}"
        return FieldActionGuard.WAVE_NOT_DONE, f"{done} of {of} done; {plan.done_share:.0%} must be"
    opens_at = (action.wave_opened_at or now) + timedelta(hours=plan.soak_h)
    if now < opens_at:
        detail = f"wave {action.current_wave} must stand until {opens_at:%Y-%m-%d %H:%M} UTC"
        return FieldActionGuard.WAVE_SOAKING, detail
    return None


def open_next_wave(conn: Connection, actor: Actor, before: FieldAction, *, now: datetime) -> FieldAction:
    """The action with its next wave open; devices of it are told from now on. The caller holds its lock.

    Raises
    ------
    GuardRefusedError
        It is not executing, halted, at its last wave, or the wave that is open is not done, or has not stood long
        enough.
    """
    if actor.user_id is None:
        raise GuardRefusedError(FieldActionGuard.PERSON_NEEDED, "a person opens a wave")
    if before.state is not _S.EXECUTING:
        raise GuardRefusedError(FieldActionGuard.NOT_EXECUTING, f"the action is {before.state}")
    if before.is_halted:
        raise GuardRefusedError(FieldActionGuard.HALTED, "the action is halted")
    if before.current_wave >= len(before.waves):
        raise GuardRefusedError(FieldActionGuard.LAST_WAVE, "every wave is open")
    devices, done = load_open_wave(conn, before)
    refusal = find_wave_refusal(before, devices, done, now)
    if refusal is not None:
        raise GuardRefusedError(*refusal)
    after = replace(before, current_wave=before.current_wave + 1, wave_opened_at=now, updated_at=now)
    after = update_field_action(conn, after)
    refresh_notices(conn, after, now)
    record_audit(conn, actor, wave_opened(before, after, {"devices": devices, "done": done}))
    return after


def record_item_step(
    conn: Connection, actor: Actor, action: FieldAction, before: FieldActionItem, request: ItemRequest, *, now: datetime
) -> FieldActionItem:
    """The item after the step; a device that is visited gets its work order, or joins one. The caller holds the
    action's lock.

    Raises
    ------
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.field_action_item.ItemGuard`.
    """
    verify_item_step(conn, actor, action, before, request)
    after = find_next_item(before, request, actor.user_id, now)
    entries: list[AuditEntry] = []
    if request.to is ItemState.SCHEDULED and action.needs_visit:
        after, entries = open_or_join_visit(conn, actor, action, after, now)
    entries = [*entries, *update_items(conn, action, [ItemChange(before, after, request.reason)], now)]
    refresh_notices(conn, action, now, [after.device_id])
    record_audit(conn, actor, *entries)
    return after
