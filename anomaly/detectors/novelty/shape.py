"""How far the last eight readings lie from the nearest shape that the series is known to draw.

The shape is a Haar transform of the eight readings (mean, and the differences of its halves, quarters and eighths at
the end), in spreads. Known shapes are at most eight, learnt as they come: what is near one pulls it, what is far from
all takes the place of the one met least of late. It is the left-sided nearest neighbour of matrix profiles, with a
memory that is bounded.

Source: Zhu et al. 2016 (matrix profile); Carpenter and Grossberg 1988 (categories that are added where none fits).
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField

LENGTH = 8
TERMS = 4
SHAPES = 8
FAR = np.float32(1.5 * 256.0)  # 1.5 spreads, summed over the terms: beyond it a shape is a new one
PULL = np.float32(0.05)
FORGET = np.float32(0.9995)
UNIT = np.float32(256.0)
MOST = np.float32(32_000.0)


class ShapeMemory(SlotArrays):
    """The known shapes of every slot, and its last eight readings."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("recent", np.float32, width=LENGTH),
        StateField("place", np.uint8),  # of the last reading in `recent`
        StateField("filled", np.uint8),
        StateField("known", np.int16, width=TERMS * SHAPES),  # in 1/256 of a spread
        StateField("met", np.float32, width=SHAPES),
    )
    recent: NDArray[np.float32]
    place: NDArray[np.uint8]
    filled: NDArray[np.uint8]
    known: NDArray[np.int16]
    met: NDArray[np.float32]

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no shape yet."""
        return self._grow(count)

    def note(self, slot: Ints, value: Floats, broken: Bools) -> None:
        """Adds a reading; what lies before a gap is not part of any shape."""
        filled = np.where(broken, 1, np.minimum(self.filled[slot] + 1, LENGTH))
        self.filled[slot] = filled
        place = (self.place[slot] + 1) % LENGTH
        self.place[slot] = place
        self.recent[slot * LENGTH + place] = value

    def find_surprise(self, slot: Ints, spread: Floats, learn: Bools) -> tuple[Floats, Bools]:
        """The distance to the nearest known shape in spreads, and whether eight readings in a row are at hand."""
        start, place = slot * LENGTH, self.place[slot].astype(np.int64)
        recent = [self.recent[start + (place + 1 + k) % LENGTH] for k in range(LENGTH)]
        terms = _find_terms(recent, (UNIT / spread).astype(np.float32))

        shapes = np.take(self.known.reshape(-1, TERMS * SHAPES), slot, axis=0).T.astype(np.float32, order="C")
        met = np.take(self.met.reshape(-1, SHAPES), slot, axis=0)
        distance = np.abs(shapes[:SHAPES] - terms[0])
        for j in range(1, TERMS):
            distance += np.abs(shapes[j * SHAPES : (j + 1) * SHAPES] - terms[j])
        distance[met.T == 0.0] = np.inf
        least = distance.min(axis=0)
        whole = self.filled[slot] >= LENGTH
        rows = np.flatnonzero(learn & whole)
        is_new = least[rows] > FAR
        # Of equally distant shapes, and of equally seldom ones, the first: the order of comparison decides nothing.
        place = np.where(is_new, met[rows].argmin(axis=1), distance.argmin(axis=0)[rows])
        chosen = slot[rows]
        for j in range(TERMS):
            at = chosen * (TERMS * SHAPES) + j * SHAPES + place
            old = self.known[at].astype(np.float32)
            self.known[at] = np.rint(np.where(is_new, terms[j][rows], old + PULL * (terms[j][rows] - old)))
        kept = met[rows] * FORGET
        row = np.arange(rows.shape[0])
        kept[row, place] = np.where(is_new, np.float32(1.0), kept[row, place] + np.float32(1.0))
        self.met.reshape(-1, SHAPES)[chosen] = kept
        speaks = whole & np.isfinite(least)
        return np.where(speaks, least / UNIT, 0.0).astype(np.float64), speaks


def _find_terms(recent: Sequence[NDArray[np.float32]], scale: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The Haar transform of eight readings, oldest first: mean, and differences nearer and nearer the end."""
    quarter = np.float32(0.25)
    half = np.float32(0.5)
    early = (recent[0] + recent[1] + recent[2] + recent[3]) * quarter
    third, last = (recent[4] + recent[5]) * half, (recent[6] + recent[7]) * half
    late = (third + last) * half
    terms = [(early + late) * half, late - early, last - third, recent[7] - recent[6]]
    return [np.minimum(np.maximum(term * scale, -MOST), MOST) for term in terms]
