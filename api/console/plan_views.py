"""Maintenance plans in words: when work is due, how often it comes, and the forms that make, end and leave out."""

from dataclasses import dataclass
from typing import Any

from api.console.acts import Act, Field, mark_fields, name_act, refuse_act
from api.console.forms import Typed, find_signature_fields, say_guard
from api.console.page import View
from api.console.place_words import code_place, say_place
from domain.maintenance_plan import PlanAnchor, PlanKind, PlanUnit
from domain.profile import Profile
from domain.roles import Permission
from domain.tickets import Priority
from store.maintenance_plans import MaintenancePlan
from store.place_names import PlaceNames
from store.plan_occurrence_lists import PlanOccurrence

MAKE_ACT, END_ACT, SKIP_ACT = "plan_make", "plan_end", "plan_skip"


@dataclass(frozen=True, slots=True)
class OccurrenceLine:
    """One time that work is due at one device."""

    code: str
    plan: str
    plan_name: str
    order_type: str
    serial: str
    place: str
    place_codes: str
    state: str
    is_overdue: bool
    is_open: bool
    due: str
    usage: str
    order: str
    note: str
    flags: list[str]


def find_occurrence_line(view: View, one: PlanOccurrence, places: PlaceNames) -> OccurrenceLine:
    """The occurrence as a line; dates are those of its site."""
    usage = ""
    if one.usage_target is not None:
        total = "?" if one.usage_total is None else f"{one.usage_total:,.0f}"
        usage = view.t("plans.usage", total=total, target=f"{one.usage_target:,.0f}")
    return OccurrenceLine(
        code=one.code,
        plan=one.plan,
        plan_name=one.plan_name,
        order_type=view.name("plan_order_type", one.order_type),
        serial=one.serial,
        place=say_place(one.customer, one.site, places),
        place_codes=code_place(one.customer, one.site),
        state=one.state,
        is_overdue=one.state == "OVERDUE",
        is_open=one.state in ("UPCOMING", "DUE", "OVERDUE"),
        due="–" if one.due_on is None else one.due_on.isoformat(),
        usage=usage,
        order=one.work_order or "",
        note=one.skip_reason or (view.t("plans.done_on", day=one.done_on.isoformat()) if one.done_on else ""),
        flags=["SIM"] if one.is_simulated else [],
    )


def find_plan_line(view: View, plan: MaintenancePlan) -> dict[str, Any]:
    """The plan as a line."""
    return {
        "code": plan.code,
        "name": plan.name,
        "state": view.name("plan_state", plan.state),
        "is_ended": plan.ended_at is not None,
        "for_what": plan.serial or plan.model,
        "how": say_rhythm(view, plan),
        "order_type": view.name("plan_order_type", plan.order_type),
        "open": plan.open_occurrences,
        "overdue": plan.overdue_occurrences,
        "instructions": plan.instructions,
        "reason": plan.end_reason,
        "flags": ["SIM"] if plan.is_simulated else [],
    }


def say_rhythm(view: View, plan: MaintenancePlan) -> str:
    """How often the work comes, as a sentence."""
    anchor = view.name("plan_anchor", plan.anchor)
    if plan.kind == PlanKind.CALENDAR:
        count = plan.every_count or 1
        return view.t(f"plans.every_{plan.every_unit}", count=count, anchor=anchor)
    if plan.kind == PlanKind.USAGE:
        every = f"{plan.usage_every or 0:,.0f}"
        return view.t("plans.every_usage", every=every, sensor=plan.usage_sensor or "", anchor=anchor)
    return view.t("plans.on_breach", fault=plan.fault_group or "", days=plan.lead_days)


def find_skip_act(view: View, one: PlanOccurrence, asked: str, typed: Typed) -> Act:
    """The question whether this occurrence may be left out; two people answer it."""
    if not view.may(Permission.PLAN_SKIP) or view.person.customer_id is not None:
        return refuse_act(view, SKIP_ACT, view.say_missing(Permission.PLAN_SKIP))
    if asked:
        return refuse_act(view, SKIP_ACT, view.t("plans.asked", code=asked))
    if one.state not in ("UPCOMING", "DUE", "OVERDUE"):
        return refuse_act(view, SKIP_ACT, say_guard(view, "approval_guard", "occurrence_ended"))
    if one.work_order and one.work_order_state not in ("CLOSED", "CANCELLED"):
        return refuse_act(view, SKIP_ACT, say_guard(view, "approval_guard", "work_order_open"))
    said = typed.of(SKIP_ACT)
    reason = Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", ""))
    return Act(
        *name_act(view, SKIP_ACT),
        action="/plans/skips",
        explain=view.t(f"act.explain_{SKIP_ACT}"),
        fields=mark_fields((reason, *find_signature_fields(view, said, view.t("field.meaning_plan_skip"))), said.wrong),
        hidden=(("occurrence", one.code),),
        open=True,
    )


