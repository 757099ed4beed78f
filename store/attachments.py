"""Attachments of work orders as rows, written once; store/attachment_files.py has their bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.attachment import Attachment, AttachmentKind, MediaType, Visibility, find_attachment_refusal
from domain.audit import Actor
from domain.audit_attachment import file_attached
from domain.errors import GuardRefusedError
from store.audit import record_audit
from store.pool import Connection
from store.work_order_records import touch_work_order
from store.work_orders import lock_work_order


@dataclass(frozen=True, slots=True)
class AttachmentDraft:
    """A file whose bytes have just been kept, and what is said of it."""

    sha256: str
    size: int
    kind: AttachmentKind
    media_type: MediaType
    visibility: Visibility
    file_name: str
    note: str
    captured_at: datetime
    captured_by: str


# Who may see internal files sees all.
LOAD_ATTACHMENTS = """
    SELECT a.id, w.code AS work_order, a.sha256, a.kind, a.media_type, a.visibility, a.size, a.file_name, a.note,
        a.captured_at, a.captured_by, a.uploaded_at, a.uploaded_by
    FROM attachment a JOIN work_order w ON w.id = a.work_order_id
    WHERE a.work_order_id IN (SELECT orders_within(%(order_id)s)) AND (%(id)s::bigint IS NULL OR a.id = %(id)s)
        AND (%(internal)s OR a.visibility = 'CUSTOMER')
    ORDER BY a.id
"""


def load_attachments(conn: Connection, order_id: int, *, internal: bool) -> list[Attachment]:
    """The files of the order and of what went up in it, the oldest first; without `internal` those for customers."""
    return _load(conn, order_id, None, internal=internal)


def load_attachment(conn: Connection, order_id: int, attachment_id: int, *, internal: bool) -> Attachment | None:
    """That file of the order, or None."""
    return next(iter(_load(conn, order_id, attachment_id, internal=internal)), None)


def _load(conn: Connection, order_id: int, attachment_id: int | None, *, internal: bool) -> list[Attachment]:
    values = {"order_id": order_id, "id": attachment_id, "internal": internal}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_attachment(row) for row in cursor.execute(LOAD_ATTACHMENTS, values)]


def _to_attachment(row: dict[str, Any]) -> Attachment:
    kinds: dict[str, Any] = {
        "kind": AttachmentKind(row["kind"]),
        "media_type": MediaType(row["media_type"]),
        "visibility": Visibility(row["visibility"]),
    }
    return Attachment(**{**row, **kinds})


RECORD_ATTACHMENT = """
    INSERT INTO attachment (work_order_id, order_version, sha256, kind, media_type, visibility, size, file_name, note,
        captured_at, captured_by, uploaded_at, uploaded_by)
    VALUES (%(order_id)s, %(version)s, %(sha256)s, %(kind)s, %(media_type)s, %(visibility)s, %(size)s, %(file_name)s,
        %(note)s, %(captured_at)s, %(captured_by)s, %(now)s, %(by)s)
    RETURNING id
"""
FIND_SAME = "SELECT id FROM attachment WHERE work_order_id = %s AND sha256 = %s AND visibility = %s"
COUNT_FILES = "SELECT count(*)::integer FROM attachment WHERE work_order_id IN (SELECT orders_within(%s))"


def record_attachment(
    conn: Connection, actor: Actor, code: str, draft: AttachmentDraft, *, now: datetime
) -> tuple[Attachment, bool]:
    """The file of the order, and whether it was not there before: the same content is attached once.

    Raises
    ------
    NotFoundError, GuardRefusedError
        There is no such order; a rule refuses it (`domain.attachment.AttachmentGuard`).
    """
    order = lock_work_order(conn, code, None)
    same = conn.execute(FIND_SAME, (order.id, draft.sha256, draft.visibility)).fetchone()
    if same is not None:
        return _find(conn, order.id, same[0]), False
    row = conn.execute(COUNT_FILES, (order.id,)).fetchone()
    assert row is not None
    refusal = find_attachment_refusal(order.state, row[0], draft.captured_at, now)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    values = {name: getattr(draft, name) for name in AttachmentDraft.__slots__}
    values |= {"order_id": order.id, "version": order.version, "now": now, "by": actor.name}
    made = conn.execute(RECORD_ATTACHMENT, values).fetchone()
    assert made is not None
    touch_work_order(conn, order.id, now)
    record_audit(
        conn,
        actor,
        file_attached(code, made[0], draft.sha256, draft.kind, draft.media_type, draft.visibility, draft.size),
    )
    return _find(conn, order.id, made[0]), True


def _find(conn: Connection, order_id: int, attachment_id: int) -> Attachment:
    found = load_attachment(conn, order_id, attachment_id, internal=True)
    assert found is not None
    return found


LOAD_HASHES = "SELECT DISTINCT sha256 FROM attachment WHERE sha256 > %s ORDER BY sha256 LIMIT %s"


def load_hashes(conn: Connection, *, batch: int = 1000) -> Iterator[str]:
    """The hash of every content that some order has, once each, in order."""
    after = ""
    while rows := conn.execute(LOAD_HASHES, (after, batch)).fetchall():
        for (sha256,) in rows:
            yield sha256
        after = rows[-1][0]
