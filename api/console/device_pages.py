"""Devices: the list, and the page that tells whether one is healthy and how we know."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.auth import Caller, require
from api.console.charts import MAX_POINTS
from api.console.data_quality_views import find_completeness
from api.console.device_signals import POINTS, SPANS, SignalWish
from api.console.facts import Fact, say_day, say_share, say_skew
from api.console.filters import Filter, find_choice
from api.console.live_panels import load_panels
from api.console.order_rows import find_row
from api.console.owed_views import find_reasons
from api.console.page import View, find_view
from api.console.panels import Panels
from api.problems import not_found
from api.routes.readings import From, To, find_window
from api.state import Database
from domain.device_risk import find_device_risk
from domain.firmware import AttemptOutcome, FirmwareChange, UpdateAttempt, find_attempts
from domain.health import HealthReason
from domain.profile import Profile
from domain.risk import find_hidden_troubles, keep_shown
from domain.roles import Permission
from store.device_accounts import DeviceAccount, load_account
from store.device_attributes import DeviceAttribute, load_attributes
from store.devices import Device, DeviceFilters, count_devices, find_device_health, load_device, load_devices
from store.firmware import load_firmware_changes, load_firmware_reports
from store.pool import Connection
from store.profiles import load_profiles
from store.troubles import load_troubles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_page

router = APIRouter(include_in_schema=False)
ROWS = 100
DEFAULT_SPAN = "1h"
FIRMWARE_LINES = 20
REASONS = 4
SKEW_SAID_S = 5.0  # a device's clock that is off by more is named beside the charts, whose times are its own
LIVE_SPAN = timedelta(days=1)
EVERY_S, SLOW_EVERY_S = 3, 60  # how often charts of a short and of a longer span are renewed
EVER = datetime(1970, 1, 1, tzinfo=UTC)
CONNECTIVITY = ("ONLINE", "STALE", "OFFLINE", "UNKNOWN")
LIFECYCLE = ("REGISTERED", "INSTALLED", "IN_SERVICE", "UNDER_MAINTENANCE", "QUARANTINED", "DECOMMISSIONED")


@router.get("/devices")
def show_devices(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.DEVICE_READ)],
    q: str = "",
    model: str = "",
    connectivity: str = "",
    lifecycle: str = "",
    after: str = "",
) -> Response:
    """The list; an exact serial or work order code goes straight to its page."""
    view = find_view(request, caller)
    q = q.strip()[:100]
    if q.upper().startswith("WO-"):
        return RedirectResponse(f"/work-orders/{q.upper()}", 303)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        if q and load_device(conn, q, customer_id=caller.customer_id) is not None:
            return RedirectResponse(f"/devices/{q}", 303)
        model = find_choice(model, profiles)
        connectivity = find_choice(connectivity, CONNECTIVITY)
        lifecycle = find_choice(lifecycle, LIFECYCLE)
        wanted = DeviceFilters(
            customer_id=caller.customer_id,
            model=model or None,
            connectivity=connectivity or None,
            lifecycle=lifecycle or None,
            q=q or None,
        )
        devices = load_devices(conn, wanted, after=after, limit=ROWS + 1)
        total = count_devices(conn, wanted)
    chosen = {"q": q, "model": model, "connectivity": connectivity, "lifecycle": lifecycle}
    return view.render(
        "devices.html",
        q=q,
        rows=[
            {
                "serial": d.serial,
                "model": _name_model(view, d),
                "customer": " · ".join(part for part in (d.customer_name, d.site_name) if part),
                "health": say_health(view, d),
                "connectivity": d.connectivity,
                "lifecycle": d.lifecycle,
                "firmware": d.firmware,
                "open_orders": d.open_work_orders,
                "seen": view.when(d.last_seen_at, d.site_time_zone),
            }
            for d in devices[:ROWS]
        ],
        total=total,
        filters=[
            Filter("model", view.t("column.model"), model, [(key, key) for key in sorted(profiles)]),
            Filter(
                "connectivity",
                view.t("column.connectivity"),
                connectivity,
                [(code, view.name("connectivity", code)) for code in CONNECTIVITY],
            ),
            Filter(
                "lifecycle",
                view.t("column.lifecycle"),
                lifecycle,
                [(code, view.name("lifecycle", code)) for code in LIFECYCLE],
            ),
        ],
        filtered=any(chosen.values()),
        older=view.link("/devices", after=devices[ROWS - 1].serial, **chosen) if len(devices) > ROWS else None,
        proof=view.t("devices.proof"),
    )


def _name_model(view: View, device: Device) -> str:
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


def _load_own_device(conn: Connection, caller: Caller, serial: str) -> Device:
    device = load_device(conn, serial, customer_id=caller.customer_id)
    if device is None:
        raise not_found("device", serial, "serial")
    return device


@router.get("/devices/{serial}")
def show_device(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.DEVICE_READ)],
    serial: str,
    span: str = DEFAULT_SPAN,
) -> Response:
    """One device with its signals, live."""
    view = find_view(request, caller)
    span = span if span in SPANS else DEFAULT_SPAN
    with pool.connection() as conn:
        device = _load_own_device(conn, caller, serial)
        profiles = load_profiles(conn)
        profile = profiles.get(device.model)
        changes = load_firmware_changes(conn, device.id, EVER, view.now + timedelta(days=1), limit=FIRMWARE_LINES)
        attempts = find_attempts(load_firmware_reports(conn, device.id))
        account = load_account(conn, serial)
        attributes = load_attributes(conn, device.id)
        mine = {"customer_id": caller.customer_id, "device_id": device.id}
        found = load_troubles(conn, now=view.now, is_simulated=device.is_simulated, **mine).get(0, {})
        shown = profile is not None and device.last_seen_at is not None and view.may(Permission.READING_READ)
        panels = _load_panels(view, conn, device, profile, span) if shown and profile else None
        wanted = WorkOrderFilter(serial=serial, customer_id=caller.customer_id)
        tickets = load_work_order_page(conn, wanted, sort="created", limit=20).rows
    risk = find_device_risk(keep_shown(found, find_hidden_troubles(caller.permissions)))
    zone = device.site_time_zone
    rows = [(ticket, find_row(view, ticket, profiles)) for ticket in tickets]
    return view.render(
        "device.html",
        device={
            "serial": device.serial,
            "model": _name_model(view, device),
            "health": say_health(view, device),
            "trust": find_completeness(view, device.completeness, device.skew_s),
            "connectivity": device.connectivity,
            "connectivity_reason": view.name("connectivity_reason", device.connectivity_reason)
            if device.connectivity_reason
            else "",
            "connectivity_since": view.when(device.connectivity_since, zone),
            "lifecycle": device.lifecycle,
            "flags": ["SIM"] if device.is_simulated else [],
            "where": _say_where(view, device),
            "seen": view.when(device.last_seen_at, zone),
            "example": _find_example(profile),
        },
        score=risk.score,
        reasons_list=find_reasons(view, risk, REASONS),
        more_reasons=max(len(risk.reasons) - REASONS, 0),
        never_reported=device.last_seen_at is None,
        open_orders=[row for ticket, row in rows if ticket.state not in ("CLOSED", "CANCELLED")],
        tickets=[row for _, row in rows],
        panels=panels,
        signals=_find_payload(panels) if panels else None,
        all_marks={
            "has_breach": True,
            "has_band": False,
            "has_spread": True,
            "has_events": True,
            "limits": True,
            "window": False,
            "gaps": True,
            "marks": any(chart.marks for chart in panels.charts) if panels else False,
        },
        skew_note=view.t("chart.skew", skew=say_skew(device.skew_s))
        if device.skew_s is not None and abs(device.skew_s) >= SKEW_SAID_S
        else None,
        every_s=EVERY_S if SPANS[span] <= LIVE_SPAN else SLOW_EVERY_S,
        spans=[{"code": code, "label": view.t(f"device.span_{code}"), "current": code == span} for code in SPANS],
        span_code=span,
        facts=_find_facts(view, device, account),
        attributes=_find_attributes(view, attributes, zone),
        firmware=_find_firmware(view, changes, zone),
        updates=_find_updates(view, attempts, zone),
    )


@router.get("/devices/{serial}/signals")
def show_signals(
    request: Request,
    pool: Database,
    caller: Annotated[Caller, require(Permission.READING_READ)],
    serial: str,
    span: str = "",
    since: From = None,
    until: To = None,
    points: Annotated[int, Query(ge=1, le=MAX_POINTS)] = POINTS,
    sensor: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """What charts are renewed with: the newest `span`, or the window that somebody went to; of all sensors or some."""
    view = find_view(request, caller)
    if span or since is None:
        until = view.now
        since = until - SPANS.get(span, SPANS[DEFAULT_SPAN])
    since, until = find_window(since, until)
    with pool.connection() as conn:
        device = _load_own_device(conn, caller, serial)
        profile = load_profiles(conn).get(device.model)
        if profile is None:
            raise not_found("profile", device.model, "model")
        wish = SignalWish(since, until, points, sensor or ())
        panels = load_panels(view, conn, device, profile, wish, panels_id="signals", label=view.t("device.signals"))
    return JSONResponse(_find_payload(panels))


def _load_panels(view: View, conn: Connection, device: Device, profile: Profile, span: str) -> Panels:
    wish = SignalWish(view.now - SPANS[span], view.now)
    panels = load_panels(view, conn, device, profile, wish, panels_id="signals", label=view.t("device.signals"))
    return replace(panels, live=True)


def _find_payload(panels: Panels) -> dict[str, object]:
    return {
        "signals": {chart.key: chart.data for chart in panels.charts},
        "lane": panels.lane,
        "window": panels.window,
        "says": panels.says,
        "level": panels.level,
        "raw": all(chart.width_s is None for chart in panels.charts),
    }


def _say_where(view: View, device: Device) -> str:
    if not device.site_name:
        return view.t("device.at_nowhere")
    site = " · ".join(part for part in (device.site_name, device.site_department) if part)
    return view.t("device.at_site", site=site, customer=device.customer_name or "")


def _find_example(profile: Profile | None) -> str:
    sensor = profile.sensors[0] if profile and profile.sensors else None
    key = sensor.key if sensor else "temperature"
    value = round((sensor.physical_min + min(sensor.physical_max, 100.0)) / 2, 1) if sensor else 36.6
    return f'{{"ts": {int(datetime.now(UTC).timestamp() * 1000)}, "values": {{"{key}": {value}}}}}'


def _say_account(view: View, account: DeviceAccount | None) -> str:
    if account is None:
        return view.t("fact.account_none")
    day = say_day(view, (account.revoked_at or account.rotated_at).date())
    return view.t("fact.account_revoked" if account.revoked_at else f"fact.account_{account.method}", date=day)


def _find_attributes(view: View, attributes: Sequence[DeviceAttribute], zone: str | None) -> list[dict[str, object]]:
    """What a device says of itself: a text as it is, anything else as JSON."""
    return [
        {
            "label": found.key,
            "value": found.value if isinstance(found.value, str) else json.dumps(found.value, ensure_ascii=False),
            "at": view.when(found.observed_at, zone),
        }
        for found in attributes
    ]


def _find_facts(view: View, device: Device, account: DeviceAccount | None) -> list[Fact]:
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


def _find_firmware(view: View, changes: list[FirmwareChange], zone: str | None) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for change in reversed(changes):
        key = "device.firmware_from" if change.before else "device.firmware_first"
        text = view.t(key, component=change.component, before=change.before or "", after=change.after)
        lines.append({"text": text, "at": view.when(change.at, zone)})
    return lines


def _find_updates(view: View, attempts: list[UpdateAttempt], zone: str | None) -> list[dict[str, object]]:
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
