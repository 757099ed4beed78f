"""A step of a slot's breach as the transition that others read: its id, actual values, the sentence's parameters."""

from collections.abc import Sequence
from typing import Any

from anomaly.bank import Bank, MonitorSlot, orientation
from anomaly.breach_rules import SlotTransition
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.detectors.novelty.detector import PARTS, NoveltyDetector
from anomaly.presence import OpenBreach
from anomaly.ticket_params import (
    Doubt,
    ForecastSlot,
    Params,
    describe_doubt,
    describe_own_forecast,
    describe_ticket,
    find_forecast,
    find_sureness,
    label_of,
    limit_of,
    quantity_of,
)
from domain.breach import BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import from_micros
from domain.monitor_names import name_monitor
from domain.profile import Direction, Monitor, MonitorRule
from domain.sentences import duration, in_both

MOST_SIGNALS = 5  # that a ticket names
DATA_QUALITY = "data_quality"  # the fault group of what is about the measurement, by convention of the profiles


PATTERNS = {  # by the part of the novelty detector that spoke
    "season": {"en": "a value that it never has at this time", "zh": "该时段从未出现过的数值"},
    "level": {"en": "its level shifted", "zh": "水平发生偏移"},
    "sequence": {"en": "values in an order that it never shows", "zh": "从未出现过的先后次序"},
    "shape": {"en": "a shape that it never shows", "zh": "从未出现过的波形"},
}


def describe_transition(
    bank: Bank,
    found: SlotTransition,
    value: float,
    received_us: int,
    forecasts: Sequence[ForecastSlot] = (),
    doubt: Doubt | None = None,
    beyond: Monitor | None = None,
) -> BreachTransition:
    """The transition of slot `found.slot` of `bank`, caused by a reading of `value`.

    `forecasts` are those of the same series: the nearest limit that one of them sees coming is told with a breach.
    With a `doubt` it is a MINOR one of the data-quality group, where the profile has one. A flat line is told with the
    limit monitor that it stands `beyond`.
    """
    slot = bank.slots[found.slot]
    reason, params = _find_reason(bank, slot, found, value)
    monitor = slot.monitor
    group = monitor.fault_group
    severity = find_severity(monitor, is_grave=found.critical)
    if beyond is not None:
        reason, params = "flat_line_beyond", params | {"limit": quantity_of(slot.sensors[0], beyond.raise_at or 0.0)}
    if doubt is not None:
        severity = min(severity, Severity.MINOR, key=lambda s: s.rank)
        group = DATA_QUALITY if slot.profile.find_fault_group(DATA_QUALITY) is not None else group
    if doubt is not None and doubt.sensor is not None and doubt.unit is not None:
        reason = "unit_changed"
        params |= describe_doubt(slot, doubt.sensor, doubt.unit, doubt.before, value)
        params |= describe_ticket(slot, found.first_seen_us, group)
    elif found.kind is not TransitionKind.CLEARED:
        params |= describe_ticket(slot, found.first_seen_us) | find_sureness(bank, found)
        if monitor.rule is not MonitorRule.FORECAST:
            params |= find_forecast(forecasts, found.at_us)
    prior = bank.find_prior(found.slot)
    if prior is not None and found.kind is TransitionKind.RAISED:
        params["prior"] = {"id": prior[0], "code": prior[1]}
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


def find_severity(monitor: Monitor, *, is_grave: bool) -> Severity:
    """The monitor's own, or that of its graver breaches: MAJOR of a flat line beyond a limit, CRITICAL of others."""
    if not is_grave:
        return monitor.severity
    if monitor.rule is MonitorRule.FLAT_LINE:
        return max(monitor.severity, Severity.MAJOR, key=lambda s: s.rank)
    return Severity.CRITICAL


def describe_end(bank: Bank, number: int, reason: str, at_us: int, received_us: int, **more: Any) -> BreachTransition:
    """The closing of the open breach of slot `number`, which nobody can judge any more, by a reading of `at_us`.

    `reason` is `baseline_restarted` or `baseline_relearned` (what is normal begins anew) or `detector_failed`; `more`
    are its parameters.
    """
    slot, episode = bank.slots[number], bank.rules.find_episode(number)
    first_us = episode.first_us
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
        severity=find_severity(slot.monitor, is_grave=episode.critical),
        fault_group=slot.monitor.fault_group,
        first_seen=from_micros(first_us),
        at=from_micros(at_us),
        received_at=from_micros(received_us),
        count=episode.count,
        peak=sign * episode.peak,
        score=0.0,
        reason_code=reason,
        params={
            "serial": slot.device.serial,
            "monitor": slot.monitor.key,
            "monitor_name": in_both(name_monitor(slot.profile, slot.monitor)),
            "duration": duration((at_us - first_us) / 1e6),
            **more,
        },
    )


def describe_retirement(b: OpenBreach, reason: str, serial: str) -> BreachTransition:
    """The closing of an open breach that nothing can close any more: `device_decommissioned` or `monitor_retired`.

    What the monitor was called stands in the version of the profile that raised it, see `anomaly.retired_names`.
    """
    at_us = max(b.last_seen_us, b.first_seen_us)
    return BreachTransition(
        breach_id=breach_id_of(b.device_id, b.monitor, b.series_id, b.first_seen_us),
        kind=TransitionKind.CLEARED,
        device_id=b.device_id,
        series_id=b.series_id,
        monitor=b.monitor,
        profile_version=b.profile_version,
        breach_kind=b.kind,
        severity=b.severity,
        fault_group=b.fault_group,
        first_seen=from_micros(b.first_seen_us),
        at=from_micros(at_us),
        received_at=from_micros(at_us),
        count=b.count,
        peak=b.peak,
        score=0.0,
        reason_code=reason,
        params={
            "serial": serial,
            "monitor": b.monitor,
            "duration": duration((at_us - b.first_seen_us) / 1e6),
        },
    )


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
            return "forecast_over", params | {"limit": limit_of(slot)}
        return "back_to_normal", params
    if found.kind is TransitionKind.ESCALATED:
        critical = monitor.critical_at if monitor.critical_at is not None else 0.0
        if monitor.rule is MonitorRule.LIMIT:
            return "critical_reached", params | {"limit": quantity_of(sensor, critical)}
        if monitor.rule is MonitorRule.FORECAST:
            told = describe_own_forecast(bank, slot, found)[1]
            return "forecast_critical", params | told | {"limit": quantity_of(sensor, critical)}
        return "anomaly_critical", params | {"score": sign * found.score, "critical": critical}
    match monitor.rule:
        case MonitorRule.LIMIT:
            params |= {"peak": quantity_of(sensor, sign * found.peak), "limit": limit_of(slot)}
            return ("limit_low" if monitor.direction is Direction.LOW else "limit_high"), params
        case MonitorRule.RATE_OF_CHANGE:
            return "rate_of_change", params | {
                "rate": quantity_of(sensor, sign * found.score),
                "limit": limit_of(slot),
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
            reason, told = describe_own_forecast(bank, slot, found)
            return reason, params | told
        case MonitorRule.NOVELTY:
            assert isinstance(bank.detector, NoveltyDetector)
            part = PARTS[int(bank.detector.part[found.slot])]
            return "novelty", params | {"score": found.score, "part_of_score": part, "pattern": PATTERNS[part]}
        case _:
            return "multivariate", params | {"score": found.score}


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
