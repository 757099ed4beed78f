"""Drafts of field actions: what people write and rewrite until two others approve it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor
from domain.audit_field_action import field_action_changed, field_action_drafted
from domain.errors import GuardRefusedError, NotFoundError
from domain.field_action import (
    FieldAction,
    FieldActionGuard,
    FieldActionKind,
    FieldActionState,
    find_field_action_content,
)
from domain.field_action_halt import DEFAULT_P
from domain.field_action_scope import ONE_WAVE, ScopeQuery, Wave
from domain.firmware import MAIN
from store.audit import record_audit, to_jsonb
from store.field_actions import load_field_action
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class FieldActionDraft:
    """All that a draft says but its scope, which is frozen apart."""

    kind: FieldActionKind
    title: str
    model: str
    description: str = ""
    instructions: str = ""
    component: str = "main"
    firmware_version: str = ""  # of a campaign: a registered version of the component
    priority: str = "P3"
    needs_visit: bool = False
    max_attempts: int = 3
    install_attempts: int = 2
    not_before: datetime | None = None
    waves: tuple[Wave, ...] = ONE_WAVE
    halt_p: float = DEFAULT_P
    capa_code: str = ""
    region: str = ""
    is_simulated: bool = False


LOAD_REFERENCES = """
    SELECT m.id AS device_model_id,
        (SELECT f.id FROM firmware_record f WHERE f.device_model_id = m.id AND f.component = %(component)s
            AND f.version = %(firmware_version)s) AS firmware_id,
        (SELECT q.id FROM capa q WHERE q.code = %(capa_code)s) AS capa_id
    FROM device_model m WHERE m.key = %(model)s
"""
INSERT_FIELD_ACTION = """
    INSERT INTO field_action (code, kind, title, description, instructions, device_model_id, firmware_id, priority,
        needs_visit, max_attempts, install_attempts, not_before, waves, scope, halt_p, author_ids, capa_id, region,
        is_simulated, created_by, created_at, updated_at)
    VALUES (
        'FA-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('field_action_number'), 'FM9999999999990000'),
        %(kind)s, %(title)s, %(description)s, %(instructions)s, %(device_model_id)s, %(firmware_id)s, %(priority)s,
        %(needs_visit)s, %(max_attempts)s, %(install_attempts)s, %(not_before)s, %(waves)s, %(scope)s, %(halt_p)s,
        %(author_ids)s::bigint[], %(capa_id)s, %(region)s, %(is_simulated)s, %(created_by)s, %(now)s, %(now)s)
    RETURNING code
"""
UPDATE_DRAFT = """
    UPDATE field_action SET kind = %(kind)s, title = %(title)s, description = %(description)s,
        instructions = %(instructions)s, device_model_id = %(device_model_id)s, firmware_id = %(firmware_id)s,
        priority = %(priority)s, needs_visit = %(needs_visit)s, max_attempts = %(max_attempts)s,
        install_attempts = %(install_attempts)s, not_before = %(not_before)s, waves = %(waves)s, scope = %(scope)s,
        scope_sha256 = %(scope_sha256)s, scope_frozen_at = %(scope_frozen_at)s, item_count = %(item_count)s,
        halt_p = %(halt_p)s, author_ids = %(author_ids)s::bigint[], capa_id = %(capa_id)s, region = %(region)s,
        is_simulated = %(is_simulated)s, content_version = content_version + 1, row_version = row_version + 1,
        updated_at = %(now)s
    WHERE id = %(id)s
