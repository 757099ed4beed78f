"""New devices: what is planned for them, and what is counted from nothing and with a prior."""

import pytest

from benchmarks import fleet_newcomers
from benchmarks.fleet import load_profiles
from benchmarks.fleet_newcomers import BEGINS, NOTHING, PRIOR, STEADY, WORN, FaultFigures, Newcomers, plan_newcomers
from benchmarks.fleet_newcomers import run_newcomers as run
from lab.plan import DAY
from lab.signals import Sampling


def test_three_eighths_of_the_new_devices_are_healthy_and_all_are_installed_at_the_beginning() -> None:
    plan = plan_newcomers(7)
    start_us = plan.settings.start_us
    assert plan == plan_newcomers(7)
    assert {unit.begins_us for unit in plan.units} == {start_us}
    assert 25 <= len(plan.units) - len(plan.faults) <= 50
    worn = [f for f in plan.faults if f.onset_us < start_us and f.growth_s < 31 * DAY / 1e6]
    assert all(f.onset_us < start_us + 7 * DAY for f in plan.faults)
    assert 15 <= len(worn) <= 35
    assert all(0.1 <= (start_us - f.onset_us) / 1e6 / f.growth_s <= 0.4 for f in worn)


def test_with_a_prior_new_devices_are_judged_from_the_first_reading_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TEACHERS", 8), ("TEACHING_DAYS", 0.32), ("NEWCOMERS", 8), ("DAYS", 0.04)):
        monkeypatch.setattr(fleet_newcomers, name, value)
    found = run(3, Sampling(step_s=60, window_s=0), load_profiles())
    assert found[PRIOR].unscored_h == [0.0] * 8
    assert min(found[NOTHING].unscored_h) > 0.4, "four hundred readings that differ, one every five seconds"
    for newcomers in found.values():
        assert newcomers.device_days == pytest.approx(8 * 0.04)
        faults = newcomers.faults
        assert sum(f.faults for f in faults.values()) == sum(f.faults for f in found[PRIOR].faults.values())
        assert all(sort.startswith((WORN, BEGINS, STEADY)) for sort in faults)


def test_seeds_are_added_up() -> None:
    one = Newcomers(7.0, 1, {"a": 2}, [0.5], {WORN: FaultFigures(2, 1, 0, 1, 2, 1, [3.0])})
    other = Newcomers(
        14.0, 2, {"a": 1, "b": 1}, [0.1, 0.3], {WORN: FaultFigures(1, 1, 1, 0, 1, 1, [5.0]), BEGINS: FaultFigures(1)}
    )
    whole = Newcomers()
    whole.add(one)
    whole.add(other)
    assert whole.find_summary() == {
        "device_days": 21,
        "false_tickets": 3,
        "false_per_1000_device_days": 142.86,
        "false_breaches": {"a": 3, "b": 1},
        "unscored_h_median": 0.3,
        "unscored_h_most": 0.5,
        WORN: {
            "faults": 3,
            "breached_in_first_week": 2,
            "by_an_adaptive_monitor": 1,
            "ticketed_in_first_week": 1,
            "failed_within_run": 3,
            "ticketed_before_failure": 2,
            "breach_h_median": 4.0,
        },
        BEGINS: {
            "faults": 1,
            "breached_in_first_week": 0,
            "by_an_adaptive_monitor": 0,
            "ticketed_in_first_week": 0,
            "failed_within_run": 0,
            "ticketed_before_failure": 0,
            "breach_h_median": None,
        },
    }
    assert one.unscored_h == [0.5], "what is added stays as it is"
