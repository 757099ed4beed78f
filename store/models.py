"""Models as rows: what they are, written once; what becomes of them is in `store.model_steps`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from domain.audit import Actor
from domain.audit_model import model_registered
from domain.errors import NotFoundError
from domain.model_record import (
    ModelKind,
    ModelState,
)
from store.audit import record_audit, to_jsonb
from store.pool import Connection

ENTITY = "model"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model without its arrays; `row_version` is for If-Match."""

    id: int
    code: str
    kind: str
    state: str
    device_model_id: int
    model: str
    safety_critical: bool
    firmware: str
    description: Mapping[str, Any]
    sha256: str
    provenance: Mapping[str, Any]
    created_by: str
    created_at: datetime
    asked_by: str | None
    asked_by_id: int | None
    asked_at: datetime | None
    approved_by: str | None
    live_since: datetime | None
    live_until: datetime | None
    replaced_id: int | None
    replaced_code: str | None
    replaced_profile_version: int | None
    has_backtest: bool
    profile_version: int  # the device model's current one
    size: int  # bytes of the arrays
    row_version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewModel:
    """What is to be registered as a draft."""

    kind: ModelKind
    model: str
    firmware: str
    description: Mapping[str, Any]
    arrays: bytes
    sha256: str
    provenance: Mapping[str, Any]


_SELECT = """
    SELECT r.id, r.code, r.kind, r.state, r.device_model_id, m.key AS model, m.safety_critical, r.firmware,
        r.description, r.sha256, r.provenance, r.created_by, r.created_at, r.asked_by, r.asked_by_id, r.asked_at,
        r.approved_by, r.live_since, r.live_until, r.replaced_id, p.code AS replaced_code, r.replaced_profile_version,
        EXISTS (SELECT FROM model_job j WHERE j.model_id = r.id AND j.kind = 'backtest' AND j.state = 'DONE'
            AND (j.result ->> 'device_days')::float8 > 0 AND j.result -> 'uncovered' = '[]') AS has_backtest,
        m.current_version AS profile_version,
        length(r.arrays) AS size, r.row_version, r.updated_at
    FROM model_record r JOIN device_model m ON m.id = r.device_model_id LEFT JOIN model_record p ON p.id = r.replaced_id
"""
LOAD_MODEL = f"{_SELECT} WHERE r.code = %s"


def load_model(conn: Connection, code: str) -> ModelRow | None:
    """The model of that code, or None."""
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(LOAD_MODEL, (code,)).fetchone()


LIST_MODELS = f"""
    {_SELECT}
    WHERE (%(model)s = '' OR m.key = %(model)s) AND (%(kind)s = '' OR r.kind = %(kind)s)
        AND (%(states)s::text[] = '{{}}' OR r.state = ANY (%(states)s))
        AND (%(before_id)s::bigint IS NULL OR r.id < %(before_id)s)
    ORDER BY r.id DESC LIMIT %(limit)s
"""


def load_models(
    conn: Connection,
    *,
    model: str = "",
    kind: str = "",
    states: Sequence[str] = (),
    before_id: int | None = None,
    limit: int = 50,
) -> list[ModelRow]:
    """Models newest first; the `id` of the last one is the cursor for the next page."""
    values = {"model": model, "kind": kind, "states": list(states), "before_id": before_id, "limit": limit}
    with conn.cursor(row_factory=class_row(ModelRow)) as cursor:
        return cursor.execute(LIST_MODELS, values).fetchall()


LOAD_ARRAYS = "SELECT arrays FROM model_record WHERE id = %s"


def load_arrays(conn: Connection, model_id: int) -> bytes:
    """The arrays of a model.

    Raises
    ------
    NotFoundError
        There is no such model.
    """
    with conn.cursor(binary=True) as cursor:
        row = cursor.execute(LOAD_ARRAYS, (model_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"(model {model_id})")
    return bytes(row[0])


RECORD_MODEL = """
    INSERT INTO model_record (code, kind, device_model_id, firmware, description, arrays, sha256, provenance,
        created_by)
    SELECT 'MOD-' || extract(year FROM %(now)s::timestamptz)::text || '-'
            || to_char(nextval('model_number'), 'FM9999999999990000'),
        %(kind)s, m.id, %(firmware)s, %(description)s, %(arrays)b, %(sha256)s, %(provenance)s, %(by)s
    FROM device_model m WHERE m.key = %(model)s
    RETURNING code
"""


def record_model(conn: Connection, actor: Actor, new: NewModel, now: datetime) -> ModelRow:
    """Registers a draft, with its audit entry.

    Raises
    ------
    NotFoundError
        There is no such device model.
    """
    values = {
        "now": now,
        "kind": new.kind,
        "model": new.model,
        "firmware": new.firmware,
        "description": to_jsonb(new.description),
        "arrays": new.arrays,
        "sha256": new.sha256,
        "provenance": to_jsonb(new.provenance),
        "by": actor.name,
    }
    row = conn.execute(RECORD_MODEL, values).fetchone()
    if row is None:
        raise NotFoundError(f"(device model {new.model!r})")
    made = load_model(conn, row[0])
    assert made is not None
    entry = model_registered(made.code, kind=new.kind, model=new.model, firmware=new.firmware, sha256=new.sha256)
    record_audit(conn, actor, entry)
    return made


@dataclass(frozen=True, slots=True)
class LiveModel:
    """A model as scoring takes it: with its arrays."""

    id: int
    code: str
    kind: str
    state: str
    model: str
    firmware: str
    description: Mapping[str, Any]
    arrays: bytes


LOAD_LIVE_MODELS = """
    SELECT r.id, r.code, r.kind, r.state, m.key AS model, r.firmware, r.description, r.arrays
    FROM model_record r JOIN device_model m ON m.id = r.device_model_id
    WHERE r.state = ANY (%(states)s) OR r.id = ANY (%(ids)s) ORDER BY r.id
"""


def load_scoring_models(conn: Connection, states: Sequence[ModelState], ids: Sequence[int] = ()) -> list[LiveModel]:
    """The models in one of these states, and those of these ids, with their arrays; by id."""
    values = {"states": list(states), "ids": list(ids)}
    with conn.cursor(row_factory=class_row(LiveModel), binary=True) as cursor:
        return cursor.execute(LOAD_LIVE_MODELS, values).fetchall()
