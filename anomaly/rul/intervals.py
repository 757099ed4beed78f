"""How far a prediction may be off: offsets by predicted level, from units whose own model never saw them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_LEVELS = 12
FIRST_JUDGED = 20  # rows of a unit: before, most of what is pooled over rows is not there yet
WHOLE_SHARE = 0.4  # of the weight: rows of whole lives; the rest is for rows below the cap
HALVINGS = 14
UNITS_PER_LEVEL = 8  # fewer units make fewer levels: a quantile needs something to stand on


@dataclass(frozen=True, slots=True)
class Offsets:
    """The interval of a prediction p is [p + low(p), p + high(p)], cut to [0, cap]; in between levels it is a line.

    Attributes
    ----------
    level
        Predictions, rising, shape (levels,).
    low, high
        What is added there; low <= 0 <= high.
    """

    level: Floats
    low: Floats
    high: Floats

    def find_interval(self, predicted: Floats, cap: float) -> tuple[Floats, Floats]:
        """Lower and upper ends, which hold the prediction between them."""
        low = predicted + np.interp(predicted, self.level, self.low)
        high = predicted + np.interp(predicted, self.level, self.high)
        return np.clip(low, 0.0, cap), np.clip(high, 0.0, cap)


def weigh_rows(actual: Floats, starts: Ints, cap: float) -> tuple[Floats, Floats]:
    """How likely a draw of a unit and then of one of its rows meets each row: of its whole life, of that below the cap.

    Each unit has 1 in both. Rows before its 20th have no part; the last one always has. `actual` is within [0, cap],
    0 at each unit's last row; `starts` as in a table of runs.
    """
    lengths = np.diff(starts)
    unit = np.repeat(np.arange(lengths.shape[0]), lengths)
    row = np.arange(actual.shape[0]) - starts[unit]
    known = row >= np.minimum(FIRST_JUDGED, lengths)[unit] - 1
    below = known & (actual < cap)
    whole, part = (rows / np.bincount(unit[rows], minlength=lengths.shape[0])[unit] for rows in (known, below))
    return whole, part


def mix_weights(whole: Floats, below: Floats) -> Floats:
    """What offsets are fitted with: see `fit_offsets`."""
    return WHOLE_SHARE * whole + (1.0 - WHOLE_SHARE) * below


def fit_offsets(predicted: Floats, actual: Floats, weight: Floats, units: int, cap: float, coverage: float) -> Offsets:
    """Offsets with this coverage over rows drawn by their weight, with the same share missed at every level.

    Parameters
    ----------
    predicted
        By models that did not see the row's unit, within [0, cap], shape (rows,).
    actual
        Within [0, cap].
    weight
        Of `mix_weights`: each unit counts the same, as its rows are alike. A row of weight 0 has no part.
    units
        How many units stand behind the rows.

    Where nearly all lives are at the cap, only an interval that leaves the cap out could miss a fifth of them, so what
    holds the wanted share over whole lives holds less of it below the cap, where something is forecast. With both kinds
    of rows in the weight the first is a little above the wanted coverage, the second a little under it. There is
    no allowance for the number of units: the forecast is the mean over all folds, which is off by less than one fold's.

    Source: Vovk et al. 2005 and Lei et al. 2018 (split conformal), Vovk 2015 (across folds), Vovk et al. 2003 (by
    level: Mondrian), Tibshirani et al. 2019 (rows by weight), Dunn, Wasserman and Ramdas 2023 (units with many rows).
    """
    counted = weight > 0
    predicted, actual, weight = predicted[counted], actual[counted], weight[counted]
    levels = int(np.clip(units // UNITS_PER_LEVEL, 1, MAX_LEVELS))
    order = np.argsort(predicted, kind="stable")
    share = np.cumsum(weight[order])
    group = np.minimum((share / share[-1] * levels).astype(np.int64), levels - 1)
    groups = [order[group == g] for g in range(levels) if (group == g).any()]
    centre = np.asarray([np.average(predicted[rows], weights=weight[rows]) for rows in groups])
    smallest, largest = 0.0, 1.0
    best = _find_offsets(predicted, actual, weight, groups, centre, cap, 0.0)
    for _ in range(HALVINGS):
        missed = (smallest + largest) / 2.0
        offsets = _find_offsets(predicted, actual, weight, groups, centre, cap, missed)
        low, high = offsets.find_interval(predicted, cap)
        if float(np.average((low <= actual) & (actual <= high), weights=weight)) >= coverage:
            smallest, best = missed, offsets
        else:
            largest = missed
    return best


def _find_offsets(
    predicted: Floats, actual: Floats, weight: Floats, groups: list[Ints], centre: Floats, cap: float, missed: float
) -> Offsets:
    """Offsets that miss this share in every group, as evenly at both ends as 0 and the cap let them."""
    ends = [_find_ends(predicted[rows], actual[rows], weight[rows], cap, missed) for rows in groups]
    return Offsets(centre, np.asarray([low for low, _ in ends]), np.asarray([high for _, high in ends]))


def _find_ends(predicted: Floats, actual: Floats, weight: Floats, cap: float, missed: float) -> tuple[float, float]:
    residual = actual - predicted
    low = find_weighted_quantile(residual, weight, missed / 2.0)
    high = find_weighted_quantile(residual, weight, 1.0 - missed / 2.0)
    total = float(weight.sum())
    above = float(weight[actual > np.minimum(predicted + high, cap)].sum()) / total
    below = float(weight[actual < np.maximum(predicted + low, 0.0)].sum()) / total
    if above < below:
        low = find_weighted_quantile(residual, weight, missed - above)
    elif below < above:
        high = find_weighted_quantile(residual, weight, 1.0 - (missed - below))
    return min(low, 0.0), max(high, 0.0)


def find_weighted_quantile(values: Floats, weight: Floats, share: float) -> float:
    """The smallest value that at least this share of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weight[order])
    place = int(np.searchsorted(total, min(max(share, 0.0), 1.0) * float(total[-1]), side="left"))
    return float(values[order[min(place, values.shape[0] - 1)]])
