"""The registry: what ingest and scoring must know of devices, their series and their profiles, in one load."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from domain.errors import DatabaseNotMigratedError
from domain.profile import Profile
from domain.profile_file import profile_from_json
from store.pool import Connection


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """One device of the installed base, as the data path sees it."""

    id: int
    serial: str
    shard: int
    model: str  # key into Registry.profiles
    profile_version: int  # the model's current one
    firmware: str
    gateway: str | None
    lifecycle: str
    installed_on: date | None
    is_simulated: bool
    series: Mapping[str, int]  # sensor key -> series id


@dataclass(frozen=True, slots=True)
class Registry:
    """The installed base at one version, which counts up with every change of what stands here."""

    version: int
    shard_count: int
    devices: Mapping[str, RegisteredDevice]  # by serial
    profiles: Mapping[str, Profile]  # by model key, each at its current version
    last_observed_us: Mapping[int, int]  # by series id; a lower bound, brought up to date every few seconds


@dataclass(frozen=True, slots=True)
class _DeviceRow:
    id: int
    serial: str
    shard: int
    model: str
    profile_version: int
    firmware: str
    gateway: str | None
    lifecycle: str
    installed_on: date | None
    is_simulated: bool


LOAD_REGISTRY_VERSION = "SELECT registry_version, shard_count FROM installation"


def load_registry_version(conn: Connection) -> int:
    """The version that `load_registry` would give now.

    Raises
    ------
    DatabaseNotMigratedError
        The installation has no row.
    """
    return _load_installation(conn)[0]


def _load_installation(conn: Connection) -> tuple[int, int]:
    row = conn.execute(LOAD_REGISTRY_VERSION).fetchone()
    if row is None:
        raise DatabaseNotMigratedError()
    return int(row[0]), int(row[1])


LOAD_SILENCE = "SELECT extract(epoch FROM now() - max(last_seen_at))::float8 FROM device"


def load_silence(conn: Connection) -> float:
    """How many seconds ago anything was last heard of any device; 0 when nothing ever was."""
    row = conn.execute(LOAD_SILENCE).fetchone()
    return 0.0 if row is None or row[0] is None else max(0.0, float(row[0]))


LOAD_PROFILES = """
    SELECT m.key, p.body
    FROM device_model m
    JOIN device_model_profile p ON p.device_model_id = m.id AND p.version = m.current_version
"""
LOAD_DEVICES = """
    SELECT d.id, d.serial, d.shard, m.key AS model, m.current_version AS profile_version, d.firmware,
        g.name AS gateway, d.lifecycle, d.installed_on, d.is_simulated
    FROM device d
    JOIN device_model m ON m.id = d.device_model_id
    LEFT JOIN gateway g ON g.id = d.gateway_id
"""
LOAD_SERIES = """
    SELECT device_id, sensor, id, (extract(epoch FROM last_observed_at) * 1000000)::bigint FROM series
"""


def load_registry(conn: Connection) -> Registry:
    """The whole registry. What changes while it is read shows as a version that has moved on, so that a caller who
    compares versions loads again and misses nothing.

    Raises
    ------
    DatabaseNotMigratedError
        The installation has no row.
    ProfileError
        A stored profile cannot be read.
    """
    # The version first: what is read after it is at least as new.
    version, shard_count = _load_installation(conn)
    profiles = {key: profile_from_json(body) for key, body in conn.execute(LOAD_PROFILES)}
    series: dict[int, dict[str, int]] = {}
    last_observed_us: dict[int, int] = {}
    with conn.cursor(binary=True) as cursor:
        for device_id, sensor, series_id, observed_us in cursor.execute(LOAD_SERIES):
            series.setdefault(device_id, {})[sensor] = series_id
            if observed_us is not None:
                last_observed_us[series_id] = observed_us
    with conn.cursor(row_factory=class_row(_DeviceRow)) as rows:
        devices = {row.serial: _to_device(row, series.get(row.id, {})) for row in rows.execute(LOAD_DEVICES)}
    return Registry(version, shard_count, devices, profiles, last_observed_us)


def _to_device(row: _DeviceRow, series: Mapping[str, int]) -> RegisteredDevice:
    return RegisteredDevice(
        id=row.id,
        serial=row.serial,
        shard=row.shard,
        model=row.model,
        profile_version=row.profile_version,
        firmware=row.firmware,
        gateway=row.gateway,
        lifecycle=row.lifecycle,
        installed_on=row.installed_on,
        is_simulated=row.is_simulated,
        series=series,
    )
