"""The actions of a CAPA's plan: what is done, by whom until when, and the guards of their steps. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from domain.capa import CapaGuard, CapaRefusal, CapaState
from domain.roles import Permission


class ActionKind(StrEnum):
    """After ISO 13485: a correction mends what is wrong, a corrective action its cause, a preventive one what could
    become wrong elsewhere."""

    CORRECTION = "CORRECTION"
    CORRECTIVE = "CORRECTIVE"
    PREVENTIVE = "PREVENTIVE"


class ActionState(StrEnum):
    """Values stand in the database and never change."""

    OPEN = "OPEN"
    DONE = "DONE"
    VERIFIED = "VERIFIED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class CapaAction:
    """One action. `owner` is who sees to it; `done_by` who said that it is done, `verified_by` who saw that it is."""

    id: int
    capa_id: int
    capa_code: str
    capa_state: CapaState
    number: int
    round: int  # in which it was planned
    kind: ActionKind
    state: ActionState
    text: str
    owner_id: int | None
    owner: str | None
    due_on: date | None
    done_evidence: str
    done_by_id: int | None
    done_by: str | None
    done_at: datetime | None
    verified_note: str
    verified_by_id: int | None
    verified_by: str | None
    verified_at: datetime | None
    cancel_reason: str
    created_at: datetime
    updated_at: datetime
    evidence: list[Mapping[str, Any]] = field(default_factory=list)  # references to records

    @property
    def counts(self) -> bool:
        """It is part of the plan."""
        return self.state is not ActionState.CANCELLED

    @property
    def is_complete(self) -> bool:
        """Somebody has it, until a day."""
        return self.owner_id is not None and self.due_on is not None

    def is_overdue(self, today: date) -> bool:
        """Its day is over and it is not done."""
        return self.state is ActionState.OPEN and self.due_on is not None and self.due_on < today

    def to_plan(self) -> dict[str, Any]:
        """What approvers sign of it."""
        return {
            "number": self.number,
            "kind": self.kind,
            "text": self.text,
            "owner": self.owner,
            "due_on": self.due_on,
        }


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """What somebody wants of an action: `evidence` is what was done or seen, `reason` why it goes back or away."""

    to: ActionState
    evidence: str = ""
    reason: str = ""


_A, _S, _G = ActionState, CapaState, CapaGuard
_W, _P = Permission.CAPA_WORK, Permission.CAPA_APPROVE
ACTION_TRANSITIONS: dict[tuple[ActionState, ActionState], tuple[Permission, ...]] = {
    (_A.OPEN, _A.DONE): (_W,),
    (_A.OPEN, _A.CANCELLED): (_W,),
    (_A.DONE, _A.VERIFIED): (_W, _P),
    (_A.DONE, _A.OPEN): (_W, _P),
}
# While the plan is written; from its approval on it is what two people signed.
PLANNING = (CapaState.OPEN, CapaState.INVESTIGATION, CapaState.ACTION_PLAN)


def find_plan_refusal(state: CapaState, kind: ActionKind) -> CapaRefusal | None:
    """Why such an action can be neither added nor changed now; a correction does not wait for the cause."""
    if state not in PLANNING:
        return CapaRefusal(_G.PLAN_NOT_OPEN, f"the CAPA is {state}: take it back to ACTION_PLAN to change its plan")
    if kind is not ActionKind.CORRECTION and state is not CapaState.ACTION_PLAN:
        return CapaRefusal(_G.PLAN_NOT_OPEN, f"the CAPA is {state}: before ACTION_PLAN only corrections are planned")
    return None


def find_action_refusal(
    request: ActionRequest, action: CapaAction, actor_id: int | None, by: str
) -> CapaRefusal | None:
    """The first guard that refuses the step, or None; `by` is the permission that the actor uses."""
    needed = ACTION_TRANSITIONS.get((action.state, request.to))
    if needed is None:
        allowed = ", ".join(to for source, to in ACTION_TRANSITIONS if source is action.state) or "nothing"
        detail = f"from {action.state} an action can become {allowed}; not {request.to}"
        return CapaRefusal(_G.NO_SUCH_TRANSITION, detail)
    if by not in needed:
        return CapaRefusal(_G.PERMISSION_MISSING, f"this needs {' or '.join(needed)}")
    if actor_id is None:
        return CapaRefusal(_G.PERSON_NEEDED, "people say what was done; a token or a program does not")
    return _CHECKS[request.to](request, action, actor_id)


def _check_done(request: ActionRequest, action: CapaAction, actor_id: int) -> CapaRefusal | None:
    is_early = action.kind is ActionKind.CORRECTION and action.capa_state in PLANNING
    if action.capa_state is not _S.IMPLEMENTATION and not is_early:
        return CapaRefusal(_G.PLAN_NOT_APPROVED, f"the CAPA is {action.capa_state}: its plan is not being carried out")
    if not request.evidence.strip():
        return CapaRefusal(_G.EVIDENCE_MISSING, "say what was done, and where it is recorded")
    return None


def _check_verified(request: ActionRequest, action: CapaAction, actor_id: int) -> CapaRefusal | None:
    if action.capa_state is not _S.VERIFICATION:
        return CapaRefusal(_G.NOT_IN_VERIFICATION, f"the CAPA is {action.capa_state}; actions are verified together")
    if actor_id in (action.done_by_id, action.owner_id):
        return CapaRefusal(_G.OWN_WORK, "nobody verifies what he did himself")
    if not request.evidence.strip():
        return CapaRefusal(_G.EVIDENCE_MISSING, "say what was seen")
    return None


def _check_open(request: ActionRequest, action: CapaAction, actor_id: int) -> CapaRefusal | None:
    if action.capa_state not in (*PLANNING, _S.IMPLEMENTATION, _S.VERIFICATION):
        return CapaRefusal(_G.NOT_IN_VERIFICATION, f"the CAPA is {action.capa_state}")
    if not request.reason.strip():
        return CapaRefusal(_G.REASON_MISSING, "sending an action back needs a reason")
    return None


def _check_cancelled(request: ActionRequest, action: CapaAction, actor_id: int) -> CapaRefusal | None:
    if action.capa_state not in PLANNING:
        return CapaRefusal(_G.PLAN_NOT_OPEN, "two people approved it: take the CAPA back to ACTION_PLAN")
    if not request.reason.strip():
        return CapaRefusal(_G.REASON_MISSING, "leaving an action out needs a reason")
    return None


_CHECKS = {
    _A.DONE: _check_done,
    _A.VERIFIED: _check_verified,
    _A.OPEN: _check_open,
    _A.CANCELLED: _check_cancelled,
}
