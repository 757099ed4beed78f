"""The multivariate detector: how far the sensors of a device are, jointly, from their own healthy history.

A unit is one monitor on one device, with several sensors (channels). Readings of one instant make a row. The first
4/5 of the `warmup` rows give its baseline (`multivariate_baseline`): means, correlations, how far each channel strays.
The rest of the warm-up moves the means to where the channels are now and gives the largest distance that is still
healthy.

The statistic is that of a MEWMA chart: the rows in units of that straying, exponentially weighted, and their
Mahalanobis distance per sensor; the score is its multiple of the largest healthy one. Where a quicker average runs far
ahead of the slow one, the slow one jumps to it: a large fault, and its end, need not wait for the smoothing. Within
the healthy distance the means follow what drifts, slowly; beyond it they stand still, until `relearn`, or until the
unit has been beyond for `settled_s`, a whole day. A sensor that is missing is replaced by its conditional mean given
the others.

Sources: Lowry et al. 1992 (MEWMA); Capizzi and Masarotto 2003 (adaptive EWMA); Mason, Young and Tracy 1997
(contribution of each variable).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, SlotSettings
from anomaly.detectors.multivariate_baseline import FIT_SHARE, JointBaseline
from anomaly.detectors.unit_rows import gather_rows
from anomaly.ranking import iterate_steps
from domain.profile import MonitorRule

SMOOTHING = 0.06
QUICK_SMOOTHING = 0.25
JUMP = 7.5  # of the quick average ahead of the slow one, in units of the channel's straying
RECENTRING = 2.4  # times the difference, over the rest of the warm-up ...
MOST_RECENTRING = 0.03  # ... and with one row at most
FOLLOWING = 0.4  # of a drift within the healthy distance, over as many rows as the warm-up had
HOLD_S = 120.0  # a sensor's last value stands for it this long
SETTLED_S = 86_400.0  # who is beyond the healthy maximum for so long, without a break, works differently now
MOST_Z = 100.0
IMPUTATION_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Contribution:
    """Part of one channel in the distance of its unit: shares sum to 1; `expected` is the healthy mean."""

    channel: int
    share: float
    value: float
    expected: float
    deviation: float  # of the smoothed value, as a multiple of how far it strays while healthy


@dataclass(frozen=True, slots=True)
class UnitScores:
    """Scores of one step: each unit at most once; `row` is the reading (its number in the block) that completed it."""

    unit: Ints
    row: Ints
    at_us: Ints
    score: Floats


class MultivariateDetector(JointBaseline):
    """Multiple of the largest healthy joint distance; slot = unit * width + channel."""

    RULE = MonitorRule.MULTIVARIATE
    VERSION = 2
    LEARNS = True

    def __init__(self, width: int = 8, settled_s: float = SETTLED_S) -> None:
        super().__init__(width)
        self.settled_us = round(settled_s * 1e6)
        self.prior: MultivariateDetector | None = None  # baselines of the fleet, for units that have none of their own

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """Adds one unit, whose channels have these settings, and returns the slots of its channels."""
        unit = int(self.add_units([settings])[0])
        return unit * self.width + np.arange(len(settings), dtype=np.int64)

    def begin_prior(self) -> "MultivariateDetector":
        """The baselines that speak for units as long as these warm up: of no unit yet (`rows_seen` 0)."""
        if self.prior is None:
            self.prior = MultivariateDetector(self.width)
            self.prior._grow(self.size)
        return self.prior

    def relearn(self, slot: Ints) -> None:
        """See `Detector.relearn`; the units also forget the values that still stood for their sensors."""
        self.reset(slot)

    def reset(self, slot: Ints) -> None:
        """See `SlotArrays.reset`."""
        units = np.unique(slot // self.width)
        super().reset(units)
        self.active[units] = self.channels[units]
        self.restarted[units] = True
        self._drop_prior(units)

    def _drop_prior(self, units: Ints) -> None:
        # What is normal for the unit is no longer what was normal for the fleet.
        if self.prior is not None:
            self.prior.rows_seen[units] = 0

    @property
    def bytes_per_slot(self) -> int:
        """Memory of one channel, its share of the unit."""
        return -(-super().bytes_per_slot // self.width)

    def score_block(self, slot: Ints, observed_us: Ints, value: Floats) -> Floats:
        """See `Detector.score_block`; the score stands at the reading that completed a row or began the next one."""
        score = np.full(slot.shape[0], np.nan)
        for step in self.iterate_scores(slot, observed_us, value):
            score[step.row] = step.score
        return score

    def iterate_scores(self, slot: Ints, observed_us: Ints, value: Floats) -> Iterator[UnitScores]:
        """The scores of all rows that these readings complete, step by step; silent rows have NaN.

        A row is complete with its last channel, or when a later instant begins. It is scored once.
        """
        rows = gather_rows(slot, observed_us, value, self.width)
        for r in iterate_steps(rows.unit):
            unit, at_us = rows.unit[r], rows.at_us[r]
            newer = at_us > self.row_us[unit]
            overdue = newer & ~self.row_scored[unit]
            if overdue.any():
                yield self._score_rows(unit[overdue], rows.first[r][overdue])
            begun = unit[newer]
            self.row_us[begun], self.row_mask[begun], self.row_scored[begun] = at_us[newer], 0, False
            given = rows.value[r]
            present = ~np.isnan(given)
            self._of("value")[unit] = np.where(present, given, self._of("value")[unit])
            self._of("value_us")[unit] = np.where(present, at_us[:, None], self._of("value_us")[unit])
            current = at_us == self.row_us[unit]
            bits = np.bitwise_or.reduce(np.where(present, self._bits, np.uint32(0)), axis=1)
            self.row_mask[unit] |= np.where(current, bits, np.uint32(0))
            wanted = self.active[unit]
            complete = current & ~self.row_scored[unit] & ((self.row_mask[unit] & wanted) == wanted)
            if complete.any():
                yield self._score_rows(unit[complete], rows.last[r][complete])

    def _score_rows(self, unit: Ints, reading: Ints) -> UnitScores:
        """Scores the current row of each unit, after which it is learnt if the unit still warms up."""
        self.row_scored[unit] = True
        at_us = self.row_us[unit]
        score = np.full(unit.shape[0], np.nan)
        value, value_us = self._of("value")[unit], self._of("value_us")[unit]
        age_limit = np.int64(HOLD_S * 1e6)
        known = value_us >= (at_us - age_limit)[:, None]
        seen = self.rows_seen[unit]
        fit_rows = (self.warmup[unit] * FIT_SHARE).astype(np.int32)
        held = np.zeros(unit.shape[0], dtype=np.bool_)
        if self.prior is not None:
            self._speak_by_prior(unit, value, known, score)
            held = score > 1.0  # what its fleet calls far is no example of a unit's own health
        fitting = (seen < fit_rows) & ~held
        if fitting.any():
            self._learn_rows(unit[fitting], value[fitting], known[fitting], seen[fitting], fit_rows[fitting])
            filled = unit[fitting & (seen + 1 == fit_rows)]
            if filled.shape[0]:
                self._fit(filled)
        judged = ~fitting & ~held
        if judged.any():
            distance = self._measure(unit[judged], value[judged], known[judged])
            slots = unit[judged]
            warmup = self.warmup[slots]
            calibrating = seen[judged] < warmup
            reference = self.reference[slots]
            self.reference[slots] = np.where(calibrating, np.maximum(reference, distance), reference)
            multiple = distance / reference
            score[judged] = np.where(calibrating, score[judged], multiple)
            recentring = np.minimum(RECENTRING / np.maximum(warmup - fit_rows[judged], 1), MOST_RECENTRING)
            following = np.where(multiple < 1.0, FOLLOWING / warmup, 0.0)
            self._follow(slots, np.where(calibrating, recentring, following))
        self.rows_seen[unit] = np.minimum(seen, np.iinfo(np.int32).max - 1) + ~held
        far = score > 1.0
        since = np.where(far & (self.far_us[unit] != NEVER), self.far_us[unit], at_us)
        self.far_us[unit] = np.where(far, since, NEVER)
        settled = far & (at_us - since >= self.settled_us)
        if settled.any():
            self._drop_prior(unit[settled])
            self._forget_baseline(unit[settled])
        return UnitScores(unit, reading, at_us, score)

    def _speak_by_prior(self, unit: Ints, value: Floats, known: Bools, score: Floats) -> None:
        """While the unit warms up, the baseline of its fleet says how far it is; then its own one does."""
        prior = self.prior
        assert prior is not None
        warm = self.rows_seen[unit] >= self.warmup[unit]
        prior.rows_seen[unit[warm]] = 0
        rows = np.flatnonzero(prior.rows_seen[unit] > 0)
        if rows.shape[0]:
            units = unit[rows]
            prior._of("value")[units] = value[rows]
            score[rows] = prior._measure(units, value[rows], known[rows]) / prior.reference[units]

    def _follow(self, unit: Ints, gain: Floats) -> None:
        """Moves the means of the units by this share of the smoothed difference."""
        step = gain[:, None] * self._of("smoothed")[unit]
        self._of("mean")[unit] += step * self._of("spread")[unit]
        self._of("smoothed")[unit] -= step
        self._of("quick")[unit] -= step

    def _measure(self, unit: Ints, value: Floats, known: Bools) -> Floats:
        active = (self.active[unit][:, None] & self._bits) != 0
        z = (value - self._of("mean")[unit]) / self._of("spread")[unit]
        z = np.where(known & active, np.clip(z, -MOST_Z, MOST_Z), 0.0)
        missing = active & ~known
        if missing.any():
            rows = np.flatnonzero(missing.any(axis=1))
            z[rows] = self._impute(unit[rows], z[rows], missing[rows])
        smoothed, quick = self._of("smoothed")[unit], self._of("quick")[unit]
        smoothed = smoothed + SMOOTHING * (z - smoothed)
        quick = quick + QUICK_SMOOTHING * (z - quick)
        smoothed = np.where(np.abs(quick - smoothed) > JUMP, quick, smoothed)
        self._of("smoothed")[unit], self._of("quick")[unit] = smoothed, quick
        parts = self._parts(unit, smoothed)
        total = np.zeros(unit.shape[0])
        for j in range(self.width):
            total += parts[:, j]
        count = np.maximum(np.bitwise_count(self.active[unit]), 1)
        return np.sqrt(np.maximum(total, 0.0) / count)

    def _parts(self, unit: Ints, smoothed: Floats) -> Floats:
        """The part of each channel in the squared distance (units, width); added column by column, see `contract`."""
        matrix = self._of("matrix")[unit].reshape(-1, self.width, self.width)
        turned = np.zeros_like(smoothed)
        for j in range(self.width):
            turned += matrix[:, :, j] * smoothed[:, j, None]
        return smoothed * turned

    def _impute(self, unit: Ints, z: Floats, missing: Bools) -> Floats:
        """Conditional means of the missing channels given the others, by Gauss-Seidel on the inverse correlation."""
        matrix = self._of("matrix")[unit].reshape(-1, self.width, self.width)
        for _ in range(IMPUTATION_SWEEPS):
            for j in range(self.width):
                own = matrix[:, j, j]
                others = np.zeros(unit.shape[0])
                for k in range(self.width):
                    if k != j:
                        others += matrix[:, j, k] * z[:, k]
                mean = -others / np.where(own > 0.0, own, 1.0)
                z[:, j] = np.where(missing[:, j], mean, z[:, j])
        return z

    def find_contributions(self, unit: int) -> list[Contribution]:
        """What each active channel has in the unit's distance now, largest share first."""
        if self.prior is not None and self.prior.rows_seen[unit] > 0:
            return self.prior.find_contributions(unit)
        one = np.array([unit], dtype=np.int64)
        smoothed = self._of("smoothed")[one]
        parts = np.maximum(self._parts(one, smoothed)[0], 0.0)
        total = max(float(sum(parts.tolist())), 1e-12)
        value, mean = self._of("value")[unit], self._of("mean")[unit]
        found = [
            Contribution(j, float(parts[j]) / total, float(value[j]), float(mean[j]), float(smoothed[0, j]))
            for j in range(self.width)
            if int(self.active[unit]) >> j & 1
        ]
        return sorted(found, key=lambda c: (-c.share, c.channel))
