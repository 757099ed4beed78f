"""The page that tells whether a device is healthy and how we know, and the newest of its signals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from api.auth import Caller, require
from api.console.charts import MAX_POINTS
from api.console.device_signals import POINTS, SPANS, SignalWish
from api.console.device_views import (
    FIRMWARE_LINES,
    find_attributes,
    find_facts,
    find_firmware,
    find_head,
    find_updates,
)
from api.console.facts import say_skew
from api.console.live_panels import load_panels
from api.console.order_rows import find_row
from api.console.owed_views import find_reasons
from api.console.page import View, find_view
from api.console.panels import Panels
from api.problems import not_found
from api.routes.readings import From, To, find_window
from api.state import Database
from domain.device_risk import find_device_risk
from domain.firmware import find_attempts
from domain.profile import Profile
from domain.risk import find_hidden_troubles, keep_shown
from domain.roles import Permission
from store.device_accounts import load_account
from store.device_attributes import load_attributes
from store.devices import Device, load_device
from store.firmware import load_firmware_changes, load_firmware_reports
from store.pool import Connection
from store.profiles import load_profiles
from store.troubles import load_troubles
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_page

router = APIRouter(include_in_schema=False)
DEFAULT_SPAN = "1h"
REASONS = 4
SKEW_SAID_S = 5.0  # a device's clock that is off by more is named beside the charts, whose times are its own
LIVE_SPAN = timedelta(days=1)
EVERY_S, SLOW_EVERY_S = 3, 60  # how often charts of a short and of a longer span are renewed
EVER = datetime(1970, 1, 1, tzinfo=UTC)


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
        device=find_head(view, device, profile),
        score=risk.score,
        reasons_list=find_reasons(view, risk, REASONS),
        more_reasons=max(len(risk.reasons) - REASONS, 0),
        never_reported=device.last_seen_at is None,
        open_orders=sorted(
            (row for ticket, row in rows if ticket.state not in ("CLOSED", "CANCELLED")), key=lambda row: row.priority
        ),
        tickets=[row for _, row in rows],
        **_find_signals(view, device, panels, span),
        facts=find_facts(view, device, account),
        attributes=find_attributes(view, attributes, zone),
        firmware=find_firmware(view, changes, zone),
        updates=find_updates(view, attempts, zone),
    )


def _find_signals(view: View, device: Device, panels: Panels | None, span: str) -> dict[str, Any]:
    """The charts with the marks that any of them may come to have, and how often they are renewed."""
    is_skewed = device.skew_s is not None and abs(device.skew_s) >= SKEW_SAID_S
    return {
        "panels": panels,
        "signals": _find_payload(panels) if panels else None,
        "all_marks": {
            "has_breach": True,
            "has_band": False,
            "has_spread": True,
            "has_events": True,
            "limits": True,
            "window": False,
            "gaps": True,
            "marks": any(chart.marks for chart in panels.charts) if panels else False,
        },
        "skew_note": view.t("chart.skew", skew=say_skew(device.skew_s)) if is_skewed else None,
        "every_s": EVERY_S if SPANS[span] <= LIVE_SPAN else SLOW_EVERY_S,
        "spans": [{"code": code, "label": view.t(f"device.span_{code}"), "current": code == span} for code in SPANS],
        "span_code": span,
    }


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
