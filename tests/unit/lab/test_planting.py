"""What is planted follows from seed and request, and ends within the run."""

from dataclasses import replace

import pytest

from domain.lab import LAB_FAULTS, SETTLE_DAYS, LabFault, LabRequest, find_least_days
from lab.plan import DAY, Nuisance
from lab.planting import plan_run
from simulators.infusion_pump import BAD_FIRMWARE, FIXED_FIRMWARE

REQUEST = LabRequest(model="INF-200", fault="motor_wear", devices=30, days=40, seed=5, rate=0.3)


def test_equal_requests_give_equal_plans_and_another_seed_another() -> None:
    assert plan_run(REQUEST, 5) == plan_run(REQUEST, 5)
    assert plan_run(REQUEST, 5) != plan_run(REQUEST, 6)


def test_runs_that_differ_in_the_fault_differ_in_nothing_else() -> None:
    wear, drift = plan_run(REQUEST, 5), plan_run(replace(REQUEST, fault="flow_sensor_drift"), 5)
    assert [f.serial for f in wear.faults] == [f.serial for f in drift.faults]
    assert replace(wear, faults=drift.faults) == drift
    assert len(wear.faults) == 9
    assert {e.kind for e in wear.episodes} > {Nuisance.SELF_TEST, Nuisance.MAINTENANCE}


@pytest.mark.parametrize(("model", "fault"), [(m, f) for m, faults in LAB_FAULTS.items() for f in faults])
def test_every_fault_settles_first_and_is_over_before_the_end_of_the_shortest_run(model: str, fault: LabFault) -> None:
    days = find_least_days(fault, fault.span_h)
    request = LabRequest(model=model, fault=fault.key, devices=40, days=days, seed=2, rate=1.0)
    plan = plan_run(request, 2)
    assert len(plan.faults) == 40
    assert {unit.device.model for unit in plan.units} == {model}
    for one in plan.faults:
        assert one.kind.value == fault.key
        assert one.onset_us >= plan.settings.start_us + SETTLE_DAYS * DAY
        assert one.end_us is not None
        assert one.onset_us < one.end_us < plan.end_us
        assert (one.sensor is not None) == fault.of_sensor
        if fault.grows:
            assert one.failure_us is not None
            assert one.onset_us < one.failure_us < one.end_us


def test_the_bad_release_comes_and_goes_with_its_fault() -> None:
    plan = plan_run(replace(REQUEST, fault="firmware_oscillation"), 5)
    one = plan.faults[0]
    own = [(r.at_us, r.version) for r in plan.rollouts if r.serial == one.serial]
    assert own == [(one.onset_us, BAD_FIRMWARE), (one.end_us, FIXED_FIRMWARE)]


def test_no_device_of_the_lab_has_the_serial_of_a_real_one() -> None:
    assert {unit.device.serial[:4] for unit in plan_run(REQUEST, 5).units} == {"LAB-"}
