"""A technician's own jobs, made for a phone: which is next, and one of them with everything to do it on the spot."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.evidence_view import find_evidence
from api.console.kept_pages import find_kept, mark_kept
from api.console.my_views import find_ways, group_jobs, name_place
from api.console.order_findings import find_shown
from api.console.order_head import find_head
from api.console.order_record_steps import Fields, change_part
from api.console.order_records import load_own_order
from api.console.order_rows import find_fault
from api.console.order_sections import Refused, find_script_words, load_section, make_once
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.console.work_order_acts import NOT_REFUSED, Assignees, StepRefused, find_acts
from api.console.work_order_steps import Step, take_step
from api.problems import not_found
from api.state import Database
from domain.roles import Permission
from domain.work_order import WorkOrderState
from store.pool import Pool
from store.profiles import load_profiles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_page
from store.work_order_pages import load_linked_breaches, load_order_cards

router = APIRouter(include_in_schema=False)
Worker = Annotated[Caller, require(Permission.WORK_ORDER_WORK)]
MOST_JOBS = 200
MINE = (WorkOrderState.ASSIGNED, WorkOrderState.IN_PROGRESS, WorkOrderState.ON_HOLD, WorkOrderState.WORK_DONE)
# What one presses next, in the bar at the bottom; the rest stands at the end of the page.
FIRST = ("start", "go_on", "done")
SECTIONS = ("visits", "checklists", "parts", "files")


@router.get("/my")
def show_jobs(request: Request, pool: Database, caller: Worker) -> Response:
    """The jobs of who looks: what to do next at the top."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        wanted = WorkOrderFilter(
            states=tuple(state.value for state in MINE),
            assignee_id=caller.user_id if caller.user_id is not None else -1,
            customer_id=caller.customer_id,
        )
        rows = load_work_order_page(conn, wanted, sort="due", limit=MOST_JOBS).rows
        proof = load_proof(view, conn) if not rows else ""
    groups = group_jobs(view, rows, profiles)
    kept = find_kept(view, [(job.code, job.row_version) for group in groups for job in group["jobs"]])
    page = view.render("my.html", groups=groups, proof=proof, outbox=find_script_words(view), kept=kept)
    return mark_kept(view, page)


@router.get("/my/{code}")
def show_job(request: Request, pool: Database, caller: Worker, code: str, breach: str = "") -> Response:
    """One job of who looks; another's order is shown on its own page."""
    view = find_view(request, caller)
    order = load_own_order(pool, caller, code)
    if order.assignee_id != caller.user_id:
        return RedirectResponse(f"/work-orders/{code}", 303)
    return mark_kept(view, render_job(view, pool, code, breach=breach))


@router.post("/my/{code}/transitions")
def take_job_step(request: Request, pool: Database, caller: Worker, code: str, form: Step) -> Response:
    """Takes one step with the job; what is refused comes back with what was typed."""
    view = find_view(request, caller)
    refused = take_step(view, pool, code, form)
    if refused is not None:
        return render_job(view, pool, code, step=refused)
    target = f"/my/{code}" if form.to is not WorkOrderState.TRIAGED else "/my"
    return RedirectResponse(view.link(target, done="saved"), 303)


@router.post("/my/{code}/parts")
def take_job_part(request: Request, pool: Database, caller: Worker, code: str, values: Fields) -> Response:
    """Uses a part, signed, or takes a request for one back."""
    view = find_view(request, caller)
    load_own_order(pool, caller, code)
    refused = change_part(view, pool, code, values)
    if refused is not None:
        return render_job(view, pool, code, refused=refused)
    return RedirectResponse(view.link(f"/my/{code}", done="saved") + "#job-parts", 303)


def render_job(
    view: View,
    pool: Pool,
    code: str,
    *,
    breach: str = "",
    step: StepRefused = NOT_REFUSED,
    refused: Refused | None = None,
) -> Response:
    """The page of one job; what was refused, a step or a form of the records, stands where it was typed."""
    order = load_own_order(pool, view.person, code)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        cards = load_order_cards(conn, order.id)
        breaches = load_linked_breaches(conn, order.id)
    if cards is None:
        raise not_found("work order", code, "code")
    zone = cards.site_time_zone
    shown = find_shown(breaches, breach)
    evidence = find_evidence(view, shown, profiles.get(cards.model or ""), zone) if shown is not None else None
    acts = [
        replace(act, action=f"/my/{code}/transitions") for act in find_acts(view, order, cards, Assignees(), step.typed)
    ]
    sections: dict[str, Any] = {name: load_section(view, pool, order, cards, name, refused) for name in SECTIONS}
    return view.render(
        "job.html",
        refused.status if refused is not None else step.status,
        problem=step.problem or (refused.problem if refused is not None else None),
        order=find_head(view, order, cards, profiles, zone),
        fault=find_fault(view, profiles, cards.model, order.fault_group),
        place=name_place(cards),
        device={"serial": cards.serial or cards.gateway or cards.site_name or "", "firmware": cards.firmware or "",
            "model": (cards.model_name or {}).get(view.language) or cards.model or "", "linked": bool(cards.serial)},
        ways=find_ways(view, cards),
        charts=evidence.charts if evidence else [],
        has_evidence=evidence is not None,
        first=next((act for act in acts if act.name in FIRST and not act.refusal), None),
        acts=[act for act in acts if act.name not in FIRST or act.fields],
        may_note=view.may(Permission.WORK_ORDER_NOTE),
        typed_note=step.note,
        outbox=find_script_words(view),
        kept=find_kept(view, [(order.code, order.row_version)]),
        once=make_once,
        **sections,
    )  # fmt: skip
