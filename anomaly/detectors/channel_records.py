"""How far features go beyond the most that they ever reached, in units of how much such maxima vary.

Of every feature the largest value so far is kept, its mean, and the mean of the maxima of blocks of 100 rows. An excess
of 1 lies as far above the largest value as that lies above the usual maximum of a block (and three tenths of its
distance from the mean): a signal that breaks its records now and then has a wide unit, one that never does a small one.

A row is learnt 100 rows after it was judged. What went beyond the record is not learnt, unless it lasts all that time
(a new level is accepted) or is met a second time. A stay that lasts is no new habit and counts by its visits alone.
"""

from collections.abc import Sequence

import numpy as np

from anomaly.detectors.channel_features import Feature
from anomaly.detectors.contract import Bools, Floats

LAG = 100
BLOCK = 100
SETTLING = 150  # first rows to be judged are learnt instead: a stream need not begin as the warm-up ended
SETTLING_COUNTS = 400
FROM_MEAN = 0.3
FROM_RANGE = 0.1  # of a position: at least so much of the range known
LEAST = 1e-9  # in units of the signal: what is smaller is rounding
LEAST_COUNT = 4.0  # rows
BEYOND = 1.0  # excess from which on a row is held back from learning
VISITS = 2
MOST = 100.0


class ChannelRecords:
    """The records of all features of one signal; a few numbers per feature and the last 100 rows."""

    def __init__(self, features: Sequence[Feature]) -> None:
        size = len(features)
        window = np.array([feature.window for feature in features])
        self._is_level = np.array([feature.level for feature in features])
        self._counts = np.array([feature.counts for feature in features])
        self._settling = np.where(self._counts, SETTLING_COUNTS, np.maximum(SETTLING, window - 1 + SETTLING // 3))
        self._least = np.where(self._counts, LEAST_COUNT, LEAST)
        self._highest = np.full(size, -np.inf)
        self._lowest = np.full(size, np.inf)
        self._sum, self._rows = np.zeros(size), np.zeros(size)
        self._block_highest = np.full(size, -np.inf)
        self._block_sum, self._blocks = np.zeros(size), np.zeros(size)
        self._visits = np.zeros(size, dtype=np.int64)
        self._since = np.full(size, LAG + 1)  # rows since the last one beyond
        self._lasting = np.zeros(size, dtype=np.int64)  # rows beyond without a break
        self._waiting = np.full((LAG, size), np.nan)
        self._waiting_beyond = np.zeros((LAG, size), dtype=bool)
        self._learnt = 0
        self._judged = 0

    def learn(self, rows: Floats) -> None:
        """Takes rows of features, shape (rows, features), as healthy."""
        for row in rows:
            self._learn(row, np.isfinite(row))

    def judge(self, rows: Floats, known: Bools) -> Floats:
        """The excess of each feature in each row, at least -1 and at most 100; -1 where not `known`."""
        excess = np.empty(rows.shape)
        for k in range(rows.shape[0]):
            excess[k] = self._judge(rows[k], known[k])
        return excess

    def _judge(self, row: Floats, known: Bools) -> Floats:
        settling = self._judged < self._settling
        above_mean = self._highest - self._sum / np.maximum(self._rows, 1.0)
        above_usual = self._highest - self._block_sum / np.maximum(self._blocks, 1.0)
        unit = above_usual + FROM_MEAN * above_mean
        unit = np.where(self._is_level, np.maximum(unit, FROM_RANGE * (self._highest - self._lowest)), unit)
        excess = (row - self._highest) / np.maximum(unit, self._least)
        excess = np.where(known & np.isfinite(excess) & ~settling, np.minimum(np.maximum(excess, -1.0), MOST), -1.0)

        beyond = excess > BEYOND
        self._visits += beyond & (self._since > LAG)
        self._since = np.where(beyond, 0, self._since + 1)
        self._lasting = np.where(beyond, self._lasting + 1, 0)
        place = self._judged % LAG
        self._judged += 1
        held = self._waiting_beyond[place] & (self._visits < VISITS) & ~((self._lasting > LAG) & ~self._counts)
        oldest = self._waiting[place].copy()
        self._waiting[place] = np.where(settling, np.nan, row)
        self._waiting_beyond[place] = beyond
        # A feature is either still settling, and learns the row itself, or learns the one that has waited.
        taken = np.where(settling, row, oldest)
        self._learn(taken, np.isfinite(taken) & (settling | ~held))
        return excess

    def _learn(self, row: Floats, taken: Bools) -> None:
        highest = np.where(taken, row, -np.inf)
        self._highest = np.maximum(self._highest, highest)
        self._lowest = np.minimum(self._lowest, np.where(taken, row, np.inf))
        self._sum += np.where(taken, row, 0.0)
        self._rows += taken
        self._block_highest = np.maximum(self._block_highest, highest)
        self._learnt += 1
        if self._learnt % BLOCK == 0:
            full = np.isfinite(self._block_highest)
            self._block_sum += np.where(full, self._block_highest, 0.0)
            self._blocks += full
            self._block_highest[:] = -np.inf
