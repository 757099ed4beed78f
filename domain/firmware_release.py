"""What is compared before and after a firmware update, and what a difference means. The statistics are not in here."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.profile import Direction, Monitor, MonitorRule, Profile, Sensor

# A level that used up this share of its way to a limit has become worse, whether or not it is there.
RELEVANT_SHARE = 0.2
# A breach rate that rose at least so many times, and so many times more than that of devices without the update.
RELEVANT_RATIO = 2.0


class Measure(StrEnum):
    """What is compared of a release."""

    RATE = "rate"  # breaches per device-day, by fault group
    LEVEL = "level"  # the mean of a sensor
    SPREAD = "spread"  # how far a sensor moves within an hour


class Verdict(StrEnum):
    """What a comparison says; WORSE alone proposes a CAPA."""

    WORSE = "WORSE"
    CHANGED = "CHANGED"  # for certain, but not known to be for the worse
    IMPROVED = "IMPROVED"
    NONE = "NONE"  # no difference that cannot be chance
    TOO_FEW = "TOO_FEW"  # devices, or hours of them


@dataclass(frozen=True, slots=True)
class Release:
    """One version of the main component of one device model; simulated devices are a fleet of their own."""

    device_model_id: int
    model: str
    version: str
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of a release's comparison; of a rate `before` and `after` are per 1,000 device-days and `effect` is
    their ratio. `verdict` is what it is if the difference is no chance."""

    measure: Measure
    subject: str
    unit: str
    devices: int
    controls: int
    before: float | None
    after: float | None
    effect: float | None
    low: float | None
    high: float | None
    p: float
    share: float | None
    monitor: str | None
    fault_group: str | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """A comparison with the p-value that holds at every look, its q-value, and what both say together."""

    line: Comparison
    p_valid: float
    q: float
    verdict: Verdict
    look: int
    judged_at: datetime


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a level to the limit of a monitor that is used up most; below 0: it moved away from all."""

    share: float
    monitor: Monitor


def judge(line: Comparison, q: float, most_q: float) -> Verdict:
    """The verdict of the line at that q-value."""
    if line.verdict is Verdict.TOO_FEW or q < most_q:
        return line.verdict
    return Verdict.NONE


def find_way(profile: Profile, sensor: Sensor, before: float, move: float) -> Way | None:
    """Which limit of the sensor a move from `before` brings nearest; None where it has no limit still ahead of it."""
    ways = [
        Way(side * move / margin, monitor)
        for monitor in profile.monitors
        if monitor.rule in (MonitorRule.LIMIT, MonitorRule.FORECAST)
        and monitor.sensors == (sensor.key,)
        and monitor.raise_at is not None
        for side in (-1.0 if monitor.direction is Direction.LOW else 1.0,)
        if (margin := side * (monitor.raise_at - before)) > 0.0
    ]
    return max(ways, key=lambda way: way.share, default=None)


def find_level_verdict(sensor: Sensor, move: float, way: Way | None) -> Verdict:
    """What a certain move of the level means. Below what the sensor shows it is none."""
    if abs(move) < 10.0**-sensor.decimals:
        return Verdict.NONE
    if way is None or -RELEVANT_SHARE < way.share < RELEVANT_SHARE:
        return Verdict.CHANGED
    return Verdict.WORSE if way.share > 0.0 else Verdict.IMPROVED


def find_spread_verdict(sensor: Sensor, move: float, way: Way | None) -> Verdict:
    """What a certain move of the spread means; half of it goes to each side, and `way` is of that half."""
    if abs(move) < 10.0**-sensor.decimals:
        return Verdict.NONE
    return Verdict.WORSE if way is not None and way.share >= RELEVANT_SHARE else Verdict.CHANGED


def find_rate_verdict(ratio: float | None, control_ratio: float) -> Verdict:
    """What a certain change of a breach rate means; `control_ratio` is that of devices without the update."""
    if ratio is None:
        return Verdict.NONE
    if ratio < 1.0:
        return Verdict.IMPROVED
    return Verdict.WORSE if ratio >= RELEVANT_RATIO * max(control_ratio, 1.0) else Verdict.CHANGED
