"""What a recorded signal is judged by: its level, steps, spread and rhythm, each from the row and those before it.

Every feature is one number per row. Means and spreads over 2^k rows come from doubling (Chan et al. 1983): elementwise
arithmetic alone, so the same rows in any split into blocks give the same features, bit for bit, and a constant signal
has a spread of exactly zero.
"""

from dataclasses import dataclass

import numpy as np

from anomaly.detectors.contract import Bools, Floats

WINDOWS = (16, 64, 256)
LONGEST = WINDOWS[-1]
LEVELS = (0.1, 0.5, 0.9)  # quantiles of the warm-up; how long the signal stays above and below them is its rhythm
STAYS = 8  # completed before the length of a stay means anything
SAME = 1e-6  # of the warm-up's range: what lies closer together is one value


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the features: which family it belongs to and how many rows it looks back on."""

    name: str
    family: str
    window: int = 1
    level: bool = False  # a position, which has no natural zero
    counts: bool = False  # a number of rows, which goes on growing while nothing new happens


def _list_features() -> tuple[Feature, ...]:
    found = [Feature("high", "level", level=True), Feature("low", "level", level=True)]
    for window in WINDOWS:
        found += [Feature(f"mean_{side}_{window}", f"mean_{window}", window, level=True) for side in ("high", "low")]
    found.append(Feature("step", "step", 2))
    for window in WINDOWS:
        found.append(Feature(f"spread_{window}", f"spread_{window}", window))
        found.append(Feature(f"activity_{window}", f"activity_{window}", window + 1))
    for level in LEVELS:
        found += [Feature(f"{side}_{level:g}", "dwell", counts=True) for side in ("above", "below")]
    return (*found, Feature("flat", "flat", counts=True))


FEATURES = _list_features()


class ChannelFeatures:
    """Turns values into features; keeps the last 256 values and the lengths of the current stays."""

    def __init__(self, warmup: Floats) -> None:
        """Takes the unit of the signal from `warmup`, finite and at least one value long."""
        self._origin = float(warmup[0])
        self._unit = float(np.max(np.abs(warmup - self._origin)))
        if not self._departs(np.array([self._unit]))[0]:
            self._unit = 0.0  # a signal that never moved: its first departure gives the unit
        self._levels = np.quantile(self._scale(warmup), LEVELS) + SAME
        self._tail = np.empty(0)
        self._above = np.zeros(len(LEVELS), dtype=bool)
        self._stay = np.zeros(len(LEVELS))
        self._flat = 0.0
        self._stays = np.zeros(len(LEVELS) + 1)  # completed, of each level and of one value

    def restart(self) -> None:
        """Forgets the last values: what comes next does not follow them without a break."""
        self._tail = np.empty(0)

    def extend(self, values: Floats) -> tuple[Floats, Bools]:
        """(features of `values`, which of them mean something yet), both of shape (rows, len(FEATURES)).

        `values` are finite. A feature is NaN until its window is full; the length of a stay means nothing before a
        few have come to their end.
        """
        rows = values.shape[0]
        if rows == 0:
            return np.empty((0, len(FEATURES))), np.empty((0, len(FEATURES)), dtype=bool)
        z = self._scale(values)
        joined = np.concatenate((self._tail, z))
        step = np.abs(np.diff(joined, prepend=np.nan))
        columns: list[Floats] = [z, -z]
        means, spreads = _double(joined)
        activities, _ = _double(step)
        for mean in means:
            columns += [mean[-rows:], -mean[-rows:]]
        columns.append(step[-rows:])
        for spread, activity in zip(spreads, activities, strict=True):
            columns += [spread[-rows:], activity[-rows:]]
        known = [np.ones(rows, dtype=bool)] * len(columns)
        begins = self._tail.shape[0] == 0
        for k, level in enumerate(self._levels):
            above = z > level
            stay = _count_stay(above, bool(self._above[k]), -1.0 if begins else float(self._stay[k]))
            self._above[k], self._stay[k] = above[-1], stay[-1]
            columns += [np.where(above, stay, 0.0), np.where(above, 0.0, stay)]
            known += [self._count_completed(k, stay == 0.0)] * 2
        still = step[-rows:] <= SAME
        flat = _count_still(still, self._flat)
        self._flat = float(flat[-1])
        columns.append(flat)
        known.append(self._count_completed(len(LEVELS), flat == 0.0))
        self._tail = joined[-LONGEST:]
        features = np.stack(columns, axis=1)
        return features, np.isfinite(features) & np.stack(known, axis=1)

    def _count_completed(self, which: int, changes: Bools) -> Bools:
        """True once enough stays of this kind have come to their end."""
        completed = self._stays[which] + np.cumsum(changes)
        self._stays[which] = completed[-1]
        return np.asarray(completed >= STAYS)

    def _scale(self, values: Floats) -> Floats:
        offset = values - self._origin
        if self._unit == 0.0:
            departs = np.flatnonzero(self._departs(offset))
            if departs.size == 0:
                return np.zeros_like(offset)
            self._unit = float(abs(offset[departs[0]]))
            offset[: departs[0]] = 0.0
        return offset / self._unit

    def _departs(self, offset: Floats) -> Bools:
        return np.abs(offset) > 1e-9 * abs(self._origin)


def _double(values: Floats) -> tuple[list[Floats], list[Floats]]:
    """Means and standard deviations over the last 16, 64 and 256 values; NaN where there are not as many."""
    mean, squares, window = values, np.zeros_like(values), 1
    means: list[Floats] = []
    spreads: list[Floats] = []
    while window < LONGEST:
        before_mean, before_squares = _delay(mean, window), _delay(squares, window)
        apart = mean - before_mean
        squares = squares + before_squares + apart * apart * (0.5 * window)
        mean = 0.5 * (mean + before_mean)
        window *= 2
        if window in WINDOWS:
            means.append(mean)
            spreads.append(np.sqrt(squares / window))
    return means, spreads


def _delay(values: Floats, rows: int) -> Floats:
    delayed = np.full_like(values, np.nan)
    delayed[rows:] = values[:-rows]
    return delayed


def _count_stay(above: Bools, was_above: bool, stay: float) -> Floats:
    """Rows since the signal last changed sides; `stay` was that of the row before, -1: there was none."""
    row = np.arange(above.shape[0])
    changes = np.diff(above, prepend=was_above)
    if stay < 0.0:
        changes[0] = True
    last = np.maximum.accumulate(np.where(changes, row, -1))
    return np.where(last >= 0, row - last, row + 1.0 + stay)


def _count_still(still: Bools, flat: float) -> Floats:
    """Rows since the value last changed; `flat` was that of the row before."""
    row = np.arange(still.shape[0])
    last = np.maximum.accumulate(np.where(still, -1, row))
    return np.where(last >= 0, row - last, row + 1.0 + flat)
