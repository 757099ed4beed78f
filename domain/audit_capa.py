"""The audit's sentences about CAPAs: proposals, decisions, causes, actions, and whether they helped."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.audit import AuditEntry
from domain.capa import CapaState
from domain.capa_action import ActionState, CapaAction
from domain.capa_cause import RootCause

ENTITY = "capa"
MOVES = {
    CapaState.OPEN: "capa.opened",
    CapaState.REJECTED: "capa.rejected",
    CapaState.INVESTIGATION: "capa.investigating",
    CapaState.ACTION_PLAN: "capa.planning",
    CapaState.IMPLEMENTATION: "capa.approved",
    CapaState.VERIFICATION: "capa.verifying",
    CapaState.EFFECTIVENESS: "capa.measuring",
    CapaState.CLOSED: "capa.closed",
}
ACTION_MOVES = {
    ActionState.OPEN: "capa.action_sent_back",
    ActionState.DONE: "capa.action_done",
    ActionState.VERIFIED: "capa.action_verified",
    ActionState.CANCELLED: "capa.action_cancelled",
}


def capa_proposed(code: str, data: Mapping[str, Any], work_order_ids: Sequence[int]) -> AuditEntry:
    """The machine, or a person, proposed a CAPA."""
    return AuditEntry("capa.proposed", ENTITY, code, None, {**data, "work_order_ids": list(work_order_ids)})


def capa_joined(code: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> AuditEntry:
    """Further cases, or what a release changed, were added to a live CAPA of the same scope."""
    return AuditEntry("capa.joined", ENTITY, code, before, after)


def capa_moved(
    code: str,
    before: CapaState,
    after: CapaState,
    reason: str,
    changes: Mapping[str, tuple[Any, Any]],
    content_sha256: str | None,
) -> AuditEntry:
    """A person brought a CAPA into another state; `changes` are (before, after) of what else moved with it."""
    was = {"state": before} | {name: values[0] for name, values in changes.items()}
    becomes = {"state": after} | {name: values[1] for name, values in changes.items()}
    if content_sha256 is not None:
        becomes["content_sha256"] = content_sha256
    action = MOVES[after] if (before, after) != (CapaState.VERIFICATION, CapaState.IMPLEMENTATION) else "capa.sent_back"
    return AuditEntry(action, ENTITY, code, was, becomes, reason)


def capa_signed(code: str, state: CapaState, to: CapaState, reason: str, content_sha256: str) -> AuditEntry:
    """The first of two people signed the plan, or asked for the closure; the state stays."""
    action = "capa.plan_signed" if to is CapaState.IMPLEMENTATION else "capa.closure_asked"
    return AuditEntry(
        action, ENTITY, code, {"state": state}, {"state": state, "content_sha256": content_sha256}, reason
    )


def root_cause_written(code: str, before: RootCause, after: RootCause) -> AuditEntry:
    """The investigation was written, or written anew."""
    return AuditEntry("capa.root_cause_written", ENTITY, code, before.to_json(), after.to_json())


def action_planned(code: str, before: CapaAction | None, after: CapaAction) -> AuditEntry:
    """An action was added to the plan, or its plan changed."""
    was = None if before is None else {"action": before.to_plan()}
    name = "capa.action_added" if before is None else "capa.action_changed"
    return AuditEntry(name, ENTITY, code, was, {"action": after.to_plan()})


def action_moved(before: CapaAction, after: CapaAction, reason: str) -> AuditEntry:
    """An action was done, verified, sent back or left out."""
    becomes: dict[str, Any] = {"number": after.number, "state": after.state}
    if after.state is ActionState.DONE:
        becomes |= {"done_evidence": after.done_evidence, "evidence": list(after.evidence)}
    if after.state is ActionState.VERIFIED:
        becomes["verified_note"] = after.verified_note
    was = {"number": before.number, "state": before.state}
    return AuditEntry(ACTION_MOVES[after.state], ENTITY, before.capa_code, was, becomes, reason)


def effectiveness_planned(code: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> AuditEntry:
    """It was said by which figure the effect of a CAPA will be judged."""
    return AuditEntry("capa.effectiveness_planned", ENTITY, code, before, after)


def effectiveness_judged(code: str, before: str | None, figures: Mapping[str, Any]) -> AuditEntry:
    """The period is over: what the figures say, or say now that an outcome has changed."""
    after = {"effectiveness_verdict": figures["verdict"], "figures": figures}
    return AuditEntry("capa.effectiveness_judged", ENTITY, code, {"effectiveness_verdict": before}, after)


def member_excluded(code: str, work_order: str, reason: str) -> AuditEntry:
    """A case stopped counting: it was a false alarm, or cancelled."""
    return AuditEntry("capa.member_excluded", ENTITY, code, None, {"work_order": work_order, "reason": reason})


def member_included(code: str, work_order: str) -> AuditEntry:
    """A case counts again."""
    return AuditEntry("capa.member_included", ENTITY, code, None, {"work_order": work_order, "reason": None})
