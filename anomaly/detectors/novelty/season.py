"""What a series usually does at this hour of the day and at this hour of the week.

Per hour of the day a level and a spread, per hour of the week an offset from that level. The residual is the smaller
one of the two: a reading that is usual for the hour of any day, or for this hour of the week, is no news. An hour that
was never seen says nothing of its first reading. Profiles forget after some hours spent in that hour of the day, so
they follow the seasons of a year. An outlier moves its hour by a bounded step; what persists is followed within days.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Ints, Singles, SlotArrays, StateField
from anomaly.detectors.step_slots import StepSlots, find_common, find_rows

HOUR_US = 3_600_000_000
DAY_HOURS = 24
WEEK_HOURS = 168
DAY_MEMORY_S = 14_400.0  # spent in one hour of the day
WEEK_MEMORY_S = 7_200.0
ONE = np.float32(1.0)
GAIN_LEAST = np.float32(1e-4)
SPREAD_GAIN_LEAST = np.float32(1.0 / 4_000.0)
OWN_SHARE = np.float32(0.3)  # of the hour's own spread in the spread that a residual is measured by
OWN_READINGS = 12
SPEAKS = 8  # residuals before a spread means anything
BOOT = 20  # residuals that count in full: no spread is known yet
OUTLIER = np.float32(8.0)  # spreads beyond which a deviation moves its hour by no more
UNSEEN = -128
OFFSET_MOST = np.float32(127.0)
OFFSET_UNITS = 16.0  # of an offset, per spread
GOLDEN = np.uint32(2_654_435_769)  # of 2^32


class SeasonProfile(SlotArrays):
    """Hour-of-day and hour-of-week profiles of every slot."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("center", np.float32, width=DAY_HOURS, is_across=True),
        StateField("own_spread", np.float16, width=DAY_HOURS, is_across=True),  # as a multiple of `spread`
        StateField("visits", np.uint8, width=DAY_HOURS, is_across=True),  # readings in the hour; 255: that many or more
        StateField("offset", np.int8, fill=UNSEEN, width=WEEK_HOURS, is_across=True),
        StateField("spread", np.float32),
        StateField("judged", np.int32),
    )
    center: Singles
    own_spread: NDArray[np.float16]
    visits: NDArray[np.uint8]
    offset: NDArray[np.int8]
    spread: Singles
    judged: NDArray[np.int32]

    def add_slots(self, count: int) -> Ints:
        """Adds slots that know no hour yet."""
        return self._grow(count)

    def find_surprise(
        self, slots: StepSlots, at_us: Ints, value: Singles, elapsed: Singles, least: Singles, learn: Bools | None
    ) -> tuple[Singles, Bools | None]:
        """The residual in spreads, and whether the hour was known; the profiles learn from it where `learn` says so.

        `least` is the smallest deviation that counts as one at all, per slot and in the unit of `value`; `elapsed` is
        at most an hour. None instead of either truth: everywhere.
        """
        at = slots.at
        hours = at_us // HOUR_US
        hour = find_common(hours)  # most steps lie within one
        day_at = slots.find_places_across(self.size, hours % DAY_HOURS if hour is None else hour % DAY_HOURS)
        week_at = slots.find_places_across(self.size, hours % WEEK_HOURS if hour is None else hour % WEEK_HOURS)
        visits, center, spread, judged = self.visits[day_at], self.center[day_at], self.spread[at], self.judged[at]
        ratio, code = self.own_spread[day_at].astype(np.float32), self.offset[week_at]
        is_new = find_rows(visits == 0)
        is_new_week = find_rows(code == UNSEEN)  # wherever the hour of the day is new, too
        offset = code.astype(np.float32)
        offset[is_new_week] = 0.0
        day = value - center
        day[is_new] = 0.0
        unit = np.maximum(spread, least)
        unit *= np.float32(1.0 / OFFSET_UNITS)
        week = day - offset * unit
        far_day, far_week = np.abs(day), np.abs(week)
        size = np.minimum(far_day, far_week)
        own = ratio * OWN_SHARE
        own += ONE - OWN_SHARE
        own[find_rows(visits < OWN_READINGS)] = 1.0
        own *= spread
        own += least
        surprise = size / own

        # Learn. A spread of zero at the start would make every deviation an outlier.
        bound = spread + least
        bound *= OUTLIER
        bound[find_rows(judged < BOOT)] = np.inf
        met = visits.astype(np.float32)
        met += ONE
        day_gain = np.maximum(elapsed * np.float32(1.0 / DAY_MEMORY_S), GAIN_LEAST)
        day_gain = np.maximum(ONE / met, day_gain)
        week_gain = np.maximum(elapsed * np.float32(1.0 / WEEK_MEMORY_S), GAIN_LEAST)
        np.minimum(size, bound, out=size)
        count = judged.astype(np.float32)
        count += ONE
        new_spread = size - spread
        new_spread *= np.maximum(ONE / count, SPREAD_GAIN_LEAST)
        new_spread += spread
        new_ratio = size / np.maximum(new_spread, least)
        new_ratio -= ratio
        new_ratio *= day_gain
        new_ratio += ratio
        new_center = np.minimum(np.maximum(day, -bound), bound)
        new_center *= day_gain
        new_center += center
        aim = np.minimum(np.maximum(week, -bound), bound)
        aim *= week_gain
        aim /= unit
        aim += offset
        aim[is_new_week] = day[is_new_week] / unit[is_new_week]
        # Offsets are whole numbers: rounding up as often as the fraction asks for keeps small steps from being lost.
        aim += _find_fractions(judged)
        np.floor(aim, out=aim)
        aim = np.minimum(np.maximum(aim, -OFFSET_MOST), OFFSET_MOST)
        new_center[is_new] = value[is_new]
        new_spread[is_new], new_ratio[is_new] = spread[is_new], ratio[is_new]
        knows: Bools = judged >= SPEAKS
        knows[is_new] = False
        new_judged = judged + np.int32(1)
        new_judged[is_new] = judged[is_new]
        new_visits = np.minimum(visits, np.uint8(254)) + np.uint8(1)
        if learn is not None:
            new_center, new_ratio = np.where(learn, new_center, center), np.where(learn, new_ratio, ratio)
            aim, new_visits = np.where(learn, aim, code), np.where(learn, new_visits, visits)
            new_spread, new_judged = np.where(learn, new_spread, spread), np.where(learn, new_judged, judged)
        self.center[day_at] = new_center
        self.own_spread[day_at] = new_ratio
        self.offset[week_at] = aim.astype(np.int8)
        self.visits[day_at] = new_visits
        self.spread[at] = new_spread
        self.judged[at] = new_judged
        return surprise, None if knows.all() else knows


def _find_fractions(count: NDArray[np.int32]) -> Singles:
    """The fractions of whole multiples of the golden ratio, which fill [0, 1) evenly; exact for counts of any size."""
    turned = count.astype(np.uint32)
    turned *= GOLDEN
    turned >>= np.uint32(8)
    return turned.astype(np.float32) * np.float32(2.0**-24)
