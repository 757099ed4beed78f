"""The inbox: what somebody must decide now, with its filters, which stand in the address."""

from collections.abc import Mapping
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
from domain.roles import Permission
from domain.saved_view import ViewPage
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
    sort = find_choice(query.get("sort", ""), SORTS) or "sla"
    group = find_choice(query.get("group", ""), GROUPS)
    with pool.connection() as conn:
        views = load_menu(view, conn, ViewPage.INBOX)
        if opens and (opening := find_opening(view, views)) is not None:
            return opening
        profiles = load_profiles(conn)
        filters = load_filters(view, conn, profiles, query)
        # Whose they are is asked for by who may read the staff's names.
        owner = query.get("owner", "") if view.may(Permission.STAFF_READ) else ""
        chosen = {f.name: f.value for f in filters}
        wanted = find_wanted(view, chosen | {"owner": owner})
        page = _load_page(conn, wanted, SORTS[sort], query.get("cursor", ""))
        total = count_work_orders(conn, wanted) if page.next_cursor or query.get("cursor") else len(page.rows)
        proposals = load_proposals(view, conn, profiles)
        book = load_book(view, conn, page.rows)
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
    rows = [find_line(view, row, profiles, book) for row in shown]
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
