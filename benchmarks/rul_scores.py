"""How forecasts of remaining life are scored: pure, from predictions and truth to figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LifeScores:
    """Figures of many forecasts.

    Attributes
    ----------
    s_score
        The sum over one forecast a unit, as the field has it: the sum over all, divided by forecasts a unit.
    coverage, width
        Of the intervals: the share that holds the truth, and the mean of high - low.
    coverage_below_cap
        Of those whose true life is below the cap.
    """

    forecasts: int
    rmse: float
    s_score: float
    coverage: float
    coverage_below_cap: float
    width: float


def find_rmse(predicted: Floats, actual: Floats) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def find_s_score(predicted: Floats, actual: Floats) -> float:
    """Sum of e^(-d/13) - 1 for d < 0 (too early) and e^(d/10) - 1 otherwise (too late), d = predicted - actual.

    Source: Saxena et al. 2008.
    """
    d = predicted - actual
    return float(np.sum(np.expm1(np.where(d < 0, -d / 13.0, d / 10.0))))


def find_coverage(low: Floats, high: Floats, actual: Floats) -> float:
    """The share of intervals that hold the truth, their ends included."""
    return float(np.mean((low <= actual) & (actual <= high))) if actual.size else float("nan")


def find_life_scores(
    predicted: Floats, low: Floats, high: Floats, actual: Floats, *, cap: float, per_unit: int
) -> LifeScores:
    """All figures; truth and predictions are cut to [0, cap] first. `per_unit` is how many forecasts a unit has."""
    predicted, actual = np.clip(predicted, 0.0, cap), np.clip(actual, 0.0, cap)
    below = actual < cap
    return LifeScores(
        forecasts=int(predicted.size),
        rmse=find_rmse(predicted, actual),
        s_score=find_s_score(predicted, actual) / per_unit,
        coverage=find_coverage(low, high, actual),
        coverage_below_cap=find_coverage(low[below], high[below], actual[below]),
        width=float(np.mean(high - low)),
    )


def find_spread(scores: Sequence[LifeScores]) -> dict[str, list[float]]:
    """Mean and standard deviation over draws of cuts, of what moves most with them."""
    found = {name: [getattr(score, name) for score in scores] for name in ("rmse", "coverage", "coverage_below_cap")}
    return {name: [float(np.mean(values)), float(np.std(values))] for name, values in found.items()}


def draw_cuts(lengths: Ints, per_unit: int, rng: np.random.Generator, *, shortest: int, longest_life: int) -> Ints:
    """The last row that is seen, `per_unit` for each unit, shape (units, per_unit), counted from 0.

    Every row is as likely as any other, from the `shortest`-th on, before the last and with at most `longest_life` rows
    to come; of a unit that short, the last but one (or its only row).
    """
    last = np.maximum(lengths - 2, 0)
    first = np.minimum(np.maximum(shortest - 1, lengths - 1 - longest_life), last)
    return np.asarray(rng.integers(first[:, None], last[:, None] + 1, (lengths.shape[0], per_unit)), dtype=np.int64)


def find_share_within(predicted: Floats, actual: Floats, share: float) -> float:
    """The share of predictions that are off by at most this share of the truth; a truth of 0 must be met."""
    return float(np.mean(np.abs(predicted - actual) <= share * np.abs(actual)))
