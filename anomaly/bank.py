"""Monitors compiled to vectors: for each rule, one detector and one set of breach rules over the slots of a shard."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anomaly.baselines import Baselines
from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.contract import Bools, Detector, Ints, SlotSettings, StepDetector
from anomaly.detectors.forecast import ForecastDetector
from anomaly.detectors.limits import FlatLineDetector, LimitDetector, RateOfChangeDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.detectors.novelty.detector import NoveltyDetector
from domain.profile import Direction, Monitor, MonitorRule, Profile, Sensor

STEP_DETECTORS: dict[MonitorRule, type[StepDetector]] = {
    MonitorRule.LIMIT: LimitDetector,
    MonitorRule.RATE_OF_CHANGE: RateOfChangeDetector,
    MonitorRule.FLAT_LINE: FlatLineDetector,
    MonitorRule.ADAPTIVE: AdaptiveDetector,
    MonitorRule.NOVELTY: NoveltyDetector,
    MonitorRule.FORECAST: ForecastDetector,
}
REGISTERED_DETECTORS: tuple[type[Detector], ...] = (*STEP_DETECTORS.values(), MultivariateDetector)
ROLLED_UP = (
    MonitorRule.ADAPTIVE,
    MonitorRule.MULTIVARIATE,
    MonitorRule.NOVELTY,
)  # their scores are kept by the minute; a limit's is the value
LEAST_REFRACTORY_S = 60.0
CLEAR_SHARE_OF_PEAK = 0.6
CLEAR_SHARE = 0.6  # of raise_at, where a statistical monitor names no clear limit


@dataclass(frozen=True, slots=True)
class WatchedDevice:
    """What scoring knows of a device; `series` maps sensor keys to series ids."""

    id: int
    serial: str
    model: str
    firmware: str = field(compare=False)  # as the record has it; it changes without a change of the rules
    series: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MonitorSlot:
    """One monitor on one device; `sensors` and `series_ids` are in the monitor's order, several if MULTIVARIATE."""

    device: WatchedDevice
    profile: Profile
    monitor: Monitor
    sensors: tuple[Sensor, ...]
    series_ids: tuple[int, ...]

    @property
    def breach_series_id(self) -> int | None:
        """The series that a breach names; a breach of several sensors, or of none, names none."""
        return self.series_ids[0] if len(self.series_ids) == 1 else None


@dataclass(slots=True)
class Bank:
    """All slots of one rule. `layers[i][series index]` is the i-th slot of a series, -1 where it has none."""

    rule: MonitorRule
    detector: Detector
    rules: BreachRules
    slots: list[MonitorSlot]
    layers: list[Ints] = field(default_factory=list)
    series_of_slot: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # series index, by rules slot
    baselines: Baselines = field(default_factory=Baselines)  # by rules slot
    failed: dict[int, str] = field(default_factory=dict)  # rules slots that their detector raised on, and how
    is_failed: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    seeded: dict[int, tuple[int, str]] = field(default_factory=dict)  # rules slots that began with a prior: id and code

    def __post_init__(self) -> None:
        self.is_failed = np.zeros(len(self.slots), dtype=np.bool_)

    def give_up(self, number: int, reason: str) -> None:
        """Judges this rules slot no more."""
        self.failed[number] = reason
        self.is_failed[number] = True
        self.seeded.pop(number, None)

    def find_prior(self, number: int) -> tuple[int, str] | None:
        """Id and code of the model record from whose prior the baseline of this rules slot comes; None: from none."""
        detector = self.detector
        if isinstance(detector, MultivariateDetector) and (
            detector.prior is None or detector.prior.rows_seen[number] == 0
        ):
            return None  # its own baseline speaks, and holds nothing of the prior
        return self.seeded.get(number)

    def find_detector_slots(self, slot: Ints) -> Ints:
        """The detector's numbers of these rules slots: a unit of several sensors is named by its first one."""
        return slot * self.detector.width if isinstance(self.detector, MultivariateDetector) else slot


def orientation(monitor: Monitor) -> float:
    """-1 where the limits of the monitor are given in the sensor's own direction and lie below, else +1."""
    signed = monitor.rule in (MonitorRule.LIMIT, MonitorRule.RATE_OF_CHANGE, MonitorRule.FORECAST)
    return -1.0 if signed and monitor.direction is Direction.LOW else 1.0


