"""From a surprise in any unit to -log10 of how rare it is on its own stream: peaks over a threshold, while streaming.

Per slot a threshold that one reading in 400 exceeds, followed by stochastic approximation, and the mean excess of those
that do. Below the threshold the logarithm grows in proportion to the surprise; beyond it an exponential tail with the
mean excess goes on. Surprises come as logarithms of sizes, so the tail of the sizes is a power: heavy, as the tails of
real sensors are. A series in which far readings are common has a far threshold, and they are no news.

Sources: Robbins and Monro 1951; Siffer et al. 2017 (peaks over a threshold on streams, here with an exponential tail).
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Ints, Singles, SlotArrays, StateField
from anomaly.detectors.step_slots import StepSlots

TAIL_P = np.float32(0.0025)
LOG10_TAIL = np.float32(2.602059991327962)  # -log10 TAIL_P
LN_10 = np.float32(2.302585092994046)
STEP = np.float32(0.3)  # of a mean surprise, times the gain below and the square root of the odds
GAIN_LEAST = np.float32(0.02)
SCALE_GAIN_LEAST = np.float32(0.002)
EXCESS_GAIN_LEAST = np.float32(0.05)
EXCESS_LEAST = np.float32(0.07)  # of the threshold: a tail of equal peaks is still no cliff
EXCESS_MOST = np.float32(20.0)  # mean excesses that one peak counts for
THRESHOLD_LEAST = np.float32(0.5)  # surprises of two thirds of a spread are none, however still the series was
BACK_SHARE = np.float32(0.5)
SETTLED = 64
JUDGED_MOST = np.uint16(60_000)
BEYOND_MOST = np.uint8(250)
TINY = np.float32(1e-9)
ONE = np.float32(1.0)
ONE_MORE = np.uint8(1)


class TailCalibration(SlotArrays):
    """The tail of one kind of surprise on every slot."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("threshold", np.float32),
        StateField("excess", np.float32),
        StateField("scale", np.float32),  # mean surprise
        StateField("judged", np.uint16),  # at most JUDGED_MOST
        StateField("beyond", np.uint8),  # at most BEYOND_MOST; how many stays there were beyond the threshold
        StateField("stay", np.uint8),  # readings since beyond the threshold, and not yet back; 0: inside
    )
    threshold: Singles
    excess: Singles
    scale: Singles
    judged: NDArray[np.uint16]
    beyond: NDArray[np.uint8]
    stay: NDArray[np.uint8]

    def __init__(self, persists: int) -> None:
        """A stay beyond the threshold of `persists` readings is taken as usual from then on; 1: from the first."""
        super().__init__()
        self.persists = np.uint8(persists)

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no tail yet."""
        return self._grow(count)

    def calibrate(self, slots: StepSlots, surprise: Singles, speaks: Bools | None, learn: Bools | None) -> Singles:
        """-log10 of the probability of a surprise (>= 0) at least as large; 0 where the part does not speak.

        The tail learns from it where `learn` says so. None instead of either: everywhere.
        """
        at = slots.at
        judged, scale, stay = self.judged[at], self.scale[at], self.stay[at]
        threshold = np.maximum(self.threshold[at], THRESHOLD_LEAST)
        size = surprise if speaks is None else surprise * speaks
        over = size > threshold
        score: Singles = size * LOG10_TAIL
        score /= threshold
        n = judged.astype(np.float32)
        n += ONE
        once = ONE / n
        n += ONE
        p = np.maximum(ONE / n, TAIL_P)
        root = np.sqrt(p)
        step = np.maximum(scale, TINY)
        step *= np.maximum(once + once, GAIN_LEAST)
        step *= STEP
        moved = threshold - step * root
        # A stay beyond the threshold is one event, until half of the way back: a fault that lasts is no heavy tail.
        goes_on = size > threshold * BACK_SHARE
        goes_on &= stay != 0
        goes_on |= over
        stays = np.minimum(stay, self.persists - ONE_MORE)
        stays += ONE_MORE
        stays *= goes_on
        if speaks is not None:
            learn = speaks if learn is None else learn & speaks
            stays = np.where(speaks, stays, stay)
        rows = np.flatnonzero(over)
        if rows.shape[0]:
            slot, peak, was = slots.number[rows], size[rows] - threshold[rows], stay[rows]
            old = self.excess[slot]
            excess = np.maximum(old, threshold[rows] * EXCESS_LEAST)
            score[rows] = LOG10_TAIL + peak / (excess * LN_10)
            # What persists is learnt after all, and so is the beginning, in which no threshold means anything yet.
            counts = (was == 0) | (was >= self.persists - ONE_MORE) | (judged[rows] < SETTLED)
            up = np.minimum(step[rows] * (ONE - p[rows]) / root[rows], peak)
            moved[rows] = threshold[rows] + up * counts
            self._learn_excess(slot, peak, old, excess, counts if learn is None else counts & learn[rows])
        grown = size - scale
        grown *= np.maximum(once, SCALE_GAIN_LEAST)
        grown += scale
        more = np.minimum(judged, JUDGED_MOST - np.uint16(1))
        more += np.uint16(1)
        if learn is not None:
            moved, grown = np.where(learn, moved, threshold), np.where(learn, grown, scale)
            more = np.where(learn, more, judged)
        self.threshold[at], self.scale[at], self.judged[at], self.stay[at] = moved, grown, more, stays
        return score

    def _learn_excess(self, slot: Ints, peak: Singles, old: Singles, excess: Singles, learn: Bools) -> None:
        rows = np.flatnonzero(learn)
        own, old = slot[rows], old[rows]
        beyond = np.minimum(self.beyond[own], BEYOND_MOST - ONE_MORE)
        beyond += ONE_MORE
        gain = np.maximum(ONE / beyond.astype(np.float32), EXCESS_GAIN_LEAST)
        self.excess[own] = old + gain * (np.minimum(peak[rows], EXCESS_MOST * excess[rows]) - old)
        self.beyond[own] = beyond
