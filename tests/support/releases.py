"""A fleet whose hours before and after an update are written straight into the roll-ups, for tests of releases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from domain.breach import BreachKind, Severity
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text
from store.migrate import load_flavour
from store.pool import Connection
from store.profiles import record_profile
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.rollup_refresh import refresh_rollups
from tests.support.service_world import World

UPDATED = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)  # the first device
HOUR = timedelta(hours=1)
WORD = Text("word", "词")
PROFILE = Profile(
    model="PUMP",
    version=2,
    manufacturer="Maker",
    name=WORD,
    udi_di="04012345000016",
    safety_critical=False,
    sensors=(
        Sensor("current", WORD, "A", 3, 0.0, 10.0),
        Sensor("temperature", WORD, "Cel", 2, 0.0, 100.0),
    ),
    fault_groups=tuple(FaultGroup(key, WORD, WORD, WORD, WORD) for key in ("motor", "heat", "data_quality")),
    monitors=(
        Monitor(
            "current_high",
            MonitorRule.LIMIT,
            BreachKind.LIMIT,
            Severity.MAJOR,
            "motor",
            ("current",),
            Direction.HIGH,
            raise_at=1.0,
            clear_at=0.9,
        ),
    ),
)
# value of (device, sensor place, instant)
Physics = Callable[[int, int, datetime], float]


def make_usual(seed: int = 1) -> Physics:
    """A level of each device's own, a rhythm of the day, noise; no device knows of updates."""
    chance = np.random.default_rng(seed)
    own = chance.normal(0.0, 0.02, (1_000, 2))

    def usual(device: int, place: int, at: datetime) -> float:
        rhythm = 0.05 * np.sin(2 * np.pi * at.hour / 24)
        return float((0.5, 30.0)[place] + own[device, place] + rhythm + chance.normal(0.0, 0.01))

    return usual


def add_fleet(world: World, devices: int, *, updated: int, customers: int = 3, version: str = "2.0") -> None:
    """`devices` pumps on 1.0, of which the first `updated` came to `version`, one every ten minutes from UPDATED on."""
    record_profile(world.conn, PROFILE, "test")
    sites = [world.add_site(f"S{n}") for n in range(customers)]
    for n in range(devices):
        device_id = world.add_device(f"P-{n:03}", sites[n % customers], firmware="1.0", known_for=timedelta(days=60))
        world.conn.execute(
            "INSERT INTO series (device_id, sensor) VALUES (%s, 'current'), (%s, 'temperature') ON CONFLICT DO NOTHING",
            (device_id, device_id),
        )
        if n < updated:
            world.conn.execute(
                "INSERT INTO device_history (device_id, at, field, before, after, source)"
                " VALUES (%s, %s, 'firmware:main', '1.0', %s, 'device')",
                (device_id, find_update(n), version),
            )
            world.conn.execute("UPDATE device SET firmware = %s WHERE id = %s", (version, device_id))


def find_update(n: int) -> datetime:
    """When the n-th device was updated."""
    return UPDATED + n * timedelta(minutes=10)


def store_hours(world: World, since: datetime, until: datetime, physics: Physics, owner: Connection | None) -> None:
    """Two readings an hour of every device in [since, until), rolled up."""
    series = world.conn.execute(
        "SELECT s.id, d.serial, s.sensor FROM series s JOIN device d ON d.id = s.device_id ORDER BY s.id"
    ).fetchall()
    times = [since + n * HOUR / 2 for n in range(int((until - since) / HOUR * 2))]
    ids, micros, values = [], [], []
    for series_id, serial, sensor in series:
        device, place = int(serial.partition("-")[2]), ("current", "temperature").index(sensor)
        for at in times:
            ids.append(series_id)
            micros.append(round(at.timestamp() * 1e6))
            values.append(physics(device, place, at))
    columns = ReadingColumns(
        np.array(ids, np.int32), np.array(micros, np.int64), np.array(values), np.zeros(len(ids), np.int16)
    )
    ensure_partitions(world.conn, find_days(columns.observed_us))
    with world.conn.transaction():
        record_new_readings(world.conn, columns)
    if owner is not None and load_flavour(owner) == "timescaledb-community":
        owner.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (until,))
    else:
        refresh_rollups(world.conn, until + timedelta(minutes=11), lambda: True)