def rule_of(monitor: Monitor) -> SlotRule:
    """The limits of a monitor, seen from the side where the trouble lies."""
    sign = orientation(monitor)
    statistical = monitor.rule in ROLLED_UP
    if monitor.rule is MonitorRule.FLAT_LINE:
        raise_at, clear_at = 1.0, 1.0
    else:
        raise_at = sign * monitor.raise_at if monitor.raise_at is not None else np.inf
        default = raise_at * CLEAR_SHARE if statistical else raise_at
        clear_at = min(raise_at, sign * monitor.clear_at) if monitor.clear_at is not None else default
    critical = np.inf if monitor.critical_at is None else sign * monitor.critical_at
    return SlotRule(
        raise_at=raise_at,
        clear_at=clear_at,
        critical_at=critical,
        n=monitor.n,
        m=monitor.m,
        duration_s=monitor.duration_s,
        clear_duration_s=monitor.clear_duration_s,
        clear_share=CLEAR_SHARE_OF_PEAK if monitor.rule is MonitorRule.MULTIVARIATE else 0.0,
        refractory_s=max(LEAST_REFRACTORY_S, monitor.duration_s) if statistical else 0.0,
    )


def settings_of(monitor: Monitor, sensor: Sensor) -> SlotSettings:
    """What the detector must know of one sensor of a monitor."""
    return SlotSettings(
        direction=monitor.direction,
        resolution=10.0**-sensor.decimals,
        warmup=monitor.warmup,
        window_s=monitor.window_s,
        tolerance=monitor.tolerance,
        hold_s=monitor.duration_s,
        limit=math.inf if monitor.raise_at is None else monitor.raise_at,
        lead_s=monitor.lead_time_s or 0.0,
    )


def find_slots(devices: Iterable[WatchedDevice], profiles: Mapping[str, Profile]) -> list[MonitorSlot]:
    """Every monitor of every device whose sensors the device has, ordered by device id and place in the profile."""
    slots: list[MonitorSlot] = []
    groups = {model: list(_find_groups(profile)) for model, profile in profiles.items()}
    for device in sorted(devices, key=lambda d: d.id):
        profile = profiles.get(device.model)
        if profile is None:
            continue
        for monitor, sensors in groups[device.model]:
            if all(s.key in device.series for s in sensors):
                series_ids = tuple(device.series[s.key] for s in sensors)
                slots.append(MonitorSlot(device, profile, monitor, sensors, series_ids))
    return slots


def _find_groups(profile: Profile) -> Iterator[tuple[Monitor, tuple[Sensor, ...]]]:
    """Each monitor with the sensors that share one slot: all of a MULTIVARIATE one, else one at a time."""
    for monitor in profile.monitors:
        sensors = tuple(s for key in monitor.sensors if (s := profile.find_sensor(key)) is not None)
        if monitor.rule is MonitorRule.MULTIVARIATE or not sensors:
            yield monitor, sensors
        else:
            yield from ((monitor, (sensor,)) for sensor in sensors)


def compile_bank(rule: MonitorRule, slots: Sequence[MonitorSlot], series_index: Mapping[int, int]) -> Bank:
    """One bank of all slots of `rule`; `series_index` numbers the series of the shard."""
    chosen = [s for s in slots if s.monitor.rule is rule]
    rules = BreachRules()
    rules.add_slots([rule_of(s.monitor) for s in chosen])
    if rule is MonitorRule.MULTIVARIATE:
        return _compile_multivariate(chosen, rules, series_index)
    detector = STEP_DETECTORS[rule]()
    detector.add_slots([settings_of(s.monitor, s.sensors[0]) for s in chosen])
    owners = np.array([series_index[s.series_ids[0]] for s in chosen], dtype=np.int64)
    numbers = np.arange(len(chosen), dtype=np.int64)
    return Bank(rule, detector, rules, list(chosen), _layers_of(owners, numbers, len(series_index)), owners)


def _compile_multivariate(chosen: Sequence[MonitorSlot], rules: BreachRules, series_index: Mapping[int, int]) -> Bank:
    width = max((len(s.sensors) for s in chosen), default=1)
    detector = MultivariateDetector(width)
    detector.add_units([[settings_of(s.monitor, sensor) for sensor in s.sensors] for s in chosen])
    pairs = [
        (series_index[series_id], unit * width + channel)
        for unit, s in enumerate(chosen)
        for channel, series_id in enumerate(s.series_ids)
    ]
    owners = np.array([p[0] for p in pairs], dtype=np.int64)
    numbers = np.array([p[1] for p in pairs], dtype=np.int64)
    first = np.array([series_index[s.series_ids[0]] for s in chosen], dtype=np.int64)
    layers = _layers_of(owners, numbers, len(series_index))
    return Bank(MonitorRule.MULTIVARIATE, detector, rules, list(chosen), layers, first)


def _layers_of(owners: Ints, numbers: Ints, series_count: int) -> list[Ints]:
    layers: list[Ints] = []
    while owners.shape[0]:
        layer = np.full(series_count, -1, dtype=np.int64)
        # Of several slots of one series the first written last stays: written backwards, that is the first one.
        layer[owners[::-1]] = numbers[::-1]
        layers.append(layer)
        rest = layer[owners] != numbers
        owners, numbers = owners[rest], numbers[rest]
    return layers
