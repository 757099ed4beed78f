"""Maintenance plans: what is due where, the plans, and leaving one occurrence out, which takes two people."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.approval_views import GUARDS as APPROVAL_GUARDS
from api.console.form_faults import Fault, Why, find_shape_faults
from api.console.forms import (
    NOT_REFUSED,
    Fields,
    Refused,
    Version,
    find_day_fault,
    find_guarded,
    find_typed,
    find_unsigned,
    find_unusable,
    read_day,
    read_sent_number,
    read_sent_whole,
    read_text,
    sign,
    take_step,
)
from api.console.page import View, find_view
from api.console.plan_due import OPEN, find_plan_filters, load_asked, load_due
from api.console.plan_views import (
    END_ACT,
    MAKE_ACT,
    SKIP_ACT,
    find_end_act,
    find_make_act,
    find_occurrence_line,
    find_plan_line,
    find_skip_act,
)
from api.once import change
from api.problems import not_found
from api.shapes.maintenance_plans import NewMaintenancePlan
from api.state import Database
from domain.approval_request import ApprovalKind, ApprovalWish
from domain.audit_plan import ENTITY
from domain.errors import GuardRefusedError, NotFoundError
from domain.maintenance_plan import PlanDraft, find_plan_problems
from domain.roles import Permission
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval
from store.maintenance_plans import end_maintenance_plan, load_maintenance_plan, record_maintenance_plan
from store.plan_occurrence_lists import load_plan_occurrences
from store.pool import Connection, Pool
from store.profiles import load_profile, load_profiles

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
Writer = Annotated[Caller, require(Permission.PLAN_WRITE)]
Skipper = Annotated[Caller, require(Permission.PLAN_SKIP)]


@router.get("/plans")
def show_plans(
    request: Request,
    pool: Database,
    caller: Reader,
    state: str = "",
    plan: str = "",
    device: str = "",
    occurrence: str = "",
    after: str = "",
) -> Response:
    """What is due where, the one that is due first at the top."""
    chosen = {"state": state, "plan": plan, "device": device}
    return render_plans(find_view(request, caller), pool, chosen, occurrence=occurrence, after=after)


def render_plans(
    view: View,
    pool: Pool,
    chosen: dict[str, str] | None = None,
    *,
    occurrence: str = "",
    after: str = "",
    refused: Refused = NOT_REFUSED,
) -> Response:
    """The page; with a step that was refused, what was typed stands where it was typed."""
    values, typed = chosen or {}, refused.typed
    with pool.connection() as conn:
        due = load_due(view, conn, values, after)
        picked = next((one for one in due.shown if one.code == occurrence), None)
        asked = load_asked(view, conn, picked)
        profiles = load_profiles(conn)
    return view.render(
        "plans.html",
        refused.status,
        problem=refused.problem,
        row_version=0 if due.plan is None else due.plan.row_version,
        rows=[find_occurrence_line(view, one, due.places) for one in due.shown],
        href=view.link("/plans", **due.kept),
        picked=None if picked is None else find_occurrence_line(view, picked, due.places),
        skip=None if picked is None else find_skip_act(view, picked, asked, typed),
        overdue=due.overdue,
        filters=find_plan_filters(view, due),
        filtered=any(due.kept.values()),
        older=view.link("/plans", **due.kept, after=due.cursor) if due.cursor else None,
        plans=[find_plan_line(view, one) for one in due.plans],
        chosen_plan=None if due.plan is None else find_plan_line(view, due.plan),
        end=None if due.plan is None else find_end_act(view, due.plan, typed),
        make=find_make_act(view, profiles, typed),
    )


@router.post("/plans/skips")
def ask_for_skip(
    request: Request, pool: Database, caller: Skipper, occurrence: Annotated[str, Form(max_length=64)], fields: Fields
) -> Response:
    """Asks, signed, that one occurrence is left out; another person decides."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        is_there = any(
            one.code == occurrence
            for one in load_plan_occurrences(conn, states=list(OPEN), customer_id=caller.customer_id, limit=1_000)
        )
    if not is_there or caller.customer_id is not None:
        raise not_found("occurrence", occurrence, "occurrence")
    signature = sign(view, pool, fields)
    if isinstance(signature, str):
        unsigned = find_unsigned(signature, SKIP_ACT, fields)
        return render_plans(view, pool, occurrence=occurrence, refused=unsigned)
    actor = find_actor(caller, (Permission.PLAN_SKIP,))
    wish = ApprovalWish(ApprovalKind.PLAN_SKIP, occurrence, {}, read_text(fields, "reason"))
    try:
        asked = change(pool, lambda conn: ask_approval(conn, actor, wish, HANDLERS, signature, view.now))
    except GuardRefusedError as guard:
        refused = find_guarded(view, APPROVAL_GUARDS, guard.guard, find_typed(SKIP_ACT, fields))
        return render_plans(view, pool, occurrence=occurrence, refused=refused)
    return RedirectResponse(view.link(f"/approvals/{asked.code}", done="saved"), 303)


