"""Customers as people see them: with their sites and contracts, a customer's own user seeing only itself."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer, with what is open there."""

    id: int
    code: str
    name: str
    type: str
    channel: str
    status: str
    region: str
    contacts: list[dict[str, Any]]
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
    site_count: int
    device_count: int
    open_work_orders: int


@dataclass(frozen=True, slots=True)
class Site:
    """One place where devices stand."""

    id: int
    code: str
    name: str
    department: str
    address: str
    time_zone: str
    region: str
    device_count: int


@dataclass(frozen=True, slots=True)
class Contract:
    """One service contract."""

    code: str
    coverage: str
    starts_on: date
    ends_on: date
    status: str
    remind_days: int


_COLUMNS = """
    c.id, c.code, c.name, c.type, c.channel, c.status, c.region, c.contacts, c.external_refs, c.is_simulated,
    c.row_version, c.created_at, c.updated_at,
    (SELECT count(*) FROM site s WHERE s.customer_id = c.id) AS site_count,
    (SELECT count(*) FROM device d JOIN site s ON s.id = d.site_id WHERE s.customer_id = c.id) AS device_count,
    (SELECT count(*) FROM work_order w WHERE w.customer_id = c.id AND w.state NOT IN ('CLOSED', 'CANCELLED'))
        AS open_work_orders
"""
_WHERE = """
    (%(customer_id)s::bigint IS NULL OR c.id = %(customer_id)s)
    AND (%(type)s::text IS NULL OR c.type = %(type)s)
    AND (%(region)s::text IS NULL OR c.region = %(region)s)
    AND (%(q)s::text IS NULL OR strpos(lower(c.code || ' ' || c.name), lower(%(q)s)) > 0)
"""
LOAD_CUSTOMERS = f"""
    SELECT {_COLUMNS} FROM customer c WHERE {_WHERE} AND c.code > %(after)s ORDER BY c.code LIMIT %(limit)s
"""  # noqa: S608 - columns and conditions are constants
COUNT_CUSTOMERS = f"SELECT count(*) FROM customer c WHERE {_WHERE}"  # noqa: S608 - conditions are constants


def load_customers(
    conn: Connection,
    *,
    customer_id: int | None,
    type_: str | None = None,
    region: str | None = None,
    q: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[Customer]:
    """Customers by code, those after the code `after`; `customer_id` narrows to the caller's own."""
    parameters = {"customer_id": customer_id, "type": type_, "region": region, "q": q, "after": after, "limit": limit}
    with conn.cursor(row_factory=class_row(Customer)) as cursor:
        return cursor.execute(LOAD_CUSTOMERS, parameters).fetchall()


def count_customers(
    conn: Connection,
    *,
    customer_id: int | None,
    type_: str | None = None,
    region: str | None = None,
    q: str | None = None,
) -> int:
    """How many customers the same filters match."""
    parameters = {"customer_id": customer_id, "type": type_, "region": region, "q": q}
    row = conn.execute(COUNT_CUSTOMERS, parameters).fetchone()
    assert row is not None
    return int(row[0])


LOAD_CUSTOMER = f"""
    SELECT {_COLUMNS} FROM customer c
    WHERE c.code = %(code)s AND (%(customer_id)s::bigint IS NULL OR c.id = %(customer_id)s)
"""  # noqa: S608 - columns are constants


def load_customer(conn: Connection, code: str, *, customer_id: int | None) -> Customer | None:
    """The customer of that code if the caller may see it."""
    with conn.cursor(row_factory=class_row(Customer)) as cursor:
        return cursor.execute(LOAD_CUSTOMER, {"code": code, "customer_id": customer_id}).fetchone()


LOAD_CUSTOMER_ID = "SELECT id FROM customer WHERE code = %s"


def load_customer_id(conn: Connection, code: str) -> int | None:
    """The id of the customer of that code."""
    row = conn.execute(LOAD_CUSTOMER_ID, (code,)).fetchone()
    return None if row is None else int(row[0])


LOAD_CUSTOMER_CODE = "SELECT code FROM customer WHERE id = %s"


def load_customer_code(conn: Connection, customer_id: int) -> str | None:
    """The code of the customer of that id."""
    row = conn.execute(LOAD_CUSTOMER_CODE, (customer_id,)).fetchone()
    return None if row is None else str(row[0])


LOAD_SITES = """
    SELECT s.id, s.code, s.name, s.department, s.address, s.time_zone, s.region,
        (SELECT count(*) FROM device d WHERE d.site_id = s.id) AS device_count
    FROM site s WHERE s.customer_id = %s ORDER BY s.code
"""


def load_sites(conn: Connection, customer_id: int) -> list[Site]:
    """The customer's sites by code."""
    with conn.cursor(row_factory=class_row(Site)) as cursor:
        return cursor.execute(LOAD_SITES, (customer_id,)).fetchall()


LOAD_CONTRACTS = """
    SELECT code, coverage, starts_on, ends_on, status, remind_days
    FROM service_contract WHERE customer_id = %s ORDER BY ends_on DESC, code
"""


def load_contracts(conn: Connection, customer_id: int) -> list[Contract]:
    """The customer's contracts, the one that lasts longest first."""
    with conn.cursor(row_factory=class_row(Contract)) as cursor:
        return cursor.execute(LOAD_CONTRACTS, (customer_id,)).fetchall()
