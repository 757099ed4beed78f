"""The steps of models: what becomes of them goes through its guards, is signed, and into the audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation

from domain.audit import Actor, AuditEntry, Signature
from domain.audit_model import activation_asked, model_live_again, model_moved, model_replaced
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
from domain.profile_decision import find_undone
from domain.profile_json import profile_from_json
from store.audit import record_audit
from store.models import ENTITY, ModelRow, load_model
from store.pool import Connection
from store.profile_decisions import load_profile_decisions
from store.profiles import load_profile, record_profile
from store.signatures import record_signature

# The device model first: nobody else gives it another profile while it is decided whether this one may be.
LOCK_DEVICE_MODEL = """
    SELECT FROM device_model WHERE id = (SELECT device_model_id FROM model_record WHERE code = %s) FOR UPDATE
"""
# All of one key are locked by a step: two activations at once wait for each other.
LOAD_SAME_KEY = """
    SELECT id, code, state FROM model_record
    WHERE (device_model_id, kind, firmware) = (
        SELECT device_model_id, kind, firmware FROM model_record WHERE code = %s) ORDER BY id
"""
LOCK_SAME_KEY = f"{LOAD_SAME_KEY} FOR UPDATE"
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
    same_key = conn.execute(LOCK_SAME_KEY, (code,)).fetchall()
    before = load_model(conn, code)
    if before is None:
        raise NotFoundError(f"(model {code!r})")
    if request.expected_row_version not in (None, before.row_version):
        raise RowVersionConflictError(f"{code} is at version {before.row_version}.")
    others = _find_others(code, same_key)
    signer_id = None if request.signature is None else request.signature.signer_id
    facts = _find_facts(conn, before, others, actor.user_id, signer_id)
    decided = decide_step(request.step, facts, by=actor.permission, reason=request.reason)
    if isinstance(decided, ModelRefusal):
        raise GuardRefusedError(decided.guard, decided.detail)
    values: dict[str, Any] = {
        "id": before.id,
        "now": now,
        "by": actor.name,
        "by_id": actor.user_id,
        "state": decided.state,
        "replaced_profile_version": before.profile_version if before.kind == ModelKind.PROFILE else None,
    }
    entries = []
    if decided.asked:
        conn.execute(ASK, values)
        entries.append(activation_asked(code, actor.name, request.reason))
    else:
        entries += _carry_out(conn, actor, before, request, values, others.get("LIVE"))
    after = load_model(conn, code)
    assert after is not None
    if request.signature is not None:
        content = {"code": code, "sha256": after.sha256}
        record_signature(conn, ENTITY, after.id, after.row_version, content, request.signature, now)
    record_audit(conn, actor, *entries)
    return after


def load_model_facts(conn: Connection, row: ModelRow, *, actor_id: int | None, signer_id: int | None) -> ModelFacts:
    """What the guards would know if this person took a step now; nothing is locked."""
    others = _find_others(row.code, conn.execute(LOAD_SAME_KEY, (row.code,)).fetchall())
    return _find_facts(conn, row, others, actor_id, signer_id)


def _find_others(code: str, same_key: Sequence[tuple[int, str, str]]) -> dict[str, tuple[int, str]]:
    """The other models for the same devices, one by each state."""
    return {state: (id_, other) for id_, other, state in same_key if other != code}


def _find_facts(
    conn: Connection,
    row: ModelRow,
    others: Mapping[str, tuple[int, str]],
    actor_id: int | None,
    signer_id: int | None,
) -> ModelFacts:
    return ModelFacts(
        state=ModelState(row.state),
        safety_critical=row.safety_critical,
        actor_id=actor_id,
        signer_id=signer_id,
        asked_by_id=row.asked_by_id,
        has_backtest=row.has_backtest,
        is_runnable=is_runnable(row.description, _load_detectors(conn)),
        has_predecessor=row.replaced_id is not None or row.replaced_profile_version is not None,
        other_in_shadow=others["SHADOW"][1] if "SHADOW" in others else None,
        is_outdated=row.kind == ModelKind.PROFILE and _is_outdated(conn, row),
    )


def _is_outdated(conn: Connection, row: ModelRow) -> bool:
    """Whether the device model has another profile than the one it was proposed for or, of a live one, than itself."""
    if row.state != ModelState.LIVE:
        return bool(row.description["base_version"] != row.profile_version)
    own = profile_from_json(row.description["profile"])
    current = load_profile(conn, row.model)
    assert current is not None
    return replace(own, version=current.version) != current


def _apply_profile(conn: Connection, profile: Profile, actor: Actor, reason: str) -> None:
    """The content of the profile becomes the newest version of its model: versions never go back. The audit has which
    earlier decisions it undoes."""
    current = load_profile(conn, profile.model)
    assert current is not None
    undone = find_undone(load_profile_decisions(conn, profile.model), current, profile)
    newest = replace(profile, version=current.version + 1)
    record_profile(conn, newest, actor.name, actor=actor, reason=reason, undone=undone)


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
            entries.append(model_replaced(live[1], before.code, request.reason))
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
    own = model_moved(
        before.code,
        request.step,
        before.state,
        values["state"],
        asked_by=before.asked_by,
        replaced=None if live is None else live[1],
        reason=request.reason,
    )
    entries.append(own)
    if request.step is ModelStep.ROLL_BACK and before.replaced_profile_version is not None:
        earlier = load_profile(conn, before.model, before.replaced_profile_version)
        assert earlier is not None
        _apply_profile(conn, earlier, actor, request.reason)
    if request.step is ModelStep.ROLL_BACK and before.replaced_id is not None:
        conn.execute(MAKE_LIVE_AGAIN, {**values, "id": before.replaced_id})
        entries.append(model_live_again(before.replaced_code or "", before.code, request.reason))
    return entries
