"""SLA policies: versions written once, and which contract has which."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_sla import policy_assigned, policy_recorded
from domain.errors import NotFoundError, RowVersionConflictError
from domain.sla_policy import SlaPolicy, policy_to_json
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.versioned_records import VersionedRecords


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


_COLUMNS = """h.id, h.code, h.name, h.row_version, h.updated_at, v.id AS version_id, v.version, v.body,
    (SELECT c.code FROM service_calendar c WHERE c.id = v.service_calendar_id) AS service_calendar, v.made_by,
    v.made_at, v.reason"""
# A customer's users see what their own contracts promise.
_VISIBLE = """(%(customer_id)s::bigint IS NULL
        OR EXISTS (SELECT FROM service_contract k WHERE k.sla_policy_id = h.id AND k.customer_id = %(customer_id)s))"""
POLICIES = VersionedRecords("sla_policy", _COLUMNS, _VISIBLE, PolicyRow)


RECORD_POLICY = """
    INSERT INTO sla_policy (code, name, current_version, updated_at)
    VALUES (%(code)s, %(name)s, 1, %(now)s) RETURNING id
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
    policy_id = POLICIES.insert(conn, RECORD_POLICY, {"code": code, "name": name, "now": now})
    if policy_id is None:
        return False
    after = _record_version(conn, policy_id, 1, policy, calendar, actor.name, reason, now)
    record_audit(conn, actor, policy_recorded(code, None, {"name": name, **after}, reason))
    return True


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
    before = POLICIES.lock(conn, code, expected_row_version)
    after = _record_version(conn, before.id, before.version + 1, policy, calendar, actor.name, reason, now)
    conn.execute(CHANGE_POLICY, (name, before.version + 1, now, before.id))
    was = {
        "name": before.name,
        "version": before.version,
        "policy": before.body,
        "service_calendar": before.service_calendar,
    }
    record_audit(conn, actor, policy_recorded(code, was, {"name": name, **after}, reason))


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
