"""No way around a guard of a CAPA by any sequence of commands by anybody."""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.capa import CapaGuard, CapaState, Verdict
from domain.capa_action import ACTION_TRANSITIONS, ActionRequest, ActionState, find_action_refusal
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
from tests.support.capa_facts import ACTION, sign

_S, _A = CapaState, ActionState

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
