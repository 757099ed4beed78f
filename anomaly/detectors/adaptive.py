"""The adaptive detector: robust deviations of a reading from its own series' past, with no training.

A device works in modes (a pump at 2, 5 or 10 ml/h, or stopped), and each mode has a level and a spread. The detector
holds up to six modes per slot. A reading is judged by the mode that the series is in, or by the nearest mode that it
is known to have; so switching back to a known mode is no news. Per mode, level and spread are exponentially weighted
with a gain of at least 1/n, the spread from absolute deviations that are clipped (far outliers pull neither). The 0.5 %
tail of the standardised deviations is tracked, and a series with a heavy tail has its deviations scaled down until that
tail looks like a normal one: a "robust deviation" means the same rarity on every series.

What is far from all modes is not learnt. It is collected as a candidate, and becomes a mode when it persists: after a
few readings during warm-up, after several times the monitor's own duration later on, after a day while a breach of the
series is open, or at its second visit after one that raised a breach (so that a way of working that is met again does
not raise a second breach).
A series that took on more than six levels works at levels of its user's choice: what lies between levels at which it
stayed is then no longer abnormal, only what lies outside of them. A series that never varied says nothing: warm-up
counts readings that differ from the level.

Sources: Roberts 1959 (EWMA); Siffer et al. 2017 (peaks over a threshold with a tail fitted on the stream; here an
exponential one); stochastic approximation of a quantile after Robbins and Monro 1951.
"""

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.adaptive_modes import (
    BOOT,
    MEAN_TO_SIGMA,
    NEAR,
    SPREAD_SETTLED,
    TAIL_NORMAL,
    ModeMemory,
)
from anomaly.detectors.contract import MICROS, NEVER, Bools, Floats, Ints, Singles, StepDetector
from anomaly.detectors.step_slots import StepSlots, find_differences, find_rows
from domain.profile import MonitorRule

SPREAD_MEMORY_S = 86_400.0
SPREAD_GAIN_MOST = 1.0 / 256.0
SPREAD_CLIP = 3.0  # spreads beyond which a deviation counts as this much
LEVEL_GAIN_MOST = 1.0 / 8.0
TAIL_P = 0.005
TAIL_MOST = 12.0
TAIL_GAIN = 0.1
MOST = 1e6
LOG10_TAIL = 2.301029995663981  # -log10 TAIL_P
LN_10 = 2.302585092994046
EXCESS_GAIN = 0.05
TAIL_RISE, TAIL_FALL = TAIL_GAIN * (1.0 - TAIL_P), TAIL_GAIN * TAIL_P


