"""Breaches as people see them, with evidence and what became of them; a customer's user sees its own devices' only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_breach import breach_acknowledged
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Breach:
    """One episode of a monitor being violated on one device."""

    id: UUID
    serial: str
    model: str
    sensor: str | None
    monitor: str
    profile_version: int
    kind: str
    severity: str
    fault_group: str
    state: str
    first_seen: datetime
    raised_at: datetime
    last_seen: datetime
    cleared_at: datetime | None
    count: int
    peak: float
    score: float
    firmware: str
    reason_code: str
    params: dict[str, Any]
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    customer_code: str | None
    customer_name: str | None
    work_order_codes: list[str]
    is_simulated: bool
    recorded_at: datetime
    completeness: float | None  # of the device's data on the day when it was first seen


@dataclass(frozen=True, slots=True)
class BreachFilters:
    """What a list of breaches is narrowed to. `customer_id` is the caller's own; the rest is what was asked for."""

    customer_id: int | None = None
    serial: str | None = None
    state: str | None = None
    severity: str | None = None
    kind: str | None = None
    monitor: str | None = None
    fault_group: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_COLUMNS = """
    b.id, d.serial, m.key AS model, r.sensor, b.monitor, b.profile_version, b.kind, b.severity, b.fault_group, b.state,
    b.first_seen, b.raised_at, b.last_seen, b.cleared_at, b.count, b.peak, b.score, b.firmware, b.reason_code, b.params,
    b.acknowledged_by, b.acknowledged_at, c.code AS customer_code, c.name AS customer_name,
    ARRAY(SELECT w.code FROM work_order_breach wb JOIN work_order w ON w.id = wb.work_order_id
        WHERE wb.breach_id = b.id ORDER BY w.id) AS work_order_codes,
    b.is_simulated, b.recorded_at,
    (SELECT q.completeness FROM data_quality_day q
        WHERE q.device_id = b.device_id AND q.day = (b.first_seen AT TIME ZONE 'UTC')::date) AS completeness
"""
_TABLES = """
    JOIN device d ON d.id = b.device_id
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN series r ON r.id = b.series_id
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
"""
# Conditions on the breach itself, so that the server can walk the list's index and stop at the end of the page.
CONDITIONS = {
    "customer_id": """b.device_id IN (SELECT x.id FROM device x JOIN site y ON y.id = x.site_id
        WHERE y.customer_id = %(customer_id)s)""",
    "serial": "b.device_id = (SELECT x.id FROM device x WHERE x.serial = %(serial)s)",
    "state": "b.state = %(state)s",
    "severity": "b.severity = %(severity)s",
    "kind": "b.kind = %(kind)s",
    "monitor": "b.monitor = %(monitor)s",
    "fault_group": "b.fault_group = %(fault_group)s",
    "since": "b.raised_at >= %(since)s",
    "until": "b.raised_at < %(until)s",
}
LOAD_BREACHES = (
    f"SELECT {_COLUMNS}"  # noqa: S608 - columns and tables are constants
    + """
    FROM (SELECT * FROM breach b WHERE {condition} ORDER BY b.recorded_at DESC, b.id DESC LIMIT %(limit)s) AS b
    """
    + _TABLES
    + "ORDER BY b.recorded_at DESC, b.id DESC"
)
COUNT_BREACHES = "SELECT count(*) FROM breach b WHERE {condition}"


def _find_conditions(filters: BreachFilters) -> tuple[str, dict[str, Any]]:
    """The condition on `breach b` and its parameters: `true` where nothing is asked for."""
    values = {name: getattr(filters, name) for name in CONDITIONS if getattr(filters, name) is not None}
    return " AND ".join(CONDITIONS[name] for name in values) or "true", values


def load_breaches(
    conn: Connection, filters: BreachFilters, *, before: tuple[datetime, UUID] | None = None, limit: int = 100
) -> list[Breach]:
    """Breaches in the order in which they were found, newest first, those before `before` (when recorded, and id)."""
    at, breach_id = before or (None, None)
    condition, values = _find_conditions(filters)
    if at is not None:
        condition += " AND (b.recorded_at, b.id) < (%(before_at)s, %(before_id)s::uuid)"
    values |= {"before_at": at, "before_id": breach_id, "limit": limit}
    query = LOAD_BREACHES.format(condition=condition)
    with conn.cursor(row_factory=class_row(Breach)) as cursor:
        # Which index is best depends on what is asked for: each is planned anew.
        return cursor.execute(query.encode(), values, prepare=False).fetchall()


def count_breaches(conn: Connection, filters: BreachFilters) -> int:
    """How many breaches the filters match."""
    condition, values = _find_conditions(filters)
    row = conn.execute(COUNT_BREACHES.format(condition=condition).encode(), values, prepare=False).fetchone()
    assert row is not None
    return int(row[0])


LOAD_BREACH = f"""
    SELECT {_COLUMNS} FROM breach b {_TABLES}
    WHERE b.id = %(id)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
"""  # noqa: S608 - columns and tables are constants


def load_breach(conn: Connection, breach_id: UUID, *, customer_id: int | None) -> Breach | None:
    """The breach of that id if the caller may see it."""
    with conn.cursor(row_factory=class_row(Breach)) as cursor:
        return cursor.execute(LOAD_BREACH, {"id": breach_id, "customer_id": customer_id}).fetchone()


LOAD_ORDER_BREACHES = f"""
    SELECT {_COLUMNS} FROM breach b {_TABLES} JOIN work_order_breach link ON link.breach_id = b.id
    WHERE link.work_order_id = %(order_id)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
    ORDER BY b.raised_at DESC, b.id LIMIT %(limit)s
"""  # noqa: S608 - columns and tables are constants


def load_order_breaches(conn: Connection, order_id: int, *, customer_id: int | None, limit: int = 100) -> list[Breach]:
    """The breaches linked to the work order, newest first."""
    parameters = {"order_id": order_id, "customer_id": customer_id, "limit": limit}
    with conn.cursor(row_factory=class_row(Breach)) as cursor:
        return cursor.execute(LOAD_ORDER_BREACHES, parameters).fetchall()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was frozen when the breach was raised; `sha256` is over the body."""

    body: dict[str, Any]
    sha256: str
    frozen_at: datetime


LOAD_EVIDENCE = "SELECT body, sha256, frozen_at FROM evidence WHERE breach_id = %s"


def load_evidence(conn: Connection, breach_id: UUID) -> Evidence | None:
    """The breach's frozen evidence, or None where none was stored."""
    with conn.cursor(row_factory=class_row(Evidence)) as cursor:
        return cursor.execute(LOAD_EVIDENCE, (breach_id,)).fetchone()


RECORD_ACKNOWLEDGEMENT = """
    UPDATE breach SET acknowledged_by = %s, acknowledged_at = now() WHERE id = %s AND acknowledged_at IS NULL
"""


def record_breach_acknowledgement(conn: Connection, actor: Actor, breach_id: UUID) -> bool:
    """Notes who has seen the breach; False when somebody had before, whose name stays."""
    if conn.execute(RECORD_ACKNOWLEDGEMENT, (actor.name, breach_id)).rowcount == 0:
        return False
    record_audit(conn, actor, breach_acknowledged(breach_id))
    return True
