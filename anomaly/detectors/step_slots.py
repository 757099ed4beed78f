"""The slots of one step, so that what lies side by side in memory is read and written as it lies."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, Singles

Row = TypeVar("Row", bound=np.generic)
Chosen = Ints | slice  # places of an array
FARTHEST = 1e36  # beyond it the arithmetic on a difference might overflow in single precision
NOWHERE: Ints = np.empty(0, dtype=np.int64)


class StepSlots:
    """Slots that are each in a step once: their numbers, and where their state is.

    `at` is a slice where each slot follows the one before. What is read by a slice is a view, which changes when the
    state is written: whoever reads by `at` uses what was read before writing, and not afterwards.
    """

    __slots__ = ("at", "number")

    def __init__(self, number: Ints) -> None:
        self.number = number
        self.at: Chosen = number
        count = number.shape[0]
        if count and number[-1] - number[0] == count - 1 and bool((number[1:] > number[:-1]).all()):
            self.at = slice(int(number[0]), int(number[-1]) + 1)

    def find_places(self, width: int, column: int | NDArray[np.integer[Any]]) -> Chosen:
        """The places of one of `width` numbers per slot: the same one of all, or of each slot its own."""
        if isinstance(self.at, slice) and isinstance(column, int):
            return slice(self.at.start * width + column, self.at.stop * width, width)
        return self.number * width + column

    def find_places_across(self, size: int, column: int | Ints) -> Chosen:
        """The same in a field that `is_across`, of `size` slots."""
        if isinstance(self.at, slice) and isinstance(column, int):
            return slice(column * size + self.at.start, column * size + self.at.stop)
        return column * size + self.number

    def take_rows(self, array: NDArray[Row], width: int) -> NDArray[Row]:
        """All of `width` numbers of each slot, one row per slot."""
        rows = array.reshape(-1, width)
        return rows[self.at] if isinstance(self.at, slice) else np.take(rows, self.number, axis=0)


def find_common(values: NDArray[np.integer[Any]]) -> int | None:
    """The value that all of them are; None where they differ, or there is none."""
    if values.shape[0] == 0:
        return None
    first = int(values[0])
    return first if bool((values == first).all()) else None


def find_rows(truth: Bools) -> Ints:
    """Where it is true; at little cost where it hardly ever is."""
    return np.flatnonzero(truth) if truth.any() else NOWHERE


def find_differences(value: Floats, anchor: Floats) -> Singles:
    """The differences of readings from a level, bounded so that no arithmetic in single precision overflows."""
    difference = value - anchor
    if not -FARTHEST <= difference.min() <= difference.max() <= FARTHEST:
        difference = np.minimum(np.maximum(difference, -FARTHEST), FARTHEST)
    return difference.astype(np.float32)
