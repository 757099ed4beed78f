"""The inbox: what somebody must decide now, and the three decisions that are taken from the list itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.capa_views import find_proposals
from api.console.filters import Filter, find_choice
from api.console.instants import name_duration
from api.console.order_rows import find_fault, find_row
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.once import change
from api.state import Database
from domain.assignment import Suggestion, Work, explain_suggestion
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.masking import mask_row
from domain.profile import Profile
from domain.roles import Permission
from domain.tickets import Priority
from domain.work_order import TransitionRequest, WorkOrderState, find_permissions_for
from store.assignments import AssignmentBook, load_assignment_book
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.shelvings import record_shelving
from store.technicians import load_technicians
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import (
    OrderFacet,
    WorkOrderPage,
    WorkOrderRow,
    load_order_facets,
    load_work_order_page,
)
from store.work_order_pages import load_order_cards
from store.work_order_transitions import record_acknowledgement, record_transition
from store.work_orders import load_work_order

router = APIRouter(include_in_schema=False)
SORTS = {"sla": "due", "priority": "priority", "seen": "last_seen"}
ROWS = 50
SHELVE_HOURS = (1, 4, 8, 24, 72, 168)
_S = WorkOrderState


@dataclass(frozen=True, slots=True)
class Picked:
    """One ticked row: the order as the person saw it."""

    code: str
    row_version: int | None


@router.get("/inbox")
def show_inbox(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    sort: str = "sla",
    cursor: str = "",
) -> Response:
    """The inbox with its filters, which stand in the address."""
    return _render(find_view(request, caller), pool, sort=sort, cursor=cursor, query=dict(request.query_params))


def _render(
    view: View,
    pool: Pool,
    *,
    sort: str = "sla",
    cursor: str = "",
    query: Mapping[str, str],
    results: tuple[str, ...] = (),
    picked: frozenset[str] = frozenset(),
    status: int = 200,
) -> Response:
    sort = sort if sort in SORTS else "sla"
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        filters = _find_filters(view, profiles, load_order_facets(conn, _find_wanted(view)), query)
        chosen = {f.name: f.value for f in filters}
        page = _load_page(conn, _find_wanted(view, chosen), SORTS[sort], cursor)
        technicians = load_technicians(conn, view.now.date()) if view.may(Permission.STAFF_READ) else []
        proposals = find_proposals(view, conn, profiles) if view.may(Permission.CAPA_READ) else []
        book = _load_book(view, conn, page.rows)
        proof = load_proof(view, conn) if not page.rows else ""
    shown = [mask_row("work_order", row, view.person.permissions) for row in page.rows]
    rows = [_with_owner(view, find_row(view, row, profiles), row, book) for row in shown]
    return view.render(
        "inbox.html",
        status,
        rows=rows,
        proposals=proposals,
        filters=filters,
        filtered=any(chosen.values()),
        sort=sort,
        people=technicians,
        older=view.link("/inbox", sort=sort, cursor=page.next_cursor, **chosen) if page.next_cursor else None,
        results=results,
        results_refused=status != 200,
        picked=picked,
        proof=proof,
        may_accept=view.may(Permission.WORK_ORDER_TRIAGE) and view.may(Permission.WORK_ORDER_ASSIGN),
        may_cancel=view.may(Permission.WORK_ORDER_CANCEL),
        may_shelve=view.may(Permission.DEVICE_SHELVE),
        shelve_spans=[(hours, name_duration(timedelta(hours=hours), view.language)) for hours in SHELVE_HOURS],
    )


def _find_wanted(view: View, chosen: Mapping[str, str] | None = None) -> WorkOrderFilter:
    values = chosen or {}

    def one(name: str) -> tuple[str, ...]:
        return (values[name],) if values.get(name) else ()

    return WorkOrderFilter(
        inbox_only=True,
        customer_id=view.person.customer_id,
        priorities=one("priority"),
        fault_groups=one("fault"),
        models=one("model"),
        firmwares=one("firmware"),
        customer_codes=one("customer"),
    )


def _load_page(conn: Connection, wanted: WorkOrderFilter, sort: str, cursor: str) -> WorkOrderPage:
    try:
        return load_work_order_page(conn, wanted, sort=sort, cursor=cursor or None, limit=ROWS)
    except ValueError:  # a cursor of another sort or version: the first page
        return load_work_order_page(conn, wanted, sort=sort, limit=ROWS)


def _find_filters(
    view: View, profiles: Mapping[str, Profile], rows: list[OrderFacet], query: Mapping[str, str]
) -> list[Filter]:
    """Only what is there to be chosen is offered."""
    faults = {row.fault_group: find_fault(view, profiles, row.model, row.fault_group) for row in rows}
    offered: list[tuple[str, str, dict[str, str]]] = [
        (
            "priority",
            view.t("column.priority"),
            {p.value: f"{p.value} {view.name('priority', p.value)}" for p in Priority},
        ),
        ("fault", view.t("column.reason"), faults),
        ("model", view.t("column.model"), {row.model: row.model for row in rows if row.model}),
        ("firmware", view.t("column.firmware"), {row.firmware: row.firmware for row in rows if row.firmware}),
        (
            "customer",
            view.t("column.customer"),
            {row.customer_code: row.customer_name or row.customer_code for row in rows if row.customer_code},
        ),
    ]
    return [
        Filter(name, label, find_choice(query.get(name, ""), options), sorted(options.items(), key=lambda o: o[1]))
        for name, label, options in offered
    ]


def _find_work(row: WorkOrderRow) -> Work:
    return Work(row.model, row.region, row.fault_group)


def _load_book(view: View, conn: Connection, rows: list[WorkOrderRow]) -> AssignmentBook | None:
    if not view.may(Permission.STAFF_READ) or not rows:
        return None
    return load_assignment_book(conn, [_find_work(row) for row in rows], view.now)


def _with_owner(view: View, shown: object, row: WorkOrderRow, book: AssignmentBook | None) -> dict[str, object]:
    line = {name: getattr(shown, name) for name in shown.__slots__}  # type: ignore[attr-defined]
    line["owner_why"] = ""
    if row.assignee_name is None and book is not None:
        suggested = book.find_best(_find_work(row))
        line["owner"] = view.t("inbox.suggest", name=suggested.full_name) if suggested else None
        line["owner_why"] = explain_suggestion(suggested.reasons, view.language) if suggested else ""
    return line


@router.post("/inbox/actions")
def take_inbox_action(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    action: Annotated[str, Form(max_length=20)] = "",
    order: Annotated[list[str] | None, Form()] = None,
    assignee: Annotated[str, Form(max_length=64)] = "",
    shelve_reason: Annotated[str, Form(max_length=500)] = "",
    shelve_hours: Annotated[int, Form(ge=1, le=168)] = 8,
) -> Response:
    """Does one thing to each ticked order, each in its own transaction, and says what became of each."""
    view = find_view(request, caller)
    picked = [_read_picked(value) for value in (order or [])[:500]]
    if not picked:
        return _render(view, pool, query={}, results=(view.t("inbox.none_picked"),), status=422)
    steps: dict[str, Callable[[Connection, Picked], str]] = {
        "accept": lambda conn, one: _accept(view, conn, one, assignee),
        "false_alarm": lambda conn, one: _cancel(view, conn, one),
        "shelve": lambda conn, one: _shelve(view, conn, one, shelve_reason.strip(), shelve_hours),
    }
    if action not in steps or (action == "shelve" and not shelve_reason.strip()):
        return _render(view, pool, query={}, results=(view.t("guard.reason_missing"),), status=422)

    def take(one: Picked, conn: Connection) -> str:
        return steps[action](conn, one)

    said: list[str] = []
    left: set[str] = set()
    for one in picked:
        try:
            said.append(change(pool, partial(take, one)))
        except GuardRefusedError as refused:
            said.append(view.t("inbox.refused", code=one.code, why=view.name("guard", refused.guard)))
            left.add(one.code)
        except RowVersionConflictError:
            said.append(view.t("inbox.refused", code=one.code, why=view.t("problem.conflict")))
            left.add(one.code)
        except NotFoundError:
            said.append(view.t("inbox.refused", code=one.code, why=view.t("problem.not_found")))
    if not left:
        return RedirectResponse(view.link("/inbox", done="inbox", n=len(picked)), 303)
    return _render(view, pool, query={}, results=tuple(said), picked=frozenset(left), status=409)


def _read_picked(value: str) -> Picked:
    code, _, version = value.partition(":")
    return Picked(code, int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None)


def _accept(view: View, conn: Connection, one: Picked, assignee: str) -> str:
    order = load_work_order(conn, one.code)
    if order is None:
        raise NotFoundError(one.code)
    if order.state not in (_S.NEW, _S.TRIAGED):
        # It was raised or came back while somebody works on it: he has seen it, and it leaves the inbox.
        actor = find_actor(view.person, (Permission.WORK_ORDER_TRIAGE,))
        record_acknowledgement(conn, actor, one.code, expected_row_version=one.row_version, now=view.now)
        return view.t("inbox.accepted", code=one.code, name=view.name("state", order.state))
    cards = load_order_cards(conn, order.id)
    work = Work(cards.model if cards else None, order.region, order.fault_group)
    fit = load_assignment_book(conn, [work], view.now).find(work)
    chosen = _choose(conn, view, fit, assignee)
    if chosen is None:
        raise GuardRefusedError("assignee_missing", one.code)
    version = one.row_version
    if order.state is _S.NEW:
        actor = find_actor(view.person, find_permissions_for(_S.NEW, _S.TRIAGED))
        triaged = record_transition(
            conn, actor, one.code, TransitionRequest(_S.TRIAGED), expected_row_version=version, now=view.now
        )
        version = triaged.row_version
    actor = find_actor(view.person, find_permissions_for(_S.TRIAGED, _S.ASSIGNED))
    user_id, full_name = chosen
    wish = TransitionRequest(_S.ASSIGNED, assignee_id=user_id)
    record_transition(conn, actor, one.code, wish, expected_row_version=version, now=view.now)
    return view.t("inbox.accepted", code=one.code, name=full_name)


def _choose(conn: Connection, view: View, fit: list[Suggestion], assignee: str) -> tuple[int, str] | None:
    """(id, name) of the technician that was asked for, else of the best fit. Whether he may is the guard's to say."""
    if not assignee:
        return (fit[0].user_id, fit[0].full_name) if fit else None
    known = (t for t in load_technicians(conn, view.now.date()) if t.name == assignee)
    return next(((t.id, t.full_name) for t in known), None)


