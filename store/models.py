"""Models as rows: what they are is written once, what becomes of them goes through its guards and into the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row

from domain.audit import Actor, AuditEntry, Signature
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.model_record import (
    ModelFacts,
    ModelGuard,
    ModelKind,
    ModelRefusal,
    ModelState,
    ModelStep,
    decide_step,
    is_runnable,
)
from domain.profile import Profile
from domain.profile_json import profile_from_json
from store.audit import record_audit, to_jsonb
from store.pool import Connection
from store.profiles import load_profile, record_profile

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
    after = {"kind": new.kind, "model": new.model, "firmware": new.firmware, "sha256": new.sha256}
    record_audit(conn, actor, AuditEntry("model.registered", ENTITY, made.code, None, after))
    return made


# The device model first: nobody else gives it another profile while it is decided whether this one may be.
LOCK_DEVICE_MODEL = """
    SELECT FROM device_model WHERE id = (SELECT device_model_id FROM model_record WHERE code = %s) FOR UPDATE
"""
# All of one key are locked: two activations at once wait for each other.
LOCK_MODELS = """
    SELECT id, code, state FROM model_record
    WHERE (device_model_id, kind, firmware) = (
        SELECT device_model_id, kind, firmware FROM model_record WHERE code = %s) ORDER BY id FOR UPDATE
"""
ASK = """
    UPDATE model_record SET asked_by = %(by)s, asked_by_id = %(by_id)s, asked_at = %(now)s,
        row_version = row_version + 1, updated_at = %(now)s WHERE id = %(id)s
"""
RETIRE = """
    UPDATE model_record SET state = 'RETIRED', live_until = CASE WHEN state = 'LIVE' THEN %(now)s::timestamptz
        ELSE live_until END, row_version = row_version + 1, updated_at = %(now)s WHERE id = %(id)s
"""
MAKE_LIVE = """
    UPDATE model_record SET state = 'LIVE', approved_by = %(by)s, live_since = %(now)s, live_until = NULL,
        replaced_id = %(replaced_id)s, replaced_profile_version = %(replaced_profile_version)s,
        row_version = row_version + 1, updated_at = %(now)s
    WHERE id = %(id)s
"""
MAKE_LIVE_AGAIN = """
    UPDATE model_record SET state = 'LIVE', live_since = %(now)s, live_until = NULL, row_version = row_version + 1,
        updated_at = %(now)s WHERE id = %(id)s
"""
MOVE = """
    UPDATE model_record SET state = %(state)s, row_version = row_version + 1, updated_at = %(now)s WHERE id = %(id)s
"""
RECORD_SIGNATURE = """
    INSERT INTO signature (entity, entity_id, entity_version, content_sha256, signer_id, printed_name, meaning)
    VALUES ('model', %s, %s, %s, %s, %s, %s)
"""
_ACTIONS = {
    ModelStep.SHADOW: "model.shadowed",
    ModelStep.ACTIVATE: "model.activated",
    ModelStep.ROLL_BACK: "model.rolled_back",
    ModelStep.RETIRE: "model.retired",
}


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What somebody wants done with a model."""

    step: ModelStep
    reason: str = ""
    signature: Signature | None = None
    expected_row_version: int | None = None


def record_step(conn: Connection, actor: Actor, code: str, request: StepRequest, now: datetime) -> ModelRow:
    """The model after the step; record, signature and audit are written in the caller's transaction. What was live for
    the same devices is retired with an activation, and becomes live again with a roll-back.

    The caller has proved who the actor is and, for a signature, checked the password again just now.

    Raises
    ------
    NotFoundError, RowVersionConflictError
        There is no such model, or it has moved since the caller saw it.
    GuardRefusedError
        The life-cycle refuses it; `guard` is a value of `domain.model_record.ModelGuard`.
    """
    conn.execute(LOCK_DEVICE_MODEL, (code,))
    same_key = conn.execute(LOCK_MODELS, (code,)).fetchall()
    before = load_model(conn, code)
    if before is None:
        raise NotFoundError(f"(model {code!r})")
    if request.expected_row_version not in (None, before.row_version):
        raise RowVersionConflictError(f"{code} is at version {before.row_version}.")
    is_profile = before.kind == ModelKind.PROFILE
    others = {state: (id_, other) for id_, other, state in same_key if other != code}
    facts = ModelFacts(
        state=ModelState(before.state),
        safety_critical=before.safety_critical,
        actor_id=actor.user_id,
        signer_id=None if request.signature is None else request.signature.signer_id,
        asked_by_id=before.asked_by_id,
        has_backtest=before.has_backtest,
        is_runnable=is_runnable(before.description, _load_detectors(conn)),
        has_predecessor=before.replaced_id is not None or before.replaced_profile_version is not None,
        other_in_shadow=others["SHADOW"][1] if "SHADOW" in others else None,
        is_outdated=is_profile and _is_outdated(conn, before),
    )
    decided = decide_step(request.step, facts, by=actor.permission, reason=request.reason)
    if isinstance(decided, ModelRefusal):
        raise GuardRefusedError(decided.guard, decided.detail)
    values: dict[str, Any] = {
        "id": before.id,
        "now": now,
        "by": actor.name,
        "by_id": actor.user_id,
        "state": decided.state,
        "replaced_profile_version": before.profile_version if is_profile else None,
    }
    entries = []
    if decided.asked:
        conn.execute(ASK, values)
        entries.append(
            AuditEntry("model.activation_asked", ENTITY, code, None, {"asked_by": actor.name}, request.reason)
        )
    else:
        entries += _carry_out(conn, actor, before, request, values, others.get("LIVE"))
    after = load_model(conn, code)
    assert after is not None
    if request.signature is not None:
        signed = (request.signature.signer_id, request.signature.printed_name, request.signature.meaning)
        conn.execute(RECORD_SIGNATURE, (after.id, after.row_version, after.sha256, *signed))
    record_audit(conn, actor, *entries)
    return after


