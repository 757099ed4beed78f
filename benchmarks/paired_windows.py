"""What something costs that is there in every other window of a run, with how far chance alone could account for it.

An installation is not the same from minute to minute: its tables grow, the database writes a check-point, the machine
is shared. So windows stand in blocks of four, *without, with, with, without*: what grows or fades evenly over a block
takes as much from both. Each block gives one ratio, and Student's interval of the mean of their logarithms says what a
run like this could have found by chance (Georges, Buytaert and Eeckhout 2007, "Statistically rigorous Java performance
evaluation", on comparing two alternatives).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t

LEVEL = 0.95
WORK = ("ingest", "anomaly", "database", "broker", "load")  # what messages take; the rest looks at them


@dataclass(frozen=True, slots=True)
class Window:
    """What one measurement found. `lag_ms`: how long the load would take for what was sent and not done, at most."""

    msg_s: float
    lag_ms: float
    cores: dict[str, float]  # processors kept busy, by name

    @property
    def msg_per_core_s(self) -> float:
        """What one second of one processor got done, of those that messages take."""
        return self.msg_s / (sum(self.cores[name] for name in WORK) - self.cores["api_database"])


@dataclass(frozen=True, slots=True)
class Block:
    """Four windows in the order in which they were measured."""

    first: Window
    beside: tuple[Window, Window]
    last: Window

    @property
    def without(self) -> tuple[Window, Window]:
        """The two that stand around the others."""
        return self.first, self.last


@dataclass(frozen=True, slots=True)
class Ratio:
    """A mean, and between which bounds it lies with 95 % confidence; without bounds where there was one block."""

    mean: float
    low: float | None
    high: float | None

    def judge(self, least: float) -> str | None:
        """Why it does not hold a limit, in words; None where all of the interval does."""
        if self.low is None or self.high is None:
            return f"{self.mean:.3f}, of a single block: nobody can tell whether it is {least} or more"
        if self.low >= least:
            return None
        interval = f"{self.mean:.3f}, between {self.low:.3f} and {self.high:.3f}"
        return f"{interval}: less than {least}" if self.high < least else f"{interval}: may be less than {least}"

    def tell(self) -> list[float | None]:
        """Mean, lower and upper bound."""
        return [None if one is None else round(one, 3) for one in (self.mean, self.low, self.high)]


def find_ratio(of_blocks: Sequence[float]) -> Ratio:
    """The geometric mean of ratios, one of each block, all above 0."""
    logarithms = [log(one) for one in of_blocks]
    mean = fmean(logarithms)
    if len(logarithms) < 2:
        return Ratio(exp(mean), None, None)
    reach = float(t.ppf((1 + LEVEL) / 2, len(logarithms) - 1)) * stdev(logarithms) / sqrt(len(logarithms))
    return Ratio(exp(mean), exp(mean - reach), exp(mean + reach))


def find_throughput_ratio(blocks: Sequence[Block]) -> Ratio:
    """Messages a second with it against without."""
    return find_ratio([_mean([w.msg_s for w in one.beside]) / _mean([w.msg_s for w in one.without]) for one in blocks])


def find_cheapness_ratio(blocks: Sequence[Block]) -> Ratio:
    """Messages for a second of one processor, with it against without: others on the machine move it less."""
    return find_ratio(
        [
            _mean([w.msg_per_core_s for w in one.beside]) / _mean([w.msg_per_core_s for w in one.without])
            for one in blocks
        ]
    )


def tell_sides(blocks: Sequence[Block]) -> dict[str, Any]:
    """The figures of both sides, side by side: averages, and of the lag the most."""
    sides = {
        "without": [window for block in blocks for window in block.without],
        "with": [window for block in blocks for window in block.beside],
    }
    return {
        "msg_s": {side: round(fmean(one.msg_s for one in windows), 1) for side, windows in sides.items()},
        "lag_ms": {side: round(max(one.lag_ms for one in windows)) for side, windows in sides.items()},
        "cores": {side: _average_cores(windows) for side, windows in sides.items()},
        "msg_per_core_s": {
            side: round(fmean(one.msg_per_core_s for one in windows)) for side, windows in sides.items()
        },
    }


def _average_cores(windows: Sequence[Window]) -> dict[str, float]:
    return {name: round(fmean(one.cores[name] for one in windows), 3) for name in windows[0].cores}


def _mean(values: Sequence[float]) -> float:
    """Geometric, so that with and without trade places in a ratio."""
    return exp(fmean(log(one) for one in values))
