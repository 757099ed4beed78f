"""One signal against all that it did before: a new kind of behaviour shows in several features at once.

Evidence of a row is the sum over the families of features of how far each goes beyond its record, each counted up to a
limit. A little in many families weighs as much as a lot in one: a spike is a new level and also a step and a spread,
while noise that breaks one record by a little breaks no other. A mean, step, spread or activity alone raises nothing,
because a real change shows in its siblings too; a value, a stay, or a burst of new commands has none and may.
"""

from dataclasses import dataclass

import numpy as np

from anomaly.detectors.channel_commands import NewCommands
from anomaly.detectors.channel_features import FEATURES, ChannelFeatures
from anomaly.detectors.channel_incident import ChannelIncident
from anomaly.detectors.channel_records import BLOCK, SETTLING, ChannelRecords
from anomaly.detectors.contract import Bools, Floats, Ints

OF_FEATURES = tuple(dict.fromkeys(feature.family for feature in FEATURES))
FAMILIES = (*OF_FEATURES, "commands")
FIRST_OF_FAMILY = np.array([[feature.family for feature in FEATURES].index(family) for family in OF_FEATURES])
SPEAK_ALONE = ("level", "dwell", "flat", "commands")
MOST_OF_FAMILY = np.array([3.0 if family in SPEAK_ALONE else 2.0 for family in FAMILIES])
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
    commands
        Which commands were new, for the rows in which they say something; `command_share` is their part of evidence.
    """

    evidence: Floats
    score: Floats
    family: Ints
    alarm: Bools
    settling: Bools
    commands: dict[int, tuple[int, ...]]
    command_share: Floats


class ChannelDetector:
    """Learns a signal from its healthy beginning, goes on learning, and judges each row from those before it.

    State: the last 256 values, the last 100 rows of 22 features and some ten numbers for each of them.
    """

    def __init__(self, warmup: Floats, commands: int = 0) -> None:
        """A detector that knows nothing yet; `warmup`, finite and at least one value long, gives the signal's unit."""
        self._features = ChannelFeatures(warmup)
        self._records = ChannelRecords(FEATURES)
        self._commands = NewCommands(commands)
        self._incident = ChannelIncident()
        self._learnt = 0
        self._judged = 0

    def learn(self, values: Floats) -> None:
        """Takes finite `values` as healthy, before any is scored."""
        self._records.learn(self._features.extend(values)[0])
        self._learnt += values.shape[0]

    def learn_commands(self, commands: Floats) -> None:
        """Takes all commands of the warm-up, shape (rows, commands), as healthy."""
        self._commands.learn(commands)

    def restart(self) -> None:
        """After a gap: windows fill anew and nothing is compared across it; what was learnt stays."""
        self._features.restart()

    def score_block(self, values: Floats, commands: Floats) -> ChannelScores:
        """Scores finite `values` with their commands and learns them; the same for any split into blocks."""
        excess = self._records.judge(*self._features.extend(values))
        of_features = np.maximum.reduceat(excess, FIRST_OF_FAMILY, axis=1)
        new_commands, named = self._commands.judge(commands)
        shares = np.column_stack((of_features, new_commands))
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
            commands=named,
            command_share=shares[:, -1] / np.maximum(evidence, 1e-300),
        )
