"""The actions of a CAPA: each guard by name."""

from dataclasses import replace
from typing import Any

import pytest

from domain.capa import CapaGuard, CapaState
from domain.capa_action import ActionKind, ActionRequest, ActionState, find_action_refusal, find_plan_refusal
from domain.capa_steps import CapaRequest, find_capa_refusal
from domain.roles import Permission
from tests.support.capa_facts import ACTION, ADA, READY

_S, _A = CapaState, ActionState


@pytest.mark.parametrize(
    ("state", "to", "more", "request_", "who", "guard"),
    [
        (_A.OPEN, _A.VERIFIED, {}, {}, ADA, "no_such_transition"),
        (_A.OPEN, _A.DONE, {}, {}, ADA, "evidence_missing"),
        (_A.OPEN, _A.DONE, {"capa_state": _S.ACTION_PLAN}, {"evidence": "x"}, ADA, "plan_not_approved"),
        (_A.OPEN, _A.DONE, {"capa_state": _S.OPEN, "kind": ActionKind.CORRECTION}, {"evidence": "x"}, ADA, None),
        (_A.OPEN, _A.DONE, {}, {"evidence": "x"}, None, "person_needed"),
        (_A.OPEN, _A.DONE, {}, {"evidence": "x"}, ADA, None),
        (_A.OPEN, _A.CANCELLED, {}, {"reason": "x"}, ADA, "plan_not_open"),
        (_A.OPEN, _A.CANCELLED, {"capa_state": _S.ACTION_PLAN}, {}, ADA, "reason_missing"),
        (_A.OPEN, _A.CANCELLED, {"capa_state": _S.ACTION_PLAN}, {"reason": "x"}, ADA, None),
        (_A.DONE, _A.VERIFIED, {}, {"evidence": "x"}, ADA, "not_in_verification"),
        (_A.DONE, _A.VERIFIED, {"capa_state": _S.VERIFICATION, "done_by_id": ADA}, {"evidence": "x"}, ADA, "own_work"),
        (_A.DONE, _A.VERIFIED, {"capa_state": _S.VERIFICATION, "owner_id": ADA}, {"evidence": "x"}, ADA, "own_work"),
        (_A.DONE, _A.VERIFIED, {"capa_state": _S.VERIFICATION}, {}, ADA, "evidence_missing"),
        (_A.DONE, _A.VERIFIED, {"capa_state": _S.VERIFICATION}, {"evidence": "x"}, ADA, None),
        (_A.DONE, _A.OPEN, {"capa_state": _S.VERIFICATION}, {}, ADA, "reason_missing"),
        (_A.DONE, _A.OPEN, {"capa_state": _S.EFFECTIVENESS}, {"reason": "x"}, ADA, "not_in_verification"),
        (_A.VERIFIED, _A.OPEN, {}, {"reason": "x"}, ADA, "no_such_transition"),
        (_A.CANCELLED, _A.OPEN, {}, {"reason": "x"}, ADA, "no_such_transition"),
    ],
)
def test_each_guard_of_an_action(
    state: ActionState,
    to: ActionState,
    more: dict[str, Any],
    request_: dict[str, Any],
    who: int | None,
    guard: str | None,
) -> None:
    action = replace(ACTION, state=state, **more)
    refusal = find_action_refusal(ActionRequest(to, **request_), action, who, Permission.CAPA_WORK)
    assert (None if refusal is None else refusal.guard.value) == guard


def test_without_the_right_no_step_is_taken() -> None:
    refusal = find_action_refusal(ActionRequest(_A.DONE, "x"), ACTION, ADA, Permission.CAPA_READ)
    assert refusal is not None
    assert refusal.guard is CapaGuard.PERMISSION_MISSING
    step = find_capa_refusal(CapaRequest(_S.OPEN, "x"), READY, Permission.CAPA_WORK)
    assert step is not None
    assert step.guard is CapaGuard.PERMISSION_MISSING


def test_corrections_do_not_wait_for_the_cause_and_nothing_is_planned_after_the_approval() -> None:
    for state in CapaState:
        correction = find_plan_refusal(state, ActionKind.CORRECTION) is None
        corrective = find_plan_refusal(state, ActionKind.CORRECTIVE) is None
        assert correction == (state in (_S.OPEN, _S.INVESTIGATION, _S.ACTION_PLAN)), state
        assert corrective == (state is _S.ACTION_PLAN), state
