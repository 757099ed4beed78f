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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import (
    Bools,
    Floats,
    Ints,
    Singles,
    SlotArrays,
    SlotSettings,
    StepDetector,
)
from anomaly.detectors.novelty.calibration import TailCalibration
from anomaly.detectors.novelty.logarithm import find_log1p
from anomaly.detectors.novelty.season import SeasonProfile
from anomaly.detectors.novelty.sequence import SequenceModel
from anomaly.detectors.novelty.shape import ShapeMemory
from anomaly.detectors.novelty.stream import StreamMemory
from anomaly.detectors.step_slots import StepSlots, find_differences, find_rows
from domain.profile import MonitorRule

PARTS = ("season", "level", "sequence", "shape")
WEIGHTS = tuple(np.float32(w) for w in (0.0, -0.5, -1.5, -1.0))  # log10 of its probability's share, added to a score
SHAPE = PARTS.index("shape")
SHAPE_EVERY = 4  # readings, a power of two: successive shapes share most of theirs
PERSISTS = (64, 1, 1, 16)  # readings; the short mean and the sequence stay away for long as they are
WARMUP = 100
SPREAD_KEPT = 1_000  # readings that a spread kept over a repair counts for at most
SIZE_MOST = np.float32(1e9)


class NoveltyDetector(StreamMemory, StepDetector):
    """-log10 of how improbable a reading is on its own series; silent during warm-up and while the series is stuck."""

    RULE = MonitorRule.NOVELTY
    LEARNS = True

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


def _find_learning(stuck: Bools | None, frozen: Bools | None) -> Bools | None:
    """Where a reading may teach; None: everywhere."""
    if frozen is None or not frozen.any():
        return None if stuck is None else ~stuck
    return ~frozen if stuck is None else ~(frozen | stuck)
