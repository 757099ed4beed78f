"""SLA policies: versions written once, and which contract has which."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_sla import policy_assigned, policy_recorded
from domain.errors import NotFoundError, RowVersionConflictError
from domain.sla_policy import SlaPolicy, policy_to_json
from store.audit import record_audit, to_jsonb
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy in one version."""

    id: int
    code: str
    name: str
    row_version: int
    updated_at: datetime
    version_id: int
    version: int
    body: dict[str, Any]
    service_calendar: str | None
    made_by: str
    made_at: datetime
    reason: str


_COLUMNS = """p.id, p.code, p.name, p.row_version, p.updated_at, v.id AS version_id, v.version, v.body,
    (SELECT c.code FROM service_calendar c WHERE c.id = v.service_calendar_id) AS service_calendar, v.made_by,
    v.made_at, v.reason"""
# A customer's users see what their own contracts promise.
LOAD_POLICIES = f"""
    SELECT {_COLUMNS} FROM sla_policy p
    JOIN sla_policy_version v ON v.sla_policy_id = p.id AND v.version = p.current_version
    WHERE (%(code)s = '' OR p.code = %(code)s) AND p.code > %(after)s
        AND (%(customer_id)s::bigint IS NULL
            OR EXISTS (SELECT FROM service_contract k WHERE k.sla_policy_id = p.id AND k.customer_id = %(customer_id)s))
    ORDER BY p.code LIMIT %(limit)s
"""  # noqa: S608


def load_policies(
    conn: Connection, *, customer_id: int | None = None, after: str = "", limit: int = 100
) -> list[PolicyRow]:
    """Policies by code, behind the code `after`, each in its current version."""
    values = {"code": "", "after": after, "customer_id": customer_id, "limit": limit}
    with conn.cursor(row_factory=class_row(PolicyRow)) as cursor:
        return cursor.execute(LOAD_POLICIES, values).fetchall()


def load_policy(conn: Connection, code: str, *, customer_id: int | None = None) -> PolicyRow | None:
    """The policy of that code in its current version, or None."""
    values = {"code": code, "after": "", "customer_id": customer_id, "limit": 1}
    with conn.cursor(row_factory=class_row(PolicyRow)) as cursor:
        return cursor.execute(LOAD_POLICIES, values).fetchone() if code else None


LOAD_VERSIONS = f"""
    SELECT {_COLUMNS} FROM sla_policy p JOIN sla_policy_version v ON v.sla_policy_id = p.id
    WHERE p.code = %s ORDER BY v.version DESC
"""  # noqa: S608


def load_policy_versions(conn: Connection, code: str) -> list[PolicyRow]:
    """Every version of the policy, the newest first."""
    with conn.cursor(row_factory=class_row(PolicyRow)) as cursor:
        return cursor.execute(LOAD_VERSIONS, (code,)).fetchall()


RECORD_POLICY = """
    INSERT INTO sla_policy (code, name, current_version, updated_at) VALUES (%s, %s, 1, %s) RETURNING id
"""
RECORD_VERSION = """
    INSERT INTO sla_policy_version (sla_policy_id, version, body, service_calendar_id, made_by, made_at, reason)
    VALUES (%(id)s, %(version)s, %(body)s, (SELECT id FROM service_calendar WHERE code = %(calendar)s), %(by)s, %(now)s,
        %(reason)s)
"""


def create_policy(
    conn: Connection,
    actor: Actor,
    code: str,
    name: str,
    policy: SlaPolicy,
    calendar: str | None,
    *,
    reason: str,
    now: datetime,
) -> bool:
    """Makes the policy in its first version; False where there is one of that code.

    `find_policy_problems` was asked before, and the calendar exists.
    """
    try:
        with conn.transaction():
            row = conn.execute(RECORD_POLICY, (code, name, now)).fetchone()
    except UniqueViolation:
        return False
    assert row is not None
    after = _record_version(conn, row[0], 1, policy, calendar, actor.name, reason, now)
    record_audit(conn, actor, policy_recorded(code, None, {"name": name, **after}, reason))
    return True


