"""The signals of one device as charts: every sensor of its profile, diagnostics last, over one span of time."""

from datetime import datetime, timedelta
from typing import Any

from api.console.charts import Chart, Limit, find_breaches, find_line, find_marks, find_range, find_table, name_zone
from api.console.page import View
from domain.clock import to_micros
from domain.profile import Direction, MonitorRule, Profile, Sensor
from domain.sentences import find_unit_sign
from store.devices import Device, LatestValue, load_latest
from store.firmware import load_firmware_changes
from store.pool import Connection
from store.reading_queries import Readings, load_readings, load_series_id

SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
POINTS = 400
TABLE_ROWS = 20
LIMIT_REACH = 1.5


def load_charts(view: View, conn: Connection, device: Device, profile: Profile, span: timedelta) -> list[Chart]:
    """One chart per sensor; one without readings in the span says so."""
    until = view.now
    since = until - span
    sensors = sorted(profile.sensors, key=lambda sensor: sensor.diagnostic)
    marks = find_marks(load_firmware_changes(conn, device.id, since, until))
    newest = {latest.sensor: latest for latest in load_latest(conn, device.id)}
    charts = []
    for sensor in sensors:
        series_id = load_series_id(conn, device.id, sensor.key)
        readings = Readings(None, []) if series_id is None else load_readings(conn, series_id, since, until, POINTS)
        charts.append(
            _find_chart(view, device, profile, sensor, readings, (since, until), marks, newest.get(sensor.key))
        )
    return charts


def _find_chart(
    view: View,
    device: Device,
    profile: Profile,
    sensor: Sensor,
    readings: Readings,
    extent: tuple[datetime, datetime],
    marks: list[dict[str, Any]],
    newest: LatestValue | None,
) -> Chart:
    zone = view.find_zone(device.site_time_zone)
    unit = find_unit_sign(sensor.unit)
    usual = readings.width.total_seconds() if readings.width else None
    x = [to_micros(bucket.at) / 1e6 for bucket in readings.buckets]
    line = find_line(x, [bucket.mean for bucket in readings.buckets], usual)
    limits = find_limits(view, profile, sensor)
    beyond = [_is_beyond(value, profile, sensor) for value in line.y]
    values = [*line.y]
    has_band = readings.width is not None
    low: list[float | None] = [None] * len(line.x)
    high: list[float | None] = [None] * len(line.x)
    if has_band:
        for place, bucket in zip(line.places, readings.buckets, strict=True):
            low[place], high[place] = bucket.minimum, bucket.maximum
        values += [*low, *high]
    # The newest reading itself: the mean of the last bucket is no reading.
    latest = newest.value if newest is not None else None
    data: dict[str, Any] = {
        "x": line.x,
        "y": line.y,
        "breach": find_breaches(line.y, beyond),
        "range": find_range(values, [limit.value for limit in limits], reach=LIMIT_REACH),
        "extent": [to_micros(at) / 1e6 for at in extent],
        "gaps": line.gaps,
        "limits": [{"kind": limit.kind, "value": limit.value, "label": limit.label} for limit in limits],
        "marks": marks,
        "zone": name_zone(zone),
        "decimals": sensor.decimals,
        "unit": unit,
        "latest": "" if latest is None else f"{latest:.{sensor.decimals}f} {unit}".strip(),
    }
    if has_band:
        data |= {"low": low, "high": high}
    table = [
        {"at": line_["at"], "value": line_["value"]}
        for line_ in find_table(line.x, line.y, beyond, sensor.decimals, zone)[:TABLE_ROWS]
    ]
    data["table"] = table
    return Chart(
        key=sensor.key,
        label=sensor.label.zh if view.language == "zh" else sensor.label.en,
        unit=unit,
        data=data,
        table=table,
        limits=limits,
        has_breach=any(beyond),
        has_band=False,
        gaps=bool(line.gaps),
        marks=bool(marks),
        has_points=bool(line.x),
        latest=data["latest"],
        diagnostic=sensor.diagnostic,
    )


def find_limits(view: View, profile: Profile, sensor: Sensor) -> list[Limit]:
    """The raise limits of the sensor's limit rules, in its unit."""
    limits = []
    for monitor in profile.monitors:
        if monitor.rule is MonitorRule.LIMIT and sensor.key in monitor.sensors and monitor.raise_at is not None:
            said = f"{monitor.raise_at:g} {find_unit_sign(sensor.unit)}".strip()
            limits.append(Limit("raise", monitor.raise_at, view.t("chart.raise", value=said)))
    return limits


def _is_beyond(value: float | None, profile: Profile, sensor: Sensor) -> bool:
    if value is None:
        return False
    for monitor in profile.monitors:
        if monitor.rule is not MonitorRule.LIMIT or sensor.key not in monitor.sensors or monitor.raise_at is None:
            continue
        if value >= monitor.raise_at if monitor.direction is not Direction.LOW else value <= monitor.raise_at:
            return True
    return False
