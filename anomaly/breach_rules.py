"""Scores to breach transitions, by pure rules: raise and clear limits, N of M, durations in event time, escalation.

Of one slot (one monitor on one series, or on one device):

- A score at or beyond `raise_at` counts. The condition holds while at least n of the last m scores count.
- It has to hold for `duration` of event time; then the breach is RAISED. It began with the oldest score that made the
  condition true (`first_seen`).
- While it is open, n of the last m scores beyond `critical_at` make it ESCALATED, once.
- It is CLEARED when scores have been at or below `clear_at` for `clear_duration`. Scores between the two limits change
  nothing: that is the hysteresis.
- A gap much longer than the durations breaks a condition that only began to hold; it never clears an open breach.
- Where `clear_share` is set, falling to that share of the breach's own peak clears it, too: what was once far stays
  beyond a fixed limit for long after its cause is mended. It is then re-armed at twice the score it cleared at, and at
  `raise_at` again once it was at or below `clear_at`.
- After clearing, a refractory time has to pass before the next breach of the slot is raised.

Silent scores (NaN) change nothing. The pending phase is state in here and never leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, SlotArrays, StateField
from domain.breach import TransitionKind

MAX_M = 64
REMEMBERED = 8  # instants beyond the limit; with n above it an episode begins at the oldest of these
REARM_FACTOR = 2.0
GAP_FACTOR = 4.0
GAP_AT_LEAST_US = 900_000_000

KINDS = (TransitionKind.RAISED, TransitionKind.ESCALATED, TransitionKind.CLEARED)
_RAISED, _ESCALATED, _CLEARED = range(3)


@dataclass(frozen=True, slots=True)
class SlotRule:
    """The limits of one slot, seen from the side where the trouble lies (raise_at >= clear_at); times in seconds."""

    raise_at: float
    clear_at: float
    critical_at: float = np.inf
    n: int = 1
    m: int = 1
    duration_s: float = 0.0
    clear_duration_s: float = 0.0
    refractory_s: float = 0.0
    clear_share: float = 0.0  # of the peak; 0: the clear limit alone


@dataclass(frozen=True, slots=True)
class SlotTransition:
    """One step of the breach of one slot; times in microseconds, scores as the detector gave them."""

    kind: TransitionKind
    slot: int
    row: int  # of the reading that caused it, as the caller numbers them
    at_us: int
    first_seen_us: int
    count: int
    peak: float
    score: float
    critical: bool


class BreachRules(SlotArrays):
    """The breach state of all slots of one detector."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("raise_at", np.float64, kept=False),
        StateField("clear_at", np.float64, kept=False),
        StateField("critical_at", np.float64, kept=False),
        StateField("n", np.uint8, kept=False),
        StateField("mask", np.uint64, kept=False),
        StateField("duration", np.int64, kept=False),
        StateField("clear_duration", np.int64, kept=False),
        StateField("refractory", np.int64, kept=False),
        StateField("clear_share", np.float64, kept=False),
        StateField("armed_at", np.float64, fill=-np.inf),  # raised again from here on, see `clear_share`
        StateField("busy", np.bool_),  # anything but idle: only busy slots and scores beyond the limit need a look
        StateField("is_open", np.bool_),
        StateField("critical", np.bool_),
        StateField("ring", np.uint64),
        StateField("critical_ring", np.uint64),
        StateField("since", np.int64, fill=int(NEVER)),  # the condition holds since
        StateField("first", np.int64, fill=int(NEVER)),  # first score of the episode
        StateField("last", np.int64, fill=int(NEVER)),  # last score looked at
        StateField("clear_since", np.int64, fill=int(NEVER)),
        StateField("quiet_until", np.int64, fill=int(NEVER)),
        StateField("count", np.int32),
        StateField("beyond_us", np.int64, fill=int(NEVER), width=REMEMBERED),  # newest last; kept up where n > 1
        StateField("peak", np.float64, fill=-np.inf),
    )
    raise_at: Floats
    clear_at: Floats
    critical_at: Floats
    n: NDArray[np.uint8]
    mask: NDArray[np.uint64]
    duration: Ints
    clear_duration: Ints
    refractory: Ints
    clear_share: Floats
    armed_at: Floats
    busy: Bools
    is_open: Bools
    critical: Bools
    ring: NDArray[np.uint64]
    critical_ring: NDArray[np.uint64]
    since: Ints
    first: Ints
    last: Ints
    clear_since: Ints
    quiet_until: Ints
    count: NDArray[np.int32]
    beyond_us: Ints
    peak: Floats

    def add_slots(self, rules: Sequence[SlotRule]) -> Ints:
        """Adds idle slots and returns their numbers.

        Raises
        ------
        ValueError
            n of m outside 1 <= n <= m <= 64, or a clear limit beyond the raise limit.
        """
        for rule in rules:
            if not 1 <= rule.n <= rule.m <= MAX_M:
                raise ValueError(f"{rule.n} of {rule.m} is no rule")
            if rule.clear_at > rule.raise_at:
                raise ValueError("the clear limit lies beyond the raise limit")
        slots = self._grow(len(rules))
        self.raise_at[slots] = [r.raise_at for r in rules]
        # Where both limits are one number, the limit itself still counts as beyond and does not clear.
        same = [r.clear_at == r.raise_at for r in rules]
        clear_at = np.array([r.clear_at for r in rules], dtype=np.float64)
        self.clear_at[slots] = np.where(same, np.nextafter(clear_at, -np.inf), clear_at)
        self.critical_at[slots] = [r.critical_at for r in rules]
        self.n[slots] = [r.n for r in rules]
        self.mask[slots] = np.array([(1 << r.m) - 1 for r in rules], dtype=np.uint64)
        self.duration[slots] = [round(r.duration_s * 1e6) for r in rules]
        self.clear_duration[slots] = [round(r.clear_duration_s * 1e6) for r in rules]
        self.refractory[slots] = [round(r.refractory_s * 1e6) for r in rules]
        self.clear_share[slots] = [r.clear_share for r in rules]
        return slots

    def state_to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `SlotArrays.state_to_arrays`; slots that are as they began are left out, and most always are."""
        touched = np.flatnonzero(self.busy | (self.quiet_until != NEVER))
        arrays = {f.name: getattr(self, f.name).reshape(-1, f.width)[touched] for f in self.fields if f.kept}
        return arrays | {"touched": touched.astype(np.int32), "slots": np.array([self.size])}

    def adopt_arrays(self, arrays: Mapping[str, NDArray[Any]], source: Ints, target: Ints) -> None:
        """See `SlotArrays.adopt_arrays`."""
        if "touched" not in arrays:  # of before slots were left out
            super().adopt_arrays(arrays, source, target)
            return
        touched = arrays["touched"]
        place = np.full(int(arrays["slots"][0]), -1, dtype=np.int64)
        place[touched] = np.arange(touched.shape[0])
        is_touched = place[source] >= 0
        self.reset(target[~is_touched])
        super().adopt_arrays(arrays, place[source[is_touched]], target[is_touched])

    def judge(self, slot: Ints, row: Ints, at_us: Ints, score: Floats) -> list[SlotTransition]:
        """The transitions that these scores cause; each slot at most once per call, scores of a slot in event order."""
        with np.errstate(invalid="ignore"):
            matters = self.busy[slot] | (score >= self.raise_at[slot])
        if not matters.any():
            return []
        matters &= ~np.isnan(score)
        chosen = np.flatnonzero(matters)
        return self._judge_busy(slot[chosen], row[chosen], at_us[chosen], score[chosen])

    def _judge_busy(self, slot: Ints, row: Ints, at_us: Ints, score: Floats) -> list[SlotTransition]:
        was_open = self.is_open[slot]
        clear_at = self.clear_at[slot]
        self.armed_at[slot] = np.where(score <= clear_at, -np.inf, self.armed_at[slot])
        armed_at = np.where(was_open, -np.inf, self.armed_at[slot])
        beyond = score >= np.maximum(self.raise_at[slot], armed_at)
        self._forget_after_gap(slot[~was_open], at_us[~was_open])
        self.last[slot] = at_us
        ring = ((self.ring[slot] << np.uint64(1)) | beyond.astype(np.uint64)) & self.mask[slot]
        is_critical = score >= self.critical_at[slot]
        critical_ring = ((self.critical_ring[slot] << np.uint64(1)) | is_critical.astype(np.uint64)) & self.mask[slot]
        self.ring[slot], self.critical_ring[slot] = ring, critical_ring
        holds = np.bitwise_count(ring) >= self.n[slot]
        holds_critical = np.bitwise_count(critical_ring) >= self.n[slot]
        self._note_condition(slot, at_us, score, beyond, holds, was_open)

        raised = ~was_open & holds & beyond & (at_us - self.since[slot] >= self.duration[slot])
        raised &= at_us >= self.quiet_until[slot]
        escalated = was_open & holds_critical & ~self.critical[slot]
        self.critical[slot] |= (raised | was_open) & holds_critical
        self.is_open[slot] = was_open | raised

        share = self.clear_share[slot]
        far = np.where(share > 0.0, share * np.maximum(self.peak[slot], 0.0), -np.inf)
        below = was_open & (score <= np.maximum(clear_at, far))
        clear_since = np.where(below, self.clear_since[slot], NEVER)
        clear_since = np.where(below & (clear_since == NEVER), at_us, clear_since)
        self.clear_since[slot] = clear_since
        # `below` first: NEVER is the smallest integer, from which nothing may be subtracted.
        held = np.where(below, at_us - np.where(below, clear_since, at_us), -1)
        cleared = below & (held >= self.clear_duration[slot])

        out = self._collect(slot, row, at_us, score, raised, escalated, cleared)
        gone = slot[cleared]
        self.quiet_until[gone] = at_us[cleared] + self.refractory[gone]
        self._forget(gone)
        still_far = cleared & (share > 0.0) & (score > clear_at)
        self.armed_at[slot[still_far]] = REARM_FACTOR * score[still_far]
        idle = ~self.is_open[slot] & (self.ring[slot] == 0)
        self._forget(slot[idle & ~cleared])
        self.busy[slot] = (~idle & ~cleared) | (self.armed_at[slot] > -np.inf)
        return out

    def _note_condition(
        self, slot: Ints, at_us: Ints, score: Floats, beyond: Bools, holds: Bools, was_open: Bools
    ) -> None:
        starts = beyond & (self.first[slot] == NEVER) & ~was_open
        self.first[slot[starts]] = at_us[starts]
        times = self.beyond_us.reshape(-1, REMEMBERED)
        several = (self.n[slot] > 1) & beyond & ~was_open
        moved = slot[several]
        times[moved, :-1] = times[moved, 1:]
        times[moved, -1] = at_us[several]
        self.count[slot] += beyond
        self.peak[slot] = np.where(beyond, np.maximum(self.peak[slot], score), self.peak[slot])
        begins = holds & (self.since[slot] == NEVER) & ~was_open
        self.since[slot[begins]] = at_us[begins]
        counted = slot[begins & (self.n[slot] > 1)]
        self.first[counted] = times[counted, REMEMBERED - np.minimum(self.n[counted], REMEMBERED).astype(np.int64)]
        self.count[counted] = self.n[counted]
        self.since[slot[~holds & ~was_open]] = NEVER

    def _forget_after_gap(self, slot: Ints, at_us: Ints) -> None:
        last = self.last[slot]
        known = last != NEVER
        gap = np.where(known, at_us - np.where(known, last, at_us), 0)
        longest = np.maximum(self.duration[slot] * GAP_FACTOR, GAP_AT_LEAST_US)
        self._forget(slot[(gap > longest) | (gap < 0)])

    def _forget(self, slot: Ints) -> None:
        for name in ("is_open", "critical", "ring", "critical_ring", "count"):
            getattr(self, name)[slot] = 0
        for name in ("since", "first", "last", "clear_since"):
            getattr(self, name)[slot] = NEVER
        self.peak[slot] = -np.inf
        self.beyond_us.reshape(-1, REMEMBERED)[slot] = NEVER

    def _collect(
        self, slot: Ints, row: Ints, at_us: Ints, score: Floats, raised: Bools, escalated: Bools, cleared: Bools
    ) -> list[SlotTransition]:
        out: list[SlotTransition] = []
        for i in np.flatnonzero(raised | escalated | cleared).tolist():
            s = int(slot[i])
            for code, mask in ((_RAISED, raised), (_ESCALATED, escalated), (_CLEARED, cleared)):
                if mask[i]:
                    out.append(
                        SlotTransition(
                            kind=KINDS[code],
                            slot=s,
                            row=int(row[i]),
                            at_us=int(at_us[i]),
                            first_seen_us=int(self.first[s]),
                            count=int(self.count[s]),
                            peak=float(self.peak[s]),
                            score=float(score[i]),
                            critical=bool(self.critical[s]),
                        )
                    )
        return out

    def open_slot(self, slot: int, first_seen_us: int, count: int, peak: float, critical: bool) -> None:
        """Takes over a breach that is known to be open (from the database, when no state of it is at hand)."""
        self.is_open[slot] = self.busy[slot] = True
        self.first[slot] = self.since[slot] = first_seen_us
        self.count[slot], self.peak[slot], self.critical[slot] = count, peak, critical

    def close_slot(self, slot: int) -> None:
        """Forgets an open breach that the database does not know as open."""
        self._forget(np.array([slot], dtype=np.int64))
        self.busy[slot] = False
