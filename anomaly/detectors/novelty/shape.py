"""How far the last eight readings lie from the nearest shape that the series is known to draw.

The shape is a Haar transform of the eight readings (mean, and the differences of its halves, quarters and eighths at
the end), in spreads. Known shapes are at most twelve, learnt as they come: what is near one pulls it, what is far from
all takes the place of the one met least of late. It is the left-sided nearest neighbour of matrix profiles, with a
memory that is bounded.

Source: Zhu et al. 2016 (matrix profile); Carpenter and Grossberg 1988 (categories that are added where none fits).
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField

LENGTH = 8
TERMS = 4
SHAPES = 12
FAR = 1.5  # spreads, summed over the terms: beyond it a shape is a new one
PULL = 0.05
FORGET = 0.9995
MOST = 3e4  # what half precision holds


class ShapeMemory(SlotArrays):
    """The known shapes of every slot, and its last eight readings."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("recent", np.float32, width=LENGTH),
        StateField("filled", np.uint8),
        StateField("known", np.float16, width=SHAPES * TERMS),
        StateField("met", np.float32, width=SHAPES),
    )
    recent: NDArray[np.float32]
    filled: NDArray[np.uint8]
    known: NDArray[np.float16]
    met: NDArray[np.float32]

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no shape yet."""
        return self._grow(count)

    def find_surprise(
        self, slot: Ints, value: Floats, spread: Floats, broken: Bools, learn: Bools
    ) -> tuple[Floats, Bools]:
        """The distance to the nearest known shape in spreads, and whether eight readings in a row are at hand."""
        recent = self.recent.reshape(-1, LENGTH)
        tail = [recent[slot, k + 1].astype(np.float64) for k in range(LENGTH - 1)]
        tail.append(value)
        filled = np.where(broken, 1, np.minimum(self.filled[slot] + 1, LENGTH))
        for k in range(LENGTH):
            recent[slot, k] = tail[k]
        self.filled[slot] = filled
        early = (tail[0] + tail[1] + tail[2] + tail[3]) * 0.25
        third, last = (tail[4] + tail[5]) * 0.5, (tail[6] + tail[7]) * 0.5
        late = (third + last) * 0.5
        terms = [(early + late) * 0.5, late - early, last - third, tail[7] - tail[6]]
        terms = [np.minimum(np.maximum(term / spread, -MOST), MOST) for term in terms]

        known = self.known.reshape(-1, SHAPES, TERMS)
        met = self.met.reshape(-1, SHAPES)
        least = np.full(slot.shape[0], np.inf)
        seldom = np.full(slot.shape[0], np.inf)
        nearest = np.zeros(slot.shape[0], dtype=np.int64)
        oldest = np.zeros(slot.shape[0], dtype=np.int64)
        for k in range(SHAPES):
            used = met[slot, k].astype(np.float64)
            distance = np.zeros(slot.shape[0])
            for j in range(TERMS):
                distance += np.abs(known[slot, k, j] - terms[j])
            distance = np.where(used > 0.0, distance, np.inf)
            closer = distance < least
            least = np.where(closer, distance, least)
            nearest = np.where(closer, k, nearest)
            rarer = used < seldom
            seldom = np.where(rarer, used, seldom)
            oldest = np.where(rarer, k, oldest)
        whole = filled >= LENGTH
        speaks = whole & np.isfinite(least)
        is_new = least > FAR
        rows = np.flatnonzero(learn & whole)
        place = np.where(is_new, oldest, nearest)[rows]
        chosen, fresh = slot[rows], is_new[rows]
        for j in range(TERMS):
            old = known[chosen, place, j].astype(np.float64)
            known[chosen, place, j] = np.where(fresh, terms[j][rows], old + PULL * (terms[j][rows] - old))
        before = np.where(fresh, 0.0, met[chosen, place])
        for k in range(SHAPES):
            met[chosen, k] *= np.float32(FORGET)
        met[chosen, place] = before * FORGET + 1.0
        return np.where(speaks, least, 0.0), speaks
