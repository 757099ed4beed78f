"""Devices as people see them: where they stand, whose they are, how they are; a customer's user sees its own."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from domain.breach import Severity
from domain.health import DeviceHealth, find_health
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the installed base with its surroundings. `worst_severity` is that of its active breaches."""

    id: int
    serial: str
    model: str
    model_name: dict[str, str]
    manufacturer: str
    udi_di: str
    safety_critical: bool
    profile_version: int
    lot: str
    udi: str
    firmware: str
    lifecycle: str
    lifecycle_since: datetime
    connectivity: str
    connectivity_since: datetime | None
    connectivity_reason: str
    last_seen_at: datetime | None
    gateway: str | None
    site_code: str | None
    site_name: str | None
    site_department: str | None
    site_time_zone: str | None
    customer_id: int | None
    customer_code: str | None
    customer_name: str | None
    region: str
    made_on: date | None
    expires_on: date | None
    purchased_on: date | None
    installed_on: date | None
    warranty_end: date | None
    calibration_due: date | None
    is_simulated: bool
    external_refs: list[dict[str, Any]]
    row_version: int
    updated_at: datetime
    active_breaches: int
    worst_severity: str | None
    open_work_orders: int
    unscored_monitors: int  # that nobody judges, since their detector raised an error on them
    completeness: float | None  # of its data, on `quality_day`; None: nothing can be said of today and yesterday
    least_completeness: float | None
    quality_day: date | None
    skew_s: float | None
    quality_alerts: list[str] | None


@dataclass(frozen=True, slots=True)
class DeviceFilters:
    """What a list of devices is narrowed to. `customer_id` is the caller's own; the rest is what was asked for."""

    customer_id: int | None = None
    model: str | None = None
    firmware: str | None = None
    customer: str | None = None
    site: str | None = None
    connectivity: str | None = None
    lifecycle: str | None = None
    q: str | None = None


_COLUMNS = """
    d.id, d.serial, m.key AS model, m.name AS model_name, m.manufacturer, m.udi_di, m.safety_critical,
    m.current_version AS profile_version, d.lot, d.udi, d.firmware, d.lifecycle, d.lifecycle_since, d.connectivity,
    d.connectivity_since, d.connectivity_reason, d.last_seen_at, g.name AS gateway, s.code AS site_code,
    s.name AS site_name,
    s.department AS site_department, s.time_zone AS site_time_zone, c.id AS customer_id, c.code AS customer_code,
    c.name AS customer_name, d.region, d.made_on, d.expires_on, d.purchased_on, d.installed_on, d.warranty_end,
    d.calibration_due, d.is_simulated, d.external_refs, d.row_version, d.updated_at,
    (SELECT count(*) FROM breach b WHERE b.device_id = d.id AND b.state = 'ACTIVE') AS active_breaches,
    (SELECT b.severity FROM breach b WHERE b.device_id = d.id AND b.state = 'ACTIVE'
        ORDER BY array_position(ARRAY['CRITICAL', 'MAJOR', 'MINOR', 'INFO'], b.severity) LIMIT 1) AS worst_severity,
    (SELECT count(*) FROM work_order w WHERE w.device_id = d.id AND w.state NOT IN ('CLOSED', 'CANCELLED'))
        AS open_work_orders,
    (SELECT count(*) FROM unscored_monitor u WHERE u.device_id = d.id) AS unscored_monitors,
    q.completeness, q.least_completeness, q.day AS quality_day, q.skew_s, q.alerts AS quality_alerts
"""
_FROM = """
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = d.gateway_id
    LEFT JOIN site s ON s.id = d.site_id
    LEFT JOIN customer c ON c.id = s.customer_id
"""
# The day that lasts, as far as anything was to be expected of it, else the one before.
_QUALITY = """
    LEFT JOIN LATERAL (
        SELECT day, completeness, least_completeness, skew_s, alerts FROM data_quality_day
        WHERE device_id = d.id AND completeness IS NOT NULL AND day >= (now() AT TIME ZONE 'UTC')::date - 1
        ORDER BY day DESC LIMIT 1
    ) q ON true
"""
_WHERE = """
    (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
    AND (%(model)s::text IS NULL OR m.key = %(model)s)
    AND (%(firmware)s::text IS NULL OR d.firmware = %(firmware)s)
    AND (%(customer)s::text IS NULL OR c.code = %(customer)s)
    AND (%(site)s::text IS NULL OR s.code = %(site)s)
    AND (%(connectivity)s::text IS NULL OR d.connectivity = %(connectivity)s)
    AND (%(lifecycle)s::text IS NULL OR d.lifecycle = %(lifecycle)s)
    AND (%(q)s::text IS NULL
        OR strpos(lower(concat_ws(' ', d.serial, d.lot, d.udi, c.name, s.name)), lower(%(q)s)) > 0)
"""
LOAD_DEVICES = f"""
    SELECT {_COLUMNS} {_FROM} {_QUALITY} WHERE {_WHERE} AND d.serial > %(after)s
    ORDER BY d.serial LIMIT %(limit)s
"""
COUNT_DEVICES = f"SELECT count(*) {_FROM} WHERE {_WHERE}"


