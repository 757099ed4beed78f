"""What a series usually does at this hour of the day and at this hour of the week.

Per hour of the day a level and a spread, per hour of the week an offset from that level. The residual is the smaller
one of the two: a reading that is usual for the hour of any day, or for this hour of the week, is no news. An hour that
was never seen says nothing of its first reading. Profiles forget after some hours spent in that hour of the day, so
they follow the seasons of a year. An outlier moves its hour by a bounded step; what persists is followed within days.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField

HOUR_US = 3_600_000_000
DAY_HOURS = 24
WEEK_HOURS = 168
DAY_MEMORY_S = 14_400.0  # spent in one hour of the day
WEEK_MEMORY_S = 7_200.0
GAIN_LEAST = 1e-4
GAIN_MOST = 0.5
SPREAD_GAIN_LEAST = 1.0 / 4_000.0
OWN_SHARE = 0.3  # of the hour's own spread in the spread that a residual is measured by
OWN_READINGS = 12
OWN_LEAST = 0.2  # of the spread over all hours
SPEAKS = 8  # residuals before a spread means anything
BOOT = 20  # residuals that count in full: no spread is known yet
OUTLIER = 8.0  # spreads beyond which a deviation moves its hour by no more
UNSEEN = -128
OFFSET_MOST = 127.0
OFFSET_UNITS = 16.0  # of an offset, per spread
GOLDEN = 0.6180339887498949


class SeasonProfile(SlotArrays):
    """Hour-of-day and hour-of-week profiles of every slot."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("center", np.float32, width=DAY_HOURS),
        StateField("own_spread", np.float16, width=DAY_HOURS),  # as a multiple of `spread`
        StateField("visits", np.uint8, width=DAY_HOURS),  # readings in the hour; 255: that many or more
        StateField("offset", np.int8, fill=UNSEEN, width=WEEK_HOURS),
        StateField("spread", np.float32),
        StateField("judged", np.int32),
    )
    center: NDArray[np.float32]
    own_spread: NDArray[np.float16]
    visits: NDArray[np.uint8]
    offset: NDArray[np.int8]
    spread: NDArray[np.float32]
    judged: NDArray[np.int32]

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no hour yet."""
        return self._grow(count)

    def find_surprise(
        self, slot: Ints, at_us: Ints, value: Floats, elapsed: Floats, least: Floats, learn: Bools
    ) -> tuple[Floats, Bools]:
        """The residual in spreads, and whether the hour was known; the profiles learn from it where `learn` says so.

        `least` is the smallest deviation that counts as one at all, per slot and in the unit of `value`.
        """
        hours = at_us // HOUR_US
        day_at = slot * DAY_HOURS + hours % DAY_HOURS
        week_at = slot * WEEK_HOURS + hours % WEEK_HOURS
        visits = self.visits[day_at].astype(np.float64)
        center = self.center[day_at].astype(np.float64)
        known = visits > 0.0
        spread = self.spread[slot].astype(np.float64)
        unit = np.maximum(spread, least) / OFFSET_UNITS
        code = self.offset[week_at].astype(np.float64)
        has_week = known & (code != UNSEEN)
        day = np.where(known, value - center, 0.0)
        week = np.where(has_week, day - code * unit, day)
        far_day, far_week = np.abs(day), np.abs(week)
        size = np.minimum(far_day, far_week)

        own = self.own_spread[day_at] * spread
        mixed = np.maximum(OWN_SHARE * own + (1.0 - OWN_SHARE) * spread, OWN_LEAST * spread)
        measure = np.where(visits >= OWN_READINGS, mixed, spread) + least
        surprise = size / measure

        # Learn. A spread of zero at the start would make every deviation an outlier.
        judged = self.judged[slot]
        bound = np.where(judged < BOOT, np.inf, OUTLIER * (spread + least))
        new_spread = spread + np.maximum(1.0 / (judged + 1.0), SPREAD_GAIN_LEAST) * (np.minimum(size, bound) - spread)
        day_gain = np.maximum(
            1.0 / (visits + 1.0), np.minimum(np.maximum(elapsed / DAY_MEMORY_S, GAIN_LEAST), GAIN_MOST)
        )
        new_center = np.where(known, center + day_gain * np.copysign(np.minimum(far_day, bound), day), value)
        own_ratio = np.minimum(size, bound) / np.maximum(new_spread, least)
        old_ratio = self.own_spread[day_at].astype(np.float64)
        new_ratio = old_ratio + day_gain * (own_ratio - old_ratio)
        week_gain = np.minimum(np.maximum(elapsed / WEEK_MEMORY_S, GAIN_LEAST), GAIN_MOST)
        aim = np.where(has_week, code + week_gain * np.copysign(np.minimum(far_week, bound), week) / unit, day / unit)
        # Offsets are whole numbers: rounding up as often as the fraction asks for keeps small steps from being lost.
        part = judged * GOLDEN
        aim = np.floor(aim + (part - np.floor(part)))
        learn_known = learn & known
        self.center[day_at] = np.where(learn, new_center, center)
        self.own_spread[day_at] = np.where(learn_known, new_ratio, old_ratio)
        self.offset[week_at] = np.where(learn, np.minimum(np.maximum(aim, -OFFSET_MOST), OFFSET_MOST), code)
        self.visits[day_at] = np.where(learn, np.minimum(visits + 1.0, 255.0), visits)
        self.spread[slot] = np.where(learn_known, new_spread, spread)
        self.judged[slot] = judged + learn_known
        return surprise, known & (judged >= SPEAKS)
