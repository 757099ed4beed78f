"""Thresholds that the machine proposes: it backtests them, people decide; two on a safety-critical device model."""

from dataclasses import dataclass
from enum import StrEnum

from domain.roles import Permission


class ProposalState(StrEnum):
    """Values stand in the database and never change."""

    PROPOSED = "PROPOSED"
    BACKTESTED = "BACKTESTED"
    ENDORSED = "ENDORSED"  # by the first of two people, on a safety-critical device model
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


class ProposalGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    BACKTEST_MISSING = "backtest_missing"
    PERSON_NEEDED = "person_needed"
    REASON_MISSING = "reason_missing"
    ENDORSEMENT_MISSING = "endorsement_missing"
    SECOND_PERSON = "second_person"
    SIGNATURE_MISSING = "signature_missing"
    MONITOR_CHANGED = "monitor_changed"


@dataclass(frozen=True, slots=True)
class ProposalFacts:
    """What the guards must know of the proposal and of who asks."""

    state: ProposalState
    safety_critical: bool
    endorsed_by_id: int | None
    actor_id: int | None  # None: a program or a token
    has_signature: bool
    monitor_is_same: bool  # as it was when the proposal was made


@dataclass(frozen=True, slots=True)
class ProposalRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ProposalGuard
    detail: str


_S = ProposalState
# The steps of people; PROPOSED -> BACKTESTED is the machine's.
TRANSITIONS: dict[tuple[ProposalState, ProposalState], Permission] = {
    (_S.BACKTESTED, _S.ENDORSED): Permission.PROFILE_WRITE,
    (_S.BACKTESTED, _S.ACCEPTED): Permission.PROFILE_WRITE,
    (_S.ENDORSED, _S.ACCEPTED): Permission.PROFILE_WRITE,
    (_S.PROPOSED, _S.REJECTED): Permission.PROFILE_WRITE,
    (_S.BACKTESTED, _S.REJECTED): Permission.PROFILE_WRITE,
    (_S.ENDORSED, _S.REJECTED): Permission.PROFILE_WRITE,
}
SIGNED = (_S.ENDORSED, _S.ACCEPTED)


def find_next_states(state: ProposalState, *, safety_critical: bool) -> tuple[ProposalState, ...]:
    """The states that people can bring it to, whoever asks."""
    possible = tuple(to for source, to in TRANSITIONS if source is state)
    if safety_critical:
        return tuple(to for to in possible if (state, to) != (_S.BACKTESTED, _S.ACCEPTED))
    return tuple(to for to in possible if to is not _S.ENDORSED)


def find_proposal_refusal(to: ProposalState, facts: ProposalFacts, *, reason: str) -> ProposalRefusal | None:
    """The first guard that refuses the step, or None."""
    if to in SIGNED and facts.state is _S.PROPOSED:
        return ProposalRefusal(ProposalGuard.BACKTEST_MISSING, "nobody accepts a threshold before its backtest")
    if to is _S.ACCEPTED and facts.state is _S.BACKTESTED and facts.safety_critical:
        detail = "on a safety-critical device model another person endorses it first"
        return ProposalRefusal(ProposalGuard.ENDORSEMENT_MISSING, detail)
    allowed = find_next_states(facts.state, safety_critical=facts.safety_critical)
    if to not in allowed:
        names = ", ".join(allowed) or "nothing"
        return ProposalRefusal(
            ProposalGuard.NO_SUCH_TRANSITION, f"from {facts.state} a proposal can become {names}; not {to}"
        )
    if facts.actor_id is None:
        return ProposalRefusal(ProposalGuard.PERSON_NEEDED, "whether a threshold changes is a person's decision")
    if not reason.strip():
        return ProposalRefusal(ProposalGuard.REASON_MISSING, "the decision on a threshold needs its reason")
    if to in SIGNED and not facts.has_signature:
        return ProposalRefusal(ProposalGuard.SIGNATURE_MISSING, "the step is signed with one's own password")
    if to is _S.ACCEPTED and facts.state is _S.ENDORSED and facts.actor_id == facts.endorsed_by_id:
        return ProposalRefusal(ProposalGuard.SECOND_PERSON, "who endorsed it does not accept it as well")
    if to in SIGNED and not facts.monitor_is_same:
        detail = "the monitor was changed since; reject this proposal, the next one is made from the new threshold"
        return ProposalRefusal(ProposalGuard.MONITOR_CHANGED, detail)
    return None
