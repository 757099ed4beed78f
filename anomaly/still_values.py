"""A sensor that stands still beyond a limit: its readings are no news of the device, but of the sensor.

Where a flat line monitor watches a series, its maker says that the signal lives. A reading that repeats the one before
is then no second reading to a limit monitor that has not raised yet: a sensor that sticks beyond a limit gives one
reading there, however often it sends it. A signal that lives is held up for a reading at most. What is critical counts
however often it is repeated. When the line has held for the flat line monitor's window, that monitor speaks, as MAJOR
and with the limit: nothing that stands beyond a limit is silent for longer than the window.
"""

from dataclasses import replace

import numpy as np

from anomaly.bank import Bank, orientation
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.contract import MICROS, NEVER, Bools, Floats, Ints
from anomaly.detectors.limits import FlatLineDetector
from domain.breach import TransitionKind
from domain.profile import Monitor, MonitorRule


def silence_repeats(bank: Bank, lines: Bank, slot: Ints, at_us: Ints, value: Floats, score: Floats) -> Floats:
    """The scores of one step; of limit monitors NaN where a reading beyond the limit only repeats the one before.

    The flat line monitors `lines` must not have seen this step's readings yet.
    """
    if bank.rule is not MonitorRule.LIMIT or not lines.layers:
        return score
    rows = bank.rules.find_pending(slot, score)
    if rows.shape[0] == 0:
        return score
    silent = rows[_find_repeats(lines, bank.series_of_slot[slot[rows]], at_us[rows], value[rows])]
    if silent.shape[0]:
        score = score.copy()
        score[silent] = np.nan
    return score


def _find_repeats(lines: Bank, series: Ints, at_us: Ints, value: Floats) -> Bools:
    """Which readings go on with the line that their series draws, as its flat line monitors will find."""
    detector = lines.detector
    assert isinstance(detector, FlatLineDetector)
    repeats = np.zeros(series.shape[0], dtype=np.bool_)
    for layer in lines.layers:
        slot = layer[series]
        last_us = detector.last_us[slot]
        with np.errstate(invalid="ignore"):
            same = np.abs(value - detector.anchor[slot]) <= detector.tolerance[slot]
        known = (slot >= 0) & (last_us != NEVER)
        gap = np.where(known, at_us - np.where(known, last_us, at_us), 0) * MICROS
        repeats |= known & same & (gap <= detector.window[slot])
    return repeats


def place_line(bank: Bank, limits: Bank, step: SlotTransition, value: float) -> tuple[SlotTransition, Monitor | None]:
    """A step of a breach; one that raises a flat line beyond a limit is the graver one, and comes with that monitor."""
    if bank.rule is not MonitorRule.FLAT_LINE or step.kind is not TransitionKind.RAISED:
        return step, None
    beyond = _find_limit_beyond(limits, int(bank.series_of_slot[step.slot]), value)
    if beyond is None:
        return step, None
    bank.rules.aggravate(step.slot)
    return replace(step, critical=True), beyond


def _find_limit_beyond(limits: Bank, series: int, value: float) -> Monitor | None:
    """The limit monitor beyond whose limit a series stands; the gravest where there are several."""
    found: list[Monitor] = []
    for layer in limits.layers:
        if layer[series] >= 0:
            monitor = limits.slots[int(layer[series])].monitor
            sign = orientation(monitor)
            if monitor.raise_at is not None and sign * value >= sign * monitor.raise_at:
                found.append(monitor)
    return max(found, key=lambda m: m.severity.rank, default=None)
