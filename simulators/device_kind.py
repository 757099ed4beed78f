"""What every simulated device kind offers: its sensors, its faults, and one vectorised step over all of its units."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domain.breach import Severity
from simulators.chance import FloatArray, SeedArray
from simulators.faults import FaultKind, Intensities

State = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class DeviceAlarm:
    """A code that the device itself reports when a sensor goes beyond a threshold."""

    code: str
    sensor: str
    above: bool
    threshold: float
    rearm: float  # reported again only after the value came back to here
    severity: Severity
    message: str


class DeviceKind(Protocol):
    """A kind of device; state is arrays of shape (units,), so that one step serves all units."""

    model: str
    sensors: tuple[str, ...]  # keys and order as in the profile
    decimals: tuple[int, ...]
    faults: dict[FaultKind, str]  # what can be injected -> the profile's fault group
    alarms: tuple[DeviceAlarm, ...]

    def start(self, seeds: SeedArray, t_s: float) -> State:
        """The state of units that have been running well for a long time."""
        ...

    def advance(
        self, seeds: SeedArray, state: State, t_s: float, dt_s: float | FloatArray, faults: Intensities
    ) -> tuple[State, FloatArray]:
        """The state at `t_s`, `dt_s` after `state`, and the readings of shape (sensors, units), not rounded.

        `dt_s` is one time for all units or one for each. A pure function: the same arguments give the same result.
        """
        ...


def lag(value: FloatArray, target: FloatArray, dt_s: float | FloatArray, tau_s: float | FloatArray) -> FloatArray:
    """The exact first-order approach of `value` to a `target` that is constant over `dt_s`; stable for any step."""
    kept = np.exp(-dt_s / np.asarray(tau_s))
    return target + (value - target) * kept


def find_daylight(t_s: float, utc_offset_h: float = 8.0) -> float:
    """-1 (at four in the morning) to 1 (at four in the afternoon), local time."""
    hour = (t_s / 3600.0 + utc_offset_h) % 24.0
    return math.sin(2.0 * math.pi * (hour - 10.0) / 24.0)
