"""A table of several continuous columns, scored as one device by the multivariate detector and its breach rules.

The columns are the channels of a unit, the rows its instants; what is said of a row comes from it and the rows before
it alone. A table may have any sampling rate, so time is counted in median intervals of the warm-up: one is a second to
the detector and to the rules. A column that never changes during the warm-up, or is mostly empty there, shows no spread
and is left out. Columns beyond the width of a unit make further units; the score of a row is then the largest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10

import numpy as np

from anomaly.breach_rules import BreachRules
from anomaly.breach_state import SlotRule
from anomaly.detectors.contract import Floats, Ints, SlotSettings
from anomaly.detectors.multivariate import Contribution, MultivariateDetector
from anomaly.offline.contract import ScoredTable
from domain.breach import TransitionKind
from domain.profile import MonitorRule

WARMUP = 400
LEAST_WARMUP = 20
MOST_CHANNELS = 24  # of one unit: the cost of a row grows with their square
LEAST_KNOWN = 0.5  # share of the warm-up in which a column has values
RESOLUTION = 1e-6  # of a column's standard deviation
RAISE_AT = 1.25
CLEAR_AT = 0.9
CLEAR_SHARE = 0.6  # of the peak
ROWS_BEYOND = 6
CLEAR_ROWS = 3
SETTLED_WARMUPS = 2.0  # beyond for twice as long as what was healthy, without a break: it works differently now
SHOWN_CONTRIBUTIONS = 5
MOST_SCORE = 300.0
ROWS_AT_ONCE = 2_000
SECOND_US = 1_000_000

ONLY = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """Of one unit in one row: the multiple of its largest healthy distance, and who has which part in it."""

    row: int
    unit: int
    multiple: float
    contributions: list[Contribution]


def score_joint(columns: Sequence[str], at_us: Ints, values: Floats, warmup: int | None) -> ScoredTable:
    """See `TableScorer`: how far the columns are, jointly, from the warm-up (without one: from the first 400 rows).

    -log10 p takes the largest healthy distance as one that a warm-up shows once, and squared distances as exponential
    beyond it.
    """
    rows = at_us.shape[0]
    first = max(warmup or WARMUP, LEAST_WARMUP)
    clock = _count_intervals(at_us, first)
    known = np.isfinite(values)
    units = _split_columns(values[:first], known[:first])
    multiple = np.full(rows, np.nan)
    contributions: list[tuple[tuple[str, float], ...]] = [()] * rows
    for found in _iterate_judgements(units, clock, values, first):
        if found.row >= first and not multiple[found.row] >= found.multiple:
            multiple[found.row] = found.multiple
            named = ((columns[units[found.unit][c.channel]], c.share) for c in found.contributions)
            contributions[found.row] = tuple(named)[:SHOWN_CONTRIBUTIONS]
    multiple[~known.any(axis=1)] = np.nan
    judged = ~np.isnan(multiple)
    score = np.where(judged, np.minimum(log10(1.0 + first) * np.square(multiple), MOST_SCORE), 0.0)
    alarm = _find_alarms(clock, multiple)
    state = np.where(judged, np.where(alarm, "alarm", "normal"), "held").astype(np.object_)
    spoke = np.flatnonzero(judged)
    state[: int(spoke[0]) if spoke.size else rows] = "warming"
    owner = np.where(judged, MonitorRule.MULTIVARIATE.value, "").astype(np.object_)
    contributions = [c if ok else () for c, ok in zip(contributions, judged.tolist(), strict=True)]
    return ScoredTable(score, alarm, state, owner, contributions)


def _count_intervals(at_us: Ints, first: int) -> Ints:
    """Times such that the median interval of the warm-up is a second, strictly rising."""
    steps = np.diff(at_us[:first])
    steps = steps[steps > 0]
    interval = float(np.median(steps)) if steps.size else float(SECOND_US)
    elapsed = (at_us - at_us[:1]).astype(np.float64) / interval
    number = np.arange(at_us.shape[0], dtype=np.int64)
    # Rows of one instant are still one after the other.
    rising: Ints = np.maximum.accumulate(np.round(elapsed * SECOND_US).astype(np.int64) - number) + number
    return rising


def _split_columns(warmup: Floats, known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[list[int]]:
    """The columns that showed a spread, in units as even as can be."""
    usable = [
        column
        for column in range(warmup.shape[1])
        if known[:, column].mean() >= LEAST_KNOWN and np.ptp(warmup[known[:, column], column]) > 0.0
    ]
    count = -(-len(usable) // MOST_CHANNELS)
    return [part.tolist() for part in np.array_split(np.array(usable, dtype=np.int64), count)] if count else []


def _iterate_judgements(units: list[list[int]], clock: Ints, values: Floats, first: int) -> Iterator[_Judgement]:
    if not units:
        return
    width = max(len(unit) for unit in units)
    detector = MultivariateDetector(width, settled_s=SETTLED_WARMUPS * first)
    detector.add_units([[_describe_channel(values[:first, c], first) for c in unit] for unit in units])
    column = np.array([c for unit in units for c in unit], dtype=np.int64)
    slot = np.array([u * width + k for u, unit in enumerate(units) for k in range(len(unit))], dtype=np.int64)
    rows = clock.shape[0]
    for begin in range(0, rows + 1, ROWS_AT_ONCE):
        part = slice(begin, min(begin + ROWS_AT_ONCE, rows))
        at, given = clock[part], values[part][:, column]
        if part.stop == rows:  # an instant after the last one: no row is complete before all its cells are known
            at = np.append(at, (clock[-1] if rows else 0) + SECOND_US)
            given = np.vstack((given, np.full((1, column.shape[0]), np.nan)))
        slots, instants = np.tile(slot, at.shape[0]), np.repeat(at, slot.shape[0])
        for step in detector.iterate_scores(slots, instants, given.reshape(-1)):
            row = np.searchsorted(clock, step.at_us)
            for u, r, multiple in zip(step.unit.tolist(), row.tolist(), step.score.tolist(), strict=True):
                if r < rows and multiple == multiple:
                    yield _Judgement(r, u, multiple, detector.find_contributions(u))


def _describe_channel(warmup: Floats, first: int) -> SlotSettings:
    deviation = float(warmup[np.isfinite(warmup)].std())
    return SlotSettings(resolution=RESOLUTION * deviation, warmup=first)


def _find_alarms(clock: Ints, multiple: Floats) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """While the evaluator of the product holds an incident open."""
    rules = BreachRules()
    rules.add_slots(
        [
            SlotRule(
                raise_at=RAISE_AT,
                clear_at=CLEAR_AT,
                n=ROWS_BEYOND,
                m=ROWS_BEYOND,
                clear_duration_s=CLEAR_ROWS - 1,
                clear_share=CLEAR_SHARE,
            )
        ]
    )
    alarm = np.zeros(clock.shape[0], dtype=np.bool_)
    is_open = False
    for row in range(clock.shape[0]):
        for step in rules.judge(ONLY, ONLY, clock[row : row + 1], multiple[row : row + 1]):
            is_open = step.kind is not TransitionKind.CLEARED
        alarm[row] = is_open
    return alarm
