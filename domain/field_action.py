"""Field actions (recalls, corrections, firmware campaigns): states, steps, and the guards that refuse one. Pure.

A refusal is a value. The devices of an action and their own states are in domain/field_action_item.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class FieldActionKind(StrEnum):
    """Values stand in the database and never change."""

    RECALL = "RECALL"
    CORRECTION = "CORRECTION"
    FIRMWARE = "FIRMWARE"


class FieldActionState(StrEnum):
    """Values stand in the database and never change."""

    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    NOTIFYING = "NOTIFYING"
    EXECUTING = "EXECUTING"
    EFFECTIVENESS = "EFFECTIVENESS"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"

    @property
    def is_running(self) -> bool:
        """Its items are worked on."""
        return self in (FieldActionState.NOTIFYING, FieldActionState.EXECUTING)


class FieldActionGuard(StrEnum):
    """The rule that refused a step of an action; a 409 names it. Values never change."""

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
    SCOPE_EMPTY = "scope_empty"
    SCOPE_OVERLAPS = "scope_overlaps"
    FIRMWARE_NOT_RELEASED = "firmware_not_released"
    CONTENT_CHANGED = "content_changed"
    CUSTOMERS_NOT_NOTIFIED = "customers_not_notified"
    ITEMS_OPEN = "items_open"
    ITEMS_NOT_VERIFIED = "items_not_verified"
    EFFECTIVENESS_MISSING = "effectiveness_missing"
    HALTED = "halted"
    NOT_HALTED = "not_halted"
    NOT_EXECUTING = "not_executing"
    LAST_WAVE = "last_wave"
    WAVE_NOT_DONE = "wave_not_done"
    WAVE_SOAKING = "wave_soaking"


@dataclass(frozen=True, slots=True)
class FieldAction:
    """One action as stored; `row_version` is what `If-Match` compares."""

    id: int
    code: str  # FA-2026-0001
    kind: FieldActionKind
    state: FieldActionState
    title: str
    description: str
    instructions: str  # what customers are told to do
    device_model_id: int
    model: str
    firmware_id: int | None
    component: str | None  # of the firmware, as the four below
    firmware_version: str | None
    firmware_sha256: str | None
    firmware_url: str | None
    firmware_state: str | None
    priority: str  # of the work orders it makes
    needs_visit: bool
    max_attempts: int  # failed attempts to reach a customer, after which an item is UNREACHABLE
    install_attempts: int  # updates that failed at a device, after which it is notified no more and visited
    not_before: datetime | None
    waves: list[Mapping[str, Any]]
    current_wave: int  # 0: none is open
    wave_opened_at: datetime | None
    scope: Mapping[str, Any]
    scope_sha256: str  # over the frozen serials and their waves; empty: no scope yet
    scope_frozen_at: datetime | None
    item_count: int
    halt_p: float
    watched_from: datetime | None  # the breach rate of what was upgraded since then is judged
    looks: int
    next_look_hours: float
    halted_at: datetime | None
    halt_reason: str
    halt_statistics: Mapping[str, Any] | None
    accepted_findings: list[str]  # of a release comparison, with which a person let the campaign go on
    effectiveness: Mapping[str, Any] | None
    author_ids: list[int]
    content_version: int  # counts up with every change of the draft
    capa_code: str | None
    cancel_reason: str
    region: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    executing_at: datetime | None
    closed_at: datetime | None
    external_refs: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def is_halted(self) -> bool:
        return self.halted_at is not None


def find_field_action_content(action: FieldAction) -> dict[str, Any]:
    """What approvers sign: what is done, with what, to which devices, in which order, and when it stops by itself."""
    return {
        "code": action.code,
        "kind": action.kind,
        "title": action.title,
        "description": action.description,
        "instructions": action.instructions,
        "model": action.model,
        "component": action.component,
        "firmware_version": action.firmware_version,
        "firmware_sha256": action.firmware_sha256,
        "priority": action.priority,
        "needs_visit": action.needs_visit,
        "max_attempts": action.max_attempts,
        "install_attempts": action.install_attempts,
        "not_before": action.not_before,
        "waves": action.waves,
        "scope": action.scope,
        "scope_sha256": action.scope_sha256,
        "item_count": action.item_count,
        "halt_p": action.halt_p,
        "capa": action.capa_code,
    }
