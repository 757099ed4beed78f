"""The steps of a device's life-cycle, each with its guards, history and audit."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_master_data import lifecycle_moved
from domain.device_lifecycle import Lifecycle, LifecycleFacts, find_lifecycle_refusal
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from store.audit import record_audit
from store.device_claims import withdraw_claims
from store.fault_locks import lock_faults
from store.master_references import find_source, name_source
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class _Locked:
    id: int
    lifecycle: str
    installed_on: date | None
    time_zone: str | None
    row_version: int
    open_orders: list[str]
    has_account: bool


LOAD_DEVICE_ID = "SELECT id FROM device WHERE serial = %s"
LOCK_DEVICE = """
    SELECT d.id, d.lifecycle, d.installed_on, s.time_zone, d.row_version,
        ARRAY(SELECT w.code FROM work_order w WHERE w.device_id = d.id AND w.state NOT IN ('CLOSED', 'CANCELLED')
            ORDER BY w.id LIMIT 6) AS open_orders,
        EXISTS (SELECT FROM device_account a WHERE a.device_id = d.id AND a.state = 'ACTIVE') AS has_account
    FROM device d LEFT JOIN site s ON s.id = d.site_id
    WHERE d.serial = %s FOR NO KEY UPDATE OF d
"""
MOVE = """
    UPDATE device SET lifecycle = %(to)s, lifecycle_since = %(now)s, row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""


def record_lifecycle(
    conn: Connection,
    actor: Actor,
    serial: str,
    to: Lifecycle,
    *,
    reason: str,
    expected_row_version: int | None,
    revoke: Callable[[Connection], object] | None,
    now: datetime,
) -> None:
    """The device took the step. Of one that is decommissioned no claim code opens anything any more, and `revoke`
    removes its account at the broker (None: this program cannot), in this transaction and before the audit's.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such device, or it has moved since the caller saw it.
    GuardRefusedError
        `guard` is a value of `domain.device_lifecycle.LifecycleGuard`.
    """
    if to is Lifecycle.DECOMMISSIONED:  # nobody opens an order of it while it is looked for open ones
        lock_faults(conn, [device_id for (device_id,) in conn.execute(LOAD_DEVICE_ID, (serial,))])
    with conn.cursor(row_factory=class_row(_Locked)) as cursor:
        found = cursor.execute(LOCK_DEVICE, (serial,)).fetchone()
    if found is None:
        raise NotFoundError(f"(device {serial!r})")
    if expected_row_version is not None and found.row_version != expected_row_version:
        raise RowVersionConflictError(f"{serial} is at version {found.row_version}, not {expected_row_version}.")
    was = Lifecycle(found.lifecycle)
    facts = LifecycleFacts(
        was,
        found.time_zone is not None,
        found.installed_on,
        tuple(found.open_orders),
        has_account=found.has_account,
        can_revoke=revoke is not None,
    )
    today = now.astimezone(ZoneInfo(found.time_zone or "UTC")).date()
    refusal = find_lifecycle_refusal(to, facts, permission=actor.permission, reason=reason, today=today)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    name_source(conn, find_source(actor), now)
    conn.execute(MOVE, {"id": found.id, "to": to, "now": now})
    if to is Lifecycle.DECOMMISSIONED:
        withdraw_claims(conn, found.id)
        if revoke is not None:
            revoke(conn)
    record_audit(conn, actor, lifecycle_moved(serial, was, to, reason))
