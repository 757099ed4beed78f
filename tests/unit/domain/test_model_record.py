"""Models as controlled records: every step, every guard."""

from dataclasses import replace

import pytest

from domain.model_record import (
    MODEL_PERMISSION,
    STEPS,
    ModelDecision,
    ModelFacts,
    ModelGuard,
    ModelRefusal,
    ModelState,
    ModelStep,
    decide_step,
    find_model_steps,
    is_runnable,
    is_signed,
)
from domain.roles import ROLE_PERMISSIONS, Role

READY = ModelFacts(ModelState.SHADOW, safety_critical=True, actor_id=1, signer_id=1, has_backtest=True)
LIVE = replace(READY, state=ModelState.LIVE, has_predecessor=True)


def _decide(step: ModelStep, facts: ModelFacts, reason: str = "worse", by: str = MODEL_PERMISSION) -> object:
    decided = decide_step(step, facts, by=by, reason=reason)
    return decided.guard if isinstance(decided, ModelRefusal) else decided


def test_the_way_of_a_model() -> None:
    found = {state: find_model_steps(state) for state in ModelState}
    assert found == {
        ModelState.DRAFT: (ModelStep.SHADOW, ModelStep.RETIRE),
        ModelState.SHADOW: (ModelStep.ACTIVATE, ModelStep.RETIRE),
        ModelState.LIVE: (ModelStep.ROLL_BACK, ModelStep.RETIRE),
        ModelState.RETIRED: (),
    }


@pytest.mark.parametrize("state", list(ModelState))
@pytest.mark.parametrize("step", list(ModelStep))
def test_what_is_no_step_is_refused_by_name_and_every_step_needs_the_engineers_right(
    state: ModelState, step: ModelStep
) -> None:
    facts = replace(LIVE, state=state, asked_by_id=2)
    if (state, step) in STEPS:
        assert _decide(step, facts) == ModelDecision(STEPS[state, step])
        assert _decide(step, facts, by="capa.decide") is ModelGuard.PERMISSION_MISSING
    else:
        assert _decide(step, facts) is ModelGuard.NO_SUCH_STEP


def test_only_engineers_have_that_right() -> None:
    assert [role for role in Role if MODEL_PERMISSION in ROLE_PERMISSIONS[role]] == [Role.ENGINEER]


def test_on_a_safety_critical_device_model_two_people_activate() -> None:
    assert _decide(ModelStep.ACTIVATE, READY) == ModelDecision(ModelState.SHADOW, asked=True)
    asked = replace(READY, asked_by_id=1)
    assert _decide(ModelStep.ACTIVATE, asked) is ModelGuard.SECOND_PERSON
    assert _decide(ModelStep.ACTIVATE, replace(asked, actor_id=2, signer_id=2)) == ModelDecision(ModelState.LIVE)


def test_on_another_device_model_one_person_or_program_does() -> None:
    facts = replace(READY, safety_critical=False, actor_id=None, signer_id=None)
    assert _decide(ModelStep.ACTIVATE, facts) == ModelDecision(ModelState.LIVE)
    assert _decide(ModelStep.ROLL_BACK, replace(facts, state=ModelState.LIVE, has_predecessor=True)) == ModelDecision(
        ModelState.RETIRED
    )


@pytest.mark.parametrize(
    ("step", "facts", "reason", "guard"),
    [
        (ModelStep.ACTIVATE, replace(READY, has_backtest=False), "", ModelGuard.BACKTEST_MISSING),
        (ModelStep.ACTIVATE, replace(READY, is_runnable=False), "", ModelGuard.NOT_RUNNABLE),
        (ModelStep.SHADOW, replace(READY, state=ModelState.DRAFT, is_runnable=False), "", ModelGuard.NOT_RUNNABLE),
        (
            ModelStep.SHADOW,
            replace(READY, state=ModelState.DRAFT, other_in_shadow="MOD-2026-0001"),
            "",
            ModelGuard.ANOTHER_IN_SHADOW,
        ),
        (ModelStep.ACTIVATE, replace(READY, actor_id=None, signer_id=None), "", ModelGuard.PERSON_NEEDED),
        (ModelStep.ACTIVATE, replace(READY, signer_id=None), "", ModelGuard.SIGNATURE_MISSING),
        (ModelStep.ACTIVATE, replace(READY, signer_id=2), "", ModelGuard.SIGNER_IS_ANOTHER),
        (ModelStep.ROLL_BACK, LIVE, " ", ModelGuard.REASON_MISSING),
        (ModelStep.ROLL_BACK, replace(LIVE, has_predecessor=False), "worse", ModelGuard.NOTHING_BEFORE),
        (ModelStep.ROLL_BACK, replace(LIVE, signer_id=None), "worse", ModelGuard.SIGNATURE_MISSING),
        (ModelStep.RETIRE, LIVE, "", ModelGuard.REASON_MISSING),
        (ModelStep.RETIRE, replace(LIVE, actor_id=None), "worse", ModelGuard.PERSON_NEEDED),
    ],
)
def test_each_guard(step: ModelStep, facts: ModelFacts, reason: str, guard: ModelGuard) -> None:
    assert _decide(step, facts, reason) is guard


def test_a_model_runs_with_the_detectors_that_it_was_made_by() -> None:
    description = {"parts": [{"rule": "adaptive", "version": 1}, {"rule": "multivariate", "version": 2}]}
    assert is_runnable(description, {"adaptive": 1, "multivariate": 2, "limit": 1})
    assert not is_runnable(description, {"adaptive": 1, "multivariate": 3})
    assert not is_runnable(description, {"adaptive": 1})
    assert is_runnable(description, None), "nobody scores now: nobody knows"


def test_a_roll_back_needs_one_signature_for_what_two_had_approved() -> None:
    assert _decide(ModelStep.ROLL_BACK, LIVE) == ModelDecision(ModelState.RETIRED)
    assert is_signed(ModelStep.ROLL_BACK, ModelState.LIVE, True)
    assert not is_signed(ModelStep.RETIRE, ModelState.DRAFT, True)
    assert not is_signed(ModelStep.ACTIVATE, ModelState.SHADOW, False)


def test_a_roll_back_of_a_profile_that_was_changed_since_is_refused() -> None:
    assert _decide(ModelStep.ROLL_BACK, replace(LIVE, is_outdated=True)) is ModelGuard.PROFILE_MOVED_ON
    assert _decide(ModelStep.RETIRE, replace(LIVE, is_outdated=True)) == ModelDecision(ModelState.RETIRED)
