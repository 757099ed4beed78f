"""Technicians as somebody sees them who has work to give: whom an order may go to, and how much each already has."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_certificate import regions_changed
from domain.errors import NotFoundError
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Technician:
    """One active technician. `models` are those with a certificate that is valid on the day asked for."""

    id: int
    name: str
    full_name: str
    models: list[str]
    regions: list[str]  # none: he works in all
    open_orders: int


LOAD_TECHNICIANS = """
    SELECT u.id, u.name, u.full_name,
        ARRAY(SELECT m.key FROM technician_certificate t JOIN device_model m ON m.id = t.device_model_id
            WHERE t.user_id = u.id AND t.valid_until >= %(day)s ORDER BY m.key) AS models,
        ARRAY(SELECT r.region FROM technician_region r WHERE r.user_id = u.id ORDER BY r.region) AS regions,
        coalesce(o.open_orders, 0) AS open_orders
    FROM app_user u
    LEFT JOIN (
        SELECT w.assignee_id, count(*)::integer AS open_orders FROM work_order w
        WHERE w.state NOT IN ('CLOSED', 'CANCELLED') GROUP BY w.assignee_id
    ) o ON o.assignee_id = u.id
    WHERE u.status = 'ACTIVE' AND 'technician' = ANY (u.roles) ORDER BY u.full_name, u.name
"""


def load_technicians(conn: Connection, day: date) -> list[Technician]:
    """All active technicians by name, with their certificates as of that day."""
    with conn.cursor(row_factory=class_row(Technician)) as cursor:
        return cursor.execute(LOAD_TECHNICIANS, {"day": day}).fetchall()


LOCK_TECHNICIAN = """
    SELECT u.id, ARRAY(SELECT r.region FROM technician_region r WHERE r.user_id = u.id ORDER BY r.region)
    FROM app_user u WHERE u.name = %s AND 'technician' = ANY (u.roles) FOR UPDATE OF u
"""
REMOVE_REGIONS = "DELETE FROM technician_region WHERE user_id = %s"
RECORD_REGIONS = "INSERT INTO technician_region (user_id, region) SELECT %s, * FROM unnest(%s::text[])"


def record_regions(conn: Connection, actor: Actor, name: str, regions: Collection[str], reason: str) -> list[str]:
    """The regions in which the technician works from now on; none: in all.

    Raises
    ------
    NotFoundError
        There is no technician of that name.
    """
    row = conn.execute(LOCK_TECHNICIAN, (name,)).fetchone()
    if row is None:
        raise NotFoundError(f"There is no technician {name}.")
    wanted = sorted(set(regions))
    if wanted != row[1]:
        conn.execute(REMOVE_REGIONS, (row[0],))
        conn.execute(RECORD_REGIONS, (row[0], wanted))
        record_audit(conn, actor, regions_changed(name, row[1], wanted, reason))
    return wanted
