"""A field action that stands still, and that goes on again by a person's signature."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.audit import Actor, Signature, find_content_sha256
from domain.audit_field_action import field_action_halted, field_action_resumed
from domain.errors import GuardRefusedError
from domain.field_action import FieldAction, FieldActionGuard, FieldActionState, find_field_action_content
from domain.field_action_halt import HaltReason
from domain.firmware_record import FirmwareRecord
from domain.two_signatures import find_signing_refusal
from store.audit import record_audit
from store.device_notices import refresh_notices
from store.field_actions import ENTITY, lock_field_action, update_field_action
from store.pool import Connection
from store.signatures import record_signature

RUNNING = (FieldActionState.NOTIFYING, FieldActionState.EXECUTING)


def record_halt(
    conn: Connection,
    actor: Actor,
    action: FieldAction,
    reason: HaltReason,
    detail: str,
    statistics: Mapping[str, Any] | None,
    *,
    now: datetime,
) -> FieldAction:
    """The action standing still in the state that it is in: devices are told nothing more. The caller holds its lock.

    Raises
    ------
    GuardRefusedError
        It is halted already, or not running, or no reason is given.
    """
    if action.state not in RUNNING:
        raise GuardRefusedError(FieldActionGuard.NO_SUCH_TRANSITION, f"an action that is {action.state} does not halt")
    if action.is_halted:
        raise GuardRefusedError(FieldActionGuard.HALTED, "the action is halted already")
    if not detail.strip():
        raise GuardRefusedError(FieldActionGuard.REASON_MISSING, "halting an action needs a reason")
    after = replace(
        action,
        halted_at=now,
        halt_reason=reason.value,
        halt_statistics={**(statistics or {}), "detail": detail},
        updated_at=now,
    )
    after = update_field_action(conn, after)
    refresh_notices(conn, after, now)
    record_audit(conn, actor, field_action_halted(action.code, reason.value, detail, statistics))
    return after


def find_resume_content(action: FieldAction, reason: str) -> dict[str, Any]:
    """What is signed at a resumption: the action as approved, what halted it, and why it goes on."""
    return {
        "action": find_content_sha256(find_field_action_content(action)),
        "step": "RESUME",
        "halted_at": action.halted_at,
        "halt_reason": action.halt_reason,
        "halt_statistics": action.halt_statistics,
        "reason": reason,
    }


def record_resumption(
    conn: Connection, actor: Actor, action: FieldAction, reason: str, signature: Signature | None, *, now: datetime
) -> FieldAction:
    """The action going on; the findings that halted it halt it no more, and where its breach rate did, what is upgraded
    from now on is watched anew. Any other halt forgets nothing of what was upgraded before. The caller holds its lock
    and has just checked the password again.

    Raises
    ------
    GuardRefusedError
        It is not halted, its firmware is not released, or signature or reason are missing.
    """
    if not action.is_halted or action.state not in RUNNING:
        raise GuardRefusedError(FieldActionGuard.NOT_HALTED, "the action is not halted")
    if action.firmware_id is not None and action.firmware_state != "RELEASED":
        raise GuardRefusedError(FieldActionGuard.FIRMWARE_NOT_RELEASED, "its firmware is not released any more")
    if not reason.strip():
        raise GuardRefusedError(FieldActionGuard.REASON_MISSING, "say why the action may go on")
    refusal = find_signing_refusal(signature, actor_id=actor.user_id, author_ids=action.author_ids)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    assert signature is not None
    content = find_resume_content(action, reason)
    record_signature(conn, f"{ENTITY}.resume", action.id, action.content_version, content, signature, now)
    findings = [str(f) for f in (action.halt_statistics or {}).get("findings", ())]
    accepted = sorted({*action.accepted_findings, *findings})
    after = replace(
        action,
        halted_at=None,
        halt_reason="",
        halt_statistics=None,
        accepted_findings=accepted,
        updated_at=now,
    )
    if action.halt_reason == HaltReason.BREACH_RATE:
        after = replace(after, watched_from=now, looks=0, next_look_hours=0.0)
    after = update_field_action(conn, after)
    refresh_notices(conn, after, now)
    record_audit(conn, actor, field_action_resumed(action, reason, findings, find_content_sha256(content)))
    return after


LOAD_RUNNING_OF = """
    SELECT code FROM field_action WHERE firmware_id = %s AND state IN ('NOTIFYING', 'EXECUTING') AND halted_at IS NULL
    ORDER BY id
"""


def halt_campaigns_of(conn: Connection, actor: Actor, firmware: FirmwareRecord, reason: str, *, now: datetime) -> None:
    """Every running campaign of a version that was withdrawn stands still, in the caller's transaction."""
    # All locks before the first halt: it writes to the audit, which everybody else waits for from then on.
    for action in [
        lock_field_action(conn, code) for (code,) in conn.execute(LOAD_RUNNING_OF, (firmware.id,)).fetchall()
    ]:
        if action.state in RUNNING and not action.is_halted:
            detail = f"{firmware.code} {firmware.version} was withdrawn: {reason}"
            record_halt(conn, actor, action, HaltReason.FIRMWARE_WITHDRAWN, detail, None, now=now)
