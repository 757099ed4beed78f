"""A CAPA of which everything is ready, for tests of what happens where one thing is not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.audit import Signature
from domain.capa import CapaState, Verdict
from domain.capa_action import ActionKind, ActionState, CapaAction
from domain.capa_steps import CapaFacts, CapaRequest, find_capa_permissions, find_capa_refusal
from domain.roles import Permission

_S, _A = CapaState, ActionState
AUTHOR, ADA, BOB = 1, 2, 3
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
NOW = datetime(2026, 11, 22, tzinfo=UTC)
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
