"""The physics: deterministic, healthy for a day, and every fault seen by a monitor of its own fault group."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.profile import Direction, Monitor, MonitorRule, Profile
from domain.profile_file import parse_profile
from simulators.chance import FloatArray, find_unit_seeds
from simulators.device_kind import DeviceKind, State
from simulators.faults import Fault, FaultKind, Intensities
from simulators.infusion_pump import InfusionPump
from simulators.ventilator import Ventilator

PROFILES = Path(__file__).parents[3] / "profiles"
UNITS = 20
DAY_S = 86_400
BEGIN_S = 1_770_000_000.0
SERIALS = [f"U-{i:02d}" for i in range(UNITS)]
KINDS: list[tuple[DeviceKind, str]] = [(InfusionPump(), "infusion_pump"), (Ventilator(), "ventilator")]
FAULTS = [
    (kind, file, fault)
    for kind, file in KINDS
    for fault in kind.faults
    if fault not in (FaultKind.STUCK_SENSOR, FaultKind.SILENT_SENSOR, FaultKind.OFFLINE)
]


def load_profile(file: str) -> Profile:
    profile = parse_profile((PROFILES / f"{file}.yaml").read_text(encoding="utf-8"), file)
    assert isinstance(profile, Profile)
    return profile


@dataclass
class Simulation:
    """Units of one kind with their faults, moved on step by step."""

    kind: DeviceKind
    seed: int = 1
    serials: list[str] = field(default_factory=lambda: SERIALS)
    faults: list[Fault] = field(default_factory=list)
    t_s: float = BEGIN_S

    def __post_init__(self) -> None:
        self.seeds = find_unit_seeds(self.seed, self.serials)
        self.state: State = self.kind.start(self.seeds, self.t_s)

    def run(self, seconds: float, step_s: float) -> FloatArray:
        """Readings of shape (steps, sensors, units)."""
        rows = []
        for _ in range(round(seconds / step_s)):
            self.t_s += step_s
            strength = Intensities(self.serials, self.faults, round(self.t_s * 1e6))
            self.state, readings = self.kind.advance(self.seeds, self.state, self.t_s, step_s, strength)
            rows.append(readings)
        return np.array(rows)


def name_units(fault: FaultKind) -> list[str]:
    """Of a fault's own, so that all faults of a kind run at once: no unit depends on its company."""
    return [f"{fault.value}-{serial}" for serial in SERIALS]


@cache
def run_every_fault(kind: type[DeviceKind]) -> tuple[list[str], FloatArray, FloatArray]:
    """The units of every fault of that kind, with their readings before it and from its onset on."""
    faults = [fault for each, _, fault in FAULTS if type(each) is kind]
    serials = [serial for fault in faults for serial in name_units(fault)]
    onset_us = round((BEGIN_S + 300) * 1e6)
    planted = [Fault(serial, fault, onset_us, 600.0) for fault in faults for serial in name_units(fault)]
    simulation = Simulation(kind(), serials=serials, faults=planted)
    return serials, simulation.run(300, 1.0), simulation.run(3.5 * 3600, 6.0)


def find_beyond(monitor: Monitor, kind: DeviceKind, readings: FloatArray) -> NDArray[np.bool_]:
    """Which readings lie beyond a LIMIT monitor's raise limit, shape (steps, units)."""
    values = readings[:, kind.sensors.index(monitor.sensors[0]), :]
    assert monitor.raise_at is not None
    beyond = values > monitor.raise_at if monitor.direction is Direction.HIGH else values < monitor.raise_at
    return np.asarray(beyond)


