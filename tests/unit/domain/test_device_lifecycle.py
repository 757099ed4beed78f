"""Every step of a device's life-cycle, and the guard of every one that may not be."""

from dataclasses import replace
from datetime import date

import pytest

from domain.device_lifecycle import (
    TRANSITIONS,
    Lifecycle,
    LifecycleFacts,
    LifecycleGuard,
    find_first_lifecycle,
    find_lifecycle_refusal,
    find_place_problem,
)
from domain.roles import Permission

_L = Lifecycle
TODAY = date(2026, 11, 22)
PLACED = LifecycleFacts(_L.IN_SERVICE, has_site=True, installed_on=date(2026, 1, 1))
# As service.md draws it.
DRAWN = {
    (_L.REGISTERED, _L.INSTALLED),
    (_L.INSTALLED, _L.IN_SERVICE),
    (_L.IN_SERVICE, _L.UNDER_MAINTENANCE),
    (_L.UNDER_MAINTENANCE, _L.IN_SERVICE),
    (_L.IN_SERVICE, _L.QUARANTINED),
    (_L.QUARANTINED, _L.IN_SERVICE),
} | {(state, _L.DECOMMISSIONED) for state in _L if state is not _L.DECOMMISSIONED}


def find_guard(to: Lifecycle, facts: LifecycleFacts, *, reason: str = "because", permission: str = "") -> str | None:
    right = permission or Permission.MASTER_DATA_WRITE
    refusal = find_lifecycle_refusal(to, facts, permission=right, reason=reason, today=TODAY)
    return None if refusal is None else refusal.guard


def test_it_is_the_machine_that_is_drawn() -> None:
    assert {(state, to) for state, found in TRANSITIONS.items() for to in found} == DRAWN


@pytest.mark.parametrize("state", Lifecycle)
@pytest.mark.parametrize("to", Lifecycle)
def test_every_pair_of_states(state: Lifecycle, to: Lifecycle) -> None:
    expected = None if (state, to) in DRAWN else LifecycleGuard.NO_SUCH_TRANSITION
    assert find_guard(to, replace(PLACED, lifecycle=state)) == expected


def test_what_people_will_ask_about_needs_a_reason() -> None:
    for to in (_L.UNDER_MAINTENANCE, _L.QUARANTINED, _L.DECOMMISSIONED):
        assert find_guard(to, PLACED, reason=" ") == LifecycleGuard.REASON_MISSING
    quarantined = replace(PLACED, lifecycle=_L.QUARANTINED)
    assert find_guard(_L.IN_SERVICE, quarantined, reason="") == LifecycleGuard.REASON_MISSING
    maintained = replace(PLACED, lifecycle=_L.UNDER_MAINTENANCE)
    assert find_guard(_L.IN_SERVICE, maintained, reason="") is None


def test_an_installed_device_has_a_place_and_a_day_that_is_not_to_come() -> None:
    registered = replace(PLACED, lifecycle=_L.REGISTERED)
    assert find_guard(_L.INSTALLED, replace(registered, has_site=False)) == LifecycleGuard.NOT_PLACED
    assert find_guard(_L.INSTALLED, replace(registered, installed_on=None)) == LifecycleGuard.NOT_PLACED
    tomorrow = replace(registered, installed_on=date(2026, 11, 23))
    assert find_guard(_L.INSTALLED, tomorrow) == LifecycleGuard.NOT_INSTALLED_YET
    assert find_guard(_L.INSTALLED, replace(registered, installed_on=TODAY)) is None


def test_a_device_is_not_gone_while_somebody_works_on_it_or_it_can_still_sign_in() -> None:
    assert find_guard(_L.DECOMMISSIONED, replace(PLACED, open_orders=("WO-1",))) == LifecycleGuard.OPEN_WORK_ORDERS
    account = replace(PLACED, has_account=True)
    assert find_guard(_L.DECOMMISSIONED, account) is None
    assert find_guard(_L.DECOMMISSIONED, replace(account, can_revoke=False)) == LifecycleGuard.ACCOUNT_ACTIVE
    assert find_guard(_L.DECOMMISSIONED, replace(PLACED, can_revoke=False)) is None


def test_another_right_is_not_enough() -> None:
    guard = find_guard(_L.QUARANTINED, PLACED, permission=Permission.DEVICE_READ)
    assert guard == LifecycleGuard.PERMISSION_MISSING


def test_what_a_device_is_that_comes_into_the_register() -> None:
    day = date(2026, 1, 1)
    assert find_first_lifecycle(has_site=True, installed_on=day) is _L.IN_SERVICE
    assert find_first_lifecycle(has_site=True, installed_on=None) is _L.REGISTERED
    assert find_first_lifecycle(has_site=False, installed_on=day) is _L.REGISTERED
    assert find_place_problem(_L.REGISTERED, has_site=False, installed_on=None, today=TODAY) == ""
    assert find_place_problem(_L.IN_SERVICE, has_site=True, installed_on=day, today=TODAY) == ""
    assert "has a site" in find_place_problem(_L.IN_SERVICE, has_site=False, installed_on=day, today=TODAY)
    assert "one of" in find_place_problem(_L.QUARANTINED, has_site=True, installed_on=day, today=TODAY)
