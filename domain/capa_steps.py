"""The steps of a CAPA: which may follow which, by which right, and the guards that refuse one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.audit import Signature
from domain.capa import CapaGuard, CapaRefusal, CapaState, Verdict
from domain.counting import say_count
from domain.roles import Permission
from domain.two_signatures import NEEDED, find_signing_refusal

_S, _G = CapaState, CapaGuard
_D, _W, _P = Permission.CAPA_DECIDE, Permission.CAPA_WORK, Permission.CAPA_APPROVE
# (from, to) -> the permissions of which one is needed, the one that can do more first. ACTION_PLAN -> IMPLEMENTATION
# and EFFECTIVENESS -> CLOSED take two signatures: the first leaves the state as it is.
CAPA_TRANSITIONS: dict[tuple[CapaState, CapaState], tuple[Permission, ...]] = {
    (_S.PROPOSED, _S.OPEN): (_D,),
    (_S.PROPOSED, _S.REJECTED): (_D,),
    (_S.OPEN, _S.INVESTIGATION): (_W,),
    (_S.INVESTIGATION, _S.ACTION_PLAN): (_W,),
    (_S.ACTION_PLAN, _S.IMPLEMENTATION): (_P,),
    (_S.ACTION_PLAN, _S.INVESTIGATION): (_P, _W),
    (_S.IMPLEMENTATION, _S.VERIFICATION): (_W,),
    (_S.IMPLEMENTATION, _S.ACTION_PLAN): (_P, _W),
    (_S.VERIFICATION, _S.EFFECTIVENESS): (_P,),
    (_S.VERIFICATION, _S.IMPLEMENTATION): (_P, _W),
    (_S.VERIFICATION, _S.INVESTIGATION): (_P, _W),
    (_S.EFFECTIVENESS, _S.CLOSED): (_P, _W),
    (_S.EFFECTIVENESS, _S.INVESTIGATION): (_P, _W),
    (_S.EFFECTIVENESS, _S.ACTION_PLAN): (_P, _W),
}
# A check that failed sends the CAPA to a new round, in which the cause is looked at again.
ROUND_BEGINS = ((_S.VERIFICATION, _S.INVESTIGATION), (_S.EFFECTIVENESS, _S.INVESTIGATION))
TWICE_SIGNED = (_S.IMPLEMENTATION, _S.CLOSED)


@dataclass(frozen=True, slots=True)
class CapaRequest:
    """What somebody wants of a CAPA."""

    to: CapaState
    reason: str = ""
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class CapaFacts:
    """What the guards must know, loaded in the same transaction. Cancelled actions are not counted."""

    state: CapaState
    actor_id: int | None
    author_ids: Sequence[int] = ()  # who wrote any part of root cause, actions or plan of effectiveness
    doer_ids: Sequence[int] = ()  # who did an action
    plan_signed_by: Sequence[int] = ()  # whose approval of the plan as it is now holds
    closure_signed_by: Sequence[int] = ()  # who asked for the closure on the figures as they are now
    has_problem: bool = False
    roots: int = 0
    short_chains: int = 0  # root causes with too few whys
    unproved: int = 0  # root causes without evidence
    is_reviewed: bool = False  # the root cause was written in this round
    actions_against_cause: int = 0  # corrective and preventive ones
    actions_of_round: int = 0  # of those, planned since the last check failed
    actions_unowned: int = 0
    actions_undated: int = 0
    actions_open: int = 0
    actions_unverified: int = 0
    has_effectiveness_plan: bool = False
    scope_devices: int = 0
    has_rate_before: bool = True  # where the limit is a ratio to it
    is_reachable: bool = True  # the period is long enough for a plan that could be met
    is_period_over: bool = False
    is_current: bool = False  # the figures are those of the records as they are now
    verdict: Verdict | None = None


def find_capa_next_states(state: CapaState) -> tuple[CapaState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in CAPA_TRANSITIONS if source is state)


def find_capa_permissions(state: CapaState, to: CapaState) -> tuple[Permission, ...]:
    """The permissions of which one is needed for this step; none where there is no such step."""
    return CAPA_TRANSITIONS.get((state, to), ())


def find_capa_refusal(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    """The first guard that refuses the step, or None; `by` is the permission that the actor uses."""
    needed = CAPA_TRANSITIONS.get((facts.state, request.to))
    if needed is None:
        allowed = ", ".join(find_capa_next_states(facts.state)) or "nothing"
        return _refuse(_G.NO_SUCH_TRANSITION, f"from {facts.state} a CAPA can become {allowed}; not {request.to}")
    if by not in needed:
        return _refuse(_G.PERMISSION_MISSING, f"this needs {' or '.join(needed)}")
    if facts.actor_id is None:
        return _refuse(_G.PERSON_NEEDED, "what becomes of a CAPA is a person's decision")
    check = _CHECKS.get((facts.state, request.to))
    if check is None:
        return None if request.reason.strip() else _refuse(_G.REASON_MISSING, "this step on a CAPA needs its reason")
    return check(request, facts, by)


def find_capa_next(request: CapaRequest, facts: CapaFacts, by: str) -> CapaState:
    """The state after a step that no guard refused: plan and closure move with the second signature.

    Only who may approve closes; who works on the CAPA can ask for it.
    """
    if request.to is _S.IMPLEMENTATION and facts.state is _S.ACTION_PLAN:
        return request.to if len({*facts.plan_signed_by}) + 1 >= NEEDED else facts.state
    if request.to is _S.CLOSED:
        return request.to if _closes(facts, by) else facts.state
    return request.to


def _closes(facts: CapaFacts, by: str) -> bool:
    return by == _P and bool({*facts.closure_signed_by} - {facts.actor_id})


def _check_opened(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    if facts.actor_id in facts.author_ids:
        return _refuse(_G.OWN_WORK, "nobody opens what he proposed himself")
    return None if request.reason.strip() else _refuse(_G.REASON_MISSING, "the decision on a CAPA needs its reason")


def _check_investigation(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    return None


def _check_plan(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    """From the investigation to the plan: the cause is known, and shown."""
    if not facts.has_problem:
        return _refuse(_G.PROBLEM_MISSING, "say what the problem is")
    if not facts.roots:
        return _refuse(_G.ROOT_CAUSE_MISSING, "no cause was found to be the root cause")
    if not facts.is_reviewed:
        return _refuse(_G.ROOT_CAUSE_NOT_REVIEWED, "a check failed since the root cause was written: write it again")
    if facts.short_chains:
        return _refuse(
            _G.WHYS_MISSING, f"of {say_count(facts.short_chains, 'root cause')} it was not asked often enough why"
        )
    if facts.unproved:
        return _refuse(
            _G.EVIDENCE_MISSING, f"{say_count(facts.unproved, 'root cause refers', 'root causes refer')} to no evidence"
        )
    return None


def _check_approved(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    if not facts.actions_against_cause:
        return _refuse(
            _G.ACTION_MISSING, "no corrective or preventive action is planned; a correction alone cures none"
        )
    if not facts.actions_of_round:
        return _refuse(_G.ACTION_MISSING, "what was done did not help, and nothing else is planned")
    if facts.actions_unowned:
        return _refuse(_G.OWNER_MISSING, f"{say_count(facts.actions_unowned, 'action has', 'actions have')} no owner")
    if facts.actions_undated:
        return _refuse(
            _G.DUE_DATE_MISSING, f"{say_count(facts.actions_undated, 'action has', 'actions have')} no due date"
        )
    if not facts.has_effectiveness_plan:
        return _refuse(_G.EFFECTIVENESS_PLAN_MISSING, "say by which figure its effect will be judged")
    if not facts.scope_devices:
        return _refuse(_G.SCOPE_EMPTY, "no device is in its scope: nothing could be measured")
    if not facts.has_rate_before:
        return _refuse(_G.NO_RATE_BEFORE, "nothing was counted before: take a rate as the limit, or a longer time")
    if not facts.is_reachable:
        detail = "even with not a single event the period would be too short to show the effect"
        return _refuse(_G.PERIOD_TOO_SHORT, detail)
    return _check_signature(request, facts, facts.author_ids, facts.plan_signed_by)


def _check_verification(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    if len({*facts.plan_signed_by}) < NEEDED:
        return _refuse(_G.CONTENT_CHANGED, "the plan is not what two people approved any more")
    if facts.actions_open:
        return _refuse(_G.ACTIONS_OPEN, f"{say_count(facts.actions_open, 'action is', 'actions are')} not done")
    return None


def _check_effectiveness(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    if facts.actions_open or facts.actions_unverified:
        count = facts.actions_open + facts.actions_unverified
        return _refuse(_G.ACTIONS_NOT_VERIFIED, f"{say_count(count, 'action is', 'actions are')} not verified")
    if facts.actor_id in {*facts.author_ids, *facts.doer_ids}:
        return _refuse(_G.OWN_WORK, "nobody accepts what he wrote or did himself")
    if not request.reason.strip():
        # ISO 13485 8.5.2 e: the action does not make the device worse in another way.
        return _refuse(_G.REASON_MISSING, "say how it was verified that the actions do no harm elsewhere")
    return None


def _check_closed(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    if facts.actions_open or facts.actions_unverified:
        return _refuse(_G.ACTIONS_NOT_VERIFIED, "an action is not verified any more")
    if not facts.is_period_over:
        return _refuse(_G.PERIOD_NOT_OVER, "the period in which its effect is measured is not over")
    if facts.verdict is None or not facts.is_current:
        return _refuse(
            _G.EFFECTIVENESS_OUTDATED, "its figures have changed and are being computed anew: try again soon"
        )
    if facts.verdict is Verdict.FAILED:
        return _refuse(_G.EFFECTIVENESS_FAILED, "the actions did not help: the CAPA goes back to INVESTIGATION")
    if facts.verdict is Verdict.INCONCLUSIVE:
        return _refuse(
            _G.EFFECTIVENESS_INCONCLUSIVE, "the figures show neither that the actions helped nor the contrary"
        )
    # Who asks may have written it; who closes may not.
    authors = {*facts.author_ids, *facts.doer_ids} if _closes(facts, by) else set[int]()
    return _check_signature(request, facts, sorted(authors), facts.closure_signed_by)


def _check_longer(request: CapaRequest, facts: CapaFacts, by: str) -> CapaRefusal | None:
    """Back to the plan, where the period is made longer; after a failure the cause is in question, not the plan."""
    if facts.verdict is Verdict.FAILED:
        return _refuse(_G.EFFECTIVENESS_FAILED, "the actions did not help: the CAPA goes back to INVESTIGATION")
    return None if request.reason.strip() else _refuse(_G.REASON_MISSING, "this step on a CAPA needs its reason")


def _check_signature(
    request: CapaRequest, facts: CapaFacts, author_ids: Sequence[int], signed_by: Sequence[int]
) -> CapaRefusal | None:
    refusal = find_signing_refusal(
        request.signature, actor_id=facts.actor_id, author_ids=author_ids, signed_by=signed_by
    )
    return None if refusal is None else _refuse(_G(refusal.guard.value), refusal.detail)


def _refuse(guard: CapaGuard, detail: str) -> CapaRefusal:
    return CapaRefusal(guard, detail)


# Every step that is not here needs its reason and nothing more.
_CHECKS = {
    (_S.PROPOSED, _S.OPEN): _check_opened,
    (_S.OPEN, _S.INVESTIGATION): _check_investigation,
    (_S.INVESTIGATION, _S.ACTION_PLAN): _check_plan,
    (_S.ACTION_PLAN, _S.IMPLEMENTATION): _check_approved,
    (_S.IMPLEMENTATION, _S.VERIFICATION): _check_verification,
    (_S.VERIFICATION, _S.EFFECTIVENESS): _check_effectiveness,
    (_S.EFFECTIVENESS, _S.CLOSED): _check_closed,
    (_S.EFFECTIVENESS, _S.ACTION_PLAN): _check_longer,
}
