"""The forecast detector: the value that a robust trend reaches within the lead time, in the sensor's unit.

Per slot a ring of 32 bucket means over `window_s`. When a bucket is full, the mathematics of `domain.forecast` is done
to it; between two buckets a reading costs a mean and a multiplication. The score is where the trend will be
`lead_s` after the reading, so a breach is raised when the median time to the limit becomes shorter than the lead time,
and cleared when even `clear_at` is no longer reached within it. Where there is no significant trend towards the limit
the score is the level itself, held below the limit: a level beyond it is no forecast, and what was forecast stays open
until the level or the trend is back on the good side.

Silent until 8 buckets have readings, after a gap, and until a level is known after a jump.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import (
    NEVER,
    Bools,
    Floats,
    Ints,
    SlotSettings,
    StateField,
    StepDetector,
    sign_of,
)
from anomaly.detectors.step_slots import StepSlots, find_common, find_rows
from domain.forecast import (
    BUCKETS,
    COVERAGE_Z,
    JUMP_FACTOR,
    LEAST_POINTS,
    LEAST_RECENT,
    LEAST_Z,
    LEVEL_BUCKETS,
    LEVEL_ERROR,
    MOST_CORRELATION,
    ROUNDING,
    SUFFIXES,
    Trend,
)
from domain.profile import MonitorRule

WINDOW_S = 14 * 86_400.0
MOST_BUCKETS = np.iinfo(np.int32).max - BUCKETS
ROWS_AT_ONCE = 1_000  # of buckets that end together: bounds the memory of their pairs to some 20 MB
FIRST, SECOND = np.triu_indices(BUCKETS, 1)


class ForecastDetector(StepDetector):
    """Where the trend leads within the lead time, seen from the side of the limit; see the module.

    It learns no idea of what is normal, so it goes on while a breach is open: else none of its own could ever clear.
    New firmware, a visit or another part start its history anew.
    """

    RULE = MonitorRule.FORECAST
    LEARNS = True
    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("sign", np.float32, kept=False),
        StateField("resolution", np.float32, kept=False),
        StateField("width", np.int64, kept=False),  # of a bucket, microseconds
        StateField("lead", np.float64, kept=False),  # in buckets
        StateField("below", np.float64, kept=False),  # next to the limit, seen from its side
        StateField("anchor_us", np.int64, fill=int(NEVER)),  # begin of bucket 0
        StateField("bucket", np.int32),  # the one under way
        StateField("n", np.int32),  # its readings
        StateField("mean", np.float64),
        StateField("ring", np.float64, fill=np.nan, width=BUCKETS),  # bucket b at b % BUCKETS
        StateField("slope", np.float64, fill=np.nan),  # per bucket; NaN: no significant trend
        StateField("slope_low", np.float32, fill=np.nan),
        StateField("slope_high", np.float32, fill=np.nan),
        StateField("level", np.float64, fill=np.nan),  # at the middle of the bucket before the one under way
        StateField("error", np.float32, fill=np.nan),
    )
    sign: NDArray[np.float32]
    resolution: NDArray[np.float32]
    width: Ints
    lead: Floats
    below: Floats
    anchor_us: Ints
    bucket: NDArray[np.int32]
    n: NDArray[np.int32]
    mean: Floats
    ring: Floats
    slope: Floats
    slope_low: NDArray[np.float32]
    slope_high: NDArray[np.float32]
    level: Floats
    error: NDArray[np.float32]

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        signs = [sign_of(s.direction) or 1.0 for s in settings]
        width = [max(round((s.window_s or WINDOW_S) * 1e6 / BUCKETS), 1) for s in settings]
        self.sign[slots] = signs
        self.resolution[slots] = [s.resolution for s in settings]
        self.width[slots] = width
        self.lead[slots] = [s.lead_s * 1e6 / w for s, w in zip(settings, width, strict=True)]
        limits = [sign * s.limit for s, sign in zip(settings, signs, strict=True)]
        self.below[slots] = np.nextafter(limits, -np.inf)
        return slots

    def relearn(self, slot: Ints) -> None:
        """See `Detector.relearn`: what was measured before says nothing about where it goes from here."""
        self.reset(slot)

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        slots = StepSlots(slot)
        at = slots.at
        widths, anchor_us = self.width[at], self.anchor_us[at]
        width = find_common(widths)  # one number divides faster than many
        elapsed = observed_us - anchor_us
        passed = elapsed // (widths if width is None else width)
        ahead = passed - self.bucket[at]
        is_new = anchor_us == NEVER
        if is_new.any() or ahead.min() < -BUCKETS or passed.max() > MOST_BUCKETS:
            # Older than all that the ring holds, or by a clock that is wrong by ages: a new history.
            is_new |= (ahead < -BUCKETS) | (passed > MOST_BUCKETS)
            begun = slot[is_new]
            self.reset(begun)
            self.anchor_us[begun] = observed_us[is_new]
            elapsed[is_new] = ahead[is_new] = 0
        ended = find_rows(ahead > 0)
        if ended.shape[0]:
            self._end_buckets(slot[ended], ahead[ended])
        n = self.n[at] + np.int32(1)
        self.n[at] = n
        change = value * self.sign[at]
        mean = self.mean[at]
        change -= mean
        change /= n
        self.mean[at] = mean + change
        slope, level = self.slope[at], self.level[at]
        score = np.minimum(level, self.below[at])
        leads = find_rows(slope > 0.0)
        if leads.shape[0]:
            some = slot[leads]
            # From the middle of the bucket before, in buckets; a late reading counts as of the bucket's begin.
            since = np.maximum(elapsed[leads] / widths[leads] - self.bucket[some], 0.0) + 0.5
            score[leads] = level[leads] + slope[leads] * (since + self.lead[some])
        return score

    def _end_buckets(self, slot: Ints, ahead: Ints) -> None:
        """Puts the means of the buckets under way into the rings, and judges the trends anew."""
        bucket = self.bucket[slot]
        rings = self.ring.reshape(-1, BUCKETS)
        rings[slot, bucket % BUCKETS] = np.where(self.n[slot] > 0, self.mean[slot], np.nan)
        self.bucket[slot] = bucket + ahead
        self.n[slot] = 0
        self.mean[slot] = 0.0
        for k in range(1, int(min(ahead.max(), BUCKETS + 1))):  # buckets that had no reading
            passed = ahead > k
            rings[slot[passed], (bucket[passed] + k) % BUCKETS] = np.nan
        for first in range(0, slot.shape[0], ROWS_AT_ONCE):
            self._judge(slot[first : first + ROWS_AT_ONCE])

    def _judge(self, slot: Ints) -> None:
        order = (self.bucket[slot].astype(np.int64)[:, None] + np.arange(BUCKETS)) % BUCKETS
        rows = self.ring.reshape(-1, BUCKETS)[slot[:, None], order]
        found = find_trends(rows, self.resolution[slot].astype(np.float64))
        for name, values in zip(("slope", "slope_low", "slope_high", "level", "error"), found, strict=True):
            getattr(self, name)[slot] = values

    def find_trend(self, slot: int) -> Trend | None:
        """The trend of the slot in the sensor's own direction, per bucket, at the middle of the newest full one."""
        if not np.isfinite(self.slope[slot]):
            return None
        sign = float(self.sign[slot])
        low, high = sign * float(self.slope_low[slot]), sign * float(self.slope_high[slot])
        return Trend(
            slope=sign * float(self.slope[slot]),
            low=min(low, high),
            high=max(low, high),
            level=sign * float(self.level[slot]),
            error=float(self.error[slot]),
        )

    def find_elapsed_s(self, slot: int, at_us: int) -> float:
        """Since the middle of the newest full bucket, at an instant; never negative."""
        middle_us = int(self.anchor_us[slot]) + (int(self.bucket[slot]) - 0.5) * int(self.width[slot])
        return max((at_us - middle_us) / 1e6, 0.0)

    def find_bucket_s(self, slot: int) -> float:
        """The width of a bucket."""
        return int(self.width[slot]) / 1e6


