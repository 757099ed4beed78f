"""How a CAPA is shown by REST, to whoever asks."""

from datetime import UTC

from api.auth import Caller
from api.problems import not_found
from api.shapes.capas import (
    CapaActionShape,
    EffectivenessFields,
    EffectivenessResultShape,
    EffectivenessShape,
    RootCauseShape,
)
from api.shapes.service import CapaDetail, CapaMemberShape, CapaShape, CapaStep
from api.state import now
from domain.capa import CapaState, Verdict
from domain.capa_action import CapaAction
from domain.capa_steps import find_capa_next_states, find_capa_permissions
from store.capa_effectiveness import load_effectiveness_results
from store.capa_transitions import CapaStanding, load_counts_before, load_standing
from store.capas import Capa, load_capa, load_capa_members
from store.pool import Connection

# Where the machine's verdict points; people go there, or not.
OFFERED = {
    Verdict.MET: CapaState.CLOSED,
    Verdict.FAILED: CapaState.INVESTIGATION,
    Verdict.INCONCLUSIVE: CapaState.ACTION_PLAN,
}


def find_capa(conn: Connection, code: str) -> Capa:
    """The CAPA of that code, or a 404."""
    capa = load_capa(conn, code)
    if capa is None:
        raise not_found("CAPA", code, "code")
    return capa


def describe_capa(conn: Connection, capa: Capa, caller: Caller) -> CapaDetail:
    """The CAPA with everything that its page shows."""
    capa = find_capa(conn, capa.code)  # what was just written moves the counts of its actions
    standing = load_standing(conn, capa)
    more = {
        "members": [CapaMemberShape.model_validate(m).model_dump() for m in load_capa_members(conn, capa.id)],
        "next_steps": find_steps(standing, caller),
        "root_cause": describe_root_cause(standing),
        "actions": [describe_action(action).model_dump() for action in standing.plan.actions],
        "effectiveness": describe_effectiveness(conn, standing).model_dump(),
        "approvals": len(standing.plan_signed_by),
        "closure_asked": bool(standing.closure_signed_by),
    }
    return CapaDetail.model_validate(CapaShape.model_validate(capa).model_dump() | more, by_name=True)


def find_steps(standing: CapaStanding, caller: Caller) -> list[CapaStep]:
    """The steps that the life-cycle knows from here, and which of them the figures speak for."""
    capa, steps = standing.capa, []
    verdict = capa.effectiveness_verdict if capa.state == CapaState.EFFECTIVENESS else None
    offered = None if verdict is None else OFFERED[Verdict(verdict)]
    for to in find_capa_next_states(CapaState(capa.state)):
        needed = find_capa_permissions(CapaState(capa.state), to)
        held = [permission for permission in needed if caller.may(permission)]
        reason = standing.result.figures["reason"] if to is offered and standing.result is not None else None
        steps.append(
            CapaStep(
                to=to,
                allowed=bool(held),
                permission=(held or [needed[-1]])[0].value,
                offered=to is offered,
                offered_reason=reason,
            )
        )
    return steps


def describe_root_cause(standing: CapaStanding) -> RootCauseShape:
    """The investigation as it was last written."""
    capa = standing.capa
    is_reviewed = capa.investigated_round == capa.round
    return RootCauseShape.model_validate(standing.plan.root_cause.to_json() | {"is_reviewed": is_reviewed})


def describe_action(action: CapaAction) -> CapaActionShape:
    """One action with whether it is late today (UTC)."""
    names = CapaActionShape.model_fields.keys() - {"capa", "is_overdue"}
    values = {name: getattr(action, name) for name in names}
    late = action.is_overdue(now().astimezone(UTC).date())
    return CapaActionShape.model_validate(values | {"capa": action.capa_code, "is_overdue": late}, by_name=True)


def describe_effectiveness(conn: Connection, standing: CapaStanding) -> EffectivenessShape:
    """How the effect is judged, what was counted before, and what was computed since."""
    capa, plan = standing.capa, standing.plan.effectiveness
    before = load_counts_before(conn, standing, now())
    return EffectivenessShape(
        plan=None if plan is None else EffectivenessFields.model_validate(plan.to_json()),
        devices=standing.plan.devices,
        before_until=capa.before_until,
        events_before=None if before is None else before.events,
        device_days_before=None if before is None else round(before.device_days, 3),
        rate_before=None if before is None else before.rate,
        effective_from=capa.effective_from,
        effective_until=capa.effective_until,
        verdict=capa.effectiveness_verdict,
        results=[EffectivenessResultShape.model_validate(r) for r in load_effectiveness_results(conn, capa.id)],
    )