"""
REMOVE_ITEMS = "DELETE FROM field_action_item WHERE field_action_id = %s"


def _find_references(conn: Connection, draft: FieldActionDraft) -> dict[str, Any]:
    values = {n: getattr(draft, n) for n in ("model", "component", "firmware_version", "capa_code")}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(LOAD_REFERENCES, values).fetchone()
    if found is None:
        raise NotFoundError(f"device model {draft.model}")
    if draft.kind is FieldActionKind.FIRMWARE and found["firmware_id"] is None:
        raise NotFoundError(f"firmware {draft.model} {draft.component} {draft.firmware_version}")
    if draft.capa_code and found["capa_id"] is None:
        raise NotFoundError(f"CAPA {draft.capa_code}")
    if draft.kind is not FieldActionKind.FIRMWARE:
        found["firmware_id"] = None
    return dict(found)


def _find_values(draft: FieldActionDraft, actor: Actor, author_ids: Sequence[int], now: datetime) -> dict[str, Any]:
    plain = {f.name: getattr(draft, f.name) for f in fields(draft)}
    authors = sorted({*author_ids, *([] if actor.user_id is None else [actor.user_id])})
    return plain | {"waves": to_jsonb([wave.to_json() for wave in draft.waves]), "author_ids": authors, "now": now}


def record_draft(conn: Connection, actor: Actor, draft: FieldActionDraft, *, now: datetime) -> FieldAction:
    """A new draft without a scope; audit goes along in the caller's transaction.

    Raises
    ------
    GuardRefusedError
        No person writes it.
    NotFoundError
        There is no such model, firmware or CAPA.
    """
    verify_author(actor)
    scope = ScopeQuery(draft.model, is_simulated=draft.is_simulated)
    values = _find_values(draft, actor, (), now) | _find_references(conn, draft)
    row = conn.execute(
        INSERT_FIELD_ACTION, values | {"scope": to_jsonb(scope.to_json()), "created_by": actor.name}
    ).fetchone()
    assert row is not None
    action = load_field_action(conn, str(row[0]))
    assert action is not None
    record_audit(conn, actor, field_action_drafted(action))
    return action


def change_draft(
    conn: Connection, actor: Actor, before: FieldAction, draft: FieldActionDraft, *, now: datetime
) -> FieldAction:
    """The draft as it is now meant; who changes it is an author, and signatures on it as it was hold no more.

    The caller holds its lock. What its scope rests on (model, component, simulated devices, waves) cannot change
    without the scope: then none is frozen any more.

    Raises
    ------
    GuardRefusedError
        It is no draft, or no person writes it.
    NotFoundError
        There is no such model, firmware or CAPA.
    """
    verify_draft(before)
    verify_author(actor)
    waves = [wave.to_json() for wave in draft.waves]
    component = draft.component if draft.kind is FieldActionKind.FIRMWARE else MAIN
    was = (before.model, before.component or MAIN, before.is_simulated, before.waves)
    keeps_scope = was == (draft.model, component, draft.is_simulated, waves)
    scope = before.scope if keeps_scope else ScopeQuery(draft.model, is_simulated=draft.is_simulated).to_json()
    values = _find_values(draft, actor, before.author_ids, now) | _find_references(conn, draft)
    values |= {
        "id": before.id,
        "scope": to_jsonb(scope),
        "scope_sha256": before.scope_sha256 if keeps_scope else "",
        "scope_frozen_at": before.scope_frozen_at if keeps_scope else None,
        "item_count": before.item_count if keeps_scope else 0,
    }
    if not keeps_scope:
        conn.execute(REMOVE_ITEMS, (before.id,))
    conn.execute(UPDATE_DRAFT, values)
    after = load_field_action(conn, before.code)
    assert after is not None
    old, new = find_field_action_content(before), find_field_action_content(after)
    names = [name for name in old if old[name] != new[name]]
    record_audit(conn, actor, field_action_changed(before.code, {n: old[n] for n in names}, {n: new[n] for n in names}))
    return after


def verify_author(actor: Actor) -> None:
    """Returns when a person acts: who wrote an action does not approve it, and behind a token may stand anybody.

    Raises
    ------
    GuardRefusedError
        A token or a program does.
    """
    if actor.user_id is None:
        raise GuardRefusedError(FieldActionGuard.PERSON_NEEDED, "people write field actions; a token does not")


def verify_draft(action: FieldAction) -> None:
    """Returns when the action is a draft.

    Raises
    ------
    GuardRefusedError
        It is not.
    """
    if action.state is not FieldActionState.DRAFT:
        raise GuardRefusedError(FieldActionGuard.NOT_DRAFT, f"an action that is {action.state} is not changed")
