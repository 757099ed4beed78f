"""What a transition tells beside what is wrong: how sure, since when, which part, what comes next, and any doubt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomaly.bank import Bank, MonitorSlot
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.forecast import ForecastDetector
from domain.clock import from_micros
from domain.forecast import find_time_to_limit
from domain.profile import Direction, MonitorRule, Sensor
from domain.sentences import describe_forecast, find_unit_sign, in_both, instant, quantity
from domain.unit_confusion import Confusion

Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A breach is one of the measurement: the sensor seems to report in another unit since its reading `before`."""

    sensor: Sensor | None = None  # None: it was told when the breach was raised
    unit: Confusion | None = None
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class ForecastSlot:
    """Where a forecast of the same series stands: its bank and slot."""

    bank: Bank
    number: int


def describe_doubt(slot: MonitorSlot, sensor: Sensor, other: Confusion, before: float, value: float) -> Params:
    """The parameters of `unit_changed`: the readings that the monitor judged are none of the device's state."""
    return {
        "label": label_of(sensor),
        "value": quantity_of(sensor, value),
        "before": quantity_of(sensor, before),
        "unit": find_unit_sign(sensor.unit) or sensor.unit,
        "other": find_unit_sign(other.unit) or other.unit,
    }


def describe_ticket(slot: MonitorSlot, first_seen_us: int, fault_group: str = "") -> Params:
    """What the sentence of a ticket needs beside what is wrong: since when, the part, what comes of it.

    By the monitor, else by its fault group; by `fault_group` alone where that is another one.
    """
    monitor = slot.monitor
    is_own = fault_group in ("", monitor.fault_group)
    group = slot.profile.find_fault_group(fault_group or monitor.fault_group)
    params: Params = {"since": instant(from_micros(first_seen_us))}
    part = (monitor.suspected_part if is_own else None) or (group.suspected_part if group else None)
    consequence = (monitor.consequence if is_own else None) or (group.consequence if group else None)
    if part is not None:
        params["part"] = in_both(part)
    if consequence is not None:
        params["consequence"] = in_both(consequence)
    return params


def find_sureness(bank: Bank, found: SlotTransition) -> Params:
    """How sure the monitor is of itself, see `domain.sentences.find_sureness`."""
    match bank.rule:
        case MonitorRule.LIMIT | MonitorRule.RATE_OF_CHANGE | MonitorRule.FLAT_LINE:
            return {"sure": {"kind": "measured"}}
        case MonitorRule.FORECAST:
            return {"sure": {"kind": "trend"}}
        case MonitorRule.ADAPTIVE:
            assert isinstance(bank.detector, AdaptiveDetector)
            odds = bank.detector.calibrate(np.array([found.slot]), np.array([found.score]))
            return {"sure": {"kind": "odds", "log10": round(float(odds[0]), 2)}}
        case MonitorRule.NOVELTY:
            return {"sure": {"kind": "odds", "log10": round(found.score, 2)}}
        case _:
            return {"sure": {"kind": "unseen"}}


def find_forecast(forecasts: Sequence[ForecastSlot], at_us: int) -> Params:
    """The nearest limit that the series is on its way to, where a forecast monitor of its own sees a trend."""
    known: list[Params] = [
        {"limit": limit_of(f.bank.slots[f.number]), "monitor": f.bank.slots[f.number].monitor.key} | told
        for f in forecasts
        if (told := _find_time_left(f.bank, f.number, at_us))
    ]
    return {"forecast": min(known, key=lambda told: told["hours_to_limit"])} if known else {}


def _find_time_left(bank: Bank, number: int, at_us: int) -> Params:
    """How long the trend of this slot needs to its limit, nothing where there is none."""
    detector, monitor = bank.detector, bank.slots[number].monitor
    assert isinstance(detector, ForecastDetector)
    trend = detector.find_trend(number)
    if trend is None or monitor.raise_at is None:
        return {}
    left = find_time_to_limit(
        trend,
        monitor.raise_at,
        is_high=monitor.direction is not Direction.LOW,
        bucket_s=detector.find_bucket_s(number),
        elapsed_s=detector.find_elapsed_s(number, at_us),
    )
    return {} if left is None else describe_forecast(left.hours, left.low, left.high)


def describe_own_forecast(bank: Bank, slot: MonitorSlot, found: SlotTransition) -> tuple[str, Params]:
    """The reason of a breach of a forecast monitor and its parameters: level, limit and the time between."""
    detector, monitor, sensor = bank.detector, slot.monitor, slot.sensors[0]
    assert isinstance(detector, ForecastDetector)
    told = _find_time_left(bank, found.slot, found.at_us)
    trend = detector.find_trend(found.slot)
    params: Params = {"limit": limit_of(slot), "lead_time_h": (monitor.lead_time_s or 0.0) / 3600.0, **told}
    if trend is not None:
        params["level"] = quantity_of(sensor, trend.level)
        params["per_day"] = quantity_of(sensor, trend.slope * 86_400.0 / detector.find_bucket_s(found.slot))
    return ("forecast_low" if monitor.direction is Direction.LOW else "forecast_high"), params


def label_of(sensor: Sensor) -> dict[str, str]:
    """The sensor's name in both languages, as a parameter."""
    return in_both(sensor.label)


def quantity_of(sensor: Sensor, value: float) -> Params:
    """A value in the sensor's unit and decimals, as a parameter."""
    return quantity(value, sensor.unit, sensor.decimals)


def limit_of(slot: MonitorSlot) -> Params:
    """The monitor's raise limit, as a parameter."""
    limit = slot.monitor.raise_at if slot.monitor.raise_at is not None else 0.0
    return quantity_of(slot.sensors[0], limit)
