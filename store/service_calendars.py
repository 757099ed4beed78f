"""Service calendars: versions written once, and which site is served by which."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor, find_content_sha256
from domain.audit_sla import calendar_recorded, calendar_renewed
from domain.public_holidays import RELEASE, find_public_holidays
from domain.service_calendar import (
    WEEKDAYS,
    YEARS_AHEAD,
    CalendarDraft,
    calendar_from_json,
    calendar_to_json,
    format_spans,
    make_calendar,
    parse_spans,
)
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.versioned_records import VersionedRecords

# A calendar is renewed when it knows fewer years than these ahead.
RENEW_YEARS = 5


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """A calendar in its current version."""

    id: int
    code: str
    name: str
    row_version: int
    updated_at: datetime
    version_id: int
    version: int
    weekly: dict[str, list[str]]
    country: str
    subdivision: str
    own_days: list[dict[str, Any]]
    calendar: dict[str, Any]
    sha256: str
    first_year: int
    last_year: int
    holidays_release: str
    made_by: str
    made_at: datetime
    reason: str


_COLUMNS = """h.id, h.code, h.name, h.row_version, h.updated_at, v.id AS version_id, v.version, v.weekly, v.country,
    v.subdivision, v.own_days, v.calendar, v.sha256, v.first_year, v.last_year, v.holidays_release, v.made_by,
    v.made_at, v.reason"""
# A customer's users see what their own sites are served by.
_VISIBLE = """(%(customer_id)s::bigint IS NULL
        OR EXISTS (SELECT FROM site s WHERE s.service_calendar_id = h.id AND s.customer_id = %(customer_id)s)
        OR EXISTS (SELECT FROM service_contract k JOIN sla_policy p ON p.id = k.sla_policy_id
            JOIN sla_policy_version pv ON pv.sla_policy_id = p.id AND pv.version = p.current_version
            WHERE pv.service_calendar_id = h.id AND k.customer_id = %(customer_id)s))"""
CALENDARS = VersionedRecords("service_calendar", _COLUMNS, _VISIBLE, CalendarRow)


RECORD_CALENDAR = """
    INSERT INTO service_calendar (code, name, current_version, checked_release, updated_at)
    VALUES (%(code)s, %(name)s, 1, %(release)s, %(now)s) RETURNING id
"""
CHANGE_CALENDAR = """
    UPDATE service_calendar SET name = %(name)s, current_version = %(version)s, row_version = row_version + 1,
        checked_release = %(release)s, updated_at = %(now)s
    WHERE id = %(id)s
"""
RECORD_VERSION = """
    INSERT INTO service_calendar_version (service_calendar_id, version, weekly, country, subdivision, own_days,
        calendar, sha256, first_year, last_year, holidays_release, made_by, made_at, reason)
    VALUES (%(id)s, %(version)s, %(weekly)s, %(country)s, %(subdivision)s, %(own_days)s, %(calendar)s, %(sha256)s,
        %(first_year)s, %(last_year)s, %(release)s, %(by)s, %(now)s, %(reason)s)
