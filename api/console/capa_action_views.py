"""The actions of a CAPA's plan: a line each, with what can be done with it and what was seen."""

from dataclasses import dataclass
from datetime import UTC

from api.console.acts import Act, Field, mark_fields
from api.console.capa_acts import GUARDS
from api.console.capa_cause_views import EvidenceLine, find_evidence_lines
from api.console.forms import NOTHING, Typed, say_guard
from api.console.instants import Instant
from api.console.page import View
from domain.capa import CapaState
from domain.capa_action import (
    ACTION_TRANSITIONS,
    PLANNING,
    ActionKind,
    ActionRequest,
    ActionState,
    CapaAction,
    find_action_refusal,
    find_plan_refusal,
)
from domain.capa_cause import EvidenceKind, EvidenceRef
from domain.roles import Permission
from store.capa_transitions import CapaStanding

_A = ActionState
NAMES = {
    (_A.OPEN, _A.DONE): "action_done",
    (_A.DONE, _A.VERIFIED): "action_verified",
    (_A.DONE, _A.OPEN): "action_back",
    (_A.OPEN, _A.CANCELLED): "action_cancelled",
}


@dataclass(frozen=True, slots=True)
class ActionLine:
    """One action as its row shows it."""

    number: int
    kind: str
    state: str
    text: str
    owner: str
    due: str
    is_overdue: bool
    is_cancelled: bool
    done: Instant | None
    done_by: str
    done_evidence: str
    evidence: list[EvidenceLine]
    verified: Instant | None
    verified_by: str
    verified_note: str
    cancel_reason: str
    acts: list[Act]


def find_action_lines(
    view: View, standing: CapaStanding, people: list[tuple[str, str]], typed: Typed
) -> list[ActionLine]:
    """All actions by their number, cancelled ones too."""
    today = view.now.astimezone(UTC).date()
    return [_find_line(view, standing, a, people, typed, is_late=a.is_overdue(today)) for a in standing.plan.actions]


def _find_line(
    view: View,
    standing: CapaStanding,
    action: CapaAction,
    people: list[tuple[str, str]],
    typed: Typed,
    *,
    is_late: bool,
) -> ActionLine:
    refs = [EvidenceRef(EvidenceKind(ref["kind"]), ref["ref"], ref.get("note", "")) for ref in action.evidence]
    return ActionLine(
        number=action.number,
        kind=view.name("action_kind", action.kind),
        state=view.name("action_state", action.state),
        text=action.text,
        owner=view.who(action.owner),
        due="" if action.due_on is None else action.due_on.isoformat(),
        is_overdue=is_late,
        is_cancelled=action.state is ActionState.CANCELLED,
        done=view.when(action.done_at) if action.done_at else None,
        done_by=view.who(action.done_by),
        done_evidence=action.done_evidence,
        evidence=find_evidence_lines(view, refs),
        verified=view.when(action.verified_at) if action.verified_at else None,
        verified_by=view.who(action.verified_by),
        verified_note=action.verified_note,
        cancel_reason=action.cancel_reason,
        acts=_find_acts(view, standing, action, people, typed),
    )


def _find_acts(
    view: View, standing: CapaStanding, action: CapaAction, people: list[tuple[str, str]], typed: Typed
) -> list[Act]:
    """Its steps. What the CAPA's state rules out for everybody is left away: its guard stands at the CAPA's steps."""
    acts = []
    capa, state = standing.capa, CapaState(standing.capa.state)
    for (source, to), name in NAMES.items():
        if source is not action.state:
            continue
        label, full = view.t(f"act.{name}"), f"{name}_{action.number}"
        needed = ACTION_TRANSITIONS[source, to]
        held = next((permission for permission in needed if view.may(permission)), None)
        wish = ActionRequest(to, "-", "-")
        of_state = find_action_refusal(wish, action, -1, needed[0])  # as it is for somebody who had no part in it
        if of_state is not None:
            continue
        if held is None:
            acts.append(Act(full, label, refusal=view.say_missing(needed[0])))
            continue
        refusal = find_action_refusal(wish, action, view.person.user_id, held)
        if refusal is not None:
            acts.append(Act(full, label, refusal=say_guard(view, GUARDS, refusal.guard)))
            continue
        said = typed.of(full)
        acts.append(
            Act(
                full,
                label,
                submit=view.t(f"act.{name}_do"),
                action=f"/capa/{capa.code}/action-steps",
                to=to.value,
                row_version=capa.row_version,
                fields=mark_fields(_find_step_fields(view, name, said), said.wrong),
                hidden=(("number", str(action.number)),),
                open=bool(said.act),
            )
        )
    may_change = view.may(Permission.CAPA_WORK) and find_plan_refusal(state, action.kind) is None
    if action.state is ActionState.OPEN and may_change:
        full = f"action_change_{action.number}"
        said = typed.of(full)
        acts.insert(
            0 if state is CapaState.ACTION_PLAN else len(acts),
            Act(
                full,
                view.t("act.action_change"),
                submit=view.t("act.action_change_do"),
                action=f"/capa/{capa.code}/actions",
                row_version=capa.row_version,
                fields=_find_plan_fields(view, state, people, said, action),
                hidden=(("number", str(action.number)),),
                open=bool(said.act),
            ),
        )
    return acts


