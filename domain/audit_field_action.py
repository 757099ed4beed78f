"""The audit's sentences about field actions, their devices, and what was said to whom."""

from collections.abc import Mapping
from typing import Any

from domain.audit import AuditEntry
from domain.field_action import FieldAction, FieldActionState, find_field_action_content
from domain.field_action_item import find_item_id

ENTITY = "field_action"
ITEM = "field_action_item"
_ACTIONS = {
    FieldActionState.APPROVED: "fieldaction.approved",
    FieldActionState.NOTIFYING: "fieldaction.notifying",
    FieldActionState.EXECUTING: "fieldaction.executing",
    FieldActionState.EFFECTIVENESS: "fieldaction.effectiveness",
    FieldActionState.CLOSED: "fieldaction.closed",
    FieldActionState.CANCELLED: "fieldaction.cancelled",
}


def field_action_drafted(action: FieldAction) -> AuditEntry:
    """Somebody wrote a draft."""
    after = find_field_action_content(action) | {"state": action.state}
    return AuditEntry("fieldaction.drafted", ENTITY, action.code, None, after)


def field_action_changed(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """Somebody changed a draft; signatures on it as it was do not count any more."""
    return AuditEntry("fieldaction.changed", ENTITY, code, before, after)


def field_action_scoped(before: FieldAction, after: FieldAction, added: int, removed: int) -> AuditEntry:
    """A scope was frozen: which devices the action is for, and in which wave each comes."""
    was = {"scope": before.scope, "scope_sha256": before.scope_sha256, "item_count": before.item_count}
    becomes = {"scope": after.scope, "scope_sha256": after.scope_sha256, "item_count": after.item_count}
    more = {"added": added, "removed": removed}
    return AuditEntry("fieldaction.scoped", ENTITY, after.code, was, becomes | more)


def field_action_signed(action: FieldAction, signatures: int, content_sha256: str) -> AuditEntry:
    """The first of two people approved; it stays a draft."""
    after = {"signatures": signatures, "content_sha256": content_sha256, "content_version": action.content_version}
    return AuditEntry("fieldaction.signed", ENTITY, action.code, {"state": action.state}, after)


def field_action_moved(before: FieldAction, after: FieldAction, reason: str, content_sha256: str | None) -> AuditEntry:
    """An action came into another state by a person."""
    becomes: dict[str, Any] = {"state": after.state, "current_wave": after.current_wave}
    if content_sha256 is not None:
        becomes["content_sha256"] = content_sha256
    if after.state is FieldActionState.CLOSED:
        becomes["effectiveness"] = after.effectiveness
    was = {"state": before.state, "current_wave": before.current_wave}
    return AuditEntry(_ACTIONS[after.state], ENTITY, before.code, was, becomes, reason)


def wave_opened(before: FieldAction, after: FieldAction, figures: Mapping[str, Any]) -> AuditEntry:
    """The next wave of devices was opened."""
    was, becomes = {"current_wave": before.current_wave}, {"current_wave": after.current_wave}
    return AuditEntry("fieldaction.wave_opened", ENTITY, before.code, was, becomes | {"wave_before": figures})


def field_action_halted(code: str, reason: str, detail: str, statistics: Mapping[str, Any] | None) -> AuditEntry:
    """An action stands still: by a person, or because upgraded devices breach more often."""
    after = {"halted": True, "halt_reason": reason, "statistics": statistics}
    return AuditEntry("fieldaction.halted", ENTITY, code, {"halted": False}, after, detail)


def field_action_resumed(before: FieldAction, reason: str, accepted: list[str], content_sha256: str) -> AuditEntry:
    """A person signed that an action goes on, knowing what halted it."""
    was = {"halted": True, "halt_reason": before.halt_reason}
    after = {"halted": False, "accepted_findings": accepted, "content_sha256": content_sha256}
    return AuditEntry("fieldaction.resumed", ENTITY, before.code, was, after, reason)


def effectiveness_computed(code: str, figures: Mapping[str, Any]) -> AuditEntry:
    """The figures of an action's effectiveness were computed from what came after."""
    return AuditEntry("fieldaction.effectiveness_computed", ENTITY, code, None, {"effectiveness": figures})


def item_moved(
    code: str, serial: str, before: Mapping[str, Any], after: Mapping[str, Any], reason: str = ""
) -> AuditEntry:
    """A device of an action came into another state."""
    return AuditEntry("fieldaction.item_changed", ITEM, find_item_id(code, serial), before, after, reason)


def communication_recorded(code: str, communication_id: int, channel: str, result: str, items: int) -> AuditEntry:
    """Something was said to a customer or to who has a device; what, and to whom, stands in the trail alone."""
    after = {"communication_id": communication_id, "channel": channel, "result": result, "items": items}
    return AuditEntry("fieldaction.communicated", ENTITY, code, None, after)


def visit_joined(order: str, code: str, serial: str) -> AuditEntry:
    """A field action joined the open visit of another one to the same device."""
    return AuditEntry("workorder.joined", "work_order", order, None, {"field_action": code, "serial": serial})
