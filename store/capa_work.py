"""What people write into a CAPA: its root cause, its actions and what becomes of them, how its effect is judged. All
change with the CAPA's row version and the audit in the caller's one transaction, under the CAPA's lock."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.audit import Actor
from domain.audit_capa import action_moved, action_planned, effectiveness_planned, root_cause_written
from domain.capa import CapaGuard, CapaRefusal, CapaState
from domain.capa_action import (
    ActionKind,
    ActionRequest,
    ActionState,
    CapaAction,
    find_action_refusal,
    find_plan_refusal,
)
from domain.capa_cause import EvidenceRef, RootCause
from domain.capa_effectiveness import EffectivenessPlan
from domain.errors import GuardRefusedError, NotFoundError
from store.audit import record_audit
from store.capa_actions import (
    ActionDraft,
    insert_action,
    load_action,
    update_action,
    update_planned,
)
from store.capa_causes import load_root_cause, record_causes
from store.capa_effectiveness import load_effectiveness_plan, record_effectiveness_plan
from store.capas import Capa, update_capa
from store.pool import Connection


def write_root_cause(conn: Connection, actor: Actor, before: Capa, root_cause: RootCause, *, now: datetime) -> Capa:
    """The CAPA with this root cause in place of the one before; who writes is an author from now on.

    Raises
    ------
    GuardRefusedError
        It is not being investigated, or a program writes.
    """
    if before.state != CapaState.INVESTIGATION:
        raise GuardRefusedError(CapaGuard.NOT_IN_INVESTIGATION, f"the CAPA is {before.state}, not under investigation")
    written = load_root_cause(conn, before.id, before.problem)
    record_causes(conn, before.id, root_cause)
    after = _write(conn, actor, replace(before, problem=root_cause.problem, investigated_round=before.round), now)
    record_audit(conn, actor, root_cause_written(before.code, written, root_cause))
    return after


def add_action(
    conn: Connection, actor: Actor, before: Capa, draft: ActionDraft, *, now: datetime
) -> tuple[Capa, CapaAction]:
    """The CAPA with one more action, and that action.

    Raises
    ------
    GuardRefusedError
        Its plan is not open for such an action.
    """
    _verify(find_plan_refusal(CapaState(before.state), draft.kind))
    after = _write(conn, actor, before, now)
    number = insert_action(conn, before.id, before.round, draft, now)
    action = load_action(conn, before.id, number)
    assert action is not None
    record_audit(conn, actor, action_planned(before.code, None, action))
    return after, action


def change_action(
    conn: Connection, actor: Actor, before: Capa, number: int, draft: ActionDraft, *, now: datetime
) -> tuple[Capa, CapaAction]:
    """The CAPA with that action as it is now meant; it counts as planned in this round.

    Raises
    ------
    NotFoundError
        There is no such action.
    GuardRefusedError
        The plan is not open for it, or it was done.
    """
    was = _find_action(conn, before, number)
    _verify(
        find_plan_refusal(CapaState(before.state), was.kind) or find_plan_refusal(CapaState(before.state), draft.kind)
    )
    if was.state is not ActionState.OPEN:
        raise GuardRefusedError(CapaGuard.PLAN_NOT_OPEN, f"an action that is {was.state} is not changed: add another")
    after = _write(conn, actor, before, now)
    update_planned(conn, before.id, number, before.round, draft, now)
    action = _find_action(conn, before, number)
    record_audit(conn, actor, action_planned(before.code, was, action))
    return after, action


def record_action_step(
    conn: Connection,
    actor: Actor,
    before: Capa,
    number: int,
    request: ActionRequest,
    evidence: tuple[EvidenceRef, ...] = (),
    *,
    now: datetime,
) -> tuple[Capa, CapaAction]:
    """The CAPA and the action after the step.

    Raises
    ------
    NotFoundError
        There is no such action.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.capa.CapaGuard`.
    """
    was = _find_action(conn, before, number)
    _verify(find_action_refusal(request, was, actor.user_id, actor.permission))
    action = _find_moved(was, request, evidence, actor, now)
    # Leaving an action out changes what is approved; doing one does not.
    changes_plan = action.state is ActionState.CANCELLED
    after = _write(conn, actor, before, now) if changes_plan else update_capa(conn, replace(before, updated_at=now))
    update_action(conn, action)
    moved = _find_action(conn, before, number)
    record_audit(conn, actor, action_moved(was, moved, request.reason))
    return after, moved


def plan_effectiveness(conn: Connection, actor: Actor, before: Capa, plan: EffectivenessPlan, *, now: datetime) -> Capa:
    """The CAPA with this plan of effectiveness in place of the one before.

    Raises
    ------
    GuardRefusedError
        Its plan is not open.
    """
    _verify(find_plan_refusal(CapaState(before.state), ActionKind.CORRECTIVE))
    was = load_effectiveness_plan(conn, before.id)
    after = _write(conn, actor, before, now)
    record_effectiveness_plan(conn, before.id, plan)
    record_audit(
        conn, actor, effectiveness_planned(before.code, None if was is None else was.to_json(), plan.to_json())
    )
    return after


def _write(conn: Connection, actor: Actor, capa: Capa, now: datetime) -> Capa:
    """One version of the plan up, by one author more; signatures on it as it was hold no more."""
    if actor.user_id is None:
        raise GuardRefusedError(CapaGuard.PERSON_NEEDED, "people write a CAPA; a token or a program does not")
    authors = sorted({*capa.author_ids, actor.user_id})
    return update_capa(conn, replace(capa, author_ids=authors, plan_version=capa.plan_version + 1, updated_at=now))


def _find_action(conn: Connection, capa: Capa, number: int) -> CapaAction:
    action = load_action(conn, capa.id, number)
    if action is None:
        raise NotFoundError(f"action {number} of {capa.code}")
    return action


def _find_moved(
    was: CapaAction, request: ActionRequest, evidence: tuple[EvidenceRef, ...], actor: Actor, now: datetime
) -> CapaAction:
    after = replace(was, state=request.to, updated_at=now)
    match request.to:
        case ActionState.DONE:
            refs: list[Mapping[str, Any]] = [ref.to_json() for ref in evidence]
            return replace(after, done_evidence=request.evidence, evidence=refs, done_by_id=actor.user_id, done_at=now)
        case ActionState.VERIFIED:
            return replace(after, verified_note=request.evidence, verified_by_id=actor.user_id, verified_at=now)
        case ActionState.CANCELLED:
            return replace(after, cancel_reason=request.reason)
        case ActionState.OPEN:
            return replace(after, done_evidence="", evidence=[], done_by_id=None, done_at=None)


def _verify(refusal: CapaRefusal | None) -> None:
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
