"""Bytes on disk per reading, indexes and roll-ups counted, for what the simulated pumps and ventilators really send.

    python -m benchmarks.storage [--devices 8] [--hours 24] [--interval-s 1] [--jitter-ms 0]
        [--superuser-url postgresql://...] [--json]

Runs on an embedded PostgreSQL, or in a database of its own on the server of `--superuser-url`. Readings come from the
simulators' physics, rounded as they are sent, in order of time; then they are rolled up, and compressed where there is
a columnstore, as the policies do after three days. `--jitter-ms` adds to every instant a random delay of up to so
much, one for all sensors of a device, as a device with an uneven clock has it.
"""

import argparse
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.databases import Urls, bench_database
from domain.clock import to_micros
from simulators.chance import FloatArray, SeedArray, find_unit_seeds
from simulators.device_kind import DeviceKind, State
from simulators.faults import Intensities
from simulators.fleet_clock import KINDS
from store.migrate import load_flavour
from store.pool import open_connection
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.rollup_refresh import refresh_rollups

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
STEPS_AT_ONCE = 600
TABLES = ("reading", "reading_1m", "reading_1h", "reading_1d")
COMPRESS = "SELECT compress_chunk(c, true) FROM show_chunks(%s) AS c"
SIZE_OF_TABLE = """
    SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree(%s::regclass)
"""
SIZE_OF_HYPERTABLE = "SELECT hypertable_size(%s::regclass)"


def main() -> None:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=8, help="half of them pumps, half ventilators")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--interval-s", type=float, default=1.0)
    parser.add_argument("--jitter-ms", type=int, default=0)
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    with bench_database(arguments.superuser_url) as urls:
        began = time.perf_counter()
        count = make_readings(urls, arguments.devices, arguments.hours, arguments.interval_s, arguments.jitter_ms)
        stored_s = time.perf_counter() - began
        figures = measure(urls, count, BEGIN + timedelta(hours=arguments.hours, minutes=15))
    if not arguments.json:
        for name, found in figures["bytes_per_reading"].items():
            print(f"{name:<12} {found:8.2f} bytes a reading")
    print(json.dumps(figures | {"interval_s": arguments.interval_s, "stored_s": round(stored_s, 1)}))


def make_readings(urls: Urls, devices: int, hours: int, interval_s: float, jitter_ms: int) -> int:
    """Stores what these devices send, without faults, and says how many readings that is."""
    steps = round(hours * 3600 / interval_s)
    rng = np.random.default_rng(1)
    sources = []
    first = 1
    for kind in KINDS:
        source = _Source.of(kind, devices // len(KINDS), first)
        sources.append(source)
        first += source.series.size
    count = 0
    with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
        for begin in range(0, steps, STEPS_AT_ONCE):
            columns = []
            for step in range(begin, min(begin + STEPS_AT_ONCE, steps)):
                at_us = to_micros(BEGIN) + round(step * interval_s * 1e6)
                for source in sources:
                    delay = rng.integers(0, jitter_ms + 1, len(source.serials)) * 1_000
                    columns.append((source.series, at_us + delay, source.advance(at_us, interval_s)))
            readings = ReadingColumns(
                np.concatenate([series.reshape(-1) for series, _, _ in columns]).astype(np.int32),
                np.concatenate([np.broadcast_to(at, series.shape).reshape(-1) for series, at, _ in columns]),
                np.concatenate([values.reshape(-1) for _, _, values in columns]),
                np.zeros(sum(series.size for series, _, _ in columns), np.int16),
            )
            ensure_partitions(conn, find_days(readings.observed_us))
            with conn.transaction():
                record_new_readings(conn, readings)
            count += len(readings)
    return count


@dataclass(slots=True)
class _Source:
    """All devices of one kind. `series` has the shape (sensors, devices)."""

    kind: DeviceKind
    serials: list[str]
    seeds: SeedArray
    series: NDArray[np.int64]
    state: State

    @staticmethod
    def of(kind: DeviceKind, devices: int, first_series: int) -> "_Source":
        serials = [f"{kind.model}-{n:04d}" for n in range(devices)]
        seeds = find_unit_seeds(1, serials)
        shape = (len(kind.sensors), devices)
        series = first_series + np.arange(shape[0] * shape[1]).reshape(shape)
        return _Source(kind, serials, seeds, series, kind.start(seeds, BEGIN.timestamp()))

    def advance(self, at_us: int, dt_s: float) -> FloatArray:
        """What they send at that instant: as many decimals as the sensor has."""
        faults = Intensities(self.serials, [], at_us)
        self.state, values = self.kind.advance(self.seeds, self.state, at_us / 1e6, dt_s, faults)
        return np.array([np.round(row, digits) for row, digits in zip(values, self.kind.decimals, strict=True)])


def measure(urls: Urls, count: int, now: datetime) -> dict[str, Any]:
    """Bytes per reading by table, after rolling up and compressing."""
    with psycopg.connect(urls.owner, autocommit=True) as conn:
        flavour = load_flavour(conn)
        before = _find_size(conn, "reading", flavour)
        if flavour == "timescaledb-community":
            conn.execute("CALL refresh_rollups(0, jsonb_build_object('now', %s::timestamptz))", (now,))
            for table in TABLES[:3]:
                conn.execute(COMPRESS, (table,))
        else:
            with open_connection(urls.app, application="benchmark", autocommit=True) as app:
                refresh_rollups(app, now, lambda: True)
        conn.execute("VACUUM")
        sizes = {table: _find_size(conn, table, flavour) for table in TABLES}
    per_reading = {table: round(size / count, 3) for table, size in sizes.items()}
    return {
        "flavour": flavour,
        "readings": count,
        "bytes_per_reading": {"as_stored": round(before / count, 2), **per_reading},
        "all_bytes_per_reading": round(sum(sizes.values()) / count, 2),
    }


def _find_size(conn: psycopg.Connection[Any], table: str, flavour: str) -> int:
    is_hypertable = flavour == "timescaledb-community" or (flavour == "timescaledb-apache" and table != "reading_1d")
    row = conn.execute(SIZE_OF_HYPERTABLE if is_hypertable else SIZE_OF_TABLE, (f"public.{table}",)).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
