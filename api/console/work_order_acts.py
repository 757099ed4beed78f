"""The steps that a work order offers in its state, as forms; for whom they are not, why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.field_merge import SEEN, make_mark
from api.console.page import View
from domain.assignment import Suggestion, explain_suggestion
from domain.roles import Permission
from domain.work_order import (
    HoldReason,
    Outcome,
    WorkOrder,
    WorkOrderState,
)
from domain.work_order_steps import (
    find_next_states,
    find_permissions_for,
)
from store.work_order_pages import OrderCards

_S = WorkOrderState
# (from, to) -> name of the act and its key. The order of a state's acts is that of the work.
NAMES: dict[tuple[WorkOrderState, WorkOrderState], tuple[str, str]] = {
    (_S.NEW, _S.TRIAGED): ("accept", "A"),
    (_S.TRIAGED, _S.ASSIGNED): ("assign", "A"),
    (_S.ASSIGNED, _S.IN_PROGRESS): ("start", "S"),
    (_S.ON_HOLD, _S.IN_PROGRESS): ("go_on", "S"),
    (_S.IN_PROGRESS, _S.WORK_DONE): ("done", "D"),
    (_S.IN_PROGRESS, _S.ON_HOLD): ("hold", "O"),
    (_S.WORK_DONE, _S.VERIFIED): ("verify", "V"),
    (_S.VERIFIED, _S.CLOSED): ("close", "L"),
    (_S.WORK_DONE, _S.IN_PROGRESS): ("send_back", "B"),
    (_S.VERIFIED, _S.IN_PROGRESS): ("send_back", "B"),
    (_S.ASSIGNED, _S.TRIAGED): ("decline", "B"),
    (_S.CLOSED, _S.TRIAGED): ("reopen", "R"),
    (_S.NEW, _S.CANCELLED): ("cancel", ""),
    (_S.TRIAGED, _S.CANCELLED): ("cancel", ""),
    (_S.ASSIGNED, _S.CANCELLED): ("cancel", ""),
}


# Steps that rest on who has the order and where it stands, and on nothing that a machine may add meanwhile. Whoever
# signs, judges or ends an order looks at it again when it moved.
PLAIN = frozenset({_S.TRIAGED, _S.ASSIGNED, _S.IN_PROGRESS, _S.ON_HOLD, _S.WORK_DONE})
_NAMING = ("assign", "accept")  # steps whose form names somebody
STEP = "step"  # the field of a form that names its step
# What people write into a step, with their own words.
WRITTEN = ("reason", "test_evidence", "work_performed", "test_data")


def mark_order(order: WorkOrder) -> str:
    """What a step's form is made from: the facts that a plain step rests on."""
    facts = (order.state, order.version, order.assignee_id, order.hold_reason, order.merged_into_id)
    return make_mark("|".join(str(fact) for fact in facts))


