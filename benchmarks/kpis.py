"""How long the key figures take over 100,000 work orders of two years, 10,000 devices and 200 customers.

    python -m benchmarks.kpis [--orders 100000] [--devices 10000] [--rounds 5] [--superuser-url postgresql://...]
        [--json]

Each question asks for all key figures at once, as `GET /api/v1/kpis` does; `one_...` asks for one. Milliseconds of the
functions that the API calls, on one connection without parallel workers, after a first call. `cpu_ms` is what the
database's process computed meanwhile (embedded PostgreSQL alone): it says the same on a machine that is busy otherwise.
"""

import argparse
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import psutil

from benchmarks.databases import bench_database
from benchmarks.kpi_data import make_service_data
from domain.kpi import KpiDimension, KpiQuery, KpiSource, find_figures, find_groups
from domain.kpi_catalogue import KPI_BY_KEY, KPIS
from domain.kpi_period import PeriodUnit, find_buckets
from store.kpis import load_counted
from store.migrate import load_flavour
from store.pool import Connection, open_connection

YEAR, TWO_YEARS, USUAL = timedelta(days=365), timedelta(days=730), timedelta(days=90)


def main() -> None:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    now = datetime.now(UTC)
    with bench_database(arguments.superuser_url) as urls:
        make_service_data(urls.owner, now, orders=arguments.orders, devices=arguments.devices)
        with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
            conn.execute("SET max_parallel_workers_per_gather = 0")
            flavour = load_flavour(conn)
            server = None if arguments.superuser_url else psutil.Process(conn.info.backend_pid)
            figures = {
                name: measure(conn, server, query, keys, arguments.rounds)
                for name, (query, keys) in find_questions(now).items()
            }
    if not arguments.json:
        for name, found in figures.items():
            cpu = "" if found["cpu_ms"] is None else f"cpu {found['cpu_ms']:6.0f} ms"
            print(f"{name:<26} {found['median_ms']:8.0f} ms   {cpu}   {found['figures']:6} figures")
    print(json.dumps({"flavour": flavour, "orders": arguments.orders, "questions": figures}))


def find_questions(now: datetime) -> Mapping[str, tuple[KpiQuery, tuple[str, ...]]]:
    """By name: what is asked, and of which key figures."""
    every = tuple(KPI_BY_KEY)

    def ask(span: timedelta, *by: KpiDimension, unit: PeriodUnit | None = None, **more: Any) -> KpiQuery:
        return KpiQuery(find_buckets(now - span, now, unit), now, frozenset(by), **more)

    return {
        "all_90_days": (ask(USUAL), every),
        "all_1_year": (ask(YEAR), every),
        "all_2_years": (ask(TWO_YEARS), every),
        "all_1_year_by_model": (ask(YEAR, KpiDimension.MODEL), every),
        "all_1_year_by_firmware": (ask(YEAR, KpiDimension.FIRMWARE), every),
        "all_1_year_by_customer": (ask(YEAR, KpiDimension.CUSTOMER), every),
        "all_1_year_by_month": (ask(YEAR, unit=PeriodUnit.MONTH), every),
        "all_1_year_of_a_customer": (ask(YEAR, customer_id=7), every),
        "one_first_time_fix_2_years": (ask(TWO_YEARS), ("first_time_fix",)),
        "one_mtbf_2_years": (ask(TWO_YEARS), ("mtbf",)),
        "one_sla_met_2_years": (ask(TWO_YEARS), ("sla_met",)),
    }


def measure(
    conn: Connection, server: psutil.Process | None, query: KpiQuery, keys: tuple[str, ...], rounds: int
) -> dict[str, float | None]:
    """Median over the rounds, the mean of what the database computed, and how many figures there were."""
    kpis = [kpi for kpi in KPIS if kpi.key in keys]
    sources: set[KpiSource] = {source for kpi in kpis for source in kpi.sources}
    taken: list[float] = []
    count = 0
    computed = 0.0
    for place in range(rounds + 1):
        if place == 1:
            computed = _find_cpu_ms(server)
        began = time.perf_counter()
        counted = load_counted(conn, sources, query)
        groups = find_groups(counted, query)
        count = sum(len(find_figures(kpi, counted, query, groups, None)) for kpi in kpis)
        taken.append((time.perf_counter() - began) * 1e3)
    cpu_ms = None if server is None else round((_find_cpu_ms(server) - computed) / rounds)
    return {"median_ms": round(median(taken[1:]), 1), "cpu_ms": cpu_ms, "figures": count}


def _find_cpu_ms(server: psutil.Process | None) -> float:
    if server is None:
        return 0.0
    times = server.cpu_times()
    return float(times.user + times.system) * 1e3


if __name__ == "__main__":
    main()
