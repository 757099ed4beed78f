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
from domain.profile import MonitorRule

PARTS = ("season", "level", "sequence", "shape")
WEIGHTS = (0.0, -0.5, -1.5, -1.0)  # log10 of the share of its probability, added to a part's score
SHAPE = PARTS.index("shape")
SHAPE_EVERY = 4  # readings: successive shapes share most of theirs
PERSISTS = (64, 1, 1, 16)  # readings; the short mean and the sequence stay away for long as they are
WARMUP = 100
SPREAD_KEPT = 1_000  # readings that a spread kept over a repair counts for at most
BOOT = 8  # readings before a spread means anything
LEVEL_GAIN_LEAST = 1.0 / 256.0
SPREAD_GAIN_LEAST = 1.0 / 512.0
SHORT_GAIN = 1.0 / 8.0
LONG_GAIN_LEAST = 1.0 / 512.0
RANGE_SHARE = 1e-3  # of all that was seen: a smaller deviation is none
PACE_GAIN = 1.0 / 16.0
GAP_PACES = 8.0
GAP_LEAST_S = 1.0
STUCK_READINGS = 64
RUN_MOST = 60_000
STUCK_FACTOR = 8.0  # times the longest run of one value so far
ELAPSED_MOST_S = 3_600.0
SIZE_MOST = 1e9


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
    resolution: NDArray[np.float32]
    warmup: NDArray[np.int32]
    anchor: Floats
    last_us: Ints
    seen: NDArray[np.int32]
    pace: NDArray[np.float32]
    lowest: NDArray[np.float32]
    highest: NDArray[np.float32]
    level: NDArray[np.float32]
    spread: NDArray[np.float32]
    short: NDArray[np.float32]
    long: NDArray[np.float32]
    shift: NDArray[np.float32]
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
        if finite.all():
            return self._step_finite(slot, observed_us, value, frozen)
        score = np.full(slot.shape[0], np.nan)
        held = None if frozen is None else frozen[finite]
        score[finite] = self._step_finite(slot[finite], observed_us[finite], value[finite], held)
        return score

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        seen = self.seen[slot]
        is_first = seen == 0
        anchor = np.where(is_first, value, self.anchor[slot])
        self.anchor[slot] = anchor
        at = value - anchor
        elapsed, broken = self._follow_clock(slot, observed_us)
        stuck = self._follow_runs(slot, value)
        learn = ~stuck if frozen is None else ~stuck & ~frozen
        least = self._widen_range(slot, at, learn)

        spread = self.spread[slot].astype(np.float64) + least
        deviation = np.where(is_first, 0.0, at - self.level[slot])
        moved, has_long = self._follow_level(slot, at, seen, deviation, least, learn)
        unusual, has_hour = self.season.find_surprise(slot, observed_us, at, elapsed, least, learn)
        rare, has_last = self.sequence.find_rarity(slot, deviation / spread, broken, learn)
        self.shape.note(slot, at, broken)

        best = np.zeros(slot.shape[0])
        owner = np.zeros(slot.shape[0], dtype=np.int64)
        for k, (surprise, speaks) in enumerate(((unusual, has_hour), (moved, has_long), (rare, has_last))):
            score = self._calibrate(k, slot, surprise, speaks, learn)
            larger = score > best
            best = np.where(larger, score, best)
            owner = np.where(larger, k, owner)
        turn = np.flatnonzero(seen % SHAPE_EVERY == 0)
        if turn.shape[0]:
            at_turn, may_learn = slot[turn], learn[turn]
            far, has_shape = self.shape.find_surprise(at_turn, spread[turn], may_learn)
            score = self._calibrate(SHAPE, at_turn, far, has_shape, may_learn)
            larger = score > best[turn]
            best[turn] = np.where(larger, score, best[turn])
            owner[turn] = np.where(larger, SHAPE, owner[turn])
        self.part[slot] = owner
        self.seen[slot] = seen + 1
        return np.where((seen >= self.warmup[slot]) & ~stuck, best, np.nan)

    def _calibrate(self, part: int, slot: Ints, surprise: Floats, speaks: Bools, learn: Bools) -> Floats:
        size = find_log1p(np.minimum(surprise, SIZE_MOST))
        return self.tails[part].calibrate(slot, size, speaks, learn) + WEIGHTS[part]

    def _follow_clock(self, slot: Ints, observed_us: Ints) -> tuple[Floats, Bools]:
        """Seconds since the last reading (bounded), and whether that is a gap."""
        last_us = self.last_us[slot]
        known = last_us != NEVER
        elapsed = np.where(known, observed_us - np.where(known, last_us, observed_us), 0) * MICROS
        self.last_us[slot] = observed_us
        pace = self.pace[slot].astype(np.float64)
        gap = known & (pace > 0.0) & (elapsed > np.maximum(GAP_PACES * pace, GAP_LEAST_S))
        usual = np.where(pace > 0.0, pace + PACE_GAIN * (np.minimum(elapsed, GAP_PACES * pace) - pace), elapsed)
        self.pace[slot] = np.where(known, usual, pace)
        return np.minimum(np.maximum(elapsed, 0.0), ELAPSED_MOST_S), gap

    def _follow_runs(self, slot: Ints, value: Floats) -> Bools:
        """Where one value has been repeated for far longer than ever before."""
        same = value == self.last[slot]
        before = self.run[slot].astype(np.int64)
        run = np.where(same, np.minimum(before + 1, RUN_MOST), 1)
        longest = self.longest_run[slot].astype(np.int64)
        self.longest_run[slot] = np.where(same, longest, np.maximum(longest, before))
        self.run[slot] = run
        self.last[slot] = value
        stuck: Bools = run > np.maximum(STUCK_FACTOR * longest, STUCK_READINGS)
        return stuck

    def _widen_range(self, slot: Ints, at: Floats, learn: Bools) -> Floats:
        """The smallest deviation that counts as one: a share of the range so far, at least what the sensor resolves."""
        lowest, highest = self.lowest[slot].astype(np.float64), self.highest[slot].astype(np.float64)
        low, high = np.minimum(lowest, at), np.maximum(highest, at)
        self.lowest[slot] = np.where(learn, low, lowest)
        self.highest[slot] = np.where(learn, high, highest)
        return np.maximum(RANGE_SHARE * (high - low), self.resolution[slot])

    def _follow_level(
        self, slot: Ints, at: Floats, seen: NDArray[np.int32], deviation: Floats, least: Floats, learn: Bools
    ) -> tuple[Floats, Bools]:
        """How far the short mean lies from the long one, in what is usual; level and spread learn."""
        once = 1.0 / (seen + 1.0)
        level, spread = self.level[slot].astype(np.float64), self.spread[slot].astype(np.float64)
        short, long = self.short[slot].astype(np.float64), self.long[slot].astype(np.float64)
        shift = self.shift[slot].astype(np.float64)
        new_short = short + np.maximum(once, SHORT_GAIN) * (at - short)
        away = new_short - long
        gain = np.maximum(once, LONG_GAIN_LEAST)
        self.level[slot] = np.where(learn, level + np.maximum(once, LEVEL_GAIN_LEAST) * deviation, level)
        widened = spread + np.maximum(once, SPREAD_GAIN_LEAST) * (np.abs(deviation) - spread)
        self.spread[slot] = np.where(learn, widened, spread)
        self.short[slot] = np.where(learn, new_short, short)
        self.long[slot] = np.where(learn, long + gain * away, long)
        self.shift[slot] = np.where(learn, shift + gain * (np.abs(away) - shift), shift)
        return np.abs(away) / (shift + least), seen >= BOOT
