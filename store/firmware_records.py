"""Firmware that may be installed, as rows: registered, changed while a draft, signed, released, withdrawn."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from domain.audit import Actor, find_content_sha256
from domain.audit_firmware import firmware_changed, firmware_moved, firmware_registered, firmware_signed
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.firmware_record import (
    FirmwareFacts,
    FirmwareGuard,
    FirmwareRecord,
    FirmwareRecordState,
    FirmwareRequest,
    find_firmware_content,
    find_firmware_next,
    find_firmware_refusal,
    is_firmware_step_signed,
)
from store.audit import record_audit
from store.field_action_halts import halt_campaigns_of
from store.pool import Connection
from store.signatures import load_signatures, record_signature

ENTITY = "firmware_record"
_S = FirmwareRecordState
_SELECT = """
    SELECT f.id, f.code, f.device_model_id, m.key AS model, f.component, f.version, f.sha256, f.url, f.size_bytes,
        f.notes, f.state, f.author_ids, f.content_version, f.released_at, f.withdrawn_at, f.withdraw_reason,
        f.is_simulated, f.row_version, f.created_by, f.created_at, f.updated_at, f.external_refs
    FROM firmware_record f JOIN device_model m ON m.id = f.device_model_id
"""
LOAD_FIRMWARE = f"{_SELECT} WHERE m.key = %s AND f.component = %s AND f.version = %s"


def load_firmware_record(conn: Connection, model: str, component: str, version: str) -> FirmwareRecord | None:
    """That version of that component, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_FIRMWARE, (model, component, version)).fetchone()
    return None if row is None else _to_record(row)


def _to_record(row: Mapping[str, Any]) -> FirmwareRecord:
    return FirmwareRecord(**dict(row) | {"state": _S(row["state"])})


LIST_FIRMWARE = f"""
    {_SELECT}
    WHERE (%(model)s = '' OR m.key = %(model)s) AND (%(states)s::text[] = '{{}}' OR f.state = ANY (%(states)s))
        AND (%(before_id)s::bigint IS NULL OR f.id < %(before_id)s)
    ORDER BY f.id DESC LIMIT %(limit)s
"""


