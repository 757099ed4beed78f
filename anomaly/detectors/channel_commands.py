"""Several commands or states that were never met before, all at once: a device that is told to do something new.

Nothing is said of a single new command: a warm-up never holds them all. A burst of them is what a device does to save
itself, or what is done to it.
"""

import math
from collections import deque

import numpy as np

from anomaly.detectors.contract import Floats

SPAN = 8  # rows that are one instant
SETTLING = 150
LAG = 100
ALONE = 1  # new commands within a span that are nothing yet
MOST_VALUES = 64  # of a column; one that takes more is no command


class NewCommands:
    """Counts values that a column of commands takes for the first time; at most 64 values a column are kept."""

    def __init__(self, columns: int) -> None:
        self._met: list[set[float]] = [set() for _ in range(columns)]
        self._recent: deque[list[int]] = deque(maxlen=SPAN)  # columns with a new value, of the last rows
        self._waiting: deque[int] = deque(maxlen=LAG)
        self._usual = ALONE  # the most that was new within a span before
        self._judged = 0

    def learn(self, commands: Floats) -> None:
        """Takes `commands`, shape (rows, columns), as healthy. In the first half all is new, and that says nothing."""
        for k, row in enumerate(commands.tolist()):
            new = self._count_new(row)
            if k >= commands.shape[0] // 2:
                self._usual = max(self._usual, new)

    def judge(self, commands: Floats) -> tuple[Floats, dict[int, tuple[int, ...]]]:
        """(how many more commands than ever before were new within the last 8 rows, which ones in rows with any)."""
        excess = np.zeros(commands.shape[0])
        named: dict[int, tuple[int, ...]] = {}
        for k, row in enumerate(commands.tolist()):
            new = self._count_new(row)
            if self._judged < SETTLING:
                self._usual = max(self._usual, new)
            else:
                self._usual = max(self._usual, self._waiting[0])
                excess[k] = max(0, new - self._usual)
            if excess[k] > 0.0:
                named[k] = tuple(sorted({column for columns in self._recent for column in columns}))
            self._waiting.append(new)
            self._judged += 1
        return excess, named

    def _count_new(self, row: list[float]) -> int:
        new = []
        for column, (met, value) in enumerate(zip(self._met, row, strict=True)):
            if value not in met and len(met) < MOST_VALUES and math.isfinite(value):
                if met:  # the first value of a column is no news
                    new.append(column)
                met.add(value)
        self._recent.append(new)
        return sum(map(len, self._recent))
