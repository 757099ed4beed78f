"""The healthy history of units of several sensors: how it is learnt, and what it says when it is fitted.

A unit is one monitor on one device, with several sensors (channels). The first 4/5 of the `warmup` rows give means, a
correlation matrix that is shrunk half-way to independence (few rows, strongly autocorrelated, would else promise
correlations that do not last), and how far each channel's level strays. That is not its noise: it comes from the Allan
variance, the differences of successive block means, over blocks of a tenth and a fifth of these rows. A channel whose
variance is mostly slow (a temperature that creeps) has not shown its range yet and counts for less. One that was mostly
missing is left out.

Sources: Allan 1966 (variance of block means against drift); Ledoit and Wolf 2004 (shrinkage to a scaled identity).
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Detector, Floats, Ints, SlotSettings, StateField
from anomaly.detectors.straying import find_block_rows, find_rare_distance, find_straying

WARMUP = 400
FIT_SHARE = 0.8
SHRINKAGE = 0.5
LEAST_REFERENCE = 0.8  # of the distance that channels which only stray as they did exceed once in 10,000 rows
BASELINE = (
    *("counts", "mean", "spread", "matrix", "smoothed", "quick"),
    *("block_sum", "block_mean", "block_moves", "pair_mean", "pair_moves"),
)


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


class JointBaseline(Detector):
    """The state of units with up to `width` channels, and the learning of what is healthy for them."""

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

    def __init__(self, width: int) -> None:
        if not 1 <= width <= 32:
            raise ValueError(f"{width} channels")
        super().__init__(state_fields(width))
        self.width = width
        self._bits = np.uint32(1) << np.arange(width, dtype=np.uint32)

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

    def _of(self, name: str) -> Floats:
        """A wide field as a matrix (units, width) that writes through."""
        flat: Floats = getattr(self, name)
        return flat.reshape(self.size, flat.shape[0] // max(self.size, 1))

    def _forget_baseline(self, units: Ints) -> None:
        """The units learn anew what is healthy; what their sensors said last still stands."""
        self.rows_seen[units] = 0
        self.active[units] = self.channels[units]
        for name in BASELINE:
            self._of(name)[units] = 1.0 if name == "spread" else 0
        self.reference[units] = LEAST_REFERENCE
        self.far_us[units] = NEVER

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
