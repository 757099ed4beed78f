"""One work order: why it opened, what shows it, how far to trust that, what to do."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, missing_permission, require
from api.console.evidence_strip import load_strip
from api.console.evidence_view import find_evidence
from api.console.facts import find_customer_facts, find_device_facts, find_trust_facts
from api.console.order_head import find_head, find_undo
from api.console.order_outcomes import find_close_out, find_similar
from api.console.order_rows import find_fault, find_sentence
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
from api.console.timeline import find_timeline
from api.console.work_order_acts import Assignees, Typed, asks_for_assignee, find_acts
from api.problems import not_found
from api.shapes.signatures import SignatureShape
from api.state import Database
from domain.assignment import Work
from domain.masking import Row, mask_row
from domain.profile import Profile
from domain.roles import Permission
from domain.work_order import (
    WorkOrder,
)
from store.assignments import load_assignment_book
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.work_order_pages import (
    LinkedBreach,
    load_linked_breaches,
    load_order_cards,
    load_order_decisions,
    load_similar_orders,
    load_timeline,
)
from store.work_order_records import load_record_counts
from store.work_order_transitions import load_order_signatures
from store.work_orders import load_work_order

router = APIRouter(include_in_schema=False)


def find_own_order(conn: Connection, caller: Caller, code: str) -> WorkOrder:
    """The order of that code.

    Raises
    ------
    ProblemError
        404: there is none, or it is another customer's.
    """
    order = load_work_order(conn, code)
    if order is None or (caller.customer_id is not None and order.customer_id != caller.customer_id):
        raise not_found("work order", code, "code")
    return order


def load_own_order(pool: Pool, caller: Caller, code: str) -> WorkOrder:
    """The same on a connection of its own."""
    with pool.connection() as conn:
        return find_own_order(conn, caller, code)


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
    problem: str | None = None,
    typed: Typed | None = None,
    typed_note: str = "",
    refused: Refused | None = None,
    opened: str = "",
    status: int = 200,
) -> Response:
    """The page; with a problem, what was typed stands where it was typed. Of the records one section is open."""
    is_staff = view.may(Permission.STAFF_READ)  # else without names of our people and what happened at other customers
    with pool.connection() as conn:
        order = find_own_order(conn, view.person, code)
        cards = load_order_cards(conn, order.id)
        if cards is None:
            raise not_found("work order", code, "code")
        profiles = load_profiles(conn)
        breaches = load_linked_breaches(conn, order.id)
        decisions = load_order_decisions(conn, order.id) if is_staff else []
        entries = load_timeline(conn, order.id, code) if is_staff else []
        similar = load_similar_orders(conn, order.id, now=view.now) if is_staff else []
        assignees = _load_assignees(view, conn, order, cards.model) if is_staff else Assignees()
        counts = load_record_counts(conn, order, internal=is_staff and view.person.customer_id is None)
        signatures = load_order_signatures(conn, order) if is_staff else []
    order, cards = _mask(view, order), _mask(view, cards)
    zone = cards.site_time_zone
    sections = find_summaries(view, order, counts)
    wanted = refused.section if refused is not None else opened
    section = None
    if any(one["name"] == wanted for one in sections):
        section = load_section(view, pool, order, cards, wanted, refused)
    profile = profiles.get(cards.model or "")
    shown = find_shown(breaches, breach)
    # A breach without a sensor (the device's own alarm, silence) is named by what its order is about.
    fault = find_fault(view, profiles, cards.model, order.fault_group)
    evidence = find_evidence(view, shown, profile, zone) if shown is not None else None
    close_out = find_close_out(view, order) if order.close_out else []
    return view.render(
        "work_order.html",
        status,
        problem=problem,
        order=find_head(view, order, cards, profiles, zone),
        acts=find_acts(view, order, cards, assignees, typed),
        decisions=[
            {
                "what": view.name("decision", d.decision),
                "sentence": view.name("reason", d.reason),
                "at": view.when(d.decided_at, zone),
            }
            for d in reversed(decisions)
            if d.decision != "NOTHING" and d.work_order_code == code
        ],
        breaches=[
            {
                "id": b.id,
                "label": f"{len(breaches) - place} {_name_sensor(view, profile, b.sensor) or fault}",
                "shown": shown is not None and b.id == shown.id,
            }
            for place, b in list(enumerate(breaches))[::-1]
        ][-12:],
        breach_sentence=find_sentence(view, shown.reason_code, shown.params) if shown and len(breaches) > 1 else None,
        evidence=evidence,
        strip=load_strip(view, pool, shown, profile),
        limit_words=view.t("list.comma").join(
            limit.label for chart in (evidence.charts if evidence else []) for limit in chart.limits
        ),
        contributions=evidence.contributions if evidence else [],
        trust=find_trust_facts(view, shown, evidence, profile) if shown else [],
        similar=find_similar(view, similar),
        device={
            "serial": cards.serial,
            "connectivity": cards.connectivity,
            "lifecycle": cards.lifecycle,
            "facts": find_device_facts(view, cards),
        }
        if cards.serial
        else None,
        customer={"name": cards.customer_name, "facts": find_customer_facts(view, cards, order.region)}
        if cards.customer_name
        else None,
        close_out=close_out,
        timeline=find_timeline(view, entries, zone),
        may_note=view.may(Permission.WORK_ORDER_NOTE),
        typed_note=typed_note,
        sections=sections,
        section=section,
        signatures=find_signatures(view, [SignatureShape.model_validate(s) for s in signatures], zone),
        related=find_related(view, order, cards, refused),
        undo=find_undo(view, order),
        outbox=find_script_words(view),
        once=make_once,
    )


def _load_assignees(view: View, conn: Connection, order: WorkOrder, model: str | None) -> Assignees:
    """Who may be given the order; nobody where no step asks for it."""
    if not asks_for_assignee(order.state):
        return Assignees()
    work = Work(model, order.region, order.fault_group)
    book = load_assignment_book(conn, [work], view.now)
    return Assignees(tuple((one.name, one.full_name) for one in book.find_able(work)), book.find_best(work))


def _mask(view: View, row: Row) -> Row:
    return mask_row("work_order", row, view.person.permissions)


def find_shown(breaches: list[LinkedBreach], wanted: str) -> LinkedBreach | None:
    """The breach asked for; else the earliest one with readings to draw; else the one that opened the order."""
    drawn = [b for b in breaches if any(series.get("points") for series in (b.evidence or {}).get("series", []))]
    asked = next((b for b in breaches if str(b.id) == wanted), None)
    first = drawn or breaches
    return asked or (first[-1] if first else None)


def _name_sensor(view: View, profile: Profile | None, sensor: str | None) -> str:
    found = profile.find_sensor(sensor) if profile and sensor else None
    if found is None:
        return sensor or ""
    return found.label.zh if view.language == "zh" else found.label.en
