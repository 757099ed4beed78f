"""A sensor that floods costs no more than fifty readings a second: of those within one moment the first is scored."""

from typing import ClassVar

import numpy as np

from anomaly.detectors.contract import NEVER, Bools, Ints, SlotArrays, StateField
from anomaly.ranking import order_rows

MOMENT_US = 20_000  # fifty readings a second tell all of wear


class Moments(SlotArrays):
    """In which moment of event time the last reading of each series was."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (StateField("last", np.int64, fill=int(NEVER)),)
    last: Ints

    def __init__(self, count: int) -> None:
        super().__init__()
        self._grow(count)

    def find_first(self, series: Ints, at_us: Ints) -> Bools:
        """Which readings are the first of their series in their moment, in order of arrival. Moments are fixed in event
        time, so no cut into blocks changes which."""
        moment = at_us // MOMENT_US
        order = order_rows(series)
        own, when = series[order], moment[order]
        begins = np.ones(own.shape[0], dtype=np.bool_)
        begins[1:] = own[1:] != own[:-1]
        before = np.empty_like(when)
        before[1:] = when[:-1]
        before[begins] = self.last[own[begins]]
        ends = np.ones(own.shape[0], dtype=np.bool_)
        ends[:-1] = begins[1:]
        self.last[own[ends]] = when[ends]
        first = np.empty(own.shape[0], dtype=np.bool_)
        first[order] = when != before
        return first
