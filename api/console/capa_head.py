"""The head of a CAPA's page: what it is about, why it was proposed, what was decided, and how far it is."""

from collections.abc import Mapping
from typing import Any

from api.console.capa_views import STAGES, find_scope, find_trigger
from api.console.page import View
from domain.capa import CapaState, CapaTrigger
from domain.profile import Profile
from store.capas import Capa


def find_head(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> dict[str, Any]:
    """Code, state and kind, the reasons in sentences, and the stages of its life."""
    return {
        "code": capa.code,
        "state": capa.state,
        "kind": view.name("capa_kind", capa.kind),
        "round": capa.round,
        "by_machine": capa.trigger != CapaTrigger.MANUAL,
        "row_version": capa.row_version,
        "flags": ["SIM"] if capa.is_simulated else [],
        "created": view.when(capa.created_at),
        "state_since": view.when(capa.state_since),
        "trigger_sentence": find_trigger(view, capa, profiles),
        "reason": capa.statistics.get("reason") or "",
        "decision": _find_decision(view, capa),
        "stages": _find_stages(capa),
        "scope": find_scope(view, capa),
        "is_undecided": capa.state in (CapaState.PROPOSED, CapaState.REJECTED),
    }


def _find_decision(view: View, capa: Capa) -> str | None:
    if capa.decided_by is None:
        return view.t("capa.ineffective", code=capa.ineffective_of_code) if capa.ineffective_of_code else None
    key = "capa.rejected" if capa.state == CapaState.REJECTED else "capa.opened"
    return view.t(key, who=view.who(capa.decided_by), reason=capa.decision_reason or "")


def _find_stages(capa: Capa) -> list[dict[str, object]]:
    stages = (CapaState.PROPOSED, CapaState.REJECTED) if capa.state == CapaState.REJECTED else STAGES
    at = stages.index(CapaState(capa.state))
    return [{"code": stage.value, "current": place == at, "past": place < at} for place, stage in enumerate(stages)]
