"""What every detector is: the state of all its slots as arrays, learnt and scored in one vectorised step.

A slot is one monitor on one series (for a multivariate detector: one sensor of one unit). Higher scores are more
abnormal. The same readings in any split into blocks give the same scores, bit for bit: detectors therefore use only
elementwise arithmetic and square roots on the hot path, never sums over an axis, exponentials or matrix products,
whose last bit may depend on the length of the array.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.ranking import iterate_steps
from domain.profile import Direction, MonitorRule

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MICROS = 1e-6
NEVER = np.int64(np.iinfo(np.int64).min)  # "no such instant yet" in arrays of microseconds


@dataclass(frozen=True, slots=True)
class SlotSettings:
    """What a detector must know of one slot; times in seconds, `resolution` in the sensor's unit (> 0)."""

    direction: Direction = Direction.HIGH
    resolution: float = 1e-9
    warmup: int = 0
    window_s: float | None = None
    tolerance: float = 0.0
    hold_s: float = 0.0  # the monitor's duration: no new baseline is accepted sooner than a breach could be raised
    limit: float = math.inf  # FORECAST: what the trend may reach, in the sensor's unit ...
    lead_s: float = 0.0  # ... and how long before


@dataclass(frozen=True, slots=True)
class StateField:
    """One array of a detector's state: `width` numbers per slot."""

    name: str
    dtype: type
    fill: float | int | bool = 0
    width: int = 1
    kept: bool = True  # part of a check-point; settings are not
    is_across: bool = False  # column after column: for what takes one number of each slot at a time


class SlotArrays:
    """Arrays that grow together, one entry (or `width` entries) per slot, declared in `FIELDS`."""

    FIELDS: ClassVar[tuple[StateField, ...]] = ()

    def __init__(self, fields: tuple[StateField, ...] | None = None) -> None:
        self.size = 0
        self.fields = self.FIELDS if fields is None else fields
        for field in self.fields:
            setattr(self, field.name, np.empty(0, dtype=field.dtype))

    def _grow(self, count: int) -> Ints:
        """Adds `count` slots in their initial state and returns their numbers."""
        first, self.size = self.size, self.size + count
        for field in self.fields:
            old = getattr(self, field.name)
            added: NDArray[Any] = np.full(count * field.width, field.fill, dtype=field.dtype)
            if field.is_across:
                both = np.hstack((old.reshape(field.width, -1), added.reshape(field.width, -1)))
                setattr(self, field.name, both.reshape(-1))
            else:
                setattr(self, field.name, np.concatenate((old, added)))
        return np.arange(first, self.size, dtype=np.int64)

    def find_table(self, field: StateField) -> NDArray[Any]:
        """A field as a table that writes through: one row per slot, `width` columns."""
        array: NDArray[Any] = getattr(self, field.name)
        return array.reshape(field.width, -1).T if field.is_across else array.reshape(-1, field.width)

    def reset(self, slot: Ints) -> None:
        """Puts the kept state of these slots back to its start."""
        for field in self.fields:
            if field.kept:
                self.find_table(field)[slot] = field.fill

    def state_to_arrays(self) -> dict[str, NDArray[Any]]:
        """The kept state as plain arrays, slot after slot; `adopt_arrays` of an equal detector makes it go on bit for
        bit."""
        return {field.name: self.find_table(field).flatten() for field in self.fields if field.kept}

    def adopt_arrays(self, arrays: Mapping[str, NDArray[Any]], source: Ints, target: Ints) -> None:
        """Copies the state of slots `source` in `arrays` to the own slots `target`.

        Raises
        ------
        KeyError
            A field is missing: the arrays are of another version of this detector.
        """
        for field in self.fields:
            if field.kept:
                old = arrays[field.name].reshape(-1, field.width)
                self.find_table(field)[target] = old[source]

    @property
    def bytes_per_slot(self) -> int:
        """Memory of one slot, settings included."""
        return sum(np.dtype(field.dtype).itemsize * field.width for field in self.fields)


class Detector(SlotArrays, ABC):
    """Scores readings and learns from them."""

    RULE: ClassVar[MonitorRule]
    VERSION: ClassVar[int] = 1
    LEARNS: ClassVar[bool] = False  # a learning detector is told where to freeze and when to relearn

    @abstractmethod
    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """Adds slots in their initial state and returns their numbers."""

    @abstractmethod
    def score_block(self, slot: Ints, observed_us: Ints, value: Floats) -> Floats:
        """One score per reading, each from the readings before it and itself alone; NaN where it is silent.

        Parameters
        ----------
        slot, observed_us, value
            Shape (n,), in order of arrival; the readings of one slot in order of time. A value that is not finite is
            never learnt and its score is NaN.
        """

    def relearn(self, slot: Ints) -> None:
        """Starts a new baseline for these slots, because what is normal may have changed (new firmware)."""

    def begin_anew(self, slot: Ints) -> None:
        """Work was done on these slots: level and season are learnt anew, how much the signal scatters is kept.

        What was learnt of the level before belongs to the part that was worn, or to a fault.
        """
        self.relearn(slot)


class StepDetector(Detector):
    """A detector whose slots know nothing of one another, so that a step over many slots is one vector operation."""

    def step(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        """Scores at most one reading of each slot and learns from it, except where `frozen`; one that is no finite
        number is not looked at, its score is NaN."""
        finite = np.isfinite(value)
        if finite.all() and slot.shape[0]:
            return self._step_finite(slot, observed_us, value, frozen)
        score = np.full(slot.shape[0], np.nan)
        if finite.any():
            held = None if frozen is None else frozen[finite]
            score[finite] = self._step_finite(slot[finite], observed_us[finite], value[finite], held)
        return score

    @abstractmethod
    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        """The same of one finite reading or more."""

    def score_block(self, slot: Ints, observed_us: Ints, value: Floats) -> Floats:
        """See `Detector.score_block`."""
        score = np.full(slot.shape[0], np.nan)
        for rows in iterate_steps(slot):
            score[rows] = self.step(slot[rows], observed_us[rows], value[rows])
        return score


def orient(score: Floats, sign: Floats) -> Floats:
    """The finite score seen from the side where the trouble lies: sign +1 high, -1 low, 0 both."""
    seen: Floats = score * sign
    both = sign == 0.0
    if both.any():
        seen = np.where(both, np.abs(score), seen)
    return seen


def sign_of(direction: Direction) -> float:
    """+1 high, -1 low, 0 both: the number that `orient` takes."""
    return {Direction.HIGH: 1.0, Direction.LOW: -1.0, Direction.BOTH: 0.0}[direction]
