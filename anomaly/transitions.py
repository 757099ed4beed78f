"""A step of a slot's breach as the transition that others read: its id, actual values, the sentence's parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anomaly.bank import Bank, MonitorSlot, orientation
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.forecast import ForecastDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.detectors.novelty.detector import PARTS, NoveltyDetector
from domain.breach import BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros
from domain.forecast import find_time_to_limit
from domain.profile import Direction, MonitorRule, Sensor, Text
from domain.sentences import describe_forecast, duration, find_unit_sign, instant, quantity
from domain.unit_confusion import Confusion

Params = dict[str, Any]
MOST_SIGNALS = 5  # that a ticket names
DATA_QUALITY = "data_quality"  # the fault group of what is about the measurement, by convention of the profiles


@dataclass(frozen=True, slots=True)
class Doubt:
    """A breach is one of the measurement: the sensor seems to report in another unit since its reading `before`."""

    sensor: Sensor | None = None  # None: it was told when the breach was raised
    unit: Confusion | None = None
    before: float = 0.0


PATTERNS = {  # by the part of the novelty detector that spoke
    "season": {"en": "a value that it never has at this time", "zh": "该时段从未出现过的数值"},
    "level": {"en": "its level shifted", "zh": "水平发生偏移"},
    "sequence": {"en": "values in an order that it never shows", "zh": "从未出现过的先后次序"},
    "shape": {"en": "a shape that it never shows", "zh": "从未出现过的波形"},
}


@dataclass(frozen=True, slots=True)
class ForecastSlot:
    """Where a forecast of the same series stands: its bank and slot."""

    bank: Bank
    number: int


def describe_transition(
    bank: Bank,
    found: SlotTransition,
    value: float,
    received_us: int,
    forecasts: Sequence[ForecastSlot] = (),
    doubt: Doubt | None = None,
) -> BreachTransition:
    """The transition of slot `found.slot` of `bank`, caused by a reading of `value`.

    `forecasts` are those of the same series: the nearest limit that one of them sees coming is told with a breach.
    With a `doubt` it is a MINOR one of the data-quality group, where the profile has one.
    """
    slot = bank.slots[found.slot]
    reason, params = _find_reason(bank, slot, found, value)
    monitor = slot.monitor
    group = monitor.fault_group
    severity = Severity.CRITICAL if found.critical else monitor.severity
    if doubt is not None:
        severity = min(severity, Severity.MINOR, key=lambda s: s.rank)
        group = DATA_QUALITY if slot.profile.find_fault_group(DATA_QUALITY) is not None else group
    if doubt is not None and doubt.sensor is not None and doubt.unit is not None:
        reason = "unit_changed"
        params |= _describe_doubt(slot, doubt.sensor, doubt.unit, doubt.before, value)
        params |= describe_ticket(slot, found.first_seen_us, group)
    elif found.kind is not TransitionKind.CLEARED:
        params |= describe_ticket(slot, found.first_seen_us) | _find_sureness(bank, found)
        if monitor.rule is not MonitorRule.FORECAST:
            params |= _find_forecast(forecasts, found.at_us)
    sign = orientation(monitor)
    return BreachTransition(
        breach_id=breach_id_of(slot.device.id, monitor.key, slot.breach_series_id, found.first_seen_us),
        kind=found.kind,
        device_id=slot.device.id,
        series_id=slot.breach_series_id,
        monitor=monitor.key,
        profile_version=slot.profile.version,
        breach_kind=monitor.kind,
        severity=severity,
        fault_group=group,
        first_seen=from_micros(found.first_seen_us),
        at=from_micros(found.at_us),
        received_at=from_micros(received_us),
        count=found.count,
        peak=sign * found.peak,
        score=sign * found.score,
        reason_code=reason,
        params=params,
    )


def describe_end(bank: Bank, number: int, reason: str, at_us: int, received_us: int, **more: Any) -> BreachTransition:
    """The closing of the open breach of slot `number`, which nobody can judge any more, by a reading of `at_us`.

    `reason` is `baseline_restarted` or `baseline_relearned` (what is normal begins anew) or `detector_failed`; `more`
    are its parameters.
    """
    slot, rules = bank.slots[number], bank.rules
    first_us = int(rules.first[number])
    at_us = max(at_us, first_us)
    sign = orientation(slot.monitor)
    return BreachTransition(
        breach_id=breach_id_of(slot.device.id, slot.monitor.key, slot.breach_series_id, first_us),
        kind=TransitionKind.CLEARED,
        device_id=slot.device.id,
        series_id=slot.breach_series_id,
        monitor=slot.monitor.key,
        profile_version=slot.profile.version,
        breach_kind=slot.monitor.kind,
        severity=Severity.CRITICAL if rules.critical[number] else slot.monitor.severity,
        fault_group=slot.monitor.fault_group,
        first_seen=from_micros(first_us),
        at=from_micros(at_us),
        received_at=from_micros(received_us),
        count=int(rules.count[number]),
        peak=sign * float(rules.peak[number]),
        score=0.0,
        reason_code=reason,
        params={
            "serial": slot.device.serial,
            "monitor": slot.monitor.key,
            "duration": duration((at_us - first_us) / 1e6),
            **more,
        },
    )


def _describe_doubt(slot: MonitorSlot, sensor: Sensor, other: Confusion, before: float, value: float) -> Params:
    # Without what the monitor says of itself: the readings it judged are none of the device's state.
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
        params["part"] = _in_both(part)
    if consequence is not None:
        params["consequence"] = _in_both(consequence)
    return params


def _in_both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh}


def _find_sureness(bank: Bank, found: SlotTransition) -> Params:
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


def _find_forecast(forecasts: Sequence[ForecastSlot], at_us: int) -> Params:
    """The nearest limit that the series is on its way to, where a forecast monitor of its own sees a trend."""
    known: list[Params] = [
        {"limit": _limit_of(f.bank.slots[f.number]), "monitor": f.bank.slots[f.number].monitor.key} | told
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


def _describe_forecast(bank: Bank, slot: MonitorSlot, found: SlotTransition) -> tuple[str, Params]:
    detector, monitor, sensor = bank.detector, slot.monitor, slot.sensors[0]
    assert isinstance(detector, ForecastDetector)
    told = _find_time_left(bank, found.slot, found.at_us)
    trend = detector.find_trend(found.slot)
    params: Params = {"limit": _limit_of(slot), "lead_time_h": (monitor.lead_time_s or 0.0) / 3600.0, **told}
    if trend is not None:
        params["level"] = quantity_of(sensor, trend.level)
        params["per_day"] = quantity_of(sensor, trend.slope * 86_400.0 / detector.find_bucket_s(found.slot))
    return ("forecast_low" if monitor.direction is Direction.LOW else "forecast_high"), params


def label_of(sensor: Sensor) -> dict[str, str]:
    """The sensor's name in both languages, as a parameter."""
    return {"en": sensor.label.en, "zh": sensor.label.zh}


