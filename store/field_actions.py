"""Field actions as rows: drafts, lists, locking one, writing it back. domain/field_action.py decides what may be."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from psycopg.rows import dict_row

from domain.errors import NotFoundError, RowVersionConflictError
from domain.field_action import (
    FieldAction,
    FieldActionKind,
    FieldActionState,
    find_field_action_content,
)
from store.audit import to_jsonb
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
