"""Detectors that follow from the physics, not from history: the value itself, its rate of change, a flat line."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import (
    MICROS,
    NEVER,
    Bools,
    Floats,
    Ints,
    SlotSettings,
    StateField,
    StepDetector,
    orient,
    sign_of,
)
from domain.profile import MonitorRule

BELOW_ONE = float(np.nextafter(1.0, 0.0))


class LimitDetector(StepDetector):
    """The score is the value itself, in the sensor's unit, seen from the side of the limit."""

    RULE = MonitorRule.LIMIT
    FIELDS: ClassVar[tuple[StateField, ...]] = (StateField("sign", np.float64, kept=False),)
    sign: Floats

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.sign[slots] = [sign_of(s.direction) for s in settings]
        return slots

    def step(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        """See `StepDetector.step`."""
        finite = np.isfinite(value)
        return np.where(finite, orient(np.where(finite, value, 0.0), self.sign[slot]), np.nan)


class RateOfChangeDetector(StepDetector):
    """The score is the change per second since the previous reading; silent at the first one and after a gap.

    A gap is longer than `window_s` (default ten minutes): the mean slope over it says nothing about a sudden change.
    """

    RULE = MonitorRule.RATE_OF_CHANGE
    DEFAULT_WINDOW_S = 600.0
    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("sign", np.float64, kept=False),
        StateField("window", np.float64, kept=False),
        StateField("last_value", np.float64),
        StateField("last_us", np.int64, fill=int(NEVER)),
    )
    sign: Floats
    window: Floats
    last_value: Floats
    last_us: Ints

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.sign[slots] = [sign_of(s.direction) for s in settings]
        self.window[slots] = [s.window_s or self.DEFAULT_WINDOW_S for s in settings]
        return slots

    def step(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        """See `StepDetector.step`."""
        last_us = self.last_us[slot]
        known = last_us != NEVER
        elapsed = np.where(known, observed_us - np.where(known, last_us, observed_us), 0) * MICROS
        finite = np.isfinite(value)
        usable = finite & (elapsed > 0.0) & (elapsed <= self.window[slot])
        change = np.where(usable, value - self.last_value[slot], 0.0)
        rate = change / np.where(usable, elapsed, 1.0)
        self.last_value[slot[finite]] = value[finite]
        self.last_us[slot[finite]] = observed_us[finite]
        return np.where(usable, orient(rate, self.sign[slot]), np.nan)


class FlatLineDetector(StepDetector):
    """The score is the time for which the value has stayed within `tolerance`, as a multiple of `window_s`.

    A gap of more than a window breaks the line: nobody knows what the value did in it. Fewer than `LEAST_READINGS`
    alike are no line: two readings a window apart are equal by chance now and then. Until then the score is below 1.
    """

    RULE = MonitorRule.FLAT_LINE
    VERSION = 2
    LEAST_READINGS = 8
    DEFAULT_WINDOW_S = 600.0
    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("window", np.float64, kept=False),
        StateField("tolerance", np.float64, kept=False),
        StateField("anchor", np.float64),
        StateField("anchor_us", np.int64, fill=int(NEVER)),
        StateField("last_us", np.int64, fill=int(NEVER)),
        StateField("alike", np.int32),  # readings in the line, at most LEAST_READINGS
    )
    window: Floats
    tolerance: Floats
    anchor: Floats
    anchor_us: Ints
    last_us: Ints
    alike: NDArray[np.int32]

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.window[slots] = [s.window_s or self.DEFAULT_WINDOW_S for s in settings]
        self.tolerance[slots] = [s.tolerance for s in settings]
        return slots

    def step(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        """See `StepDetector.step`."""
        finite = np.isfinite(value)
        last_us, window = self.last_us[slot], self.window[slot]
        known = last_us != NEVER
        gap = np.where(known, observed_us - np.where(known, last_us, observed_us), 0) * MICROS
        same = known & finite & (gap <= window) & (np.abs(value - self.anchor[slot]) <= self.tolerance[slot])
        fresh = finite & ~same
        self.anchor[slot[fresh]] = value[fresh]
        self.anchor_us[slot[fresh]] = observed_us[fresh]
        self.last_us[slot[finite]] = observed_us[finite]
        held = np.where(same, observed_us - np.where(same, self.anchor_us[slot], observed_us), 0) * MICROS
        alike = np.where(
            same, np.minimum(self.alike[slot] + 1, self.LEAST_READINGS), np.where(fresh, 1, self.alike[slot])
        )
        self.alike[slot] = alike
        score = held / window
        score = np.where(alike >= self.LEAST_READINGS, score, np.minimum(score, BELOW_ONE))
        return np.where(finite, score, np.nan)