def quantity_of(sensor: Sensor, value: float) -> Params:
    """A value in the sensor's unit and decimals, as a parameter."""
    return quantity(value, sensor.unit, sensor.decimals)


def _find_reason(bank: Bank, slot: MonitorSlot, found: SlotTransition, value: float) -> tuple[str, Params]:
    monitor, sensor = slot.monitor, slot.sensors[0]
    sign = orientation(monitor)
    held = (found.at_us - found.first_seen_us) / 1e6
    params: Params = {
        "serial": slot.device.serial,
        "label": label_of(sensor),
        "value": quantity_of(sensor, value),
        "duration": duration(held),
        "monitor": monitor.key,
        "count": found.count,
    }
    if monitor.rule is MonitorRule.MULTIVARIATE:
        _name_main_channel(bank, slot, found.slot, params)
    if found.kind is TransitionKind.CLEARED:
        if monitor.rule is MonitorRule.FORECAST:
            return "forecast_over", params | {"limit": _limit_of(slot)}
        return "back_to_normal", params
    if found.kind is TransitionKind.ESCALATED:
        critical = monitor.critical_at if monitor.critical_at is not None else 0.0
        if monitor.rule is MonitorRule.LIMIT:
            return "critical_reached", params | {"limit": quantity_of(sensor, critical)}
        if monitor.rule is MonitorRule.FORECAST:
            told = _describe_forecast(bank, slot, found)[1]
            return "forecast_critical", params | told | {"limit": quantity_of(sensor, critical)}
        return "anomaly_critical", params | {"score": sign * found.score, "critical": critical}
    match monitor.rule:
        case MonitorRule.LIMIT:
            params |= {"peak": quantity_of(sensor, sign * found.peak), "limit": _limit_of(slot)}
            return ("limit_low" if monitor.direction is Direction.LOW else "limit_high"), params
        case MonitorRule.RATE_OF_CHANGE:
            return "rate_of_change", params | {
                "rate": quantity_of(sensor, sign * found.score),
                "limit": _limit_of(slot),
            }
        case MonitorRule.FLAT_LINE:
            window = monitor.window_s or 0.0
            return "flat_line", params | {"duration": duration(max(held + window, found.score * window))}
        case MonitorRule.ADAPTIVE:
            assert isinstance(bank.detector, AdaptiveDetector)
            level, deviation = bank.detector.find_expected(found.slot)
            params |= {"score": found.score, "expected": quantity_of(sensor, level), "deviation": deviation}
            return ("adaptive_low" if value < level else "adaptive_high"), params
        case MonitorRule.FORECAST:
            reason, told = _describe_forecast(bank, slot, found)
            return reason, params | told
        case MonitorRule.NOVELTY:
            assert isinstance(bank.detector, NoveltyDetector)
            part = PARTS[int(bank.detector.part[found.slot])]
            return "novelty", params | {"score": found.score, "part_of_score": part, "pattern": PATTERNS[part]}
        case _:
            return "multivariate", params | {"score": found.score}


def _limit_of(slot: MonitorSlot) -> Params:
    limit = slot.monitor.raise_at if slot.monitor.raise_at is not None else 0.0
    return quantity_of(slot.sensors[0], limit)


def _name_main_channel(bank: Bank, slot: MonitorSlot, unit: int, params: Params) -> None:
    """Puts the sensor that deviates most into the sentence, and all contributions beside it."""
    assert isinstance(bank.detector, MultivariateDetector)
    contributions = bank.detector.find_contributions(unit)
    if not contributions:
        return
    main = slot.sensors[contributions[0].channel]
    params["label"] = label_of(main)
    params["value"] = quantity_of(main, contributions[0].value)
    params["expected"] = quantity_of(main, contributions[0].expected)
    params["contributions"] = [
        {
            "sensor": slot.sensors[c.channel].key,
            "share": round(c.share, 4),
            "deviation": round(c.deviation, 3),
            "value": c.value,
            "expected": c.expected,
        }
        for c in contributions[:MOST_SIGNALS]
    ]