def load_firmware_records(
    conn: Connection, *, model: str = "", states: tuple[str, ...] = (), before_id: int | None = None, limit: int = 50
) -> list[FirmwareRecord]:
    """Versions newest first; the `id` of the last one is the cursor for the next page."""
    values = {"model": model, "states": list(states), "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=dict_row) as cursor:
        return [_to_record(row) for row in cursor.execute(LIST_FIRMWARE, values)]


COUNT_FIRMWARE = """
    SELECT count(*) FROM firmware_record f JOIN device_model m ON m.id = f.device_model_id
    WHERE (%(model)s = '' OR m.key = %(model)s) AND (%(states)s::text[] = '{}' OR f.state = ANY (%(states)s))
"""


def count_firmware_records(conn: Connection, *, model: str = "", states: tuple[str, ...] = ()) -> int:
    """How many versions are wanted."""
    row = conn.execute(COUNT_FIRMWARE, {"model": model, "states": list(states)}).fetchone()
    return 0 if row is None else int(row[0])


REGISTER_FIRMWARE = """
    INSERT INTO firmware_record (code, device_model_id, component, version, sha256, url, size_bytes, notes, author_ids,
        is_simulated, created_by, created_at, updated_at)
    SELECT 'FW-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('firmware_record_number'), 'FM9999999999990000'),
        m.id, %(component)s, %(version)s, %(sha256)s, %(url)s, %(size_bytes)s, %(notes)s, %(author_ids)s::bigint[],
        %(is_simulated)s, %(created_by)s, %(now)s, %(now)s
    FROM device_model m WHERE m.key = %(model)s
    RETURNING id
"""


def register_firmware(
    conn: Connection,
    actor: Actor,
    *,
    model: str,
    component: str,
    version: str,
    sha256: str,
    url: str = "",
    size_bytes: int | None = None,
    notes: str = "",
    is_simulated: bool = False,
    now: datetime,
) -> FirmwareRecord | None:
    """A new draft, or None where that version of that component is registered already; audit goes along.

    Raises
    ------
    NotFoundError
        There is no such device model.
    GuardRefusedError
        A token or a program registers it.
    """
    author_id = find_author(actor)
    values = {
        "model": model,
        "component": component,
        "version": version,
        "sha256": sha256,
        "url": url,
        "size_bytes": size_bytes,
        "notes": notes,
        "is_simulated": is_simulated,
        "author_ids": [author_id],
        "created_by": actor.name,
        "now": now,
    }
    try:
        with conn.transaction():
            row = conn.execute(REGISTER_FIRMWARE, values).fetchone()
    except UniqueViolation:
        return None
    if row is None:
        raise NotFoundError(f"device model {model}")
    record = load_firmware_record(conn, model, component, version)
    assert record is not None
    record_audit(conn, actor, firmware_registered(record))
    return record


def find_author(actor: Actor) -> int:
    """The person who writes: who wrote a version does not approve it, and behind a token may stand anybody.

    Raises
    ------
    GuardRefusedError
        A token or a program does.
    """
    if actor.user_id is None:
        raise GuardRefusedError(FirmwareGuard.PERSON_NEEDED, "people register firmware; a token does not")
    return actor.user_id


LOCK_FIRMWARE = LOAD_FIRMWARE + " FOR UPDATE OF f"


def lock_firmware(
    conn: Connection, model: str, component: str, version: str, expected_row_version: int | None
) -> FirmwareRecord:
    """The version, locked until the transaction ends.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it is not at `expected_row_version`.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOCK_FIRMWARE, (model, component, version)).fetchone()
    if row is None:
        raise NotFoundError(f"{model} {component} {version}")
    record = _to_record(row)
    if expected_row_version is not None and record.row_version != expected_row_version:
        raise RowVersionConflictError(f"{record.code} is at version {record.row_version}, not {expected_row_version}.")
    return record


UPDATE_FIRMWARE = """
    UPDATE firmware_record SET sha256 = %(sha256)s, url = %(url)s, size_bytes = %(size_bytes)s, notes = %(notes)s,
        author_ids = %(author_ids)s::bigint[], content_version = %(content_version)s, state = %(state)s,
        released_at = %(released_at)s, withdrawn_at = %(withdrawn_at)s, withdraw_reason = %(withdraw_reason)s,
        row_version = row_version + 1, updated_at = %(updated_at)s
    WHERE id = %(id)s
"""


def _update(conn: Connection, record: FirmwareRecord) -> FirmwareRecord:
    names = ("id", "sha256", "url", "size_bytes", "notes", "author_ids", "content_version", "state", "released_at",
        "withdrawn_at", "withdraw_reason", "updated_at")  # fmt: skip
    conn.execute(UPDATE_FIRMWARE, {name: getattr(record, name) for name in names})
    return replace(record, row_version=record.row_version + 1)


def change_firmware(
    conn: Connection,
    actor: Actor,
    before: FirmwareRecord,
    changes: Mapping[str, Any],
    *,
    now: datetime,
) -> FirmwareRecord:
    """The draft with these fields changed (`sha256`, `url`, `size_bytes`, `notes`); who changes it is an author.

    The caller holds its lock. Signatures on the draft as it was do not hold any more.

    Raises
    ------
    GuardRefusedError
        It is no draft, or no person changes it.
    """
    author_id = find_author(actor)
    if before.state is not _S.DRAFT:
        raise GuardRefusedError(FirmwareGuard.NOT_DRAFT, f"firmware that is {before.state} is not changed")
    wanted = {name: value for name, value in changes.items() if getattr(before, name) != value}
    if not wanted:
        return before
    authors = sorted({*before.author_ids, author_id})
    changed = replace(before, **wanted, author_ids=authors, content_version=before.content_version + 1, updated_at=now)
    after = _update(conn, changed)
    was = {name: getattr(before, name) for name in wanted}
    record_audit(conn, actor, firmware_changed(before.code, was, wanted))
    return after


def load_signers(conn: Connection, record: FirmwareRecord) -> list[int]:
    """Who has approved the version as it is now: nobody who wrote at it since."""
    signatures = load_signatures(conn, ENTITY, record.id, find_firmware_content(record))
    return sorted({s.signer_id for s in signatures if s.valid} - {*record.author_ids})


def record_firmware_step(
    conn: Connection, actor: Actor, before: FirmwareRecord, request: FirmwareRequest, *, now: datetime
) -> FirmwareRecord:
    """The version after the step; signature and audit go along. The caller holds its lock, and has just checked the
    password again for a signature.

    The first of two approvals is recorded and leaves it a draft.

    Raises
    ------
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.firmware_record.FirmwareGuard`.
    """
    signed_by = load_signers(conn, before) if before.state is _S.DRAFT else []
    facts = FirmwareFacts(before.state, actor.user_id, before.author_ids, signed_by)
    refusal = find_firmware_refusal(request, facts, actor.permission)
    if refusal is not None:
        raise GuardRefusedError(refusal.guard, refusal.detail)
    state = find_firmware_next(request, facts)
    content = find_firmware_content(before)
    if request.to is not _S.APPROVED:
        content = content | {"step": request.to, "reason": request.reason}
    sha256 = None
    if request.signature is not None and is_firmware_step_signed(before.state, request.to):
        entity = ENTITY if request.to is _S.APPROVED else f"{ENTITY}.{request.to.lower()}"
        record_signature(conn, entity, before.id, before.content_version, content, request.signature, now)
        sha256 = find_content_sha256(content)
    after = replace(before, state=state, updated_at=now)
    if state is _S.RELEASED:
        after = replace(after, released_at=now)
    elif state is _S.WITHDRAWN:
        after = replace(after, withdrawn_at=now, withdraw_reason=request.reason)
    after = _update(conn, after)
    if state is _S.WITHDRAWN:
        halt_campaigns_of(conn, actor, after, request.reason, now=now)
    if state is before.state:
        assert sha256 is not None
        entry = firmware_signed(before, len({*signed_by}) + 1, sha256)
    else:
        entry = firmware_moved(before, after, request.reason, sha256)
    record_audit(conn, actor, entry)
    return after
