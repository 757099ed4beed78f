"""By which service calendar a site is served."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_sla import calendar_assigned
from domain.errors import NotFoundError, RowVersionConflictError
from store.audit import record_audit
from store.pool import Connection

LOCK_SITE = """
    SELECT s.id, s.row_version, c.code FROM site s LEFT JOIN service_calendar c ON c.id = s.service_calendar_id
    WHERE s.code = %s FOR UPDATE OF s
"""
ASSIGN_CALENDAR = """
    UPDATE site SET service_calendar_id = (SELECT id FROM service_calendar WHERE code = %(calendar)s),
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def assign_calendar(
    conn: Connection,
    actor: Actor,
    site: str,
    calendar: str | None,
    *,
    expected_row_version: int | None,
    reason: str,
    now: datetime,
) -> None:
    """Orders of the site count by that calendar from now on; None: by the policy's, or around the clock.

    The caller knows that the calendar exists.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such site, or it has moved since the caller saw it.
    """
    row = conn.execute(LOCK_SITE, (site,)).fetchone()
    if row is None:
        raise NotFoundError(site)
    if expected_row_version is not None and row[1] != expected_row_version:
        raise RowVersionConflictError(f"{site} is at version {row[1]}, not {expected_row_version}.")
    conn.execute(ASSIGN_CALENDAR, {"id": row[0], "calendar": calendar, "now": now})
    record_audit(conn, actor, calendar_assigned(site, row[2], calendar, reason))


@dataclass(frozen=True, slots=True)
class SiteCalendar:
    """By which calendar a site is served."""

    site: str
    time_zone: str
    row_version: int
    service_calendar: str | None


LOAD_SITE_CALENDAR = """
    SELECT s.code AS site, s.time_zone, s.row_version, c.code AS service_calendar
    FROM site s LEFT JOIN service_calendar c ON c.id = s.service_calendar_id
    WHERE s.code = %(code)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
"""


def load_site_calendar(conn: Connection, code: str, *, customer_id: int | None = None) -> SiteCalendar | None:
    """The site of that code and its calendar, or None."""
    with conn.cursor(row_factory=class_row(SiteCalendar)) as cursor:
        return cursor.execute(LOAD_SITE_CALENDAR, {"code": code, "customer_id": customer_id}).fetchone()
