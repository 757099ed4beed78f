"""Firmware: two people approve, and each guard by name."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.audit import Signature
from domain.firmware_record import (
    FIRMWARE_TRANSITIONS,
    FirmwareFacts,
    FirmwareGuard,
    FirmwareRecordState,
    FirmwareRequest,
    find_firmware_next,
    find_firmware_next_states,
    find_firmware_refusal,
)
from domain.roles import ROLE_PERMISSIONS, Permission, Role

_S = FirmwareRecordState
AUTHOR, ADA, BOB = 1, 2, 3


def refuse(request: FirmwareRequest, facts: FirmwareFacts, by: str = Permission.FIRMWARE_APPROVE) -> str | None:
    refusal = find_firmware_refusal(request, facts, by)
    return None if refusal is None else refusal.guard.value


def sign(who: int) -> Signature:
    return Signature(who, "Name", "approved")


@pytest.mark.parametrize(
    ("to", "state", "more", "by", "guard"),
    [
        (_S.RELEASED, _S.DRAFT, {}, Permission.FIRMWARE_APPROVE, "no_such_transition"),
        (_S.APPROVED, _S.DRAFT, {}, Permission.FIRMWARE_WRITE, "permission_missing"),
        (_S.APPROVED, _S.DRAFT, {"actor_id": None}, Permission.FIRMWARE_APPROVE, "person_needed"),
        (_S.APPROVED, _S.DRAFT, {"actor_id": AUTHOR}, Permission.FIRMWARE_APPROVE, "signer_is_another"),
        (_S.APPROVED, _S.DRAFT, {"author_ids": (ADA,)}, Permission.FIRMWARE_APPROVE, "own_work"),
        (_S.APPROVED, _S.DRAFT, {"signed_by": (ADA,)}, Permission.FIRMWARE_APPROVE, "second_person"),
        (_S.RELEASED, _S.APPROVED, {"author_ids": (ADA,)}, Permission.FIRMWARE_APPROVE, "own_work"),
        (_S.RELEASED, _S.APPROVED, {"signed_by": (ADA,)}, Permission.FIRMWARE_APPROVE, None),
        (_S.WITHDRAWN, _S.RELEASED, {"author_ids": (ADA,)}, Permission.FIRMWARE_APPROVE, None),
    ],
)
def test_each_guard(
    to: FirmwareRecordState, state: FirmwareRecordState, more: dict[str, Any], by: Permission, guard: str | None
) -> None:
    values: dict[str, Any] = {"state": state, "actor_id": ADA, "author_ids": (AUTHOR,)}
    facts = FirmwareFacts(**values | more)
    assert refuse(FirmwareRequest(to, "because", sign(ADA)), facts, by) == guard


def test_withdrawing_says_why_and_what_was_released_is_withdrawn_with_a_signature() -> None:
    facts = FirmwareFacts(_S.RELEASED, ADA)
    assert refuse(FirmwareRequest(_S.WITHDRAWN, " ", sign(ADA)), facts) == "reason_missing"
    assert refuse(FirmwareRequest(_S.WITHDRAWN, "bricks"), facts) == "signature_missing"
    draft = FirmwareFacts(_S.DRAFT, AUTHOR)
    assert refuse(FirmwareRequest(_S.WITHDRAWN, "a slip"), draft, Permission.FIRMWARE_WRITE) is None


PEOPLE = {1: Role.ENGINEER, 2: Role.QUALITY_APPROVER, 3: Role.QUALITY_APPROVER, 4: Role.QUALITY_ENGINEER, 5: Role.ADMIN}
commands = st.lists(
    st.tuples(st.sampled_from(sorted(PEOPLE)), st.sampled_from(list(_S)), st.booleans(), st.booleans(), st.booleans()),
    max_size=25,
)


@given(commands, st.sets(st.sampled_from(sorted(PEOPLE)), min_size=1, max_size=2))
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_commands_gets_around_two_signatures(
    sequence: list[tuple[int, FirmwareRecordState, bool, bool, bool]], authors: set[int]
) -> None:
    state, signed = _S.DRAFT, set[int]()
    for who, to, with_signature, with_reason, changes in sequence:
        permissions = ROLE_PERMISSIONS[PEOPLE[who]]
        if changes and state is _S.DRAFT and Permission.FIRMWARE_WRITE in permissions:
            authors, signed = {*authors, who}, set()
        by = FIRMWARE_TRANSITIONS.get((state, to), Permission.FIRMWARE_APPROVE)
        by = by if by in permissions else Permission.DEVICE_READ
        request = FirmwareRequest(to, "why" if with_reason else "", sign(who) if with_signature else None)
        facts = FirmwareFacts(state, who, sorted(authors), sorted(signed))
        refusal = find_firmware_refusal(request, facts, by)
        if refusal is not None:
            assert refusal.guard in FirmwareGuard
            assert refusal.detail
            continue
        assert to in find_firmware_next_states(state)
        assert by in permissions
        after = find_firmware_next(request, facts)
        if to is _S.APPROVED:
            signed.add(who)
        if after is _S.APPROVED:
            assert len(signed) >= 2
            assert not signed & authors
        state = after
    assert state is not _S.RELEASED or len(signed) >= 2
