"""Scores by the minute of event time: largest, mean and count per slot, given out when the next minute begins."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Floats, Ints, SlotArrays, StateField

MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class MinuteScores:
    """Finished minutes; all arrays have one length."""

    slot: Ints
    minute_us: Ints
    max_score: Floats
    mean_score: Floats
    n: Ints


class ScoreRollup(SlotArrays):
    """The unfinished minute of every slot. Part of the check-point, so that a replay gives out each minute once."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("minute", np.int64, fill=int(NEVER)),
        StateField("largest", np.float32),
        StateField("total", np.float64),
        StateField("n", np.int32),
    )
    minute: Ints
    largest: NDArray[np.float32]
    total: Floats
    n: NDArray[np.int32]

    def add_slots(self, count: int) -> None:
        """Adds slots without a minute."""
        self._grow(count)

    def add_scores(self, slot: Ints, at_us: Ints, score: Floats) -> MinuteScores | None:
        """Counts these scores, each slot at most once, and gives out the minutes that they ended; NaN is no score."""
        said = ~np.isnan(score)
        if not said.all():
            slot, at_us, score = slot[said], at_us[said], score[said]
        if slot.shape[0] == 0:
            return None
        minute = at_us // MINUTE_US
        old = self.minute[slot]
        # A clock that went back does not reopen a minute: it counts into the current one.
        newer = minute > old
        out = None
        if newer.any():
            out = self._give_out(slot[newer & (old != NEVER)])
            begun = slot[newer]
            self.minute[begun] = minute[newer]
            self.largest[begun], self.total[begun], self.n[begun] = -np.inf, 0.0, 0
        self.largest[slot] = np.maximum(self.largest[slot], score)
        self.total[slot] += score
        self.n[slot] += 1
        return out

    def _give_out(self, slot: Ints) -> MinuteScores | None:
        if slot.shape[0] == 0:
            return None
        n = self.n[slot].astype(np.int64)
        mean = self.total[slot] / n
        return MinuteScores(slot, self.minute[slot] * MINUTE_US, self.largest[slot].astype(np.float64), mean, n)
