"""The inbox: what somebody must decide now, with its filters, which stand in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.capa_views import load_proposals
from api.console.filters import Filter, find_choice
from api.console.inbox_acts import SHELVE_HOURS, Wish
from api.console.inbox_choices import load_filters
from api.console.inbox_suggestions import find_line, load_book
from api.console.inbox_wanted import ROWS, SORTS, find_wanted
from api.console.instants import name_duration
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.console.saved_view_pages import find_opening, load_menu
from api.state import Database
from domain.masking import mask_row
from domain.profile import Profile
from domain.roles import Permission
from domain.saved_view import ViewPage
from store.assignments import AssignmentBook, TechnicianFacts
from store.pool import Connection, Pool
from store.profiles import load_profiles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import (
    MAX_LIMIT,
    WorkOrderPage,
    WorkOrderRow,
    count_work_orders,
    load_work_order_page,
)

router = APIRouter(include_in_schema=False)
GROUPS = ("device", "firmware")


@router.get("/inbox")
def show_inbox(
    request: Request, pool: Database, caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)]
) -> Response:
    """The inbox as the address asks for it."""
    return render_inbox(find_view(request, caller), pool, query=dict(request.query_params), opens=True)


def render_inbox(
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
    """The page; `opens`: the person's default view takes the place of the bare address. After a step it says what
    became of it (`results`) and keeps what was ticked (`picked`) and typed."""
    typed = typed or Wish("")
    sort = find_choice(query.get("sort", ""), SORTS) or "sla"
    group = find_choice(query.get("group", ""), GROUPS)
    with pool.connection() as conn:
        views = load_menu(view, conn, ViewPage.INBOX)
        if opens and (opening := find_opening(view, views)) is not None:
            return opening
        profiles = load_profiles(conn)
        found = _load_found(view, conn, profiles, query, sort)
        proposals = load_proposals(view, conn, profiles)
        proof = load_proof(view, conn) if not found.orders else ""
    rows = [find_line(view, row, profiles, found.book) for row in found.orders]
    kept = {f.name: f.value for f in found.filters if f.value}
    is_filtered, total = bool(kept), found.total
    kept |= {"sort": sort} if sort != "sla" else {}
    kept |= {"group": group} if group else {}
    return view.render(
        "inbox.html",
        status,
        groups=_find_groups(view, rows, found.orders, group),
        count=len(rows),
        total=total,
        proposals=proposals,
        views=views,
        filters=found.filters,
        filtered=is_filtered,
        sort=sort,
        group=group,
        people=Filter("assignee", "", typed.assignee, [(one.name, one.full_name) for one in found.people]),
        action=view.link("/inbox/actions", **kept, cursor=query.get("cursor", "")),
        versions=view.link("/inbox/versions", **kept, cursor=query.get("cursor", "")),
        everything=min(total, MAX_LIMIT),
        older=view.link("/inbox", **kept, cursor=found.next_cursor) if found.next_cursor else None,
        results=results,
        results_refused=status != 200,
        picked=picked,
        typed=typed,
        proof=proof,
        may_accept=view.may(Permission.WORK_ORDER_TRIAGE) and view.may(Permission.WORK_ORDER_ASSIGN),
        may_cancel=view.may(Permission.WORK_ORDER_CANCEL),
        may_link=view.may(Permission.WORK_ORDER_MERGE),
        may_shelve=view.may(Permission.DEVICE_SHELVE),
        shelve_spans=[(hours, name_duration(timedelta(hours=hours), view.language)) for hours in SHELVE_HOURS],
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the address asks for: its orders as this person may see them, and by what they are filtered and assigned."""

    filters: list[Filter]
    orders: list[WorkOrderRow]
    next_cursor: str | None
    total: int
    book: AssignmentBook | None
    people: list[TechnicianFacts]  # who work may be given to, by name


def _load_found(
    view: View, conn: Connection, profiles: Mapping[str, Profile], query: Mapping[str, str], sort: str
) -> _Found:
    filters = load_filters(view, conn, profiles, query)
    # Whose they are is asked for by who may read the staff's names.
    owner = query.get("owner", "") if view.may(Permission.STAFF_READ) else ""
    wanted = find_wanted(view, {f.name: f.value for f in filters} | {"owner": owner})
    page = _load_page(conn, wanted, SORTS[sort], query.get("cursor", ""))
    total = count_work_orders(conn, wanted) if page.next_cursor or query.get("cursor") else len(page.rows)
    book = load_book(view, conn, page.rows)
    people = sorted(book.technicians, key=lambda one: (one.full_name, one.name)) if book else []
    if people or owner:
        # An owner who is no technician is still what the list is filtered by.
        names = ({owner: owner} if owner else {}) | {one.name: one.full_name for one in people}
        filters = [*filters, Filter("owner", view.t("column.owner"), owner, sorted(names.items(), key=lambda o: o[1]))]
    shown = [mask_row("work_order", row, view.person.permissions) for row in page.rows]
    return _Found(filters, shown, page.next_cursor, total, book, people)


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
