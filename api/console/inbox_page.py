"""The inbox: what somebody must decide now, and the decisions that are taken from the list itself."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.auth import Caller, require
from api.console.capa_views import load_proposals
from api.console.facts import find_customer_facts, find_device_facts
from api.console.filters import Filter, find_choice
from api.console.inbox_acts import SHELVE_HOURS, Picked, Said, Wish, decide, find_problem, take_back
from api.console.inbox_wanted import ROWS, SORTS, find_wanted
from api.console.instants import name_duration
from api.console.order_rows import find_fault, find_row
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.console.saved_view_pages import find_opening, load_menu
from api.routes.work_orders import find_row as find_own_row
from api.state import Database, find_state
from domain.assignment import Work, explain_suggestion
from domain.masking import mask_row
from domain.profile import Profile
from domain.roles import Permission
from domain.saved_view import ViewPage
from domain.tickets import Priority
from store.assignments import AssignmentBook, load_assignment_book
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import (
    MAX_LIMIT,
    OrderFacet,
    WorkOrderPage,
    WorkOrderRow,
    count_work_orders,
    load_order_facets,
    load_work_order_page,
)
from store.work_order_pages import load_order_cards

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
GROUPS = ("device", "firmware")
RELATED = 8
CHOICES = ("fault", "model", "firmware", "customer", "region")  # that depend on what is in the inbox
CHOICES_LAST = timedelta(seconds=10)
# What the address keeps when something was decided.
KEPT = ("priority", "fault", "model", "firmware", "customer", "region", "owner", "data", "sort", "group", "cursor")


@router.get("/inbox")
def show_inbox(request: Request, pool: Database, caller: Reader) -> Response:
    """The inbox with its filters, which stand in the address."""
    return _render(find_view(request, caller), pool, query=dict(request.query_params), opens=True)


@router.get("/inbox/preview/{code}")
def show_preview(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """What a row has no room for, as a part of the page: the whole sentence, device, customer, other open orders."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        row = mask_row("work_order", find_own_row(conn, code, caller), caller.permissions)
        cards = load_order_cards(conn, row.id)
        assert cards is not None
        related = _load_related(view, conn, row)
        book = _load_book(view, conn, [row])
        profiles = load_profiles(conn)
    best = book.find_best(_find_work(row)) if book is not None and row.assignee_name is None else None
    return view.render(
        "parts/inbox_preview.html",
        row=find_row(view, row, profiles),
        device=find_device_facts(view, cards),
        customer=find_customer_facts(view, cards, row.region),
        customer_name=row.customer_name or "",
        serial=row.serial or "",
        suggested=best.full_name if best else "",
        why=explain_suggestion(best.reasons, view.language) if best else "",
        related=[find_row(view, mask_row("work_order", r, caller.permissions), profiles) for r in related],
    )


