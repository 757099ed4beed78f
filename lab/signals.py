"""A fleet's plan as what the devices send: blocks of readings and reports, as `ingest` would have recorded them.

Time-scaled: every device sends every five minutes (`Sampling.step_s`), and for five minutes in six hours every five
seconds, as a real one does all the time. It also sends every five seconds around what is fast: occlusions, leaks and
what else grows within hours, self-tests, the first minutes of a maintenance, after a restart, and for two hours after
it was installed. With `step_s` = 5 nothing is left out. Physics, noise and therapy are those of `simulators`.

Times are accepted as `ingest` accepts them: what lies more than five minutes in the future is refused, what is older
than the device's newest is marked LATE, what lies outside of the physical range is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.profile import Profile
from domain.reading import ReadingFlag
from domain.report import ConnectionState, EventReport, FirmwareReport, FirmwareState, Report, StatusReport
from lab.bedside import Bedside
from lab.plan import BLOCK_US, DAY, MINUTE, SECOND, FleetPlan, Nuisance, kind_of
from simulators.faults import FaultKind
from store.blocks import BlockColumns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FUTURE_US = 300 * SECOND  # FOREWARN_MAX_FUTURE_S
INSTALLED_US = 120 * MINUTE
FAST_S = 6 * 3600.0  # what grows in less is fast
JUMP_US = 30 * MINUTE  # after something that is there at once


@dataclass(frozen=True, slots=True)
class Sampling:
    """When readings are sent; see the top of this file. `step_s` divides 300."""

    step_s: int = 300
    dense_s: int = 5
    window_s: int = 300
    window_every_s: int = 21_600


@dataclass(frozen=True, slots=True)
class WorldBlock:
    """What arrived in five minutes."""

    columns: BlockColumns
    reports: list[Report]
    received_us: int  # their end


@dataclass(slots=True)
class Windows:
    """Intervals of single units, sorted by nothing: few enough to be asked for all at once."""

    unit: Ints
    since: Ints
    until: Ints

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int]]) -> "Windows":
        """(unit, since, until) each."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return Windows(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())

    def overlapping(self, t0: int, t1: int) -> "Windows":
        """Those that have a part in [t0, t1)."""
        chosen = (self.since < t1) & (self.until > t0)
        return Windows(self.unit[chosen], self.since[chosen], self.until[chosen])

    def find_units(self, t_us: int) -> Ints:
        """The units with an interval that holds the instant."""
        found: Ints = self.unit[(self.since <= t_us) & (t_us < self.until)]
        return found


@dataclass(slots=True)
class _Rows:
    """Rows of one block in the making."""

    unit: list[Ints] = field(default_factory=list)
    series: list[Ints] = field(default_factory=list)
    at_us: list[Ints] = field(default_factory=list)
    true_us: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)
    flags: list[Ints] = field(default_factory=list)

    def take(self) -> tuple[Ints, Ints, Ints, Ints, Floats, Ints]:
        if not self.unit:
            nothing = np.empty(0, dtype=np.int64)
            return nothing, nothing, nothing, nothing, np.empty(0), nothing
        return (
            np.concatenate(self.unit),
            np.concatenate(self.series),
            np.concatenate(self.at_us),
            np.concatenate(self.true_us),
            np.concatenate(self.value),
            np.concatenate(self.flags),
        )


