"""The simulated fleet's plan as data: its devices, what goes wrong with each and when, and what is no fault.

A benchmark of its own may `replace` faults, releases or nuisances of a plan and run the rest unchanged.
"""

from dataclasses import dataclass
from enum import StrEnum

from domain.installed_base import InstalledDevice
from simulators.device_kind import DeviceKind
from simulators.faults import Fault
from simulators.fleet_plan import Rollout
from simulators.infusion_pump import InfusionPump
from simulators.ventilator import Ventilator

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR
BLOCK_US = 5 * MINUTE  # readings and what follows from them are taken in so much at a time
START_US = 1_772_409_600 * SECOND  # 2026-03-02 00:00 UTC
KINDS: tuple[DeviceKind, ...] = (InfusionPump(), Ventilator())


class Nuisance(StrEnum):
    """What happens on a healthy device for a while."""

    SELF_TEST = "self_test"  # every week, four minutes
    MAINTENANCE = "maintenance"  # calibration: announced, and the device under maintenance
    RESTART = "restart"  # silent for two minutes, then cold
    LOST = "lost"  # readings of some minutes are lost
    BUFFERED = "buffered"  # ... are sent afterwards, in order
    LATE = "late"  # ... are sent after newer ones
    OUTAGE = "outage"  # the gateway is away, and says so


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How large and how long; seconds of sampling are documented in docs/benchmarks.md."""

    devices: int = 500
    days: float = 90.0
    seed: int = 1
    new_share: float = 0.1  # installed later than the rest
    start_us: int = START_US


@dataclass(frozen=True, slots=True)
class Unit:
    """One device; its number is its place in `FleetPlan.units` and one less than its id."""

    number: int
    device: InstalledDevice
    site: int
    gateway: int | None
    customer: int
    begins_us: int  # when it is installed
    skew_us: int  # its clock is off by so much

    @property
    def id(self) -> int:
        """The device's id as scoring and ticket rules know it."""
        return self.number + 1


@dataclass(frozen=True, slots=True)
class ClockError:
    """The device's clock is wrong by `offset_us` from `since_us` to `until_us`."""

    unit: int
    since_us: int
    until_us: int
    offset_us: int


@dataclass(frozen=True, slots=True)
class Episode:
    """One nuisance on one device."""

    unit: int
    kind: Nuisance
    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class SensorSwap:
    """A sensor was replaced: from then on it shows `gain` times its value plus `offset`."""

    unit: int
    sensor: str
    at_us: int
    gain: float
    offset: float


@dataclass(frozen=True, slots=True)
class GatewayOutage:
    """All devices behind a gateway are away."""

    gateway: int
    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What will happen. Faults name devices by serial, all else by number."""

    settings: WorldSettings
    units: tuple[Unit, ...]
    faults: tuple[Fault, ...]
    clock_errors: tuple[ClockError, ...]
    episodes: tuple[Episode, ...]
    outages: tuple[GatewayOutage, ...]
    swaps: tuple[SensorSwap, ...]
    rollouts: tuple[Rollout, ...]
    heat: tuple[int, int, float]  # heat wave: since, until, degrees at its height

    @property
    def end_us(self) -> int:
        """The end of the simulated time."""
        return self.settings.start_us + round(self.settings.days * DAY)

    @property
    def device_days(self) -> float:
        """Days for which devices were in use, of all devices."""
        return sum(max(self.end_us - unit.begins_us, 0) for unit in self.units) / DAY


def kind_of(model: str) -> DeviceKind:
    """The device kind of a model."""
    return next(kind for kind in KINDS if kind.model == model)
