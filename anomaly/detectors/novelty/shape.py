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

from anomaly.detectors.contract import Bools, Ints, Singles, SlotArrays, StateField
from anomaly.detectors.step_slots import StepSlots, find_common

LENGTH = 8
TERMS = 4
SHAPES = 8
FAR = np.float32(1.5 * 256.0)  # 1.5 spreads, summed over the terms: beyond it a shape is a new one
PULL = np.float32(0.05)
FORGET = np.float32(0.9995)
UNIT = np.float32(256.0)
MOST = np.float32(32_000.0)
ZERO, QUARTER, HALF, ONE = (np.float32(x) for x in (0.0, 0.25, 0.5, 1.0))
ONE_MORE = np.uint8(1)
LAST = np.uint8(LENGTH - 1)


class ShapeMemory(SlotArrays):
    """The known shapes of every slot, and its last eight readings."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("recent", np.float32, width=LENGTH),
        StateField("place", np.uint8),  # of the last reading in `recent`
        StateField("filled", np.uint8),
        StateField("known", np.int16, width=TERMS * SHAPES),  # in 1/256 of a spread
        StateField("met", np.float32, width=SHAPES),
    )
    recent: Singles
    place: NDArray[np.uint8]
    filled: NDArray[np.uint8]
    known: NDArray[np.int16]
    met: Singles

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no shape yet."""
        return self._grow(count)

    def note(self, slots: StepSlots, value: Singles, broken: Bools | None) -> None:
        """Adds a reading; what lies before a gap (`broken`, None: nowhere) is not part of any shape."""
        filled = np.minimum(self.filled[slots.at] + ONE_MORE, np.uint8(LENGTH))
        if broken is not None:
            filled[broken] = 1
        self.filled[slots.at] = filled
        place = (self.place[slots.at] + ONE_MORE) & LAST
        self.place[slots.at] = place
        common = find_common(place)
        self.recent[slots.find_places(LENGTH, place if common is None else common)] = value

    def find_surprise(self, slot: Ints, spread: Singles, learn: Bools | None) -> tuple[Singles, Bools | None]:
        """The distance to the nearest known shape in spreads, and whether eight readings in a row are at hand.

        None instead of a truth: everywhere.
        """
        slots = StepSlots(slot)
        terms = self._find_terms(slots, UNIT / spread)
        shapes = slots.take_rows(self.known, TERMS * SHAPES).T.astype(np.float32, order="C")
        met = slots.take_rows(self.met, SHAPES).T.copy()
        distance = np.abs(shapes[:SHAPES] - terms[0])
        for j in range(1, TERMS):
            apart = shapes[j * SHAPES : (j + 1) * SHAPES] - terms[j]
            distance += np.abs(apart, out=apart)
        np.putmask(distance, met == 0.0, np.inf)
        least, nearest = _find_least(distance)
        whole = self.filled[slots.at] >= LENGTH
        speaks = whole & (least < np.inf)
        may = whole if learn is None else whole & learn
        if not may.all():
            rows = np.flatnonzero(may)
            slots, met, least_of, nearest = StepSlots(slot[rows]), met[:, rows], least[rows], nearest[rows]
            terms = [term[rows] for term in terms]
        else:
            least_of = least
        if slots.number.shape[0]:
            self._learn(slots, met, least_of > FAR, nearest, terms)
        if speaks.all():
            return least / UNIT, None
        return np.where(speaks, least / UNIT, ZERO), speaks

    def _learn(
        self, slots: StepSlots, met: Singles, is_new: Bools, place: NDArray[np.uint8], terms: Sequence[Singles]
    ) -> None:
        news = np.flatnonzero(is_new)
        if news.shape[0]:
            place[news] = _find_least(met[:, news])[1]
        known = slots.number * (TERMS * SHAPES) + place
        for j, term in enumerate(terms):
            old = self.known[known].astype(np.float32)
            pulled = old + PULL * (term - old)
            pulled[news] = term[news]
            self.known[known] = np.rint(pulled, out=pulled).astype(np.int16)
            if j + 1 < TERMS:
                known += SHAPES
        met *= FORGET
        kept = np.ascontiguousarray(met.T)
        flat = kept.reshape(-1)
        at = np.arange(0, flat.shape[0], SHAPES) + place
        one = flat[at] + ONE
        one[news] = 1.0
        flat[at] = one
        self.met.reshape(-1, SHAPES)[slots.at] = kept

    def _find_terms(self, slots: StepSlots, scale: Singles) -> list[Singles]:
        """The Haar transform of the last eight readings: their mean, and differences nearer and nearer the end."""
        recent = slots.take_rows(self.recent, LENGTH).T
        place = self.place[slots.at]
        common = find_common(place)
        if common is not None:
            ordered = [recent[(common + 1 + k) % LENGTH] for k in range(LENGTH)]
        else:
            at = np.arange(0, place.shape[0] * LENGTH, LENGTH)
            flat = recent.T.reshape(-1)
            ordered = [flat[at + ((place + np.uint8(1 + k)) & LAST)] for k in range(LENGTH)]
        early = ordered[0] + ordered[1]
        early += ordered[2]
        early += ordered[3]
        early *= QUARTER
        third, last = (ordered[4] + ordered[5]) * HALF, (ordered[6] + ordered[7]) * HALF
        late = (third + last) * HALF
        terms: list[Singles] = [(early + late) * HALF, late - early, last - third, ordered[7] - ordered[6]]
        for term in terms:
            term *= scale
            np.maximum(term, -MOST, out=term)
            np.minimum(term, MOST, out=term)
        return terms


def _find_least(rows: Singles) -> tuple[Singles, NDArray[np.uint8]]:
    """The least of each column, and the first row that has it: the order of comparison decides nothing."""
    least = rows[0].copy()
    place = np.zeros(least.shape[0], dtype=np.uint8)
    for k in range(1, rows.shape[0]):
        # Where it is less, this row's number, which is larger than all before it.
        np.maximum(place, (rows[k] < least) * np.uint8(k), out=place)
        np.minimum(least, rows[k], out=least)
    return least, place