def find_trends(rows: Floats, resolution: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """(slope, its low and high bound, level, its error) of each row of buckets, as `domain.forecast.find_trend` has it.

    NaN where there is none; without a significant slope the level is that of `domain.forecast.find_level` for slope 0.

    Parameters
    ----------
    rows
        Shape (rows, BUCKETS), oldest first; NaN: a bucket without a reading.
    """
    present = ~np.isnan(rows)
    count = np.count_nonzero(present, axis=1)
    where = np.argsort(~present, axis=1, kind="stable")
    y = np.take_along_axis(rows, where, axis=1)
    k = where.astype(np.int64)
    piece = _find_pieces(y, count, resolution)
    slope, low, high = (np.full(rows.shape[0], np.nan) for _ in range(3))
    best = np.full(rows.shape[0], np.nextafter(LEAST_Z, 0.0))
    # Sums are taken by running totals, which go from left to right whatever the number of rows.
    rise = y[:, SECOND] - y[:, FIRST]
    step = k[:, SECOND] - k[:, FIRST]
    valid = ~np.isnan(rise) & (piece[:, SECOND] == piece[:, FIRST])
    slopes = np.where(valid, rise / np.where(step > 0, step, 1), np.nan)
    for buckets in SUFFIXES:
        inside = k >= BUCKETS - buckets
        inside &= ~np.isnan(y)
        paired = valid & inside[:, FIRST]
        pairs = np.count_nonzero(paired, axis=1)
        ordered = np.sort(np.where(paired, slopes, np.nan), axis=1)
        middle = _find_middle(ordered, pairs)
        score = np.count_nonzero(paired & (rise > 0.0), axis=1) - np.count_nonzero(paired & (rise < 0.0), axis=1)
        same = (piece[:, :, None] == piece[:, None, :]) & inside[:, :, None] & inside[:, None, :]
        size = np.count_nonzero(same, axis=2)
        variance = np.where(size > 0, (size - 1) * (2 * size + 5), 0).sum(axis=1) / 18.0
        correlation = _find_correlation(y, k, piece, inside, middle, resolution)
        deviation = np.sqrt(variance * (1.0 + correlation) / (1.0 - correlation))
        z = np.where(deviation > 0.0, (np.abs(score) - 1.0) / np.where(deviation > 0.0, deviation, 1.0), 0.0)
        # A shorter history counts where no longer one has a trend, or where it says another one.
        place, apart = (pairs - 1) / 2.0, COVERAGE_Z * deviation / 2.0
        below = np.maximum(np.floor(place - apart), 0.0).astype(np.int64)
        above = np.minimum(np.ceil(place + apart), np.maximum(pairs - 1, 0)).astype(np.int64)
        better = (z > best) & (count >= LEAST_POINTS)
        best = np.where(better, z, best)
        slope = np.where(better, middle, slope)
        # What the newer part alone says belongs to the interval: a fault seldom grows along one line.
        least = np.where(better, _pick(ordered, below), np.where(z >= LEAST_Z, np.minimum(middle, low), low))
        most = np.where(better, _pick(ordered, above), np.where(z >= LEAST_Z, np.maximum(middle, high), high))
        low, high = least, most
    level, error = _find_levels(y, k, piece, count, np.where(np.isnan(slope), 0.0, slope))
    untold = np.isnan(level)
    slope, low, high = (np.where(untold, np.nan, values) for values in (slope, low, high))
    few = count < LEAST_POINTS
    return slope, low, high, np.where(few, np.nan, level), np.where(few, np.nan, error)


def _pick(rows: Floats, place: Ints) -> Floats:
    """One value of each row."""
    return np.asarray(np.take_along_axis(rows, place[:, None], axis=1)[:, 0])


def _find_middle(ordered: Floats, count: Ints) -> Floats:
    """The median of each row of rising values, of which only the first `count` are any."""
    upper = _pick(ordered, np.minimum(count // 2, ordered.shape[1] - 1))
    lower = _pick(ordered, np.maximum((count - 1) // 2, 0))
    return np.where(count % 2 == 1, upper, (lower + upper) / 2.0)


def _find_pieces(y: Floats, count: Ints, resolution: Floats) -> Ints:
    change = np.abs(y[:, 1:] - y[:, :-1])
    usual = _find_middle(np.sort(change, axis=1), np.maximum(count - 1, 0))
    padded = np.full((y.shape[0], change.shape[1] + 4), np.nan)
    padded[:, 2:-2] = change
    near = np.stack([padded[:, i : i + change.shape[1]] for i in (0, 1, 3, 4)], axis=2)
    known = np.count_nonzero(~np.isnan(near), axis=2)
    flat = np.sort(near, axis=2).reshape(-1, 4)
    around = _find_middle(flat, known.reshape(-1)).reshape(change.shape)
    # fmax: what is not known bounds nothing.
    bound = np.fmax(np.fmax(usual, resolution)[:, None], around)
    piece = np.zeros(y.shape, dtype=np.int64)
    piece[:, 1:] = np.cumsum(change > JUMP_FACTOR * bound, axis=1)
    return piece


def _find_correlation(y: Floats, k: Ints, piece: Ints, inside: Bools, slope: Floats, resolution: Floats) -> Floats:
    both = inside[:, 1:] & inside[:, :-1] & (piece[:, 1:] == piece[:, :-1])
    change = np.where(both, y[:, 1:] - y[:, :-1] - slope[:, None] * (k[:, 1:] - k[:, :-1]), 0.0)
    rest = np.zeros(y.shape)
    rest[:, 1:] = np.cumsum(change, axis=1)
    n = np.maximum(np.count_nonzero(inside, axis=1), 1)
    mean = np.cumsum(np.where(inside, rest, 0.0), axis=1)[:, -1] / n
    rest = np.where(inside, rest - mean[:, None], 0.0)
    power = np.cumsum(rest * rest, axis=1)[:, -1]
    shifted = np.cumsum(rest[:, 1:] * rest[:, :-1], axis=1)[:, -1]
    floor = ROUNDING * resolution
    tells = (power > n * (floor * floor)) & (power > 0.0)
    return np.where(tells, np.clip(shifted / np.where(tells, power, 1.0), 0.0, MOST_CORRELATION), 0.0)


def _find_levels(y: Floats, k: Ints, piece: Ints, count: Ints, slope: Floats) -> tuple[Floats, Floats]:
    newest = _pick(piece.astype(np.float64), np.maximum(count - 1, 0))
    inside = ~np.isnan(y) & (k >= BUCKETS - LEVEL_BUCKETS) & (piece == newest[:, None])
    n = np.count_nonzero(inside, axis=1)
    about = np.where(inside, y - slope[:, None] * (k - (BUCKETS - 1)), np.nan)
    level = _find_middle(np.sort(about, axis=1), n)
    apart = _find_middle(np.sort(np.abs(about - level[:, None]), axis=1), n)
    error = LEVEL_ERROR * apart / np.sqrt(np.maximum(n, 1))
    tells = n >= LEAST_RECENT
    return np.where(tells, level, np.nan), np.where(tells, error, np.nan)
