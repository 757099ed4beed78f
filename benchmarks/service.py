"""Latency of the service side: every list, search and page over HTTP, with 100,000 orders and 1,000,000 audit events.

    python -m benchmarks.service [--orders 100000] [--audit 1000000] [--devices 10000] [--customers 2000]
        [--superuser-url postgresql://...] [--rounds 40] [--limit-ms 50] [--json]

Runs on an embedded PostgreSQL, or in a database of its own on the server of `--superuser-url`, which it drops again. A
tenth of the orders is open and a third of those waits in the inbox; there are breaches, complaints, CAPAs, field
actions and plans in proportion (`rows`). The audit chain is a true one: it is proved at the end (`chain_holds`).
`first_ms` is the first request on a new connection; p50 and p95 are of `rounds` requests after that, from sending to
the last byte of the answer. A deep page lies behind half of all orders or 50,000 audit events.

The exit code is 1 where a p95 is above `--limit-ms`; `slow` names them.
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime

from benchmarks.databases import bench_database
from benchmarks.service_data import make_service_data
from benchmarks.service_requests import measure_service
from store.audit import verify_chain
from store.migrate import load_flavour
from store.pool import Connection, open_connection

TABLES = (
    "work_order", "audit_event", "breach", "ticket_decision", "customer", "device", "complaint", "capa", "field_action",
    "field_action_item", "approval_request", "plan_occurrence", "reminder",
)  # fmt: skip


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--audit", type=int, default=1_000_000, help="audit events")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--limit-ms", type=float, default=50.0, help="what a p95 may be")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    with bench_database(arguments.superuser_url) as urls:
        began = time.perf_counter()
        make_service_data(
            urls.owner,
            urls.app,
            now,
            orders=arguments.orders,
            audit=arguments.audit,
            devices=arguments.devices,
            customers=arguments.customers,
        )
        generated_s = time.perf_counter() - began
        found = measure_service(urls.app, now, rounds=arguments.rounds, deep=arguments.orders // 1_000)
        with open_connection(urls.app, application="benchmark", autocommit=True) as conn:
            flavour, rows, report = load_flavour(conn), _count_rows(conn), verify_chain(conn)
    slow = {name: figure["p95_ms"] for name, figure in found.items() if figure["p95_ms"] > arguments.limit_ms}
    if not arguments.json:
        for name, figure in found.items():
            first, p50, p95 = (figure[key] for key in ("first_ms", "p50_ms", "p95_ms"))
            print(f"{name:<28} first {first:8.1f} ms   p50 {p50:8.1f} ms   p95 {p95:8.1f} ms")
    figures = {
        "flavour": flavour,
        "rows": rows,
        "chain_holds": report.holds,
        "requests": found,
        "slowest_p95_ms": max(figure["p95_ms"] for figure in found.values()),
        "slow": slow,
        "generated_s": round(generated_s, 1),
    }
    print(json.dumps(figures))
    return 1 if slow or not report.holds else 0


def _count_rows(conn: Connection) -> dict[str, int]:
    counted = {}
    for table in TABLES:
        row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        counted[table] = int(row[0])
    return counted


if __name__ == "__main__":
    sys.exit(main())
