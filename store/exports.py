"""The log of what people took out as files: written once, before the first byte leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.approval_request import ApprovalRequest, ApprovalSubject, ApprovalWish
from domain.audit import Actor
from domain.audit_export import export_granted, export_taken
from domain.errors import GuardRefusedError
from domain.export import USABLE_FOR, ExportGuard, ExportWish, find_export_refusal, find_wish_problems
from store.approval_requests import ApprovalHandler, load_approval_request
from store.audit import record_audit, to_jsonb
from store.export_lists import EXPORT_LISTS
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Export:
    """One file that was taken out."""

    id: int
    code: str  # EX-2026-000001
    at: datetime
    actor: str
    role: str
    permission: str
    list: str
    format: str
    filter: dict[str, Any]
    columns: tuple[str, ...]
    is_identifiable: bool
    row_count: int
    size_bytes: int
    sha256: str
    reason: str
    approval_request: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What was written, before it is handed out."""

    row_count: int
    size_bytes: int
    sha256: str


NEXT_CODE = """
    SELECT 'EX-' || extract(year FROM %s::timestamptz)::text || '-'
        || to_char(nextval('export_number'), 'FM9999999999000000')
"""


def take_export_code(conn: Connection, now: datetime) -> str:
    """The code of the export that is being made: its watermark names it. One that comes to nothing leaves a gap."""
    row = conn.execute(NEXT_CODE, (now,)).fetchone()
    assert row is not None
    return str(row[0])


IS_USED = "SELECT EXISTS (SELECT FROM export_log WHERE approval_request_id = %s)"


def verify_export_approved(
    conn: Connection, actor: Actor, wish: ExportWish, approval: str | None, now: datetime
) -> ApprovalRequest:
    """The request by which a second person granted exactly this export to this person, and that was not used.

    Raises
    ------
    GuardRefusedError
        `guard` is a value of `domain.export.ExportGuard`.
    """
    request = load_approval_request(conn, approval) if approval else None
    used = conn.execute(IS_USED, (None if request is None else request.id,)).fetchone()
    is_used = used is not None and bool(used[0])
    refusal = find_export_refusal(wish, request, taker_id=actor.user_id, is_used=is_used, now=now)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    assert request is not None
    return request


RECORD_EXPORT = """
    INSERT INTO export_log (code, at, user_id, actor, role, permission, customer_id, list, format, filter, columns,
        is_identifiable, row_count, size_bytes, sha256, reason, approval_request_id, request_id)
    VALUES (%(code)s, %(at)s, %(user_id)s, %(actor)s, %(role)s, %(permission)s, %(customer_id)s, %(list)s, %(format)s,
        %(filter)s, %(columns)s, %(is_identifiable)s, %(row_count)s, %(size_bytes)s, %(sha256)s, %(reason)s,
        %(approval_request_id)s, %(request_id)s)
"""


def record_export(
    conn: Connection,
    actor: Actor,
    code: str,
    wish: ExportWish,
    file: ExportFile,
    *,
    customer_id: int | None,
    approval: ApprovalRequest | None,
    now: datetime,
    reason: str = "",
) -> None:
    """Logs and audits the export in the caller's transaction; no byte of the file leaves before that is committed.

    Raises
    ------
    GuardRefusedError
        What was granted was taken at this moment by another request.
    """
    reason = reason if approval is None else approval.reason
    values = {
        "code": code,
        "at": now,
        "user_id": actor.user_id,
        "actor": actor.name,
        "role": actor.role,
        "permission": actor.permission,
        "customer_id": customer_id,
        "list": wish.list,
        "format": wish.format,
        "filter": to_jsonb(dict(wish.filter)),
        "columns": list(wish.columns),
        "is_identifiable": approval is not None,
        "row_count": file.row_count,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "reason": reason,
        "approval_request_id": None if approval is None else approval.id,
        "request_id": actor.request_id,
    }
    try:
        with conn.transaction():
            conn.execute(RECORD_EXPORT, values)
    except UniqueViolation as error:
        raise GuardRefusedError(ExportGuard.APPROVAL_USED, "what was granted was taken just now") from error
    entry = export_taken(
        code,
        name=wish.list,
        filter_=wish.filter,
        columns=list(wish.columns),
        rows=file.row_count,
        sha256=file.sha256,
        approval=None if approval is None else approval.code,
        reason=reason,
    )
    record_audit(conn, actor, entry)


LIST_EXPORTS = """
    SELECT e.id, e.code, e.at, e.actor, e.role, e.permission, e.list, e.format, e.filter, e.columns, e.is_identifiable,
        e.row_count, e.size_bytes, e.sha256, e.reason, r.code AS approval_request, e.request_id
    FROM export_log e LEFT JOIN approval_request r ON r.id = e.approval_request_id
    WHERE (%(actor)s = '' OR e.actor = %(actor)s) AND (%(list)s = '' OR e.list = %(list)s)
        AND (%(code)s = '' OR e.code = %(code)s)
        AND (%(identifiable)s::boolean IS NULL OR e.is_identifiable = %(identifiable)s)
        AND (%(before_id)s::bigint IS NULL OR e.id < %(before_id)s)
    ORDER BY e.id DESC LIMIT %(limit)s
"""


def load_exports(
    conn: Connection,
    *,
    actor: str = "",
    list_: str = "",
    code: str = "",
    identifiable: bool | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> Sequence[Export]:
    """What was taken out, the newest first."""
    values = {
        "actor": actor,
        "list": list_,
        "code": code,
        "identifiable": identifiable,
        "before_id": before_id,
        "limit": limit,
    }
    with conn.cursor(row_factory=class_row(Export)) as cursor:
        return cursor.execute(LIST_EXPORTS, values).fetchall()


def _find_problems(entity_id: str, payload: Mapping[str, Any]) -> Mapping[str, str]:
    return find_wish_problems(EXPORT_LISTS, entity_id, payload)


def _load_subject(conn: Connection, wish: ApprovalWish) -> ApprovalSubject:
    # An export is of what is there when it is taken; which columns name people is part of what is granted.
    return ApprovalSubject({"personal_columns": sorted(EXPORT_LISTS[wish.entity_id].personal_columns)})


def _grant(conn: Connection, actor: Actor, request: ApprovalRequest, now: datetime) -> Mapping[str, Any]:
    usable_until = now + USABLE_FOR
    record_audit(conn, actor, export_granted(request.code, request.entity_id, request.payload, usable_until))
    return {"usable_until": usable_until}


IDENTIFIABLE_EXPORT = ApprovalHandler(_find_problems, _load_subject, _grant)
