"""To whom the orders of the inbox are suggested, beside what each line says."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.console.order_rows import OrderRow, find_row
from api.console.page import View
from domain.assignment import Work, explain_suggestion
from domain.profile import Profile
from domain.roles import Permission
from store.assignments import AssignmentBook, load_assignment_book
from store.pool import Connection
from store.work_order_lists import WorkOrderRow

_FIELDS = OrderRow.__slots__


def find_work(row: WorkOrderRow) -> Work:
    """What is to be done, as far as it decides who does it."""
    return Work(row.model, row.region, row.fault_group)


def load_book(view: View, conn: Connection, rows: Sequence[WorkOrderRow]) -> AssignmentBook | None:
    """What the suggestions for those of the orders that are nobody's rest on; None to who may not read the staff."""
    if not view.may(Permission.STAFF_READ) or not rows:
        return None
    return load_assignment_book(conn, [find_work(row) for row in rows if row.assignee_name is None], view.now)


def find_line(
    view: View, row: WorkOrderRow, profiles: Mapping[str, Profile], book: AssignmentBook | None
) -> dict[str, Any]:
    """The line of that order, with whom it is suggested to and why where it is nobody's."""
    shown = find_row(view, row, profiles)
    line: dict[str, Any] = {name: getattr(shown, name) for name in _FIELDS}
    line["owner_why"] = ""
    if row.assignee_name is None and book is not None:
        suggested = book.find_best(find_work(row))
        line["owner"] = view.t("inbox.suggest", name=suggested.full_name) if suggested else None
        line["owner_why"] = explain_suggestion(suggested.reasons, view.language) if suggested else ""
    return line
