"""What follows what: a Markov model over eight bins of the level, backing off to how common a bin is at all."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField

BINS = 8
EDGES = (-3.0, -1.5, -0.5, 0.5, 1.5, 3.0, 6.0)  # in spreads from the level
NOWHERE = -1
COUNT_MOST = 254
BACK_OFF = 2.0  # readings that the shorter context counts for
UNSEEN = 0.5  # readings that a bin never seen counts for


class SequenceModel(SlotArrays):
    """How often each bin followed each other one, per slot."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("counts", np.uint8, width=BINS * BINS),
        StateField("from_total", np.uint16, width=BINS),
        StateField("to_total", np.uint16, width=BINS),
        StateField("total", np.int32),
        StateField("bin", np.int8, fill=NOWHERE),
    )
    counts: NDArray[np.uint8]
    from_total: NDArray[np.uint16]
    to_total: NDArray[np.uint16]
    total: NDArray[np.int32]
    bin: NDArray[np.int8]

    def add_slots(self, count: int) -> Ints:
        """Adds slots that have seen no sequence yet."""
        return self._grow(count)

    def find_rarity(self, slot: Ints, deviation: Floats, broken: Bools, learn: Bools) -> tuple[Floats, Bools]:
        """One over the probability of this bin after the last one, less one; and whether there was a last one.

        `deviation` is in spreads from the level; `broken` where a gap or a held reading lies before it.
        """
        now = np.zeros(slot.shape[0], dtype=np.int64)
        for edge in EDGES:
            now += deviation > edge
        before = self.bin[slot].astype(np.int64)
        speaks = (before != NOWHERE) & ~broken
        start = slot * BINS + np.where(speaks, before, 0)
        end = slot * BINS + now
        at = start * BINS + now
        p_alone = (self.to_total[end] + UNSEEN) / (self.total[slot] + UNSEEN * BINS)
        p = (self.counts[at] + BACK_OFF * p_alone) / (self.from_total[start] + BACK_OFF)
        learn = learn & speaks
        self.counts[at] += learn
        self.from_total[start] += learn
        self.to_total[end] += learn
        self.total[slot] += learn
        self.bin[slot] = now
        full = (self.counts[at] > COUNT_MOST) & learn
        if full.any():
            self._halve(slot[full])
        return 1.0 / p - 1.0, speaks

    def _halve(self, slot: Ints) -> None:
        """Forgets half of all counts, so that they fit and the last weeks weigh more than the first."""
        counts = self.counts.reshape(-1, BINS, BINS)
        halved = counts[slot] >> 1
        counts[slot] = halved
        self.from_total.reshape(-1, BINS)[slot] = halved.sum(axis=2, dtype=np.int64)
        self.to_total.reshape(-1, BINS)[slot] = halved.sum(axis=1, dtype=np.int64)
        self.total[slot] = halved.sum(axis=(1, 2), dtype=np.int64)
