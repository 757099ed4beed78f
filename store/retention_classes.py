"""How long each class is kept: what two people decided, what service-link is set to, and what it applied last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.approval_request import ApprovalRequest, ApprovalSubject, ApprovalWish
from domain.audit import Actor
from domain.audit_retention import retention_changed
from domain.errors import GuardRefusedError, NotFoundError
from domain.retention import KeptClass, find_retention_problems, find_retention_refusal
from store.approval_requests import ApprovalHandler
from store.audit import record_audit
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One class. Days: 0 is for ever; None: nobody decided, or nothing was applied yet."""

    class_: str
    decided_days: int | None
    decided_by: str | None
    decided_at: datetime | None
    request: str | None
    reason: str
    setting_days: int | None
    applied_days: int | None
    applied_at: datetime | None
    row_version: int

    @property
    def days(self) -> int | None:
        """What counts from the next round of housekeeping on."""
        return self.setting_days if self.decided_days is None else self.decided_days


LOAD_KEPT = """
    SELECT class AS class_, decided_days, decided_by, decided_at, request, reason, setting_days, applied_days,
        applied_at, row_version
    FROM retention_class ORDER BY class
"""
LOCK_KEPT = f"{LOAD_KEPT} FOR UPDATE"


def load_kept_classes(conn: Connection) -> dict[KeptClass, KeptRow]:
    """Every class."""
    return _load(conn, LOAD_KEPT)


def _load(conn: Connection, query: str) -> dict[KeptClass, KeptRow]:
    with conn.cursor(row_factory=class_row(KeptRow)) as cursor:
        rows = {KeptClass(row.class_): row for row in cursor.execute(query.encode())}
    return {kept: rows[kept] for kept in KeptClass}


LOAD_DAYS = "SELECT coalesce(decided_days, %s) FROM retention_class WHERE class = %s"


def load_days(conn: Connection, kept: KeptClass, setting: int) -> int:
    """How many days that class is kept: as it was decided, else as the program is set; 0: for ever."""
    row = conn.execute(LOAD_DAYS, (setting, kept)).fetchone()
    assert row is not None
    return int(row[0])


APPLY_DAYS = """
    UPDATE retention_class r SET setting_days = s.days, applied_days = coalesce(r.decided_days, s.days),
        applied_at = %(now)s
    FROM unnest(%(classes)s::text[], %(days)s::integer[]) AS s (class, days) WHERE s.class = r.class
    RETURNING r.class, r.applied_days
"""


def apply_days(conn: Connection, settings: Mapping[KeptClass, int], now: datetime) -> dict[KeptClass, int]:
    """The days that count now, noted as applied together with what the program is set to."""
    values = {"classes": [kept.value for kept in settings], "days": list(settings.values()), "now": now}
    return {KeptClass(kept): days for kept, days in conn.execute(APPLY_DAYS, values).fetchall()}


def load_retention_subject(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    """How long the class is kept now, all classes locked.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such class; `guard` is a value of `domain.retention.RetentionGuard`.
    """
    _, days = _lock(conn, wish.entity_id, wish.payload)
    return ApprovalSubject({"days": days})


DECIDE_DAYS = """
    UPDATE retention_class SET decided_days = %(days)s, decided_by = %(by)s, decided_at = %(now)s,
        request = %(request)s, reason = %(reason)s, row_version = row_version + 1
    WHERE class = %(class)s
"""


def record_retention(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    """The class is kept for the days that were asked for, from the next round of housekeeping on.

    Raises
    ------
    NotFoundError, GuardRefusedError
        As of `load_retention_subject`.
    """
    kept, before = _lock(conn, request.entity_id, request.payload)
    days = int(request.payload["days"])
    values = {"class": kept, "days": days, "by": actor.name, "now": now, "request": request.code}
    conn.execute(DECIDE_DAYS, values | {"reason": request.reason})
    record_audit(conn, actor, retention_changed(kept, before, days, request.code, request.reason))
    return {"days": days}


def _lock(conn: Connection, entity_id: str, payload: Mapping[str, Any]) -> tuple[KeptClass, int]:
    """The class and the days that count now."""
    if entity_id not in [kept.value for kept in KeptClass]:
        raise NotFoundError(entity_id)
    kept, rows = KeptClass(entity_id), _load(conn, LOCK_KEPT)
    in_force = {one: row.days for one, row in rows.items()}
    refusal = find_retention_refusal(kept, int(payload["days"]), in_force)
    if refusal is not None:
        raise GuardRefusedError(*refusal)
    days = in_force[kept]
    assert days is not None
    return kept, days


RETENTION_CHANGE = ApprovalHandler(find_retention_problems, load_retention_subject, record_retention)
