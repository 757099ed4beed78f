"""The stored readings of a device as one group of charts over one lane of events."""

from urllib.parse import quote, urlencode

from api.console.charts import name_second
from api.console.device_signals import SignalWish, load_charts, say_level
from api.console.lane import load_lane
from api.console.page import View
from api.console.panels import LONGEST, Panels, find_words, may_export, say_window, to_seconds
from domain.profile import Profile
from store.devices import Device
from store.pool import Connection


def load_panels(
    view: View, conn: Connection, device: Device, profile: Profile, wish: SignalWish, *, panels_id: str, label: str
) -> Panels:
    """Its signals in that window, as they are stored now; other windows are fetched from `show_signals`."""
    zone = view.find_zone(device.site_time_zone)
    charts = load_charts(view, conn, device, profile, wish)
    query = urlencode([("sensor", key) for key in wish.sensors])
    return Panels(
        id=panels_id,
        label=label,
        title=device.serial,
        serial=device.serial,
        window=(to_seconds(wish.since), to_seconds(wish.until)),
        earliest=to_seconds(view.now - LONGEST),
        latest=None,
        zone=zone,
        says=f"{say_window(wish.since, wish.until, view.now, zone)} · {say_level(view, charts)}",
        stamp=[view.t("chart.as_of", at=name_second(to_seconds(view.now), zone, with_year=True))],
        words=find_words(view),
        charts=charts,
        source=f"/devices/{quote(device.serial, safe='')}/signals" + (f"?{query}" if query else ""),
        level=say_level(view, charts),
        may_export=may_export(view),
        lane=load_lane(view, conn, device, profile, wish.since, wish.until),
    )
