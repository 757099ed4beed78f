"""The life of a CAPA: each guard by name, and no way around one by any sequence of commands by anybody."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.audit import Signature
from domain.capa import CapaGuard, CapaState, Verdict
from domain.capa_action import (
    ACTION_TRANSITIONS,
    ActionKind,
    ActionRequest,
    ActionState,
    CapaAction,
    find_action_refusal,
    find_plan_refusal,
)
from domain.capa_steps import (
    ROUND_BEGINS,
    CapaFacts,
    CapaRequest,
    find_capa_next,
    find_capa_next_states,
    find_capa_permissions,
    find_capa_refusal,
)
from domain.roles import ROLE_PERMISSIONS, Permission, Role

_S, _A = CapaState, ActionState
AUTHOR, ADA, BOB = 1, 2, 3
NOW = datetime(2026, 11, 22, tzinfo=UTC)
READY = CapaFacts(
    state=_S.PROPOSED,
    actor_id=ADA,
    author_ids=(AUTHOR,),
    doer_ids=(AUTHOR,),
    plan_signed_by=(ADA, BOB),
    has_problem=True,
    roots=1,
    is_reviewed=True,
    actions_against_cause=1,
    actions_of_round=1,
    has_effectiveness_plan=True,
    scope_devices=5,
    is_period_over=True,
    is_current=True,
    verdict=Verdict.MET,
)
ACTION = CapaAction(
    id=1,
    capa_id=1,
    capa_code="CAPA-2026-0001",
    capa_state=_S.IMPLEMENTATION,
    number=1,
    round=1,
    kind=ActionKind.CORRECTIVE,
    state=_A.OPEN,
    text="x",
    owner_id=AUTHOR,
    owner="a",
    due_on=NOW.date(),
    done_evidence="",
    done_by_id=None,
    done_by=None,
    done_at=None,
    verified_note="",
    verified_by_id=None,
    verified_by=None,
    verified_at=None,
    cancel_reason="",
    created_at=NOW,
    updated_at=NOW,
)


def sign(who: int, meaning: str = "approved") -> Signature:
    return Signature(who, "Name", meaning)


def refuse(state: CapaState, to: CapaState, facts: dict[str, Any], more: dict[str, Any]) -> str | None:
    values: dict[str, Any] = {"reason": "why", "signature": sign(ADA)}
    by = (find_capa_permissions(state, to) or (Permission.CAPA_WORK,))[0]
    refusal = find_capa_refusal(CapaRequest(to, **values | more), replace(READY, state=state, **facts), by)
    return None if refusal is None else refusal.guard.value


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
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"actions_unverified": 1}, {}, "actions_not_verified"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {"doer_ids": (ADA,)}, {}, "own_work"),
        (_S.VERIFICATION, _S.EFFECTIVENESS, {}, {"reason": ""}, "reason_missing"),
        (_S.VERIFICATION, _S.CLOSED, {}, {}, "no_such_transition"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"is_period_over": False}, {}, "period_not_over"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": None}, {}, "effectiveness_outdated"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"is_current": False}, {}, "effectiveness_outdated"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": Verdict.FAILED}, {}, "effectiveness_failed"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"verdict": Verdict.INCONCLUSIVE}, {}, "effectiveness_inconclusive"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"actions_unverified": 1}, {}, "actions_not_verified"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (BOB,), "author_ids": (ADA,)}, {}, "own_work"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (BOB,), "doer_ids": (ADA,)}, {}, "own_work"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"closure_signed_by": (ADA,)}, {}, "second_person"),
        (_S.EFFECTIVENESS, _S.CLOSED, {}, {"signature": None}, "signature_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"author_ids": (ADA,)}, {}, None),  # asks for it
        (_S.EFFECTIVENESS, _S.ACTION_PLAN, {"verdict": Verdict.FAILED}, {}, "effectiveness_failed"),
        (_S.EFFECTIVENESS, _S.ACTION_PLAN, {"verdict": Verdict.INCONCLUSIVE}, {}, None),
        (_S.EFFECTIVENESS, _S.INVESTIGATION, {"verdict": Verdict.FAILED}, {"reason": ""}, "reason_missing"),
        (_S.EFFECTIVENESS, _S.INVESTIGATION, {"verdict": Verdict.FAILED}, {}, None),
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


PEOPLE = {
    1: Role.QUALITY_ENGINEER,
    2: Role.QUALITY_ENGINEER,
    3: Role.QUALITY_APPROVER,
    4: Role.QUALITY_APPROVER,
    5: Role.QUALITY_APPROVER,
    6: Role.SERVICE_MANAGER,
    7: Role.ADMIN,
}


@dataclass
class Life:
    """A CAPA as a sequence of commands makes it, with what must hold of it beside the guards' own facts."""

    facts: CapaFacts = field(default_factory=lambda: CapaFacts(_S.PROPOSED, None))
    actions: list[ActionState] = field(default_factory=list)
    doers: dict[int, int] = field(default_factory=dict)
    approved_by: set[int] = field(default_factory=set)
    passed: list[CapaState] = field(default_factory=list)

    def count(self) -> None:
        counted = [state for state in self.actions if state is not _A.CANCELLED]
        self.facts = replace(
            self.facts,
            actions_against_cause=len(counted),
            actions_of_round=len(counted),
            actions_open=counted.count(_A.OPEN),
            actions_unverified=counted.count(_A.DONE),
            doer_ids=tuple(self.doers.values()),
        )

    def write(self, who: int) -> None:
        """A change of the plan: its author is one more, and nobody has signed it."""
        authors = tuple({*self.facts.author_ids, who})
        self.facts = replace(self.facts, author_ids=authors, plan_signed_by=())

    def step(self, who: int, to: CapaState, *, signs: bool, reason: str) -> None:
        held = [p for p in find_capa_permissions(self.facts.state, to) if p in ROLE_PERMISSIONS[PEOPLE[who]]]
        by = held[0] if held else Permission.CAPA_READ
        facts = replace(self.facts, actor_id=who)
        request = CapaRequest(to, reason, sign(who) if signs else None)
        refusal = find_capa_refusal(request, facts, by)
        if refusal is not None:
            assert refusal.guard in CapaGuard
            assert refusal.detail
            return
        assert held
        after = find_capa_next(request, facts, by)
        self.check(who, facts, after)
        more: dict[str, Any] = {}
        if after is facts.state:
            name = "plan_signed_by" if to is _S.IMPLEMENTATION else "closure_signed_by"
            more[name] = (*getattr(facts, name), who)
        elif after is _S.IMPLEMENTATION and facts.state is _S.ACTION_PLAN:
            self.approved_by = {*facts.plan_signed_by, who}
            more["plan_signed_by"] = tuple(self.approved_by)
        elif after in (_S.INVESTIGATION, _S.ACTION_PLAN):
            more |= {"plan_signed_by": (), "closure_signed_by": (), "verdict": None, "is_period_over": False}
            more["is_reviewed"] = facts.is_reviewed and (facts.state, after) not in ROUND_BEGINS
        if after is not facts.state:
            self.passed.append(after)
        self.facts = replace(facts, state=after, actor_id=None, **more)

    def check(self, who: int, facts: CapaFacts, after: CapaState) -> None:
        """What must be true of every step that was let through."""
        assert after is facts.state or after in find_capa_next_states(facts.state)
        if after is _S.IMPLEMENTATION and facts.state is _S.ACTION_PLAN:
            signers = {*facts.plan_signed_by, who}
            assert len(signers) >= 2
            assert not signers & set(facts.author_ids)
            assert all(PEOPLE[s] is Role.QUALITY_APPROVER for s in signers)
        if after is _S.EFFECTIVENESS and facts.state is _S.VERIFICATION:
            assert set(self.actions) <= {_A.VERIFIED, _A.CANCELLED}
        if after is _S.CLOSED:
            assert facts.verdict is Verdict.MET
            assert facts.is_period_over
            assert set(facts.closure_signed_by) - {who}
            assert PEOPLE[who] is Role.QUALITY_APPROVER
            assert who not in {*facts.author_ids, *facts.doer_ids}
            order = [_S.ACTION_PLAN, _S.IMPLEMENTATION, _S.VERIFICATION, _S.EFFECTIVENESS]
            assert [self.passed.index(state) for state in order] == sorted(self.passed.index(state) for state in order)

    def act(self, who: int, place: int, to: ActionState, reason: str) -> None:
        if not self.actions:
            return
        n = place % len(self.actions)
        action = replace(
            ACTION, state=self.actions[n], capa_state=self.facts.state, owner_id=None, done_by_id=self.doers.get(n)
        )
        needed = ACTION_TRANSITIONS.get((action.state, to), ())
        held = [p for p in needed if p in ROLE_PERMISSIONS[PEOPLE[who]]]
        by = held[0] if held else Permission.CAPA_READ
        refusal = find_action_refusal(ActionRequest(to, reason, reason), action, who, by)
        if refusal is not None:
            assert refusal.guard in CapaGuard
            return
        if to is _A.VERIFIED:
            assert self.doers[n] != who
        if to is _A.CANCELLED:
            assert self.facts.state in (_S.OPEN, _S.INVESTIGATION, _S.ACTION_PLAN)
            self.write(who)
        self.actions[n] = to
        if to is _A.DONE:
            self.doers[n] = who
        elif to is _A.OPEN:
            del self.doers[n]
        self.count()


