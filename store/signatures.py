"""Signatures of people on records: written once, bound to the hash of what was signed, and shown as invalid as soon as
the record says something else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import (
    RecordedSignature,
    Signature,
    find_canonical_text,
    find_changed_fields,
    find_content_sha256,
)
from store.pool import Connection

RECORD_SIGNATURE = """
    INSERT INTO signature (entity, entity_id, entity_version, content_sha256, content, signer_id, printed_name, meaning,
        signed_at)
    VALUES (%(entity)s, %(entity_id)s, %(entity_version)s, %(content_sha256)s, %(content)s, %(signer_id)s,
        %(printed_name)s, %(meaning)s, %(now)s)
"""


def record_signature(
    conn: Connection,
    entity: str,
    entity_id: int,
    entity_version: int,
    content: Mapping[str, Any],
    signature: Signature,
    now: datetime,
) -> None:
    """Puts the signature on that content of the record, in the caller's transaction; it can never be changed.

    The caller has just checked the signer's password again. `content` holds what the signature stands for and nothing
    that changes by itself (row versions, times of change), or every tick of a clock would make it invalid.
    """
    conn.execute(
        RECORD_SIGNATURE,
        {
            "entity": entity,
            "entity_id": entity_id,
            "entity_version": entity_version,
            "content_sha256": find_content_sha256(content),
            "content": find_canonical_text(content),
            "signer_id": signature.signer_id,
            "printed_name": signature.printed_name,
            "meaning": signature.meaning,
            "now": now,
        },
    )


@dataclass(frozen=True, slots=True)
class _SignatureRow:
    id: int
    entity_version: int
    content_sha256: str
    content: str | None
    signer_id: int
    signer: str
    printed_name: str
    meaning: str
    signed_at: datetime


LOAD_SIGNATURES = """
    SELECT s.id, s.entity_version, s.content_sha256, s.content, s.signer_id, u.name AS signer, s.printed_name,
        s.meaning, s.signed_at
    FROM signature s JOIN app_user u ON u.id = s.signer_id
    WHERE s.entity = %s AND s.entity_id = %s ORDER BY s.signed_at, s.id
"""


def load_signatures(
    conn: Connection,
    entity: str,
    entity_id: int,
    current_content: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None,
    current_version: int | None = None,
) -> list[RecordedSignature]:
    """The record's signatures, oldest first, each with whether it holds for the record as it says now.

    `current_content` is made by the function that made the content at signing, or is a function that gives it where
    there is a signature to judge; None: the record is gone. Where `current_version` is named, signatures of an earlier
    version of a reopened record stand for that one alone.
    """
    with conn.cursor(row_factory=class_row(_SignatureRow)) as cursor:
        rows = cursor.execute(LOAD_SIGNATURES, (entity, entity_id)).fetchall()
    if not rows:
        return []
    if callable(current_content):
        current_content = current_content()
    sha256 = None if current_content is None else find_content_sha256(current_content)
    return [_judge(row, current_content, sha256, current_version) for row in rows]


def _judge(
    row: _SignatureRow, content: Mapping[str, Any] | None, sha256: str | None, version: int | None
) -> RecordedSignature:
    reason, changed = "", tuple[str, ...]()
    if content is None:
        reason = "record_gone"
    elif version is not None and row.entity_version < version:
        reason = "earlier_version"
    elif row.content_sha256 != sha256:
        reason = "content_unknown" if row.content is None else "content_changed"
        changed = () if row.content is None else find_changed_fields(row.content, content)
    return RecordedSignature(
        row.id,
        row.entity_version,
        row.content_sha256,
        row.signer_id,
        row.signer,
        row.printed_name,
        row.meaning,
        row.signed_at,
        not reason,
        reason,
        changed,
    )
