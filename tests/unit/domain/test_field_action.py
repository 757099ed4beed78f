"""The life-cycles of an action and of its devices: each guard by name, and no way around it by any sequence."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.audit import Signature
from domain.field_action import (
    FieldActionGuard,
    FieldActionKind,
    FieldActionState,
)
from domain.field_action_item import (
    ITEM_TRANSITIONS,
    ItemFacts,
    ItemGuard,
    ItemRequest,
    ItemState,
    find_item_next_states,
    find_item_permissions,
    find_item_refusal,
)
from domain.field_action_steps import (
    FIELD_ACTION_TRANSITIONS,
    FieldActionFacts,
    FieldActionRequest,
    find_field_action_next,
    find_field_action_next_states,
    find_field_action_permissions,
    find_field_action_refusal,
)
from domain.roles import ROLE_PERMISSIONS, Permission, Role

_S, _I = FieldActionState, ItemState
AUTHOR, ADA, BOB = 1, 2, 3
WHEN = datetime(2026, 12, 1, tzinfo=UTC)
FACTS = FieldActionFacts(
    state=_S.DRAFT,
    kind=FieldActionKind.FIRMWARE,
    actor_id=ADA,
    author_ids=(AUTHOR,),
    items=3,
    firmware_state="RELEASED",
    has_effectiveness=True,
)
ITEM = ItemFacts(_I.NOTIFIED, FieldActionKind.RECALL, _S.EXECUTING, ADA)


def sign(who: int, meaning: str = "approved") -> Signature:
    return Signature(who, "Name", meaning)


def refuse(to: FieldActionState, facts: FieldActionFacts, **more: Any) -> str | None:
    values: dict[str, Any] = {"reason": "why", "signature": sign(ADA)}
    request = FieldActionRequest(to, **values | more)
    by = (find_field_action_permissions(facts.state, to) or (Permission.FIELD_ACTION_WRITE,))[0]
    refusal = find_field_action_refusal(request, facts, by)
    return None if refusal is None else refusal.guard.value


@pytest.mark.parametrize(
    ("state", "to", "facts", "more", "guard"),
    [
        (_S.DRAFT, _S.EXECUTING, {}, {}, "no_such_transition"),
        (_S.DRAFT, _S.APPROVED, {"actor_id": None}, {}, "person_needed"),
        (_S.DRAFT, _S.APPROVED, {"items": 0}, {}, "scope_empty"),
        (_S.DRAFT, _S.APPROVED, {"overlapping": 2}, {}, "scope_overlaps"),
        (_S.DRAFT, _S.APPROVED, {"firmware_state": "APPROVED"}, {}, "firmware_not_released"),
        (_S.DRAFT, _S.APPROVED, {}, {"signature": None}, "signature_missing"),
        (_S.DRAFT, _S.APPROVED, {}, {"signature": sign(ADA, " ")}, "meaning_missing"),
        (_S.DRAFT, _S.APPROVED, {}, {"signature": sign(BOB)}, "signer_is_another"),
        (_S.DRAFT, _S.APPROVED, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.DRAFT, _S.APPROVED, {"signed_by": (ADA,)}, {}, "second_person"),
        (_S.APPROVED, _S.NOTIFYING, {"signed_by": (ADA,)}, {}, "content_changed"),
        (
            _S.APPROVED,
            _S.NOTIFYING,
            {"signed_by": (ADA, BOB), "firmware_state": "WITHDRAWN"},
            {},
            "firmware_not_released",
        ),
        (_S.APPROVED, _S.NOTIFYING, {"signed_by": (ADA, BOB)}, {}, None),
        (_S.NOTIFYING, _S.EXECUTING, {"customers_waiting": 1}, {}, "customers_not_notified"),
        (_S.EXECUTING, _S.EFFECTIVENESS, {"items_open": 1}, {}, "items_open"),
        (_S.EXECUTING, _S.EFFECTIVENESS, {"is_halted": True}, {}, "halted"),
        (_S.EFFECTIVENESS, _S.EXECUTING, {}, {"reason": " "}, "reason_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"items_unverified": 1}, {}, "items_not_verified"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"has_effectiveness": False}, {}, "effectiveness_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"items_unreachable": 1}, {"reason": ""}, "reason_missing"),
        (_S.EFFECTIVENESS, _S.CLOSED, {"author_ids": (ADA,)}, {}, "own_work"),
        (_S.EFFECTIVENESS, _S.CLOSED, {}, {}, None),
        (_S.EXECUTING, _S.CANCELLED, {}, {"reason": ""}, "reason_missing"),
        (_S.EXECUTING, _S.CANCELLED, {}, {"signature": None}, "signature_missing"),
        (_S.EXECUTING, _S.CANCELLED, {"author_ids": (ADA,)}, {}, None),
        (_S.CLOSED, _S.EXECUTING, {}, {}, "no_such_transition"),
    ],
)
def test_each_guard_of_an_action(
    state: FieldActionState, to: FieldActionState, facts: dict[str, Any], more: dict[str, Any], guard: str | None
) -> None:
    assert refuse(to, replace(FACTS, state=state, **facts), **more) == guard


@pytest.mark.parametrize(
    ("to", "facts", "request_", "guard"),
    [
        (_I.VERIFIED, {}, {}, "no_such_transition"),
        (_I.NOTIFIED, {"state": _I.REMEDIATED}, {}, "only_the_device"),
        (_I.ACKNOWLEDGED, {"action_state": _S.APPROVED}, {}, "action_not_running"),
        (_I.SCHEDULED, {"is_halted": True}, {"scheduled_for": WHEN}, "action_halted"),
        (_I.SCHEDULED, {"wave": 2}, {"scheduled_for": WHEN}, "wave_not_open"),
        (_I.SCHEDULED, {}, {}, "date_missing"),
        (_I.ACKNOWLEDGED, {"state": _I.SCHEDULED}, {}, "reason_missing"),
        (_I.REMEDIATED, {}, {}, "evidence_missing"),
        (_I.REMEDIATED, {"has_open_visit": True}, {"evidence": "x"}, "visit_not_done"),
        (_I.REMEDIATED, {}, {"evidence": "x"}, None),
        (_I.REMEDIATED, {"kind": FieldActionKind.FIRMWARE}, {"evidence": "x"}, "device_has_not_reported"),
        (
            _I.REMEDIATED,
            {"kind": FieldActionKind.FIRMWARE, "runs_wanted_version": True},
            {"evidence": "x"},
            "only_the_device",
        ),
        (
            _I.REMEDIATED,
            {"kind": FieldActionKind.FIRMWARE, "runs_wanted_version": True, "is_machine": True},
            {},
            None,
        ),
        (_I.VERIFIED, {"state": _I.REMEDIATED, "remediated_by_id": ADA}, {"evidence": "x"}, "own_work"),
        (_I.VERIFIED, {"state": _I.REMEDIATED, "actor_id": None}, {"evidence": "x"}, "person_needed"),
        (_I.VERIFIED, {"state": _I.REMEDIATED}, {}, "evidence_missing"),
        (_I.UNREACHABLE, {"attempts": 2}, {}, "attempts_missing"),
        (_I.UNREACHABLE, {"attempts": 3}, {}, None),
        (_I.SCRAPPED, {}, {}, "reason_missing"),
    ],
)
def test_each_guard_of_a_device(
    to: ItemState, facts: dict[str, Any], request_: dict[str, Any], guard: str | None
) -> None:
    wanted = replace(ITEM, **facts)
    refusal = find_item_refusal(ItemRequest(to, **request_), wanted, Permission.FIELD_ACTION_WORK)
    assert (None if refusal is None else refusal.guard.value) == guard


def test_without_the_right_a_device_is_not_moved() -> None:
    refusal = find_item_refusal(ItemRequest(_I.ACKNOWLEDGED), ITEM, Permission.FIELD_ACTION_READ)
    assert refusal is not None
    assert refusal.guard is ItemGuard.PERMISSION_MISSING


PEOPLE = {
    1: Role.QUALITY_ENGINEER,
    2: Role.QUALITY_APPROVER,
    3: Role.QUALITY_APPROVER,
    4: Role.DISPATCHER,
    5: Role.ENGINEER,
    6: Role.CUSTOMER,
}
people = st.sampled_from(sorted(PEOPLE))
commands = st.lists(
    st.tuples(
        people, st.sampled_from(list(_S)), st.booleans(), st.booleans(), st.sampled_from(["", "edit", "halt", "go"])
    ),
    max_size=30,
)


@given(commands, st.booleans())
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_commands_gets_around_a_guard_of_an_action(
    sequence: list[tuple[int, FieldActionState, bool, bool, str]], tells: bool
) -> None:
    facts = replace(FACTS, author_ids=(1,), customers_waiting=0 if tells else 1, has_effectiveness=False)
    passed = [facts.state]
    for who, to, with_signature, with_reason, event in sequence:
        if event == "edit" and facts.state is _S.DRAFT and PEOPLE[who] is Role.QUALITY_ENGINEER:
            facts = replace(facts, signed_by=(), author_ids=tuple({*facts.author_ids, who}))
        facts = replace(facts, is_halted=facts.state.is_running and event == "halt", actor_id=who)
        held = [p for p in find_field_action_permissions(facts.state, to) if p in ROLE_PERMISSIONS[PEOPLE[who]]]
        by = held[0] if held else Permission.FIELD_ACTION_READ
        request = FieldActionRequest(to, "why" if with_reason else "", sign(who) if with_signature else None)
        refusal = find_field_action_refusal(request, facts, by)
        if refusal is not None:
            assert refusal.guard in FieldActionGuard
            assert refusal.detail
            continue
        assert to in find_field_action_next_states(facts.state)
        assert held
        after = find_field_action_next(request, facts)
        signed = (*facts.signed_by, who) if to is _S.APPROVED else facts.signed_by
        if after is _S.APPROVED:
            assert len(set(signed)) >= 2
            assert not set(signed) & set(facts.author_ids)
        if after is not facts.state:
            passed.append(after)
        facts = replace(facts, state=after, signed_by=signed, has_effectiveness=after is _S.EFFECTIVENESS)
    assert all((a, b) in FIELD_ACTION_TRANSITIONS for a, b in pairwise(passed))
    assert tells or _S.EXECUTING not in passed


item_commands = st.lists(
    st.tuples(people, st.sampled_from(list(_I)), st.booleans(), st.sampled_from(["", "report", "roll_back", "fail"])),
    max_size=30,
)


@given(item_commands, st.sampled_from(list(FieldActionKind)))
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_no_sequence_of_commands_installs_what_no_device_reported(
    sequence: list[tuple[int, ItemState, bool, str]], kind: FieldActionKind
) -> None:
    facts = replace(ITEM, state=_I.IDENTIFIED, kind=kind)
    for who, to, says_all, event in sequence:
        facts = replace(
            facts,
            actor_id=who,
            attempts=facts.attempts + (event == "fail"),
            runs_wanted_version=event == "report" or (facts.runs_wanted_version and event != "roll_back"),
        )
        if event in ("report", "roll_back") and kind is FieldActionKind.FIRMWARE:
            machine = _I.REMEDIATED if facts.runs_wanted_version else _I.NOTIFIED
            moved = (
                find_item_refusal(ItemRequest(machine), replace(facts, is_machine=True), "field_action_rules") is None
            )
            if moved and (machine is _I.REMEDIATED or facts.state in (_I.REMEDIATED, _I.VERIFIED)):
                facts = replace(facts, state=machine)
        held = [p for p in find_item_permissions(facts.state, to) if p in ROLE_PERMISSIONS[PEOPLE[who]]]
        text = "said" if says_all else ""
        request = ItemRequest(to, text, text, WHEN if says_all else None)
        refusal = find_item_refusal(request, facts, held[0] if held else Permission.FIELD_ACTION_READ)
        if refusal is not None:
            assert refusal.guard in ItemGuard
            assert refusal.detail
            continue
        assert to in find_item_next_states(facts.state)
        assert ITEM_TRANSITIONS[facts.state, to]
        assert held
        remediated_by = who if to is _I.REMEDIATED else facts.remediated_by_id
        if to is _I.VERIFIED:
            assert who != remediated_by
        facts = replace(facts, state=to, remediated_by_id=remediated_by)
        if kind is FieldActionKind.FIRMWARE and to in (_I.REMEDIATED, _I.VERIFIED):
            assert facts.runs_wanted_version
