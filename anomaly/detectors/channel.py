"""One signal against all that it did before: a new kind of behaviour shows in several features at once.

Evidence of a row is the sum over the families of features of how far each goes beyond its record, each counted up to a
limit. A little in many families weighs as much as a lot in one: a spike is a new level and also a step and a spread,
while noise that breaks one record by a little breaks no other.
"""

from dataclasses import dataclass

import numpy as np

from anomaly.detectors.channel_features import FEATURES, ChannelFeatures
from anomaly.detectors.channel_incident import ChannelIncident
from anomaly.detectors.channel_records import BLOCK, SETTLING, ChannelRecords
from anomaly.detectors.contract import Bools, Floats, Ints

FAMILIES = tuple(dict.fromkeys(feature.family for feature in FEATURES))
FIRST_OF_FAMILY = np.array([[feature.family for feature in FEATURES].index(family) for family in FAMILIES])
MOST_OF_FAMILY = 3.0
LN_10 = 2.302585092994046


@dataclass(frozen=True, slots=True)
class ChannelScores:
    """One entry per row.

    Attributes
    ----------
    score
        About -log10 of the probability of so much evidence in a row: maxima of blocks are taken to fall off
        exponentially beyond the largest of n, which is itself exceeded with 1 / (n + 1). 0 without evidence.
    family
        Index into FAMILIES of the one that says most.
    settling
        True in the rows after the warm-up that are still learnt without being judged.
    """

    evidence: Floats
    score: Floats
    family: Ints
    alarm: Bools
    settling: Bools


class ChannelDetector:
    """Learns a signal from its healthy beginning, goes on learning, and judges each row from those before it.

    State: the last 256 values, the last 100 rows of 22 features and some ten numbers for each of them.
    """

    def __init__(self, warmup: Floats) -> None:
        """Learns `warmup`: finite values, at least one; they give the unit in which the signal is measured."""
        self._features = ChannelFeatures(warmup)
        self._records = ChannelRecords(FEATURES)
        self._incident = ChannelIncident()
        self._learnt = 0
        self._judged = 0

    def learn(self, values: Floats) -> None:
        """Takes finite `values` as healthy, before anything is scored."""
        self._records.learn(self._features.extend(values)[0])
        self._learnt += values.shape[0]

    def restart(self) -> None:
        """After a gap: windows fill anew and nothing is compared across it; what was learnt stays."""
        self._features.restart()

    def score_block(self, values: Floats) -> ChannelScores:
        """Scores finite `values` and learns them; the same for any split into blocks."""
        excess = self._records.judge(*self._features.extend(values))
        shares = np.maximum.reduceat(excess, FIRST_OF_FAMILY, axis=1)
        shares = np.minimum(np.maximum(shares, 0.0), MOST_OF_FAMILY)
        evidence = np.zeros(values.shape[0])
        for k in range(len(FAMILIES)):
            evidence += shares[:, k]
        judged = self._judged + np.arange(values.shape[0])
        self._judged += values.shape[0]
        rarity = np.log10((self._learnt + judged) / BLOCK + 1.0)
        return ChannelScores(
            evidence=evidence,
            score=np.where(evidence > 0.0, rarity + evidence / LN_10, 0.0),
            family=np.argmax(shares, axis=1),
            alarm=self._incident.follow(evidence),
            settling=judged < SETTLING,
        )
