"""The signals of one device as charts: every sensor of its profile, diagnostics last, over one window of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.console.charts import (
    MAX_POINTS,
    Chart,
    Limit,
    Line,
    find_line,
    find_marks,
    find_outer_gaps,
    find_range,
    find_table,
    name_zone,
)
from api.console.instants import name_duration
from api.console.page import View
from domain.clock import to_micros
from domain.figures import say_beside, say_limit
from domain.profile import Direction, Monitor, MonitorRule, Profile, Sensor
from domain.sentences import find_unit_sign, set_unit
from store.devices import Device, LatestValue, load_latest
from store.firmware import load_firmware_changes
from store.pool import Connection
from store.reading_queries import BAD, Bucket, Readings, load_readings, load_series_id

SPANS = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "1y": timedelta(days=365),
}
POINTS = 400
TABLE_ROWS = 20
LIMIT_REACH = 1.5
SPARE_DECIMALS = 2  # of a mean, beyond those of the sensor: what is drawn loses nothing, what is sent is half as long


@dataclass(frozen=True, slots=True)
class SignalWish:
    """Which sensors (all where none is named) in [since, until), each in at most `points` points."""

    since: datetime
    until: datetime
    points: int = POINTS
    sensors: Sequence[str] = ()


def load_charts(view: View, conn: Connection, device: Device, profile: Profile, wish: SignalWish) -> list[Chart]:
    """One chart per sensor; one without readings in the window says so."""
    sensors = sorted(profile.sensors, key=lambda sensor: sensor.diagnostic)
    marks = find_marks(load_firmware_changes(conn, device.id, wish.since, wish.until))
    newest = {latest.sensor: latest for latest in load_latest(conn, device.id)}
    points = min(wish.points, MAX_POINTS)
    charts = []
    for sensor in sensors:
        if wish.sensors and sensor.key not in wish.sensors:
            continue
        series_id = load_series_id(conn, device.id, sensor.key)
        none = Readings(None, [])
        readings = none if series_id is None else load_readings(conn, series_id, wish.since, wish.until, points)
        extent = (wish.since, wish.until)
        charts.append(_find_chart(view, device, profile, sensor, readings, extent, marks, newest.get(sensor.key)))
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
    first, last = (to_micros(at) / 1e6 for at in extent)
    limits = find_limits(view, profile, sensor)
    at_limits = [limit.value for limit in limits]
    drawn = draw(readings, _find_rules(profile, sensor), at_limits, sensor.decimals + SPARE_DECIMALS)
    line = drawn.line
    gaps = [*line.gaps, *find_outer_gaps(drawn.instants, (first, last), drawn.usual)]
    is_bucketed = drawn.spread is not None
    low, high = drawn.spread or ([], [])
    beyond = [value is not None for value in drawn.breach]
    # The newest reading itself: the mean of the last bucket is no reading.
    latest = newest.value if newest is not None else None
    data: dict[str, Any] = {
        "x": line.x,
        "y": line.y,
        "breach": drawn.breach,
        "range": find_range([*line.y, *low, *high], at_limits, reach=LIMIT_REACH),
        "extent": [first, last],
        "gaps": gaps,
        "limits": [{"kind": limit.kind, "value": limit.value, "label": limit.label} for limit in limits],
        "marks": marks,
        "zone": name_zone(zone),
        "decimals": sensor.decimals,
        "unit": unit,
        "bucketed": is_bucketed,
        "latest": "" if latest is None else set_unit(say_beside(latest, at_limits, sensor.decimals), unit),
    }
    if is_bucketed:
        data |= {"low": low, "high": high}
    return Chart(
        key=sensor.key,
        label=view.say(sensor.label),
        unit=unit,
        data=data,
        table=find_table(
            line.x, line.y, beyond, sensor.decimals, zone, limits=limits, spread=drawn.spread, rows=TABLE_ROWS
        ),
        limits=limits,
        has_breach=any(beyond),
        has_band=False,
        gaps=bool(gaps),
        marks=bool(marks),
        has_points=bool(line.x),
        latest=data["latest"],
        diagnostic=sensor.diagnostic,
        width_s=drawn.usual,
    )


@dataclass(frozen=True, slots=True)
class Drawn:
    """The readings of one window as what is drawn of them, everything by the places of the line."""

    instants: list[float]  # of the readings, in seconds since 1970
    usual: float | None  # how far apart they are, where that is known
    line: Line
    breach: list[float | None]
    spread: tuple[list[float | None], list[float | None]] | None  # lowest and highest of each bucket; None of readings


def draw(readings: Readings, rules: Sequence[Monitor], limits: Sequence[float], digits: int) -> Drawn:
    """The line with its gaps, what of it lies beyond a limit, and how far each bucket spreads. What is known to be bad
    is no breach."""
    usual = readings.width.total_seconds() if readings.width else None
    instants = [round(to_micros(bucket.at) / 1e6, 3) for bucket in readings.buckets]
    line = find_line(instants, [round_beside(bucket.mean, limits, digits) for bucket in readings.buckets], usual)
    breach: list[float | None] = [None] * len(line.x)
    low: list[float | None] = [None] * len(line.x)
    high: list[float | None] = [None] * len(line.x)
    is_bucketed = usual is not None
    for place, bucket in zip(line.places, readings.buckets, strict=True):
        if is_bucketed or not bucket.flags & BAD:
            breach[place] = round_beside(find_worst(bucket, rules), limits, digits)
        if is_bucketed:
            low[place] = round_beside(bucket.minimum, limits, digits)
            high[place] = round_beside(bucket.maximum, limits, digits)
    return Drawn(instants, usual, line, breach, (low, high) if is_bucketed else None)


def say_level(view: View, charts: Sequence[Chart]) -> str:
    """What one point stands for; the widest, where that is not the same for all."""
    widths = [chart.width_s for chart in charts if chart.width_s is not None]
    if not widths:
        return view.t("chart.level_raw")
    return view.t("chart.level_bucket", width=name_duration(timedelta(seconds=max(widths)), view.language))


def find_limits(view: View, profile: Profile, sensor: Sensor) -> list[Limit]:
    """Where the sensor's limit rules raise and clear, in its unit."""
    limits: dict[tuple[str, float], Limit] = {}
    for monitor in _find_rules(profile, sensor):
        for kind, value in (("raise", monitor.raise_at), ("clear", monitor.clear_at)):
            if value is not None and (value != monitor.raise_at or kind == "raise"):
                said = set_unit(say_limit(value, sensor.decimals), find_unit_sign(sensor.unit))
                limits.setdefault((kind, value), Limit(kind, value, view.t(f"chart.{kind}", value=said)))
    return list(limits.values())


def _find_rules(profile: Profile, sensor: Sensor) -> list[Monitor]:
    return [
        monitor
        for monitor in profile.monitors
        if monitor.rule is MonitorRule.LIMIT and sensor.key in monitor.sensors and monitor.raise_at is not None
    ]


def find_worst(bucket: Bucket, rules: Sequence[Monitor]) -> float | None:
    """The reading of the bucket that lies beyond a limit, or None: a mean would hide what was beyond for a moment."""
    for rule in rules:
        worst = bucket.minimum if rule.direction is Direction.LOW else bucket.maximum
        if worst is None or rule.raise_at is None:
            continue
        if worst <= rule.raise_at if rule.direction is Direction.LOW else worst >= rule.raise_at:
            return worst
    return None


def round_beside(value: float | None, limits: Sequence[float], digits: int) -> float | None:
    """Rounded to so many digits; as it is where it would come to stand elsewhere beside one of the limits."""
    if value is None:
        return None
    rounded = round(value, digits)
    is_same = all(_compare(rounded, limit) == _compare(value, limit) for limit in limits)
    return rounded if is_same else value


def _compare(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)
