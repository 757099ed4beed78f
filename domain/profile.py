"""A device-model profile: sensors, units, thresholds, monitors and ticket policy of one device model, as data.

Parsed from YAML by `domain.profile_file`; versioned and stored by `store.profiles`. Everything a program knows about
a device kind comes from here.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.breach import BreachKind, Severity


class Direction(StrEnum):
    """On which side of a limit or of the expected band lies the trouble."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


class MonitorRule(StrEnum):
    """How a monitor turns readings into a score. Each has one detector or rule in `anomaly`."""

    LIMIT = "limit"  # raise / clear limits on the value itself
    RATE_OF_CHANGE = "rate_of_change"  # raise / clear limits on the change per second
    FLAT_LINE = "flat_line"  # value unchanged within `tolerance` for `window_s`
    STALENESS = "staleness"  # no reading for `window_s`, receiver's time
    ADAPTIVE = "adaptive"  # robust deviations from the series' own past, no training
    MULTIVARIATE = "multivariate"  # distance of several sensors from their joint healthy history
    NOVELTY = "novelty"  # what this series never did at this time of its day or week, in this order or in this shape
    FORECAST = "forecast"  # the trend reaches a limit sooner than `lead_time_s`
    DEVICE_CODE = "device_code"  # the device's own alarm
    OFFLINE = "offline"  # will or status says offline, for longer than `duration_s`


@dataclass(frozen=True, slots=True)
class Text:
    """A name in both languages of the console."""

    en: str
    zh: str


class Retention(StrEnum):
    """How long raw readings of a sensor stay; the installation's settings say how many days each class means."""

    SHORT = "short"
    STANDARD = "standard"
    LONG = "long"


@dataclass(frozen=True, slots=True)
class SensorState:
    """A text that devices send in place of a number, and the number that is stored for it."""

    text: str
    value: float


@dataclass(frozen=True, slots=True)
class Sensor:
    """One signal. Readings outside [physical_min, physical_max] are rejected, never scored."""

    key: str  # as in the payload, e.g. "motor_current"
    label: Text
    unit: str  # UCUM
    decimals: int
    physical_min: float
    physical_max: float
    diagnostic: bool = False  # shown lower on the device page
    interval_s: float | None = None  # how often a running device reports it; None: nothing can be said to be missing
    retention: Retention = Retention.STANDARD
    states: tuple[SensorState, ...] = ()


@dataclass(frozen=True, slots=True)
class Monitor:
    """One rule on one sensor (several for MULTIVARIATE, none for DEVICE_CODE and OFFLINE).

    `raise_at` and `clear_at` are in the sensor's unit (LIMIT, FORECAST: the limit itself), unit/s (RATE_OF_CHANGE),
    robust deviations (ADAPTIVE), multiples of the warm-up maximum (MULTIVARIATE) or -log10 of the probability of so
    strange a reading (NOVELTY). For direction LOW, raise_at < clear_at.
    N of M: at least `n` of the last `m` readings beyond `raise_at`. `duration_s` is event time.
    """

    key: str
    rule: MonitorRule
    kind: BreachKind
    severity: Severity
    fault_group: str
    sensors: tuple[str, ...] = ()
    direction: Direction = Direction.HIGH
    raise_at: float | None = None
    clear_at: float | None = None
    critical_at: float | None = None  # beyond it the breach escalates to CRITICAL
    n: int = 1
    m: int = 1
    duration_s: float = 0.0
    clear_duration_s: float = 0.0
    window_s: float | None = None  # STALENESS, FLAT_LINE; FORECAST: the history that the trend is taken from
    tolerance: float = 0.0  # FLAT_LINE
    warmup: int = 0  # readings before ADAPTIVE, MULTIVARIATE and NOVELTY speak
    lead_time_s: float | None = None  # FORECAST: how long before the limit service must know
    codes: tuple[str, ...] = ()  # DEVICE_CODE; empty: every code at or above `severity`
    suspected_part: Text | None = None
    action: Text | None = None
    consequence: Text | None = None


@dataclass(frozen=True, slots=True)
class TicketPolicy:
    """The ticket rules of service.md with their defaults; every number may differ by device model."""

    minor_episodes: int = 3  # rule 3: the third MINOR episode ...
    minor_window_h: float = 24.0  # ... in this window opens
    late_after_min: float = 15.0  # rule 1: older readings open something only if it is still true
    quiet_h: float = 2.0  # rule 6: quiet period that makes an order ready to verify
    reopen_days: float = 14.0  # rule 7
    false_alarms_flag_monitor: int = 3  # rule 7
    vain_per_1000_days: float = 1.0  # tickets in vain that one monitor may cause per 1,000 device-days
    maintenance_timeout_h: float = 8.0  # rule 5
    gateway_devices: int = 3  # rule 8: devices offline behind one gateway
    storm_devices: int = 5  # rule 8: devices of one site ...
    storm_window_min: float = 10.0  # ... breaching within this window
    capa_window_days: float = 30.0  # rule 9
    capa_devices: int = 3
    capa_customers: int = 2
    capa_p_value: float = 0.01
    capa_ineffective_days: float = 180.0
    response_h: tuple[float, float, float, float] = (1.0, 4.0, 24.0, 72.0)  # SLA response, P1..P4
    resolution_h: tuple[float, float, float, float] = (8.0, 24.0, 120.0, 336.0)


@dataclass(frozen=True, slots=True)
class IngestPolicy:
    """What one device may send: a token bucket of its own, so that one that loops harms no other."""

    max_messages_s: float = 200.0  # sustained
    burst_messages: int = 12_000  # at once, after a quiet time


@dataclass(frozen=True, slots=True)
class DataQualityPolicy:
    """Over which share of a device's day a data-quality alert is raised (service.md rule 11)."""

    max_missing: float = 0.2
    max_duplicate: float = 0.05
    max_inconsistent: float = 0.01
    max_implausible: float = 0.01
    max_skew_s: float = 60.0


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """What breaches of several monitors have in common: one work order, one suspected part."""

    key: str
    label: Text
    suspected_part: Text
    action: Text
    consequence: Text


@dataclass(frozen=True, slots=True)
class Profile:
    """All that is data about a device model, at one version."""

    model: str  # key, e.g. "INF-200"
    version: int
    manufacturer: str
    name: Text
    udi_di: str
    safety_critical: bool
    sensors: tuple[Sensor, ...]
    fault_groups: tuple[FaultGroup, ...]
    monitors: tuple[Monitor, ...]
    tickets: TicketPolicy = field(default_factory=TicketPolicy)
    ingest: IngestPolicy = field(default_factory=IngestPolicy)
    data_quality: DataQualityPolicy = field(default_factory=DataQualityPolicy)

    def find_sensor(self, key: str) -> Sensor | None:
        """The sensor of that key, or None."""
        return next((s for s in self.sensors if s.key == key), None)

    def find_monitor(self, key: str) -> Monitor | None:
        """The monitor of that key, or None."""
        return next((m for m in self.monitors if m.key == key), None)

    def find_fault_group(self, key: str) -> FaultGroup | None:
        """The fault group of that key, or None."""
        return next((g for g in self.fault_groups if g.key == key), None)
