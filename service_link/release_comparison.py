"""From what was loaded of a release to the lines of its comparison. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from domain.exposure import find_rate
from domain.firmware_release import (
    Comparison,
    Measure,
    Verdict,
    find_level_verdict,
    find_rate_verdict,
    find_spread_verdict,
    find_way,
)
from domain.profile import Profile, Sensor
from service_link.release_statistics import find_level_change, find_rate_change
from store.releases import FirstBreaches, SignalChange, Windows

MIN_DEVICES = 10
MIN_HOURS = 6  # of a device after its update, to take part
RATE_UNIT = "/1000 d"
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Side:
    """What is known of some devices of a comparison: those that were updated, or the controls."""

    windows: Sequence[Windows] = ()
    signals: Sequence[SignalChange] = ()
    breaches: Sequence[FirstBreaches] = ()


@dataclass(slots=True)
class _Counts:
    """First breaches of a fault group and the device-days up to them."""

    events_before: int = 0
    days_before: float = 0.0
    events_after: int = 0
    days_after: float = 0.0

    @property
    def ratio(self) -> float:
        """After to before, half an event added to both: of devices without the update, who may have none."""
        if self.days_before <= 0.0 or self.days_after <= 0.0:
            return 1.0
        return ((self.events_after + 0.5) / self.days_after) / ((self.events_before + 0.5) / self.days_before)


@dataclass(slots=True)
class _Signal:
    """Per device of one signal: where it was and how it changed."""

    before: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)

    def add(self, before: float, change: float) -> None:
        self.before.append(before)
        self.changes.append(change)


def compare_release(profile: Profile, updated: Side, controls: Side) -> list[Comparison]:
    """Every fault group's breach rate and every sensor's level and spread: always all of them, in the same order, so
    that what is tested never depends on what was found."""
    lines = []
    own, others = _count_breaches(updated), _count_breaches(controls)
    for group in profile.fault_groups:
        lines.append(_compare_rate(group.key, len(updated.windows), len(controls.windows), own, others))
    levels, control_levels = _collect_levels(updated.signals), _collect_levels(controls.signals)
    spreads, control_spreads = _collect_spreads(updated.signals), _collect_spreads(controls.signals)
    nothing = _Signal()
    for sensor in profile.sensors:
        level = levels.get(sensor.key, nothing)
        usual = median(level.before) if level.before else 0.0
        for measure, signals, control_signals in (
            (Measure.LEVEL, levels, control_levels),
            (Measure.SPREAD, spreads, control_spreads),
        ):
            signal, control = signals.get(sensor.key, nothing), control_signals.get(sensor.key, nothing)
            lines.append(_compare_signal(profile, sensor, measure, signal, control, usual))
    return lines


def _collect_levels(changes: Iterable[SignalChange]) -> dict[str, _Signal]:
    signals: dict[str, _Signal] = {}
    for change in changes:
        if change.hours >= MIN_HOURS:
            signals.setdefault(change.sensor, _Signal()).add(change.level_before, change.level_change)
    return signals


def _collect_spreads(changes: Iterable[SignalChange]) -> dict[str, _Signal]:
    signals: dict[str, _Signal] = {}
    for change in changes:
        if change.hours >= MIN_HOURS and change.spread_before is not None and change.spread_change is not None:
            signals.setdefault(change.sensor, _Signal()).add(change.spread_before, change.spread_change)
    return signals


def _compare_signal(
    profile: Profile, sensor: Sensor, measure: Measure, signal: _Signal, control: _Signal, usual: float
) -> Comparison:
    if len(signal.changes) < MIN_DEVICES:
        return _find_too_few(measure, sensor.key, sensor.unit, len(signal.changes), len(control.changes))
    found = find_level_change(np.array(signal.changes), np.array(control.changes))
    before = median(signal.before)
    move = found.effect if measure is Measure.LEVEL else abs(found.effect) / 2.0
    way = find_way(profile, sensor, usual, move)
    if measure is Measure.SPREAD:
        # A range that grows goes to both sides.
        down = find_way(profile, sensor, usual, -move)
        way = max((w for w in (way, down) if w is not None), key=lambda w: w.share, default=None)
        way = None if found.effect <= 0.0 else way
        verdict = find_spread_verdict(sensor, found.effect, way)
    else:
        verdict = find_level_verdict(sensor, found.effect, way)
    return Comparison(
        measure=measure,
        subject=sensor.key,
        unit=sensor.unit,
        devices=found.devices,
        controls=found.controls,
        before=before,
        after=before + found.effect,
        effect=found.effect,
        low=found.low,
        high=found.high,
        p=found.p,
        share=None if way is None else way.share,
        monitor=None if way is None else way.monitor.key,
        fault_group=None if way is None else way.monitor.fault_group,
        verdict=verdict,
    )


def _count_breaches(side: Side) -> Mapping[str, _Counts]:
    """By fault group; the exposure of a device ends with its first breach, so that one that breaches all day counts as
    one device and not as a hundred. "" is of devices without any breach of a group."""
    of_device = {(b.device_id, b.fault_group): b for b in side.breaches}
    counts: dict[str, _Counts] = {"": _Counts()}
    for group in {"", *(b.fault_group for b in side.breaches)}:
        total = counts.setdefault(group, _Counts())
        for window in side.windows:
            first = of_device.get((window.device_id, group))
            before = window.updated_at if first is None or first.before is None else first.before
            after = window.after_to if first is None or first.after is None else first.after
            total.days_before += (before - window.before_from).total_seconds() / DAY_S
            total.days_after += (after - window.updated_at).total_seconds() / DAY_S
            total.events_before += first is not None and first.before is not None
            total.events_after += first is not None and first.after is not None
    return counts


def _compare_rate(
    group: str, devices: int, controls: int, own: Mapping[str, _Counts], others: Mapping[str, _Counts]
) -> Comparison:
    counts = own.get(group, own[""])
    if devices < MIN_DEVICES or counts.days_before <= 0.0 or counts.days_after <= 0.0:
        return _find_too_few(Measure.RATE, group, RATE_UNIT, devices, controls, group)
    found = find_rate_change(counts.events_before, counts.days_before, counts.events_after, counts.days_after)
    return Comparison(
        measure=Measure.RATE,
        subject=group,
        unit=RATE_UNIT,
        devices=devices,
        controls=controls,
        before=find_rate(found.events_before, found.days_before),
        after=find_rate(found.events_after, found.days_after),
        effect=found.ratio,
        low=found.low,
        high=found.high,
        p=found.p,
        share=None,
        monitor=None,
        fault_group=group,
        verdict=find_rate_verdict(found.ratio, others.get(group, others[""]).ratio if controls else 1.0),
    )


def _find_too_few(
    measure: Measure, subject: str, unit: str, devices: int, controls: int, group: str | None = None
) -> Comparison:
    return Comparison(
        measure=measure,
        subject=subject,
        unit=unit,
        devices=devices,
        controls=controls,
        before=None,
        after=None,
        effect=None,
        low=None,
        high=None,
        p=1.0,
        share=None,
        monitor=None,
        fault_group=group,
        verdict=Verdict.TOO_FEW,
    )
