"""Who may do what to a proposed threshold, and in which order."""

from dataclasses import replace

import pytest

from domain.threshold_proposal import (
    ProposalFacts,
    ProposalGuard,
    ProposalState,
    find_next_states,
    find_proposal_refusal,
)

_S = ProposalState
READY = ProposalFacts(
    state=_S.BACKTESTED,
    safety_critical=False,
    endorsed_by_id=None,
    actor_id=2,
    has_signature=True,
    monitor_is_same=True,
)
ENDORSED = replace(READY, state=_S.ENDORSED, safety_critical=True, endorsed_by_id=1)


@pytest.mark.parametrize(
    ("to", "facts", "reason", "guard"),
    [
        (_S.ACCEPTED, READY, "r", None),
        (_S.ACCEPTED, replace(READY, state=_S.PROPOSED), "r", ProposalGuard.BACKTEST_MISSING),
        (_S.ENDORSED, replace(READY, state=_S.PROPOSED), "r", ProposalGuard.BACKTEST_MISSING),
        (_S.REJECTED, replace(READY, state=_S.PROPOSED), "r", None),
        (_S.ACCEPTED, replace(READY, actor_id=None), "r", ProposalGuard.PERSON_NEEDED),
        (_S.ACCEPTED, READY, " ", ProposalGuard.REASON_MISSING),
        (_S.REJECTED, READY, "", ProposalGuard.REASON_MISSING),
        (_S.ACCEPTED, replace(READY, has_signature=False), "r", ProposalGuard.SIGNATURE_MISSING),
        (_S.REJECTED, replace(READY, has_signature=False), "r", None),
        (_S.ACCEPTED, replace(READY, monitor_is_same=False), "r", ProposalGuard.MONITOR_CHANGED),
        (_S.ENDORSED, READY, "r", ProposalGuard.NO_SUCH_TRANSITION),
        (_S.BACKTESTED, READY, "r", ProposalGuard.NO_SUCH_TRANSITION),
        (_S.REJECTED, replace(READY, state=_S.ACCEPTED), "r", ProposalGuard.NO_SUCH_TRANSITION),
        (_S.ACCEPTED, replace(READY, safety_critical=True), "r", ProposalGuard.ENDORSEMENT_MISSING),
        (_S.ENDORSED, replace(READY, safety_critical=True), "r", None),
        (_S.ACCEPTED, ENDORSED, "r", None),
        (_S.ACCEPTED, replace(ENDORSED, actor_id=1), "r", ProposalGuard.SECOND_PERSON),
        (_S.REJECTED, replace(ENDORSED, actor_id=1), "r", None),
    ],
)
def test_guards(to: ProposalState, facts: ProposalFacts, reason: str, guard: ProposalGuard | None) -> None:
    refusal = find_proposal_refusal(to, facts, reason=reason)
    assert (None if refusal is None else refusal.guard) == guard


def test_next_states_are_those_that_the_guards_know() -> None:
    assert find_next_states(_S.BACKTESTED, safety_critical=True) == (_S.ENDORSED, _S.REJECTED)
    assert find_next_states(_S.BACKTESTED, safety_critical=False) == (_S.ACCEPTED, _S.REJECTED)
    assert find_next_states(_S.ACCEPTED, safety_critical=True) == ()
