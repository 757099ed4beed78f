"""From the devices of a field action to figures: how often they breached before and after. Pure.

Every device counts once on either side: with its first breach of any fault group, and the time up to it. Data quality
and lost connections are no fault of what was done to a device.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.field_action_halt import CampaignLook
from domain.firmware_release import Verdict, find_rate_verdict
from service_link.release_statistics import RateChange, find_rate_change
from store.field_action_campaigns import Upgraded
from store.releases import FirstBreaches, Windows

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Counts:
    """First breaches and the device-days up to them."""

    events_before: int
    days_before: float
    events_after: int
    days_after: float

    @property
    def ratio(self) -> float:
        """After to before, half an event added to both: of devices that were not upgraded, who may have none."""
        if self.days_before <= 0.0 or self.days_after <= 0.0:
            return 1.0
        return ((self.events_after + 0.5) / self.days_after) / ((self.events_before + 0.5) / self.days_before)


def find_windows(devices: Sequence[Upgraded], span: timedelta, now: datetime) -> list[Windows]:
    """What is compared of each device: up to `span` before, and as long after, as far as it was known and stayed."""
    windows = []
    for device in devices:
        before_from = max(device.at - span, device.known_since)
        after_to = min(device.at + span, now, device.until or now)
        if before_from < device.at < after_to:
            windows.append(Windows(device.device_id, device.at, before_from, device.at, device.at, after_to))
    return windows


def find_control_windows(windows: Sequence[Windows], control_ids: Sequence[int]) -> list[Windows]:
    """Each control in the windows of one of the devices, so that both see the same days."""
    return [replace(windows[n % len(windows)], device_id=device_id) for n, device_id in enumerate(control_ids)]


def find_device_hours(windows: Sequence[Windows]) -> float:
    """Hours after, of all devices together."""
    return sum((w.after_to - w.updated_at).total_seconds() for w in windows) / 3600.0


def count_first_breaches(
    windows: Sequence[Windows], breaches: Sequence[FirstBreaches], left_out: Collection[str]
) -> Counts:
    """The first breach of each device on either side, whatever its fault group, and the days up to it."""
    before: dict[int, datetime] = {}
    after: dict[int, datetime] = {}
    for breach in breaches:
        if breach.fault_group in left_out:
            continue
        for side, at in ((before, breach.before), (after, breach.after)):
            if at is not None:
                side[breach.device_id] = min(side.get(breach.device_id, at), at)
    return Counts(
        events_before=sum(w.device_id in before for w in windows),
        days_before=_sum_days((w.before_from, before.get(w.device_id, w.updated_at)) for w in windows),
        events_after=sum(w.device_id in after for w in windows),
        days_after=_sum_days((w.updated_at, after.get(w.device_id, w.after_to)) for w in windows),
    )


def _sum_days(spans: Iterable[tuple[datetime, datetime]]) -> float:
    return sum((end - begin).total_seconds() for begin, end in spans) / DAY_S


def find_change(counts: Counts) -> RateChange | None:
    """How the rate changed; None where one side has no time at all."""
    if counts.days_before <= 0.0 or counts.days_after <= 0.0:
        return None
    return find_rate_change(counts.events_before, counts.days_before, counts.events_after, counts.days_after)


def look_at(number: int, devices: int, own: Counts, controls: int, others: Counts | None) -> CampaignLook:
    """What one look says of a campaign."""
    change = find_change(own)
    control_ratio = others.ratio if others is not None and controls else 1.0
    ratio = None if change is None else change.ratio
    return CampaignLook(
        look=number,
        devices=devices,
        controls=controls,
        events_before=own.events_before,
        days_before=own.days_before,
        events_after=own.events_after,
        days_after=own.days_after,
        ratio=ratio,
        low=None if change is None else change.low,
        high=None if change is None else change.high,
        control_ratio=control_ratio,
        # Of a rise alone: that a rate fell halts nothing.
        p=change.p / 2.0 if change is not None and ratio is not None and ratio > 1.0 else 1.0,
        is_worse=find_rate_verdict(ratio, control_ratio) is Verdict.WORSE,
    )


def describe_look(look: CampaignLook, p_valid: float) -> Mapping[str, object]:
    """The figures that are kept with a halted campaign and shown."""
    return {
        "look": look.look,
        "devices": look.devices,
        "controls": look.controls,
        "events_before": look.events_before,
        "device_days_before": _round(look.days_before),
        "events_after": look.events_after,
        "device_days_after": _round(look.days_after),
        "ratio": _round(look.ratio),
        "interval": [_round(look.low), _round(look.high)],
        "control_ratio": _round(look.control_ratio),
        "p": _round(look.p),
        "p_valid": _round(p_valid),
    }


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
