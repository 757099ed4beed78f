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
    Singles,
    SlotSettings,
    StateField,
    StepDetector,
    orient,
    sign_of,
)
from anomaly.detectors.step_slots import StepSlots, find_rows
from domain.profile import MonitorRule

BELOW_ONE = float(np.nextafter(1.0, 0.0))


class LimitDetector(StepDetector):
    """The score is the value itself, in the sensor's unit, seen from the side of the limit."""

    RULE = MonitorRule.LIMIT
    FIELDS: ClassVar[tuple[StateField, ...]] = (StateField("sign", np.float32, kept=False),)
    sign: Singles

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.sign[slots] = [sign_of(s.direction) for s in settings]
        return slots

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        return orient(value, self.sign[StepSlots(slot).at].astype(np.float64))


class RateOfChangeDetector(StepDetector):
    """The score is the change per second since the previous reading; silent at the first one and after a gap.

    A gap is longer than `window_s` (default ten minutes): the mean slope over it says nothing about a sudden change.
    """

    RULE = MonitorRule.RATE_OF_CHANGE
    DEFAULT_WINDOW_S = 600.0
    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("sign", np.float32, kept=False),
        StateField("window", np.float64, kept=False),
        StateField("last_value", np.float64),
        StateField("last_us", np.int64, fill=int(NEVER)),
    )
    sign: Singles
    window: Floats
    last_value: Floats
    last_us: Ints

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.sign[slots] = [sign_of(s.direction) for s in settings]
        self.window[slots] = [s.window_s or self.DEFAULT_WINDOW_S for s in settings]
        return slots

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        at = StepSlots(slot).at
        elapsed = find_elapsed(observed_us, self.last_us[at])
        usable = elapsed > 0.0
        usable &= elapsed <= self.window[at]
        change = value - self.last_value[at]
        silent = find_rows(~usable)
        change[silent], elapsed[silent] = 0.0, 1.0
        self.last_value[at], self.last_us[at] = value, observed_us
        rate = orient(change / elapsed, self.sign[at].astype(np.float64))
        rate[silent] = np.nan
        return rate


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
        StateField("alike", np.int8),  # readings in the line, at most LEAST_READINGS
    )
    window: Floats
    tolerance: Floats
    anchor: Floats
    anchor_us: Ints
    last_us: Ints
    alike: NDArray[np.int8]

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.window[slots] = [s.window_s or self.DEFAULT_WINDOW_S for s in settings]
        self.tolerance[slots] = [s.tolerance for s in settings]
        return slots

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        at = StepSlots(slot).at
        window, anchor, last_us = self.window[at], self.anchor[at], self.last_us[at]
        same = np.abs(value - anchor) <= self.tolerance[at]
        same &= find_elapsed(observed_us, last_us) <= window
        same[find_rows(last_us == NEVER)] = False
        begun_us = np.where(same, self.anchor_us[at], observed_us)
        alike = np.minimum(self.alike[at], np.int8(self.LEAST_READINGS - 1))
        alike *= same
        alike += np.int8(1)
        self.anchor[at] = np.where(same, anchor, value)
        self.anchor_us[at], self.last_us[at], self.alike[at] = begun_us, observed_us, alike
        score: Floats = (observed_us - begun_us) * MICROS / window
        score[find_rows((score >= 1.0) & (alike < self.LEAST_READINGS))] = BELOW_ONE
        return score


def find_elapsed(observed_us: Ints, last_us: Ints) -> Floats:
    """Seconds since the last reading, 0 where there was none."""
    elapsed = observed_us - last_us
    elapsed[find_rows(last_us == NEVER)] = 0
    return elapsed.astype(np.float64) * MICROS
