"""Which monitors can be judged from the means of minutes or hours in place of every reading, and how.

A mean says nothing of what is shorter than its bucket. A monitor can be judged at a level if what it asks for (its
duration, or its n readings at the pace of the sensor) takes at least two buckets; its counts and its warm-up are then
translated into buckets. All others are left out, on every side of a comparison, and named. What learns from means
learns another scatter than from readings: such monitors are judged at a level of means only where somebody asks for
it, and are named as approximate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anomaly.presence import PRESENCE_RULES
from domain.profile import Monitor, MonitorRule, Profile
from store.history import HistoryLevel

LEAST_BUCKETS = 2
TIMELESS = (MonitorRule.RATE_OF_CHANGE, MonitorRule.FLAT_LINE)  # a mean has another rate, and never stands still
LEARNING = (MonitorRule.ADAPTIVE, MonitorRule.MULTIVARIATE, MonitorRule.NOVELTY, MonitorRule.FORECAST)
LEAST_WARMUP = 48  # buckets
UNHEARD = tuple(rule for rule in PRESENCE_RULES if rule is not MonitorRule.DEVICE_CODE)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A monitor that a backtest does not judge, and why."""

    monitor: str
    reason: str


def find_finest_needed(profiles: Sequence[Profile]) -> HistoryLevel:
    """The coarsest level at which no monitor of these profiles is left out that would be judged from readings, and none
    is judged approximately."""
    if any(m.rule in LEARNING for p in profiles for m in p.monitors):
        return HistoryLevel.RAW
    for level in (HistoryLevel.HOUR, HistoryLevel.MINUTE):
        if all(_translate(p, m, level) is not None for p in profiles for m in p.monitors if m.rule not in UNHEARD):
            return level
    return HistoryLevel.RAW


def find_approximate(profile: Profile, level: HistoryLevel) -> tuple[str, ...]:
    """The monitors of an adapted profile that are judged from means though they learn."""
    return () if level is HistoryLevel.RAW else tuple(m.key for m in profile.monitors if m.rule in LEARNING)


def adapt_profile(profile: Profile, level: HistoryLevel) -> tuple[Profile, tuple[LeftOut, ...]]:
    """The profile as it can be judged at that level, and what is left out."""
    kept, left = [], []
    for monitor in profile.monitors:
        if monitor.rule in UNHEARD:
            left.append(LeftOut(monitor.key, "silence is judged by the clock of the receiver, which is not kept"))
            continue
        adapted = _translate(profile, monitor, level)
        if adapted is None:
            left.append(LeftOut(monitor.key, f"it looks at less than {LEAST_BUCKETS} {level.value}s at a time"))
        else:
            kept.append(adapted)
    return replace(profile, monitors=tuple(kept)), tuple(left)


def _translate(profile: Profile, monitor: Monitor, level: HistoryLevel) -> Monitor | None:
    if level is HistoryLevel.RAW or monitor.rule is MonitorRule.DEVICE_CODE:
        return monitor
    width = level.width.total_seconds()
    if monitor.rule in TIMELESS:
        return None
    intervals = [s.interval_s for key in monitor.sensors if (s := profile.find_sensor(key)) is not None]
    known = [i for i in intervals if i is not None]
    pace = max(known) if len(known) == len(intervals) and known else None
    if monitor.n > 1 and pace is None:
        return None
    counted_s = 0.0 if pace is None else (monitor.n - 1) * pace
    if max(monitor.duration_s, counted_s) < LEAST_BUCKETS * width:
        return None
    warmup = monitor.warmup
    if warmup and pace is not None:
        warmup = max(LEAST_WARMUP, math.ceil(warmup * pace / width))
    if monitor.n == 1 or pace is None:
        return replace(monitor, m=1, warmup=warmup)
    n = max(1, math.ceil(monitor.n * pace / width))
    return replace(monitor, n=n, m=max(n, math.ceil(monitor.m * pace / width)), warmup=warmup)
