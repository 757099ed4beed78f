"""Ways of working that a device is set to: which columns are settings, and which regime each row belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_LEVELS = 12  # a column with more levels is measured
GAP = 0.03  # of the range: what lies further apart are two levels
TIGHT = 0.005  # of the range: the spread of a level of a setting
MAX_AGEING = 0.3  # a setting's rank correlation with the cycle, median over units
MIN_EXPLAINED = 0.3  # the share of a sensor's variance that settings must explain to matter to it
WORTH = 0.9  # a further setting must leave at most so much of the variance that is not explained yet
MAX_REGIMES = 12
MIN_SHARE = 0.005  # of all rows: a rarer regime is none of its own
FAR = 6.0  # times the largest distance seen in training: a way of working that is not known
NEAR = 0.1  # of the distance between two regimes: a row that near to one always belongs to it

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Regimes:
    """Regimes as points in the space of settings, each divided by its scale.

    Attributes
    ----------
    places
        Columns of the table that are settings; empty: one regime.
    scale
        Of each setting, shape (settings,).
    centres
        Shape (regimes, settings).
    reach
        How far from a centre a row may lie.
    """

    places: Ints
    scale: Floats
    centres: Floats
    reach: float

    @property
    def count(self) -> int:
        """How many regimes there are, at least one."""
        return int(self.centres.shape[0])

    def find_regimes(self, values: Floats) -> Ints:
        """Each row's regime, or -1 where it is unlike every one that was trained on or a setting is missing."""
        if self.places.size == 0:
            return np.zeros(values.shape[0], dtype=np.int64)
        points = values[:, self.places] / self.scale
        distance = np.stack([((points - centre) ** 2).sum(axis=1) for centre in self.centres], axis=1)
        known = np.isfinite(distance).all(axis=1)
        nearest = np.where(known, np.argmin(np.where(np.isfinite(distance), distance, np.inf), axis=1), UNKNOWN)
        smallest = np.where(known, np.min(np.where(np.isfinite(distance), distance, np.inf), axis=1), np.inf)
        return np.where(np.sqrt(smallest) <= self.reach, nearest, UNKNOWN).astype(np.int64)


def find_settings(values: Floats, cycle: Floats, starts: Ints) -> tuple[int, ...]:
    """The columns that are set, not measured, found from the data alone.

    A setting stands on few levels, each much tighter than the distance between them; it goes back and forth, so neither
    its level nor what it reads within a level follows the unit's age; and what it is set to explains three tenths or
    more of the variance of most of the other columns. The column with the most levels comes first, and others only
    where they tell more ways of working apart and these matter to the sensors. Where no column is like that the device
    has one way of working.
    """
    levels: dict[int, Ints] = {}
    moving = [j for j in range(values.shape[1]) if _is_moving(values[:, j])]
    for j in moving:
        found = _find_levels(values[:, j])
        if found is None or _find_ageing(values[:, j], cycle, starts) > MAX_AGEING:
            continue
        middle = np.asarray([np.nanmedian(values[found == level, j]) for level in range(int(found.max()) + 1)])
        if _find_ageing(values[:, j] - middle[found], cycle, starts) <= MAX_AGEING:
            levels[j] = found
    chosen: list[int] = []
    labels = np.zeros(values.shape[0], dtype=np.int64)
    for j in sorted(levels, key=lambda j: (-int(levels[j].max()), j)):
        finer = np.unique(labels * (MAX_LEVELS + 1) + levels[j], return_inverse=True)[1].astype(np.int64)
        others = [k for k in moving if k not in (*chosen, j)]
        if not others or (chosen and _count_regimes(finer) <= _count_regimes(labels)):
            continue
        left = np.mean([1.0 - _find_explained(values[:, k], labels) for k in others])
        if np.mean([1.0 - _find_explained(values[:, k], finer) for k in others]) <= WORTH * left:
            chosen.append(j)
            labels = finer
    explained = [_find_explained(values[:, j], labels) >= MIN_EXPLAINED for j in moving if j not in chosen]
    return tuple(sorted(chosen)) if chosen and explained and np.mean(explained) > 0.5 else ()


