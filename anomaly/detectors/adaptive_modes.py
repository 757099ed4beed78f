"""The modes that a slot of the adaptive detector knows, and the level that may become one.

A level that is far from all modes is a candidate. It becomes a mode when it persists: after a few readings during
warm-up, after several times the monitor's own duration later on, after a day while a breach of the series is open, or
at its second visit after one that raised a breach (so that a way of working that is met again does not raise a second
breach).
"""

from collections.abc import Sequence
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
    sign_of,
)

MODES = 6
MEMORY_S = 3_600.0  # time constant of a level, where the monitor names none
WARMUP = 64
BOOT = 16  # readings that are always learnt: nothing can be called far yet
NEAR = 4.0  # robust deviations within which a reading belongs to a mode
SPREAD_SETTLED = 256  # readings of a mode
MEAN_TO_SIGMA = 1.2533141373155  # standard deviation of a normal variable by its mean absolute deviation
TAIL_NORMAL = 2.807  # two-sided 0.5 % point of a normal variable
EXCESS_NORMAL = 0.32  # mean excess of a normal variable over TAIL_NORMAL
ADOPT_WARM = 8.0  # readings a candidate needs during warm-up ...
ADOPT_READINGS = 32.0  # ... and later, with at least the time below
ADOPT_S = 900.0
ADOPT_HOLDS = 4.0  # times the monitor's duration
ADOPT_FROZEN_S = 86_400.0
ADOPT_VISITS = 2  # ... or this many separate visits from the one that raised a breach, with so many readings:
ADOPT_VISIT_READINGS = 16.0
VISIT_APART = 1.0 / ADOPT_HOLDS  # times the time for adoption: a shorter absence is no absence
CANDIDATE_S = 86_400.0  # a candidate not met for this long is forgotten
CANDIDATE_MOST = 64.0


