"""One work order: why it opened, what shows it, how far to trust that, what to do."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.console.facts import find_customer_card, find_device_card
from api.console.order_findings import load_findings
from api.console.order_head import find_head, find_undo
from api.console.order_outcomes import find_close_out, find_similar
from api.console.order_records import load_order_records, load_own_order
from api.console.order_sections import (
    INSIDERS,
    NAMES,
    Refused,
    find_script_words,
    find_summaries,
    load_section,
    make_once,
)
from api.console.page import View, find_view
from api.console.part_views import find_signatures
from api.console.related_orders import find_related
from api.console.timeline import find_decisions, find_timeline
from api.console.work_order_acts import NOT_REFUSED, StepRefused, find_acts
from api.problems import not_found
from api.state import Database
from domain.roles import Permission
from store.pool import Pool
from store.work_order_pages import load_order_cards

router = APIRouter(include_in_schema=False)


@router.get("/work-orders/{code}")
def show_work_order(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    code: str,
    breach: str = "",
    open: str = "",  # noqa: A002 - the name in the address
) -> Response:
    """The page of one order, with that section of its records open."""
    return render_order(find_view(request, caller), pool, code, breach=breach, opened=open)


@router.get("/work-orders/{code}/sections/{name}")
def show_section(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    code: str,
    name: str,
) -> Response:
    """One section of the records, as the page of the order takes it in when somebody opens it."""
    view = find_view(request, caller)
    order = load_own_order(pool, caller, code)
    with pool.connection() as conn:
        cards = load_order_cards(conn, order.id)
    if cards is None or name not in NAMES:
        raise not_found("section", name, "name")
    if name in INSIDERS and not view.may(Permission.STAFF_READ):
        raise missing_permission(Permission.STAFF_READ)
    section = load_section(view, pool, order, cards, name)
    return view.render("order_section.html", section=section, once=make_once)


def render_order(
    view: View,
    pool: Pool,
    code: str,
    *,
    breach: str = "",
    opened: str = "",
    step: StepRefused = NOT_REFUSED,
    refused: Refused | None = None,
) -> Response:
    """The page; what was refused, a step or a form of the records, stands where it was typed. Of the records one
    section is open."""
    with pool.connection() as conn:
        records = load_order_records(view, conn, code)
    order, cards, zone = records.order, records.cards, records.zone
    sections = find_summaries(view, order, records.counts)
    wanted = refused.section if refused is not None else opened
    section = None
    if any(one["name"] == wanted for one in sections):
        section = load_section(view, pool, order, cards, wanted, refused)
    return view.render(
        "work_order.html",
        refused.status if refused is not None else step.status,
        problem=step.problem or None,
        order=find_head(view, order, cards, records.profiles, zone),
        acts=find_acts(view, order, cards, records.assignees, step.typed),
        decisions=find_decisions(view, records.decisions, code, zone),
        **load_findings(view, pool, records, breach),
        similar=find_similar(view, records.similar),
        device=find_device_card(view, cards),
        customer=find_customer_card(view, cards, order.region),
        close_out=find_close_out(view, order) if order.close_out else [],
        timeline=find_timeline(view, records.timeline, zone, records.monitor_names),
        may_note=view.may(Permission.WORK_ORDER_NOTE),
        typed_note=step.note,
        note_wrong=step.note_wrong,
        sections=sections,
        section=section,
        signatures=find_signatures(view, records.signatures, zone),
        related=find_related(view, order, cards, refused),
        undo=find_undo(view, order),
        outbox=find_script_words(view),
        once=make_once,
    )