def _parameters(filters: DeviceFilters) -> dict[str, Any]:
    return {name: getattr(filters, name) for name in DeviceFilters.__slots__}


def find_device_health(device: Device) -> DeviceHealth:
    """Whether the device is healthy, and how we know."""
    return find_health(
        None if device.worst_severity is None else Severity(device.worst_severity),
        device.completeness,
        1.0 if device.least_completeness is None else device.least_completeness,
        connectivity=device.connectivity,
        lifecycle=device.lifecycle,
        has_reported=device.last_seen_at is not None,
        is_scored=device.unscored_monitors == 0,
    )


# Never prepared: a plan made for any filters at once takes three times as long as one for those that are asked for.
LOAD_MODELS_OF = """
    SELECT d.serial, m.key FROM device d JOIN device_model m ON m.id = d.device_model_id WHERE d.serial = ANY (%s)
"""


def load_models_of(conn: Connection, serials: Collection[str]) -> dict[str, str]:
    """The model of each of these devices, by serial."""
    return dict(conn.execute(LOAD_MODELS_OF, (list(serials),)).fetchall()) if serials else {}


HAS_SIMULATED = """
    SELECT EXISTS (SELECT FROM device d LEFT JOIN site s ON s.id = d.site_id
        WHERE d.is_simulated AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s))
"""


def has_simulated_devices(conn: Connection, *, customer_id: int | None) -> bool:
    """Whether there is any simulated device; of that customer where one is named."""
    row = conn.execute(HAS_SIMULATED, {"customer_id": customer_id}).fetchone()
    return row is not None and bool(row[0])


def load_devices(conn: Connection, filters: DeviceFilters, *, after: str = "", limit: int = 100) -> list[Device]:
    """Devices by serial, those after the serial `after`; pages neither skip nor repeat one that was there all along."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        return cursor.execute(
            LOAD_DEVICES, _parameters(filters) | {"after": after, "limit": limit}, prepare=False
        ).fetchall()


def count_devices(conn: Connection, filters: DeviceFilters) -> int:
    """How many devices the filters match."""
    row = conn.execute(COUNT_DEVICES, _parameters(filters), prepare=False).fetchone()
    assert row is not None
    return int(row[0])


COUNT_REPORTING = """
    SELECT count(*) FILTER (WHERE d.connectivity = 'ONLINE'), count(*) FROM device d
    WHERE d.lifecycle <> 'DECOMMISSIONED' AND (%(customer_id)s::bigint IS NULL
        OR d.site_id IN (SELECT s.id FROM site s WHERE s.customer_id = %(customer_id)s))
"""


def count_reporting(conn: Connection, *, customer_id: int | None) -> tuple[int, int]:
    """How many devices are online, and of how many: all, or those of that customer."""
    row = conn.execute(COUNT_REPORTING, {"customer_id": customer_id}).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


LOAD_DEVICE = f"""
    SELECT {_COLUMNS} {_FROM} {_QUALITY}
    WHERE d.serial = %(serial)s AND (%(customer_id)s::bigint IS NULL OR s.customer_id = %(customer_id)s)
"""


def load_device(conn: Connection, serial: str, *, customer_id: int | None) -> Device | None:
    """The device of that serial if the caller may see it."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        return cursor.execute(LOAD_DEVICE, {"serial": serial, "customer_id": customer_id}).fetchone()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened to a device. `kind` says where it comes from."""

    at: datetime
    kind: str  # change, firmware, event, status
    field: str
    before: str | None
    after: str | None
    detail: str
    source: str
    key: str  # orders entries of the same instant