class FleetSignals:
    """The sending fleet; `series` maps each unit's sensors to their series ids."""

    def __init__(self, plan: FleetPlan, profiles: Mapping[str, Profile], sampling: Sampling | None = None) -> None:
        self.plan = plan
        self.sampling = sampling or Sampling()
        self.bedsides = [
            Bedside(plan, model, profile, first_series)
            for (model, profile), first_series in zip(profiles.items(), _find_first_series(plan, profiles), strict=True)
        ]
        self.series: dict[int, dict[str, int]] = {}
        for bedside in self.bedsides:
            self.series |= bedside.find_series()
        count = len(plan.units)
        self._newest = np.full(count, np.iinfo(np.int64).min, dtype=np.int64)
        self._skew = np.array([unit.skew_us for unit in plan.units], dtype=np.int64)
        self._begins = np.array([unit.begins_us for unit in plan.units], dtype=np.int64)
        self._dense = Windows.of(_find_dense(plan))
        self._away = Windows.of(_find_away(plan))
        self._buffered = Windows.of(_find_episodes(plan, Nuisance.BUFFERED))
        self._late = Windows.of(_find_episodes(plan, Nuisance.LATE))
        self._clock = Windows.of([(c.unit, c.since_us, c.until_us) for c in plan.clock_errors])
        self._clock_offset = np.array([c.offset_us for c in plan.clock_errors], dtype=np.int64)
        self._reports = sorted(_find_reports(plan), key=lambda report: report.received_us)
        self._next_report = 0
        self._held = _Rows()
        self._rng = np.random.default_rng([plan.settings.seed, 21])

    def iterate_blocks(self) -> Iterator[WorldBlock]:
        """All of it, five minutes at a time."""
        for t0 in range(self.plan.settings.start_us, self.plan.end_us, BLOCK_US):
            yield self._make_block(t0, t0 + BLOCK_US)

    def _make_block(self, t0: int, t1: int) -> WorldBlock:
        rows, reports = _Rows(), self._take_reports(t1)
        away, late = self._away.overlapping(t0, t1 + 1), self._late.overlapping(t0, t1 + 1)
        for bedside in self.bedsides:
            bedside.prepare(t0, t1)
        for t_us, is_due in self._find_ticks(t0, t1):
            is_due = is_due & (self._begins <= t_us)
            is_due[away.find_units(t_us)] = False
            at_us = self._find_device_times(t_us)
            is_late = at_us <= self._newest
            is_refused = at_us > t_us + FUTURE_US
            sent = is_due & ~is_refused
            self._newest[sent] = np.maximum(self._newest[sent], at_us[sent])
            is_late[late.find_units(t_us)] = True
            for bedside in self.bedsides:
                local = np.flatnonzero(is_due[bedside.numbers])
                if local.shape[0] == 0:
                    continue
                unit, series, value, codes = bedside.read(local, t_us, self._rng)
                reports += [
                    EventReport(number + 1, t_us, t_us, alarm.code, alarm.severity, alarm.message)
                    for number, alarm in codes
                ]
                kept = sent[unit]
                unit, series, value = unit[kept], series[kept], value[kept]
                rows.unit.append(unit)
                rows.series.append(series)
                rows.at_us.append(at_us[unit])
                rows.true_us.append(np.full(unit.shape[0], t_us, dtype=np.int64))
                rows.value.append(value)
                rows.flags.append(is_late[unit] * int(ReadingFlag.LATE))
        return WorldBlock(self._deliver(rows, t1), reports, t1)

    def _find_ticks(self, t0: int, t1: int) -> list[tuple[int, Bools]]:
        """The instants in (t0, t1] at which readings are taken, and by which units."""
        step, dense = self.sampling.step_s * SECOND, self.sampling.dense_s * SECOND
        count = self._begins.shape[0]
        ticks = {t: np.ones(count, dtype=np.bool_) for t in range(t0 + step, t1 + 1, step)}
        if step <= dense:
            return sorted(ticks.items())
        every, length = self.sampling.window_every_s * SECOND, self.sampling.window_s * SECOND
        start_us = self.plan.settings.start_us
        windows = self._dense.overlapping(t0, t1 + 1)
        # The common window moves through the hours of the day, lest it always meets the same ones.
        day = (t0 - start_us) // DAY
        for t in range(t0 + dense, t1 + 1, dense):
            if (t - start_us + day * 47 * MINUTE) % every < length:
                ticks[t] = np.ones(count, dtype=np.bool_)
            elif windows.unit.shape[0] and t not in ticks:
                units = windows.find_units(t)
                if units.shape[0]:
                    mask = np.zeros(count, dtype=np.bool_)
                    mask[units] = True
                    ticks[t] = mask
        return sorted(ticks.items(), key=lambda tick: tick[0])

    def _find_device_times(self, t_us: int) -> Ints:
        at_us = t_us + self._skew
        wrong = (self._clock.since <= t_us) & (t_us < self._clock.until)
        at_us[self._clock.unit[wrong]] += self._clock_offset[wrong]
        return at_us

    def _take_reports(self, t1: int) -> list[Report]:
        first = self._next_report
        while self._next_report < len(self._reports) and self._reports[self._next_report].received_us < t1:
            self._next_report += 1
        return self._reports[first : self._next_report]

    def _deliver(self, rows: _Rows, t1: int) -> BlockColumns:
        """What a gateway holds back for now is kept, what it held back before comes first."""
        held = self._held.take()
        now = rows.take()
        unit, series, at_us, true_us, value, flags = (np.concatenate(pair) for pair in zip(held, now, strict=True))
        waiting = self._buffered.find_units(t1)
        self._held = _Rows()
        if waiting.shape[0]:
            kept = np.zeros(unit.shape[0], dtype=np.bool_)
            for number in np.unique(waiting).tolist():
                since = int(self._buffered.since[(self._buffered.unit == number) & (self._buffered.until > t1)].min())
                kept |= (unit == number) & (true_us >= since)
            for name, column in zip(
                ("unit", "series", "at_us", "true_us", "value", "flags"),
                (unit, series, at_us, true_us, value, flags),
                strict=True,
            ):
                getattr(self._held, name).append(column[kept])
            series, at_us, value, flags = series[~kept], at_us[~kept], value[~kept], flags[~kept]
        return BlockColumns(series.astype(np.int32), at_us, value, flags.astype(np.int16))


