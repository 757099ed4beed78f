"""Rows in, rows out: what scoring a recorded table gives, whatever detector did it.

Every score and alarm of a row follows from that row and those before it alone. Nothing depends on a row's number, on
the length of the table, on a calendar date or on a value that comes later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """One entry per row of the table, in its order.

    Attributes
    ----------
    score
        -log10 of the probability of so strange a row under what was normal before it; 0 while nothing can be said.
    alarm
        True while the evaluator holds an incident open: its limits, durations and refractory time are the product's.
    state
        `warming` (nothing can be said yet), `normal`, `alarm`, `held` (a gap, a stuck or unusable value: not judged).
    detector
        Which detector the score is from; empty while warming.
    contributions
        Columns and their shares of the score, largest first, at most five: (("Pressure", 0.61), ...).
    """

    score: Floats
    alarm: Bools
    state: NDArray[np.object_]
    detector: NDArray[np.object_]
    contributions: Sequence[tuple[tuple[str, float], ...]]


class TableScorer(Protocol):
    """Scores a whole table."""

    def __call__(self, columns: Sequence[str], at_us: Ints, values: Floats, warmup: int | None) -> ScoredTable:
        """The scores of `values`, shape (rows, columns), NaN where a cell is empty, at `at_us`, not falling.

        `warmup` rows, where given, are known to be healthy and are not judged; otherwise the scorer finds its own.
        """
        ...
