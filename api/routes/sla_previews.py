"""Who counts by a policy or a calendar, and what a new version of it would change; nothing here changes anything."""

from typing import Annotated

from api.auth import Caller, require
from api.problems import declare, not_found
from api.shapes.service_calendars import CalendarContent
from api.shapes.sla import PolicyContent
from api.shapes.sla_previews import (
    CalendarPreview,
    CalendarUsageShape,
    ComingDayShape,
    DayChangeShape,
    DifferenceShape,
    PolicyPreview,
    PolicyUsageShape,
)
from api.sla_drafts import check_calendar, read_calendar_draft, read_policy_draft
from api.sla_previews import find_policy_changes, preview_calendar
from api.state import Database, now
from api.versioned_router import make_router
from domain.coming_days import ComingDay
from domain.public_holidays import RELEASE
from domain.roles import Permission
from domain.service_calendar import CalendarDraft, format_spans
from store.pool import Connection
from store.service_calendars import CALENDARS, CalendarRow
from store.sla_policies import POLICIES, PolicyRow
from store.sla_usage import load_calendar_usage, load_policy_usage

router = make_router(tag="SLA")
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.SLA_POLICY_WRITE)]


@router.get("/sla-policies/{code}/usage", summary="Who counts by a policy", responses=declare(404))
def read_policy_usage(code: str, caller: Reader, pool: Database) -> PolicyUsageShape:
    """Contracts, customers, open orders and clocks; clocks that run keep the version that they began with."""
    with pool.connection() as conn:
        _find_policy(conn, code, caller)
        return _shape_policy_usage(conn, code, caller)


@router.post("/sla-policies/{code}/preview", summary="What a new version would change", responses=declare(404))
def preview_policy(code: str, caller: Writer, pool: Database, body: PolicyContent) -> PolicyPreview:
    """The fields that would be others, and for whom; nothing is written."""
    policy = read_policy_draft(body)
    with pool.connection() as conn:
        row = _find_policy(conn, code, caller)
        check_calendar(conn, body.service_calendar)
        usage = _shape_policy_usage(conn, code, caller)
    changes = find_policy_changes(row, body.name, policy, body.service_calendar)
    return PolicyPreview(
        version=row.version + 1, changes=[DifferenceShape.model_validate(c) for c in changes], usage=usage
    )


@router.get("/service-calendars/{code}/usage", summary="Who counts by a calendar", responses=declare(404))
def read_calendar_usage(code: str, caller: Reader, pool: Database) -> CalendarUsageShape:
    """Sites, policies, open orders and clocks; clocks that run keep the version that they began with."""
    with pool.connection() as conn:
        _find_calendar(conn, code, caller)
        return _shape_calendar_usage(conn, code, caller)


@router.post("/service-calendars/preview", summary="The months ahead by a calendar that is not made yet")
def preview_new_calendar(caller: Writer, body: CalendarContent) -> CalendarPreview:
    """Public holidays and own days of the next twelve months; nothing is written."""
    return _shape_preview(None, body.name, read_calendar_draft(body), None)


@router.post("/service-calendars/{code}/preview", summary="What a new version would change", responses=declare(404))
def preview_changed_calendar(code: str, caller: Writer, pool: Database, body: CalendarContent) -> CalendarPreview:
    """The next twelve months by it, the days that would change, and for whom; nothing is written."""
    draft = read_calendar_draft(body)
    with pool.connection() as conn:
        row = _find_calendar(conn, code, caller)
        usage = _shape_calendar_usage(conn, code, caller)
    return _shape_preview(row, body.name, draft, usage)


def _find_policy(conn: Connection, code: str, caller: Caller) -> PolicyRow:
    row = POLICIES.load(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("SLA policy", code, "code")
    return row


def _find_calendar(conn: Connection, code: str, caller: Caller) -> CalendarRow:
    row = CALENDARS.load(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("service calendar", code, "code")
    return row


def _shape_policy_usage(conn: Connection, code: str, caller: Caller) -> PolicyUsageShape:
    usage = load_policy_usage(conn, [code], customer_id=caller.customer_id)[code]
    return PolicyUsageShape.model_validate({name: getattr(usage, name) for name in PolicyUsageShape.model_fields})


def _shape_calendar_usage(conn: Connection, code: str, caller: Caller) -> CalendarUsageShape:
    usage = load_calendar_usage(conn, [code], customer_id=caller.customer_id)[code]
    return CalendarUsageShape.model_validate({name: getattr(usage, name) for name in CalendarUsageShape.model_fields})


def _shape_preview(
    row: CalendarRow | None, name: str, draft: CalendarDraft, usage: CalendarUsageShape | None
) -> CalendarPreview:
    outlook = preview_calendar(row, name, draft, now().date())
    return CalendarPreview(
        version=1 if row is None else row.version + 1,
        days=[_shape_day(day) for day in outlook.days],
        changes=[DifferenceShape.model_validate(c) for c in outlook.changes],
        day_changes=[
            DayChangeShape(
                day=c.day,
                before=None if c.before is None else _shape_day(c.before),
                after=None if c.after is None else _shape_day(c.after),
            )
            for c in outlook.day_changes
        ],
        usage=usage,
        holidays_release=RELEASE,
    )


def _shape_day(day: ComingDay) -> ComingDayShape:
    return ComingDayShape(day=day.day, name=day.name, hours=format_spans(day.spans), kind=day.kind)
