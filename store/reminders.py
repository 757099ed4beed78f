"""Reminders that a warranty, contract, certificate or calibration ends: each end is said once."""

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_plan import reminded
from domain.reminder import REMIND_DAYS, ReminderKind
from store.audit import record_audit
from store.outbox import OutboxEvent, record_events
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder; `subject` is a serial, the code of a contract, or technician and model."""

    id: int
    kind: str
    subject: str
    ends_on: date
    serial: str | None
    contract: str | None
    technician: str | None
    customer: str | None
    region: str
    is_simulated: bool
    reminded_at: datetime
    is_current: bool  # it still ends on that day


@dataclass(frozen=True, slots=True)
class _Given:
    kind: str
    subject: str
    ends_on: date
    is_simulated: bool


# The day is the site's, of contracts and certificates UTC's. What ended long ago is reminded of no more.
RECORD_REMINDERS = """
    WITH ending (kind, subject, ends_on, today, days, device_id, contract_id, user_id, customer_id, region,
            is_simulated) AS (
        SELECT x.kind, d.serial, x.ends_on, (%(now)s AT TIME ZONE coalesce(s.time_zone, 'UTC'))::date, x.days, d.id,
            NULL::bigint, NULL::bigint, s.customer_id, d.region, d.is_simulated
        FROM device d LEFT JOIN site s ON s.id = d.site_id
        CROSS JOIN LATERAL (VALUES ('WARRANTY', d.warranty_end, %(warranty)s::integer),
            ('CALIBRATION', d.calibration_due, %(calibration)s::integer)) AS x (kind, ends_on, days)
        WHERE x.ends_on IS NOT NULL AND d.lifecycle NOT IN ('REGISTERED', 'DECOMMISSIONED')
        UNION ALL
        SELECT 'CONTRACT', k.code, k.ends_on, (%(now)s AT TIME ZONE 'UTC')::date, k.remind_days, NULL, k.id, NULL,
            k.customer_id, c.region, k.is_simulated
        FROM service_contract k JOIN customer c ON c.id = k.customer_id WHERE k.status = 'ACTIVE'
        UNION ALL
        SELECT 'CERTIFICATE', u.name || ' ' || m.key, t.valid_until, (%(now)s AT TIME ZONE 'UTC')::date,
            %(certificate)s::integer, NULL, NULL, u.id, NULL, '', false
        FROM technician_certificate t JOIN app_user u ON u.id = t.user_id
        JOIN device_model m ON m.id = t.device_model_id WHERE u.status = 'ACTIVE'
    )
    INSERT INTO reminder (kind, subject, ends_on, device_id, contract_id, user_id, customer_id, region, is_simulated,
        reminded_at)
    SELECT e.kind, e.subject, e.ends_on, e.device_id, e.contract_id, e.user_id, e.customer_id, e.region, e.is_simulated,
        %(now)s
    FROM ending e WHERE e.today >= e.ends_on - e.days AND e.today <= e.ends_on + e.days
        AND NOT EXISTS (
            SELECT FROM reminder r WHERE r.kind = e.kind AND r.subject = e.subject AND r.ends_on = e.ends_on)
    ORDER BY e.ends_on, e.kind, e.subject LIMIT %(limit)s
    ON CONFLICT (kind, subject, ends_on) DO NOTHING
    RETURNING kind, subject, ends_on, is_simulated
"""


def record_reminders(conn: Connection, actor: Actor, now: datetime, limit: int) -> int:
    """How many ends were reminded of; a date that is moved is another end."""
    values = {kind.value.lower(): days for kind, days in REMIND_DAYS.items()}
    with conn.cursor(row_factory=class_row(_Given)) as cursor:
        given = cursor.execute(RECORD_REMINDERS, values | {"now": now, "limit": limit}).fetchall()
    due = [g for g in given if g.kind == ReminderKind.CALIBRATION]
    record_events(conn, *(_make_event(g, now) for g in due))
    record_audit(conn, actor, *(reminded(g.kind, g.subject, g.ends_on) for g in given))
    return len(given)


def _make_event(given: _Given, now: datetime) -> OutboxEvent:
    data = {"calibration_due": given.ends_on}
    return OutboxEvent("calibration.due", given.subject, "device", given.subject, now, data, given.is_simulated)


LOAD_REMINDERS = """
    SELECT r.id, r.kind, r.subject, r.ends_on, d.serial, k.code AS contract, u.name AS technician, c.code AS customer,
        r.region, r.is_simulated, r.reminded_at, r.ends_on IS NOT DISTINCT FROM CASE r.kind
            WHEN 'WARRANTY' THEN d.warranty_end WHEN 'CALIBRATION' THEN d.calibration_due WHEN 'CONTRACT' THEN k.ends_on
            ELSE (SELECT t.valid_until FROM technician_certificate t JOIN device_model m ON m.id = t.device_model_id
                WHERE t.user_id = r.user_id AND r.subject = u.name || ' ' || m.key) END AS is_current
    FROM reminder r LEFT JOIN device d ON d.id = r.device_id LEFT JOIN service_contract k ON k.id = r.contract_id
    LEFT JOIN app_user u ON u.id = r.user_id LEFT JOIN customer c ON c.id = r.customer_id
    WHERE (%(kinds)s::text[] = '{}' OR r.kind = ANY (%(kinds)s::text[]))
        AND (%(serial)s = '' OR d.serial = %(serial)s)
        AND (%(customer_id)s::bigint IS NULL OR r.customer_id = %(customer_id)s)
        AND (%(after_on)s::date IS NULL OR (r.ends_on, r.id) > (%(after_on)s, %(after_id)s::bigint))
    ORDER BY r.ends_on, r.id LIMIT %(limit)s
"""


def load_reminders(
    conn: Connection,
    *,
    kinds: list[ReminderKind],
    serial: str = "",
    customer_id: int | None,
    after: tuple[date, int] | None = None,
    limit: int,
) -> list[Reminder]:
    """Reminders, what ends first at the top; those of a customer's own account name no technician."""
    after_on, after_id = after or (None, None)
    values = {"kinds": [k.value for k in kinds], "serial": serial, "customer_id": customer_id, "limit": limit}
    place = {"after_on": after_on, "after_id": after_id}
    with conn.cursor(row_factory=class_row(Reminder)) as cursor:
        return cursor.execute(LOAD_REMINDERS, values | place).fetchall()
