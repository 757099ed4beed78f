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

from anomaly.breach_state import REMEMBERED, Episode, Episodes, Limits, SlotRule
from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, SlotArrays, StateField
from domain.breach import TransitionKind

REARM_FACTOR = 2.0

KINDS = (TransitionKind.RAISED, TransitionKind.ESCALATED, TransitionKind.CLEARED)
_RAISED, _ESCALATED, _CLEARED = range(3)


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


QUIET = StateField("quiet_until", np.int64, fill=int(NEVER))  # after a breach, where a rule has a refractory time


class BreachRules(SlotArrays):
    """The breach state of all slots of one detector."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("rule", np.int32, kept=False),
        StateField("place", np.int32, fill=-1, kept=False),  # of the episode
        StateField("busy", np.bool_),  # anything but idle: only busy slots and scores beyond the limit need a look
        StateField("is_open", np.bool_),
    )
    rule: NDArray[np.int32]
    place: NDArray[np.int32]
    busy: Bools
    is_open: Bools
    quiet_until: Ints

    def __init__(self) -> None:
        super().__init__()
        self._limits = Limits()
        self._episodes = Episodes()
        self.quiet_until = np.empty(0, dtype=np.int64)

    def add_slots(self, rules: Sequence[SlotRule]) -> Ints:
        """Adds idle slots and returns their numbers.

        Raises
        ------
        ValueError
            See `Limits.find_number`.
        """
        numbers = [self._limits.find_number(rule) for rule in rules]
        if not self._may_be_quiet and any(rule.refractory_s > 0.0 for rule in rules):
            self.fields += (QUIET,)
            self.quiet_until = np.full(self.size, NEVER)
        slots = self._grow(len(rules))
        self.rule[slots] = numbers
        return slots

    @property
    def _may_be_quiet(self) -> bool:
        return QUIET in self.fields

    def reset(self, slot: Ints) -> None:
        """See `SlotArrays.reset`."""
        self._end_episodes(np.unique(slot))
        super().reset(slot)

    def state_to_arrays(self) -> dict[str, NDArray[Any]]:
        """See `SlotArrays.state_to_arrays`; slots that are as they began are left out, and most always are."""
        touched = np.flatnonzero(self.busy | (self.quiet_until != NEVER) if self._may_be_quiet else self.busy)
        arrays = {f.name: getattr(self, f.name)[touched] for f in self.fields if f.kept}
        place = self.place[touched]
        for f in self._episodes.fields:
            told: NDArray[Any] = np.full((touched.shape[0], f.width), f.fill, dtype=f.dtype)
            told[place >= 0] = getattr(self._episodes, f.name).reshape(-1, f.width)[place[place >= 0]]
            arrays[f.name] = told
        return arrays | {"touched": touched.astype(np.int32), "slots": np.array([self.size])}

    def adopt_arrays(self, arrays: Mapping[str, NDArray[Any]], source: Ints, target: Ints) -> None:
        """See `SlotArrays.adopt_arrays`."""
        self.reset(target)
        if "touched" in arrays:  # else of before slots were left out
            place = np.full(int(arrays["slots"][0]), -1, dtype=np.int64)
            place[arrays["touched"]] = np.arange(arrays["touched"].shape[0])
            is_touched = place[source] >= 0
            source, target = place[source[is_touched]], target[is_touched]
        never: NDArray[Any] = np.full(arrays["busy"].shape[0], NEVER)  # told by rules without a refractory time
        super().adopt_arrays({QUIET.name: never} | dict(arrays), source, target)
        is_busy = arrays["busy"].reshape(-1)[source]
        source, target = source[is_busy], target[is_busy]
        self._episodes.adopt_arrays(arrays, source, self._find_places(target))

    @property
    def places_held(self) -> int:
        """Slots for which the course of an episode has a place in memory."""
        return self._episodes.size

    def find_episode(self, slot: int) -> Episode:
        """What is known of the breach of this slot, open or about to be; the same as at its start where it is idle."""
        own, e = int(self.place[slot]), self._episodes
        if own < 0:
            return Episode(int(NEVER), 0, -np.inf, False)
        return Episode(int(e.first[own]), int(e.count[own]), float(e.peak[own]), bool(e.critical[own]))

    def _find_places(self, slot: Ints) -> Ints:
        """Where the episodes of these slots are, each given at most once; those that have none begin one."""
        place = self.place[slot].astype(np.int64)
        new = np.flatnonzero(place < 0)
        if new.shape[0]:
            place[new] = self._episodes.take_places(new.shape[0])
            self.place[slot[new]] = place[new]
        return place

    def _end_episodes(self, slot: Ints) -> None:
        place = self.place[slot]
        if (place >= 0).any():
            self._episodes.free_places(place[place >= 0].astype(np.int64))
            self.place[slot] = -1

    def judge(self, slot: Ints, row: Ints, at_us: Ints, score: Floats) -> list[SlotTransition]:
        """The transitions that these scores cause; each slot at most once per call, scores of a slot in event order."""
        matters = self.busy[slot] | (score >= self._find_raise_at(slot))
        if not matters.any():
            return []
        matters &= ~np.isnan(score)
        chosen = np.flatnonzero(matters)
        return self._judge_busy(slot[chosen], row[chosen], at_us[chosen], score[chosen])

    def _find_raise_at(self, slot: Ints) -> Floats:
        """Of each of these slots, or one for all."""
        of_rule = self._limits.raise_at
        return of_rule if of_rule.shape[0] == 1 else of_rule[self.rule[slot]]

    def find_pending(self, slot: Ints, score: Floats) -> Ints:
        """The places of those scores that count towards a breach which is not open yet, and are not critical."""
        found = np.flatnonzero(score >= self._find_raise_at(slot))
        if found.shape[0]:
            critical_at = self._limits.critical_at[self.rule[slot[found]]]
            found = found[~self.is_open[slot[found]] & (score[found] < critical_at)]
        return found

    def aggravate(self, slot: int) -> None:
        """The open breach of this slot is the graver one from its start."""
        self._episodes.critical[self.place[slot]] = True

    def _judge_busy(self, slot: Ints, row: Ints, at_us: Ints, score: Floats) -> list[SlotTransition]:
        place, rule, e, limits = self._find_places(slot), self.rule[slot], self._episodes, self._limits
        was_open = self.is_open[slot]
        clear_at, mask, n = limits.clear_at[rule], limits.mask[rule], limits.n[rule]
        e.armed_at[place] = np.where(score <= clear_at, -np.inf, e.armed_at[place])
        armed_at = np.where(was_open, -np.inf, e.armed_at[place])
        beyond = score >= np.maximum(limits.raise_at[rule], armed_at)
        e.forget_after_gap(place[~was_open], limits.duration[rule[~was_open]], at_us[~was_open])
        e.last[place] = at_us
        ring = ((e.ring[place] << np.uint64(1)) | beyond.astype(np.uint64)) & mask
        is_critical = score >= limits.critical_at[rule]
        critical_ring = ((e.critical_ring[place] << np.uint64(1)) | is_critical.astype(np.uint64)) & mask
        e.ring[place], e.critical_ring[place] = ring, critical_ring
        holds = np.bitwise_count(ring) >= n
        holds_critical = np.bitwise_count(critical_ring) >= n
        self._note_condition(place, n, at_us, score, beyond, holds, was_open)

        raised = ~was_open & holds & beyond & (at_us - e.since[place] >= limits.duration[rule])
        if self._may_be_quiet:
            raised &= at_us >= self.quiet_until[slot]
        escalated = was_open & holds_critical & ~e.critical[place]
        e.critical[place] |= (raised | was_open) & holds_critical
        self.is_open[slot] = was_open | raised

        share = limits.clear_share[rule]
        far = np.where(share > 0.0, share * np.maximum(e.peak[place], 0.0), -np.inf)
        below = was_open & (score <= np.maximum(clear_at, far))
        clear_since = np.where(below, e.clear_since[place], NEVER)
        clear_since = np.where(below & (clear_since == NEVER), at_us, clear_since)
        e.clear_since[place] = clear_since
        # `below` first: NEVER is the smallest integer, from which nothing may be subtracted.
        held = np.where(below, at_us - np.where(below, clear_since, at_us), -1)
        cleared = below & (held >= limits.clear_duration[rule])

        out = self._collect(slot, place, row, at_us, score, raised, escalated, cleared)
        gone = slot[cleared]
        if self._may_be_quiet:
            self.quiet_until[gone] = at_us[cleared] + limits.refractory[rule[cleared]]
        self.is_open[gone] = False
        idle = ~self.is_open[slot] & (cleared | (e.ring[place] == 0))
        still_far = cleared & (share > 0.0) & (score > clear_at)
        e.armed_at[place[still_far]] = REARM_FACTOR * score[still_far]
        busy = ~idle | (e.armed_at[place] > -np.inf)
        self.busy[slot] = busy
        e.forget(place[idle & busy])
        self._end_episodes(slot[~busy])
        return out

    def _note_condition(
        self,
        place: Ints,
        n: NDArray[np.uint8],
        at_us: Ints,
        score: Floats,
        beyond: Bools,
        holds: Bools,
        was_open: Bools,
    ) -> None:
        e = self._episodes
        starts = beyond & (e.first[place] == NEVER) & ~was_open
        e.first[place[starts]] = at_us[starts]
        times = e.beyond_us.reshape(-1, REMEMBERED)
        several = (n > 1) & beyond & ~was_open
        moved = place[several]
        times[moved, :-1] = times[moved, 1:]
        times[moved, -1] = at_us[several]
        e.count[place] += beyond
        e.peak[place] = np.where(beyond, np.maximum(e.peak[place], score), e.peak[place])
        begins = holds & (e.since[place] == NEVER) & ~was_open
        e.since[place[begins]] = at_us[begins]
        is_counted = begins & (n > 1)
        counted = place[is_counted]
        e.first[counted] = times[counted, REMEMBERED - np.minimum(n[is_counted], REMEMBERED).astype(np.int64)]
        e.count[counted] = n[is_counted]
        e.since[place[~holds & ~was_open]] = NEVER

    def _collect(
        self,
        slot: Ints,
        place: Ints,
        row: Ints,
        at_us: Ints,
        score: Floats,
        raised: Bools,
        escalated: Bools,
        cleared: Bools,
    ) -> list[SlotTransition]:
        out: list[SlotTransition] = []
        for i in np.flatnonzero(raised | escalated | cleared).tolist():
            own, e = int(place[i]), self._episodes
            for code, mask in ((_RAISED, raised), (_ESCALATED, escalated), (_CLEARED, cleared)):
                if mask[i]:
                    out.append(
                        SlotTransition(
                            kind=KINDS[code],
                            slot=int(slot[i]),
                            row=int(row[i]),
                            at_us=int(at_us[i]),
                            first_seen_us=int(e.first[own]),
                            count=int(e.count[own]),
                            peak=float(e.peak[own]),
                            score=float(score[i]),
                            critical=bool(e.critical[own]),
                        )
                    )
        return out

    def open_slot(self, slot: int, first_seen_us: int, count: int, peak: float, critical: bool) -> None:
        """Takes over a breach that is known to be open (from the database, when no state of it is at hand)."""
        self.is_open[slot] = self.busy[slot] = True
        own, e = int(self._find_places(np.array([slot], dtype=np.int64))[0]), self._episodes
        e.first[own] = e.since[own] = first_seen_us
        e.count[own], e.peak[own], e.critical[own] = count, peak, critical

    def close_slot(self, slot: int) -> None:
        """Forgets an open breach that the database does not know as open."""
        self._end_episodes(np.array([slot], dtype=np.int64))
        self.is_open[slot] = self.busy[slot] = False
