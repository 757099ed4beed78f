"""What the devices report from step to step, without any connection; and what survives a restart."""

import copy
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from simulators.faults import Fault, FaultKind
from simulators.fleet_clock import FleetClock, Step
from simulators.fleet_plan import Rollout, installed_base
from simulators.fleet_state import UNCLEAN_SKIP, FleetState, load_state, save_state
from simulators.settings import FleetSettings

BEGIN_US = 1_770_000_000_000_000
BASE = installed_base(FleetSettings("mqtt://localhost", Path("unused"), devices=10))


def make_clock(faults: list[Fault] | None = None, rollouts: list[Rollout] | None = None) -> FleetClock:
    clock = FleetClock(BASE, FleetState(1, 10, faults=faults or [], rollouts=rollouts or []))
    clock.start(BEGIN_US)
    return clock


def run(clock: FleetClock, seconds: int) -> list[Step]:
    return [clock.advance(clock.state.t_us + 1_000_000) for _ in range(seconds)]


def at(seconds: float) -> int:
    return BEGIN_US + round(seconds * 1e6)


def test_every_device_reports_every_sensor_once_a_step() -> None:
    steps = run(make_clock(), 3)
    for number, step in enumerate(steps, start=1):
        assert set(step.entries) == {device.serial for device in BASE.devices}
        entry = step.entries["INF-0001"]
        assert (entry["ts"], entry["seq"]) == ((BEGIN_US // 1000) + number * 1000, number)
        assert len(entry["values"]) == 8
        assert len(step.entries["VEN-0001"]["values"]) == 11


def test_values_have_the_profiles_decimals() -> None:
    values = run(make_clock(), 1)[0].entries["INF-0001"]["values"]
    assert all(round(value, 4) == value for value in values.values())
    assert round(values["pressure"], 2) == values["pressure"]


def test_a_stuck_sensor_keeps_its_value_and_comes_back() -> None:
    clock = make_clock([Fault("INF-0001", FaultKind.STUCK_SENSOR, at(5), 0.0, at(15), "pressure")])
    values = [step.entries["INF-0001"]["values"]["pressure"] for step in run(clock, 30)]
    assert len(set(values[4:14])) == 1
    assert len(set(values[:4])) > 1
    assert len(set(values[14:])) > 5


def test_a_silent_sensor_is_missing_and_the_others_are_not() -> None:
    clock = make_clock([Fault("VEN-0001", FaultKind.SILENT_SENSOR, at(5), 0.0, None, "peep")])
    steps = run(clock, 8)
    assert "peep" in steps[3].entries["VEN-0001"]["values"]
    assert "peep" not in steps[6].entries["VEN-0001"]["values"]
    assert len(steps[6].entries["VEN-0001"]["values"]) == 10


def test_a_device_that_is_offline_reports_nothing_and_its_sequence_waits() -> None:
    clock = make_clock([Fault("INF-0002", FaultKind.OFFLINE, at(3), 0.0, at(6))])
    steps = run(clock, 8)
    assert [step.offline for step in steps] == [set(), set(), *[{"INF-0002"}] * 3, set(), set(), set()]
    assert "INF-0002" not in steps[3].entries
    assert steps[7].entries["INF-0002"]["seq"] == 5


def test_a_device_alarm_is_reported_once_until_it_is_re_armed() -> None:
    faults = [
        Fault("INF-0001", FaultKind.OCCLUSION, at(2), 5.0, at(60)),
        Fault("INF-0001", FaultKind.OCCLUSION, at(200), 5.0),
    ]
    events = [(i, *event) for i, step in enumerate(run(make_clock(faults), 300)) for event in step.events]
    assert [(serial, body["code"], body["severity"]) for _, serial, body in events] == [
        ("INF-0001", "E1042", "MAJOR")
    ] * 2
    assert events[0][0] < 60 < 200 < events[1][0]


def test_an_update_is_reported_in_its_states_and_the_bad_version_misbehaves() -> None:
    clock = make_clock(rollouts=[Rollout("INF-0003", at(2.5), "2.4.1", "2.4.0")])
    steps = run(clock, 60)
    reports = [body for step in steps for serial, body in step.firmware if serial == "INF-0003"]
    assert [body["state"] for body in reports] == ["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED"]
    assert {(body["version"], body["previous"]) for body in reports} == {("2.4.1", "2.4.0")}
    assert clock.state.firmware["INF-0003"] == "2.4.1"
    assert clock.state.rollouts == []
    (fault,) = [fault for step in steps for fault in step.new_faults]
    assert (fault.serial, fault.kind) == ("INF-0003", FaultKind.FIRMWARE_OSCILLATION)
    currents = [step.entries["INF-0003"]["values"]["motor_current"] for step in steps]
    assert max(currents[:14]) < 0.3
    assert min(currents[-10:]) > 0.55


def test_a_restart_goes_on_as_if_there_had_been_none(tmp_path: Path) -> None:
    faults = [
        Fault("INF-0001", FaultKind.OCCLUSION, at(5), 10.0),
        Fault("INF-0002", FaultKind.STUCK_SENSOR, at(5), 0.0, None, "pressure"),
    ]
    whole = [step.entries for step in run(make_clock(copy.deepcopy(faults)), 60)]
    clock = make_clock(copy.deepcopy(faults))
    before = [step.entries for step in run(clock, 30)]
    clock.state.clean = True
    path = tmp_path / "fleet.json"
    save_state(path, clock.state)
    after = [step.entries for step in run(FleetClock(BASE, load_state(path, 1, 10)), 30)]
    assert before + after == whole


def test_after_a_crash_the_sequence_jumps_ahead_instead_of_going_back(tmp_path: Path) -> None:
    clock = make_clock()
    run(clock, 10)
    save_state(tmp_path / "fleet.json", clock.state)
    assert load_state(tmp_path / "fleet.json", 1, 10).seq["INF-0001"] == 10 + UNCLEAN_SKIP


def test_the_state_of_another_fleet_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    save_state(path, make_clock().state)
    with pytest.raises(ConfigurationError, match="another state folder"):
        load_state(path, 2, 10)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="remove it"):
        load_state(path, 1, 10)