people = st.sampled_from(sorted(PEOPLE))
steps = st.tuples(
    st.just("step"), people, st.sampled_from(list(_S)), st.booleans(), st.sampled_from(["", "why", "why"])
)
onward = st.tuples(st.just("onward"), people, st.just(None), st.just(True), st.just("why"))
writes = st.tuples(st.just("write"), st.sampled_from([1, 2]), st.just(None), st.booleans(), st.just(""))
acts = st.tuples(
    st.just("act"), people, st.sampled_from(list(_A)), st.integers(0, 3), st.sampled_from(["", "why", "why"])
)
times = st.tuples(st.just("time"), people, st.sampled_from(list(Verdict)), st.booleans(), st.just(""))
ONWARD = {
    _S.PROPOSED: _S.OPEN,
    _S.OPEN: _S.INVESTIGATION,
    _S.INVESTIGATION: _S.ACTION_PLAN,
    _S.ACTION_PLAN: _S.IMPLEMENTATION,
    _S.IMPLEMENTATION: _S.VERIFICATION,
    _S.VERIFICATION: _S.EFFECTIVENESS,
    _S.EFFECTIVENESS: _S.CLOSED,
}


@given(st.lists(st.one_of(onward, onward, steps, writes, acts, acts, times), max_size=80))
@settings(max_examples=150)
def test_no_sequence_of_commands_gets_around_a_guard(sequence: list[tuple[str, int, Any, Any, str]]) -> None:
    life = Life()
    for what, who, to, flag, reason in sequence:
        match what:
            case "onward":
                life.step(who, ONWARD.get(life.facts.state, _S.OPEN), signs=True, reason=reason)
            case "step":
                life.step(who, to, signs=flag, reason=reason)
            case "write" if life.facts.state is _S.INVESTIGATION:
                life.write(who)
                life.facts = replace(life.facts, has_problem=True, roots=1, is_reviewed=True)
            case "write" if life.facts.state is _S.ACTION_PLAN:
                life.write(who)
                life.facts = replace(life.facts, has_effectiveness_plan=True, scope_devices=3)
                if flag or not life.actions:
                    life.actions.append(_A.OPEN)
                life.count()
            case "act":
                life.act(who, int(flag), to, reason)
            case "time" if life.facts.state is _S.EFFECTIVENESS:
                is_met = to if flag else Verdict.MET
                life.facts = replace(life.facts, is_period_over=True, is_current=True, verdict=is_met)
                if life.facts.closure_signed_by and flag:
                    life.facts = replace(life.facts, closure_signed_by=())


