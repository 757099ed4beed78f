"""Judged days of devices as people see them; a customer's user sees those of its own devices."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class QualityDay:
    """One judged day of one device. A ratio is None where there was nothing that it could be a share of."""

    day: date
    serial: str
    model: str
    customer_code: str | None
    customer_name: str | None
    expected: int
    present: int
    completeness: float | None
    least_completeness: float
    missing_ratio: float | None
    duplicate_ratio: float | None
    inconsistent_ratio: float | None
    implausible_ratio: float | None
    received: int
    skew_s: float | None
    alerts: list[str]
    is_over: bool
    judged_until: datetime
    judged_at: datetime
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class QualityFilters:
    """What a list of judged days is narrowed to. `customer_id` is the caller's own; the rest is what was asked for."""

    first: date
    last: date
    customer_id: int | None = None
    serial: str | None = None
    customer: str | None = None
    alert: str | None = None
    alerts_only: bool = False


_FROM = """
    FROM data_quality_day q
    JOIN device d ON d.id = q.device_id
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
"""
_WHERE = """
    q.day BETWEEN %(first)s AND %(last)s
    AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
    AND (%(serial)s::text IS NULL OR d.serial = %(serial)s)
    AND (%(customer)s::text IS NULL OR c.code = %(customer)s)
    AND (NOT %(alerts_only)s OR q.alerts <> '{}')
    AND (%(alert)s::text IS NULL OR (q.alerts <> '{}' AND %(alert)s = ANY (q.alerts)))
"""
LOAD_QUALITY_DAYS = f"""
    SELECT q.day, d.serial, m.key AS model, c.code AS customer_code, c.name AS customer_name, q.expected, q.present,
        q.completeness, q.least_completeness, q.missing_ratio, q.duplicate_ratio, q.inconsistent_ratio,
        q.implausible_ratio, q.received, q.skew_s, q.alerts, q.is_over, q.judged_until, q.judged_at, d.is_simulated
    {_FROM} JOIN device_model m ON m.id = d.device_model_id
    WHERE {_WHERE}
        AND (%(after_day)s::date IS NULL OR q.day < %(after_day)s OR (q.day = %(after_day)s AND d.serial > %(after)s))
    ORDER BY q.day DESC, d.serial LIMIT %(limit)s
"""
COUNT_QUALITY_DAYS = f"SELECT count(*) {_FROM} WHERE {_WHERE}"


def _parameters(filters: QualityFilters) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in QualityFilters.__slots__}


def load_quality_days(
    conn: Connection, filters: QualityFilters, *, after: tuple[date, str] | None = None, limit: int = 100
) -> list[QualityDay]:
    """Judged days, the newest first and of each the devices by serial, those after `after` (day, serial)."""
    day, serial = after or (None, "")
    wanted = _parameters(filters) | {"after_day": day, "after": serial, "limit": limit}
    with conn.cursor(row_factory=class_row(QualityDay)) as cursor:
        return cursor.execute(LOAD_QUALITY_DAYS, wanted).fetchall()


def count_quality_days(conn: Connection, filters: QualityFilters) -> int:
    """How many judged days the filters match."""
    row = conn.execute(COUNT_QUALITY_DAYS, _parameters(filters)).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class QualitySummary:
    """The judged days of some span together."""

    device_days: int
    devices: int
    expected: int
    present: int
    incomplete: int  # device-days below the completeness that health asks for
    not_known: int  # device-days of which nothing can be expected
    missing: int  # device-days over each limit
    duplicate: int
    inconsistent: int
    implausible: int
    clock_skew: int


LOAD_SUMMARY = f"""
    SELECT count(*) AS device_days, count(DISTINCT q.device_id) AS devices,
        coalesce(sum(q.expected), 0)::bigint AS expected, coalesce(sum(q.present), 0)::bigint AS present,
        count(*) FILTER (WHERE q.completeness < q.least_completeness) AS incomplete,
        count(*) FILTER (WHERE q.completeness IS NULL) AS not_known,
        count(*) FILTER (WHERE 'missing' = ANY (q.alerts)) AS missing,
        count(*) FILTER (WHERE 'duplicate' = ANY (q.alerts)) AS duplicate,
        count(*) FILTER (WHERE 'inconsistent' = ANY (q.alerts)) AS inconsistent,
        count(*) FILTER (WHERE 'implausible' = ANY (q.alerts)) AS implausible,
        count(*) FILTER (WHERE 'clock_skew' = ANY (q.alerts)) AS clock_skew
    {_FROM} WHERE {_WHERE}
"""


def load_quality_summary(conn: Connection, filters: QualityFilters) -> QualitySummary:
    """How the device-days that the filters match are, together."""
    with conn.cursor(row_factory=class_row(QualitySummary)) as cursor:
        row = cursor.execute(LOAD_SUMMARY, _parameters(filters)).fetchone()
    assert row is not None
    return row


LOAD_COMPLETENESS = """
    SELECT sum(present)::float8 / nullif(sum(expected), 0) FROM data_quality_day
    WHERE device_id = %s AND day BETWEEN %s AND %s
"""


def load_completeness(conn: Connection, device_id: int, first: date, last: date) -> float | None:
    """Which share of what the device owed on these days, both included, is there; None where nothing was owed."""
    row = conn.execute(LOAD_COMPLETENESS, (device_id, first, last)).fetchone()
    return None if row is None or row[0] is None else float(row[0])


COUNT_ALERTS = "SELECT kind, count(*) FROM data_quality_alert WHERE day = %s GROUP BY kind"


def count_alerts(conn: Connection, day: date) -> dict[str, int]:
    """How many devices went over each limit on that day."""
    return {kind: int(count) for kind, count in conn.execute(COUNT_ALERTS, (day,))}