class ModeMemory(SlotArrays):
    """All that the adaptive detector holds of a slot: its modes, what is usual in them, and a candidate for one."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("sign", np.float32, kept=False),
        StateField("resolution", np.float32, kept=False),
        StateField("warmup", np.int32, kept=False),
        StateField("memory", np.float32, kept=False),
        StateField("adopt_s", np.float32, kept=False),
        StateField("center", np.float64, width=MODES, is_across=True),
        StateField("spread", np.float32, width=MODES, is_across=True),
        StateField("learnt", np.float32, width=MODES, is_across=True),  # readings of the mode; 0: the mode is free
        StateField("used", np.int32, width=MODES, is_across=True),  # `seen` when the mode was last met
        StateField("mode", np.int8),
        StateField("seen", np.int32),
        StateField("varied", np.int32),
        StateField("last_us", np.int64, fill=int(NEVER)),
        StateField("tail", np.float32, fill=TAIL_NORMAL),
        StateField("outside", np.bool_),  # beyond the tail, and not yet back
        StateField("excess", np.float32, fill=EXCESS_NORMAL),
        StateField("adoptions", np.int32),
        StateField("lowest", np.float64, fill=np.nan),  # level ever adopted, or the first one
        StateField("highest", np.float64, fill=np.nan),
        StateField("candidate", np.float64),
        StateField("candidate_spread", np.float32),
        StateField("candidate_n", np.float32),  # its readings; negative: left again since
        StateField("candidate_visits", np.int32),
        StateField("candidate_us", np.int64, fill=int(NEVER)),  # begin of the current visit
        StateField("candidate_last_us", np.int64, fill=int(NEVER)),
        StateField("credit", np.float32),  # readings that a spread counts for which was kept when the level was not
    )
    sign: Singles
    resolution: Singles
    warmup: NDArray[np.int32]
    memory: Singles
    adopt_s: Singles
    center: Floats
    spread: Singles
    learnt: Singles
    used: NDArray[np.int32]
    mode: NDArray[np.int8]
    seen: NDArray[np.int32]
    varied: NDArray[np.int32]
    last_us: Ints
    tail: Singles
    outside: Bools
    excess: Singles
    adoptions: NDArray[np.int32]
    lowest: Floats
    highest: Floats
    candidate: Floats
    candidate_spread: Singles
    candidate_n: Singles
    candidate_visits: NDArray[np.int32]
    candidate_us: Ints
    candidate_last_us: Ints
    credit: Singles

    def add_slots(self, settings: Sequence[SlotSettings]) -> Ints:
        """See `Detector.add_slots`."""
        slots = self._grow(len(settings))
        self.sign[slots] = [sign_of(s.direction) for s in settings]
        self.resolution[slots] = [s.resolution for s in settings]
        self.warmup[slots] = [s.warmup or WARMUP for s in settings]
        self.memory[slots] = [s.window_s or MEMORY_S for s in settings]
        self.adopt_s[slots] = [max(ADOPT_S, ADOPT_HOLDS * s.hold_s) for s in settings]
        return slots

    def relearn(self, slot: Ints) -> None:
        """Goes through warm-up again: the known modes and spreads stay, new ones are taken on readily."""
        self.varied[slot] = 0
        self.candidate_n[slot] = 0.0

    def begin_anew(self, slot: Ints) -> None:
        """See `Detector.begin_anew`: all levels are forgotten, the spread and the tail of the present one stay."""
        at = self._find_places(slot, self.mode[slot])
        spread = self.spread[at]
        known = np.maximum(self.learnt[at], self.credit[slot])
        kept = {name: getattr(self, name)[slot].copy() for name in ("tail", "excess")}
        self.reset(slot)
        self.spread.reshape(MODES, -1)[:, slot] = spread
        self.credit[slot] = np.where(known >= BOOT, np.minimum(known, SPREAD_SETTLED), 0.0)
        for name, values in kept.items():
            getattr(self, name)[slot] = values

    def _find_places(self, slot: Ints, mode: NDArray[np.integer[Any]]) -> Ints:
        """Where the arrays of modes hold these modes of these slots."""
        return mode.astype(np.int64) * self.size + slot

    def _find_nearest_mode(self, slot: Ints, value: Floats, resolution: Singles) -> Ints:
        """The mode (as an index of `center`) from which each value lies the fewest spreads away; it is entered."""
        best = self._find_places(slot, self.mode[slot])
        least = np.full(slot.shape[0], np.inf)
        for k in range(MODES):
            at = slot + k * self.size
            distance = np.abs(value - self.center[at]) / np.maximum(self.spread[at], resolution)
            closer = (self.learnt[at] > 0.0) & (distance < least)
            best = np.where(closer, at, best)
            least = np.where(closer, distance, least)
        return best

    def _lies_between_modes(self, slot: Ints, value: Floats) -> Bools:
        """True where more levels were met than there are places for, and the value lies between the outermost."""
        return (self.adoptions[slot] >= MODES) & (self.lowest[slot] <= value) & (value <= self.highest[slot])

    def _follow_candidates(
        self,
        slot: Ints,
        observed_us: Ints,
        value: Floats,
        far: Bools,
        deviation: Singles,
        spread: Singles,
        frozen: Bools,
        warm: Bools,
    ) -> None:
        near = slot[~far]
        # Left for a known level: where levels are the user's choice, one that was held has become one of them.
        self._widen(near[(self.adoptions[near] >= MODES) & (self.candidate_n[near] >= ADOPT_READINGS)])
        self.candidate_n[near] = -np.abs(self.candidate_n[near])
        slot, observed_us, value, frozen, warm = slot[far], observed_us[far], value[far], frozen[far], warm[far]
        votes = self.candidate_n[slot].astype(np.float64)
        old = self.candidate[slot]
        old_spread = self.candidate_spread[slot].astype(np.float64)
        offset = value - old
        wanted = self.adopt_s[slot].astype(np.float64)
        last_us = np.where(votes != 0.0, self.candidate_last_us[slot], observed_us)
        met = (votes != 0.0) & ((observed_us - last_us) * MICROS <= CANDIDATE_S)
        joins = met & (np.abs(offset) <= NEAR * old_spread)
        # A far reading elsewhere takes one vote from the candidate, and its place when there is none left.
        outvoted = met & ~joins & (np.abs(votes) > 1.0)
        starts = ~joins & ~outvoted
        n = np.where(joins, np.minimum(np.abs(votes) + 1.0, CANDIDATE_MOST), np.where(starts, 1.0, np.abs(votes) - 1.0))
        gain = 1.0 / n
        # The noise at a new level may be larger: the first guess of it comes from the size of the jump.
        guess = np.maximum(spread[far], np.abs(deviation[far]) / 16.0)
        new_spread = old_spread + (2.0 / (n + 2.0)) * (np.abs(offset) * MEAN_TO_SIGMA - old_spread)
        self.candidate[slot] = np.where(joins, old + offset * gain, np.where(starts, value, old))
        joined_spread = np.maximum(new_spread, spread[far])
        self.candidate_spread[slot] = np.where(joins, joined_spread, np.where(starts, guess, old_spread))
        away = (observed_us - last_us) * MICROS >= wanted * VISIT_APART
        again = joins & (votes < 0.0) & away
        # Only a visit that raised a breach counts as the first: a fault that grows also comes and goes at its limit.
        visits = np.where(starts, 0, self.candidate_visits[slot])
        visits = np.where(visits > 0, visits + again, frozen)
        since = np.where(starts | again, observed_us, self.candidate_us[slot])
        self.candidate_n[slot] = np.where(outvoted & (votes < 0.0), -n, n)
        self.candidate_visits[slot] = visits
        self.candidate_us[slot] = since
        self.candidate_last_us[slot] = np.where(outvoted, last_us, observed_us)

        age = (observed_us - since) * MICROS
        long_enough = (n >= ADOPT_READINGS) & (age >= np.where(frozen, np.maximum(wanted, ADOPT_FROZEN_S), wanted))
        known = (visits >= ADOPT_VISITS) & (n >= ADOPT_VISIT_READINGS)
        adopted = joins & np.where(warm | frozen, long_enough | known, n >= ADOPT_WARM)
        if adopted.any():
            self._adopt(slot[adopted])

    def _adopt(self, slot: Ints) -> None:
        """Makes the candidates modes: in a free place, else in that of the mode that was not met for longest."""
        place = np.zeros(slot.shape[0], dtype=np.int64)
        least = np.full(slot.shape[0], np.iinfo(np.int64).max)
        for k in range(MODES):
            at = slot + k * self.size
            age = np.where(self.learnt[at] > 0.0, self.used[at].astype(np.int64), -1)
            place = np.where(age < least, k, place)
            least = np.minimum(age, least)
        at = self._find_places(slot, place)
        self.center[at] = self.candidate[slot]
        self.spread[at] = self.candidate_spread[slot]
        self.learnt[at] = self.candidate_n[slot]
        self.used[at] = self.seen[slot]
        self.mode[slot] = place
        self.candidate_n[slot] = 0.0
        self.adoptions[slot] += 1
        self._widen(slot)

    def _widen(self, slot: Ints) -> None:
        first_mode = self.center[slot]
        for outermost, choose in ((self.lowest, np.minimum), (self.highest, np.maximum)):
            known = np.where(np.isfinite(outermost[slot]), outermost[slot], first_mode)
            outermost[slot] = choose(known, self.candidate[slot])

    def find_expected(self, slot: int) -> tuple[float, float]:
        """(level, one robust deviation in the sensor's unit) of the mode that the slot is in."""
        at = slot + int(self.mode[slot]) * self.size
        spread = max(float(self.spread[at]), float(self.resolution[slot]))
        return float(self.center[at]), spread * float(self.tail[slot]) / TAIL_NORMAL
