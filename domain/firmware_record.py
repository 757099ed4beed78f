"""Firmware that may be installed: a version of a component of a device model, its hash, and who let it out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.audit import Signature
from domain.roles import Permission
from domain.two_signatures import NEEDED, find_signing_refusal


class FirmwareRecordState(StrEnum):
    """Values stand in the database and never change."""

    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    RELEASED = "RELEASED"
    WITHDRAWN = "WITHDRAWN"


class FirmwareGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    NOT_DRAFT = "not_draft"
    REASON_MISSING = "reason_missing"
    PERSON_NEEDED = "person_needed"
    SIGNATURE_MISSING = "signature_missing"
    MEANING_MISSING = "meaning_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    OWN_WORK = "own_work"
    SECOND_PERSON = "second_person"


_S = FirmwareRecordState
_P = Permission
# (from, to) -> the permission. DRAFT -> APPROVED takes two signatures: the first leaves it a draft.
FIRMWARE_TRANSITIONS: dict[tuple[FirmwareRecordState, FirmwareRecordState], Permission] = {
    (_S.DRAFT, _S.APPROVED): _P.FIRMWARE_APPROVE,
    (_S.APPROVED, _S.RELEASED): _P.FIRMWARE_APPROVE,
    (_S.RELEASED, _S.WITHDRAWN): _P.FIRMWARE_APPROVE,
    (_S.APPROVED, _S.WITHDRAWN): _P.FIRMWARE_APPROVE,
    (_S.DRAFT, _S.WITHDRAWN): _P.FIRMWARE_WRITE,
}


@dataclass(frozen=True, slots=True)
class FirmwareRecord:
    """One version as stored; `row_version` is what `If-Match` compares."""

    id: int
    code: str  # FW-2026-0001
    device_model_id: int
    model: str
    component: str
    version: str
    sha256: str  # of the image, hexadecimal
    url: str  # where a device fetches it; empty: it knows by itself
    size_bytes: int | None
    notes: str
    state: FirmwareRecordState
    author_ids: list[int]
    content_version: int  # counts up with every change of the draft
    released_at: datetime | None
    withdrawn_at: datetime | None
    withdraw_reason: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    external_refs: list[Mapping[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FirmwareRequest:
    """What somebody wants of a version."""

    to: FirmwareRecordState
    reason: str = ""
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class FirmwareFacts:
    """What the guards must know."""

    state: FirmwareRecordState
    actor_id: int | None
    author_ids: Sequence[int] = ()
    signed_by: Sequence[int] = ()  # whose signature on the draft as it is now holds


@dataclass(frozen=True, slots=True)
class FirmwareRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: FirmwareGuard
    detail: str


def find_firmware_content(record: FirmwareRecord) -> dict[str, Any]:
    """What is signed: which image it is, for what, and where it comes from."""
    return {
        "code": record.code,
        "model": record.model,
        "component": record.component,
        "version": record.version,
        "sha256": record.sha256,
        "url": record.url,
        "size_bytes": record.size_bytes,
        "notes": record.notes,
    }


def find_firmware_next_states(state: FirmwareRecordState) -> tuple[FirmwareRecordState, ...]:
    """The states that can follow, whoever asks."""
    return tuple(to for source, to in FIRMWARE_TRANSITIONS if source is state)


def find_firmware_refusal(request: FirmwareRequest, facts: FirmwareFacts, by: str) -> FirmwareRefusal | None:
    """The first guard that refuses the step, or None; `by` is the permission that the actor uses."""
    needed = FIRMWARE_TRANSITIONS.get((facts.state, request.to))
    if needed is None:
        allowed = ", ".join(find_firmware_next_states(facts.state)) or "nothing"
        detail = f"from {facts.state} firmware can become {allowed}; not {request.to}"
        return FirmwareRefusal(FirmwareGuard.NO_SUCH_TRANSITION, detail)
    if by != needed:
        return FirmwareRefusal(FirmwareGuard.PERMISSION_MISSING, f"this needs {needed}")
    if request.to is _S.WITHDRAWN:
        if not request.reason.strip():
            return FirmwareRefusal(FirmwareGuard.REASON_MISSING, "withdrawing a version needs its reason")
        if facts.actor_id is None:
            return FirmwareRefusal(FirmwareGuard.PERSON_NEEDED, "a person withdraws a version")
        if not is_firmware_step_signed(facts.state, request.to):
            return None
        # Whoever sees the danger stops it, the author too: withdrawing is signed, and approves nothing.
        refusal = find_signing_refusal(request.signature, actor_id=facts.actor_id, author_ids=())
    else:
        signed_by = facts.signed_by if request.to is _S.APPROVED else ()
        refusal = find_signing_refusal(
            request.signature, actor_id=facts.actor_id, author_ids=facts.author_ids, signed_by=signed_by
        )
    return None if refusal is None else FirmwareRefusal(FirmwareGuard(refusal.guard.value), refusal.detail)


def is_firmware_step_signed(state: FirmwareRecordState, to: FirmwareRecordState) -> bool:
    """Whether the step takes a signature; one that comes along with any other is not recorded: nobody checked it."""
    return to in (_S.APPROVED, _S.RELEASED) or state is _S.RELEASED


def find_firmware_next(request: FirmwareRequest, facts: FirmwareFacts) -> FirmwareRecordState:
    """The state after a step that no guard refused: a draft is approved by its second signature."""
    if request.to is _S.APPROVED and len({*facts.signed_by}) + 1 < NEEDED:
        return _S.DRAFT
    return request.to
