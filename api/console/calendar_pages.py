"""Service calendars: when sites are served, which days ahead are off, and what a new version would change."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData

from api.console.calendar_views import (
    CalendarForm,
    find_calendar_form,
    find_calendar_line,
    find_day_lines,
    find_form_values,
    find_moved_days,
    find_version_changes,
    read_own_days,
    say_change,
    say_hours,
)
from api.console.forms import read_text
from api.console.page import View
from api.console.version_pages import SHOWN, TEXT, Left, VersionPages
from api.console.version_views import find_version_lines
from api.shapes.service_calendars import CalendarContent, NewCalendar
from api.sla_drafts import read_calendar_draft
from api.sla_previews import CalendarOutlook, find_days_ahead, preview_calendar
from domain.audit import Actor
from domain.roles import Permission
from domain.service_calendar import WEEKDAYS, CalendarDraft, format_spans
from store.pool import Connection, Pool
from store.service_calendars import CALENDARS, CalendarRow, change_calendar, create_calendar, find_draft
from store.site_calendars import SiteCalendar, assign_calendar, load_site_calendar
from store.sla_usage import load_calendar_usage, load_served_sites

Wish = tuple[CalendarContent, CalendarDraft]


class CalendarPages(VersionPages[CalendarRow, Wish, CalendarOutlook]):
    """Calendars, and the sites that are served by them."""

    place, templates = "/admin/calendars", ("admin_calendars.html", "admin_calendar.html")
    entity, kind, records = "service_calendar", "service calendar", CALENDARS
    follower, unknown = "site", "unknown_site"
    previews_new = True

    def read_content(self, view: View, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
        own = read_own_days(read_text(fields, "own_days", TEXT))
        if isinstance(own, int):
            return {}, {"own_days": view.t("calendar.wrong_line", n=own)}
        content = {
            "country": read_text(fields, "country").upper(),
            "subdivision": read_text(fields, "subdivision").upper(),
            "weekly": {day: _read_hours(read_text(fields, day)) for day in WEEKDAYS},
            "own_days": [{"day": d.day, "hours": format_spans(d.spans), "name": d.name} for d in own],
        }
        return content, {}

    def read_wish(self, pool: Pool, content: Mapping[str, Any]) -> Wish:
        body = (NewCalendar if "code" in content else CalendarContent).model_validate(content)
        return body, read_calendar_draft(body)

    def say_wrong(self, view: View, path: str) -> tuple[str, str]:
        match path.split("."):
            case "weekly", day, *_:
                return day, view.name("calendar_wrong", "hours")
            case first, *_:
                name = first.partition("[")[0]
        return WEEKDAYS[0] if name == "weekly" else name, view.name("calendar_wrong", name)

    def preview(self, view: View, row: CalendarRow | None, wish: Wish) -> CalendarOutlook:
        body, draft = wish
        return preview_calendar(row, body.name, draft, view.now.date())

    def create(self, conn: Connection, actor: Actor, code: str, wish: Wish, now: datetime) -> bool:
        body, draft = wish
        return create_calendar(conn, actor, code, body.name, draft, reason=body.reason, now=now)

    def change(self, conn: Connection, actor: Actor, code: str, wish: Wish, expected: int, now: datetime) -> None:
        body, draft = wish
        change_calendar(conn, actor, code, body.name, draft, expected_row_version=expected, reason=body.reason, now=now)

    def load_follower(self, conn: Connection, name: str, customer_id: int | None) -> SiteCalendar | None:
        return load_site_calendar(conn, name, customer_id=customer_id)

    def assign(
        self, conn: Connection, actor: Actor, name: str, code: str, expected: int, reason: str, now: datetime
    ) -> None:
        assign_calendar(conn, actor, name, code, expected_row_version=expected, reason=reason, now=now)

    def find_form(
        self, view: View, conn: Connection, row: CalendarRow | None, left: Left[CalendarOutlook]
    ) -> CalendarForm:
        return find_calendar_form(view, left.values or find_form_values(row), left.wrong, is_new=row is None)

    def find_list(
        self, view: View, conn: Connection, rows: Sequence[CalendarRow], preview: CalendarOutlook | None
    ) -> dict[str, Any]:
        usage = load_calendar_usage(conn, [row.code for row in rows], customer_id=view.person.customer_id)
        days = None if preview is None else find_day_lines(view, preview.days)
        return {"rows": [find_calendar_line(view, row, usage[row.code]) for row in rows], "days": days}

    def find_record(
        self, view: View, conn: Connection, row: CalendarRow, preview: CalendarOutlook | None
    ) -> dict[str, Any]:
        customer_id, sees = view.person.customer_id, view.may(Permission.CUSTOMER_READ)
        usage = load_calendar_usage(conn, [row.code], customer_id=customer_id)[row.code]
        sites = load_served_sites(conn, row.code, customer_id=customer_id, limit=SHOWN) if sees else []
        versions = CALENDARS.load_versions(conn, row.code)
        week = zip(WEEKDAYS, find_draft(row).weekly, strict=True)
        return {
            "line": find_calendar_line(view, row, usage),
            "usage": usage,
            "week": [(view.name("weekday", day), say_hours(view, format_spans(spans))) for day, spans in week],
            "release": row.holidays_release,
            "years": (row.first_year, row.last_year),
            "days": find_day_lines(view, find_days_ahead(row, view.now.date())),
            "sites": sites if sees else None,
            "more": max(usage.sites - len(sites), 0),
            "preview": None if preview is None else [say_change(view, one) for one in preview.changes],
            "moved": [] if preview is None else find_moved_days(view, preview.day_changes),
            "versions": find_version_lines(view, self.entity, versions, find_version_changes),
        }


router = CalendarPages().make_router()


def _read_hours(text: str) -> list[str]:
    parts = text.replace("–", "-").replace("，", ",").split(",")
    return [part.strip() for part in parts if part.strip()]
