"""What pages say of a device: health, place, facts, its firmware and what it tells of itself."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from api.console.data_quality_views import find_completeness
from api.console.facts import Fact, say_day, say_share
from api.console.page import View
from domain.firmware import AttemptOutcome, FirmwareChange, UpdateAttempt
from domain.health import HealthReason
from domain.profile import Profile
from store.device_accounts import DeviceAccount
from store.device_attributes import DeviceAttribute
from store.devices import Device, find_device_health

FIRMWARE_LINES = 20


def name_model(view: View, device: Device) -> str:
    return device.model_name.get(view.language) or device.model


def say_health(view: View, device: Device) -> dict[str, str]:
    """Whether the device is healthy, and how we know: no alarm says so only where its data are complete."""
    health = find_device_health(device)
    share = say_share(device.completeness)
    return {
        "state": health.state.value,
        "why": view.t(f"health_reason.{health.reason.value}", share=share)
        if health.reason in (HealthReason.COMPLETE, HealthReason.INCOMPLETE)
        else view.name("health_reason", health.reason.value),
    }


def find_line(view: View, device: Device) -> dict[str, Any]:
    """The device as a line of the list."""
    return {
        "serial": device.serial,
        "model": name_model(view, device),
        "customer": " · ".join(part for part in (device.customer_name, device.site_name) if part),
        "health": say_health(view, device),
        "connectivity": device.connectivity,
        "lifecycle": device.lifecycle,
        "firmware": device.firmware,
        "open_orders": device.open_work_orders,
        "seen": view.when(device.last_seen_at, device.site_time_zone),
    }


def find_head(view: View, device: Device, profile: Profile | None) -> dict[str, Any]:
    """What stands at the top of its page: whether it is healthy and how we know, whether it is heard, where it is."""
    reason, zone = device.connectivity_reason, device.site_time_zone
    return {
        "serial": device.serial,
        "model": name_model(view, device),
        "health": say_health(view, device),
        "trust": find_completeness(view, device.completeness, device.skew_s),
        "connectivity": device.connectivity,
        "connectivity_reason": view.name("connectivity_reason", reason) if reason else "",
        "connectivity_since": view.when(device.connectivity_since, zone),
        "lifecycle": device.lifecycle,
        "flags": ["SIM"] if device.is_simulated else [],
        "where": say_where(view, device),
        "seen": view.when(device.last_seen_at, zone),
        "example": find_example(profile),
    }


def say_where(view: View, device: Device) -> str:
    if not device.site_name:
        return view.t("device.at_nowhere")
    site = " · ".join(part for part in (device.site_name, device.site_department) if part)
    return view.t("device.at_site", site=site, customer=device.customer_name or "")


def find_example(profile: Profile | None) -> str:
    sensor = profile.sensors[0] if profile and profile.sensors else None
    key = sensor.key if sensor else "temperature"
    value = round((sensor.physical_min + min(sensor.physical_max, 100.0)) / 2, 1) if sensor else 36.6
    return f'{{"ts": {int(datetime.now(UTC).timestamp() * 1000)}, "values": {{"{key}": {value}}}}}'


def _say_account(view: View, account: DeviceAccount | None) -> str:
    if account is None:
        return view.t("fact.account_none")
    day = say_day(view, (account.revoked_at or account.rotated_at).date())
    return view.t("fact.account_revoked" if account.revoked_at else f"fact.account_{account.method}", date=day)


def find_attributes(view: View, attributes: Sequence[DeviceAttribute], zone: str | None) -> list[dict[str, object]]:
    """What a device says of itself: a text as it is, anything else as JSON."""
    return [
        {
            "label": found.key,
            "value": found.value if isinstance(found.value, str) else json.dumps(found.value, ensure_ascii=False),
            "at": view.when(found.observed_at, zone),
        }
        for found in attributes
    ]


def find_facts(view: View, device: Device, account: DeviceAccount | None) -> list[Fact]:
    t = view.t
    unknown = t("fact.unknown")
    return [
        Fact(t("fact.model"), f"{device.model} · {device.manufacturer}"),
        Fact(t("fact.udi"), device.udi or device.udi_di or unknown),
        Fact(t("fact.lot"), device.lot or unknown),
        Fact(t("fact.firmware"), device.firmware or unknown),
        Fact(t("fact.gateway"), device.gateway or "–"),
        Fact(t("fact.account"), _say_account(view, account)),
        Fact(t("fact.installed"), say_day(view, device.installed_on)),
        Fact(t("fact.warranty"), say_day(view, device.warranty_end)),
        Fact(t("fact.calibration"), say_day(view, device.calibration_due)),
        Fact(t("fact.region"), device.region or unknown),
    ]


def find_firmware(view: View, changes: list[FirmwareChange], zone: str | None) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for change in reversed(changes):
        key = "device.firmware_from" if change.before else "device.firmware_first"
        text = view.t(key, component=change.component, before=change.before or "", after=change.after)
        lines.append({"text": text, "at": view.when(change.at, zone)})
    return lines


def find_updates(view: View, attempts: list[UpdateAttempt], zone: str | None) -> list[dict[str, object]]:
    """Updates that did not simply succeed: those under way, failed, rolled back, or reported oddly."""
    lines: list[dict[str, object]] = []
    for a in attempts:
        if a.outcome is AttemptOutcome.UPDATED and not a.irregularities:
            continue
        text = view.t("device.update", component=a.component, before=a.previous or "?", after=a.version)
        odd = [view.name("update_oddity", irregularity) for irregularity in a.irregularities]
        at = view.when(a.last_at, zone)
        lines.append(
            {"text": text, "outcome": view.name("update", a.outcome), "odd": odd, "error": a.error or "", "at": at}
        )
    return lines[:FIRMWARE_LINES]
