"""Models as controlled records: draft, shadow, live, retired; which step may follow which, and the guards. Pure.

A model becomes live only after a backtest, and on a safety-critical device model only when two people signed: the one
who asks for the activation, and another who approves it. Of one device model, kind and firmware one model is live: the
one that becomes live replaces it. A roll-back makes that one live again at once; its approval of then still stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.roles import Permission


class ModelState(StrEnum):
    """Values stand in the database and never change."""

    DRAFT = "DRAFT"
    SHADOW = "SHADOW"  # scored beside what is live, delivers nowhere, counts
    LIVE = "LIVE"
    RETIRED = "RETIRED"


class ModelKind(StrEnum):
    """What a model is. Values stand in the database and never change."""

    FLEET_PRIOR = "fleet_prior"
    PROFILE = "profile"


class ModelStep(StrEnum):
    """What people do with a model."""

    SHADOW = "shadow"
    ACTIVATE = "activate"
    ROLL_BACK = "roll_back"
    RETIRE = "retire"


class ModelGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_STEP = "no_such_step"
    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    BACKTEST_MISSING = "backtest_missing"
    NOT_RUNNABLE = "not_runnable"
    PERSON_NEEDED = "person_needed"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    SECOND_PERSON = "second_person"
    NOTHING_BEFORE = "nothing_before"
    ANOTHER_IN_SHADOW = "another_in_shadow"
    PROFILE_MOVED_ON = "profile_moved_on"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the guards must know, loaded in the transaction that takes the step."""

    state: ModelState
    safety_critical: bool  # the device model
    actor_id: int | None  # None: a token or a program, not a person
    signer_id: int | None = None  # whose signature comes with the step
    asked_by_id: int | None = None  # who asked for the activation before
    has_backtest: bool = False  # one that counted a device-day and judged every monitor that the model changes
    is_runnable: bool = True  # made by the detectors that run now
    has_predecessor: bool = False  # it replaced something when it became live
    other_in_shadow: str | None = None  # the code of the model that is in shadow for the same devices
    # A profile that was proposed for another version than the current one; a live one that was changed since.
    is_outdated: bool = False


@dataclass(frozen=True, slots=True)
class ModelRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ModelGuard
    detail: str


@dataclass(frozen=True, slots=True)
class ModelDecision:
    """What the step leads to. `asked`: nothing changes but that another person can approve it now."""

    state: ModelState
    asked: bool = False


STEPS: dict[tuple[ModelState, ModelStep], ModelState] = {
    (ModelState.DRAFT, ModelStep.SHADOW): ModelState.SHADOW,
    (ModelState.SHADOW, ModelStep.ACTIVATE): ModelState.LIVE,
    (ModelState.LIVE, ModelStep.ROLL_BACK): ModelState.RETIRED,
    (ModelState.DRAFT, ModelStep.RETIRE): ModelState.RETIRED,
    (ModelState.SHADOW, ModelStep.RETIRE): ModelState.RETIRED,
    (ModelState.LIVE, ModelStep.RETIRE): ModelState.RETIRED,
}
MODEL_PERMISSION = Permission.PROFILE_WRITE  # engineers alone have it
_SIGNED = (ModelStep.ACTIVATE, ModelStep.ROLL_BACK, ModelStep.RETIRE)  # where they change what is live


def describe_profile(profile_json: Mapping[str, Any], base_version: int) -> dict[str, Any]:
    """The description of a proposed profile, made for that version of the current one."""
    return {"format": 1, "base_version": base_version, "profile": dict(profile_json)}


