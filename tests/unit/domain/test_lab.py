"""What the lab takes on: its catalogue is that of the simulators, and every refusal names a field and why."""

from dataclasses import replace

import pytest

from domain.lab import (
    LAB_FAULTS,
    LAB_SENSORS,
    MOST_DEVICE_DAYS,
    LabRefusalCode,
    LabRequest,
    find_fault,
    find_least_days,
    find_refusals,
    request_from_json,
)
from lab.judged_profile import load_bundled
from lab.plan import KINDS

REQUEST = LabRequest(model="INF-200", fault="motor_wear", devices=20, days=30, seed=1)


def test_faults_and_sensors_are_those_of_the_simulators() -> None:
    assert {kind.model for kind in KINDS} == set(LAB_FAULTS) == set(LAB_SENSORS)
    for kind in KINDS:
        assert kind.sensors == LAB_SENSORS[kind.model]
        assert {f.key: f.fault_group for f in LAB_FAULTS[kind.model]} == {
            key.value: group for key, group in kind.faults.items()
        }
        assert all(set(f.sensors) <= set(kind.sensors) for f in LAB_FAULTS[kind.model])


def test_every_fault_shows_in_a_signal_that_a_bundled_monitor_looks_at() -> None:
    for model, faults in LAB_FAULTS.items():
        watched = {sensor for monitor in load_bundled(model).monitors for sensor in monitor.sensors}
        assert [f.key for f in faults if f.sensors and not watched & set(f.sensors)] == []


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"model": "SKAB-PUMP"}, "model", LabRefusalCode.NOT_SIMULATED),
        ({"fault": "bearing_wear"}, "fault", LabRefusalCode.NOT_OF_MODEL),
        ({"devices": 0}, "devices", LabRefusalCode.OUT_OF_RANGE),
        ({"days": 121}, "days", LabRefusalCode.OUT_OF_RANGE),
        ({"seed": -1}, "seed", LabRefusalCode.OUT_OF_RANGE),
        ({"seeds": 11}, "seeds", LabRefusalCode.OUT_OF_RANGE),
        ({"rate": 0.0}, "rate", LabRefusalCode.OUT_OF_RANGE),
        ({"rate": float("nan")}, "rate", LabRefusalCode.OUT_OF_RANGE),
        ({"span_h": 0.0}, "span_h", LabRefusalCode.OUT_OF_RANGE),
        ({"sensor": "pressure"}, "sensor", LabRefusalCode.NO_SENSOR_WANTED),
        ({"fault": "stuck_sensor", "sensor": "leak"}, "sensor", LabRefusalCode.NOT_A_SENSOR),
        ({"days": 20}, "days", LabRefusalCode.TOO_SHORT),
        ({"devices": 500, "days": 50}, "devices", LabRefusalCode.TOO_MUCH),
    ],
)
def test_what_cannot_be_run_is_refused_by_field(changes: dict[str, object], field: str, code: LabRefusalCode) -> None:
    assert find_refusals(REQUEST) == []
    assert [(r.field, r.code) for r in find_refusals(replace(REQUEST, **changes))] == [(field, code)]  # type: ignore[arg-type]


def test_the_limit_is_of_all_seeds_together() -> None:
    most = replace(REQUEST, devices=100, days=50, seeds=4)
    assert most.device_days == MOST_DEVICE_DAYS
    assert find_refusals(most) == []
    refusals = find_refusals(replace(most, seeds=5))
    assert [r.params for r in refusals] == [{"most": "20,000", "asked": "25,000"}]


def test_the_shortest_run_holds_the_slowest_fault() -> None:
    fault = find_fault("INF-200", "motor_wear")
    assert fault is not None
    least = find_least_days(fault, fault.span_h)
    assert find_refusals(replace(REQUEST, days=least)) == []
    assert find_refusals(replace(REQUEST, days=least - 1))[0].params["least"] == str(least)


def test_at_least_one_device_has_the_fault_and_never_more_than_there_are() -> None:
    assert [replace(REQUEST, rate=rate).planted for rate in (0.001, 0.2, 1.0)] == [1, 4, 20]


def test_a_request_comes_back_from_its_json() -> None:
    asked = replace(REQUEST, fault="stuck_sensor", sensor="pressure", span_h=4.5)
    assert request_from_json(asked.to_json()) == asked