LOCK_POLICY = """
    SELECT p.id, p.name, p.row_version, v.version, v.body, c.code FROM sla_policy p
    JOIN sla_policy_version v ON v.sla_policy_id = p.id AND v.version = p.current_version
    LEFT JOIN service_calendar c ON c.id = v.service_calendar_id
    WHERE p.code = %s FOR UPDATE OF p
"""
CHANGE_POLICY = """
    UPDATE sla_policy SET name = %s, current_version = %s, row_version = row_version + 1, updated_at = %s WHERE id = %s
"""


def change_policy(
    conn: Connection,
    actor: Actor,
    code: str,
    name: str,
    policy: SlaPolicy,
    calendar: str | None,
    *,
    expected_row_version: int | None,
    reason: str,
    now: datetime,
) -> None:
    """A new version of the policy: clocks that begin from now on count by it, those that run keep theirs.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it has moved since the caller saw it.
    """
    row = conn.execute(LOCK_POLICY, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    policy_id, old_name, row_version, version, old_body, old_calendar = row
    if expected_row_version is not None and row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row_version}, not {expected_row_version}.")
    after = _record_version(conn, policy_id, version + 1, policy, calendar, actor.name, reason, now)
    conn.execute(CHANGE_POLICY, (name, version + 1, now, policy_id))
    before = {"name": old_name, "version": version, "policy": old_body, "service_calendar": old_calendar}
    record_audit(conn, actor, policy_recorded(code, before, {"name": name, **after}, reason))


def _record_version(
    conn: Connection,
    policy_id: int,
    version: int,
    policy: SlaPolicy,
    calendar: str | None,
    by: str,
    reason: str,
    now: datetime,
) -> dict[str, Any]:
    body = policy_to_json(policy)
    values = {"id": policy_id, "version": version, "body": to_jsonb(body), "calendar": calendar, "by": by, "now": now}
    conn.execute(RECORD_VERSION, values | {"reason": reason})
    return {"version": version, "policy": body, "service_calendar": calendar}


@dataclass(frozen=True, slots=True)
class ContractPolicy:
    """Which policy a contract has."""

    contract: str
    row_version: int
    sla_policy: str | None


LOAD_CONTRACT_POLICY = """
    SELECT k.code AS contract, k.row_version, p.code AS sla_policy
    FROM service_contract k LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
    WHERE k.code = %(code)s AND (%(customer_id)s::bigint IS NULL OR k.customer_id = %(customer_id)s)
"""


def load_contract_policy(conn: Connection, code: str, *, customer_id: int | None = None) -> ContractPolicy | None:
    """The contract of that code and its policy, or None."""
    with conn.cursor(row_factory=class_row(ContractPolicy)) as cursor:
        return cursor.execute(LOAD_CONTRACT_POLICY, {"code": code, "customer_id": customer_id}).fetchone()


LOCK_CONTRACT = """
    SELECT k.id, k.row_version, p.code FROM service_contract k LEFT JOIN sla_policy p ON p.id = k.sla_policy_id
    WHERE k.code = %s FOR UPDATE OF k
"""
ASSIGN_POLICY = """
    UPDATE service_contract SET sla_policy_id = (SELECT id FROM sla_policy WHERE code = %(policy)s),
        row_version = row_version + 1
    WHERE id = %(id)s
"""


def assign_policy(
    conn: Connection,
    actor: Actor,
    contract: str,
    policy: str | None,
    *,
    expected_row_version: int | None,
    reason: str,
) -> None:
    """Clocks of the contract's orders begin by that policy from now on; None: by the times of the models' profiles.

    The caller knows that the policy exists.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such contract, or it has moved since the caller saw it.
    """
    row = conn.execute(LOCK_CONTRACT, (contract,)).fetchone()
    if row is None:
        raise NotFoundError(contract)
    if expected_row_version is not None and row[1] != expected_row_version:
        raise RowVersionConflictError(f"{contract} is at version {row[1]}, not {expected_row_version}.")
    conn.execute(ASSIGN_POLICY, {"id": row[0], "policy": policy})
    record_audit(conn, actor, policy_assigned(contract, row[2], policy, reason))
