"""Budgets by precision; thresholds between what was in vain and what was confirmed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.breach import BreachKind, Severity
from domain.monitor_quality import Budget, Outcomes, find_allowed_rate, find_threshold
from domain.profile import Direction, Monitor, MonitorRule

ODD = Monitor(
    "odd",
    MonitorRule.ADAPTIVE,
    BreachKind.ANOMALY,
    Severity.MINOR,
    "motor",
    ("current",),
    Direction.LOW,
    raise_at=8.0,
    clear_at=4.0,
)
LOW = Monitor(
    "low",
    MonitorRule.LIMIT,
    BreachKind.LIMIT,
    Severity.MAJOR,
    "battery",
    ("health",),
    Direction.LOW,
    raise_at=70.0,
    clear_at=75.0,
    critical_at=50.0,
)


def test_the_better_a_monitor_is_the_more_it_may_speak() -> None:
    assert find_allowed_rate(1.0, 0.0) == 1.0
    assert find_allowed_rate(1.0, 0.5) == 2.0
    assert find_allowed_rate(1.0, 0.9) == pytest.approx(10.0)
    assert find_allowed_rate(1.0, 1.0) < 1e7
    assert (Outcomes(1, 2, 3, 4) + Outcomes(1, 0, 0, 0)).useful == 4
    assert Outcomes(1, 2, 3, 4).in_vain == 7


def test_a_budget_is_judged_by_what_chance_makes_of_it_and_not_by_a_rate_alone() -> None:
    assert not Budget(3, 1_000.0, 2.0).is_over  # where two are allowed, three come in one month of three
    assert Budget(6, 1_000.0, 2.0).is_over  # the lower end of 6 is 2.2
    assert not Budget(5, 1_000.0, 2.0).is_over  # and that of 5 is 1.6
    assert Budget(60, 20_000.0, 2.0).is_over
    assert not Budget(48, 20_000.0, 2.0).is_over
    assert not Budget(2, 1.0, 2.0).is_over  # two of one cause
    # Six in four device-hours are more than two in 1,000 device-days, though no rate is said of them.
    few = Budget(6, 4 / 24, 2.0)
    assert (few.is_over, few.rate) == (True, None)
    # Two hundred allowed in 1,000 device-days: three in ten are chance.
    assert not Budget(3, 10.0, 200.0).is_over


def test_no_rate_is_said_of_less_than_one_device_day() -> None:
    assert Budget(0, 0.0, 2.0).rate is None
    assert Budget(3, 0.999, 2.0).rate is None
    assert Budget(3, 1.0, 2.0).rate == 3_000.0
    assert not Budget(3, 0.0, 2.0).is_over  # of no device at all nothing is judged


def test_the_threshold_goes_just_beyond_what_was_in_vain() -> None:
    found = find_threshold(ODD, [8.5, 9.0, 10.0], [14.0, 30.0], least_in_vain=3)
    assert found is not None
    # A tenth of the room between 10 and 14; the ratio of both limits stays.
    assert (found.raise_at, found.clear_at) == (10.4, 5.2)
    assert (found.in_vain, found.confirmed, found.removed) == (3, 2, 3)


def test_no_confirmed_episode_is_given_up() -> None:
    # One false peak lies beyond the lowest confirmed one: it stays, the other two go.
    found = find_threshold(ODD, [8.5, 9.0, 40.0], [9.5], least_in_vain=3)
    assert found is not None
    assert (found.raise_at, found.removed) == (9.05, 2)
    # Most lie beyond it: then the threshold is not what is wrong.
    assert find_threshold(ODD, [8.5, 20.0, 40.0], [9.5], least_in_vain=3) is None


def test_a_limit_below_goes_down_and_stops_short_of_critical() -> None:
    found = find_threshold(LOW, [69.0, 68.0, 66.0], [60.0], least_in_vain=3)
    assert found is not None
    assert (found.raise_at, found.clear_at) == (65.4, 70.4)
    assert find_threshold(LOW, [69.0, 68.0, 49.0], [], least_in_vain=1) is None


def test_too_few_outcomes_propose_nothing() -> None:
    assert find_threshold(ODD, [9.0, 9.0], [20.0], least_in_vain=3) is None
    assert find_threshold(ODD, [9.0] * 5, [], least_in_vain=3) is None
    assert find_threshold(ODD, [9.0] * 6, [], least_in_vain=3) is not None
    code = replace(ODD, rule=MonitorRule.DEVICE_CODE, raise_at=None)
    assert find_threshold(code, [9.0] * 6, [20.0], least_in_vain=3) is None


@given(st.lists(st.floats(8.0, 100.0), min_size=1, max_size=20), st.lists(st.floats(8.0, 100.0), max_size=20))
def test_whatever_is_proposed_keeps_its_promises(vain: list[float], confirmed: list[float]) -> None:
    found = find_threshold(ODD, vain, confirmed, least_in_vain=1)
    if found is not None:
        assert found.raise_at > 8.0
        assert found.clear_at < found.raise_at
        assert all(peak >= found.raise_at * (1 - 1e-4) for peak in confirmed)
        assert found.removed >= 0.5 * len(vain)
        assert sum(peak <= found.raise_at * (1 + 1e-4) for peak in vain) >= found.removed