def _find_first_series(plan: FleetPlan, profiles: Mapping[str, Profile]) -> list[int]:
    firsts, first = [], 1
    for model in profiles:
        firsts.append(first)
        first += sum(unit.device.model == model for unit in plan.units) * len(kind_of(model).sensors)
    return firsts


def _find_episodes(plan: FleetPlan, kind: Nuisance) -> list[tuple[int, int, int]]:
    return [(e.unit, e.since_us, e.until_us) for e in plan.episodes if e.kind is kind]


def _find_dense(plan: FleetPlan) -> list[tuple[int, int, int]]:
    number_of = {unit.device.serial: unit.number for unit in plan.units}
    rows = [(unit.number, unit.begins_us, unit.begins_us + INSTALLED_US) for unit in plan.units]
    rows += [
        (number_of[fault.serial], fault.onset_us - MINUTE, (fault.end_us or plan.end_us) + 3 * MINUTE)
        for fault in plan.faults
        if fault.kind in (FaultKind.OCCLUSION, FaultKind.CIRCUIT_LEAK) or 0.0 < fault.growth_s < FAST_S
    ]
    rows += [
        (number_of[fault.serial], fault.onset_us - MINUTE, fault.onset_us + JUMP_US)
        for fault in plan.faults
        if fault.kind is FaultKind.FIRMWARE_OSCILLATION
    ]
    for episode in plan.episodes:
        if episode.kind is Nuisance.SELF_TEST:
            rows.append((episode.unit, episode.since_us - MINUTE // 2, episode.until_us + MINUTE))
        elif episode.kind is Nuisance.MAINTENANCE:
            rows.append((episode.unit, episode.since_us, episode.since_us + 6 * MINUTE))
        elif episode.kind is Nuisance.RESTART:
            rows.append((episode.unit, episode.until_us, episode.until_us + 2 * MINUTE))
    return rows


def _find_away(plan: FleetPlan) -> list[tuple[int, int, int]]:
    """When units are silent as a whole."""
    number_of = {unit.device.serial: unit.number for unit in plan.units}
    rows = _find_episodes(plan, Nuisance.LOST) + _find_episodes(plan, Nuisance.RESTART)
    rows += [
        (number_of[f.serial], f.onset_us, f.end_us or plan.end_us) for f in plan.faults if f.kind is FaultKind.OFFLINE
    ]
    for outage in plan.outages:
        rows += [(u.number, outage.since_us, outage.until_us) for u in plan.units if u.gateway == outage.gateway]
    return rows


def _find_reports(plan: FleetPlan) -> list[Report]:
    """Status and firmware, as the devices and gateways say them at the time."""
    id_of = {unit.device.serial: unit.id for unit in plan.units}
    reports: list[Report] = []
    for unit in plan.units:
        version = unit.device.firmware
        reports.append(FirmwareReport(unit.id, unit.begins_us, unit.begins_us, "main", version, FirmwareState.UPDATED))
    for rollout in plan.rollouts:
        unit_id, at_us = id_of[rollout.serial], rollout.at_us
        reports.append(
            FirmwareReport(unit_id, at_us, at_us, "main", rollout.version, FirmwareState.UPDATED, rollout.previous)
        )
    away = [(id_of[f.serial], f.onset_us, f.end_us) for f in plan.faults if f.kind is FaultKind.OFFLINE]
    for outage in plan.outages:
        away += [(u.id, outage.since_us, outage.until_us) for u in plan.units if u.gateway == outage.gateway]
    for device_id, since_us, until_us in away:
        reports.append(StatusReport(device_id, since_us, since_us, ConnectionState.OFFLINE))
        if until_us is not None:
            reports.append(StatusReport(device_id, until_us, until_us, ConnectionState.ONLINE))
    return reports
