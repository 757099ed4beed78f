"""Service calendars: when sites are served, which days ahead are off, and what a new version would change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.calendar_views import (
    find_calendar_form,
    find_calendar_line,
    find_calendar_versions,
    find_day_lines,
    find_form_values,
    find_moved_days,
    read_own_days,
    say_change,
    say_hours,
)
from api.console.conflict_words import say_conflict
from api.console.forms import Fields, read_number, read_text
from api.console.page import View, find_view
from api.once import change
from api.problems import ProblemError, not_found
from api.shapes.sla import CalendarContent, NewCalendar
from api.sla_drafts import read_calendar_draft
from api.sla_previews import CalendarOutlook, find_days_ahead, preview_calendar
from api.state import Database
from domain.errors import RowVersionConflictError
from domain.roles import Permission
from domain.service_calendar import WEEKDAYS, format_spans
from store.pool import Connection, Pool
from store.service_calendars import CALENDARS, CalendarRow, change_calendar, create_calendar, find_draft
from store.site_calendars import assign_calendar, load_site_calendar
from store.sla_usage import load_calendar_usage, load_served_sites

router = APIRouter(prefix="/admin/calendars", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.SLA_POLICY_WRITE)]
ROWS, SHOWN = 100, 50
TEXT = 60_000  # a thousand own days


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form leaves on the page: what was typed, what is wrong with it, or what it would do."""

    values: Mapping[str, str] | None = None
    wrong: Mapping[str, str] | None = None
    outlook: CalendarOutlook | None = None
    seen: int = 0  # the version that the form goes on from; 0: the one that is shown
    problem: str | None = None
    status: int = 200
    assign: Mapping[str, str] | None = None
    assign_wrong: Mapping[str, str] | None = None


FRESH = Shown()


@router.get("")
def show_calendars(request: Request, pool: Database, caller: Reader, after: str = "") -> Response:
    """Calendars by code, each in its current version."""
    return _render_list(find_view(request, caller), pool, after=after[:64])


