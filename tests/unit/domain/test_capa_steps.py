"""The steps of a CAPA up to its verification: each guard by name."""

from dataclasses import replace
from typing import Any

import pytest

from domain.capa import CapaState
from domain.capa_steps import CapaRequest, find_capa_next
from domain.roles import Permission
from tests.support.capa_facts import ADA, BOB, READY, refuse, sign

_S = CapaState


@pytest.mark.parametrize(
    ("state", "to", "facts", "more", "guard"),
    [
        (_S.PROPOSED, _S.INVESTIGATION, {}, {}, "no_such_transition"),
        (_S.PROPOSED, _S.OPEN, {}, {"reason": " "}, "reason_missing"),
        (_S.PROPOSED, _S.REJECTED, {}, {"reason": ""}, "reason_missing"),
        (_S.PROPOSED, _S.OPEN, {"actor_id": None}, {}, "person_needed"),
        (_S.PROPOSED, _S.OPEN, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.PROPOSED, _S.REJECTED, {"author_ids": (ADA,)}, {}, None),
        (_S.PROPOSED, _S.OPEN, {}, {}, None),
        (_S.OPEN, _S.INVESTIGATION, {}, {"reason": "", "signature": None}, None),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {"has_problem": False}, {}, "problem_missing"),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {"roots": 0}, {}, "root_cause_missing"),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {"is_reviewed": False}, {}, "root_cause_not_reviewed"),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {"short_chains": 1}, {}, "whys_missing"),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {"unproved": 1}, {}, "evidence_missing"),
        (_S.INVESTIGATION, _S.ACTION_PLAN, {}, {"reason": ""}, None),
        (_S.ACTION_PLAN, _S.INVESTIGATION, {}, {"reason": ""}, "reason_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"actions_against_cause": 0}, {}, "action_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"actions_of_round": 0}, {}, "action_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"actions_unowned": 1}, {}, "owner_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"actions_undated": 1}, {}, "due_date_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"has_effectiveness_plan": False}, {}, "effectiveness_plan_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"scope_devices": 0}, {}, "scope_empty"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"has_rate_before": False}, {}, "no_rate_before"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"is_reachable": False}, {}, "period_too_short"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"plan_signed_by": ()}, {"signature": None}, "signature_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"plan_signed_by": ()}, {"signature": sign(ADA, " ")}, "meaning_missing"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"plan_signed_by": ()}, {"signature": sign(BOB)}, "signer_is_another"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.ACTION_PLAN, _S.IMPLEMENTATION, {"plan_signed_by": (ADA,)}, {}, "second_person"),
        (_S.IMPLEMENTATION, _S.VERIFICATION, {"plan_signed_by": (ADA,)}, {}, "content_changed"),
        (_S.IMPLEMENTATION, _S.VERIFICATION, {"actions_open": 1}, {}, "actions_open"),
        (_S.IMPLEMENTATION, _S.VERIFICATION, {}, {"reason": ""}, None),
        (_S.IMPLEMENTATION, _S.ACTION_PLAN, {}, {"reason": ""}, "reason_missing"),
        (_S.VERIFICATION, _S.CLOSED, {}, {}, "no_such_transition"),
        (_S.CLOSED, _S.INVESTIGATION, {}, {}, "no_such_transition"),
    ],
)
def test_each_guard(
    state: CapaState, to: CapaState, facts: dict[str, Any], more: dict[str, Any], guard: str | None
) -> None:
    assert refuse(state, to, facts, more) == guard


def test_plan_and_closure_move_with_the_second_signature_and_who_works_never_closes() -> None:
    plan = replace(READY, state=_S.ACTION_PLAN, plan_signed_by=())
    approve = CapaRequest(_S.IMPLEMENTATION, "", sign(ADA))
    assert find_capa_next(approve, plan, Permission.CAPA_APPROVE) is _S.ACTION_PLAN
    assert find_capa_next(approve, replace(plan, plan_signed_by=(BOB,)), Permission.CAPA_APPROVE) is _S.IMPLEMENTATION
    measured = replace(READY, state=_S.EFFECTIVENESS)
    close = CapaRequest(_S.CLOSED, "", sign(ADA))
    assert find_capa_next(close, measured, Permission.CAPA_APPROVE) is _S.EFFECTIVENESS
    asked = replace(measured, closure_signed_by=(BOB,))
    assert find_capa_next(close, asked, Permission.CAPA_APPROVE) is _S.CLOSED
    assert find_capa_next(close, asked, Permission.CAPA_WORK) is _S.EFFECTIVENESS
