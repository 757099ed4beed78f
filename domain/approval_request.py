"""Changes that take two people: one asks and signs, another grants or refuses and signs; what is granted is what was
asked. Pure.

This is for changes that have no life-cycle of their own to carry the two steps. A field action, a release of firmware,
a CAPA's plan and its closure have theirs, with guards of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.audit import find_content_sha256
from domain.roles import Permission


class ApprovalKind(StrEnum):
    """What is asked for. Values stand in the database and never change."""

    SLA_WAIVER = "sla_waiver"
    PLAN_SKIP = "plan_skip"
    KEY_FIELD_CHANGE = "key_field_change"
    IDENTIFIABLE_EXPORT = "identifiable_export"
    RETENTION_CHANGE = "retention_change"


class ApprovalState(StrEnum):
    """Values stand in the database and never change."""

    ASKED = "ASKED"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"  # by the asker
    EXPIRED = "EXPIRED"  # nobody decided in time


class ApprovalGuard(StrEnum):
    """The rule that refused a step; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    KIND_NOT_OFFERED = "kind_not_offered"
    ASKED_ALREADY = "asked_already"
    PERMISSION_MISSING = "permission_missing"
    PERSON_NEEDED = "person_needed"
    REASON_MISSING = "reason_missing"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    MEANING_MISSING = "meaning_missing"
    SECOND_PERSON = "second_person"
    NOT_ASKER = "not_asker"
    EXPIRED = "expired"
    SUBJECT_CHANGED = "subject_changed"
    NOT_AS_ASKED = "not_as_asked"


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Who may ask for a kind of change, who may decide on it, and for how long the question stands."""

    entity: str  # the kind of record it is about, as the audit names it
    ask: Permission
    decide: Permission
    stands_for: timedelta


RULES: dict[ApprovalKind, ApprovalRule] = {
    ApprovalKind.SLA_WAIVER: ApprovalRule("work_order", Permission.SLA_WAIVE, Permission.SLA_WAIVE, timedelta(days=7)),
    ApprovalKind.PLAN_SKIP: ApprovalRule(
        "plan_occurrence", Permission.PLAN_SKIP, Permission.PLAN_SKIP, timedelta(days=14)
    ),
    ApprovalKind.KEY_FIELD_CHANGE: ApprovalRule(
        "device", Permission.MASTER_DATA_WRITE, Permission.KEY_FIELD_APPROVE, timedelta(days=14)
    ),
    ApprovalKind.IDENTIFIABLE_EXPORT: ApprovalRule(
        "export", Permission.EXPORT_TAKE, Permission.EXPORT_APPROVE, timedelta(days=2)
    ),
    ApprovalKind.RETENTION_CHANGE: ApprovalRule(
        "retention", Permission.RETENTION_WRITE, Permission.RETENTION_APPROVE, timedelta(days=14)
    ),
}
DECISIONS = (ApprovalState.GRANTED, ApprovalState.REFUSED)


@dataclass(frozen=True, slots=True)
class ApprovalWish:
    """What somebody asks for: a change of one record, and why."""

    kind: ApprovalKind
    entity_id: str
    payload: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalSubject:
    """The record as it is when the change is asked for. `values` is what both sign beside the change itself: a record
    that differs when the change is granted is not the one that was asked about."""

    values: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """One asked change and what became of it."""

    id: int
    code: str  # AR-2026-000001
    kind: str
    entity: str
    entity_id: str
    payload: dict[str, Any]
    subject: dict[str, Any]
    content_sha256: str
    reason: str
    state: str
    asked_by_id: int
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by_id: int | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str
    outcome: dict[str, Any] | None  # what carrying it out gave
    region: str
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalFacts:
    """What the guards must know of the request and of who wants the step."""

    kind: ApprovalKind
    state: ApprovalState
    asked_by_id: int
    expires_at: datetime
    actor_id: int | None  # None: a program or a token
    signer_id: int | None  # whose signature comes with the step
    meaning: str
    is_intact: bool = True  # the request is what was hashed when it was asked
    subject_is_same: bool = True  # and so is the record that it changes


@dataclass(frozen=True, slots=True)
class ApprovalRefusal:
    """Why a step may not be: the guard, and a sentence for people."""

    guard: ApprovalGuard
    detail: str


def find_approval_content(
    kind: str, entity: str, entity_id: str, payload: Mapping[str, Any], subject: Mapping[str, Any], asked_by_id: int
) -> dict[str, Any]:
    """What both people sign: the change, the record that it changes as it is, and who asks."""
    return {
        "kind": str(kind),
        "entity": entity,
        "entity_id": entity_id,
        "payload": dict(payload),
        "subject": dict(subject),
        "asked_by_id": asked_by_id,
    }


def find_request_content(request: ApprovalRequest) -> dict[str, Any]:
    """What is signed of a request that is recorded."""
    return find_approval_content(
        request.kind, request.entity, request.entity_id, request.payload, request.subject, request.asked_by_id
    )


def find_decision_content(request: ApprovalRequest, to: ApprovalState) -> dict[str, Any]:
    """What the second person signs: all that the first one did, and what is decided."""
    return find_request_content(request) | {"decision": to}


def is_intact(request: ApprovalRequest) -> bool:
    """Whether the request is still what was hashed when it was asked."""
    return find_content_sha256(find_request_content(request)) == request.content_sha256


def find_ask_refusal(wish: ApprovalWish, *, actor_id: int | None, signer_id: int | None, meaning: str,
                     permission: str) -> ApprovalRefusal | None:  # fmt: skip
    """The first guard that refuses the question, or None."""
    if permission != RULES[wish.kind].ask:
        return _refuse(ApprovalGuard.PERMISSION_MISSING, f"to ask for this needs {RULES[wish.kind].ask}")
    if actor_id is None:
        return _refuse(ApprovalGuard.PERSON_NEEDED, "people ask for such a change; a token or a program does not")
    if not wish.reason.strip():
        return _refuse(ApprovalGuard.REASON_MISSING, "a change that takes two people needs its reason")
    return _find_signature_refusal(actor_id, signer_id, meaning)


def find_approval_refusal(
    to: ApprovalState, facts: ApprovalFacts, *, permission: str, reason: str, now: datetime
) -> ApprovalRefusal | None:
    """The first guard that refuses the step of a person, or None. EXPIRED is the machine's step alone."""
    rule = RULES[facts.kind]
    if facts.state is not ApprovalState.ASKED or to not in (*DECISIONS, ApprovalState.WITHDRAWN):
        return _refuse(ApprovalGuard.NO_SUCH_TRANSITION, f"a request that is {facts.state} does not become {to}")
    if facts.actor_id is None:
        return _refuse(ApprovalGuard.PERSON_NEEDED, "people decide on such a change; a token or a program does not")
    if to is ApprovalState.WITHDRAWN:
        if permission != rule.ask:
            return _refuse(ApprovalGuard.PERMISSION_MISSING, f"to withdraw this needs {rule.ask}")
        if facts.actor_id != facts.asked_by_id:
            return _refuse(ApprovalGuard.NOT_ASKER, "who asked withdraws the question; others refuse it")
        return None
    if permission != rule.decide:
        return _refuse(ApprovalGuard.PERMISSION_MISSING, f"to decide on this needs {rule.decide}")
    if facts.actor_id == facts.asked_by_id:
        return _refuse(ApprovalGuard.SECOND_PERSON, "who asked does not decide on it as well")
    if now >= facts.expires_at:
        return _refuse(ApprovalGuard.EXPIRED, f"the question stood until {facts.expires_at:%Y-%m-%d %H:%M} UTC")
    if to is ApprovalState.REFUSED and not reason.strip():
        return _refuse(ApprovalGuard.REASON_MISSING, "a refusal needs its reason")
    unsigned = _find_signature_refusal(facts.actor_id, facts.signer_id, facts.meaning)
    if unsigned is not None:
        return unsigned
    if to is ApprovalState.GRANTED and not facts.is_intact:
        return _refuse(ApprovalGuard.NOT_AS_ASKED, "the request is not what was signed when it was asked")
    if to is ApprovalState.GRANTED and not facts.subject_is_same:
        detail = "the record is no longer as it was when this was asked; refuse it, and have it asked again"
        return _refuse(ApprovalGuard.SUBJECT_CHANGED, detail)
    return None


def _find_signature_refusal(actor_id: int, signer_id: int | None, meaning: str) -> ApprovalRefusal | None:
    if signer_id is None:
        return _refuse(ApprovalGuard.SIGNATURE_MISSING, "the step is signed with one's own password")
    if signer_id != actor_id:
        return _refuse(ApprovalGuard.SIGNER_IS_ANOTHER, "who takes the step signs it")
    if not meaning.strip():
        return _refuse(ApprovalGuard.MEANING_MISSING, "a signature says what it means")
    return None


def _refuse(guard: ApprovalGuard, detail: str) -> ApprovalRefusal:
    return ApprovalRefusal(guard, detail)
