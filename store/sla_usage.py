"""Who counts by an SLA policy or a service calendar: contracts, sites, open orders, and clocks by their version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class PolicyUsage:
    """What a policy is in force for. Clocks that run keep the version that they began with."""

    code: str
    contracts: int  # not terminated
    customers: int
    open_orders: int  # of these contracts
    running_clocks: int  # that count by any version of the policy
    earlier_clocks: int  # of these, by one that is no longer current


@dataclass(frozen=True, slots=True)
class CalendarUsage:
    """What a calendar is in force for. Clocks that run keep the version that they began with."""

    code: str
    sites: int
    policies: int
    open_orders: int  # at these sites
    running_clocks: int
    earlier_clocks: int


@dataclass(frozen=True, slots=True)
class Promise:
    """A contract that has a policy."""

    contract: str
    customer: str
    customer_name: str
    status: str
    ends_on: date


@dataclass(frozen=True, slots=True)
class ServedSite:
    """A site that is served by a calendar."""

    site: str
    site_name: str
    customer: str
    customer_name: str
    time_zone: str


Row = TypeVar("Row")
_OPEN = "('CLOSED', 'CANCELLED')"
LOAD_POLICY_USAGE = f"""
    WITH used AS (
        SELECT p.id, p.code, p.current_version FROM sla_policy p
        WHERE p.code = ANY (%(codes)s)
    ), promised AS (
        SELECT k.id, k.customer_id, k.sla_policy_id FROM service_contract k JOIN used u ON u.id = k.sla_policy_id
        WHERE k.status <> 'TERMINATED' AND (%(customer_id)s::bigint IS NULL OR k.customer_id = %(customer_id)s)
    ), ticking AS (
        SELECT v.sla_policy_id, count(*) AS clocks, count(*) FILTER (WHERE v.version < u.current_version) AS earlier
        FROM sla_clock c JOIN sla_policy_version v ON v.id = c.policy_version_id JOIN used u ON u.id = v.sla_policy_id
        JOIN work_order w ON w.id = c.work_order_id
        WHERE c.state IN ('RUNNING', 'PAUSED') AND (%(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s)
        GROUP BY v.sla_policy_id
    )
    SELECT u.code, (SELECT count(*) FROM promised k WHERE k.sla_policy_id = u.id) AS contracts,
        (SELECT count(DISTINCT k.customer_id) FROM promised k WHERE k.sla_policy_id = u.id) AS customers,
        (SELECT count(*) FROM work_order w JOIN promised k ON k.id = w.contract_id
            WHERE k.sla_policy_id = u.id AND w.state NOT IN {_OPEN}) AS open_orders,
        coalesce(t.clocks, 0) AS running_clocks, coalesce(t.earlier, 0) AS earlier_clocks
    FROM used u LEFT JOIN ticking t ON t.sla_policy_id = u.id ORDER BY u.code
"""  # noqa: S608


def load_policy_usage(
    conn: Connection, codes: Sequence[str], *, customer_id: int | None = None
) -> dict[str, PolicyUsage]:
    """The usage of each of these policies that there is, by code; of one customer alone where one is named."""
    values = {"codes": list(codes), "customer_id": customer_id}
    return {row.code: row for row in _load(conn, PolicyUsage, LOAD_POLICY_USAGE, values)}


LOAD_CALENDAR_USAGE = f"""
    WITH used AS (
        SELECT c.id, c.code, c.current_version FROM service_calendar c WHERE c.code = ANY (%(codes)s)
    ), served AS (
        SELECT s.id, s.service_calendar_id FROM site s JOIN used u ON u.id = s.service_calendar_id
        WHERE %(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s
    ), ticking AS (
        SELECT v.service_calendar_id, count(*) AS clocks,
            count(*) FILTER (WHERE v.version < u.current_version) AS earlier
        FROM sla_clock c JOIN service_calendar_version v ON v.id = c.calendar_version_id
        JOIN used u ON u.id = v.service_calendar_id JOIN work_order w ON w.id = c.work_order_id
        WHERE c.state IN ('RUNNING', 'PAUSED') AND (%(customer_id)s::bigint IS NULL OR w.customer_id = %(customer_id)s)
        GROUP BY v.service_calendar_id
    )
    SELECT u.code, (SELECT count(*) FROM served s WHERE s.service_calendar_id = u.id) AS sites,
        (SELECT count(*) FROM sla_policy p
            JOIN sla_policy_version v ON v.sla_policy_id = p.id AND v.version = p.current_version
            WHERE v.service_calendar_id = u.id) AS policies,
        (SELECT count(*) FROM work_order w JOIN served s ON s.id = w.site_id
            WHERE s.service_calendar_id = u.id AND w.state NOT IN {_OPEN}) AS open_orders,
        coalesce(t.clocks, 0) AS running_clocks, coalesce(t.earlier, 0) AS earlier_clocks
    FROM used u LEFT JOIN ticking t ON t.service_calendar_id = u.id ORDER BY u.code
"""  # noqa: S608


def load_calendar_usage(
    conn: Connection, codes: Sequence[str], *, customer_id: int | None = None
) -> dict[str, CalendarUsage]:
    """The usage of each of these calendars that there is, by code; of one customer's sites where one is named."""
    values = {"codes": list(codes), "customer_id": customer_id}
    return {row.code: row for row in _load(conn, CalendarUsage, LOAD_CALENDAR_USAGE, values)}


LOAD_PROMISES = """
    SELECT k.code AS contract, c.code AS customer, c.name AS customer_name, k.status, k.ends_on
    FROM service_contract k JOIN sla_policy p ON p.id = k.sla_policy_id JOIN customer c ON c.id = k.customer_id
    WHERE p.code = %(code)s AND k.status <> 'TERMINATED'
        AND (%(customer_id)s::bigint IS NULL OR k.customer_id = %(customer_id)s)
    ORDER BY c.code, k.code LIMIT %(limit)s
"""


def load_promises(conn: Connection, code: str, *, customer_id: int | None = None, limit: int = 50) -> list[Promise]:
    """Contracts that have the policy, by customer."""
    return _load(conn, Promise, LOAD_PROMISES, {"code": code, "customer_id": customer_id, "limit": limit})


LOAD_SERVED_SITES = """
    SELECT s.code AS site, s.name AS site_name, c.code AS customer, c.name AS customer_name, s.time_zone
    FROM site s JOIN service_calendar h ON h.id = s.service_calendar_id JOIN customer c ON c.id = s.customer_id
    WHERE h.code = %(code)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
    ORDER BY c.code, s.code LIMIT %(limit)s
"""


def load_served_sites(
    conn: Connection, code: str, *, customer_id: int | None = None, limit: int = 50
) -> list[ServedSite]:
    """Sites that are served by the calendar, by customer."""
    return _load(conn, ServedSite, LOAD_SERVED_SITES, {"code": code, "customer_id": customer_id, "limit": limit})


COUNT_WITHOUT_POLICY = """
    SELECT count(*) FROM service_contract k
    WHERE k.sla_policy_id IS NULL AND k.status = 'ACTIVE'
        AND (%(customer_id)s::bigint IS NULL OR k.customer_id = %(customer_id)s)
"""


def count_without_policy(conn: Connection, *, customer_id: int | None = None) -> int:
    """How many contracts in force have no policy: the times of the device models' profiles hold there."""
    row = conn.execute(COUNT_WITHOUT_POLICY, {"customer_id": customer_id}).fetchone()
    assert row is not None
    return int(row[0])


def _load(conn: Connection, row_type: type[Row], query: str, values: Mapping[str, object]) -> list[Row]:
    with conn.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
