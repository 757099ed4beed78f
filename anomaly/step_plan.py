"""The order in which the readings of a block pass through the banks: the k-th reading of every series is one step."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anomaly.bank import Bank
from anomaly.detectors.contract import Bools, Floats, Ints
from anomaly.ranking import iterate_steps


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of a step: the index of their series, their rows in the block, instants and values."""

    series: Ints
    row: Ints
    at_us: Ints
    value: Floats

    def choose(self, rows: Bools | Ints) -> "Readings":
        """Some of them."""
        return Readings(self.series[rows], self.row[rows], self.at_us[rows], self.value[rows])


def iterate_readings(series: Ints, at_us: Ints, value: Floats) -> Iterator[Readings]:
    """The steps of a block, each with at most one reading of a series, in order of arrival and then of the series."""
    for row in iterate_steps(series):
        yield Readings(series[row], row, at_us[row], value[row])


def find_slots_of(bank: Bank, readings: Readings) -> tuple[Ints, Readings]:
    """The slots of a bank that these readings belong to, and the reading of each; those that their detector raised on
    are left out."""
    found = [_find_of_layer(bank, layer, readings) for layer in bank.layers]
    if len(found) == 1:
        return found[0]
    if not found:
        return readings.series[:0], readings.choose(readings.series[:0])
    slots, several = zip(*found, strict=True)
    columns = ("series", "row", "at_us", "value")
    together = Readings(*(np.concatenate([getattr(one, name) for one in several]) for name in columns))
    return np.concatenate(slots), together


def _find_of_layer(bank: Bank, layer: Ints, readings: Readings) -> tuple[Ints, Readings]:
    slot = layer[readings.series]
    watched = slot >= 0
    if bank.failed:
        watched[watched] = ~bank.is_failed[slot[watched]]
    if watched.all():
        return slot, readings
    return slot[watched], readings.choose(watched)