def _is_outdated(conn: Connection, row: ModelRow) -> bool:
    """Whether the device model has another profile than the one it was proposed for or, of a live one, than itself."""
    if row.state != ModelState.LIVE:
        return bool(row.description["base_version"] != row.profile_version)
    own = profile_from_json(row.description["profile"])
    current = load_profile(conn, row.model)
    assert current is not None
    return replace(own, version=current.version) != current


def _apply_profile(conn: Connection, profile: Profile, actor: Actor, reason: str) -> None:
    """The content of the profile becomes the newest version of its model: versions never go back."""
    current = load_profile(conn, profile.model)
    assert current is not None
    record_profile(conn, replace(profile, version=current.version + 1), actor.name, actor=actor, reason=reason)


LOAD_DETECTORS = """
    SELECT details -> 'detectors' FROM heartbeat WHERE program = 'anomaly' AND details ? 'detectors'
    ORDER BY at DESC LIMIT 1
"""


def _load_detectors(conn: Connection) -> Mapping[str, int] | None:
    """The versions of the detectors that score now, as scoring says of itself; None while none does."""
    row = conn.execute(LOAD_DETECTORS).fetchone()
    return None if row is None else row[0]


def _carry_out(
    conn: Connection,
    actor: Actor,
    before: ModelRow,
    request: StepRequest,
    values: Mapping[str, Any],
    live: tuple[int, str] | None,
) -> list[AuditEntry]:
    entries = []
    if request.step is ModelStep.ACTIVATE:
        if live is not None:
            conn.execute(RETIRE, {**values, "id": live[0]})
            was, becomes = {"state": "LIVE"}, {"state": "RETIRED", "replaced_by": before.code}
            entries.append(AuditEntry("model.retired", ENTITY, live[1], was, becomes, request.reason))
        conn.execute(MAKE_LIVE, {**values, "replaced_id": None if live is None else live[0]})
        if before.kind == ModelKind.PROFILE:
            _apply_profile(conn, profile_from_json(before.description["profile"]), actor, request.reason)
    elif values["state"] is ModelState.RETIRED:
        conn.execute(RETIRE, values)
    else:
        try:
            with conn.transaction():
                conn.execute(MOVE, values)
        except UniqueViolation as error:
            raise GuardRefusedError(
                ModelGuard.ANOTHER_IN_SHADOW, "another model is in shadow since just now"
            ) from error
    own = AuditEntry(
        _ACTIONS[request.step],
        ENTITY,
        before.code,
        {"state": before.state},
        {"state": values["state"], "asked_by": before.asked_by, "replaced": None if live is None else live[1]},
        request.reason,
    )
    entries.append(own)
    if request.step is ModelStep.ROLL_BACK and before.replaced_profile_version is not None:
        earlier = load_profile(conn, before.model, before.replaced_profile_version)
        assert earlier is not None
        _apply_profile(conn, earlier, actor, request.reason)
    if request.step is ModelStep.ROLL_BACK and before.replaced_id is not None:
        conn.execute(MAKE_LIVE_AGAIN, {**values, "id": before.replaced_id})
        becomes = {"state": "LIVE", "instead_of": before.code}
        entries.append(
            AuditEntry(
                "model.activated", ENTITY, before.replaced_code or "", {"state": "RETIRED"}, becomes, request.reason
            )
        )
    return entries


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