"""


def create_calendar(
    conn: Connection, actor: Actor, code: str, name: str, draft: CalendarDraft, *, reason: str, now: datetime
) -> bool:
    """Makes the calendar in its first version; False where there is one of that code.

    `find_calendar_problems` and `find_unknown_place` were asked before.
    """
    values = {"code": code, "name": name, "release": RELEASE, "now": now}
    calendar_id = CALENDARS.insert(conn, RECORD_CALENDAR, values)
    if calendar_id is None:
        return False
    made = _resolve(draft, now)
    _record_version(conn, calendar_id, 1, draft, made, actor.name, reason, now)
    record_audit(
        conn, actor, calendar_recorded(code, None, {"name": name, "version": 1, "sha256": made.sha256}, reason)
    )
    return True


def change_calendar(
    conn: Connection,
    actor: Actor,
    code: str,
    name: str,
    draft: CalendarDraft,
    *,
    expected_row_version: int | None,
    reason: str,
    now: datetime,
) -> None:
    """A new version of the calendar: clocks that begin from now on count by it, those that run keep theirs.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it has moved since the caller saw it.
    """
    before = CALENDARS.lock(conn, code, expected_row_version)
    made = _resolve(draft, now)
    version = before.version + 1
    _record_version(conn, before.id, version, draft, made, actor.name, reason, now)
    values = {"id": before.id, "name": name, "version": version, "release": RELEASE, "now": now}
    conn.execute(CHANGE_CALENDAR, values)
    was = {"name": before.name, "version": before.version, "sha256": before.sha256}
    after = {"name": name, "version": version, "sha256": made.sha256}
    record_audit(conn, actor, calendar_recorded(code, was, after, reason))


@dataclass(frozen=True, slots=True)
class _Made:
    document: dict[str, object]
    sha256: str
    first_year: int
    last_year: int


def _resolve(draft: CalendarDraft, now: datetime) -> _Made:
    first, last = now.year - 1, now.year + YEARS_AHEAD
    years = range(first, last + 1)
    holidays = find_public_holidays(draft.country, draft.subdivision, years) if draft.country else ()
    document = calendar_to_json(make_calendar(draft, holidays))
    return _Made(document, find_content_sha256(document), first, last)


def _record_version(
    conn: Connection,
    calendar_id: int,
    version: int,
    draft: CalendarDraft,
    made: _Made,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    own = [{"day": d.day.isoformat(), "hours": format_spans(d.spans), "name": d.name} for d in draft.own_days]
    values = {
        "id": calendar_id,
        "version": version,
        "weekly": to_jsonb({name: format_spans(s) for name, s in zip(WEEKDAYS, draft.weekly, strict=True)}),
        "country": draft.country,
        "subdivision": draft.subdivision,
        "own_days": to_jsonb(own),
        "calendar": to_jsonb(made.document),
        "sha256": made.sha256,
        "first_year": made.first_year,
        "last_year": made.last_year,
        "release": RELEASE,
        "by": by,
        "now": now,
        "reason": reason,
    }
    conn.execute(RECORD_VERSION, values)


LOAD_RENEWABLE = f"""
    SELECT {_COLUMNS} FROM service_calendar h
    JOIN service_calendar_version v ON v.service_calendar_id = h.id AND v.version = h.current_version
    WHERE v.country <> '' AND (h.checked_release <> %s OR v.last_year < %s)
    ORDER BY h.id FOR UPDATE OF h SKIP LOCKED
"""  # noqa: S608
MARK_CHECKED = "UPDATE service_calendar SET checked_release = %s WHERE id = %s"


def renew_calendars(conn: Connection, actor: Actor, now: datetime) -> list[str]:
    """The codes of calendars that have a new version by this call: a newer release of the library knows other public
    holidays, or the years that the last version knows come to an end. Running clocks keep the version they have."""
    with conn.cursor(row_factory=class_row(CalendarRow)) as cursor:
        rows = cursor.execute(LOAD_RENEWABLE, (RELEASE, now.year + RENEW_YEARS)).fetchall()
    renewed = []
    entries = []
    for row in rows:
        draft = find_draft(row)
        made = _resolve(draft, now)
        if made.sha256 == row.sha256:
            conn.execute(MARK_CHECKED, (RELEASE, row.id))
            continue
        _record_version(conn, row.id, row.version + 1, draft, made, actor.name, "", now)
        values = {"id": row.id, "name": row.name, "version": row.version + 1, "release": RELEASE, "now": now}
        conn.execute(CHANGE_CALENDAR, values)
        before = {"version": row.version, "holidays_release": row.holidays_release, "last_year": row.last_year}
        after = {"version": row.version + 1, "holidays_release": RELEASE, "last_year": made.last_year}
        entries.append(calendar_renewed(row.code, before, after))
        renewed.append(row.code)
    record_audit(conn, actor, *entries)
    return renewed


def find_draft(row: CalendarRow) -> CalendarDraft:
    """The calendar as it was given."""
    return CalendarDraft(
        tuple(parse_spans(row.weekly[name]) or () for name in WEEKDAYS),
        row.country,
        row.subdivision,
        calendar_from_json({"weekly": row.weekly, "days": row.own_days}).special_days,
    )