def fit_regimes(values: Floats, settings: Sequence[int], seed: int) -> Regimes:
    """Regimes by k-means on these columns: as few as leave at most a thousandth of their variance, at most 12.

    A regime with less than half a per cent of the rows is left out; its rows are read as those of the nearest one, if
    it is near enough. Source: Lloyd 1982, Arthur and Vassilvitskii 2007 (first centres).
    """
    places = np.asarray([j for j in settings if _is_moving(values[:, j])], dtype=np.int64)
    if places.size == 0:
        return Regimes(places, np.ones(0), np.zeros((1, 0)), np.inf)
    points = values[:, places]
    points = points[np.isfinite(points).all(axis=1)]
    scale = points.std(axis=0)
    # Rounding keeps the result the same when a column is given in another unit.
    points = np.round(points / scale, 9)
    distinct = np.unique(points, axis=0).shape[0]
    total = float(((points - points.mean(axis=0)) ** 2).sum())
    best: KMeans | None = None
    for count in range(2, min(MAX_REGIMES, distinct) + 1):
        best = KMeans(count, n_init=20, random_state=seed).fit(points)
        if float(best.inertia_) <= 1e-3 * total:
            break
    if best is None:
        return Regimes(places, scale, points.mean(axis=0, keepdims=True), np.inf)
    labels = best.labels_.astype(np.int64)
    share = np.bincount(labels, minlength=best.cluster_centers_.shape[0]) / labels.shape[0]
    kept = np.flatnonzero(share >= MIN_SHARE)
    centres = np.asarray(best.cluster_centers_, dtype=np.float64)[kept]
    inside = np.isin(labels, kept)
    distance = np.sqrt(((points[inside] - np.asarray(best.cluster_centers_)[labels[inside]]) ** 2).sum(axis=1))
    order = np.lexsort(centres.T[::-1])
    # Levels may be exact: then a row is known that is far nearer to its level than to any other.
    apart = np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=2))
    nearest = float(apart[apart > 0].min()) if centres.shape[0] > 1 else 0.0
    return Regimes(places, scale, centres[order], max(FAR * float(distance.max()), NEAR * nearest))


def _is_moving(column: Floats) -> bool:
    seen = column[np.isfinite(column)]
    if seen.size < 2:
        return False
    return float(np.ptp(seen)) > 1e-9 * max(1e-300, float(np.abs(seen).max()))


def _count_regimes(labels: Ints) -> int:
    return int((np.bincount(labels) >= MIN_SHARE * labels.shape[0]).sum())


def _find_levels(column: Floats) -> Ints | None:
    """The level of each row, counted from the lowest, or None if the column does not stand on few tight levels."""
    seen = np.where(np.isfinite(column), column, np.nanmedian(column))
    distinct = np.unique(seen)
    width = float(distinct[-1] - distinct[0])
    edges = np.flatnonzero(np.diff(distinct) > GAP * width)
    if not 1 <= edges.size < MAX_LEVELS:
        return None
    cuts = (distinct[edges] + distinct[edges + 1]) / 2.0
    levels = np.searchsorted(cuts, seen).astype(np.int64)
    spreads = [float(seen[levels == level].std()) for level in range(edges.size + 1)]
    return levels if max(spreads) <= TIGHT * width else None


def _find_ageing(column: Floats, cycle: Floats, starts: Ints) -> float:
    """How closely the column follows a unit's age: the median over units of |rank correlation|; 0 if it never moves."""
    found = []
    for i in range(starts.shape[0] - 1):
        rows = slice(int(starts[i]), int(starts[i + 1]))
        usable = np.isfinite(column[rows])
        if usable.sum() < 10:
            continue
        ranks = np.unique(column[rows][usable], return_inverse=True)[1].astype(np.float64)
        if ranks.std() == 0:
            continue
        age = np.argsort(np.argsort(cycle[rows][usable])).astype(np.float64)
        found.append(abs(float(np.corrcoef(ranks, age)[0, 1])))
    return float(np.median(found)) if found else 0.0


def _find_explained(column: Floats, labels: Ints) -> float:
    """The share of the column's variance between groups."""
    usable = np.isfinite(column)
    seen, group = column[usable], labels[usable]
    counts = np.bincount(group)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(group, weights=seen) / counts
    total = float(((seen - seen.mean()) ** 2).sum())
    within = float(((seen - means[group]) ** 2).sum())
    return 1.0 - within / total if total > 0 else 0.0
