"""Every step of a contract, and what may be changed in which state."""

from dataclasses import replace
from datetime import date

import pytest

from domain.contract import (
    ContractFacts,
    ContractGuard,
    ContractState,
    find_change_refusal,
    find_contract_refusal,
)
from domain.roles import Permission

_S, _G = ContractState, ContractGuard
TODAY = date(2026, 11, 22)
DRAFT = ContractFacts(_S.DRAFT, ends_on=date(2026, 12, 31), customer_status="ACTIVE")


def find_guard(to: ContractState, facts: ContractFacts, *, reason: str = "because", is_machine: bool = False,
               permission: str = Permission.MASTER_DATA_WRITE) -> str | None:  # fmt: skip
    refusal = find_contract_refusal(to, facts, permission=permission, reason=reason, today=TODAY, is_machine=is_machine)
    return None if refusal is None else refusal.guard


@pytest.mark.parametrize("state", ContractState)
@pytest.mark.parametrize("to", ContractState)
def test_every_pair_of_states_for_people(state: ContractState, to: ContractState) -> None:
    allowed = {(_S.DRAFT, _S.ACTIVE), (_S.ACTIVE, _S.TERMINATED)}
    by_machine = {(_S.ACTIVE, _S.EXPIRED)}
    expected = _G.MACHINE_ONLY if (state, to) in by_machine else _G.NO_SUCH_TRANSITION
    assert find_guard(to, replace(DRAFT, state=state)) == (None if (state, to) in allowed else expected)


def test_the_machine_ends_what_is_over_and_does_nothing_else() -> None:
    active = replace(DRAFT, state=_S.ACTIVE)
    assert find_guard(_S.EXPIRED, active, is_machine=True) == _G.NO_SUCH_TRANSITION
    assert find_guard(_S.EXPIRED, replace(active, ends_on=TODAY), is_machine=True) == _G.NO_SUCH_TRANSITION
    assert find_guard(_S.EXPIRED, replace(active, ends_on=date(2026, 11, 21)), is_machine=True) is None
    assert find_guard(_S.TERMINATED, active, is_machine=True) == _G.MACHINE_ONLY
    assert find_guard(_S.ACTIVE, DRAFT, is_machine=True) == _G.MACHINE_ONLY


def test_what_is_over_or_of_an_inactive_customer_does_not_come_into_force() -> None:
    assert find_guard(_S.ACTIVE, replace(DRAFT, ends_on=date(2026, 11, 21))) == _G.OVER_ALREADY
    assert find_guard(_S.ACTIVE, replace(DRAFT, ends_on=TODAY)) is None
    assert find_guard(_S.ACTIVE, replace(DRAFT, customer_status="INACTIVE")) == _G.CUSTOMER_INACTIVE


def test_to_end_one_needs_a_reason_and_the_right() -> None:
    active = replace(DRAFT, state=_S.ACTIVE)
    assert find_guard(_S.TERMINATED, active, reason=" ") == _G.REASON_MISSING
    assert find_guard(_S.TERMINATED, active, permission=Permission.DEVICE_READ) == _G.PERMISSION_MISSING


@pytest.mark.parametrize(
    ("state", "field", "guard"),
    [
        (_S.DRAFT, "customer", None),
        (_S.DRAFT, "sla_policy", None),
        (_S.ACTIVE, "ends_on", None),
        (_S.ACTIVE, "devices", None),
        (_S.ACTIVE, "customer", _G.FIXED_WHEN_ACTIVE),
        (_S.ACTIVE, "starts_on", _G.FIXED_WHEN_ACTIVE),
        (_S.ACTIVE, "sla_policy", _G.FIXED_WHEN_ACTIVE),
        (_S.EXPIRED, "coverage", _G.CONTRACT_OVER),
        (_S.TERMINATED, "ends_on", _G.CONTRACT_OVER),
        (_S.DRAFT, "status", _G.BY_TRANSITION),
        (_S.EXPIRED, "status", _G.BY_TRANSITION),
    ],
)
def test_what_may_be_changed(state: ContractState, field: str, guard: ContractGuard | None) -> None:
    refusal = find_change_refusal(state, field)
    assert (None if refusal is None else refusal.guard) == guard
