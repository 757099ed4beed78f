"""Evidence of a breach, frozen when it is raised: what was measured, what was expected, and who judged it by what."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from anomaly.bank import Bank, MonitorSlot
from domain.breach import BreachTransition
from domain.clock import to_micros
from domain.firmware import FirmwareChange
from store.breaches import NewEvidence, RawWindow

FORMAT = 1
WINDOW_FACTOR = 5  # times the trigger window
LEAST_TRIGGER = timedelta(seconds=60)
MOST_POINTS = 2_000


def find_windows(transition: BreachTransition, slot: MonitorSlot) -> list[RawWindow]:
    """The stored readings that belong to the evidence: five times the trigger window of every sensor involved."""
    if not slot.series_ids:
        return []
    trigger = max(transition.at - transition.first_seen, LEAST_TRIGGER)
    most = MOST_POINTS // len(slot.series_ids)
    since = transition.at - WINDOW_FACTOR * trigger
    return [RawWindow(transition.breach_id, i, since, transition.at, most) for i in slot.series_ids]


def build_evidence(
    transition: BreachTransition,
    slot: MonitorSlot,
    bank: Bank | None,
    firmware: str,
    raw: Mapping[int, Sequence[tuple[int, float]]],
    changes: Sequence[FirmwareChange] = (),
) -> NewEvidence:
    """The evidence of a raised breach; equal inputs give an equal hash.

    Parameters
    ----------
    firmware
        Of the main component when the breach was first seen.
    changes
        Of firmware within the window.
    bank
        Whose detector scored it; None for monitors of presence and of device codes.
    raw
        By series id: (microseconds since 1970, value), as `load_raw_windows` gives them.
    """
    monitor = slot.monitor
    windows = find_windows(transition, slot)
    body: dict[str, Any] = {
        "format": FORMAT,
        "breach_id": str(transition.breach_id),
        "serial": slot.device.serial,
        "model": slot.profile.model,
        "profile_version": slot.profile.version,
        "firmware": firmware,
        "firmware_changes": [
            {"at_us": to_micros(c.at), "component": c.component, "before": c.before, "after": c.after} for c in changes
        ],
        "monitor": asdict(monitor),
        "detector": {"rule": monitor.rule.value, "version": bank.detector.VERSION if bank is not None else 1},
        "prior": transition.params.get("prior"),  # the model record that the baseline began with
        "first_seen": transition.first_seen.isoformat(),
        "at": transition.at.isoformat(),
        "received_at": transition.received_at.isoformat(),
        "severity": transition.severity.value,
        "count": transition.count,
        "peak": transition.peak,
        "score": transition.score,
        "reason_code": transition.reason_code,
        "params": transition.params,
        "limits": {"raise": monitor.raise_at, "clear": monitor.clear_at, "critical": monitor.critical_at},
        "expected": _find_band(transition, monitor.raise_at),
        "contributions": transition.params.get("contributions", []),
        "window": None,
        "series": [
            {
                "series_id": series_id,
                "sensor": sensor.key,
                "label": asdict(sensor.label),
                "unit": sensor.unit,
                "decimals": sensor.decimals,
                "points": [[us, value] for us, value in raw.get(series_id, ())],
            }
            for sensor, series_id in zip(slot.sensors, slot.series_ids, strict=True)
        ],
    }
    if windows:
        body["window"] = {
            "from_us": to_micros(windows[0].since),
            "to_us": to_micros(windows[0].until),
            "trigger_from_us": to_micros(transition.first_seen),
        }
    return NewEvidence(transition.breach_id, body, find_sha256(body))


def find_sha256(body: Mapping[str, Any]) -> str:
    """The hash of a body's canonical JSON: keys sorted, no spaces, UTF-8. Source: RFC 8785, for what occurs in here."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _find_band(transition: BreachTransition, raise_at: float | None) -> dict[str, float] | None:
    """Level and band of an adaptive monitor as they were at that instant, in the sensor's unit."""
    deviation = transition.params.get("deviation")
    if deviation is None or raise_at is None:
        return None
    level = float(transition.params["expected"]["value"])
    width = float(deviation) * abs(raise_at)
    return {"level": level, "deviation": float(deviation), "low": level - width, "high": level + width}
