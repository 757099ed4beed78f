"""Readings of several channels as rows: all that a unit had at one instant."""

from dataclasses import dataclass

import numpy as np

from anomaly.detectors.contract import Floats, Ints


@dataclass(frozen=True, slots=True)
class UnitRows:
    """One row per unit and instant, as far as a block has it."""

    unit: Ints
    at_us: Ints
    first: Ints  # number in the block of the row's first reading ...
    last: Ints  # ... and of its last
    value: Floats  # (rows, width), NaN where there is none


def gather_rows(slot: Ints, observed_us: Ints, value: Floats, width: int) -> UnitRows:
    """The rows of all units, ordered by unit and then by arrival; slot = unit * width + channel."""
    n = slot.shape[0]
    if n == 0:
        none = np.empty(0, dtype=np.int64)
        return UnitRows(none, none, none, none, np.empty((0, width)))
    # Packed (unit, reading) keys: stable, as in `rank_rows`.
    packed = np.sort(((slot // width) << 32) | np.arange(n, dtype=np.int64))
    reading, unit = packed & np.int64(0xFFFFFFFF), packed >> 32
    at_us = observed_us[reading]
    begins = np.ones(n, dtype=bool)
    begins[1:] = (unit[1:] != unit[:-1]) | (at_us[1:] != at_us[:-1])
    start = np.flatnonzero(begins)
    end = np.append(start[1:], n) - 1
    matrix = np.full((start.shape[0], width), np.nan)
    given = value[reading]
    matrix[np.cumsum(begins) - 1, slot[reading] % width] = np.where(np.isfinite(given), given, np.nan)
    return UnitRows(unit[start], at_us[start], reading[start], reading[end], matrix)
