"""Service contracts as people see them, and their steps: into force, ended by people, run out by themselves."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_master_data import contract_moved
from domain.contract import ContractFacts, ContractState, find_contract_refusal
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class ServiceContract:
    """One contract. `devices` are the serials that it covers, where it does not cover all."""

    id: int
    code: str
    customer: str
    customer_name: str
    coverage: str
    starts_on: date
    ends_on: date
    status: str
    status_since: datetime
    status_reason: str
    remind_days: int
    sla_policy: str | None
    covers_all: bool
    devices: list[str]
    device_count: int
    region: str
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    row_version: int
    updated_at: datetime


MOST_NAMED = 100  # devices of a contract in a list; the single record names all
_COLUMNS = """
    k.id, k.code, c.code AS customer, c.name AS customer_name, k.coverage, k.starts_on, k.ends_on, k.status,
    k.status_since, k.status_reason, k.remind_days, p.code AS sla_policy, k.covers_all,
    ARRAY(SELECT d.serial FROM service_contract_device x JOIN device d ON d.id = x.device_id
        WHERE x.contract_id = k.id ORDER BY d.serial LIMIT %(most_named)s) AS devices,
    CASE WHEN k.covers_all
        THEN (SELECT count(*) FROM device d JOIN site s ON s.id = d.site_id WHERE s.customer_id = k.customer_id)
        ELSE (SELECT count(*) FROM service_contract_device x WHERE x.contract_id = k.id) END AS device_count,
    k.region, k.external_refs, k.is_simulated, k.row_version, k.updated_at
    FROM service_contract k JOIN customer c ON c.id = k.customer_id LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
"""
LOAD_CONTRACTS = f"""
    SELECT {_COLUMNS}
    WHERE (%(customer_id)s::bigint IS NULL OR k.customer_id = %(customer_id)s)
        AND (%(code)s::text IS NULL OR k.code = %(code)s)
        AND (%(customer)s::text IS NULL OR c.code = %(customer)s)
        AND (%(status)s::text IS NULL OR k.status = %(status)s)
        AND (%(device)s::text IS NULL OR EXISTS (SELECT FROM device d JOIN site s ON s.id = d.site_id
            WHERE d.serial = %(device)s AND s.customer_id = k.customer_id AND contract_covers(k, d.id)))
        AND k.code > %(after)s
    ORDER BY k.code LIMIT %(limit)s
"""  # noqa: S608 - columns are constants


@dataclass(frozen=True, slots=True)
class ContractFilter:
    """What a list shows. `customer_id` is the caller's own; the rest is what was asked for."""

    customer_id: int | None = None
    code: str | None = None
    customer: str | None = None
    status: str | None = None
    device: str | None = None  # serial: contracts that cover it


def load_service_contracts(
    conn: Connection, wanted: ContractFilter, *, after: str = "", limit: int = 100, most_named: int | None = MOST_NAMED
) -> list[ServiceContract]:
    """Contracts by code, those after the code `after`."""
    values = {name: getattr(wanted, name) for name in ContractFilter.__slots__}
    values |= {"after": after, "limit": limit, "most_named": most_named}
    with conn.cursor(row_factory=class_row(ServiceContract)) as cursor:
        return cursor.execute(LOAD_CONTRACTS, values).fetchall()


def load_service_contract(conn: Connection, code: str, *, customer_id: int | None) -> ServiceContract | None:
    """The contract of that code, with every device that it names, if the caller may see it."""
    found = load_service_contracts(conn, ContractFilter(customer_id, code), limit=1, most_named=None)
    return found[0] if found else None


LOAD_CONTRACT_OF = """
    SELECT k.code FROM service_contract k JOIN device d ON d.id = %(device)s JOIN site s ON s.id = d.site_id
    WHERE k.customer_id = s.customer_id AND k.status = 'ACTIVE' AND %(today)s BETWEEN k.starts_on AND k.ends_on
        AND contract_covers(k, d.id)
    ORDER BY k.ends_on DESC LIMIT 1
"""


def load_contract_of(conn: Connection, device_id: int, today: date) -> str | None:
    """The code of the contract under which the device's orders are done on that day, the one that lasts longest."""
    row = conn.execute(LOAD_CONTRACT_OF, {"device": device_id, "today": today}).fetchone()
    return None if row is None else str(row[0])


LOCK_CONTRACT = """
    SELECT k.id, k.status, k.ends_on, c.status, k.row_version
    FROM service_contract k JOIN customer c ON c.id = k.customer_id WHERE k.code = %s FOR UPDATE OF k
"""
MOVE = """
    UPDATE service_contract SET status = %(to)s, status_since = %(now)s, status_reason = %(reason)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def move_contract(
    conn: Connection,
    actor: Actor,
    code: str,
    to: ContractState,
    *,
    reason: str,
    expected_row_version: int | None,
    now: datetime,
) -> None:
    """The contract took the step of a person or another system.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such contract, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.contract.ContractGuard`.
    """
    row = conn.execute(LOCK_CONTRACT, (code,)).fetchone()
    if row is None:
        raise NotFoundError(f"(contract {code!r})")
    if expected_row_version is not None and row[4] != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row[4]}, not {expected_row_version}.")
    was = ContractState(row[1])
    refusal = find_contract_refusal(
        to, ContractFacts(was, row[2], row[3]), permission=actor.permission, reason=reason, today=now.date()
    )
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    conn.execute(MOVE, {"id": row[0], "to": to, "now": now, "reason": reason})
    record_audit(conn, actor, contract_moved(code, was, to, reason))


# The last day is over everywhere in UTC; whoever comes second finds nothing left.
EXPIRE = """
    UPDATE service_contract k SET status = 'EXPIRED', status_since = %(now)s, row_version = k.row_version + 1,
        updated_at = %(now)s
    WHERE k.id IN (SELECT id FROM service_contract WHERE status = 'ACTIVE' AND ends_on < %(today)s
        ORDER BY ends_on, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING k.code
"""


def expire_contracts(conn: Connection, actor: Actor, now: datetime, limit: int) -> list[str]:
    """The codes of the contracts whose last day is over and that run out by this call."""
    values = {"now": now, "today": now.date(), "limit": limit}
    codes = sorted(code for (code,) in conn.execute(EXPIRE, values).fetchall())
    record_audit(conn, actor, *(contract_moved(c, ContractState.ACTIVE, ContractState.EXPIRED, "") for c in codes))
    return codes