def _find_step_fields(view: View, name: str, typed: Typed) -> tuple[Field, ...]:
    if name in ("action_back", "action_cancelled"):
        return (Field("reason", view.t("field.reason"), "textarea", typed.values.get("reason", "")),)
    text = Field("evidence", view.t(f"field.{name}"), "textarea", typed.values.get("evidence", ""))
    if name == "action_verified":
        return (text,)
    kinds = tuple((kind.value, view.name("evidence_kind", kind)) for kind in EvidenceKind)
    return (
        text,
        Field("ref_kind", view.t("field.evidence_kind"), "select", typed.values.get("ref_kind", "DOCUMENT"), kinds),
        Field(
            "ref",
            view.t("field.evidence_ref"),
            "text",
            typed.values.get("ref", ""),
            required=False,
            why=view.t("field.evidence_ref_why"),
            limit=200,
        ),
    )


def find_new_action(view: View, standing: CapaStanding, people: list[tuple[str, str]], typed: Typed) -> Act | None:
    """The form that adds one; None where the plan is not open, as its steps say already."""
    capa, state = standing.capa, CapaState(standing.capa.state)
    if state not in PLANNING:
        return None
    label = view.t("act.action_add")
    if not view.may(Permission.CAPA_WORK):
        refusal = view.say_missing(Permission.CAPA_WORK)
        return Act("action_add", label, refusal=refusal)
    said = typed.of("action_add")
    return Act(
        "action_add",
        label,
        submit=view.t("act.action_add_do"),
        action=f"/capa/{capa.code}/actions",
        row_version=capa.row_version,
        explain="" if state is CapaState.ACTION_PLAN else view.t("act.explain_action_early"),
        fields=_find_plan_fields(view, state, people, said, None),
        open=bool(said.act),
    )


def _find_plan_fields(
    view: View,
    state: CapaState,
    people: list[tuple[str, str]],
    typed: Typed = NOTHING,
    action: CapaAction | None = None,
) -> tuple[Field, ...]:
    kinds = [kind for kind in ActionKind if find_plan_refusal(state, kind) is None]
    stands = {
        "kind": kinds[-1 if state is not CapaState.ACTION_PLAN else 1].value if action is None else action.kind.value,
        "text": "" if action is None else action.text,
        "owner": "" if action is None or action.owner is None else action.owner,
        "due_on": "" if action is None or action.due_on is None else action.due_on.isoformat(),
    } | dict(typed.values)
    options = tuple((kind.value, view.name("action_kind", kind)) for kind in kinds)
    owners = (("", view.t("field.nobody_yet")), *people, *_find_former_owner(view, action, people))
    fields = (
        Field("text", view.t("field.action_text"), "textarea", stands["text"]),
        Field("kind", view.t("field.action_kind"), "select", stands["kind"], options),
        Field(
            "owner",
            view.t("field.action_owner"),
            "select",
            stands["owner"],
            owners,
            required=False,
        ),
        Field(
            "due_on",
            view.t("field.due_on"),
            "date",
            stands["due_on"],
            required=False,
        ),
    )
    return mark_fields(fields, typed.wrong)


def _find_former_owner(view: View, action: CapaAction | None, people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Who has the action and could not be given it any more: stands there until somebody else is chosen."""
    if action is None or action.owner is None or action.owner in dict(people):
        return []
    return [(action.owner, view.t("capa.former_owner", who=view.who(action.owner)))]
