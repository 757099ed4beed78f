"""Sites as people see them; a customer's own user sees its own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """One place where devices stand, with whose it is."""

    id: int
    code: str
    customer: str
    customer_name: str
    name: str
    department: str
    address: str
    time_zone: str
    region: str
    service_calendar: str | None
    device_count: int
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    row_version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SiteFilter:
    """What a list shows. `customer_id` is the caller's own; the rest is what was asked for."""

    customer_id: int | None = None
    code: str | None = None
    customer: str | None = None
    region: str | None = None
    q: str | None = None


LOAD_SITES = """
    SELECT s.id, s.code, c.code AS customer, c.name AS customer_name, s.name, s.department, s.address, s.time_zone,
        s.region, k.code AS service_calendar, (SELECT count(*) FROM device d WHERE d.site_id = s.id) AS device_count,
        s.external_refs, s.is_simulated, s.row_version, s.updated_at
    FROM site s JOIN customer c ON c.id = s.customer_id LEFT JOIN service_calendar k ON k.id = s.service_calendar_id
    WHERE (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
        AND (%(code)s::text IS NULL OR s.code = %(code)s)
        AND (%(customer)s::text IS NULL OR c.code = %(customer)s)
        AND (%(region)s::text IS NULL OR s.region = %(region)s)
        AND (%(q)s::text IS NULL
            OR strpos(lower(concat_ws(' ', s.code, s.name, s.department, c.name)), lower(%(q)s)) > 0)
        AND s.code > %(after)s
    ORDER BY s.code LIMIT %(limit)s
"""


def load_site_records(conn: Connection, wanted: SiteFilter, *, after: str = "", limit: int = 100) -> list[SiteRecord]:
    """Sites by code, those after the code `after`."""
    values = {name: getattr(wanted, name) for name in SiteFilter.__slots__}
    with conn.cursor(row_factory=class_row(SiteRecord)) as cursor:
        return cursor.execute(LOAD_SITES, values | {"after": after, "limit": limit}).fetchall()


def load_site_record(conn: Connection, code: str, *, customer_id: int | None) -> SiteRecord | None:
    """The site of that code if the caller may see it."""
    found = load_site_records(conn, SiteFilter(customer_id, code), limit=1)
    return found[0] if found else None
