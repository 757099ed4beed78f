"""A step of a slot's breach as the transition that others read: its id, actual values, the sentence's parameters."""

from typing import Any

from anomaly.bank import Bank, MonitorSlot, orientation
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.multivariate import MultivariateDetector
from domain.breach import BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros
from domain.profile import Direction, MonitorRule, Sensor
from domain.sentences import duration, quantity

Params = dict[str, Any]


def describe_transition(bank: Bank, found: SlotTransition, value: float, received_us: int) -> BreachTransition:
    """The transition of slot `found.slot` of `bank`, caused by a reading of `value`."""
    slot = bank.slots[found.slot]
    reason, params = _find_reason(bank, slot, found, value)
    monitor = slot.monitor
    sign = orientation(monitor)
    return BreachTransition(
        breach_id=breach_id_of(slot.device.id, monitor.key, slot.breach_series_id, found.first_seen_us),
        kind=found.kind,
        device_id=slot.device.id,
        series_id=slot.breach_series_id,
        monitor=monitor.key,
        profile_version=slot.profile.version,
        breach_kind=monitor.kind,
        severity=Severity.CRITICAL if found.critical else monitor.severity,
        fault_group=monitor.fault_group,
        first_seen=from_micros(found.first_seen_us),
        at=from_micros(found.at_us),
        received_at=from_micros(received_us),
        count=found.count,
        peak=sign * found.peak,
        score=sign * found.score,
        reason_code=reason,
        params=params,
    )


def describe_restart(bank: Bank, number: int, firmware: str, at_us: int, received_us: int) -> BreachTransition:
    """The closing of the open breach of slot `number`, whose baseline begins anew with a reading of `at_us`."""
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
        reason_code="baseline_restarted",
        params={
            "serial": slot.device.serial,
            "monitor": slot.monitor.key,
            "firmware": firmware,
            "duration": duration((at_us - first_us) / 1e6),
        },
    )


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
        return "back_to_normal", params
    if found.kind is TransitionKind.ESCALATED:
        critical = monitor.critical_at if monitor.critical_at is not None else 0.0
        if monitor.rule is MonitorRule.LIMIT:
            return "critical_reached", params | {"limit": quantity_of(sensor, critical)}
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
        for c in contributions
    ]
