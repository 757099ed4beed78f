"""A technician's jobs in the order in which to go to them, and how to reach whoever waits there."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from api.console.order_rows import OrderRow, find_row
from api.console.page import View
from domain.masking import mask_row
from domain.profile import Profile
from domain.roles import Permission
from domain.work_order import WorkOrderState
from store.work_order_lists import WorkOrderRow
from store.work_order_pages import OrderCards

# Who is at work there goes on there; what waits for parts or people comes last.
GROUPS = ("now", "today", "later", "waiting", "done")


def group_jobs(view: View, rows: Iterable[WorkOrderRow], profiles: Mapping[str, Profile]) -> list[dict[str, Any]]:
    """The jobs by group; within each by what is due first, then by priority. Empty groups are left out."""
    found: dict[str, list[tuple[Any, OrderRow]]] = {name: [] for name in GROUPS}
    for row in rows:
        line = find_row(view, mask_row("work_order", row, view.person.permissions), profiles)
        key = (row.next_due_at is None, row.next_due_at or view.now, row.priority, row.code)
        found[find_group(view, row)].append((key, line))
    return [
        {
            "name": name,
            "title": view.t(f"my.{name}"),
            "jobs": [line for _, line in sorted(jobs, key=lambda job: job[0])],
        }
        for name, jobs in found.items()
        if jobs
    ]


def find_group(view: View, row: WorkOrderRow) -> str:
    """Where a job stands: today are those that are due until the day of their place is over, or have no clock."""
    if row.state == WorkOrderState.IN_PROGRESS:
        return "now"
    if row.state == WorkOrderState.ON_HOLD:
        return "waiting"
    if row.state == WorkOrderState.WORK_DONE:
        return "done"
    return "today" if is_due_today(row.next_due_at, view.now, view, row.site_time_zone) else "later"


def is_due_today(due: datetime | None, now: datetime, view: View, zone: str | None) -> bool:
    """Whether it is due until the local day is over; what has no due time may as well be done today."""
    local = view.find_zone(zone)
    return due is None or due.astimezone(local).date() <= now.astimezone(local).date()


def name_place(cards: OrderCards) -> list[str]:
    """Customer, site, department and address, each once."""
    said: list[str] = []
    for part in (cards.customer_name, cards.site_name, cards.department, cards.site_address):
        if part and part not in said:
            said.append(part)
    return said


def find_ways(view: View, cards: OrderCards) -> dict[str, Any]:
    """Whom to call and where to go. Without an address the names are searched for; numbers need their own right."""
    people = cards.contacts or [] if view.may(Permission.CUSTOMER_READ_CONTACTS) else []
    calls = [
        {
            "href": f"tel:{number}",
            "label": str(one.get("name") or one.get("phone")),
            "phone": str(one.get("phone")),
        }
        for one in people
        if (number := read_number(str(one.get("phone") or "")))
    ]
    place = ", ".join(
        [cards.site_address] if cards.site_address else [p for p in (cards.site_name, cards.customer_name) if p]
    )
    return {"calls": calls, "map": place, "map_href": f"geo:0,0?q={quote(place, safe='')}"}


def read_number(text: str) -> str:
    """A telephone number as a link dials it: digits, and a plus before them; empty where it is none."""
    digits = "".join(letter for letter in text if letter.isascii() and letter.isdigit())
    return f"{'+' if text.strip().startswith('+') else ''}{digits}" if len(digits) > 2 else ""
