"""Pumps, a release and how it is rolled out, with what goes wrong anyway: the hours and breaches of several worlds.

The readings come from the physics of `simulators.infusion_pump`, every two minutes; breaches from the limits of the
bundled profile by the production rules (raise, clear, N of M, durations). All worlds are computed in one vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from domain.breach import TransitionKind
from domain.profile import Direction, MonitorRule, Profile
from simulators.chance import FloatArray, find_unit_seeds
from simulators.faults import FaultKind, Intensities
from simulators.infusion_pump import InfusionPump

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP_S = 120.0
HOURS = 19 * 24
UPDATES_FROM_H = 12 * 24
PUMPS = 100
UPDATED = 60
CANARIES = 5  # updated a day before all others
ROLL_OUT_H = 36.0
# Per pump and day, on any firmware.
OCCLUSIONS, WEAR = 0.004, 0.003
OCCLUSION_H, WEAR_DAYS = 1.0, 10.0


class Kind(StrEnum):
    """What a release does to a pump."""

    NOTHING = "nothing"
    COOLER = "cooler"  # 0.6 degrees less: harmless
    QUIETER = "quieter"  # less noise of the drive
    OFFSET = "offset"  # the fuel gauge reads one per cent more
    HEAT_WAVE = "heat_wave"  # nothing, but the wards grow hotter by four degrees while it is rolled out
    FAILING_FIRST = "failing_first"  # nothing, but the pumps that broke before get it first
    OSCILLATION = "oscillation"  # 2.4.1: the drive oscillates
    HALF_OSCILLATION = "half_oscillation"  # the same at three tenths, which no limit notices
    OCCLUDING = "occluding"  # ten times the occlusions, and nothing else to see
    CREEPING = "creeping"  # the flow sensor drifts, to its full extent within ten days


GOOD = (Kind.NOTHING, Kind.COOLER, Kind.QUIETER, Kind.OFFSET, Kind.HEAT_WAVE, Kind.FAILING_FIRST)
BAD = (Kind.OSCILLATION, Kind.HALF_OSCILLATION, Kind.OCCLUDING, Kind.CREEPING)


@dataclass(frozen=True, slots=True)
class Breach:
    """A breach of pump `unit` of its world."""

    unit: int
    monitor: str
    fault_group: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """One release among 100 pumps. `sums`, `least`, `most` have shape (hours, sensors, pumps); each hour has
    `per_hour` readings. `updated_at` is NaN for pumps that are not updated, else seconds after START."""

    kind: Kind
    seed: int
    updated_at: FloatArray
    sums: FloatArray
    least: FloatArray
    most: FloatArray
    per_hour: int
    breaches: Sequence[Breach]

    @property
    def reached_20_at(self) -> datetime:
        """When the twentieth pump had the release."""
        return START + timedelta(seconds=float(np.sort(self.updated_at)[19]))


class _Strengths(Intensities):
    """Intensities that are arrays already."""

    def __init__(self, units: int) -> None:
        super().__init__([str(n) for n in range(units)], [], 0)
        self.by_kind: dict[FaultKind, FloatArray] = {}

    def of(self, kind: FaultKind) -> FloatArray:
        """0 to 1 per unit."""
        return self.by_kind.get(kind, self._nothing)


def make_worlds(plan: Sequence[tuple[Kind, int]], profile: Profile) -> list[World]:
    """A world for each kind of release and seed, all of them alike in everything else."""
    pump = InfusionPump()
    units = len(plan) * PUMPS
    # The same pumps for every kind, so that releases of one seed differ by the release alone.
    seeds = find_unit_seeds(7, [f"{seed}-{n}" for _, seed in plan for n in range(PUMPS)])
    courses = [_plan_course(kind, seed) for kind, seed in plan]
    updated_at = np.concatenate([course.updated_at for course in courses])
    kinds = np.repeat(np.array([kind.value for kind, _ in plan]), PUMPS)
    per_hour = round(3600 / STEP_S)
    shape = (HOURS, len(pump.sensors), units)
    sums, least, most = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
    limits = _Limits(profile, pump.sensors, units)
    t0 = START.timestamp()
    state = pump.start(seeds, t0)
    strengths = _Strengths(units)
    of_sensor = {key: place for place, key in enumerate(pump.sensors)}
    for step in range(1, HOURS * per_hour + 1):
        t = step * STEP_S
        is_new = t >= updated_at
        since = np.where(is_new, t - np.nan_to_num(updated_at), 0.0)
        strengths.by_kind = {
            FaultKind.OCCLUSION: np.concatenate([c.find_occlusion(t) for c in courses]),
            FaultKind.MOTOR_WEAR: np.concatenate([c.find_wear(t) for c in courses]),
            FaultKind.FIRMWARE_OSCILLATION: is_new * (kinds == Kind.OSCILLATION) * 1.0
            + is_new * (kinds == Kind.HALF_OSCILLATION) * 0.3,
            FaultKind.FLOW_SENSOR_DRIFT: (kinds == Kind.CREEPING) * np.minimum(since / (10 * 86_400.0), 1.0),
        }
        state, readings = pump.advance(seeds, state, t0 + t, STEP_S, strengths)
        readings[of_sensor["temperature"]] += _find_heat(kinds, t) - 0.6 * is_new * (kinds == Kind.COOLER)
        readings[of_sensor["battery_health"]] += 1.0 * is_new * (kinds == Kind.OFFSET)
        drive = readings[of_sensor["motor_current"]]
        quiet = is_new & (kinds == Kind.QUIETER)
        drive[quiet] = 0.5 * drive[quiet] + 0.5 * (0.125 + 0.0003 * state["flow"] + 0.0011 * state["pressure"])[quiet]
        hour = (step - 1) // per_hour
        sums[hour] += readings
        np.minimum(least[hour], readings, out=least[hour])
        np.maximum(most[hour], readings, out=most[hour])
        limits.judge(readings, round((t0 + t) * 1e6))
    worlds = []
    for place, (kind, seed) in enumerate(plan):
        own = slice(place * PUMPS, (place + 1) * PUMPS)
        breaches = [
            Breach(unit - own.start, monitor, group, datetime.fromtimestamp(at_us / 1e6, UTC))
            for unit, monitor, group, at_us in limits.raised
            if own.start <= unit < own.stop
        ]
        worlds.append(
            World(kind, seed, updated_at[own], sums[:, :, own], least[:, :, own], most[:, :, own], per_hour, breaches)
        )
    return worlds


@dataclass(frozen=True, slots=True)
class _Course:
    """What happens to the pumps of one world; times in seconds after START."""

    updated_at: FloatArray
    occluded: NDArray[np.float64]  # unit, from
    worn: NDArray[np.float64]  # unit, from

    def find_occlusion(self, t: float) -> FloatArray:
        strength = np.zeros(PUMPS)
        now = self.occluded[(self.occluded[:, 1] <= t) & (t < self.occluded[:, 1] + OCCLUSION_H * 3600.0)]
        strength[now[:, 0].astype(np.int64)] = 0.9
        return strength

    def find_wear(self, t: float) -> FloatArray:
        strength = np.zeros(PUMPS)
        begun = self.worn[self.worn[:, 1] <= t]
        grown = np.minimum((t - begun[:, 1]) / (WEAR_DAYS * 86_400.0), 1.0)
        np.maximum.at(strength, begun[:, 0].astype(np.int64), grown)
        return strength


def _plan_course(kind: Kind, seed: int) -> _Course:
    chance = np.random.default_rng([11, seed])
    days = HOURS / 24.0
    occluded = _draw_events(chance, np.full(PUMPS, OCCLUSIONS), 0.0, days)
    worn = _draw_events(chance, np.full(PUMPS, WEAR), 0.0, days)
    order = chance.permutation(PUMPS)
    if kind is Kind.FAILING_FIRST:
        broke = {int(unit) for unit, at in [*occluded, *worn] if at < UPDATES_FROM_H * 3600.0}
        order = np.array(sorted(order.tolist(), key=lambda unit: unit not in broke))
    updated_at = np.full(PUMPS, np.nan)
    begin = UPDATES_FROM_H * 3600.0 + 8 * 3600.0
    updated_at[order[:CANARIES]] = begin + chance.uniform(0, 3600.0, CANARIES)
    rest = UPDATED - CANARIES
    updated_at[order[CANARIES:UPDATED]] = begin + 86_400.0 + np.sort(chance.uniform(0, ROLL_OUT_H * 3600.0, rest))
    if kind is Kind.OCCLUDING:
        more = [
            event + np.array([unit, 0.0])
            for unit in range(PUMPS)
            if not np.isnan(updated_at[unit])
            for event in _draw_events(chance, np.array([9 * OCCLUSIONS]), updated_at[unit] / 86_400.0, days)
        ]
        occluded = np.concatenate([occluded, np.array(more).reshape(-1, 2)])
    return _Course(updated_at, occluded, worn)


def _draw_events(chance: np.random.Generator, per_day: FloatArray, since: float, until: float) -> NDArray[np.float64]:
    """(unit, seconds) of events at these rates per day between two days."""
    counts = chance.poisson(per_day * (until - since))
    units = np.repeat(np.arange(len(per_day)), counts)
    return np.stack([units, chance.uniform(since, until, len(units)) * 86_400.0], axis=1)


def _find_heat(kinds: NDArray[Any], t: float) -> FloatArray:
    grown = min(max((t / 3600.0 - UPDATES_FROM_H) / 24.0, 0.0), 1.0)
    heat: FloatArray = np.where(kinds == Kind.HEAT_WAVE, 4.0 * grown, 0.0)
    return heat


class _Limits:
    """The limit monitors of the profile on all units."""

    def __init__(self, profile: Profile, sensors: Sequence[str], units: int) -> None:
        self.raised: list[tuple[int, str, str, int]] = []
        self._monitors = [
            monitor
            for monitor in profile.monitors
            if monitor.rule is MonitorRule.LIMIT and monitor.sensors[0] in sensors and monitor.raise_at is not None
        ]
        self._units = units
        self._sides = [-1.0 if m.direction is Direction.LOW else 1.0 for m in self._monitors]
        self._places = [sensors.index(m.sensors[0]) for m in self._monitors]
        self._rules = BreachRules()
        rules = []
        for monitor, side in zip(self._monitors, self._sides, strict=True):
            raise_at, clear_at = monitor.raise_at or 0.0, monitor.clear_at or 0.0
            # Readings come every two minutes: n of m readings would be many times the seconds that are meant.
            one = SlotRule(side * raise_at, side * clear_at, duration_s=monitor.duration_s)
            rules += [one] * units
        self._slots = self._rules.add_slots(rules)

    def judge(self, readings: FloatArray, at_us: int) -> None:
        """Notes the breaches that these readings raise."""
        score = np.concatenate([side * readings[place] for side, place in zip(self._sides, self._places, strict=True)])
        rows = np.arange(len(score), dtype=np.int64)
        at = np.full(len(score), at_us, dtype=np.int64)
        for step in self._rules.judge(self._slots, rows, at, score):
            if step.kind is TransitionKind.RAISED:
                monitor = self._monitors[step.slot // self._units]
                self.raised.append((step.slot % self._units, monitor.key, monitor.fault_group, step.at_us))
