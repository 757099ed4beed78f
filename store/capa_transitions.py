"""What people do to a CAPA as a whole: state, signatures, audit and outbox change in the caller's one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.audit import Actor, find_content_sha256
from domain.audit_capa import capa_moved, capa_signed
from domain.capa import CapaState, Verdict
from domain.capa_action import ActionKind, ActionState, CapaAction
from domain.capa_cause import count_short_chains
from domain.capa_content import CapaPlan, find_closure_content
from domain.capa_effectiveness import Counts, LimitKind, find_limit_rate, is_reachable
from domain.capa_steps import (
    ROUND_BEGINS,
    TWICE_SIGNED,
    CapaFacts,
    CapaRequest,
    find_capa_next,
    find_capa_refusal,
)
from domain.errors import GuardRefusedError
from store.audit import record_audit
from store.capa_actions import load_actions
from store.capa_causes import load_root_cause
from store.capa_effectiveness import (
    EffectivenessResult,
    count_scope_devices,
    freeze_devices,
    load_counts,
    load_effectiveness_plan,
    load_effectiveness_results,
)
from store.capas import ENTITY, Capa, lock_capa, update_capa
from store.outbox import OutboxEvent, record_events
from store.pool import Connection
from store.signatures import load_signatures, record_signature

_S = CapaState
CLOSURE = f"{ENTITY}.closed"  # what is signed when it is closed, beside the plan
EVENTS = {_S.OPEN: "capa.opened", _S.REJECTED: "capa.closed", _S.CLOSED: "capa.closed"}


@dataclass(frozen=True, slots=True)
class CapaStanding:
    """A CAPA with its plan, its newest figures, and whose signatures on both hold."""

    capa: Capa
    plan: CapaPlan
    result: EffectivenessResult | None  # of this plan, over its whole period
    plan_signed_by: tuple[int, ...]
    closure_signed_by: tuple[int, ...]

    @property
    def closure(self) -> dict[str, Any]:
        return find_closure_content(self.plan, None if self.result is None else self.result.figures)


def load_standing(conn: Connection, capa: Capa) -> CapaStanding:
    """All that belongs to the CAPA, as it stands now."""
    plan = CapaPlan(
        code=capa.code,
        round=capa.round,
        version=capa.plan_version,
        scope={
            "model": capa.model,
            "kind": capa.scope_kind,
            "value": capa.scope_value,
            "fault_group": capa.fault_group,
        },
        root_cause=load_root_cause(conn, capa.id, capa.problem),
        actions=load_actions(conn, capa.id),
        effectiveness=load_effectiveness_plan(conn, capa.id),
        devices=count_scope_devices(conn, capa.id),
    )
    result = find_final(capa, load_effectiveness_results(conn, capa.id, limit=1))
    standing = CapaStanding(capa, plan, result, (), ())
    return replace(
        standing,
        plan_signed_by=_find_signers(conn, ENTITY, capa.id, plan.find_content()),
        closure_signed_by=_find_signers(conn, CLOSURE, capa.id, standing.closure),
    )


def find_final(capa: Capa, results: list[EffectivenessResult]) -> EffectivenessResult | None:
    """The newest figures where they are of the plan as it is now, and of its whole period."""
    is_measured = capa.state in (_S.EFFECTIVENESS, _S.CLOSED)
    if not is_measured or not results or not results[0].is_final:
        return None
    return results[0] if (results[0].round, results[0].plan_version) == (capa.round, capa.plan_version) else None


def _find_signers(conn: Connection, entity: str, capa_id: int, content: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted({s.signer_id for s in load_signatures(conn, entity, capa_id, content) if s.valid}))


def find_capa_facts(
    conn: Connection, standing: CapaStanding, to: CapaState, actor_id: int | None, now: datetime
) -> CapaFacts:
    """What the guards of that step must know; what is counted is counted only for the steps that ask."""
    capa, plan = standing.capa, standing.plan
    actions, roots = plan.counted, plan.root_cause.roots
    against_cause = [a for a in actions if a.kind is not ActionKind.CORRECTION]
    facts = CapaFacts(
        state=CapaState(capa.state),
        actor_id=actor_id,
        author_ids=capa.author_ids,
        doer_ids=[a.done_by_id for a in actions if a.done_by_id is not None],
        plan_signed_by=standing.plan_signed_by,
        closure_signed_by=standing.closure_signed_by,
        has_problem=bool(capa.problem.strip()),
        roots=len(roots),
        short_chains=count_short_chains(roots),
        unproved=sum(not cause.is_proved for cause in roots),
        is_reviewed=capa.investigated_round == capa.round,
        actions_against_cause=len(against_cause),
        actions_of_round=sum(a.round == capa.round for a in against_cause),
        actions_unowned=sum(a.owner_id is None for a in actions),
        actions_undated=sum(a.due_on is None for a in actions),
        actions_open=sum(a.state is ActionState.OPEN for a in actions),
        actions_unverified=sum(a.state is ActionState.DONE for a in actions),
        has_effectiveness_plan=plan.effectiveness is not None,
        scope_devices=plan.devices,
        is_period_over=capa.effective_until is not None and capa.effective_until <= now,
        verdict=None if capa.effectiveness_verdict is None else Verdict(capa.effectiveness_verdict),
    )
    if to is _S.IMPLEMENTATION and facts.state is _S.ACTION_PLAN:
        return _add_prospects(conn, standing, facts, now)
    if to is _S.CLOSED and standing.result is not None:
        return replace(facts, is_current=_is_current(conn, standing, standing.result))
    return facts


def _add_prospects(conn: Connection, standing: CapaStanding, facts: CapaFacts, now: datetime) -> CapaFacts:
    """Whether the plan of effectiveness could be met at all, as far as it can be said today."""
    plan = standing.plan.effectiveness
    before = load_counts_before(conn, standing, now)
    if plan is None or before is None:
        return facts
    device_days = float(standing.plan.devices * plan.period_days)
    has_rate = plan.limit_kind is LimitKind.RATE or find_limit_rate(plan, before) is not None
    return replace(facts, has_rate_before=has_rate, is_reachable=is_reachable(plan, before, device_days))


def load_counts_before(conn: Connection, standing: CapaStanding, now: datetime) -> Counts | None:
    """What was counted in the window that the effect is compared with; None while nobody has said which."""
    plan = standing.plan.effectiveness
    if plan is None:
        return None
    until = standing.capa.before_until or now
    return load_counts(conn, standing.capa.id, plan.metric, until - timedelta(days=plan.before_days), until)


def _is_current(conn: Connection, standing: CapaStanding, result: EffectivenessResult) -> bool:
    """Whether counting anew gives what was judged: orders were decided, or breaches arrived, since."""
    capa, plan, figures = standing.capa, standing.plan.effectiveness, result.figures
    before = load_counts_before(conn, standing, result.computed_at)
    if plan is None or before is None or capa.effective_from is None or capa.effective_until is None:
        return False
    after = load_counts(conn, capa.id, plan.metric, capa.effective_from, capa.effective_until)
    return (before.events, after.events, after.undecided) == (
        figures["events_before"],
        figures["events_after"],
        figures["undecided_after"],
    )


def record_capa_step(
    conn: Connection,
    actor: Actor,
    code: str,
    request: CapaRequest,
    *,
    expected_row_version: int | None,
    now: datetime,
) -> Capa:
    """The CAPA after the step, with its signature, audit and outbox. The caller has just checked the password again.

    The first of two signatures is recorded and leaves the state as it is.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such CAPA, or it has moved since the caller saw it.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.capa.CapaGuard`.
    """
    before = lock_capa(conn, code, expected_row_version)
    standing = load_standing(conn, before)
    facts = find_capa_facts(conn, standing, request.to, actor.user_id, now)
    refusal = find_capa_refusal(request, facts, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    state = find_capa_next(request, facts, actor.permission)
    sha256 = _sign(conn, standing, request, facts, now)
    if state is facts.state:
        assert sha256 is not None
        after = update_capa(conn, replace(before, updated_at=now))
        record_audit(conn, actor, capa_signed(code, state, request.to, request.reason, sha256))
        return after
    after = update_capa(conn, _find_next(standing, state, request, actor, now))
    if state is _S.ACTION_PLAN:
        freeze_devices(conn, before.id, now)
    if state in EVENTS:
        data = {"code": code, "state": state, "effectiveness": after.effectiveness_verdict}
        record_events(conn, OutboxEvent(EVENTS[state], code, "capa", code, now, data, before.is_simulated))
    record_audit(
        conn, actor, capa_moved(code, facts.state, state, request.reason, _find_changes(before, after), sha256)
    )
    return after


def record_capa_decision(
    conn: Connection,
    actor: Actor,
    code: str,
    to: CapaState,
    *,
    reason: str,
    expected_row_version: int | None,
    now: datetime,
) -> Capa:
    """The CAPA as a person decided it: opened, or rejected with its justification; raises as `record_capa_step`."""
    request = CapaRequest(to, reason)
    return record_capa_step(conn, actor, code, request, expected_row_version=expected_row_version, now=now)


def _sign(
    conn: Connection, standing: CapaStanding, request: CapaRequest, facts: CapaFacts, now: datetime
) -> str | None:
    is_signed = request.to in TWICE_SIGNED and facts.state in (_S.ACTION_PLAN, _S.EFFECTIVENESS)
    if request.signature is None or not is_signed:
        return None
    closes = request.to is _S.CLOSED
    content = standing.closure if closes else standing.plan.find_content()
    entity = CLOSURE if closes else ENTITY
    record_signature(conn, entity, standing.capa.id, standing.capa.plan_version, content, request.signature, now)
    return find_content_sha256(content)


def _find_next(standing: CapaStanding, state: CapaState, request: CapaRequest, actor: Actor, now: datetime) -> Capa:
    capa = standing.capa
    was = CapaState(capa.state)
    after = replace(capa, state=state, state_since=now, updated_at=now)
    if was is _S.EFFECTIVENESS and state is not _S.CLOSED:
        after = replace(after, effective_from=None, effective_until=None, effectiveness_verdict=None)
    match state:
        case _S.OPEN | _S.REJECTED:
            after = replace(after, decision_reason=request.reason, decided_by=actor.name, decided_at=now)
            return replace(after, closed_at=now) if state is _S.REJECTED else after
        case _S.INVESTIGATION if was is not _S.OPEN:
            rounds = capa.round + 1 if (was, state) in ROUND_BEGINS else capa.round
            return replace(after, round=rounds, plan_version=capa.plan_version + 1)
        case _S.ACTION_PLAN:
            # Taken back, it is another plan: approvals of the one before hold no more.
            version = capa.plan_version + (was is not _S.INVESTIGATION)
            return replace(after, before_until=capa.before_until or now, plan_version=version)
        case _S.EFFECTIVENESS:
            assert standing.plan.effectiveness is not None
            begin, end = standing.plan.effectiveness.find_period(_find_implemented(standing.plan.counted, now))
            return replace(after, effective_from=begin, effective_until=end)
        case _S.CLOSED:
            return replace(after, closed_at=now)
    return after


def _find_implemented(actions: list[CapaAction], now: datetime) -> datetime:
    return max((a.done_at for a in actions if a.done_at is not None), default=now)


def _find_changes(before: Capa, after: Capa) -> dict[str, tuple[Any, Any]]:
    names = ("round", "plan_version", "before_until", "effective_from", "effective_until", "effectiveness_verdict")
    return {n: (getattr(before, n), getattr(after, n)) for n in names if getattr(before, n) != getattr(after, n)}
