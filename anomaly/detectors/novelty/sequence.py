"""What follows what: a Markov model over eight bins of the level, backing off to how common a bin is at all."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Ints, Singles, SlotArrays, StateField
from anomaly.detectors.step_slots import StepSlots

BINS = 8
EDGES = tuple(np.float32(edge) for edge in (-3.0, -1.5, -0.5, 0.5, 1.5, 3.0, 6.0))  # in spreads from the level
NOWHERE = -1
COUNT_MOST = 254
BACK_OFF = np.float32(2.0)  # readings that the shorter context counts for
UNSEEN = np.float32(0.5)  # readings that a bin never seen counts for


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

    def find_rarity(
        self, slots: StepSlots, deviation: Singles, broken: Bools | None, learn: Bools | None
    ) -> tuple[Singles, Bools | None]:
        """One over the probability of this bin after the last one, less one; and whether there was a last one.

        `deviation` is in spreads from the level; `broken` where a gap or a held reading lies before it, None: nowhere.
        None instead of `learn`, or of what is returned: everywhere.
        """
        now = (deviation > EDGES[0]).view(np.int8)
        for edge in EDGES[1:]:
            now += (deviation > edge).view(np.int8)
        before = self.bin[slots.at].astype(np.int64)
        knows = before != NOWHERE if broken is None else (before != NOWHERE) & ~broken
        speaks = None if knows.all() else knows
        if speaks is not None:
            before[~speaks] = 0
        start = slots.number * BINS
        end = start + now
        start += before
        at = start * BINS
        at += now
        seen, seen_to, seen_from = self.counts[at], self.to_total[end], self.from_total[start]
        total = self.total[slots.at]
        p_alone = seen_to.astype(np.float32)
        p_alone += UNSEEN
        p_alone *= BACK_OFF
        p_alone /= total.astype(np.float32) + UNSEEN * np.float32(BINS)
        met = seen_from.astype(np.float32)
        met += BACK_OFF
        p_alone += seen
        # One over the probability.
        met /= p_alone
        met -= np.float32(1.0)
        if speaks is not None:
            learn = speaks if learn is None else learn & speaks
        more: int | Bools = 1 if learn is None else learn
        seen += more
        seen_to += more
        seen_from += more
        self.counts[at], self.to_total[end], self.from_total[start] = seen, seen_to, seen_from
        self.total[slots.at] = total + more
        self.bin[slots.at] = now
        if seen.max(initial=0) > COUNT_MOST:
            self._halve(slots.number[(seen > COUNT_MOST) & (True if learn is None else learn)])
        return met, speaks

    def _halve(self, slot: Ints) -> None:
        """Forgets half of all counts, so that they fit and the last weeks weigh more than the first."""
        counts = self.counts.reshape(-1, BINS, BINS)
        halved = counts[slot] >> 1
        counts[slot] = halved
        self.from_total.reshape(-1, BINS)[slot] = halved.sum(axis=2, dtype=np.int64)
        self.to_total.reshape(-1, BINS)[slot] = halved.sum(axis=1, dtype=np.int64)
        self.total[slot] = halved.sum(axis=(1, 2), dtype=np.int64)
