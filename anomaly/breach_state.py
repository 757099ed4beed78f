"""The arrays behind the breach rules, small where slots are alike or idle: limits are kept once for each distinct rule,
the course of an episode only while there is one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, SlotArrays, StateField

MAX_M = 64
GAP_FACTOR = 4.0  # durations; a longer gap breaks a condition that only began to hold ...
GAP_AT_LEAST_US = 900_000_000  # ... if it is as long as this
REMEMBERED = 8  # instants beyond the limit; with n above it an episode begins at the oldest of these


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
class Episode:
    """A breach as far as it is; NEVER and -inf where nothing was beyond the limit."""

    first_us: int
    count: int
    peak: float
    critical: bool


class Limits(SlotArrays):
    """Each distinct rule once, by its number; times in microseconds."""

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

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[SlotRule, int] = {}

    def find_number(self, rule: SlotRule) -> int:
        """The number of this rule, under which it is kept from now on.

        Raises
        ------
        ValueError
            n of m outside 1 <= n <= m <= 64, or a clear limit beyond the raise limit.
        """
        number = self._numbers.get(rule)
        if number is not None:
            return number
        if not 1 <= rule.n <= rule.m <= MAX_M:
            raise ValueError(f"{rule.n} of {rule.m} is no rule")
        if rule.clear_at > rule.raise_at:
            raise ValueError("the clear limit lies beyond the raise limit")
        number = int(self._grow(1)[0])
        self.raise_at[number] = rule.raise_at
        # Where both limits are one number, the limit itself still counts as beyond and does not clear.
        same = rule.clear_at == rule.raise_at
        self.clear_at[number] = np.nextafter(rule.clear_at, -np.inf) if same else rule.clear_at
        self.critical_at[number] = rule.critical_at
        self.n[number], self.mask[number] = rule.n, (1 << rule.m) - 1
        self.duration[number] = round(rule.duration_s * 1e6)
        self.clear_duration[number] = round(rule.clear_duration_s * 1e6)
        self.refractory[number] = round(rule.refractory_s * 1e6)
        self.clear_share[number] = rule.clear_share
        self._numbers[rule] = number
        return number


class Episodes(SlotArrays):
    """What is remembered of each slot that is not idle, in places that are used again; a free place is as it began."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("armed_at", np.float64, fill=-np.inf),  # raised again from here on, see `SlotRule.clear_share`
        StateField("critical", np.bool_),
        StateField("ring", np.uint64),
        StateField("critical_ring", np.uint64),
        StateField("since", np.int64, fill=int(NEVER)),  # the condition holds since
        StateField("first", np.int64, fill=int(NEVER)),  # first score of the episode
        StateField("last", np.int64, fill=int(NEVER)),  # last score looked at
        StateField("clear_since", np.int64, fill=int(NEVER)),
        StateField("count", np.int32),
        StateField("beyond_us", np.int64, fill=int(NEVER), width=REMEMBERED),  # newest last; kept up where n > 1
        StateField("peak", np.float64, fill=-np.inf),
    )
    armed_at: Floats
    critical: Bools
    ring: NDArray[np.uint64]
    critical_ring: NDArray[np.uint64]
    since: Ints
    first: Ints
    last: Ints
    clear_since: Ints
    count: NDArray[np.int32]
    beyond_us: Ints
    peak: Floats

    def __init__(self) -> None:
        super().__init__()
        self._free = np.empty(0, dtype=np.int64)

    def take_places(self, count: int) -> Ints:
        """Places that nobody has, as they began."""
        if self._free.shape[0] < count:
            self._free = np.concatenate((self._free, self._grow(max(count, self.size))))
        taken, self._free = self._free[:count], self._free[count:]
        return taken

    def free_places(self, place: Ints) -> None:
        """Puts these places back to their start, for others to take."""
        self.reset(place)
        self._free = np.concatenate((self._free, place))

    def forget(self, place: Ints) -> None:
        """Ends the episodes of these places; from where on they are raised again stays known."""
        if place.shape[0] == 0:
            return
        armed_at = self.armed_at[place]
        self.reset(place)
        self.armed_at[place] = armed_at

    def forget_after_gap(self, place: Ints, duration: Ints, at_us: Ints) -> None:
        """Ends the episodes of these places whose last score lies too long before this one."""
        last = self.last[place]
        known = last != NEVER
        gap = np.where(known, at_us - np.where(known, last, at_us), 0)
        longest = np.maximum(duration * GAP_FACTOR, GAP_AT_LEAST_US)
        self.forget(place[(gap > longest) | (gap < 0)])
