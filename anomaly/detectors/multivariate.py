"""The multivariate detector: how far the sensors of a device are, jointly, from their own healthy history.

A unit is one monitor on one device, with several sensors (channels). Readings of one instant make a row. The first
4/5 of the `warmup` rows give means, a correlation matrix that is shrunk half-way to independence (few rows, strongly
autocorrelated, would else promise correlations that do not last), and how far each channel's level strays. That is
not its noise: it comes from the Allan variance, the differences of successive block means, over blocks of a tenth and
a fifth of these rows. A channel whose variance is mostly slow (a temperature that creeps) has not shown its range yet
and counts for less. The rest of the warm-up moves the means to where the channels are now and gives the largest
distance that is still healthy.

The statistic is that of a MEWMA chart: the rows in units of that straying, exponentially weighted, and their
Mahalanobis distance per sensor; the score is its multiple of the largest healthy one. Where a quicker average runs far
ahead of the slow one, the slow one jumps to it: a large fault, and its end, need not wait for the smoothing. Within
the healthy distance the means follow what drifts, slowly; beyond it they stand still, until `relearn`, or until the
unit has been beyond for `settled_s`, a whole day. A sensor that is missing is replaced by its conditional mean given
the others; one that was mostly missing during warm-up is left out.

Sources: Lowry et al. 1992 (MEWMA); Allan 1966 (variance of block means against drift); Capizzi and Masarotto 2003
(adaptive EWMA); Ledoit and Wolf 2004 (shrinkage to a scaled identity); Mason, Young and Tracy 1997 (contribution of
each variable).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Detector, Floats, Ints, SlotSettings, StateField
from anomaly.detectors.straying import find_block_rows, find_rare_distance, find_straying
from anomaly.detectors.unit_rows import gather_rows
from anomaly.ranking import iterate_steps
from domain.profile import MonitorRule

WARMUP = 400
FIT_SHARE = 0.8
SMOOTHING = 0.06
QUICK_SMOOTHING = 0.25
JUMP = 7.5  # of the quick average ahead of the slow one, in units of the channel's straying
SHRINKAGE = 0.5
RECENTRING = 2.4  # times the difference, over the rest of the warm-up ...
MOST_RECENTRING = 0.03  # ... and with one row at most
FOLLOWING = 0.4  # of a drift within the healthy distance, over as many rows as the warm-up had
HOLD_S = 120.0  # a sensor's last value stands for it this long
LEAST_REFERENCE = 0.8  # of the distance that channels which only stray as they did exceed once in 10,000 rows
SETTLED_S = 86_400.0  # who is beyond the healthy maximum for so long, without a break, works differently now
MOST_Z = 100.0
IMPUTATION_SWEEPS = 6
BASELINE = (
    *("counts", "mean", "spread", "matrix", "smoothed", "quick"),
    *("block_sum", "block_mean", "block_moves", "pair_mean", "pair_moves"),
)


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


def state_fields(width: int) -> tuple[StateField, ...]:
    """The state of units with up to `width` channels."""
    return (
        StateField("channels", np.uint32, kept=False),  # bit mask of the channels that the unit has
        StateField("warmup", np.int32, kept=False),
        StateField("resolution", np.float64, width=width, kept=False),
        StateField("row_us", np.int64, fill=int(NEVER)),
        StateField("row_mask", np.uint32),
        StateField("row_scored", np.bool_, fill=True),
        StateField("value", np.float64, width=width),
        StateField("value_us", np.int64, fill=int(NEVER), width=width),
        StateField("rows_seen", np.int32),
        StateField("active", np.uint32),
        StateField("counts", np.int32, width=width),
        StateField("mean", np.float64, width=width),
        StateField("spread", np.float64, fill=1.0, width=width),  # how far the level strays
        StateField("block_sum", np.float64, width=width),  # of the block of rows that is being filled ...
        StateField("block_mean", np.float64, width=width),  # ... and the mean of the one before
        StateField("block_moves", np.float64, width=width),  # squared differences of successive blocks
        StateField("pair_mean", np.float64, width=width),
        StateField("pair_moves", np.float64, width=width),
        StateField("matrix", np.float64, width=width * width),  # while fitting co-moments, then their inverse
        StateField("smoothed", np.float64, width=width),
        StateField("quick", np.float64, width=width),
        StateField("reference", np.float64, fill=LEAST_REFERENCE),
        StateField("far_us", np.int64, fill=int(NEVER)),  # beyond the healthy maximum since
        StateField("restarted", np.bool_),  # it was reset: what is normal for its fleet may not be so for it
    )


class MultivariateDetector(Detector):
    """Multiple of the largest healthy joint distance; slot = unit * width + channel."""

    RULE = MonitorRule.MULTIVARIATE
    VERSION = 2
    LEARNS = True
    FIELDS: ClassVar[tuple[StateField, ...]] = state_fields(8)
    channels: NDArray[np.uint32]
    warmup: NDArray[np.int32]
    resolution: Floats
    row_us: Ints
    row_mask: NDArray[np.uint32]
    row_scored: Bools
    value: Floats
    value_us: Ints
    rows_seen: NDArray[np.int32]
    active: NDArray[np.uint32]
    counts: NDArray[np.int32]
    mean: Floats
    spread: Floats
    block_sum: Floats
    block_mean: Floats
    block_moves: Floats
    pair_mean: Floats
    pair_moves: Floats
    matrix: Floats
    smoothed: Floats
    quick: Floats
    reference: Floats
    far_us: Ints
    restarted: Bools

    def __init__(self, width: int = 8, settled_s: float = SETTLED_S) -> None:
        if not 1 <= width <= 32:
            raise ValueError(f"{width} channels")
        super().__init__(state_fields(width))
        self.width = width
        self.settled_us = round(settled_s * 1e6)
        self.prior: MultivariateDetector | None = None  # baselines of the fleet, for units that have none of their own
        self._bits = np.uint32(1) << np.arange(width, dtype=np.uint32)

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """Adds one unit, whose channels have these settings, and returns the slots of its channels."""
        unit = int(self.add_units([settings])[0])
        return unit * self.width + np.arange(len(settings), dtype=np.int64)

    def add_units(self, units: Sequence[Sequence[SlotSettings]]) -> Ints:
        """Adds one unit for each list of channel settings and returns the numbers of the units.

        Raises
        ------
        ValueError
            A unit has no channel or more than `width`.
        """
        if any(not 1 <= len(settings) <= self.width for settings in units):
            raise ValueError(f"a unit has 1 to {self.width} channels")
        numbers = self._grow(len(units))
        self.channels[numbers] = [(1 << len(settings)) - 1 for settings in units]
        self.active[numbers] = self.channels[numbers]
        self.warmup[numbers] = [max(settings[0].warmup or WARMUP, 2 * self.width) for settings in units]
        resolution = np.zeros((len(units), self.width))
        for row, settings in enumerate(units):
            resolution[row, : len(settings)] = [s.resolution for s in settings]
        self._of("resolution")[numbers] = resolution
        return numbers

    def begin_prior(self) -> "MultivariateDetector":
        """The baselines that speak for units as long as these warm up: of no unit yet (`rows_seen` 0)."""
        if self.prior is None:
            self.prior = MultivariateDetector(self.width)
            self.prior._grow(self.size)
        return self.prior

    def relearn(self, slot: Ints) -> None:
        """See `Detector.relearn`; the units also forget the values that still stood for their sensors."""
        self.reset(slot)

    def _warm_up_again(self, units: Ints) -> None:
        self._drop_prior(units)
        self.rows_seen[units] = 0
        self.active[units] = self.channels[units]
        for name in BASELINE:
            self._of(name)[units] = 1.0 if name == "spread" else 0
        self.reference[units] = LEAST_REFERENCE
        self.far_us[units] = NEVER

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

    def _of(self, name: str) -> Floats:
        """A wide field as a matrix (units, width) that writes through."""
        flat: Floats = getattr(self, name)
        return flat.reshape(self.size, flat.shape[0] // max(self.size, 1))

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
            self._warm_up_again(unit[settled])
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

    def _learn_rows(
        self, unit: Ints, value: Floats, known: Bools, seen: NDArray[np.int32], fit_rows: NDArray[np.int32]
    ) -> None:
        counts = self._of("counts")[unit] + known
        self._of("counts")[unit] = counts
        mean = self._of("mean")[unit]
        before = np.where(known, value - mean, 0.0)
        mean = mean + before / np.maximum(counts, 1)
        self._of("mean")[unit] = mean
        after = np.where(known, value - mean, 0.0)
        products = before[:, :, None] * after[:, None, :]
        self._of("matrix")[unit] += products.reshape(unit.shape[0], -1)
        self._learn_blocks(unit, np.where(known, value, mean), seen + 1, find_block_rows(fit_rows))

    def _learn_blocks(self, unit: Ints, value: Floats, count: NDArray[np.int32], block_rows: NDArray[np.int32]) -> None:
        total = self._of("block_sum")[unit] + value
        ends = count % block_rows == 0
        self._of("block_sum")[unit] = np.where(ends[:, None], 0.0, total)
        if not ends.any():
            return
        unit, number = unit[ends], count[ends] // block_rows[ends]
        mean, before = total[ends] / block_rows[ends, None], self._of("block_mean")[unit]
        move = np.where((number > 1)[:, None], mean - before, 0.0)
        self._of("block_moves")[unit] += move * move
        self._of("block_mean")[unit] = mean
        pairs = number % 2 == 0
        unit, number, mean = unit[pairs], number[pairs], 0.5 * (mean[pairs] + before[pairs])
        move = np.where((number > 2)[:, None], mean - self._of("pair_mean")[unit], 0.0)
        self._of("pair_moves")[unit] += move * move
        self._of("pair_mean")[unit] = mean

    def _fit(self, unit: Ints) -> None:
        """Ends the learning of these units: how far each level strays, and the inverse of each shrunk correlation."""
        p = self.width
        counts = self._of("counts")[unit].astype(np.float64)
        present = (self.channels[unit][:, None] & self._bits) != 0
        active = present & (counts >= 0.5 * np.maximum(counts.max(axis=1), 1.0)[:, None])
        self.active[unit] = np.bitwise_or.reduce(np.where(active, self._bits, np.uint32(0)), axis=1)
        moments = self._of("matrix")[unit].reshape(-1, p, p)
        sums = np.maximum(np.diagonal(moments, axis1=1, axis2=2), 0.0)
        straying = find_straying(
            self._of("block_moves")[unit],
            self._of("pair_moves")[unit],
            sums / np.maximum(counts - 1.0, 1.0),
            (self.warmup[unit] * FIT_SHARE).astype(np.int32),
        )
        self._of("spread")[unit] = np.maximum(straying, self._of("resolution")[unit] + (~present))
        scale = np.where(sums > 0.0, 1.0 / np.sqrt(np.where(sums > 0.0, sums, 1.0)), 0.0)
        correlation = 0.5 * (moments + moments.transpose(0, 2, 1)) * scale[:, :, None] * scale[:, None, :]
        shrunk = (1.0 - SHRINKAGE) * correlation
        shrunk[:, np.arange(p), np.arange(p)] = 1.0
        for u, kept, matrix in zip(unit.tolist(), active, shrunk, strict=True):
            inverse, index = np.zeros((p, p)), np.flatnonzero(kept)
            inverse[np.ix_(index, index)] = np.linalg.inv(matrix[np.ix_(index, index)])
            self._of("matrix")[u] = inverse.reshape(-1)
        self._of("smoothed")[unit] = self._of("quick")[unit] = 0.0
        self.reference[unit] = LEAST_REFERENCE * find_rare_distance(np.maximum(active.sum(axis=1), 1))

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