@pytest.mark.parametrize(("kind", "file"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_sensors_and_fault_groups_are_those_of_the_profile(kind: DeviceKind, file: str) -> None:
    profile = load_profile(file)
    assert kind.model == profile.model
    assert kind.sensors == tuple(sensor.key for sensor in profile.sensors)
    assert kind.decimals == tuple(sensor.decimals for sensor in profile.sensors)
    assert set(kind.faults.values()) <= {group.key for group in profile.fault_groups}
    codes = {code for monitor in profile.monitors for code in monitor.codes}
    assert {alarm.code for alarm in kind.alarms} == codes


@pytest.mark.parametrize(("kind", "file"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_equal_seeds_give_equal_readings_and_others_do_not(kind: DeviceKind, file: str) -> None:
    first, second, other = (Simulation(kind, seed).run(600, 1.0) for seed in (7, 7, 8))
    assert np.array_equal(first, second)
    assert not np.isclose(first, other).all(axis=(0, 1)).any()


@pytest.mark.parametrize(("kind", "file"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_unit_does_not_depend_on_its_company_nor_on_a_restart(kind: DeviceKind, file: str) -> None:
    whole = Simulation(kind).run(300, 1.0)
    alone = Simulation(kind, serials=SERIALS[5:6]).run(300, 1.0)
    assert np.array_equal(alone[:, :, 0], whole[:, :, 5])
    restarted = Simulation(kind)
    before = restarted.run(120, 1.0)
    restarted.state = {name: np.array(values.tolist()) for name, values in restarted.state.items()}
    assert np.array_equal(np.concatenate([before, restarted.run(180, 1.0)]), whole)


@pytest.mark.parametrize(("kind", "file"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_healthy_units_stay_within_their_profile_for_a_day(kind: DeviceKind, file: str) -> None:
    profile = load_profile(file)
    readings = Simulation(kind, seed=11).run(DAY_S, 15.0)
    assert np.isfinite(readings).all()
    for i, sensor in enumerate(profile.sensors):
        assert readings[:, i].min() >= sensor.physical_min, sensor.key
        assert readings[:, i].max() <= sensor.physical_max, sensor.key
    for monitor in profile.monitors:
        if monitor.rule is MonitorRule.LIMIT:
            assert not find_beyond(monitor, kind, readings).any(), monitor.key
    for alarm in kind.alarms:
        values = readings[:, kind.sensors.index(alarm.sensor)]
        assert not (values > alarm.threshold if alarm.above else values < alarm.threshold).any(), alarm.code
    units_level = np.median(readings, axis=0)
    assert (units_level.std(axis=1) > 0).all(), "units are as different as real ones"


@pytest.mark.parametrize(("kind", "file"), KINDS, ids=lambda value: value if isinstance(value, str) else "")
def test_signals_that_are_watched_for_standing_still_never_do_when_healthy(kind: DeviceKind, file: str) -> None:
    readings = Simulation(kind).run(1800, 1.0)
    for monitor in load_profile(file).monitors:
        if monitor.rule is not MonitorRule.FLAT_LINE:
            continue
        i = kind.sensors.index(monitor.sensors[0])
        rounded = np.round(readings[:, i], kind.decimals[i])
        changed = np.diff(rounded, axis=0) != 0
        longest = max(int(np.diff(np.flatnonzero(np.concatenate([[True], unit, [True]]))).max()) for unit in changed.T)
        assert monitor.window_s is not None
        assert longest < monitor.window_s / 6, monitor.key


@pytest.mark.parametrize(("kind", "file", "fault"), FAULTS, ids=[fault.value for _, _, fault in FAULTS])
def test_every_fault_breaches_a_limit_of_its_group_and_of_no_other(
    kind: DeviceKind, file: str, fault: FaultKind
) -> None:
    profile = load_profile(file)
    serials, before, after = run_every_fault(type(kind))
    own = [serials.index(serial) for serial in name_units(fault)]
    before, after = before[:, :, own], after[:, :, own]
    assert np.isfinite(after).all()
    for i, sensor in enumerate(profile.sensors):
        assert after[:, i].min() >= sensor.physical_min, sensor.key
        assert after[:, i].max() <= sensor.physical_max, sensor.key
    seen = np.zeros(UNITS, dtype=bool)
    for monitor in profile.monitors:
        if monitor.rule is not MonitorRule.LIMIT:
            continue
        assert not find_beyond(monitor, kind, before).any(), monitor.key
        beyond = find_beyond(monitor, kind, after)
        if monitor.fault_group == kind.faults[fault]:
            # for two minutes on end, which is longer than any monitor asks for
            held = np.array([np.convolve(unit, np.ones(20), "valid").max() >= 18 for unit in beyond.T.astype(float)])
            seen |= held
        else:
            assert not beyond.any(), f"{monitor.key} would open a ticket for the wrong part"
    assert seen.all(), f"not seen on {np.flatnonzero(~seen)}"


def test_an_occlusion_fills_the_line_and_stops_the_flow() -> None:
    kind = InfusionPump()
    onset_us = round((BEGIN_S + 60) * 1e6)
    simulation = Simulation(kind, faults=[Fault(serial, FaultKind.OCCLUSION, onset_us, 15.0) for serial in SERIALS])
    simulation.run(60, 1.0)
    readings = simulation.run(120, 1.0)
    pressure, flow = (readings[:, kind.sensors.index(key)] for key in ("pressure", "flow"))
    assert (np.argmax(pressure > 55.0, axis=0) < 40).all(), "a tight occlusion is seen within 40 s"
    assert (flow[-1] < 20.0).all()


def test_a_leak_loses_pressure_and_drives_the_turbine() -> None:
    kind = Ventilator()
    onset_us = round((BEGIN_S + 60) * 1e6)
    simulation = Simulation(kind, faults=[Fault(serial, FaultKind.CIRCUIT_LEAK, onset_us, 20.0) for serial in SERIALS])
    before, after = simulation.run(60, 1.0).mean(axis=0), simulation.run(120, 1.0)[-30:].mean(axis=0)
    for sensor, sign in (("leak", 1), ("peep", -1), ("tidal_volume", -1), ("turbine_speed", 1)):
        i = kind.sensors.index(sensor)
        assert (sign * (after[i] - before[i]) > 0).all(), sensor


def test_a_pump_discharges_when_carried_and_is_charged_again() -> None:
    charge = Simulation(InfusionPump()).run(DAY_S / 2, 20.0)[:, InfusionPump.sensors.index("battery_charge")]
    assert (charge.min(axis=0) < 97.0).sum() > UNITS / 2
    assert (charge > 40.0).all()