@router.post("/new")
def take_calendar(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Shows the months ahead by a new calendar or, with `step=save`, makes it."""
    view, values = find_view(request, caller), _read_values(fields)
    body = _read_body(fields, NewCalendar)
    if isinstance(body, dict):
        return _render_list(view, pool, Shown(values, body))
    try:
        draft = read_calendar_draft(body)
    except ProblemError as refused:
        return _render_list(view, pool, Shown(values, _find_fields(refused)))
    if read_text(fields, "step") != "save":
        return _render_list(
            view, pool, Shown(values, outlook=preview_calendar(None, body.name, draft, view.now.date()))
        )
    actor = find_actor(caller, (Permission.SLA_POLICY_WRITE,))

    def work(conn: Connection) -> bool:
        return create_calendar(conn, actor, body.code, body.name, draft, reason=body.reason, now=view.now)

    if not change(pool, work):
        return _render_list(view, pool, Shown(values, {"code": "taken"}))
    return RedirectResponse(view.link(f"/admin/calendars/{body.code}", done="saved"), 303)


@router.get("/{code}")
def show_calendar(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """One calendar: its week, the twelve months ahead, who counts by it, every version."""
    return _render(find_view(request, caller), pool, code)


@router.post("/{code}/version")
def take_version(request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
    """Shows what the next version would change or, with `step=save`, makes it."""
    view, values = find_view(request, caller), _read_values(fields)
    with pool.connection() as conn:
        row = _find_calendar(conn, view, code)
    body = _read_body(fields, CalendarContent)
    actor, expected = find_actor(caller, (Permission.SLA_POLICY_WRITE,)), int(read_number(fields, "row_version") or 0)
    if isinstance(body, dict):
        return _render(view, pool, code, Shown(values, body, seen=expected))
    try:
        draft = read_calendar_draft(body)
    except ProblemError as refused:
        return _render(view, pool, code, Shown(values, _find_fields(refused), seen=expected))
    if read_text(fields, "step") != "save":
        outlook = preview_calendar(row, body.name, draft, view.now.date())
        return _render(view, pool, code, Shown(values, outlook=outlook, seen=row.row_version))

    def work(conn: Connection) -> None:
        change_calendar(
            conn,
            actor,
            code,
            body.name,
            draft,
            expected_row_version=expected,
            reason=body.reason,
            now=view.now,
        )

    try:
        change(pool, work)
    except RowVersionConflictError:
        problem = say_conflict(view, pool, "service_calendar", code)
        return _render(view, pool, code, Shown(values, problem=problem, status=412))
    return RedirectResponse(view.link(f"/admin/calendars/{code}", done="saved"), 303)


@router.post("/{code}/site")
def take_site(request: Request, pool: Database, caller: Writer, code: str, fields: Fields) -> Response:
    """Has a site served by this calendar; clocks that run keep what they began with."""
    view = find_view(request, caller)
    site, reason = read_text(fields, "site", 100), read_text(fields, "site_reason", 2_000)
    values = {"site": site, "site_reason": reason}
    with pool.connection() as conn:
        _find_calendar(conn, view, code)
        found = load_site_calendar(conn, site, customer_id=caller.customer_id)
    wrong = {} if found else {"site": "unknown"}
    wrong |= {} if reason else {"site_reason": "missing"}
    if found is None or wrong:
        return _render(view, pool, code, Shown(assign=values, assign_wrong=wrong))
    actor, expected = find_actor(caller, (Permission.SLA_POLICY_WRITE,)), found.row_version

    def work(conn: Connection) -> None:
        assign_calendar(conn, actor, site, code, expected_row_version=expected, reason=reason, now=view.now)

    try:
        change(pool, work)
    except RowVersionConflictError:
        problem = say_conflict(view, pool, "site", site)
        return _render(view, pool, code, Shown(assign=values, problem=problem, status=412))
    return RedirectResponse(view.link(f"/admin/calendars/{code}", done="saved"), 303)


def _find_calendar(conn: Connection, view: View, code: str) -> CalendarRow:
    row = CALENDARS.load(conn, code, customer_id=view.person.customer_id)
    if row is None:
        raise not_found("service calendar", code, "code")
    return row


def _render_list(view: View, pool: Pool, shown: Shown = FRESH, *, after: str = "") -> Response:
    customer_id = view.person.customer_id
    with pool.connection() as conn:
        rows = CALENDARS.load_page(conn, customer_id=customer_id, after=after, limit=ROWS + 1)
        usage = load_calendar_usage(conn, [row.code for row in rows], customer_id=customer_id)
    page = rows[:ROWS]
    marked = _say_wrong(view, shown.wrong or {})
    return view.render(
        "admin_calendars.html",
        422 if shown.wrong else shown.status,
        problem=view.t("form.unusable") if shown.wrong else shown.problem,
        rows=[find_calendar_line(view, row, usage[row.code]) for row in page],
        may_write=view.may(Permission.SLA_POLICY_WRITE),
        form=find_calendar_form(view, shown.values or find_form_values(None), marked, is_new=True),
        opened=shown.values is not None,
        days=None if shown.outlook is None else find_day_lines(view, shown.outlook.days),
        older=view.link("/admin/calendars", after=page[-1].code) if len(rows) > ROWS else None,
    )


def _render(view: View, pool: Pool, code: str, shown: Shown = FRESH) -> Response:
    customer_id = view.person.customer_id
    with pool.connection() as conn:
        row = _find_calendar(conn, view, code)
        versions = CALENDARS.load_versions(conn, code)
        usage = load_calendar_usage(conn, [code], customer_id=customer_id)[code]
        sees = view.may(Permission.CUSTOMER_READ)
        sites = load_served_sites(conn, code, customer_id=customer_id, limit=SHOWN) if sees else []
    outlook, problem, status = shown.outlook, shown.problem, shown.status
    if shown.wrong or shown.assign_wrong:
        problem, status = view.t("form.unusable"), 422
    draft = find_draft(row)
    marked = _say_wrong(view, shown.wrong or {})
    return view.render(
        "admin_calendar.html",
        status,
        problem=problem,
        line=find_calendar_line(view, row, usage),
        week=[
            (view.name("weekday", day), say_hours(view, format_spans(spans)))
            for day, spans in zip(WEEKDAYS, draft.weekly, strict=True)
        ],
        release=row.holidays_release,
        years=(row.first_year, row.last_year),
        days=find_day_lines(view, find_days_ahead(row, view.now.date())),
        usage=usage,
        versions=find_calendar_versions(view, versions, shows_reason=customer_id is None),
        sites=sites if sees else None,
        more=max(usage.sites - len(sites), 0),
        may_write=view.may(Permission.SLA_POLICY_WRITE),
        form=find_calendar_form(view, shown.values or find_form_values(row), marked, is_new=False),
        row_version=shown.seen or row.row_version,
        next_version=row.version + 1,
        opened=shown.values is not None,
        preview=None if outlook is None else [say_change(view, c) for c in outlook.changes],
        moved=[] if outlook is None else find_moved_days(view, outlook.day_changes),
        assign=shown.assign or {"site": "", "site_reason": ""},
        assign_wrong=_say_wrong(view, shown.assign_wrong or {}),
    )


def _read_values(fields: FormData) -> dict[str, str]:
    """What was typed, as the form takes it back."""
    names = ("code", "name", "country", "subdivision", "reason", *WEEKDAYS)
    return {name: read_text(fields, name, 2_000) for name in names} | {"own_days": read_text(fields, "own_days", TEXT)}


def _read_body(fields: FormData, shape: type[Any]) -> Any:
    """The calendar as the API would take it; or which fields of the form are wrong, and how."""
    own = read_own_days(read_text(fields, "own_days", TEXT))
    wrong = {} if read_text(fields, "reason") else {"reason": "missing"}
    if isinstance(own, int):
        return wrong | {"own_days": f"line {own}"}
    body: dict[str, Any] = {
        "name": read_text(fields, "name"),
        "country": read_text(fields, "country", 10).upper(),
        "subdivision": read_text(fields, "subdivision", 10).upper(),
        "weekly": {day: _read_hours(read_text(fields, day, 500)) for day in WEEKDAYS},
        "own_days": [{"day": d.day, "hours": format_spans(d.spans), "name": d.name} for d in own],
        "reason": read_text(fields, "reason", 2_000),
    }
    if shape is NewCalendar:
        body["code"] = read_text(fields, "code", 100)
    try:
        return wrong or shape.model_validate(body)
    except ValidationError as error:
        return wrong | {_name_field(".".join(str(part) for part in one["loc"])): "wrong" for one in error.errors()}


def _read_hours(text: str) -> list[str]:
    parts = text.replace("–", "-").replace("，", ",").split(",")
    return [part.strip() for part in parts if part.strip()]


def _find_fields(refused: ProblemError) -> dict[str, str]:
    return {_name_field(error.field): "wrong" for error in refused.errors}


def _name_field(path: str) -> str:
    """The field of the form that a field of the API stands in."""
    parts = path.split(".")
    if parts[0] == "weekly":
        return parts[1] if len(parts) > 1 else WEEKDAYS[0]
    return parts[0].partition("[")[0]


def _say_wrong(view: View, wrong: Mapping[str, str]) -> dict[str, str]:
    """A sentence for each field that is wrong."""
    return {name: _say_one(view, name, how) for name, how in wrong.items()}


def _say_one(view: View, name: str, how: str) -> str:
    if how.startswith("line "):
        return view.t("calendar.wrong_line", n=how.removeprefix("line "))
    if how in ("taken", "missing", "unknown"):
        return view.name("sla_wrong", "unknown_site" if name == "site" else how)
    return view.name("calendar_wrong", "hours" if name in WEEKDAYS else name)
