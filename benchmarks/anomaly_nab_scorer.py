"""The Numenta Anomaly Benchmark's score, as the benchmark's paper gives it (Ahmad et al. 2017).

Rows count from min(floor(0.15 n), 750). A row in a window [l, r] of w rows is worth s(-(r-i+1)/w)/s(-1), one outside
s((i - r_before)/(w_before - 1)), or -1 before the first window, where s(y) = 2/(1+e^(5y)) - 1 and -1 beyond y = 3. Each
window gives the value of its best alarmed row, or costs a miss; every alarmed row outside adds its value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
PROBATION_SHARE = 0.15
PROBATION_MOST = 750


@dataclass(frozen=True, slots=True)
class Application:
    """What a hit is worth, a false alarm costs, and a miss costs."""

    hit: float
    false_alarm: float
    miss: float


APPLICATIONS = {
    "standard": Application(1.0, 0.11, 1.0),
    "low_fp": Application(1.0, 0.22, 1.0),
    "low_fn": Application(1.0, 0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A file's rows as they are judged: where counting begins, the worth of an alarm at each row, and its windows."""

    begins: int
    worth: Floats  # in a window of a hit, outside of a false alarm
    window: NDArray[np.int64]  # -1 outside
    windows: int


def find_sigmoid(y: Floats) -> Floats:
    """2/(1+e^(5y)) - 1, and -1 beyond 3."""
    near: Floats = 2.0 / (1.0 + np.exp(5.0 * np.minimum(y, 3.0))) - 1.0
    return np.where(y > 3.0, -1.0, near)


def judge_rows(rows: int, windows: Sequence[tuple[int, int]]) -> Judged:
    """The worth of an alarm at every row; windows are inclusive, in order, and do not overlap."""
    worth, window = np.full(rows, -1.0), np.full(rows, -1, dtype=np.int64)
    full = find_sigmoid(np.array([-1.0]))[0]
    for number, (left, right) in enumerate(windows):
        width = right - left + 1
        after = np.arange(right + 1, windows[number + 1][0] if number + 1 < len(windows) else rows)
        worth[after] = find_sigmoid((after - right) / max(width - 1, 1))
        inside = np.arange(left, right + 1)
        worth[inside] = find_sigmoid(-(right - inside + 1) / width) / full
        window[inside] = number
    return Judged(min(int(PROBATION_SHARE * rows), PROBATION_MOST), worth, window, len(windows))


@dataclass(frozen=True, slots=True)
class Gains:
    """What lowering the limit step by step brings: at each score, hits made better, misses mended, false alarms."""

    score: Floats
    hit: Floats
    mended: Floats
    outside: Floats

    def sum_raw(self, application: Application) -> Floats:
        """What each step adds to the raw score; a file without any alarm stands at -miss for each window."""
        total: Floats = (
            application.hit * self.hit + application.miss * self.mended + application.false_alarm * self.outside
        )
        return total


def find_gains(judged: Judged, score: Floats) -> Gains:
    """The gains of one file, rows with a score of 0 or less left out: they never alarm."""
    counted = (np.arange(score.shape[0]) >= judged.begins) & (score > 0.0)
    outside = np.flatnonzero(counted & (judged.window < 0))
    scores, hits, mended, costs = [score[outside]], [np.zeros(len(outside))], [np.zeros(len(outside))], []
    costs.append(judged.worth[outside])
    for number in range(judged.windows):
        inside = np.flatnonzero(counted & (judged.window == number))
        inside = inside[np.argsort(-score[inside], kind="stable")]
        best = np.maximum.accumulate(judged.worth[inside])
        scores.append(score[inside])
        hits.append(np.diff(best, prepend=0.0))
        mended.append((np.arange(len(inside)) == 0).astype(np.float64))
        costs.append(np.zeros(len(inside)))
    return Gains(*(np.concatenate(part) for part in (scores, hits, mended, costs)))


def to_percent(raw_gain: float, windows: int, application: Application) -> float:
    """0 for a detector that never alarms, 100 for one that alarms at the first row of each window alone."""
    return 100.0 * raw_gain / (windows * (application.hit + application.miss))


def find_best_limit(gains: Iterable[Gains], application: Application) -> tuple[float, float]:
    """(raw gain, limit) at the limit on all files that is best for them; (0, inf) where no alarm is better."""
    all_gains = list(gains)
    score = np.concatenate([g.score for g in all_gains])
    order = np.argsort(-score, kind="stable")
    raw = np.cumsum(np.concatenate([g.sum_raw(application) for g in all_gains])[order])
    score = score[order]
    is_last = np.append(score[1:] != score[:-1], True) if len(score) else np.empty(0, dtype=np.bool_)
    raw, score = raw[is_last], score[is_last]
    if not len(raw) or raw.max() <= 0.0:
        return 0.0, float("inf")
    best = int(np.argmax(raw))
    return float(raw[best]), float(score[best])


def sum_at_limit(gains: Iterable[Gains], application: Application, limit: float) -> float:
    """The raw gain of all files when every score at or beyond `limit` alarms."""
    return float(sum(g.sum_raw(application)[g.score >= limit].sum() for g in gains))
