"""A backtest over a generated store: device-days per second, memory, and the same answer twice.

    python -m benchmarks.backtest [--devices 200] [--days 30] [--interval-s 300] [--level raw|minute|hour]
        [--superuser-url postgresql://...] [--json]

A model with four sensors and nine monitors (a limit and the adaptive detector on each sensor, one joint monitor over
all), durations of three hours, so that means of hours say enough. Every fiftieth device has a fault for a day. What is
proposed are higher limits. Each level is run twice and has to give the same result; `year_of_1000_devices_s` is what
365,000 device-days take at that rate.
"""

import argparse
import json
import resource
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from anomaly.backtest.run import BacktestRequest, run_backtest
from anomaly.training.progress import Progress, tell_nobody
from anomaly.training.train import TrainRequest, train
from benchmarks.databases import Urls, bench_database
from domain.breach import BreachKind, Severity
from domain.clock import to_micros
from domain.installed_base import InstalledDevice
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text
from store.history import HistoryLevel
from store.installed_base import record_installed_base
from store.pool import open_connection
from store.profiles import record_profile
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.registry import load_registry
from store.rollup_refresh import refresh_rollups

MODEL = "BENCH-4"
SENSORS = 4
END = datetime(2026, 11, 1, tzinfo=UTC)
HOLD_S = 3.0 * 3_600.0
WARM_S = 2.0 * 86_400.0
FAULTY_EACH = 50
YEAR = 365_000  # device-days of 1,000 devices


def make_profile(interval_s: float) -> Profile:
    """A model whose monitors all look at three hours at least."""
    name = Text("benchmark", "基准测试")
    keys = tuple(f"s{i}" for i in range(SENSORS))

    def monitor(key: str, rule: MonitorRule, raise_at: float, clear_at: float, *sensors: str) -> Monitor:
        kind = BreachKind.LIMIT if rule is MonitorRule.LIMIT else BreachKind.ANOMALY
        direction = Direction.HIGH if rule is MonitorRule.LIMIT else Direction.BOTH
        return Monitor(
            key, rule, kind, Severity.MAJOR, "all", sensors, direction, raise_at, clear_at, duration_s=HOLD_S,
            warmup=round(WARM_S / interval_s),
        )  # fmt: skip

    monitors = [monitor(f"{key}_high", MonitorRule.LIMIT, 56.0, 54.0, key) for key in keys]
    monitors += [monitor(f"{key}_unusual", MonitorRule.ADAPTIVE, 9.0, 5.0, key) for key in keys]
    monitors.append(monitor("joint", MonitorRule.MULTIVARIATE, 3.0, 2.0, *keys))
    sensors = tuple(Sensor(key, name, "1", 2, -1e6, 1e6, interval_s=interval_s) for key in keys)
    group = FaultGroup("all", name, name, name, name)
    return Profile(MODEL, 1, "Forewarn", name, "", False, sensors, (group,), tuple(monitors))


def propose(profile: Profile) -> Profile:
    """The same with higher limits."""
    changed = (replace(m, raise_at=60.0, clear_at=58.0) if m.rule is MonitorRule.LIMIT else m for m in profile.monitors)
    return replace(profile, version=2, monitors=tuple(changed))


def make_store(urls: Urls, devices: int, days: int, interval_s: int) -> int:
    """Fills the database day by day and rolls it up; gives back how many readings it holds."""
    with open_connection(urls.app, application="benchmark") as conn:
        record_profile(conn, make_profile(interval_s), "benchmark")
        fleet = [InstalledDevice(serial=f"B-{d:06d}", model=MODEL, firmware="1.0") for d in range(devices)]
        record_installed_base(conn, fleet, actor="benchmark", role="admin")
    with open_connection(urls.app, application="benchmark") as conn:
        registry = load_registry(conn)
    series = np.array(
        [[registry.devices[f"B-{d:06d}"].series[f"s{i}"] for i in range(SENSORS)] for d in range(devices)]
    )
    rng = np.random.default_rng(1)
    level = rng.normal(0.0, 1.0, series.shape)
    faulty = np.arange(devices) % FAULTY_EACH == 0
    fault_day = rng.integers(days // 2, days, devices)
    count = 0
    for day in range(days):
        begin_us = to_micros(END - timedelta(days=days - day))
        at_us = begin_us + np.arange(0, 86_400, interval_s, dtype=np.int64) * 1_000_000
        wave = 2.0 * np.sin(2.0 * np.pi * (at_us / 86_400e6))
        value = 50.0 + level + wave[:, None, None] + rng.normal(0.0, 0.5, (at_us.shape[0], devices, SENSORS))
        value[:, faulty & (fault_day == day), 0] += 8.0
        columns = ReadingColumns(
            np.broadcast_to(series, value.shape).reshape(-1).astype(np.int32),
            np.repeat(at_us, devices * SENSORS),
            np.round(value, 2).reshape(-1),
            np.zeros(value.size, dtype=np.int16),
        )
        with open_connection(urls.app, application="benchmark") as conn:
            ensure_partitions(conn, find_days(columns.observed_us))
            conn.commit()
            record_new_readings(conn, columns)
        count += len(columns)
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        owner.execute("UPDATE series SET last_observed_at = %s", (END - timedelta(seconds=interval_s),))
    with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
        refresh_rollups(conn, END + timedelta(days=1), lambda: True)
    with psycopg.connect(urls.owner, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    return count


def measure(urls: Urls, level: HistoryLevel, profile: Profile) -> dict[str, Any]:
    """The figures of one level, from the second of two runs."""
    request = BacktestRequest(MODEL, level=level, settle=timedelta(days=3), proposed_profile=propose(profile))
    results, seconds, cpu = [], 0.0, 0.0
    for _ in range(2):
        with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
            began, cpu_began = time.perf_counter(), time.process_time()
            results.append(run_backtest(conn, request, (), (), Progress(tell_nobody)))
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    if results[0] != results[1]:
        raise SystemExit(f"{level.value}: two runs gave two answers")
    found = results[1]
    settled = found["device_days"] + 3 * found["devices"]  # those at the begin are scored as well
    return {
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu, 2),  # of this process, without the database
        "readings": found["readings"],
        "readings_per_s": round(found["readings"] / seconds),
        "device_days_per_s": round(settled / seconds, 1),
        "year_of_1000_devices_s": round(YEAR * seconds / settled),
        "tickets_now": found["now"]["tickets"],
        "tickets_proposed": found["proposed"]["tickets"],
        "left_out": len(found["left_out"]),
    }


def main() -> None:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--interval-s", type=int, default=300)
    parser.add_argument("--level", type=HistoryLevel, choices=list(HistoryLevel), action="append")
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {
        "devices": arguments.devices,
        "days": arguments.days,
        "interval_s": arguments.interval_s,
        "sensors": SENSORS,
    }
    with bench_database(arguments.superuser_url) as urls:
        began = time.perf_counter()
        figures["stored"] = make_store(urls, arguments.devices, arguments.days, arguments.interval_s)
        if not arguments.json:
            print(f"{figures['stored']:,} readings stored in {time.perf_counter() - began:.0f} s")
        profile = make_profile(arguments.interval_s)
        for level in arguments.level or [HistoryLevel.HOUR, HistoryLevel.RAW]:
            figures[level.value] = measure(urls, level, profile)
            if not arguments.json:
                print(level.value, figures[level.value])
        with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
            began = time.perf_counter()
            trained = train(conn, TrainRequest(MODEL), Progress(tell_nobody))
        figures["training_s"] = round(time.perf_counter() - began, 2)
        figures["training_parts"] = len(trained.prior.parts)
    figures["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