@router.get("/inbox/related/{code}")
def show_related(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """The open orders of the same device, to be chosen from, as a part of the page."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        related = _load_related(view, conn, find_own_row(conn, code, caller))
        profiles = load_profiles(conn)
    rows = [find_row(view, mask_row("work_order", row, caller.permissions), profiles) for row in related]
    return view.render("parts/inbox_related.html", code=code, rows=rows)


def _load_related(view: View, conn: Connection, row: WorkOrderRow) -> list[WorkOrderRow]:
    if row.serial is None:
        return []
    wanted = WorkOrderFilter(serial=row.serial, open_only=True, customer_id=view.person.customer_id)
    page = load_work_order_page(conn, wanted, sort="created", limit=RELATED + 1)
    return [found for found in page.rows if found.code != row.code][:RELATED]


def _render(
    view: View,
    pool: Pool,
    *,
    query: Mapping[str, str],
    results: tuple[str, ...] = (),
    picked: frozenset[str] = frozenset(),
    typed: Wish | None = None,
    status: int = 200,
    opens: bool = False,
) -> Response:
    sort = find_choice(query.get("sort", ""), SORTS) or "sla"
    group = find_choice(query.get("group", ""), GROUPS)
    with pool.connection() as conn:
        views = load_menu(view, conn, ViewPage.INBOX)
        if opens and (opening := find_opening(view, views)) is not None:
            return opening
        profiles = load_profiles(conn)
        filters = _load_filters(view, conn, profiles, query)
        # Whose they are is asked for by who may read the staff's names.
        owner = query.get("owner", "") if view.may(Permission.STAFF_READ) else ""
        chosen = {f.name: f.value for f in filters}
        wanted = find_wanted(view, chosen | {"owner": owner})
        page = _load_page(conn, wanted, SORTS[sort], query.get("cursor", ""))
        total = count_work_orders(conn, wanted) if page.next_cursor or query.get("cursor") else len(page.rows)
        proposals = load_proposals(view, conn, profiles)
        book = _load_book(view, conn, page.rows)
        proof = load_proof(view, conn) if not page.rows else ""
    people = sorted(book.technicians, key=lambda one: (one.full_name, one.name)) if book else []
    if people or owner:
        names = {one.name: one.full_name for one in people} | (
            {} if owner in {p.name for p in people} else {owner: owner}
        )
        options = sorted(((name, label) for name, label in names.items() if name), key=lambda o: o[1])
        filters.append(Filter("owner", view.t("column.owner"), owner, options))
        chosen["owner"] = owner
    shown = [mask_row("work_order", row, view.person.permissions) for row in page.rows]
    rows = [_with_owner(view, find_row(view, row, profiles), row, book) for row in shown]
    kept = {name: value for name, value in chosen.items() if value}
    kept |= {"sort": sort} if sort != "sla" else {}
    kept |= {"group": group} if group else {}
    return view.render(
        "inbox.html",
        status,
        groups=_find_groups(view, rows, shown, group),
        count=len(rows),
        total=total,
        proposals=proposals,
        views=views,
        filters=filters,
        filtered=any(chosen.values()),
        sort=sort,
        group=group,
        people=Filter("assignee", "", (typed or Wish("")).assignee, [(one.name, one.full_name) for one in people]),
        action=view.link("/inbox/actions", **kept, cursor=query.get("cursor", "")),
        versions=view.link("/inbox/versions", **kept, cursor=query.get("cursor", "")),
        everything=min(total, MAX_LIMIT),
        older=view.link("/inbox", **kept, cursor=page.next_cursor) if page.next_cursor else None,
        results=results,
        results_refused=status != 200,
        picked=picked,
        typed=typed or Wish(""),
        proof=proof,
        may_accept=view.may(Permission.WORK_ORDER_TRIAGE) and view.may(Permission.WORK_ORDER_ASSIGN),
        may_cancel=view.may(Permission.WORK_ORDER_CANCEL),
        may_link=view.may(Permission.WORK_ORDER_MERGE),
        may_shelve=view.may(Permission.DEVICE_SHELVE),
        shelve_spans=[(hours, name_duration(timedelta(hours=hours), view.language)) for hours in SHELVE_HOURS],
    )


def _find_groups(
    view: View, rows: list[dict[str, Any]], orders: list[WorkOrderRow], group: str
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows under what they have in common, in the order in which each is met first; ungrouped without a title."""
    if not group:
        return [("", rows)] if rows else []
    groups: dict[str, list[dict[str, Any]]] = {}
    for line, order in zip(rows, orders, strict=True):
        if group == "device":
            title = order.serial or order.gateway or order.site_name or view.t("inbox.group_none")
        elif order.firmware:
            title = f"{order.model} · {view.t('fact.firmware')} {order.firmware}"
        else:
            title = order.model or view.t("inbox.group_none")
        groups.setdefault(title, []).append(line)
    return list(groups.items())


def _load_page(conn: Connection, wanted: WorkOrderFilter, sort: str, cursor: str) -> WorkOrderPage:
    try:
        return load_work_order_page(conn, wanted, sort=sort, cursor=cursor or None, limit=ROWS)
    except ValueError:  # a cursor of another sort or version: the first page
        return load_work_order_page(conn, wanted, sort=sort, limit=ROWS)


def _load_filters(
    view: View, conn: Connection, profiles: Mapping[str, Profile], query: Mapping[str, str]
) -> list[Filter]:
    """The choices of a moment ago, so that they are not gathered from hundreds of orders at every look; those of now
    where the address has another one: an order that came since is found by what it is about."""
    asked = {name: query.get(name, "") for name in CHOICES}
    customer_id = view.person.customer_id
    for anew in (False, True):
        _, rows = find_state(view.request).recent.find(
            ("inbox choices", customer_id),
            lambda: load_order_facets(conn, find_wanted(view)),
            at=view.now,
            lasts=CHOICES_LAST,
            anew=anew,
        )
        filters = _find_filters(view, profiles, rows, query)
        if all(one.value == asked.get(one.name, one.value) for one in filters):
            break
    return filters


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
        ("region", view.t("inbox.region"), {row.region: row.region for row in rows if row.region}),
        ("data", view.t("inbox.data"), {"gap": view.t("inbox.data_gap")}),
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


def _with_owner(view: View, shown: object, row: WorkOrderRow, book: AssignmentBook | None) -> dict[str, Any]:
    line: dict[str, Any] = {name: getattr(shown, name) for name in shown.__slots__}  # type: ignore[attr-defined]
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
    caller: Reader,
    action: Annotated[str, Form(max_length=20)] = "",
    order: Annotated[list[str] | None, Form()] = None,
    everything: Annotated[str, Form(max_length=1)] = "",
    assignee: Annotated[str, Form(max_length=64)] = "",
    shelve_reason: Annotated[str, Form(max_length=500)] = "",
    shelve_hours: Annotated[int, Form(ge=1, le=168)] = 8,
    link: Annotated[str, Form(max_length=40)] = "",
    link_code: Annotated[str, Form(max_length=40)] = "",
    link_reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Does one thing to each ticked order, each in its own transaction, and says what became of each."""
    view = find_view(request, caller)
    query = dict(request.query_params)
    reason = link_reason if action == "link" else shelve_reason
    wish = Wish(action, assignee, reason.strip(), shelve_hours, (link_code.strip() or link).upper())
    picked = _load_everything(view, pool, query) if everything else [_read_picked(v) for v in (order or [])[:MAX_LIMIT]]
    problem = find_problem(view, wish) if picked else view.t("inbox.none_picked")
    if problem:
        codes = frozenset(one.code for one in picked)
        return _answer(view, pool, query, [], problem=problem, picked=codes, typed=wish, status=422)
    said = [decide(view, pool, one, wish) for one in picked]
    left = frozenset(one.code for one in said if not one.is_done)
    status = 200
    if left:
        status = 412 if all(one.is_conflict for one in said if not one.is_done) else 409
    return _answer(view, pool, query, said, picked=left, typed=wish, status=status)


@router.post("/inbox/undo")
def take_undo(
    request: Request,
    pool: Database,
    caller: Reader,
    undo: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Takes decisions back where the life-cycle has a step for it."""
    view = find_view(request, caller)
    said = [take_back(view, pool, token[:80]) for token in (undo or [])[:MAX_LIMIT]]
    status = 200 if said and all(one.is_done for one in said) else 409
    return _answer(view, pool, dict(request.query_params), said, status=status)


def _answer(
    view: View,
    pool: Pool,
    query: Mapping[str, str],
    said: list[Said],
    *,
    problem: str = "",
    picked: frozenset[str] = frozenset(),
    typed: Wish | None = None,
    status: int = 200,
) -> Response:
    """To the page's own script as JSON, so that rows stay where they are; without one as the page."""
    done = sum(one.is_done for one in said)
    if "application/json" in view.request.headers.get("accept", ""):
        text = problem or (view.t("done.inbox", n=done) if done else "")
        return JSONResponse({"text": text, "done": done, "results": [asdict(one) for one in said]}, status)
    if status == 200:
        kept = {name: query[name] for name in KEPT if query.get(name)}
        return RedirectResponse(view.link("/inbox", **kept, done="inbox", n=done), 303)
    results = (problem,) if problem else tuple(one.text for one in said)
    return _render(view, pool, query=query, results=results, picked=picked, typed=typed, status=status)


def _load_everything(view: View, pool: Pool, query: Mapping[str, str]) -> list[Picked]:
    """All orders that the filters of the address let through, those that are due first; at most `MAX_LIMIT`."""
    with pool.connection() as conn:
        filters = _find_filters(view, load_profiles(conn), load_order_facets(conn, find_wanted(view)), query)
        if any(query.get(f.name, "") != f.value for f in filters):
            return []  # what was filtered by is not there any more: that must not become everything
        owner = query.get("owner", "") if view.may(Permission.STAFF_READ) else ""
        wanted = find_wanted(view, {f.name: f.value for f in filters} | {"owner": owner})
        page = load_work_order_page(conn, wanted, limit=MAX_LIMIT)
    return [Picked(row.code, row.row_version) for row in page.rows]


def _read_picked(value: str) -> Picked:
    code, _, version = value.partition(":")
    return Picked(code, int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None)