def _cancel(view: View, conn: Connection, one: Picked) -> str:
    actor = find_actor(view.person, (Permission.WORK_ORDER_CANCEL,))
    wish = TransitionRequest(_S.CANCELLED, reason=view.t("inbox.false_alarm_reason"))
    record_transition(conn, actor, one.code, wish, expected_row_version=one.row_version, now=view.now)
    return view.t("inbox.cancelled", code=one.code)


def _shelve(view: View, conn: Connection, one: Picked, reason: str, hours: int) -> str:
    order = load_work_order(conn, one.code)
    cards = load_order_cards(conn, order.id) if order else None
    if order is None or cards is None:
        raise NotFoundError(one.code)
    if cards.serial is None:
        raise GuardRefusedError("cannot_shelve", one.code)
    actor = find_actor(view.person, (Permission.DEVICE_SHELVE,))
    until = view.now + timedelta(hours=hours)
    if order.state in (_S.NEW, _S.TRIAGED):
        # A shelved fault needs nobody now; the order would only stand in the way of those that do.
        cancel = find_actor(view.person, (Permission.WORK_ORDER_CANCEL,))
        wish = TransitionRequest(_S.CANCELLED, reason=reason)
        record_transition(conn, cancel, one.code, wish, expected_row_version=one.row_version, now=view.now)
    record_shelving(conn, actor, cards.serial, fault_group=order.fault_group, reason=reason, until=until, now=view.now)
    span = name_duration(timedelta(hours=hours), view.language)
    return view.t("inbox.shelved", code=one.code, serial=cards.serial, span=span)