def test_the_shortest_way_to_the_end_is_open_to_those_who_may() -> None:
    life = Life()
    for who, to in ((3, _S.OPEN), (1, _S.INVESTIGATION)):
        life.step(who, to, signs=False, reason="why")
    life.write(1)
    life.facts = replace(life.facts, has_problem=True, roots=1, is_reviewed=True)
    life.step(1, _S.ACTION_PLAN, signs=False, reason="")
    life.write(1)
    life.actions.append(_A.OPEN)
    life.facts = replace(life.facts, has_effectiveness_plan=True, scope_devices=3)
    life.count()
    for who in (3, 4):
        life.step(who, _S.IMPLEMENTATION, signs=True, reason="")
    life.act(1, 0, _A.DONE, "why")
    life.step(1, _S.VERIFICATION, signs=False, reason="")
    life.act(2, 0, _A.VERIFIED, "why")
    life.step(5, _S.EFFECTIVENESS, signs=False, reason="no harm")
    life.facts = replace(life.facts, is_period_over=True, is_current=True, verdict=Verdict.MET)
    life.step(1, _S.CLOSED, signs=True, reason="")
    assert life.passed[-1:] == [_S.EFFECTIVENESS]
    life.step(3, _S.CLOSED, signs=True, reason="")
    assert life.passed[-1:] == [_S.CLOSED]