def find_end_act(view: View, plan: MaintenancePlan, typed: Typed) -> Act:
    """The form that ends a plan."""
    if not view.may(Permission.PLAN_WRITE):
        return refuse_act(view, END_ACT, view.say_missing(Permission.PLAN_WRITE))
    if plan.ended_at is not None:
        return refuse_act(view, END_ACT, say_guard(view, "plan_guard", "ended_already"))
    said = typed.of(END_ACT)
    reason = Field("reason", view.t("field.reason"), "textarea", said.values.get("reason", ""))
    return Act(
        *name_act(view, END_ACT),
        action="/plans/end",
        row_version=plan.row_version,
        explain=view.t(f"act.explain_{END_ACT}"),
        fields=mark_fields((reason,), said.wrong),
        hidden=(("plan", plan.code),),
        open=bool(said.act),
    )


def find_make_act(view: View, profiles: dict[str, Profile], typed: Typed) -> Act:
    """The form that makes a plan; which fields count follows from its kind."""
    t = view.t
    if not view.may(Permission.PLAN_WRITE):
        return refuse_act(view, MAKE_ACT, view.say_missing(Permission.PLAN_WRITE))
    if not profiles:
        return refuse_act(view, MAKE_ACT, view.t("profiles.empty"))
    said = typed.of(MAKE_ACT)
    values = {"every_count": "1", "every_unit": "YEAR", "lead_days": "14", "priority": "P3"} | dict(said.values)
    none = ("", "–")

    def make(name: str, kind: str = "text", *, required: bool = False, why: str = "") -> Field:
        return Field(name, t(f"plans.{name}"), kind, values.get(name, ""), (), required, why)

    def choose(name: str, options: tuple[tuple[str, str], ...], why: str = "") -> Field:
        return Field(name, t(f"plans.{name}"), "select", values.get(name, ""), options, options[0] != none, why)

    sensors = [
        (f"{model}/{s.key}", f"{model} · {getattr(s.label, view.language, s.label.en)}")
        for model, profile in sorted(profiles.items())
        for s in profile.sensors
    ]
    faults = [
        (f"{model}/{g.key}", f"{model} · {getattr(g.label, view.language, g.label.en)}")
        for model, profile in sorted(profiles.items())
        for g in profile.fault_groups
    ]
    return Act(
        *name_act(view, MAKE_ACT),
        action="/plans/new",
        explain=t(f"act.explain_{MAKE_ACT}"),
        fields=mark_fields(
            (
                make("name", required=True),
                choose(
                    "order_type", tuple((k, view.name("plan_order_type", k)) for k in ("PREVENTIVE", "CALIBRATION"))
                ),
                choose("model", tuple((model, model) for model in sorted(profiles))),
                make("serial", why=t("plans.serial_why")),
                choose("kind", tuple((k.value, view.name("plan_kind", k)) for k in PlanKind)),
                choose("anchor", tuple((a.value, view.name("plan_anchor", a)) for a in PlanAnchor)),
                make("every_count", "number", why=t("plans.of_calendar")),
                choose(
                    "every_unit", tuple((u.value, view.name("plan_unit", u)) for u in PlanUnit), t("plans.of_calendar")
                ),
                choose("usage_sensor", (none, *sensors), t("plans.of_usage")),
                make("usage_every", "number", why=t("plans.of_usage")),
                choose("fault_group", (none, *faults), t("plans.of_condition")),
                make("lead_days", "number", required=True),
                choose("priority", tuple((p.value, f"{p.value} {view.name('priority', p.value)}") for p in Priority)),
                make("starts_on", "date", why=t("plans.starts_why")),
                make("instructions", "textarea"),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )
