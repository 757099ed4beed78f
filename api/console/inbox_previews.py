"""What a row of the inbox has no room for: the whole sentence, device and customer, other orders of the device."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.facts import find_customer_facts, find_device_facts
from api.console.inbox_suggestions import find_work, load_book
from api.console.order_rows import find_row
from api.console.page import View, find_view
from api.routes.work_orders import find_row as find_own_row
from api.state import Database
from domain.assignment import explain_suggestion
from domain.masking import mask_row
from domain.roles import Permission
from store.pool import Connection
from store.profiles import load_profiles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import WorkOrderRow, load_work_order_page
from store.work_order_pages import load_order_cards

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]
RELATED = 8


@router.get("/inbox/preview/{code}")
def show_preview(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """What a row has no room for, as a part of the page: the whole sentence, device, customer, other open orders."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        row = mask_row("work_order", find_own_row(conn, code, caller), caller.permissions)
        cards = load_order_cards(conn, row.id)
        assert cards is not None
        related = _load_related(view, conn, row)
        book = load_book(view, conn, [row])
        profiles = load_profiles(conn)
    best = book.find_best(find_work(row)) if book is not None and row.assignee_name is None else None
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