def rests_on_the_same(seen: str, order: WorkOrder, to: WorkOrderState) -> bool:
    """Whether the order, which moved meanwhile, is still what the sender of a plain step saw of it."""
    is_back = order.state in (_S.WORK_DONE, _S.VERIFIED, _S.CLOSED)  # to send back and to reopen are judgements
    return to in PLAIN and not is_back and seen == mark_order(order)


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody sent that could not be done: where to, every field as it was typed, and by which step's form.

    Two steps may lead to one state (to accept a new order, to decline an assigned one): only its own form opens again.
    """

    to: str
    values: Mapping[str, str]
    step: str = ""  # empty: a form that names none
    wrong: Mapping[str, str] = field(default_factory=dict)  # what is the matter with which fields


@dataclass(frozen=True, slots=True)
class StepRefused:
    """Why a step was not taken, and what was typed."""

    problem: str
    typed: Typed | None
    status: int
    note: str = ""  # what was written into a step that is not open any more
    note_wrong: str = ""  # what is the matter with a note


NOT_REFUSED = StepRefused("", None, 200)


def is_offered(source: WorkOrderState, to: WorkOrderState, step: str) -> bool:
    """Whether an order in that state offers the step whose form was sent."""
    named = NAMES.get((source, to))
    return to in find_next_states(source) and (not step or (named is not None and named[0] == step))


@dataclass(frozen=True, slots=True)
class Assignees:
    """Who may be given an order, as (name, full name), the best fit first, and why that one."""

    options: tuple[tuple[str, str], ...] = ()
    best: Suggestion | None = None


def asks_for_assignee(state: WorkOrderState) -> bool:
    """Whether a step of an order in that state names who is to do it."""
    return any(source is state and name in _NAMING for (source, _), (name, _) in NAMES.items())


def find_acts(view: View, order: WorkOrder, cards: OrderCards, assignees: Assignees, typed: Typed | None) -> list[Act]:
    """The acts in the order of the work; the one that failed stands open with what was typed."""
    possible = find_next_states(order.state)
    acts = []
    for (source, to), (name, key) in NAMES.items():
        if source is not order.state or to not in possible:
            continue
        refusal = _find_refusal(view, order, cards, to)
        if refusal:
            acts.append(refuse_act(view, name, refusal))
            continue
        is_typed = typed is not None and typed.to == to and typed.step in ("", name)
        values = typed.values if typed is not None and is_typed else {}
        wrong = typed.wrong if typed is not None and is_typed else {}
        acts.append(
            Act(
                *name_act(view, name),
                key=key,
                action=f"/work-orders/{order.code}/transitions",
                to=to.value,
                row_version=order.row_version,
                hidden=((SEEN, mark_order(order)), (STEP, name)),
                explain=_find_explanation(view, order, name),
                fields=mark_fields(_find_fields(view, order, cards, assignees, name, values), wrong),
                open=is_typed,
            )
        )
    return acts


def _find_refusal(view: View, order: WorkOrder, cards: OrderCards, to: WorkOrderState) -> str:
    needed = find_permissions_for(order.state, to)
    held = [permission for permission in needed if view.may(permission)]
    me = view.person.user_id
    if not held:
        return view.say_missing(needed[0])
    if held == [Permission.WORK_ORDER_WORK] and order.assignee_id != me:
        return view.t("act.refused_not_assignee", name=cards.assignee_name or view.t("inbox.nobody"))
    done_by = (order.close_out or {}).get("done_by_id")
    if to is _S.VERIFIED and me is not None and done_by == me:
        return view.t("act.refused_own_work")
    if (
        to in (_S.VERIFIED, _S.CLOSED)
        and cards.safety_critical
        and me is not None
        and me in (done_by, order.assignee_id)
    ):
        return view.t("act.refused_second_person")
    return ""


def _find_explanation(view: View, order: WorkOrder, name: str) -> str:
    if name == "done":
        return view.t("act.explain_done")
    if name == "close":
        return view.t("act.explain_close")
    if name == "verify":
        since = view.when(order.quiet_since)
        if order.ready_to_verify_at is not None and since is not None:
            return view.t("act.explain_verify_quiet", at=since.at)
        return view.t("act.explain_verify_not_quiet")
    return ""


def _find_fields(
    view: View,
    order: WorkOrder,
    cards: OrderCards,
    assignees: Assignees,
    name: str,
    typed: Mapping[str, str],
) -> tuple[Field, ...]:
    t = view.t

    def said(field: str, suggestion: str = "") -> str:
        return typed.get(field, suggestion)

    if name == "accept" and not view.may(Permission.WORK_ORDER_ASSIGN):
        return ()
    if name in _NAMING:
        suggested, options = assignees.best, assignees.options
        if name == "accept":
            options = (("", t("field.nobody_yet")), *options)
        return (
            Field(
                "assignee",
                t("field.assignee"),
                "select",
                said("assignee", suggested.name if suggested else ""),
                options,
                why=explain_suggestion(suggested.reasons, view.language) if suggested else "",
            ),
        )
    if name == "hold":
        options = tuple((reason.value, view.name("hold", reason.value)) for reason in HoldReason)
        return (Field("hold_reason", t("field.hold_reason"), "select", said("hold_reason", "PARTS"), options),)
    if name in ("send_back", "decline", "reopen", "cancel"):
        return (Field("reason", t("field.reason"), "textarea", said("reason")),)
    if name == "verify":
        is_needed = order.ready_to_verify_at is None
        return (
            Field("test_evidence", t("field.test_evidence"), "textarea", said("test_evidence"), required=is_needed),
        )
    if name == "close":
        return (
            Field("meaning", t("field.meaning"), "text", said("meaning", t("field.meaning_default"))),
            Field("password", t("field.password"), "password"),
        )
    if name == "done":
        return _find_close_out(view, order, cards, said)
    return ()


def _find_close_out(
    view: View, order: WorkOrder, cards: OrderCards, said: Callable[[str, str], str]
) -> tuple[Field, ...]:
    t = view.t
    outcomes = (("", t("field.choose")), *((o.value, view.name("outcome", o.value)) for o in Outcome))
    device = (cards.model_name or {}).get(view.language) or cards.model or cards.gateway or cards.site_name or ""
    identification = cards.udi or cards.serial or cards.gateway or cards.site_code or ""
    today = view.now.astimezone(view.find_zone(cards.site_time_zone)).date().isoformat()
    return (
        Field("device_name", t("field.device_name"), value=said("device_name", device)),
        Field(
            "device_identification",
            t("field.device_identification"),
            value=said("device_identification", identification),
        ),
        Field("serviced_on", t("field.serviced_on"), "date", said("serviced_on", today)),
        Field("serviced_by", t("field.serviced_by"), value=said("serviced_by", view.person.full_name)),
        Field("outcome", t("field.outcome"), "select", said("outcome", ""), outcomes),
        Field("failure_code", t("field.failure_code"), value=said("failure_code", order.fault_group), required=False),
        Field("work_performed", t("field.work_performed"), "textarea", said("work_performed", "")),
        Field("test_data", t("field.test_data"), "textarea", said("test_data", "")),
    )
