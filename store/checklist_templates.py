"""Templates of checklists: one in use for a kind and device model, versions written once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from domain.audit import Actor, find_content_sha256
from domain.audit_checklist import template_recorded
from domain.checklist import ChecklistItem, TemplateKind, items_from_json, items_to_json
from domain.errors import NotFoundError, RowVersionConflictError
from store.audit import record_audit, to_jsonb
from store.pool import Connection

ENTITY = "checklist_template"


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template in one of its versions; in lists the current one."""

    id: int
    code: str
    kind: TemplateKind
    model: str | None  # None: of every model that has none of its own
    is_active: bool
    row_version: int
    version: int
    title: Mapping[str, str]
    items: Sequence[ChecklistItem]
    sha256: str
    made_by: str
    made_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a version of a template says. `find_item_problems` was asked before."""

    title: Mapping[str, str]
    items: Sequence[ChecklistItem]


_COLUMNS = """t.id, t.code, t.kind, m.key AS model, t.is_active, t.row_version, v.version, v.title, v.items, v.sha256,
    v.made_by, v.made_at, v.reason
    FROM checklist_template t LEFT JOIN device_model m ON m.id = t.device_model_id
    JOIN checklist_template_version v ON v.template_id = t.id"""
LOAD_TEMPLATES = f"""
    SELECT {_COLUMNS} AND v.version = t.current_version
    WHERE t.code > %(after)s AND (%(code)s = '' OR t.code = %(code)s) AND (%(kind)s = '' OR t.kind = %(kind)s)
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(active)s::boolean IS NULL OR t.is_active = %(active)s)
    ORDER BY t.code LIMIT %(limit)s
"""


def load_templates(
    conn: Connection, *, kind: str = "", model: str = "", active: bool | None = None, after: str = "", limit: int = 100
) -> list[TemplateRow]:
    """Templates by code behind the code `after`, each in its current version."""
    return _load(conn, LOAD_TEMPLATES, code="", kind=kind, model=model, active=active, after=after, limit=limit)


def load_template(conn: Connection, code: str) -> TemplateRow | None:
    """The template of that code, or None."""
    found = _load(conn, LOAD_TEMPLATES, code=code, kind="", model="", active=None, after="", limit=1) if code else []
    return next(iter(found), None)


LOAD_VERSIONS = f"SELECT {_COLUMNS} WHERE t.code = %(code)s ORDER BY v.version DESC"


def load_template_versions(conn: Connection, code: str) -> list[TemplateRow]:
    """Every version of the template, the newest first."""
    return _load(conn, LOAD_VERSIONS, code=code)


def _load(conn: Connection, query: str, **values: Any) -> list[TemplateRow]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query.encode(), values).fetchall()
    return [
        TemplateRow(**{**row, "kind": TemplateKind(row["kind"]), "items": items_from_json(row["items"])})
        for row in rows
    ]


RECORD_TEMPLATE = """
    INSERT INTO checklist_template (code, kind, device_model_id, updated_at)
    SELECT %(code)s, %(kind)s, m.id, %(now)s FROM (SELECT 1) AS one
    LEFT JOIN device_model m ON m.key = %(model)s
    WHERE %(model)s::text IS NULL OR m.id IS NOT NULL
    RETURNING id
"""
RECORD_VERSION = """
    INSERT INTO checklist_template_version (template_id, version, title, items, sha256, made_by, made_at, reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


def create_template(
    conn: Connection,
    actor: Actor,
    code: str,
    kind: TemplateKind,
    model: str | None,
    draft: TemplateDraft,
    *,
    reason: str,
    now: datetime,
) -> bool:
    """Makes the template in its first version; False where that code is taken, or another one is in use for the kind
    and model.

    Raises
    ------
    NotFoundError
        There is no such device model.
    """
    try:
        with conn.transaction():
            values = {"code": code, "kind": kind, "model": model, "now": now}
            row = conn.execute(RECORD_TEMPLATE, values).fetchone()
    except UniqueViolation:
        return False
    if row is None:
        raise NotFoundError(f"There is no device model {model}.")
    sha256 = _record_version(conn, row[0], 1, draft, actor, reason, now)
    after = {"kind": kind, "model": model, "version": 1, "sha256": sha256, "is_active": True}
    record_audit(conn, actor, template_recorded(code, None, after, reason))
    return True


LOCK_TEMPLATE = """
    SELECT t.id, t.current_version, t.is_active, t.row_version, v.sha256 FROM checklist_template t
    JOIN checklist_template_version v ON v.template_id = t.id AND v.version = t.current_version
    WHERE t.code = %s FOR UPDATE OF t
"""
CHANGE_TEMPLATE = """
    UPDATE checklist_template SET current_version = %s, is_active = %s, row_version = row_version + 1, updated_at = %s
    WHERE id = %s
"""


def change_template(
    conn: Connection,
    actor: Actor,
    code: str,
    draft: TemplateDraft,
    *,
    is_active: bool,
    expected_row_version: int,
    reason: str,
    now: datetime,
) -> bool:
    """Makes the next version where the text differs, and puts the template into use or out of it; False where another
    one is in use for its kind and model. Orders that have an earlier version keep it.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such template, or it has changed since.
    """
    known = conn.execute(LOCK_TEMPLATE, (code,)).fetchone()
    if known is None:
        raise NotFoundError(f"There is no template {code}.")
    template_id, version, was_active, row_version, was_sha256 = known
    if row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {row_version}, not {expected_row_version}.")
    before = {"version": version, "sha256": was_sha256, "is_active": was_active}
    sha256 = _find_sha256(draft)
    if sha256 != was_sha256:
        version += 1
        _record_version(conn, template_id, version, draft, actor, reason, now)
    try:
        with conn.transaction():
            conn.execute(CHANGE_TEMPLATE, (version, is_active, now, template_id))
    except UniqueViolation:
        return False
    after = {"version": version, "sha256": sha256, "is_active": is_active}
    record_audit(conn, actor, template_recorded(code, before, after, reason))
    return True


def _find_sha256(draft: TemplateDraft) -> str:
    return find_content_sha256({"title": dict(draft.title), "items": items_to_json(draft.items)})


def _record_version(
    conn: Connection, template_id: int, version: int, draft: TemplateDraft, actor: Actor, reason: str, now: datetime
) -> str:
    sha256 = _find_sha256(draft)
    title, items = to_jsonb(dict(draft.title)), to_jsonb(items_to_json(draft.items))
    conn.execute(RECORD_VERSION, (template_id, version, title, items, sha256, actor.name, now, reason))
    return sha256
