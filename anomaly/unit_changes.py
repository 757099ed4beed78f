"""When the values of a series go on in another unit than its own, without anybody saying so.

A device that begins to send Fahrenheit looks like one that is on fire. But no part of a device changes from one reading
to the next by just what lies between two units. So each reading is compared with the one before: where a series was
steady for a while and then is, within 2 %, what it would be in another unit that such a signal is usually reported in,
it is doubted until it changes back, at most for a day. What a monitor finds on it meanwhile is told as one of the
measurement. A series that scatters more than 5 % from reading to reading is never doubted: there chance would find
units.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Floats, Ints, SlotArrays, StateField
from domain.unit_confusion import Confusion, find_confusions

NO_UNIT = -1
NEAR = 0.02
LEAST_CHANGE = 0.15  # a share of the larger value: a smaller one is none that two units explain
STEADY = 0.05  # from one reading to the next, of the larger value
STEADY_READINGS = 16
MOST_STEADY = 1_000
DOUBTED_US = 86_400_000_000


class UnitWatch(SlotArrays):
    """The last reading of every series, and in which other unit it seems to report since when."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("last", np.float64, fill=np.nan),
        StateField("steady", np.int32),  # readings in a row that were
        StateField("since_us", np.int64, fill=int(NEVER)),
        StateField("other", np.int8, fill=NO_UNIT),  # the number of its confusion
        StateField("before", np.float64, fill=np.nan),  # the reading before the change
    )
    last: Floats
    steady: NDArray[np.int32]
    since_us: Ints
    other: NDArray[np.int8]
    before: Floats

    def __init__(self, units: Sequence[str]) -> None:
        super().__init__()
        self._grow(len(units))
        known = {unit: find_confusions(unit) for unit in set(units)}
        self.confusions: list[tuple[Confusion, ...]] = [known[unit] for unit in units]
        most = max((len(c) for c in known.values()), default=0)
        self._factor = np.full((len(units), most), np.nan)
        self._offset = np.full((len(units), most), np.nan)
        for unit, confusions in known.items():
            own = np.flatnonzero(np.array([u == unit for u in units]))
            self._factor[own, : len(confusions)] = [c.factor for c in confusions]
            self._offset[own, : len(confusions)] = [c.offset for c in confusions]
        self._watched = np.array([bool(c) for c in self.confusions], dtype=np.bool_)
        self._changes: dict[int, list[tuple[int, int, int, float]]] = {}  # of the block: (row, instant, other, before)

    def follow(self, series: Ints, at_us: Ints, value: Floats) -> None:
        """Takes the readings of a block, in order of arrival; `find_doubt` answers for its rows until the next one."""
        self._settle()
        if not self._watched.any() or series.shape[0] == 0:
            return
        order = np.argsort(series, kind="stable")
        own, now = series[order], value[order]
        begins = np.ones(own.shape[0], dtype=np.bool_)
        begins[1:] = own[1:] != own[:-1]
        before_block = self.steady[own]
        before = np.empty_like(now)
        before[1:] = now[:-1]
        before[begins] = self.last[own[begins]]
        ends = np.ones(own.shape[0], dtype=np.bool_)
        ends[:-1] = begins[1:]
        self.last[own[ends]] = now[ends]
        steady = self._count_steady(own, begins, now, before)
        self.steady[own[ends]] = steady[ends]
        was_steady = np.empty_like(steady)
        was_steady[1:] = steady[:-1]
        was_steady[begins] = before_block[begins]
        for i in np.flatnonzero(self._may_change(own, now, before, was_steady)).tolist():
            self._judge(int(own[i]), int(order[i]), int(at_us[order[i]]), float(before[i]), float(now[i]))

    def _count_steady(self, own: Ints, begins: Bools, now: Floats, before: Floats) -> NDArray[np.int32]:
        """How many readings in a row, up to each one, differed little from the one before."""
        with np.errstate(invalid="ignore"):
            is_steady = np.abs(now - before) <= STEADY * np.maximum(np.abs(now), np.abs(before))
        place = np.arange(own.shape[0])
        since = np.maximum.accumulate(np.where(~is_steady | begins, place, 0))
        # From the last break on; a series that was steady before the block goes on from there.
        carried = np.where(is_steady[since], self.steady[own[since]] + 1, 0)
        counted: NDArray[np.int32] = np.minimum(place - since + carried, MOST_STEADY).astype(np.int32)
        return counted

    def _may_change(self, own: Ints, now: Floats, before: Floats, was_steady: NDArray[np.int32]) -> Bools:
        """Which readings may be the first in another unit, or the first in the own one again."""
        with np.errstate(invalid="ignore"):
            may = self._watched[own] & _differ(now, before) & (was_steady >= STEADY_READINGS)
            rows = np.flatnonzero(may)
            if rows.shape[0]:
                factor, offset = self._factor[own[rows]], self._offset[own[rows]]
                forth = factor * before[rows, None] + offset
                back = (before[rows, None] - offset) / factor
                fits = (_is_near(now[rows, None], forth)) | (_is_near(now[rows, None], back))
                may[rows] = fits.any(axis=1)
        return may

    def _judge(self, series: int, row: int, at_us: int, before: float, now: float) -> None:
        changes = self._changes.get(series, [])
        other = changes[-1][2] if changes else int(self.other[series])
        for number, confusion in enumerate(self.confusions[series]):
            if other == NO_UNIT and abs(now - (expected := confusion.factor * before + confusion.offset)) <= NEAR * abs(
                expected
            ):
                self._changes.setdefault(series, []).append((row, at_us, number, before))
                return
            if other == number:
                back = (before - confusion.offset) / confusion.factor
                if abs(now - back) <= NEAR * abs(back):
                    self._changes.setdefault(series, []).append((row, at_us, NO_UNIT, np.nan))

    def _settle(self) -> None:
        for series, changes in self._changes.items():
            _, self.since_us[series], self.other[series], self.before[series] = changes[-1]
        self._changes = {}

    def find_doubt(self, series: int, row: int, first_seen_us: int, at_us: int) -> tuple[Confusion, float] | None:
        """In which unit the series seemed to report, at a row of the block, for all of an episode, and its last reading
        before that; None: it is not doubted."""
        since_us, other, before = int(self.since_us[series]), int(self.other[series]), float(self.before[series])
        for changed_row, changed_us, new, last in self._changes.get(series, ()):
            if changed_row <= row:
                since_us, other, before = changed_us, new, last
        if other == NO_UNIT or not since_us <= first_seen_us <= at_us <= since_us + DOUBTED_US:
            return None
        return self.confusions[series][other], before

    def state_to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """See `SlotArrays.state_to_arrays`; with what the last block changed."""
        self._settle()
        return super().state_to_arrays()


def _differ(a: Floats, b: Floats) -> Bools:
    far: Bools = np.abs(a - b) > LEAST_CHANGE * np.maximum(np.abs(a), np.abs(b))
    return far


def _is_near(value: Floats, expected: Floats) -> Bools:
    near: Bools = np.abs(value - expected) <= NEAR * np.abs(expected)
    return near
