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

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField

TAIL_P = 0.0025
LOG10_TAIL = 2.602059991327962  # -log10 TAIL_P
LN_10 = 2.302585092994046
STEP = 0.3  # of a mean surprise, times the gain below and the square root of the odds
GAIN_LEAST = 0.02
SCALE_GAIN_LEAST = 0.002
EXCESS_GAIN_LEAST = 0.05
EXCESS_LEAST = 0.07  # of the threshold: a tail of equal peaks is still no cliff
EXCESS_MOST = 20.0  # mean excesses that one peak counts for
THRESHOLD_LEAST = 0.5  # surprises of two thirds of a spread are none, however still the series was
BACK_SHARE = 0.5
SETTLED = 64
JUDGED_MOST = 60_000.0
BEYOND_MOST = 250.0
TINY = 1e-9


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
    threshold: NDArray[np.float32]
    excess: NDArray[np.float32]
    scale: NDArray[np.float32]
    judged: NDArray[np.uint16]
    beyond: NDArray[np.uint8]
    stay: NDArray[np.uint8]

    def __init__(self, persists: int) -> None:
        """A stay beyond the threshold of `persists` readings is taken as usual from then on; 1: from the first."""
        super().__init__()
        self.persists = persists

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no tail yet."""
        return self._grow(count)

    def calibrate(self, slot: Ints, surprise: Floats, speaks: Bools, learn: Bools) -> Floats:
        """-log10 of the probability of a surprise (>= 0) at least as large; 0 where the part does not speak.

        The tail learns from it where `learn` says so.
        """
        judged = self.judged[slot].astype(np.float64)
        n = judged + 1.0
        size = np.where(speaks, surprise, 0.0)
        threshold = np.maximum(self.threshold[slot].astype(np.float64), THRESHOLD_LEAST)
        old_excess = self.excess[slot].astype(np.float64)
        excess = np.maximum(old_excess, EXCESS_LEAST * threshold)
        over = size - threshold
        is_over = over > 0.0
        inside = LOG10_TAIL * size / threshold
        score = np.where(is_over, LOG10_TAIL + over / (excess * LN_10), inside)

        # A stay beyond the threshold is one event, until half of the way back: a fault that lasts is no heavy tail.
        # What persists is learnt after all, and so is the beginning, in which no threshold means anything yet.
        stay = self.stay[slot].astype(np.int64)
        goes_on = is_over | ((stay > 0) & (size > BACK_SHARE * threshold))
        counts = is_over & ((stay == 0) | (stay + 1 >= self.persists) | (judged < SETTLED))
        self.stay[slot] = np.where(speaks, np.where(goes_on, np.minimum(stay + 1, self.persists), 0), stay)
        learn = learn & speaks
        once = 1.0 / n
        old_scale = self.scale[slot].astype(np.float64)
        step = np.maximum(2.0 * once, GAIN_LEAST) * np.maximum(old_scale, TINY) * STEP
        p = np.maximum(TAIL_P, 1.0 / (n + 1.0))
        root = np.sqrt(p)
        moved = np.where(counts, np.minimum(step * (1.0 - p) / root, over), np.where(is_over, 0.0, -step * root))
        beyond = np.minimum(self.beyond[slot] + counts.astype(np.float64), BEYOND_MOST)
        gain = np.maximum(1.0 / np.maximum(beyond, 1.0), EXCESS_GAIN_LEAST)
        grown = old_excess + gain * (np.minimum(over, EXCESS_MOST * excess) - old_excess)
        scale = old_scale + np.maximum(once, SCALE_GAIN_LEAST) * (size - old_scale)
        self.threshold[slot] = np.where(learn, threshold + moved, threshold)
        self.excess[slot] = np.where(learn & counts, grown, old_excess)
        self.scale[slot] = np.where(learn, scale, old_scale)
        self.beyond[slot] = np.where(learn, beyond, self.beyond[slot])
        self.judged[slot] = np.minimum(judged + learn, JUDGED_MOST)
        return np.where(speaks, score, 0.0)
