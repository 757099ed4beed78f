"""How far each device's clock is ahead, and where its counter stands: pure arithmetic on what ledger blocks carry.

Clock. The time from observation to receipt is the delay on the way less what the clock is ahead, so its lower envelope
over a window is the shortest delay less the skew. Readings that were buffered, repeated or late have long delays and do
not touch it. The estimate, `skew_s` = - envelope, is never above the truth and below it by the shortest delay on the
way: milliseconds in a network, up to the length of its cycle for a gateway that collects before it sends. The window is
two halves of `HALF_WINDOW_US`, so that a clock that is set right shows after 10 to 20 minutes at most. A clock that
seems to be behind may also be a device that sends what it has kept: there the envelope falls while the rest comes. It
is believed when the envelope has stood still for `STEADY_US`; one that is ahead is believed at once, as nothing
arrives before it was sent.

Counter. A number above the last one leaves out what lies between: missing. A number below it is a latecomer, unless
time went on: then the device counts anew. Missing less filled is exact in whatever order several processes see the
messages; either alone is an upper bound where they do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING = int(np.iinfo(np.int64).min)  # in place of a number or a time that nobody knows

HALF_WINDOW_US = 600_000_000
STEADY_US = 60_000_000
MOVED_S = 1.0  # what is nearer than that is no movement of the envelope
MAX_GAP = 1_000_000  # a counter that jumps further was set anew
_WRAPS = (1 << 8, 1 << 16, 1 << 32)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What is known of some clocks; NaN and NOTHING where nothing is."""

    skew_s: NDArray[np.float64]
    skew_us: NDArray[np.int64]  # when it was estimated
    envelope_s: NDArray[np.float64]
    envelope_since_us: NDArray[np.int64]
    earlier_envelope_s: NDArray[np.float64]
    level_s: NDArray[np.float64]
    level_since_us: NDArray[np.int64]


def advance_clocks(clocks: Clocks, delay_s: NDArray[np.float64], received_us: NDArray[np.int64]) -> Clocks:
    """What is known of the same clocks after these shortest delays, each of messages received up to `received_us`."""
    age_us = np.where(clocks.envelope_since_us == NOTHING, 2 * HALF_WINDOW_US, received_us - clocks.envelope_since_us)
    turns = age_us >= HALF_WINDOW_US
    kept = np.where(age_us < 2 * HALF_WINDOW_US, clocks.envelope_s, np.nan)
    earlier_s = np.where(turns, kept, clocks.earlier_envelope_s)
    envelope_s = np.where(turns, delay_s, np.fmin(clocks.envelope_s, delay_s))
    since_us = np.where(turns, received_us, clocks.envelope_since_us)
    lowest_s = np.fmin(envelope_s, earlier_s)
    moved = ~(np.abs(lowest_s - clocks.level_s) <= MOVED_S)
    level_s = np.where(moved, lowest_s, clocks.level_s)
    level_since_us = np.where(moved, received_us, clocks.level_since_us)
    believed = (lowest_s <= MOVED_S) | (received_us - level_since_us >= STEADY_US)
    return Clocks(
        skew_s=np.where(believed, -lowest_s, clocks.skew_s),
        skew_us=np.where(believed, received_us, clocks.skew_us),
        envelope_s=envelope_s,
        envelope_since_us=since_us,
        earlier_envelope_s=earlier_s,
        level_s=level_s,
        level_since_us=level_since_us,
    )


@dataclass(slots=True)
class Counter:
    """Where one device's `seq` stands (NOTHING: it never sent one), and what it was found to do."""

    last: int = NOTHING
    observed_us: int = NOTHING
    missing: int = 0
    filled: int = 0
    back: int = 0

    def take(self, lowest: int, highest: int, count: int, first_us: int, last_us: int) -> None:
        """Goes on with `count` numbers between these two, observed between these times."""
        left_out = max(0, highest - lowest + 1 - count)
        if self.last == NOTHING:
            self.missing += left_out
        elif highest > self.last:
            if highest - self.last > MAX_GAP:
                self.back += 1
                self.missing += left_out
            else:
                new = min(count, highest - self.last)
                self.missing += highest - self.last - new
                self.filled += count - new
        elif first_us > self.observed_us and lowest < self.last:
            self.back += not (lowest == 0 and self.last + 1 in _WRAPS)
            self.missing += left_out
        else:
            self.filled += count if highest < self.last else count - 1
            self.observed_us = max(self.observed_us, last_us if highest == self.last else NOTHING)
            return
        self.last, self.observed_us = highest, last_us
