"""Thirty days around a breach, below its frozen evidence: as they are stored now, with what else happened."""

from dataclasses import replace
from datetime import timedelta

from api.console.device_signals import SignalWish
from api.console.live_panels import load_panels
from api.console.page import View
from api.console.panels import Panels, to_seconds
from domain.profile import Profile
from domain.roles import Permission
from store.devices import load_device
from store.pool import Pool
from store.work_order_pages import LinkedBreach

STRIP = timedelta(days=30)
AFTERWARDS = timedelta(days=3)  # how it went on
POINTS = 720  # by the hour


def load_strip(view: View, pool: Pool, breach: LinkedBreach | None, profile: Profile | None) -> Panels | None:
    """The signal of the breach over thirty days; None without the right to read it, or where there is none to draw."""
    sensor = _find_sensor(breach)
    if breach is None or profile is None or sensor is None or profile.find_sensor(sensor) is None:
        return None
    if not view.may(Permission.READING_READ) or not view.may(Permission.DEVICE_READ):
        return None
    until = min(view.now, breach.raised_at + AFTERWARDS)
    wish = SignalWish(until - STRIP, until, POINTS, (sensor,))
    with pool.connection() as conn:
        device = load_device(conn, breach.serial, customer_id=view.person.customer_id)
        if device is None:
            return None
        label = view.t("chart.strip")
        panels = load_panels(view, conn, device, profile, wish, panels_id="strip", label=label)
    window = ((breach.evidence or {}).get("window")) or {}
    if window:
        shown = [window["from_us"] / 1e6, window["to_us"] / 1e6]
    else:
        shown = [to_seconds(breach.first_seen), to_seconds(breach.raised_at)]
    charts = [replace(chart, data={**chart.data, "window": shown}) for chart in panels.charts if chart.has_points]
    return replace(panels, charts=charts) if charts else None


def _find_sensor(breach: LinkedBreach | None) -> str | None:
    """That of the breach, or the first one that its evidence has."""
    if breach is None or breach.sensor is not None:
        return breach.sensor if breach is not None else None
    series = (breach.evidence or {}).get("series") or []
    return str(series[0]["sensor"]) if series else None
