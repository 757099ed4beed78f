"""The novelty detector: what this series never did at this time of its day or week, in this order or in this shape.

Four parts judge every reading: its season, its level (a short mean against a long one), the sequence and the shape.
Each gives a surprise; a tail fitted on the stream of just that surprise turns it into -log10 of a probability, so that
one limit means one rate of false alarms on every series. The score is the largest of them, and `part` says whose it is.
Parts other than the season are believed less: their probability is multiplied by a weight first, which shares the
false alarms out between the parts.

Guards. A value that is not finite is never learnt. A series that repeats one value far longer than it ever did is
stuck: it is not judged until it moves again, and not learnt. After a gap the sequence and the shape begin anew.
All arithmetic is on differences from the first reading, in units of the series' own spread: another unit of the sensor
changes no alarm.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import (
    MICROS,
    NEVER,
    Bools,
    Floats,
    Ints,
    Singles,
    SlotArrays,
    SlotSettings,
    StateField,
    StepDetector,
)
from anomaly.detectors.novelty.calibration import TailCalibration
from anomaly.detectors.novelty.logarithm import find_log1p
from anomaly.detectors.novelty.season import SeasonProfile
from anomaly.detectors.novelty.sequence import SequenceModel
from anomaly.detectors.novelty.shape import ShapeMemory
from anomaly.detectors.step_slots import StepSlots, find_differences, find_rows
from domain.profile import MonitorRule

PARTS = ("season", "level", "sequence", "shape")
WEIGHTS = tuple(np.float32(w) for w in (0.0, -0.5, -1.5, -1.0))  # log10 of its probability's share, added to a score
SHAPE = PARTS.index("shape")
SHAPE_EVERY = 4  # readings, a power of two: successive shapes share most of theirs
PERSISTS = (64, 1, 1, 16)  # readings; the short mean and the sequence stay away for long as they are
WARMUP = 100
SPREAD_KEPT = 1_000  # readings that a spread kept over a repair counts for at most
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
SIZE_MOST = np.float32(1e9)


class NoveltyDetector(StepDetector):
    """-log10 of how improbable a reading is on its own series; silent during warm-up and while the series is stuck."""

    RULE = MonitorRule.NOVELTY
    LEARNS = True
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

    def __init__(self) -> None:
        super().__init__()
        self.season = SeasonProfile()
        self.sequence = SequenceModel()
        self.shape = ShapeMemory()
        self.tails = tuple(TailCalibration(persists) for persists in PERSISTS)
        self.children: dict[str, SlotArrays] = {
            "season": self.season,
            "sequence": self.sequence,
            "shape": self.shape,
            **{f"tail_{name}": tail for name, tail in zip(PARTS, self.tails, strict=True)},
        }

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.resolution[slots] = [s.resolution for s in settings]
        self.warmup[slots] = [s.warmup or WARMUP for s in settings]
        self.season.add_slots(len(settings))
        self.sequence.add_slots(len(settings))
        self.shape.add_slots(len(settings))
        for tail in self.tails:
            tail.add_slots(len(settings))
        return slots

    def reset(self, slot: Ints) -> None:
        """See `SlotArrays.reset`."""
        super().reset(slot)
        for child in self.children.values():
            child.reset(slot)

    def state_to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `SlotArrays.state_to_arrays`."""
        arrays = super().state_to_arrays()
        for name, child in self.children.items():
            arrays |= {f"{name}.{field}": array for field, array in child.state_to_arrays().items()}
        return arrays

    def adopt_arrays(self, arrays: Mapping[str, NDArray[Any]], source: Ints, target: Ints) -> None:
        """See `SlotArrays.adopt_arrays`."""
        super().adopt_arrays(arrays, source, target)
        for name, child in self.children.items():
            start = f"{name}."
            own = {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
            child.adopt_arrays(own, source, target)

    @property
    def bytes_per_slot(self) -> int:
        """See `SlotArrays.bytes_per_slot`."""
        return super().bytes_per_slot + sum(child.bytes_per_slot for child in self.children.values())

    def relearn(self, slot: Ints) -> None:
        """Forgets these slots: what they did under other firmware says nothing of what is usual now."""
        self.reset(slot)

    def begin_anew(self, slot: Ints) -> None:
        """See `Detector.begin_anew`: the spread and the tails stay, all else is learnt anew."""
        spread, season_spread = self.spread[slot].copy(), self.season.spread[slot].copy()
        judged = np.minimum(self.season.judged[slot], SPREAD_KEPT)
        tails = [tail.state_to_arrays() for tail in self.tails]
        self.reset(slot)
        self.spread[slot], self.season.spread[slot], self.season.judged[slot] = spread, season_spread, judged
        for tail, arrays in zip(self.tails, tails, strict=True):
            tail.adopt_arrays(arrays, slot, slot)

    def step(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None = None) -> Floats:
        """See `StepDetector.step`."""
        finite = np.isfinite(value)
        if finite.all() and slot.shape[0]:
            return self._step_finite(slot, observed_us, value, frozen)
        score = np.full(slot.shape[0], np.nan)
        if finite.any():
            held = None if frozen is None else frozen[finite]
            score[finite] = self._step_finite(slot[finite], observed_us[finite], value[finite], held)
        return score

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        slots = StepSlots(slot)
        seen = self.seen[slots.at]
        first = find_rows(seen == 0)
        if first.shape[0]:
            self.anchor[slot[first]], self.last_us[slot[first]] = value[first], observed_us[first]
        at = find_differences(value, self.anchor[slots.at])
        elapsed, broken = self._follow_clock(slots, observed_us)
        stuck = self._follow_runs(slots, value)
        learn = _find_learning(stuck, frozen)
        least = self._widen_range(slots, at, learn)

        spread = self.spread[slots.at] + least
        deviation = at - self.level[slots.at]
        moved, has_long = self._follow_level(slots, at, seen, deviation, least, learn)
        unusual, has_hour = self.season.find_surprise(slots, observed_us, at, elapsed, least, learn)
        rare, has_last = self.sequence.find_rarity(slots, deviation / spread, broken, learn)
        self.shape.note(slots, at, broken)

        best = np.zeros(slot.shape[0], dtype=np.float32)
        owner = np.zeros(slot.shape[0], dtype=np.int8)
        for k, (surprise, speaks) in enumerate(((unusual, has_hour), (moved, has_long), (rare, has_last))):
            score = self._calibrate(k, slots, surprise, speaks, learn)
            np.maximum(owner, (score > best) * np.int8(k), out=owner)
            np.maximum(best, score, out=best)
        turn = find_rows((seen & (SHAPE_EVERY - 1)) == 0)
        if turn.shape[0]:
            at_turn, may_learn = slot[turn], None if learn is None else learn[turn]
            far, has_shape = self.shape.find_surprise(at_turn, spread[turn], may_learn)
            score = self._calibrate(SHAPE, StepSlots(at_turn), far, has_shape, may_learn)
            larger = turn[score > best[turn]]
            owner[larger] = SHAPE
            best[turn] = np.maximum(best[turn], score)
        self.part[slots.at] = owner
        found = best.astype(np.float64)
        found[find_rows(seen < self.warmup[slots.at])] = np.nan
        if stuck is not None:
            found[stuck] = np.nan
        self.seen[slots.at] = seen + np.int32(1)
        return found

    def _calibrate(
        self, part: int, slots: StepSlots, surprise: Singles, speaks: Bools | None, learn: Bools | None
    ) -> Singles:
        size = find_log1p(np.minimum(surprise, SIZE_MOST))
        score = self.tails[part].calibrate(slots, size, speaks, learn)
        score += WEIGHTS[part]
        return score

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


def _find_learning(stuck: Bools | None, frozen: Bools | None) -> Bools | None:
    """Where a reading may teach; None: everywhere."""
    if frozen is None or not frozen.any():
        return None if stuck is None else ~stuck
    return ~frozen if stuck is None else ~(frozen | stuck)
