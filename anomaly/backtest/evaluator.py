"""The production evaluator over stored readings: the scorer of the running program, several of them side by side.

Nothing of a monitor is left out: durations, N of M, hysteresis, refractory times, the freezing of learning and the
restart of baselines after new firmware are those of `ShardScorer`. Pure state: readings in, transitions out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from anomaly.bank import WatchedDevice
from anomaly.detectors.contract import Bools
from anomaly.shard_output import ShardOutput
from anomaly.shard_scorer import ShardScorer
from anomaly.training.contract import FleetPrior
from anomaly.training.seeding import seed_scorer
from domain.breach import BreachTransition
from domain.clock import MICROS_PER_DAY, MICROS_PER_SECOND
from domain.profile import Profile
from domain.report import Report
from store.blocks import BlockColumns

HOUR_US = 3_600 * MICROS_PER_SECOND
MOST_ROWS = 60_000  # scored at once: what is larger leaves the caches


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a comparison judges by."""

    name: str
    profiles: Mapping[str, Profile]
    priors: Sequence[FleetPrior] = ()


@dataclass(slots=True)
class Evaluation:
    """What one side has found so far."""

    side: Side
    scorer: ShardScorer
    transitions: list[BreachTransition] = field(default_factory=list)

    @property
    def unscored(self) -> Mapping[str, str]:
        """The monitors that were not judged on some device, since their detector raised, and how."""
        return {u.monitor: u.reason for u in self.scorer.unscored}


class Evaluator:
    """Feeds every side the same readings; call `take` with slices of time one after the other.

    `days` tells of each UTC day (days since 1970) which devices sent something, in order of `devices`. Where a detector
    raises, `take` raises `DetectorFailedError`; `careful` as of `ShardScorer`.
    """

    def __init__(self, devices: Sequence[WatchedDevice], sides: Sequence[Side], *, careful: bool = False) -> None:
        self.readings = 0
        self.days: dict[int, Bools] = {}
        series = [(series_id, place) for place, d in enumerate(devices) for series_id in d.series.values()]
        self._place = np.full(max((s for s, _ in series), default=-1) + 1, -1, dtype=np.int64)
        self._place[[s for s, _ in series]] = [place for _, place in series]
        self._count = len(devices)
        self.evaluations = [Evaluation(side, ShardScorer(devices, side.profiles)) for side in sides]
        for evaluation in self.evaluations:
            evaluation.scorer.is_careful = careful
            seed_scorer(evaluation.scorer, evaluation.side.priors)

    def take(self, columns: BlockColumns, reports: Sequence[Report], until_us: int) -> None:
        """Scores the readings of a slice, in order of time, that ends at `until_us`, with the reports of its time."""
        self.readings += len(columns)
        self._note_days(columns)
        for evaluation in self.evaluations:
            for block, heard, now_us in _cut(columns, reports, until_us, self._has_code(evaluation) or bool(reports)):
                self._collect(evaluation, evaluation.scorer.score(block, heard, now_us))
                if self._has_code(evaluation):
                    # A device code ends with time. Silence is no matter of a backtest, see `levels`.
                    self._collect(evaluation, evaluation.scorer.tick(now_us, 0))

    def _note_days(self, columns: BlockColumns) -> None:
        day = columns.observed_us // MICROS_PER_DAY
        for begin, end in pairwise([*np.unique(day, return_index=True)[1].tolist(), len(columns)]):
            seen = np.bincount(self._place[columns.series_id[begin:end]], minlength=self._count) > 0
            known = self.days.setdefault(int(day[begin]), np.zeros(self._count, dtype=np.bool_))
            known |= seen

    @staticmethod
    def _has_code(evaluation: Evaluation) -> bool:
        return bool(evaluation.scorer.presence.open_slots)

    @staticmethod
    def _collect(evaluation: Evaluation, out: ShardOutput) -> None:
        evaluation.transitions += out.transitions


def _cut(
    columns: BlockColumns, reports: Sequence[Report], until_us: int, hourly: bool
) -> Iterator[tuple[BlockColumns, list[Report], int]]:
    """The slice in pieces, each with the reports of its time and its end: by the hour of the clock where time itself
    counts, else of at most MOST_ROWS readings."""
    at_us = columns.observed_us
    count = len(columns)
    if hourly:
        first_us = min([until_us, *at_us[:1].tolist(), *(r.observed_us for r in reports)])
        ends_us = [*range((first_us // HOUR_US + 1) * HOUR_US, until_us, HOUR_US), until_us]
        ends = np.searchsorted(at_us, np.array(ends_us, dtype=np.int64), side="left").tolist()
    else:
        ends = [*range(MOST_ROWS, count, MOST_ROWS), count]
        ends_us = [*(int(at_us[end - 1]) for end in ends[:-1]), until_us]
    begin = heard = 0
    for end, end_us in zip(ends, ends_us, strict=True):
        own = []
        while heard < len(reports) and reports[heard].observed_us < end_us:
            own.append(reports[heard])
            heard += 1
        which = slice(begin, end)
        yield (
            BlockColumns(
                columns.series_id[which], columns.observed_us[which], columns.value[which], columns.flags[which]
            ),
            own,
            end_us,
        )
        begin = end
