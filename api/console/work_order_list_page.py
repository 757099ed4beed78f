"""All work orders: what is open, whose it is, what is late."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.filters import Filter, find_choice
from api.console.order_rows import find_row
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.console.saved_view_pages import find_opening, load_menu
from api.state import Database
from domain.masking import mask_row
from domain.roles import Permission
from domain.saved_view import ViewPage
from domain.tickets import Priority
from domain.work_order import WorkOrderState
from store.profiles import load_profiles
from store.technicians import load_technicians
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_page

router = APIRouter(include_in_schema=False)
ROWS = 50
SORTS = ("due", "priority", "last_seen", "created")


@router.get("/work-orders")
def show_work_orders(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.WORK_ORDER_READ)],
    state: str = "",
    priority: str = "",
    owner: str = "",
    sort: str = "due",
    cursor: str = "",
) -> Response:
    """The list with its filters; open orders unless a state is asked for."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        views = load_menu(view, conn, ViewPage.WORK_ORDERS)
        if (opening := find_opening(view, views)) is not None:
            return opening
        profiles = load_profiles(conn)
        technicians = load_technicians(conn, view.now.date()) if view.may(Permission.STAFF_READ) else []
        people = [(t.name, t.full_name) for t in technicians]
        if caller.user_id is not None and caller.name not in dict(people):
            people.insert(0, (caller.name, view.t("work_orders.mine")))
        state = find_choice(state, [s.value for s in WorkOrderState])
        priority = find_choice(priority, [p.value for p in Priority])
        owner = find_choice(owner, dict(people))
        sort = find_choice(sort, SORTS) or "due"
        wanted = WorkOrderFilter(
            states=(state,) if state else (),
            priorities=(priority,) if priority else (),
            assignee=owner,
            open_only=not state,
            customer_id=caller.customer_id,
        )
        try:
            page = load_work_order_page(conn, wanted, sort=sort, cursor=cursor or None, limit=ROWS, with_total=True)
        except ValueError:  # a cursor of another list: back to its first page
            return RedirectResponse("/work-orders?view=all", 303)
        proof = load_proof(view, conn) if not page.rows else ""
    chosen = {"state": state, "priority": priority, "owner": owner, "sort": "" if sort == "due" else sort}
    return view.render(
        "work_orders.html",
        rows=[find_row(view, mask_row("work_order", row, caller.permissions), profiles) for row in page.rows],
        total=page.total,
        views=views,
        filters=_find_filters(view, people, chosen),
        filtered=any(chosen.values()),
        older=view.link("/work-orders", cursor=page.next_cursor, **chosen) if page.next_cursor else None,
        proof=proof,
    )


def _find_filters(view: View, people: list[tuple[str, str]], chosen: dict[str, str]) -> list[Filter]:
    everything = view.t("list.all")
    states = [(s.value, view.name("state", s.value)) for s in WorkOrderState]
    priorities = [(p.value, f"{p.value} {view.name('priority', p.value)}") for p in Priority]
    sorts = [(s, view.t(f"work_orders.sort_{s}")) for s in SORTS[1:]]
    return [
        Filter("state", view.t("column.state"), chosen["state"], states, view.t("work_orders.all_open")),
        Filter("priority", view.t("column.priority"), chosen["priority"], priorities, everything),
        Filter("owner", view.t("column.owner"), chosen["owner"], people, everything),
        Filter("sort", view.t("list.sort"), chosen["sort"], sorts, view.t("inbox.sort_sla")),
    ]
