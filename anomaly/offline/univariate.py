"""One column by itself: the novelty detector and the breach rules of the product, from the first row to the last.

What comes out is news. A strange stretch is told once, at its first reading, and again where it becomes stranger than
it was; what is as strange as something told a moment ago is no news. How long that moment is follows from how much of
the series was seen: a tenth of it, at most 2,000 readings. So a series that was hardly seen yet may speak again soon,
and a long one spends no more alarms on one event than a short one does.
"""

from collections.abc import Sequence

import numpy as np

from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from anomaly.detectors.contract import Floats, Ints, SlotSettings
from anomaly.detectors.novelty.detector import PARTS, WARMUP, NoveltyDetector
from anomaly.offline.contract import ScoredTable
from domain.breach import TransitionKind

RAISE_AT = 3.0  # one reading in a thousand, of which most are no news
CLEAR_AT = 2.0
REFRACTORY_S = 60.0
TOLD_SHARE = 0.1  # of the readings so far
TOLD_MOST = 2_000.0
TOLD_MARGIN = 0.1  # by which a score has to exceed what was told, to be told itself

ONLY = np.zeros(1, dtype=np.int64)


class News:
    """What of a stream of scores was not told a moment ago."""

    def __init__(self) -> None:
        self.seen = 0
        self.told = 0.0
        self.age = np.inf

    def tell(self, score: float) -> float:
        """The score where it is news, else 0; each call is one reading."""
        self.seen += 1
        self.age += 1
        recent = self.age <= min(TOLD_SHARE * self.seen, TOLD_MOST)
        if score <= (self.told + TOLD_MARGIN if recent else 0.0):
            return 0.0
        self.told, self.age = score, 0
        return score


def score_univariate(columns: Sequence[str], at_us: Ints, values: Floats, warmup: int | None) -> ScoredTable:
    """See `TableScorer`: news of one column, an alarm where it is rarer than one reading in a thousand.

    What the warm-up had counts as told, so a longer one never makes an alarm of what is no news without it.
    """
    detector = NoveltyDetector()
    detector.add_slots([SlotSettings(warmup=min(warmup or WARMUP, WARMUP))])
    rules = BreachRules()
    rules.add_slots([SlotRule(raise_at=RAISE_AT, clear_at=CLEAR_AT, refractory_s=REFRACTORY_S)])
    news = News()
    rows = at_us.shape[0]
    score = np.zeros(rows)
    alarm = np.zeros(rows, dtype=np.bool_)
    state = np.full(rows, "held", dtype=np.object_)
    owner = np.full(rows, "", dtype=np.object_)
    contributions: list[tuple[tuple[str, float], ...]] = [()] * rows
    least = warmup or WARMUP
    is_open = False
    for row in range(rows):
        at = at_us[row : row + 1]
        raw = detector.step(ONLY, at, values[row : row + 1, 0])
        told = news.tell(float(raw[0])) if np.isfinite(raw[0]) else 0.0
        if np.isfinite(raw[0]) and detector.seen[0] > least:
            score[row] = told
            for step in rules.judge(ONLY, ONLY, at, score[row : row + 1]):
                is_open = step.kind is not TransitionKind.CLEARED
            state[row] = "alarm" if is_open else "normal"
            owner[row] = f"novelty.{PARTS[detector.part[0]]}"
            contributions[row] = ((columns[0], 1.0),)
        elif detector.seen[0] <= least:
            state[row] = "warming"
        alarm[row] = is_open
    return ScoredTable(score, alarm, state, owner, contributions)
