"""Onsets of alarms against labelled events: the rule of the SMAP and MSL benchmark, never point-adjusted.

Alarmed steps at most 100 apart are one alarm. Its onset, the first step, hits every event [start, end] with onset in
[start - 100, end]. Any other onset is false. A second onset within a hit event costs nothing and gains nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.detectors.contract import Bools

MERGE_STEPS = 100
EARLY_STEPS = 100

Event = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """What was hit and what was not."""

    hits: int = 0
    events: int = 0
    false: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.hits + other.hits, self.events + other.events, self.false + other.false)

    @property
    def precision(self) -> float:
        """Hit events among hit events and false onsets; 0 where nothing was raised."""
        return self.hits / max(self.hits + self.false, 1)

    @property
    def recall(self) -> float:
        """Hit events among all."""
        return self.hits / max(self.events, 1)

    def find_f(self, beta: float) -> float:
        """The F measure in which recall weighs `beta` times as much as precision."""
        weighed = beta * beta * self.precision + self.recall
        return (1.0 + beta * beta) * self.precision * self.recall / weighed if weighed > 0.0 else 0.0

    def to_figures(self) -> dict[str, float]:
        """The tally and its rates, rounded as they are shown."""
        rates = {"P": self.precision, "R": self.recall, "F1": self.find_f(1.0), "F0.5": self.find_f(0.5)}
        counts = {"hits": self.hits, "events": self.events, "false": self.false}
        return counts | {name: round(rate, 3) for name, rate in rates.items()}


def find_onsets(alarm: Bools) -> list[int]:
    """The first step of each alarm, alarmed steps at most 100 apart being one."""
    steps = np.flatnonzero(alarm)
    if steps.size == 0:
        return []
    return [int(step) for step in steps[np.diff(steps, prepend=steps[0] - MERGE_STEPS - 1) > MERGE_STEPS]]


def judge_onsets(onsets: Iterable[int], events: Sequence[Event]) -> Tally:
    """The tally of one channel."""
    hit: set[Event] = set()
    false = 0
    for onset in onsets:
        found = {(start, end) for start, end in events if start - EARLY_STEPS <= onset <= end}
        hit |= found
        false += not found
    return Tally(len(hit), len(events), false)
