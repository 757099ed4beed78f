"""What the scoring of a block, or of silence, led to."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Ints
from anomaly.rollup import MinuteScores
from domain.breach import BreachTransition


@dataclass(frozen=True, slots=True)
class SeriesMinutes:
    """Finished minutes of one detector by series id."""

    detector: NDArray[np.object_]  # monitor key of each row
    series_id: Ints
    minutes: MinuteScores


@dataclass(slots=True)
class ShardOutput:
    """What one block (or tick) led to."""

    transitions: list[BreachTransition] = field(default_factory=list)
    minutes: list[SeriesMinutes] = field(default_factory=list)
    readings: int = 0
    scored: int = 0
    late: int = 0
    bad: int = 0
    thinned: int = 0  # so close upon another one of the same sensor that they say nothing new
    unknown: int = 0
