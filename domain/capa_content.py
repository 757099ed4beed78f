"""What people sign of a CAPA: the plan as it is approved, and the outcome as it is closed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.audit import find_content_sha256
from domain.capa_action import CapaAction
from domain.capa_cause import RootCause
from domain.capa_effectiveness import EffectivenessPlan


@dataclass(frozen=True, slots=True)
class CapaPlan:
    """Everything that two people approve: why it happens, what is done about it, and how its effect will be judged."""

    code: str
    round: int
    version: int  # a plan that was taken back is another one, even where no word of it changed
    scope: Mapping[str, Any]
    root_cause: RootCause
    actions: Sequence[CapaAction]
    effectiveness: EffectivenessPlan | None
    devices: int  # in the scope

    @property
    def counted(self) -> list[CapaAction]:
        """The actions that were not cancelled."""
        return [action for action in self.actions if action.counts]

    def find_content(self) -> dict[str, Any]:
        """What approvers sign; what becomes of an action later is not in it."""
        return {
            "code": self.code,
            "round": self.round,
            "version": self.version,
            "scope": dict(self.scope),
            "root_cause": self.root_cause.to_json(),
            "actions": [action.to_plan() for action in self.counted],
            "effectiveness": None if self.effectiveness is None else self.effectiveness.to_json(),
            "devices": self.devices,
        }


def find_closure_content(plan: CapaPlan, figures: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is signed at the closure: the approved plan, what became of its actions, and what their effect was."""
    return {
        "code": plan.code,
        "plan_sha256": find_content_sha256(plan.find_content()),
        "actions": [
            {
                "number": action.number,
                "state": action.state,
                "done_by": action.done_by,
                "done_at": action.done_at,
                "verified_by": action.verified_by,
                "verified_at": action.verified_at,
            }
            for action in plan.counted
        ],
        "figures": None if figures is None else dict(figures),
    }
