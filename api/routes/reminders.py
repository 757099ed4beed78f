"""Reminders: what ends soon, each end said once."""

from typing import Annotated

from fastapi import Query

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.routes.maintenance_plans import read_day
from api.shapes.maintenance_plans import ReminderShape
from api.shapes.pages import Page
from api.state import Database
from api.versioned_router import make_router
from domain.reminder import ReminderKind
from domain.roles import Permission
from store.reminders import load_reminders

router = make_router("/reminders", tag="plans")
Reader = Annotated[Caller, require(Permission.WORK_ORDER_READ)]


@router.get("", summary="List reminders")
def list_reminders(
    caller: Reader,
    pool: Database,
    kind: Annotated[list[ReminderKind], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    device: Annotated[str, Query(description="Serial.")] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ReminderShape]:
    """Reminders of warranties, contracts, certificates and calibrations, what ends first at the top."""
    keys = read_cursor(cursor, [str, int])
    after = (read_day(keys[0]), int(keys[1])) if keys else None
    with pool.connection() as conn:
        found = load_reminders(
            conn, kinds=kind, serial=device, customer_id=caller.customer_id, after=after, limit=limit + 1
        )
    page = found[:limit]
    more = make_cursor([page[-1].ends_on.isoformat(), page[-1].id]) if len(found) > limit else None
    return Page(items=[ReminderShape.model_validate(reminder) for reminder in page], next_cursor=more)
