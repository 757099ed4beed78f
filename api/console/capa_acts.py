"""The steps that a CAPA offers in its state, as forms; where a guard would refuse one now, its sentence instead."""

from api.console.acts import Act, Field, mark_fields, refuse_act
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.page import View
from domain.audit import Signature
from domain.capa import CapaState
from domain.capa_steps import (
    TWICE_SIGNED,
    CapaRequest,
    find_capa_next,
    find_capa_next_states,
    find_capa_permissions,
    find_capa_refusal,
)
from store.capa_transitions import CapaStanding, find_capa_facts
from store.pool import Connection

_S = CapaState
# (from, to) -> name of the act and its key; the order of a state's acts is that of the work, going back comes last.
NAMES: dict[tuple[CapaState, CapaState], tuple[str, str]] = {
    (_S.PROPOSED, _S.OPEN): ("capa_open", "A"),
    (_S.PROPOSED, _S.REJECTED): ("capa_reject", "R"),
    (_S.OPEN, _S.INVESTIGATION): ("capa_investigate", "S"),
    (_S.INVESTIGATION, _S.ACTION_PLAN): ("capa_plan", "D"),
    (_S.ACTION_PLAN, _S.IMPLEMENTATION): ("capa_approve", "A"),
    (_S.IMPLEMENTATION, _S.VERIFICATION): ("capa_verify", "V"),
    (_S.VERIFICATION, _S.EFFECTIVENESS): ("capa_measure", "D"),
    (_S.EFFECTIVENESS, _S.CLOSED): ("capa_close", "L"),
    (_S.VERIFICATION, _S.IMPLEMENTATION): ("capa_back_work", ""),
    (_S.IMPLEMENTATION, _S.ACTION_PLAN): ("capa_back_plan", ""),
    (_S.EFFECTIVENESS, _S.ACTION_PLAN): ("capa_longer", ""),
    (_S.ACTION_PLAN, _S.INVESTIGATION): ("capa_back_cause", ""),
    (_S.VERIFICATION, _S.INVESTIGATION): ("capa_back_cause", ""),
    (_S.EFFECTIVENESS, _S.INVESTIGATION): ("capa_back_cause", ""),
}
# Steps that take nothing but the wish.
PLAIN = ("capa_investigate", "capa_plan", "capa_verify")
GUARDS = "capa_guard"


def find_capa_acts(view: View, conn: Connection, standing: CapaStanding, typed: Typed) -> list[Act]:
    """The acts in the order of the work; the one that failed stands open with what was typed."""
    state = CapaState(standing.capa.state)
    possible = find_capa_next_states(state)
    return [
        _find_act(view, conn, standing, to, name, key, typed.of(name))
        for (source, to), (name, key) in NAMES.items()
        if source is state and to in possible
    ]


def _find_act(
    view: View, conn: Connection, standing: CapaStanding, to: CapaState, name: str, key: str, typed: Typed
) -> Act:
    capa = standing.capa
    label = view.t(f"act.{name}")
    needed = find_capa_permissions(CapaState(capa.state), to)
    held = next((permission for permission in needed if view.may(permission)), None)
    if held is None:
        return refuse_act(view, name, view.say_missing(needed[-1]))
    submit, explain = view.t(f"act.{name}_do"), ""
    is_signed = name in ("capa_approve", "capa_close")
    facts = find_capa_facts(conn, standing, to, view.person.user_id, view.now)
    wish = _find_best_wish(view, to)
    refusal = find_capa_refusal(wish, facts, held)
    if refusal is not None:
        return refuse_act(view, name, say_guard(view, GUARDS, refusal.guard))
    if is_signed:
        moves = find_capa_next(wish, facts, held) is to
        explain = view.t(f"act.explain_{name}_{'last' if moves else 'first'}")
        submit = view.t(f"act.{name}_{'do' if moves else 'first_do'}")
    elif name == "capa_measure":
        explain = view.t("act.explain_capa_measure")
    return Act(
        name,
        label,
        submit=submit,
        key=key,
        action=f"/capa/{capa.code}/transitions",
        to=to.value,
        row_version=capa.row_version,
        explain=explain,
        fields=_find_fields(view, name, typed, is_signed=is_signed),
        open=bool(typed.act),
    )


def _find_best_wish(view: View, to: CapaState) -> CapaRequest:
    """The step as it would be asked for with every field of its form filled in: what still refuses it is the record."""
    signer = view.person.user_id
    signature = Signature(signer, view.person.full_name, "-") if signer is not None else None
    return CapaRequest(to, "-", signature if to in TWICE_SIGNED else None)


def _find_fields(view: View, name: str, typed: Typed, *, is_signed: bool) -> tuple[Field, ...]:
    if name in PLAIN:
        return ()
    if is_signed:
        return find_signature_fields(view, typed, view.t(f"field.meaning_{name}"))
    label = view.t("field.no_harm" if name == "capa_measure" else "field.justification")
    return mark_fields((Field("reason", label, "textarea", typed.values.get("reason", "")),), typed.wrong)
