"""All devices of one kind at the bedside: physics, ageing, tests, replaced sensors, stuck and silent ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from domain.profile import Profile
from lab.plan import DAY, SECOND, FleetPlan, Nuisance, kind_of
from simulators.chance import find_unit_seeds
from simulators.device_kind import DeviceAlarm
from simulators.faults import FaultKind, Intensities
from simulators.infusion_pump import InfusionPump
from simulators.ventilator import Ventilator

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST_STEP_S = 1800.0  # of physics: a device that was away was somewhere else
BACK_IN_USE_US = 15 * 60 * SECOND  # before a maintenance ends, the device runs as usual again
GLITCH = 2e-5  # share of readings that are anything within the physical range
SENSOR_FAULTS = (FaultKind.STUCK_SENSOR, FaultKind.SILENT_SENSOR)

# What 90 days of use change on the healthiest and on the least healthy good device: factor less 1, and offset.
AGEING: Mapping[str, Mapping[str, tuple[float, float]]] = {
    InfusionPump.model: {"motor_current": (0.04, 0.0), "battery_health": (0.0, -1.5), "flow_error": (0.0, 0.8)},
    Ventilator.model: {"turbine_vibration": (0.06, 0.0), "filter_drop": (0.25, 0.0), "fio2_error": (0.0, -0.6)},
}
# What a self-test and a calibration do: sensor -> factor and offset in each minute of the test.
SELF_TEST: Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]] = {
    InfusionPump.model: {
        "pressure": ((1.0, 12.0), (0.0, 46.0), (1.0, 8.0), (1.0, 0.0)),
        "motor_current": ((1.0, 0.06), (1.0, 0.10), (1.0, 0.04), (1.0, 0.0)),
        "flow_error": ((1.0, 4.0), (1.0, -12.0), (1.0, 6.0), (1.0, 0.0)),
        "battery_voltage": ((1.0, -0.3), (1.0, -0.3), (1.0, 0.0), (1.0, 0.0)),
    },
    Ventilator.model: {
        "turbine_speed": ((1.3, 0.0), (1.5, 0.0), (1.2, 0.0), (1.0, 0.0)),
        "turbine_vibration": ((1.4, 0.0), (1.9, 0.0), (1.2, 0.0), (1.0, 0.0)),
        "peak_pressure": ((1.2, 0.0), (0.0, 38.0), (1.0, 0.0), (1.0, 0.0)),
        "peep": ((1.0, -1.0), (1.0, 2.0), (1.0, 0.0), (1.0, 0.0)),
        "leak": ((0.2, 0.0), (0.2, 0.0), (1.0, 8.0), (1.0, 0.0)),
        "fio2_error": ((1.0, -4.0), (1.0, 4.5), (1.0, 2.0), (1.0, 0.0)),
        "filter_drop": ((1.3, 0.0), (1.6, 0.0), (1.2, 0.0), (1.0, 0.0)),
    },
}
CALIBRATION: Mapping[str, Mapping[str, tuple[float, float]]] = {
    InfusionPump.model: {"pressure": (1.0, 62.0), "flow_error": (1.0, 18.0), "motor_current": (1.0, 0.2)},
    Ventilator.model: {"leak": (1.0, 34.0), "fio2_error": (1.0, -9.0), "turbine_vibration": (2.5, 0.0)},
}


class Bedside:
    """The units of one device kind; `numbers` are their places in the plan."""

    def __init__(self, plan: FleetPlan, model: str, profile: Profile, first_series: int) -> None:
        self.kind = kind_of(model)
        self.numbers = np.array([u.number for u in plan.units if u.device.model == model], dtype=np.int64)
        self._plan = plan
        self._profile = profile
        self._first_series = first_series
        serials = [plan.units[n].device.serial for n in self.numbers.tolist()]
        self._local = {serial: i for i, serial in enumerate(serials)}
        self._seeds = find_unit_seeds(plan.settings.seed, serials)
        self._state = self.kind.start(self._seeds, plan.settings.start_us / 1e6)
        self._last_us = np.full(len(serials), plan.settings.start_us, dtype=np.int64)
        sensors, units = len(self.kind.sensors), len(serials)
        watched = {key for monitor in profile.monitors for key in monitor.sensors}
        self._watched = np.array([i for i, key in enumerate(self.kind.sensors) if key in watched], dtype=np.int64)
        # What the profile does not know is refused by ingest, and watched by nobody.
        known = [profile.find_sensor(key) for key in self.kind.sensors]
        self._low = np.array([0.0 if s is None else s.physical_min for s in known])[:, None]
        self._high = np.array([0.0 if s is None else s.physical_max for s in known])[:, None]
        self._digits = 10.0 ** np.array(self.kind.decimals)[:, None]
        self._series = first_series + np.arange(units)[None, :] * sensors + np.arange(sensors)[:, None]
        rng = np.random.default_rng([plan.settings.seed, 22, first_series])
        self._age_gain, self._age_offset = np.zeros((sensors, units)), np.zeros((sensors, units))
        for key, (gain, offset) in AGEING[model].items():
            self._age_gain[self._place(key)] = gain * rng.random(units)
            self._age_offset[self._place(key)] = offset * rng.random(units)
        self._heated = np.array([1.0 if "temperature" in key else 0.0 for key in self.kind.sensors])[:, None]
        self._alarmed = {alarm.code: np.zeros(units, dtype=np.bool_) for alarm in self.kind.alarms}
        self._gain, self._offset = np.ones((sensors, units)), np.zeros((sensors, units))
        self._read_plan()

    def _place(self, sensor: str) -> int:
        return self.kind.sensors.index(sensor)

    def _read_plan(self) -> None:
        own = [f for f in self._plan.faults if f.serial in self._local]
        felt = [f for f in own if f.kind not in (*SENSOR_FAULTS, FaultKind.OFFLINE)]
        far = np.iinfo(np.int64).max
        self._fault_unit = np.array([self._local[f.serial] for f in felt], dtype=np.int64)
        self._fault_kind = [f.kind for f in felt]
        self._fault_onset = np.array([f.onset_us for f in felt], dtype=np.int64)
        self._fault_end = np.array([far if f.end_us is None else f.end_us for f in felt], dtype=np.int64)
        self._fault_growth = np.array([max(f.growth_s, 1e-3) * 1e6 for f in felt])
        self._fault_shape = np.array([f.shape for f in felt])
        self._sensor_faults = [
            (f.kind, self._local[f.serial], self._place(f.sensor), f.onset_us, f.end_us or far)
            for f in own
            if f.kind in SENSOR_FAULTS and f.sensor is not None
        ]
        self._held: dict[tuple[int, int, int], float] = {}
        first = int(self.numbers[0]) if self.numbers.shape[0] else 0
        mine = set(self.numbers.tolist())
        self._episodes = {
            kind: np.array(
                [
                    (e.unit - first, e.since_us, e.until_us)
                    for e in self._plan.episodes
                    if e.kind is kind and e.unit in mine
                ],
                dtype=np.int64,
            ).reshape(-1, 3)
            for kind in (Nuisance.SELF_TEST, Nuisance.MAINTENANCE, Nuisance.RESTART)
        }
        self._swaps = [s for s in self._plan.swaps if s.unit in mine]
        self._first = first

    def find_series(self) -> dict[int, dict[str, int]]:
        """The series ids of every unit by sensor key."""
        return {
            int(n): {key: int(self._series[s, i]) for s, key in enumerate(self.kind.sensors)}
            for i, n in enumerate(self.numbers)
        }

    def prepare(self, t0: int, t1: int) -> None:
        """Everything that changes slowly, and what of the plan lies in the next block."""
        share = (t0 - self._plan.settings.start_us) / (90.0 * DAY)
        self._gain = 1.0 + share * self._age_gain
        self._offset = share * self._age_offset
        for swap in self._swaps:
            if swap.at_us <= t0:
                self._gain[self._place(swap.sensor), swap.unit - self._first] *= swap.gain
                self._offset[self._place(swap.sensor), swap.unit - self._first] += swap.offset
        since, until, degrees = self._plan.heat
        if since <= t0 < until:
            self._offset = self._offset + self._heated * degrees * np.sin(np.pi * (t0 - since) / (until - since))
        self._near = np.flatnonzero((self._fault_onset <= t1) & (self._fault_end > t0))
        self._near_sensors = [f for f in self._sensor_faults if f[3] <= t1 and f[4] > t0]
        self._near_tests = {kind: rows[(rows[:, 1] <= t1) & (rows[:, 2] > t0)] for kind, rows in self._episodes.items()}

    def _find_intensities(self, t_us: int, local: Ints) -> Intensities:
        rows: dict[FaultKind, Floats] = {}
        for i in self._near.tolist():
            if self._fault_onset[i] <= t_us < self._fault_end[i]:
                grown = min((t_us - self._fault_onset[i]) / self._fault_growth[i], 1.0) ** self._fault_shape[i]
                row = rows.setdefault(self._fault_kind[i], np.zeros(self.numbers.shape[0]))
                row[self._fault_unit[i]] = max(row[self._fault_unit[i]], grown)
        return Intensities.of_rows(local.shape[0], {kind: row[local] for kind, row in rows.items()})

    def read(
        self, local: Ints, t_us: int, rng: np.random.Generator
    ) -> tuple[Ints, Ints, Floats, list[tuple[int, DeviceAlarm]]]:
        """Unit, series and value of every reading that these units send, and the alarms that they raise."""
        restarted = self._near_tests[Nuisance.RESTART]
        dt_s = np.minimum((t_us - self._last_us[local]) / 1e6, LONGEST_STEP_S)
        state = {name: values[local] for name, values in self._state.items()}
        if restarted.shape[0]:
            self._cool_down(state, local, t_us, restarted)
        state, readings = self.kind.advance(
            self._seeds[local], state, t_us / 1e6, dt_s, self._find_intensities(t_us, local)
        )
        for name, values in state.items():
            self._state[name][local] = values
        self._last_us[local] = t_us
        readings = readings * self._gain[:, local] + self._offset[:, local]
        self._run_tests(readings, local, t_us)
        readings = np.rint(readings * self._digits) / self._digits
        self._spoil_sensors(readings, local, t_us)
        codes = self._find_alarms(readings, local)
        glitches = rng.random(readings.shape) < GLITCH
        if glitches.any():
            anything = self._low + (self._high - self._low) * rng.random(readings.shape)
            readings = np.where(
                glitches & ~np.isnan(readings), np.rint(anything * self._digits) / self._digits, readings
            )
        chosen = readings[self._watched]
        good = (chosen >= self._low[self._watched]) & (chosen <= self._high[self._watched])
        units = np.broadcast_to(self.numbers[local][None, :], chosen.shape)
        series = self._series[np.ix_(self._watched, local)]
        return units[good], series[good], chosen[good], codes

    def _cool_down(self, state: dict[str, Floats], local: Ints, t_us: int, restarted: Ints) -> None:
        """A device that was switched off and on again is cold, at the first reading after it."""
        for unit, since_us, until_us in restarted.tolist():
            at = np.flatnonzero(local == unit)
            if at.shape[0] and self._last_us[unit] < since_us and t_us >= until_us:
                state["temperature"][at] = 25.0

    def _run_tests(self, readings: Floats, local: Ints, t_us: int) -> None:
        for unit, since_us, until_us in self._near_tests[Nuisance.SELF_TEST].tolist():
            at = np.flatnonzero(local == unit) if since_us <= t_us < until_us else ()
            for i in at:
                for key, minutes in SELF_TEST[self.kind.model].items():
                    gain, offset = minutes[min((t_us - since_us) // (60 * SECOND), len(minutes) - 1)]
                    readings[self._place(key), i] = readings[self._place(key), i] * gain + offset
        for unit, since_us, until_us in self._near_tests[Nuisance.MAINTENANCE].tolist():
            at = np.flatnonzero(local == unit) if since_us <= t_us < until_us - BACK_IN_USE_US else ()
            for i in at:
                for key, (gain, offset) in CALIBRATION[self.kind.model].items():
                    readings[self._place(key), i] = readings[self._place(key), i] * gain + offset

    def _spoil_sensors(self, readings: Floats, local: Ints, t_us: int) -> None:
        for kind, unit, sensor, since_us, until_us in self._near_sensors:
            if not since_us <= t_us < until_us:
                continue
            for i in np.flatnonzero(local == unit):
                if kind is FaultKind.SILENT_SENSOR:
                    readings[sensor, i] = np.nan
                else:
                    readings[sensor, i] = self._held.setdefault((unit, sensor, since_us), float(readings[sensor, i]))

    def _find_alarms(self, readings: Floats, local: Ints) -> list[tuple[int, DeviceAlarm]]:
        found = []
        for alarm in self.kind.alarms:
            values = readings[self._place(alarm.sensor)]
            with np.errstate(invalid="ignore"):
                beyond = values > alarm.threshold if alarm.above else values < alarm.threshold
                rearmed = values <= alarm.rearm if alarm.above else values >= alarm.rearm
            was = self._alarmed[alarm.code][local]
            self._alarmed[alarm.code][local] = (was | beyond) & ~rearmed
            found += [(int(self.numbers[local[i]]), alarm) for i in np.flatnonzero(beyond & ~was)]
        return found
