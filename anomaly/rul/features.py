"""What is known of a unit at each of its rows: states of wear over several windows, their pace, and its age."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anomaly.rul.factors import find_state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

RECENT = (5, 10, 20, 40)  # means over the last so many rows
EARLIER = ((10, 20), (20, 40), (40, 60), (60, 100))  # means over rows so far back
PACES = (10, 20, 40, 80)  # newer half of so many rows less the older half
FIRST_ROWS = 15  # what a unit is compared with: its own beginning


def find_features(cycle: Floats, precision: Floats, vector: Floats, starts: Ints) -> Singles:
    """One line of features a row, from that row and those of the same unit before it alone, bit for bit.

    `precision` and `vector` are the evidence of `Factors.find_evidence`.
    """
    parts = [
        _find_unit_features(cycle[first:last], precision[first:last], vector[first:last])
        for first, last in pairwise(starts)
    ]
    return np.concatenate(parts).astype(np.float32)


def name_features(states: int) -> tuple[str, ...]:
    """The features in their order, `state1.last20` and the like."""
    groups = ["first", "life"]
    groups += [f"last{w}" for w in RECENT]
    groups += [f"ago{a}to{b}" for a, b in EARLIER]
    groups += ["since_first", "since_first_per_root_row"]
    groups += [f"pace{w}" for w in PACES]
    return ("age", "log_age", *(f"state{s + 1}.{group}" for group in groups for s in range(states)))


def _find_unit_features(cycle: Floats, precision: Floats, vector: Floats) -> Floats:
    states = vector.shape[1]
    row = np.arange(vector.shape[0])
    summed = np.concatenate((np.zeros((1, states, states)), np.cumsum(precision, axis=0)))
    added = np.concatenate((np.zeros((1, states)), np.cumsum(vector, axis=0)))

    def find_mean(low: Ints, high: Ints) -> Floats:
        return find_state(summed[high] - summed[low], added[high] - added[low])

    def find_ago(nearest: int, farthest: int) -> Floats:
        """Over rows so far back; the unit's first row where it is not that old."""
        high = np.maximum(row + 1 - nearest, 1)
        return find_mean(np.minimum(np.maximum(row + 1 - farthest, 0), high - 1), high)

    first = find_mean(np.zeros_like(row), np.minimum(row + 1, FIRST_ROWS))
    recent = {width: find_ago(0, width) for width in RECENT}
    since = recent[20] - first
    age = np.maximum(cycle, 0.0)[:, None]
    groups = [age, np.log1p(age), first, find_mean(np.zeros_like(row), row + 1), *recent.values()]
    groups += [find_ago(nearest, farthest) for nearest, farthest in EARLIER]
    groups += [since, since / np.sqrt(row + 1.0)[:, None]]
    groups += [(find_ago(0, width // 2) - find_ago(width // 2, width)) * (20.0 / width) for width in PACES]
    return np.concatenate(groups, axis=1)
