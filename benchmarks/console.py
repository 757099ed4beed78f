"""What the console's pages cost in a real browser, at 100,000 work orders.

    python -m benchmarks.console [--orders 100000] [--rounds 30] [--superuser-url postgresql://...] [--json]

The database is that of `benchmarks.service`; Debian's Chromium looks at every page that the navigation names and at one
order, device, CAPA and customer, each with an empty cache. `bytes` are those on the wire, compressed, head and body, of
all `requests` but the stream; p50 and p95 are the server's answer to the page itself over HTTP, `cpu_ms` the processor
time of the API for it. Then orders change and come in while lists are open: `shift` is what that moved (the browser's
layout-shift), `key_ms` the longest key press to its next frame.

The exit code is 1 where a page has 150 kB or more than 15 requests, where the inbox takes 50 ms or more or any page
more than 200 ms (p95), where a page moved by more than 0.02 while it loaded, where a live change moved anything, or
where a key took longer than 200 ms; `broken` says which.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from api.console.navigation import PLACES
from api.passwords import hash_secret, make_api_token, make_session_token
from benchmarks.console_pages import PageFigures, measure_live, measure_page
from benchmarks.databases import Urls, bench_database
from benchmarks.query_requests import running_api
from benchmarks.service_data import make_service_data
from benchmarks.service_requests import FIND_SUBJECTS
from domain.roles import Role
from service_link.monitor_feedback import watch_monitors
from store.pool import Connection, open_connection
from store.sessions import record_session
from store.users import record_user
from tests.e2e.browser import running_chromium

LIMITS = {
    "bytes": 150_000,
    "requests": 15,
    "inbox_p95_ms": 50.0,
    "page_p95_ms": 200.0,
    "load_shift": 0.02,
    "shift": 0.0,
    "key_ms": 200.0,
}
LIVE = ("/inbox", "/work-orders?sort=due")
LIVE_CHANGES = 5
FIND_CAPA = "SELECT code FROM capa WHERE state = 'INVESTIGATION' ORDER BY id LIMIT 1"
OUTSIDE = (Role.CUSTOMER, Role.INTEGRATOR)  # never a person of the maker


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--audit", type=int, default=100_000, help="audit events")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--superuser-url", help="a server to make a database on; default: an embedded PostgreSQL")
    parser.add_argument("--rounds", type=int, default=30, help="requests to the server for each page")
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    with bench_database(arguments.superuser_url) as urls:
        make_service_data(
            urls.owner,
            urls.app,
            now,
            orders=arguments.orders,
            audit=arguments.audit,
            devices=arguments.devices,
            customers=arguments.customers,
        )
        pages, live = measure(urls, now, arguments.rounds)
    broken = find_broken(pages, live)
    if not arguments.json:
        for name, page in pages.items():
            print(f"{name:<32} {page.bytes:8,} bytes {page.requests:3} requests   server p50 {page.p50_ms:7.1f} ms   "
                  f"p95 {page.p95_ms:7.1f} ms   cpu {page.cpu_ms:6.1f} ms")  # fmt: skip
        for name, figures in live.items():
            print(f"{name:<32} {figures['told']}   shift {figures['shift']}   key {figures['key_ms']:.0f} ms")
    figures = {name: page.to_json() for name, page in pages.items()}
    print(json.dumps({"orders": arguments.orders, "pages": figures, "live": live, "limits": LIMITS, "broken": broken}))
    return 1 if broken else 0


def measure(urls: Urls, now: datetime, rounds: int) -> tuple[dict[str, PageFigures], dict[str, dict[str, Any]]]:
    """Every page by its address, and what live changes did to the lists."""
    with open_connection(urls.app, application="benchmark") as conn:
        watch_monitors(conn, now)  # as service-link does every five minutes: the page of monitors shows what it found
        paths = find_paths(conn)
        cookie = _let_in(conn, now)
    with running_api(urls.app) as port, running_chromium() as browser:
        pages = {path: measure_page(browser, port, cookie, path, rounds) for path in paths}
        live = {path: measure_live(browser, port, cookie, path, urls.owner, LIVE_CHANGES) for path in LIVE}
    return pages, live


def find_paths(conn: Connection) -> list[str]:
    """Every place of the navigation and a page of each kind of record."""
    row, capa = conn.execute(FIND_SUBJECTS).fetchone(), conn.execute(FIND_CAPA).fetchone()
    assert row is not None
    assert capa is not None
    order, serial, customer = row[:3]
    records = [f"/work-orders/{order}", f"/devices/{serial}", f"/capa/{capa[0]}", f"/customers/{customer}"]
    return [place.href for place in PLACES] + records


def find_broken(pages: Mapping[str, PageFigures], live: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is beyond its limit, in words."""
    broken = [f"{path}: {page.bytes} bytes" for path, page in pages.items() if page.bytes >= LIMITS["bytes"]]
    broken += [
        f"{path}: {page.requests} requests" for path, page in pages.items() if page.requests > LIMITS["requests"]
    ]
    if pages["/inbox"].p95_ms >= LIMITS["inbox_p95_ms"]:
        broken.append(f"/inbox: p95 {pages['/inbox'].p95_ms} ms")
    broken += [f"{path}: p95 {page.p95_ms} ms" for path, page in pages.items() if page.p95_ms > LIMITS["page_p95_ms"]]
    broken += [
        f"{path}: moved by {page.load_shift} while it loaded"
        for path, page in pages.items()
        if page.load_shift > LIMITS["load_shift"]
    ]
    broken += [
        f"{path}: a live change moved {', '.join(figures['moved'])} by {figures['shift']}"
        for path, figures in live.items()
        if figures["shift"] > LIMITS["shift"]
    ]
    slow = {path: figures["key_ms"] for path, figures in live.items() if figures["key_ms"] > LIMITS["key_ms"]}
    return broken + [f"{path}: a key took {key_ms} ms" for path, key_ms in slow.items()]


def _let_in(conn: Connection, now: datetime) -> str:
    """The session's cookie of somebody with every role that a person of the maker can have."""
    user = record_user(
        conn,
        name="bench-console",
        full_name="Console",
        password_hash="!",
        roles=[role.value for role in Role if role not in OUTSIDE],
        must_change_password=False,
    )
    assert user is not None
    cookie = make_session_token()
    record_session(conn, hash_secret(cookie), user, make_api_token(), now + timedelta(hours=8))
    return cookie


if __name__ == "__main__":
    sys.exit(main())
