"""Readings and scores of one sensor, in as many points as a chart can show."""

import csv
import hashlib
import io
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from starlette.responses import Response

from api.auth import Caller, require
from api.export_file import write_watermark
from api.problems import INVALID, ProblemError, declare, not_found
from api.routes.devices import find_device
from api.shapes.installed_base import BucketedReadings, BucketedScores, ScoreColumns
from api.shapes.pages import Instant
from api.state import Database, now
from api.versioned_router import make_router
from domain.clock import to_micros
from domain.export import ExportWish, find_watermark
from domain.roles import Permission
from store.data_quality_queries import load_completeness
from store.devices import Device
from store.exports import ExportFile, record_export, take_export_code
from store.pool import Connection
from store.profiles import load_profile
from store.reading_queries import Readings, load_readings, load_scores, load_series_id

router = make_router("/devices", tag="readings")
Reader = Annotated[Caller, require(Permission.READING_READ)]
MAX_POINTS = 10_000
Sensor = Annotated[
    str, Query(min_length=1, max_length=100, description="The sensor's key.", examples=["motor_current"])
]
From = Annotated[Instant | None, Query(alias="from", description="With offset; default: 24 hours before `to`.")]
To = Annotated[Instant | None, Query(alias="to", description="With offset, not included; default: now.")]
Points = Annotated[int, Query(ge=1, le=MAX_POINTS, description="Never more points than this.")]
DAY = timedelta(days=1)
LONGEST = timedelta(days=3660)
CSV_COLUMNS = ("observed_at", "min", "max", "mean", "count", "flags")


@router.get(
    "/{serial}/readings",
    summary="Readings of one sensor",
    response_model=BucketedReadings,
    responses=declare(404, ok={"content": {"text/csv": {"schema": {"type": "string"}}}}),
)
def read_readings(
    serial: str,
    sensor: Sensor,
    caller: Reader,
    pool: Database,
    since: From = None,
    until: To = None,
    points: Points = 2000,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - the parameter's public name
) -> Response:
    """Every reading where they fit into `points`, else min, max, mean and count of equal buckets of time, from the
    readings or from their roll-ups by minute, hour or day: `level` says which, and the figures are exact on each.

    As CSV it is a download, which the export log and the audit record before it is sent.
    """
    start, end = find_window(since, until)
    with pool.connection() as conn:
        device, series_id = _find_series(conn, serial, sensor, caller)
        readings = load_readings(conn, series_id, start, end, points)
        if format == "csv":
            return _send_csv(conn, caller, serial, sensor, readings, {"from": start, "to": end, "points": points})
        unit = find_unit(conn, device, sensor)
    shape = BucketedReadings(
        serial=serial,
        sensor=sensor,
        unit=unit,
        from_=start,
        to=end,
        raw=readings.width is None,
        level=readings.level.value,
        bucket_s=None if readings.width is None else readings.width.total_seconds(),
        at=[to_millis(b.at) for b in readings.buckets],
        min=[b.minimum for b in readings.buckets],
        max=[b.maximum for b in readings.buckets],
        mean=[b.mean for b in readings.buckets],
        count=[b.count for b in readings.buckets],
        flags=[b.flags for b in readings.buckets],
    )
    return Response(shape.model_dump_json(by_alias=True), media_type="application/json")


@router.get("/{serial}/scores", summary="Scores of one sensor", responses=declare(404))
def read_scores(
    serial: str,
    sensor: Sensor,
    caller: Reader,
    pool: Database,
    since: From = None,
    until: To = None,
    points: Points = 2000,
    detector: Annotated[str | None, Query(max_length=100)] = None,
) -> BucketedScores:
    """Highest and mean score per bucket of a minute or more, for each detector that judged the sensor."""
    start, end = find_window(since, until)
    with pool.connection() as conn:
        device, series_id = _find_series(conn, serial, sensor, caller)
        width, buckets = load_scores(conn, series_id, start, end, points, detector=detector)
        completeness = load_completeness(conn, device.id, start.date(), (end - timedelta(microseconds=1)).date())
    columns = []
    for name in sorted({bucket.detector for bucket in buckets}):
        own = [bucket for bucket in buckets if bucket.detector == name]
        columns.append(
            ScoreColumns(
                detector=name,
                at=[to_millis(b.at) for b in own],
                max=[b.maximum for b in own],
                mean=[b.mean for b in own],
                count=[b.count for b in own],
            )
        )
    return BucketedScores(
        serial=serial,
        sensor=sensor,
        from_=start,
        to=end,
        bucket_s=width.total_seconds(),
        completeness=completeness,
        detectors=columns,
    )


def find_window(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """The window asked for; the last day by default.

    Raises
    ------
    ProblemError
        422: it is empty, runs backwards or is longer than ten years.
    """
    try:
        end = until or now()
        start = since or end - DAY
    except OverflowError:
        raise ProblemError(INVALID, fields={"to": "is out of range"}) from None
    if start >= end:
        raise ProblemError(INVALID, fields={"from": "must be before `to`"})
    if end - start > LONGEST:
        raise ProblemError(INVALID, fields={"from": "at most ten years before `to`"})
    return start, end


def write_csv(readings: Readings) -> str:
    """One line a point: observed_at (RFC 3339, UTC), min, max, mean, count, flags."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for b in readings.buckets:
        writer.writerow([b.at.isoformat(), b.minimum, b.maximum, b.mean, b.count, b.flags])
    return text.getvalue()


def _send_csv(
    conn: Connection, caller: Caller, serial: str, sensor: str, readings: Readings, window: dict[str, Any]
) -> Response:
    """The readings as a download, in the export log of the caller's transaction; the watermark is a header alone, so
    that the first line stays that of the columns."""
    at = now()
    content = write_csv(readings).encode()
    file = ExportFile(len(readings.buckets), len(content), hashlib.sha256(content).hexdigest())
    wish = ExportWish("readings", "csv", {"serial": serial, "sensor": sensor, **window}, CSV_COLUMNS)
    code = take_export_code(conn, at)
    record_export(conn, caller.actor, code, wish, file, customer_id=caller.customer_id, approval=None, now=at)
    name = f"{serial}_{sensor}.csv".replace(":", "_")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Forewarn-Watermark": write_watermark(find_watermark(code, caller.full_name, caller.name, at)),
    }
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def to_millis(at: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return to_micros(at) // 1000


def find_unit(conn: Connection, device: Device, sensor: str) -> str | None:
    """The UCUM unit of that sensor in the device's current profile."""
    profile = load_profile(conn, device.model)
    found = profile.find_sensor(sensor) if profile is not None else None
    return None if found is None else found.unit


def _find_series(conn: Connection, serial: str, sensor: str, caller: Caller) -> tuple[Device, int]:
    device = find_device(conn, serial, caller)
    series_id = load_series_id(conn, device.id, sensor)
    if series_id is None:
        raise not_found("sensor of this device", sensor, "sensor")
    return device, series_id