def find_primed_monitors(description: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the monitors that a fleet prior has a part for, each once; a part is told by "monitor:sensors"."""
    return tuple(dict.fromkeys(str(part["key"]).partition(":")[0] for part in description.get("parts", ())))


def find_model_steps(state: ModelState) -> tuple[ModelStep, ...]:
    """The steps that are possible, whoever asks."""
    return tuple(step for source, step in STEPS if source is state)


def is_signed(step: ModelStep, state: ModelState, safety_critical: bool) -> bool:
    """Whether a person signs this step with the password: on safety-critical device models what changes the live."""
    return safety_critical and step in _SIGNED and (step is ModelStep.ACTIVATE or state is ModelState.LIVE)


def is_runnable(description: Mapping[str, Any], detectors: Mapping[str, int] | None) -> bool:
    """Whether every part of a model is of a detector that runs, in the version that runs; None: nobody knows, and a
    part that does not fit is left aside by scoring."""
    parts = description.get("parts", ())
    return detectors is None or all(detectors.get(part["rule"]) == part["version"] for part in parts)


def decide_step(step: ModelStep, facts: ModelFacts, *, by: str, reason: str) -> ModelDecision | ModelRefusal:
    """What becomes of the model, or the first guard that refuses; `by` is the permission that the actor uses."""
    target = STEPS.get((facts.state, step))
    if target is None:
        allowed = ", ".join(find_model_steps(facts.state)) or "nothing"
        return ModelRefusal(ModelGuard.NO_SUCH_STEP, f"of a model in {facts.state} one can {allowed}; not {step}")
    if by != MODEL_PERMISSION:
        return ModelRefusal(ModelGuard.PERMISSION_MISSING, f"this needs {MODEL_PERMISSION}")
    refusal = _check(step, facts, reason)
    if refusal is not None:
        return refusal
    if is_signed(step, facts.state, facts.safety_critical):
        refusal = _check_signature(facts)
        if refusal is not None:
            return refusal
        if step is ModelStep.ACTIVATE and facts.asked_by_id is None:
            return ModelDecision(facts.state, asked=True)
        if step is ModelStep.ACTIVATE and facts.asked_by_id == facts.actor_id:
            return ModelRefusal(ModelGuard.SECOND_PERSON, "you asked for it; another engineer has to approve it")
    return ModelDecision(target)


def _check(step: ModelStep, facts: ModelFacts, reason: str) -> ModelRefusal | None:
    if facts.state is ModelState.LIVE and not reason.strip():
        return ModelRefusal(ModelGuard.REASON_MISSING, "taking a live model away needs its reason")
    if step is ModelStep.ROLL_BACK and not facts.has_predecessor:
        return ModelRefusal(ModelGuard.NOTHING_BEFORE, "it replaced no model; it can be retired")
    if step in (ModelStep.SHADOW, ModelStep.ACTIVATE) and not facts.is_runnable:
        return ModelRefusal(
            ModelGuard.NOT_RUNNABLE, "it was made for other detectors than those that run now; train anew"
        )
    if step is ModelStep.ROLL_BACK and facts.is_outdated:
        return ModelRefusal(
            ModelGuard.PROFILE_MOVED_ON,
            "the profile was changed since, and a roll-back would undo that as well; propose the thresholds anew",
        )
    if step is ModelStep.SHADOW and facts.other_in_shadow is not None:
        return ModelRefusal(
            ModelGuard.ANOTHER_IN_SHADOW, f"{facts.other_in_shadow} is in shadow for the same devices; retire it first"
        )
    if step in (ModelStep.SHADOW, ModelStep.ACTIVATE) and facts.is_outdated:
        return ModelRefusal(
            ModelGuard.PROFILE_MOVED_ON, "the device model has another profile since it was proposed; propose anew"
        )
    if step is ModelStep.ACTIVATE and not facts.has_backtest:
        return ModelRefusal(
            ModelGuard.BACKTEST_MISSING,
            "no backtest is finished yet that counted a device-day and judged what it changes",
        )
    return None


def _check_signature(facts: ModelFacts) -> ModelRefusal | None:
    if facts.actor_id is None:
        return ModelRefusal(ModelGuard.PERSON_NEEDED, "on a safety-critical device model a person decides")
    if facts.signer_id is None:
        return ModelRefusal(ModelGuard.SIGNATURE_MISSING, "it is signed: give the password again")
    if facts.signer_id != facts.actor_id:
        return ModelRefusal(ModelGuard.SIGNER_IS_ANOTHER, "nobody signs for somebody else")
    return None