@router.post("/plans/end")
def end_plan(
    request: Request,
    pool: Database,
    caller: Writer,
    plan: Annotated[str, Form(max_length=64)],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Ends a plan: work orders that are open stay, no others come."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        if not plan or load_maintenance_plan(conn, plan, customer_id=caller.customer_id) is None:
            raise not_found("maintenance plan", plan, "plan")
    actor, reason = find_actor(caller, (Permission.PLAN_WRITE,)), read_text(fields, "reason")

    def work(conn: Connection) -> None:
        end_maintenance_plan(conn, actor, plan, reason, expected_row_version=row_version, now=view.now)

    typed = find_typed(END_ACT, fields)
    refused = take_step(view, pool, work, typed, guards="plan_guard", entity=ENTITY, code=plan)
    if refused is not None:
        return render_plans(view, pool, {"plan": plan}, refused=refused)
    return RedirectResponse(view.link("/plans", plan=plan, done="saved"), 303)


@router.post("/plans/new")
def make_plan(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Makes a plan; devices that are installed, now or later, get their first occurrence within a minute."""
    view = find_view(request, caller)
    body, wrong = _read_plan(fields)
    with pool.connection() as conn:
        profile = None if body is None else load_profile(conn, body.model)
    draft = None
    if body is not None and profile is None:
        wrong = {"model": Fault.NOT_A_CHOICE}
    elif body is not None and profile is not None:
        draft = PlanDraft(**body.model_dump(exclude={"model", "serial", "starts_on", "external_refs"}))
        sensors = frozenset(sensor.key for sensor in profile.sensors)
        problems = find_plan_problems(draft, sensors, frozenset(group.key for group in profile.fault_groups))
        wrong = dict.fromkeys(problems, Fault.NOT_OF_MODEL)  # or missing, which is told by itself
    if body is None or draft is None or wrong:
        return render_plans(view, pool, refused=find_unusable(view, MAKE_ACT, fields, wrong))
    actor, made = find_actor(caller, (Permission.PLAN_WRITE,)), draft
    model, serial, starts_on = body.model, body.serial, body.starts_on or view.now.date()

    def work(conn: Connection) -> str:
        return record_maintenance_plan(
            conn, actor, made, model=model, serial=serial, starts_on=starts_on, external_refs=[], now=view.now
        )

    try:
        code = change(pool, work)
    except NotFoundError:
        return render_plans(
            view, pool, refused=find_unusable(view, MAKE_ACT, fields, {"serial": Fault.NO_DEVICE_OF_MODEL})
        )
    return RedirectResponse(view.link("/plans", plan=code, done="saved"), 303)


def _read_plan(fields: FormData) -> tuple[NewMaintenancePlan | None, dict[str, Why]]:
    # What belongs to another kind of plan is let be: the form shows the fields of all kinds.
    kind = read_text(fields, "kind")
    values: dict[str, Any] = {
        name: read_text(fields, name) for name in ("name", "order_type", "kind", "anchor", "model")
    }
    values |= {"priority": read_text(fields, "priority"), "instructions": read_text(fields, "instructions")}
    values |= {
        "serial": read_text(fields, "serial") or None,
        "starts_on": None,
        "lead_days": read_sent_whole(fields, "lead_days"),
    }
    if read_text(fields, "starts_on"):
        day = read_day(fields, "starts_on")
        values["starts_on"] = "" if day is None else day.isoformat()
    if kind == "CALENDAR":
        values |= {
            "every_count": read_sent_whole(fields, "every_count"),
            "every_unit": read_text(fields, "every_unit") or None,
        }
    elif kind == "USAGE":
        sensor = read_text(fields, "usage_sensor").rpartition("/")[2] or None
        values |= {"usage_sensor": sensor, "usage_every": read_sent_number(fields, "usage_every")}
    else:
        values["fault_group"] = read_text(fields, "fault_group").rpartition("/")[2] or None
    try:
        return NewMaintenancePlan.model_validate(values), {}
    except ValidationError as error:
        fault = find_day_fault(fields, "starts_on")
        return None, find_shape_faults(error) | ({} if fault is None else {"starts_on": fault})