# What changed in the master data, what the device reported of its firmware and its alarms, when it came and went.
LOAD_HISTORY = """
    SELECT at, kind, field, before, after, detail, source, key FROM (
        (SELECT at, 'change' AS kind, field, before, after, '' AS detail, source, 'c' || lpad(id::text, 19, '0') AS key
            FROM device_history
            WHERE device_id = %(device_id)s
                AND (at, 'c' || lpad(id::text, 19, '0')) < (%(before_at)s, %(before_key)s)
            ORDER BY at DESC, id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT observed_at, 'firmware', 'firmware:' || component, previous, version,
                state || coalesce(': ' || error, ''), 'device', 'f' || lpad(id::text, 19, '0')
            FROM firmware_report
            WHERE device_id = %(device_id)s
                AND (observed_at, 'f' || lpad(id::text, 19, '0')) < (%(before_at)s, %(before_key)s)
            ORDER BY observed_at DESC, id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT observed_at, 'event', code, NULL, severity, message, 'device', 'e' || lpad(id::text, 19, '0')
            FROM device_event
            WHERE device_id = %(device_id)s
                AND (observed_at, 'e' || lpad(id::text, 19, '0')) < (%(before_at)s, %(before_key)s)
            ORDER BY observed_at DESC, id DESC LIMIT %(limit)s)
        UNION ALL
        (SELECT observed_at, 'status', 'status', NULL, state, '', 'device', 's' || lpad(id::text, 19, '0')
            FROM status_report
            WHERE device_id = %(device_id)s
                AND (observed_at, 's' || lpad(id::text, 19, '0')) < (%(before_at)s, %(before_key)s)
            ORDER BY observed_at DESC, id DESC LIMIT %(limit)s)
    ) AS everything
    ORDER BY at DESC, key DESC LIMIT %(limit)s
"""


def load_history(
    conn: Connection, device_id: int, *, before: tuple[datetime, str] | None = None, limit: int = 100
) -> list[HistoryEntry]:
    """What happened to the device, newest first, what stands before the entry `before` (its time and key)."""
    at, key = before or (datetime.fromisoformat("9999-12-31T00:00:00+00:00"), "")
    parameters = {"device_id": device_id, "before_at": at, "before_key": key, "limit": limit}
    with conn.cursor(row_factory=class_row(HistoryEntry)) as cursor:
        return cursor.execute(LOAD_HISTORY, parameters).fetchall()


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The reading with the latest observation time of one series; never the last one received."""

    sensor: str
    series_id: int
    observed_at: datetime | None
    value: float | None
    flags: int | None


# `last_observed_at` may lag behind by seconds and never leads, so the latest reading lies at or after it. The constant
# bound lets the planner leave out the days before; a series that has none yet is looked for everywhere.
LOAD_LATEST_BOUND = "SELECT min(last_observed_at), bool_or(last_observed_at IS NULL) FROM series WHERE device_id = %s"
LOAD_LATEST = """
    SELECT s.sensor, s.id AS series_id, r.observed_at, r.value, r.flags
    FROM series s LEFT JOIN LATERAL (
        SELECT observed_at, value, flags FROM reading
        WHERE series_id = s.id AND observed_at >= %(begin)s ORDER BY observed_at DESC LIMIT 1
    ) r ON true
    WHERE s.device_id = %(device_id)s AND s.last_observed_at >= %(begin)s
"""
LOAD_LATEST_UNBOUND = """
    SELECT s.sensor, s.id AS series_id, r.observed_at, r.value, r.flags
    FROM series s LEFT JOIN LATERAL (
        SELECT observed_at, value, flags FROM reading WHERE series_id = s.id ORDER BY observed_at DESC LIMIT 1
    ) r ON true
    WHERE s.device_id = %(device_id)s AND s.last_observed_at IS NULL
"""


def load_latest(conn: Connection, device_id: int) -> list[LatestValue]:
    """The latest reading of every series of the device, by sensor."""
    row = conn.execute(LOAD_LATEST_BOUND, (device_id,)).fetchone()
    begin, has_new = row or (None, False)
    found: list[LatestValue] = []
    parameters = {"device_id": device_id, "begin": begin}
    with conn.cursor(row_factory=class_row(LatestValue)) as cursor:
        if begin is not None:
            found += cursor.execute(LOAD_LATEST, parameters, prepare=False).fetchall()
        if has_new:
            found += cursor.execute(LOAD_LATEST_UNBOUND, parameters).fetchall()
    return sorted(found, key=lambda latest: latest.sensor)
