"""Latency of what people wait for, on a fleet of 10,000 devices and a generated year of readings.

    python -m benchmarks.queries [--days 365] [--devices 10000] [--history-devices 2] [--interval-s 60]
        [--superuser-url postgresql://...] [--rounds 30] [--json]

Runs on an embedded PostgreSQL, or in a database of its own on the server of `--superuser-url`, which it drops again.
Every query is the function that the API and the console call, and the same is then asked of the running API and
console over HTTP (`http_...`, `page_...`). `first_ms` is the first call on a new connection; p50 and p95 are of
`rounds` calls after that.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from benchmarks.databases import Urls, bench_database
from benchmarks.query_data import make_data
from benchmarks.query_requests import measure_requests
from store.devices import DeviceFilters, count_devices, load_device, load_devices, load_latest
from store.installation_health import load_flow
from store.migrate import load_flavour
from store.pool import Connection, open_connection
from store.reading_queries import load_readings
from store.rollups import load_counts

WINDOWS = {
    "chart_1h_400": (timedelta(hours=1), 400),
    "chart_24h_400": (timedelta(days=1), 400),
    "chart_7d_1000": (timedelta(days=7), 1_000),
    "chart_90d_1000": (timedelta(days=90), 1_000),
    "chart_1y_1000": (timedelta(days=365), 1_000),
    "chart_1y_200": (timedelta(days=365), 200),
}
ROWS = 100  # of a page


def main() -> None:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--history-devices", type=int, default=2, help="devices with readings of all days")
    parser.add_argument("--interval-s", type=int, default=60, help="between two readings of a sensor in the history")
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with bench_database(arguments.superuser_url) as urls:
        began = time.perf_counter()
        make_data(
            urls.owner,
            urls.app,
            now,
            days=arguments.days,
            devices=arguments.devices,
            history_devices=arguments.history_devices,
            interval_s=arguments.interval_s,
        )
        generated_s = time.perf_counter() - began
        figures = measure(urls, now, arguments.rounds)
    if not arguments.json:
        for name, found in figures["queries"].items():
            first, p50, p95 = (found[key] for key in ("first_ms", "p50_ms", "p95_ms"))
            print(f"{name:<16} first {first:8.1f} ms   p50 {p50:8.1f} ms   p95 {p95:8.1f} ms")
    print(json.dumps(figures | {"generated_s": round(generated_s, 1)}))


def measure(urls: Urls, now: datetime, rounds: int) -> dict[str, Any]:
    """Figures of every query, each on a connection of its own."""
    figures: dict[str, Any] = {}
    for name, query in find_queries(now).items():
        with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
            answer, first_ms = time_call(query, conn)
            later = sorted(time_call(query, conn)[1] for _ in range(rounds))
            cuts = quantiles(later, n=20, method="inclusive")
            figures[name] = {"first_ms": round(first_ms, 1), "p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}
            if name.startswith("chart"):
                figures[name] |= {"level": answer.level.value, "points": len(answer.buckets)}
    figures |= measure_requests(urls.app, now, rounds)
    with open_connection(urls.app, application="benchmark") as conn:
        rows = {
            table: conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            for table in ("device", "series", "reading", "reading_1m", "reading_1h", "breach_transition")
        }
        return {
            "flavour": load_flavour(conn),
            "rows": {table: row[0] for table, row in rows.items() if row is not None},
            "queries": figures,
        }


def find_queries(now: datetime) -> dict[str, Callable[[Connection], Any]]:
    """By name; device and series 1 are among those with a history."""
    everything = DeviceFilters()
    past = (now - timedelta(days=2)).date()
    queries: dict[str, Callable[[Connection], Any]] = {
        name: lambda conn, w=window, p=points: load_readings(conn, 1, now - w, now, p)  # type: ignore[misc]
        for name, (window, points) in WINDOWS.items()
    }
    return queries | {
        "latest_values": lambda conn: load_latest(conn, 1),
        "device": lambda conn: load_device(conn, "Q-000001", customer_id=None),
        "fleet_page": lambda conn: (load_devices(conn, everything, limit=ROWS + 1), count_devices(conn, everything)),
        "fleet_page_last": lambda conn: load_devices(conn, everything, after="Q-009800", limit=ROWS + 1),
        "fleet_search": lambda conn: (
            load_devices(conn, DeviceFilters(q="customer 7"), limit=ROWS + 1),
            count_devices(conn, DeviceFilters(q="customer 7")),
        ),
        "fleet_customer": lambda conn: load_devices(conn, DeviceFilters(customer="C-7"), limit=ROWS + 1),
        "health": load_flow,
        "counts_of_a_day": lambda conn: load_counts(conn, past, past),
        "counts_of_today": lambda conn: load_counts(conn, now.date(), now.date()),
    }


def time_call(query: Callable[[Connection], Any], conn: Connection) -> tuple[Any, float]:
    """The answer, and how many milliseconds it took."""
    began = time.perf_counter()
    answer = query(conn)
    return answer, (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
