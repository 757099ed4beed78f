"""How long things are kept: what may be asked for, what is refused, and what a change would take away."""

from datetime import date

import pytest

from domain.retention import (
    FEWEST_DAYS,
    KeptClass,
    RetentionGuard,
    find_days_lost,
    find_next_removal,
    find_retention_problems,
    find_retention_refusal,
    share_space,
)

IN_FORCE: dict[KeptClass, int | None] = {
    KeptClass.READINGS_SHORT: 30,
    KeptClass.READINGS_STANDARD: 400,
    KeptClass.READINGS_LONG: 0,
    KeptClass.ROLLUPS_MINUTE: 1100,
    KeptClass.ROLLUPS_HOUR: 3660,
    KeptClass.RECORDS: 3650,
    KeptClass.SIMULATED_EVENTS: None,
    KeptClass.RUNS: 400,
}


@pytest.mark.parametrize("kept", KeptClass)
def test_days_below_what_the_product_needs_and_other_fields_are_named(kept: KeptClass) -> None:
    fewest = FEWEST_DAYS[kept]
    assert find_retention_problems(kept, {"days": fewest}) == {}
    assert find_retention_problems(kept, {"days": 0}) == {}
    for days in (-1, 36_501, True, "30", None, 1.5, *((fewest - 1,) if fewest > 1 else ())):
        assert find_retention_problems(kept, {"days": days}).keys() == {"payload.days"}, days
    assert find_retention_problems(kept, {"days": fewest, "now": True}).keys() == {"payload.now"}


def test_a_class_that_is_none_is_named() -> None:
    assert find_retention_problems("audit", {"days": 30}).keys() == {"entity_id"}


@pytest.mark.parametrize(
    ("kept", "days", "guard"),
    [
        (KeptClass.READINGS_STANDARD, 400, RetentionGuard.UNCHANGED),
        (KeptClass.READINGS_STANDARD, 500, None),
        (KeptClass.READINGS_STANDARD, 20, RetentionGuard.OUT_OF_ORDER),
        (KeptClass.READINGS_SHORT, 401, RetentionGuard.OUT_OF_ORDER),
        (KeptClass.READINGS_SHORT, 0, RetentionGuard.OUT_OF_ORDER),
        (KeptClass.READINGS_LONG, 399, RetentionGuard.OUT_OF_ORDER),
        (KeptClass.READINGS_LONG, 400, None),
        (KeptClass.READINGS_STANDARD, 0, None),
        (KeptClass.ROLLUPS_HOUR, 400, None),
        (KeptClass.SIMULATED_EVENTS, 10, RetentionGuard.NOT_APPLIED_YET),
    ],
)
def test_what_refuses_a_change(kept: KeptClass, days: int, guard: RetentionGuard | None) -> None:
    refusal = find_retention_refusal(kept, days, IN_FORCE)
    assert (None if refusal is None else refusal[0]) is guard


def test_what_goes_next_and_what_would_go_at_once() -> None:
    oldest = date(2026, 1, 1)
    assert find_next_removal(oldest, 30) == date(2026, 2, 1)
    assert find_next_removal(oldest, 0) is None
    assert find_next_removal(None, 30) is None
    # Kept from 2026-01-31 on: thirty days are older.
    assert find_days_lost(oldest, 30, date(2026, 3, 2)) == 30
    assert find_days_lost(oldest, 300, date(2026, 3, 2)) == 0
    assert find_days_lost(oldest, 0, date(2026, 3, 2)) == 0


def test_space_is_shared_by_weight() -> None:
    assert share_space(100, [1, 3]) == [25, 75]
    assert share_space(100, [0, 0]) == [None, None]