class AdaptiveDetector(ModeMemory, StepDetector):
    """Robust deviations from the nearest known mode, signed by the monitor's direction; silent during warm-up."""

    RULE = MonitorRule.ADAPTIVE
    LEARNS = True

    def _step_finite(self, slot: Ints, observed_us: Ints, value: Floats, frozen: Bools | None) -> Floats:
        slots = StepSlots(slot)
        here = slots.at
        seen, resolution, tail = self.seen[here], self.resolution[here], self.tail[here]
        at = self._find_places(slot, self.mode[here])
        center, raw = self.center[at], self.spread[at]
        spread = np.maximum(raw, resolution)
        deviation = find_differences(value, center)
        distance = np.minimum(np.abs(deviation) / spread, MOST)
        scale = TAIL_NORMAL / tail
        robust = distance * scale

        settled = seen >= BOOT
        far = robust > NEAR
        far &= settled
        rows = find_rows(far)
        if rows.shape[0]:
            some = slot[rows]
            at[rows] = self._find_nearest_mode(some, value[rows], resolution[rows])
            center[rows], raw[rows] = self.center[at[rows]], self.spread[at[rows]]
            spread[rows] = np.maximum(raw[rows], resolution[rows])
            deviation[rows] = find_differences(value[rows], center[rows])
            distance[rows] = np.minimum(np.abs(deviation[rows]) / spread[rows], MOST)
            away = distance[rows] * scale[rows]
            far[rows] = away > NEAR
            robust[rows] = np.where(self._lies_between_modes(some, value[rows]), np.minimum(away, NEAR), away)
        score = _orient(robust, deviation, self.sign[here]).astype(np.float64)
        warm = self.varied[here] >= self.warmup[here]
        score[find_rows(~warm)] = np.nan

        elapsed_us = observed_us - self.last_us[here]
        elapsed_us[find_rows(self.last_us[here] == NEVER)] = 0
        self.last_us[here] = observed_us
        elapsed = (elapsed_us * MICROS).astype(np.float32)
        # Rows that are not learnt: far ones, and those of series with an open breach.
        held = find_rows(far if frozen is None else far | frozen)
        self._learn(slots, at, center, deviation, raw, spread, elapsed, seen, held)
        near = rows[~far[rows]] if frozen is None else rows[~(far[rows] | frozen[rows])]
        self.mode[slot[near]] = at[near] // self.size
        settled[held] = False
        self._learn_tail(slots, distance, tail, settled)
        self.varied[here] += np.abs(deviation) > resolution * 0.5
        self.seen[here] = seen + np.int32(1)
        candidates = find_rows(far | (self.candidate_n[here] > 0.0))  # of near ones those that just left a candidate
        if candidates.shape[0]:
            is_held = np.zeros(candidates.shape[0], dtype=bool) if frozen is None else frozen[candidates]
            self._follow_candidates(
                slot[candidates],
                observed_us[candidates],
                value[candidates],
                far[candidates],
                deviation[candidates],
                spread[candidates],
                is_held,
                warm[candidates],
            )
        return score

    def _learn(
        self,
        slots: StepSlots,
        at: Ints,
        center: Floats,
        deviation: Singles,
        raw: Singles,
        spread: Singles,
        elapsed: Singles,
        seen: NDArray[np.int32],
        held: Ints,
    ) -> None:
        """Level and spread of the modes at `at` follow, except in the rows `held`."""
        here = slots.at
        learnt = self.learnt[at]
        n = learnt + 1.0
        gain = np.minimum(elapsed / self.memory[here], LEVEL_GAIN_MOST)
        gain = np.maximum(1.0 / n, gain)
        moved = center + gain * deviation
        size = np.abs(deviation) * MEAN_TO_SIGMA
        trusted = n + self.credit[here]
        unsure = find_rows(trusted <= BOOT)
        clipped = np.minimum(size, spread * SPREAD_CLIP)
        clipped[unsure] = size[unsure]
        # Fast while the first guess may be wrong by far, then slower than the level: else a fault that grows would
        # widen the spread as it grows and hide itself.
        once = 1.0 / trusted
        slow = np.maximum(once, np.minimum(elapsed * (1.0 / SPREAD_MEMORY_S), SPREAD_GAIN_MOST))
        young = find_rows(trusted < SPREAD_SETTLED)
        slow[young] = np.minimum(once[young] + once[young], 1.0)
        clipped -= raw
        clipped *= slow
        clipped += raw
        used = seen.copy()
        if held.shape[0]:
            moved[held], clipped[held], n[held] = center[held], raw[held], learnt[held]
            used[held] = self.used[at[held]]
        self.center[at], self.spread[at], self.learnt[at], self.used[at] = moved, clipped, n, used

    def _learn_tail(self, slots: StepSlots, distance: Singles, tail: Singles, learn: Bools) -> None:
        # A stay beyond the tail is one event, until half of the way back: a fault that grows is no heavy tail.
        here = slots.at
        was_outside = self.outside[here]
        beyond = distance > tail
        beyond &= ~was_outside
        self.outside[here] = beyond | (was_outside & (distance > tail * 0.5))
        new = tail - tail * TAIL_FALL
        rows = find_rows(beyond)
        new[rows] = tail[rows] + tail[rows] * TAIL_RISE
        new = np.minimum(np.maximum(new, TAIL_NORMAL), TAIL_MOST)
        rows = rows[learn[rows]]
        if rows.shape[0]:
            some = slots.number[rows]
            excess = np.minimum(distance[rows] - tail[rows], tail[rows])
            self.excess[some] += EXCESS_GAIN * (excess - self.excess[some])
        self.tail[here] = new if learn.all() else np.where(learn, new, tail)

    def calibrate(self, slot: Ints, score: Floats) -> Floats:
        """-log10 of the probability of a deviation at least as large, by the tail of each slot as known now.

        Up to the 0.5 % point the logarithm grows with the square of the deviation, as a normal variable's does;
        beyond it linearly, with the mean excess that the stream showed (peaks over the threshold).
        """
        tail = self.tail[slot].astype(np.float64)
        distance = np.abs(score) * (tail / TAIL_NORMAL)
        inside = LOG10_TAIL * (distance / tail) * (distance / tail)
        outside = LOG10_TAIL + (distance - tail) / (self.excess[slot] * LN_10)
        return np.where(distance <= tail, inside, outside)


def _orient(robust: Singles, deviation: Singles, sign: Singles) -> Singles:
    """The deviations seen from the side where the trouble lies, see `orient`."""
    if not sign.any():
        return robust
    return np.where(sign == 0.0, robust, np.copysign(robust, deviation) * sign)
