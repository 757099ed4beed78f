"""Service calendars: when sites are served; every version is kept."""

from typing import Annotated

from fastapi import Request
from starlette.responses import Response

from api.auth import Caller, require
from api.cursors import Cursor, Limit, make_cursor, read_cursor
from api.masking import mask_shape
from api.once import IdempotencyKey, change_once
from api.preconditions import IfMatch, make_etag
from api.problems import ALREADY_EXISTS, INVALID, ProblemError, declare, not_found
from api.shapes.pages import Page
from api.shapes.service_calendars import (
    CalendarContent,
    CalendarDetail,
    CalendarShape,
    CalendarVersions,
    DayShape,
    NewCalendar,
    SiteCalendarChoice,
    SiteCalendarShape,
)
from api.sla_drafts import read_calendar_draft
from api.state import Database, now
from api.steps import take_step_once
from api.versioned_router import make_router
from domain.roles import Permission
from store.pool import Connection
from store.service_calendars import CALENDARS, CalendarRow, change_calendar, create_calendar
from store.site_calendars import assign_calendar, load_site_calendar

router = make_router(tag="SLA")
Reader = Annotated[Caller, require(Permission.DEVICE_READ)]
Writer = Annotated[Caller, require(Permission.SLA_POLICY_WRITE)]


@router.get("/service-calendars", summary="List service calendars")
def list_calendars(caller: Reader, pool: Database, limit: Limit = 50, cursor: Cursor = None) -> Page[CalendarShape]:
    """Calendars by code, each in its current version; a customer's users see those of their own sites."""
    keys = read_cursor(cursor, [str])
    after = str(keys[0]) if keys else ""
    with pool.connection() as conn:
        found = CALENDARS.load_page(conn, customer_id=caller.customer_id, after=after, limit=limit + 1)
    page = found[:limit]
    return Page(
        items=[_shape(row, caller) for row in page],
        next_cursor=make_cursor([page[-1].code]) if len(found) > limit else None,
    )


@router.get("/service-calendars/{code}", summary="One service calendar", responses=declare(404))
def read_calendar(code: str, caller: Reader, pool: Database, response: Response) -> CalendarDetail:
    """The current version with its public holidays and own days, as clocks that begin now count by it."""
    with pool.connection() as conn:
        detail = _describe(conn, code, caller)
    response.headers["ETag"] = make_etag(detail.row_version)
    return detail


@router.get("/service-calendars/{code}/versions", summary="Versions of a calendar", responses=declare(404))
def list_calendar_versions(code: str, caller: Reader, pool: Database) -> CalendarVersions:
    """Every version, the newest first: a clock names the one that it counts by."""
    with pool.connection() as conn:
        _find_calendar(conn, code, caller)
        rows = CALENDARS.load_versions(conn, code)
    return CalendarVersions(items=[_shape(row, caller) for row in rows])


@router.post(
    "/service-calendars",
    summary="Make a calendar",
    status_code=201,
    response_model=CalendarDetail,
    responses=declare(409),
)
def make_calendar(
    caller: Writer, pool: Database, request: Request, body: NewCalendar, idempotency_key: IdempotencyKey = None
) -> Response:
    """Makes a calendar; its public holidays are fixed for the coming ten years and renewed by the machine."""
    draft = read_calendar_draft(body)

    def work(conn: Connection) -> tuple[CalendarDetail, dict[str, str]]:
        if not create_calendar(conn, caller.actor, body.code, body.name, draft, reason=body.reason, now=now()):
            raise ProblemError(ALREADY_EXISTS, fields={"code": "is taken"}, guard="code_taken")
        detail = _describe(conn, body.code, caller)
        headers = {"Location": f"/api/v1/service-calendars/{body.code}", "ETag": make_etag(detail.row_version)}
        return detail, headers

    return change_once(pool, caller, request, idempotency_key, body, work)


@router.put(
    "/service-calendars/{code}",
    summary="Change a calendar",
    response_model=CalendarDetail,
    responses=declare(404, 412, 428),
)
def replace_calendar(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: CalendarContent,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Makes the next version. Clocks that begin from now on count by it; those that run keep theirs."""
    draft = read_calendar_draft(body)

    def work(conn: Connection) -> tuple[CalendarDetail, dict[str, str]]:
        change_calendar(
            conn,
            caller.actor,
            code,
            body.name,
            draft,
            expected_row_version=version,
            reason=body.reason,
            now=now(),
        )
        detail = _describe(conn, code, caller)
        return detail, {"ETag": make_etag(detail.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="service_calendar",
        code=code,
        find_row_version=lambda conn: _find_calendar(conn, code, caller).row_version,
    )


@router.get("/sites/{code}/service-calendar", summary="The calendar of a site", responses=declare(404))
def read_site_calendar(code: str, caller: Reader, pool: Database, response: Response) -> SiteCalendarShape:
    """By which calendar the site is served, and in which time zone."""
    with pool.connection() as conn:
        shape = _describe_site(conn, code, caller)
    response.headers["ETag"] = make_etag(shape.row_version)
    return shape


@router.put(
    "/sites/{code}/service-calendar",
    summary="Give a site its calendar",
    response_model=SiteCalendarShape,
    responses=declare(404, 412, 428),
)
def choose_site_calendar(
    code: str,
    caller: Writer,
    pool: Database,
    request: Request,
    body: SiteCalendarChoice,
    version: IfMatch,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Clocks of the site's orders that begin from now on count by that calendar; those that run keep theirs."""

    def work(conn: Connection) -> tuple[SiteCalendarShape, dict[str, str]]:
        _describe_site(conn, code, caller)
        if body.service_calendar is not None and CALENDARS.load(conn, body.service_calendar) is None:
            raise ProblemError(INVALID, fields={"service_calendar": "there is no calendar of that code"})
        assign_calendar(
            conn,
            caller.actor,
            code,
            body.service_calendar,
            expected_row_version=version,
            reason=body.reason,
            now=now(),
        )
        shape = _describe_site(conn, code, caller)
        return shape, {"ETag": make_etag(shape.row_version)}

    return take_step_once(
        pool,
        caller,
        request,
        idempotency_key,
        body,
        work,
        entity="site",
        code=code,
        find_row_version=lambda conn: _describe_site(conn, code, caller).row_version,
    )


def _find_calendar(conn: Connection, code: str, caller: Caller) -> CalendarRow:
    row = CALENDARS.load(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("service calendar", code, "code")
    return row


def _describe(conn: Connection, code: str, caller: Caller) -> CalendarDetail:
    row = _find_calendar(conn, code, caller)
    days = [DayShape.model_validate(day) for day in row.calendar["days"]]
    return CalendarDetail(**_shape(row, caller).model_dump(), days=days)


def _describe_site(conn: Connection, code: str, caller: Caller) -> SiteCalendarShape:
    row = load_site_calendar(conn, code, customer_id=caller.customer_id)
    if row is None:
        raise not_found("site", code, "code")
    return SiteCalendarShape.model_validate(row)


def _shape(row: CalendarRow, caller: Caller) -> CalendarShape:
    shape = CalendarShape.model_validate(row)
    if caller.customer_id is not None:
        # The calendar may be other customers' as well: why it is so stays in the house.
        shape = shape.model_copy(update={"reason": ""})
    return mask_shape("service_calendar", shape, caller)
