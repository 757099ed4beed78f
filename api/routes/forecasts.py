"""When a sensor will reach its limits, by the mathematics of the forecast monitors on the stored readings."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from api.auth import Caller, require
from api.problems import declare, not_found
from api.routes.devices import find_device
from api.routes.readings import Sensor as SensorKey
from api.shapes.forecasts import LimitForecast, SensorForecast, TrendShape
from api.state import Database, now
from api.versioned_router import make_router
from domain.forecast import BUCKETS, LEAST_POINTS, Trend, find_level, find_time_to_limit, find_trend, gather_history
from domain.profile import Direction, Monitor, MonitorRule, Profile, Sensor
from domain.roles import Permission
from domain.sentences import LANGUAGES, describe_forecast, fill, quantity
from store.baseline_resets import load_history_begin
from store.pool import Connection
from store.profiles import load_profile
from store.reading_queries import load_readings, load_series_id

router = make_router("/devices", tag="readings")
Reader = Annotated[Caller, require(Permission.READING_READ)]
WINDOW_S = 14 * 86_400.0  # of limits that no forecast monitor names a window for
POINTS = 40 * BUCKETS  # finer than the buckets of a history, so that these may begin anywhere
HALF_BUCKET = 0.5
State = Literal["reached", "approaching", "not_approaching", "no_trend", "unknown"]

SENTENCES: dict[State, dict[str, str]] = {
    "reached": {"en": "{label} has reached its limit of {limit}.", "zh": "{label}已达到限值 {limit}。"},
    "approaching": {
        "en": "{label} reaches its limit of {limit} in about {left} ({interval}, 80 %) if the trend goes on as it is.",
        "zh": "若趋势不变，{label}约 {left} 后达到限值 {limit}（{interval}，80%）。",
    },
    "not_approaching": {
        "en": "The trend of {label} leads away from its limit of {limit}.",
        "zh": "{label}的趋势正远离限值 {limit}。",
    },
    "no_trend": {
        "en": "{label} has no trend towards its limit of {limit}.",
        "zh": "{label}没有趋向限值 {limit} 的趋势。",
    },
    "unknown": {
        "en": "Too few recent readings of {label} to say anything about its limit of {limit}.",
        "zh": "{label}的近期读数太少，无法判断其与限值 {limit} 的关系。",
    },
}


@dataclass(frozen=True, slots=True)
class _History:
    """A row of buckets and what was found in it; its newest bucket ends at the moment of the question."""

    window_s: float
    trend: Trend | None
    level: float | None  # None: too few data, or none that are recent


@router.get("/{serial}/forecast", summary="When a sensor reaches its limits", responses=declare(404))
def read_forecast(serial: str, sensor: SensorKey, caller: Reader, pool: Database) -> SensorForecast:
    """For each limit of the sensor's monitors: when the robust trend of its history reaches it, with an interval, or
    that there is no trend. Of forecast monitors it is their own window of history, of limits 14 days."""
    at = now()
    with pool.connection() as conn:
        device = find_device(conn, serial, caller)
        series_id = load_series_id(conn, device.id, sensor)
        profile = load_profile(conn, device.model)
        known = profile.find_sensor(sensor) if profile is not None else None
        if series_id is None or profile is None or known is None:
            raise not_found("sensor of this device", sensor, "sensor")
        begin = load_history_begin(conn, device.id)
        wanted = list(_find_limits(profile, sensor))
        histories = {
            window_s: _load_history(conn, series_id, known, window_s, begin, at)
            for window_s in {monitor.window_s or WINDOW_S for monitor, _, _ in wanted}
        }
    return SensorForecast(
        serial=serial,
        sensor=sensor,
        unit=known.unit,
        at=at,
        history_from=begin,
        limits=[
            _describe(known, monitor, limit, is_critical, histories[monitor.window_s or WINDOW_S])
            for monitor, limit, is_critical in wanted
        ],
    )


def _find_limits(profile: Profile, sensor: str) -> Iterator[tuple[Monitor, float, bool]]:
    for monitor in profile.monitors:
        if monitor.rule not in (MonitorRule.LIMIT, MonitorRule.FORECAST) or sensor not in monitor.sensors:
            continue
        for limit, is_critical in ((monitor.raise_at, False), (monitor.critical_at, True)):
            if limit is not None:
                yield monitor, limit, is_critical


def _load_history(
    conn: Connection, series_id: int, sensor: Sensor, window_s: float, begin: datetime | None, at: datetime
) -> _History:
    since = at - timedelta(seconds=window_s)
    first = since if begin is None else max(since, begin)
    if first >= at:
        return _History(window_s, None, None)
    readings = load_readings(conn, series_id, first, at, POINTS)
    middle_s = 0.0 if readings.width is None else readings.width.total_seconds() * HALF_BUCKET
    means = [
        ((bucket.at - since).total_seconds() + middle_s, bucket.mean, bucket.count)
        for bucket in readings.buckets
        if bucket.mean is not None
    ]
    history = gather_history(means, window_s)
    if sum(mean is not None for mean in history) < LEAST_POINTS:
        return _History(window_s, None, None)
    resolution = 10.0**-sensor.decimals
    trend = find_trend(history, resolution)
    if trend is not None:
        return _History(window_s, trend, trend.level)
    level = find_level(history, 0.0, resolution)
    return _History(window_s, None, None if level is None else level[0])


def _describe(sensor: Sensor, monitor: Monitor, limit: float, is_critical: bool, history: _History) -> LimitForecast:
    is_high = monitor.direction is not Direction.LOW
    bucket_s = history.window_s / BUCKETS
    left = None
    if history.trend is not None:
        elapsed_s = HALF_BUCKET * bucket_s
        left = find_time_to_limit(history.trend, limit, is_high=is_high, bucket_s=bucket_s, elapsed_s=elapsed_s)
    state: State = "unknown"
    if history.level is not None:
        is_beyond = history.level >= limit if is_high else history.level <= limit
        if is_beyond or (left is not None and left.hours == 0.0):
            state, left = "reached", None
        elif left is not None:
            state = "approaching"
        else:
            state = "no_trend" if history.trend is None else "not_approaching"
    params = {
        "label": {"en": sensor.label.en, "zh": sensor.label.zh},
        "limit": quantity(limit, sensor.unit, sensor.decimals),
    } | (describe_forecast(left.hours, left.low, left.high) if left is not None else {})
    return LimitForecast(
        monitor=monitor.key,
        rule="forecast" if monitor.rule is MonitorRule.FORECAST else "limit",
        direction="high" if is_high else "low",
        limit=limit,
        is_critical=is_critical,
        window_h=history.window_s / 3600.0,
        lead_time_h=None if monitor.lead_time_s is None else monitor.lead_time_s / 3600.0,
        state=state,
        trend=None if history.trend is None else _shape_trend(history.trend, bucket_s),
        hours_to_limit=None if left is None else left.hours,
        hours_low=None if left is None else left.low,
        hours_high=None if left is None else left.high,
        sentence={language: fill(SENTENCES[state][language], params, language) for language in LANGUAGES},
    )


def _shape_trend(trend: Trend, bucket_s: float) -> TrendShape:
    days = 86_400.0 / bucket_s
    return TrendShape(
        per_day=trend.slope * days,
        per_day_low=trend.low * days,
        per_day_high=trend.high * days,
        level=trend.level + HALF_BUCKET * trend.slope,
    )
