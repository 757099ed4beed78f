"""Field actions as rows: drafts, lists, locking one, writing it back. domain/field_action.py decides what may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from domain.audit import Actor
from domain.audit_field_action import field_action_changed, field_action_drafted
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
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
from store.pool import Connection
from store.signatures import load_signatures

ENTITY = "field_action"
_SELECT = """
    SELECT a.id, a.code, a.kind, a.state, a.title, a.description, a.instructions, a.device_model_id, m.key AS model,
        a.firmware_id, f.component, f.version AS firmware_version, f.sha256 AS firmware_sha256, f.url AS firmware_url,
        f.state AS firmware_state, a.priority, a.needs_visit, a.max_attempts, a.install_attempts, a.not_before, a.waves,
        a.current_wave, a.wave_opened_at, a.scope, a.scope_sha256, a.scope_frozen_at, a.item_count, a.halt_p,
        a.watched_from, a.looks, a.next_look_hours, a.halted_at, a.halt_reason, a.halt_statistics, a.accepted_findings,
        a.effectiveness, a.author_ids, a.content_version, q.code AS capa_code, a.cancel_reason, a.region,
        a.is_simulated, a.row_version, a.created_by, a.created_at, a.updated_at, a.executing_at, a.closed_at,
        a.external_refs
    FROM field_action a JOIN device_model m ON m.id = a.device_model_id
    LEFT JOIN firmware_record f ON f.id = a.firmware_id LEFT JOIN capa q ON q.id = a.capa_id
"""
LOAD_FIELD_ACTION = f"{_SELECT} WHERE a.code = %s"


def load_field_action(conn: Connection, code: str) -> FieldAction | None:
    """The action of that code, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOAD_FIELD_ACTION, (code,)).fetchone()
    return None if row is None else _to_action(row)


def _to_action(row: Mapping[str, Any]) -> FieldAction:
    return FieldAction(**dict(row) | {"kind": FieldActionKind(row["kind"]), "state": FieldActionState(row["state"])})


# A customer's own user sees the actions that concern its devices, and none that is only planned.
_WANTED = """
    WHERE (%(code)s = '' OR a.code = %(code)s) AND (%(states)s::text[] = '{}' OR a.state = ANY (%(states)s))
        AND (%(kinds)s::text[] = '{}' OR a.kind = ANY (%(kinds)s))
        AND (%(model)s = '' OR m.key = %(model)s) AND (%(region)s = '' OR a.region = %(region)s)
        AND (%(halted)s::boolean IS NULL OR (a.halted_at IS NOT NULL) = %(halted)s)
        AND (%(serial)s = '' OR EXISTS (
            SELECT FROM field_action_item i JOIN device d ON d.id = i.device_id
            WHERE i.field_action_id = a.id AND d.serial = %(serial)s))
        AND (%(customer_id)s::bigint IS NULL OR (a.state NOT IN ('DRAFT', 'APPROVED') AND EXISTS (
            SELECT FROM field_action_place p WHERE p.field_action_id = a.id AND p.customer_id = %(customer_id)s)))
"""
LIST_FIELD_ACTIONS = f"""
    {_SELECT} {_WANTED} AND (%(before_id)s::bigint IS NULL OR a.id < %(before_id)s) ORDER BY a.id DESC LIMIT %(limit)s
"""
COUNT_FIELD_ACTIONS = f"""
    SELECT count(*) FROM field_action a JOIN device_model m ON m.id = a.device_model_id {_WANTED}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class FieldActionFilter:
    """Which actions; an empty value means all. Filters are joined by AND, the values of one by OR."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    model: str = ""
    region: str = ""
    serial: str = ""
    code: str = ""  # this one alone
    halted: bool | None = None
    customer_id: int | None = None  # what a customer's own user may see

    def to_values(self) -> dict[str, Any]:
        """The parameters of the query."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def load_field_actions(
    conn: Connection, wanted: FieldActionFilter = FieldActionFilter(), *, before_id: int | None = None, limit: int = 50
) -> list[FieldAction]:
    """Actions newest first; the `id` of the last one is the cursor for the next page."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LIST_FIELD_ACTIONS, wanted.to_values() | {"before_id": before_id, "limit": limit})
        return [_to_action(row) for row in rows]


def count_field_actions(conn: Connection, wanted: FieldActionFilter = FieldActionFilter()) -> int:
    """How many actions are wanted."""
    row = conn.execute(COUNT_FIELD_ACTIONS, wanted.to_values()).fetchone()
    return 0 if row is None else int(row[0])


LOCK_FIELD_ACTION = LOAD_FIELD_ACTION + " FOR UPDATE OF a"
SHARE_FIRMWARE = "SELECT state FROM firmware_record WHERE id = %s FOR SHARE"


def lock_field_action(conn: Connection, code: str, expected_row_version: int | None = None) -> FieldAction:
    """The action, locked until the transaction ends. Whatever changes an action or its items takes this lock first.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is none, or it is not at `expected_row_version` (None: whatever it is at).
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(LOCK_FIELD_ACTION, (code,)).fetchone()
    if row is None:
        raise NotFoundError(code)
    action = _to_action(row)
    if expected_row_version is not None and action.row_version != expected_row_version:
        raise RowVersionConflictError(f"{code} is at version {action.row_version}, not {expected_row_version}.")
    if action.firmware_id is None:
        return action
    # Whoever withdraws the version at this moment is waited for: no device is told of what is being withdrawn.
    found = conn.execute(SHARE_FIRMWARE, (action.firmware_id,)).fetchone()
    assert found is not None
    return replace(action, firmware_state=found[0])


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


# What moves in an action after it was approved. Whatever stands in what was signed is not among them.
MUTABLE_COLUMNS = (
    "state", "current_wave", "wave_opened_at", "watched_from", "looks", "next_look_hours", "halted_at", "halt_reason",
    "halt_statistics", "accepted_findings", "effectiveness", "cancel_reason", "executing_at", "closed_at", "updated_at",
)  # fmt: skip
UPDATE_FIELD_ACTION = f"""
    UPDATE field_action SET {", ".join(f"{name} = %({name})s" for name in MUTABLE_COLUMNS)},
        row_version = row_version + 1
    WHERE id = %(id)s
"""  # noqa: S608


def update_field_action(conn: Connection, action: FieldAction) -> FieldAction:
    """Writes the action back as it stands in memory, one version up. The caller holds its lock."""
    values: dict[str, Any] = {name: getattr(action, name) for name in MUTABLE_COLUMNS}
    values |= {name: to_jsonb(values[name]) for name in ("halt_statistics", "effectiveness")}
    conn.execute(UPDATE_FIELD_ACTION, values | {"id": action.id})
    return replace(action, row_version=action.row_version + 1)


def load_approvers(conn: Connection, action: FieldAction) -> list[int]:
    """Whose approval of the action, as it says now, holds: none of somebody who wrote at it since."""
    signatures = load_signatures(conn, ENTITY, action.id, find_field_action_content(action))
    return sorted({s.signer_id for s in signatures if s.valid} - {*action.author_ids})
