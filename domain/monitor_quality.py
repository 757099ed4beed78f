"""What the outcomes of orders say of a monitor: its precision, what it may cost, and a better threshold. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from domain.exact_chances import find_gamma_quantile
from domain.exposure import PER, find_rate
from domain.profile import Direction, Monitor, MonitorRule, Profile

# Rules whose threshold may be moved by what orders found. A FORECAST's is the limit itself.
MOVABLE_RULES = (
    MonitorRule.LIMIT,
    MonitorRule.RATE_OF_CHANGE,
    MonitorRule.ADAPTIVE,
    MonitorRule.MULTIVARIATE,
    MonitorRule.NOVELTY,
)
SIGNED_RULES = (MonitorRule.LIMIT, MonitorRule.RATE_OF_CHANGE)
MIN_REMOVED_SHARE = 0.5  # of what was in vain, or the move is not worth it
# With confirmed episodes the threshold goes beyond what was in vain by this share of the room up to them; without any,
# by this share of the way that it moved.
ROOM = 0.1
# Nothing confirmed tells what a move would cost: then it takes so many times the outcomes.
WITHOUT_CONFIRMED = 2
LEAST_OVER = 3  # tickets of one cause come in twos, which no interval of independent ones knows
TAIL = 0.025  # below the interval of 95 %


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Closed orders that a monitor was behind, by what was found."""

    confirmed: int = 0
    sensor_fault: int = 0
    no_fault_found: int = 0
    false_alarm: int = 0

    @property
    def useful(self) -> int:
        """The visit mended something."""
        return self.confirmed + self.sensor_fault

    @property
    def in_vain(self) -> int:
        """It mended nothing."""
        return self.no_fault_found + self.false_alarm

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(
            self.confirmed + other.confirmed,
            self.sensor_fault + other.sensor_fault,
            self.no_fault_found + other.no_fault_found,
            self.false_alarm + other.false_alarm,
        )


@dataclass(frozen=True, slots=True)
class Precision:
    """The share of a monitor's orders that are useful: the Beta posterior's mean and what bounds 95 % of it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What a monitor opened in how many device-days, and what it may open in 1,000 of them."""

    tickets: int
    device_days: float
    allowed_rate: float

    @property
    def rate(self) -> float | None:
        """None below one device-day."""
        return find_rate(self.tickets, self.device_days)

    @property
    def is_over(self) -> bool:
        """Three tickets or more, and more than chance makes of what is allowed: the lower end of the exact 95 %
        interval (Garwood) of the count lies above it.

        This weighs the count with its exposure, so that it needs no rate and holds in the first minutes as well.
        """
        allowed = self.allowed_rate * self.device_days / PER
        return (
            self.device_days > 0.0 and self.tickets >= LEAST_OVER and find_gamma_quantile(self.tickets, TAIL) > allowed
        )


def find_allowed_rate(vain_per_1000_days: float, precision_mean: float) -> float:
    """How many tickets a monitor of that precision may open for so many in vain: the better it is, the more."""
    return vain_per_1000_days / max(1.0 - precision_mean, 1e-6)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold that is proposed, and what it would have done to the orders of the past."""

    raise_at: float
    clear_at: float
    in_vain: int
    confirmed: int
    removed: int  # of those in vain
    vain_peaks: tuple[float, ...]
    confirmed_peaks: tuple[float, ...]


def find_threshold(
    monitor: Monitor, vain_peaks: Sequence[float], confirmed_peaks: Sequence[float], *, least_in_vain: int
) -> Threshold | None:
    """The nearest threshold beyond at least half of the episodes that were in vain and short of all confirmed ones.

    None where there is none, where fewer than `least_in_vain` episodes were in vain (twice that without a confirmed
    one), or where the threshold of the rule is not to be moved. Peaks are as breaches have them: values of the sensor
    for LIMIT and RATE_OF_CHANGE, else scores.
    """
    needed = least_in_vain if confirmed_peaks else WITHOUT_CONFIRMED * least_in_vain
    if monitor.rule not in MOVABLE_RULES or monitor.raise_at is None or len(vain_peaks) < needed:
        return None
    signed = monitor.rule in SIGNED_RULES
    side = -1.0 if signed and monitor.direction is Direction.LOW else 1.0
    raise_at = side * monitor.raise_at
    vain = sorted(side * peak for peak in vain_peaks)
    lowest = min((side * peak for peak in confirmed_peaks), default=None)
    removable = [peak for peak in vain if peak >= raise_at and (lowest is None or peak < lowest)]
    if len(removable) < MIN_REMOVED_SHARE * len(vain):
        return None
    highest = removable[-1]
    room = highest - raise_at if lowest is None else lowest - highest
    proposed = highest + ROOM * room
    if monitor.critical_at is not None and proposed >= side * monitor.critical_at:
        return None
    if proposed <= raise_at:
        return None
    clear_at = side * (monitor.clear_at if monitor.clear_at is not None else monitor.raise_at)
    # Amounts keep the ratio of the two limits, values of a sensor their distance.
    clear_at = clear_at + proposed - raise_at if signed else clear_at * proposed / raise_at
    return Threshold(
        raise_at=_round(side * proposed),
        clear_at=_round(side * clear_at),
        in_vain=len(vain),
        confirmed=len(confirmed_peaks),
        removed=len(removable),
        vain_peaks=tuple(vain_peaks),
        confirmed_peaks=tuple(confirmed_peaks),
    )


def move_threshold(profile: Profile, monitor: str, raise_at: float, clear_at: float) -> Profile:
    """The profile with that monitor's limits, at the next version."""
    monitors = tuple(
        replace(m, raise_at=raise_at, clear_at=clear_at) if m.key == monitor else m for m in profile.monitors
    )
    return replace(profile, monitors=monitors, version=profile.version + 1)


def _round(value: float) -> float:
    """Five significant digits: what is written into a profile should be readable."""
    return float(f"{value:.5g}")


def find_middle(peaks: Sequence[float]) -> float | None:
    """The median, None of nothing."""
    return float(median(peaks)) if peaks else None
