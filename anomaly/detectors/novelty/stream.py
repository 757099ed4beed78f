"""What a stream usually does, whatever the hour: its pace, how long it repeats a value, its range and its levels."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import MICROS, NEVER, Bools, Floats, Ints, Singles, SlotArrays, StateField
from anomaly.detectors.step_slots import StepSlots, find_rows

BOOT = 8  # readings before a spread means anything
ZERO, ONE = np.float32(0.0), np.float32(1.0)
LEVEL_GAIN_LEAST = np.float32(1.0 / 256.0)
SPREAD_GAIN_LEAST = np.float32(1.0 / 512.0)
SHORT_GAIN = np.float32(1.0 / 8.0)
LONG_GAIN_LEAST = np.float32(1.0 / 512.0)
RANGE_SHARE = np.float32(1e-3)  # of all that was seen: a smaller deviation is none
PACE_GAIN = np.float32(1.0 / 16.0)
GAP_PACES = np.float32(8.0)
GAP_LEAST_S = np.float32(1.0)
STUCK_READINGS = 64
RUN_MOST = np.uint16(60_000)
STUCK_FACTOR = np.float32(8.0)  # times the longest run of one value so far
ELAPSED_MOST_S = np.float32(3_600.0)


class StreamMemory(SlotArrays):
    """All that the novelty detector holds of a slot beside its season, sequence, shapes and tails."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("resolution", np.float32, kept=False),
        StateField("warmup", np.int32, kept=False),
        StateField("anchor", np.float64),  # first reading
        StateField("last_us", np.int64, fill=int(NEVER)),
        StateField("seen", np.int32),
        StateField("pace", np.float32),  # usual seconds between readings
        StateField("lowest", np.float32),
        StateField("highest", np.float32),
        StateField("level", np.float32),
        StateField("spread", np.float32),
        StateField("short", np.float32),
        StateField("long", np.float32),
        StateField("shift", np.float32),  # usual distance of the short mean from the long one
        StateField("last", np.float64, fill=np.nan),
        StateField("run", np.uint16),  # readings of one value until now, at most RUN_MOST
        StateField("longest_run", np.uint16),
        StateField("part", np.int8),  # whose the last score is
    )
    resolution: Singles
    warmup: NDArray[np.int32]
    anchor: Floats
    last_us: Ints
    seen: NDArray[np.int32]
    pace: Singles
    lowest: Singles
    highest: Singles
    level: Singles
    spread: Singles
    short: Singles
    long: Singles
    shift: Singles
    last: Floats
    run: NDArray[np.uint16]
    longest_run: NDArray[np.uint16]
    part: NDArray[np.int8]

    def _follow_clock(self, slots: StepSlots, observed_us: Ints) -> tuple[Singles, Bools | None]:
        """Seconds since the last reading (bounded), and whether that is a gap; None: it is nowhere."""
        elapsed = ((observed_us - self.last_us[slots.at]) * MICROS).astype(np.float32)
        self.last_us[slots.at] = observed_us
        pace = self.pace[slots.at]
        longest = pace * GAP_PACES
        usual = np.minimum(elapsed, longest)
        usual -= pace
        usual *= PACE_GAIN
        usual += pace
        unpaced = find_rows(~(pace > 0.0))
        usual[unpaced] = elapsed[unpaced]
        gap: Bools = elapsed > np.maximum(longest, GAP_LEAST_S)
        gap[unpaced] = False
        self.pace[slots.at] = usual
        np.minimum(elapsed, ELAPSED_MOST_S, out=elapsed)
        np.maximum(elapsed, ZERO, out=elapsed)
        return elapsed, gap if gap.any() else None

    def _follow_runs(self, slots: StepSlots, value: Floats) -> Bools | None:
        """Where one value has been repeated for far longer than ever before; None: nowhere."""
        same = value == self.last[slots.at]
        before, longest = self.run[slots.at], self.longest_run[slots.at]
        run = np.minimum(before, RUN_MOST - np.uint16(1))
        run *= same
        run += np.uint16(1)
        longest = np.maximum(longest, before * ~same)
        self.longest_run[slots.at] = longest
        self.run[slots.at] = run
        self.last[slots.at] = value
        if run.max() <= STUCK_READINGS:
            return None
        stuck: Bools = run > np.maximum(STUCK_FACTOR * longest.astype(np.float32), STUCK_READINGS)
        return stuck if stuck.any() else None

    def _widen_range(self, slots: StepSlots, at: Singles, learn: Bools | None) -> Singles:
        """The smallest deviation that counts as one: a share of the range so far, at least what the sensor resolves."""
        lowest, highest = self.lowest[slots.at], self.highest[slots.at]
        low, high = np.minimum(lowest, at), np.maximum(highest, at)
        least = high - low
        least *= RANGE_SHARE
        self.lowest[slots.at] = low if learn is None else np.where(learn, low, lowest)
        self.highest[slots.at] = high if learn is None else np.where(learn, high, highest)
        np.maximum(least, self.resolution[slots.at], out=least)
        return least

    def _follow_level(
        self,
        slots: StepSlots,
        at: Singles,
        seen: NDArray[np.int32],
        deviation: Singles,
        least: Singles,
        learn: Bools | None,
    ) -> tuple[Singles, Bools | None]:
        """How far the short mean lies from the long one, in what is usual; level and spread learn."""
        places = slots.at
        count = seen.astype(np.float32)
        count += ONE
        once = ONE / count
        level, spread, short, long = (a[places] for a in (self.level, self.spread, self.short, self.long))
        shift = self.shift[places]
        new_short = at - short
        new_short *= np.maximum(once, SHORT_GAIN)
        new_short += short
        away = new_short - long
        far = np.abs(away)
        surprise = far / (shift + least)
        gain = np.maximum(once, LONG_GAIN_LEAST)
        new_level = deviation * np.maximum(once, LEVEL_GAIN_LEAST)
        new_level += level
        new_spread = np.abs(deviation)
        new_spread -= spread
        new_spread *= np.maximum(once, SPREAD_GAIN_LEAST)
        new_spread += spread
        away *= gain
        away += long
        far -= shift
        far *= gain
        far += shift
        if learn is not None:
            new_level, new_spread = np.where(learn, new_level, level), np.where(learn, new_spread, spread)
            new_short, away = np.where(learn, new_short, short), np.where(learn, away, long)
            far = np.where(learn, far, shift)
        self.level[places], self.spread[places], self.short[places] = new_level, new_spread, new_short
        self.long[places], self.shift[places] = away, far
        if seen.min() >= BOOT:
            return surprise, None
        return surprise, seen >= BOOT
