"""Zoom and pan over a year of one signal in a real browser: from the key until it is drawn.

    python -m benchmarks.console_charts [--interval-s 60] [--rounds 5] [--json]

A year of one sensor on an embedded PostgreSQL, rolled up; a work order's page in Debian's Chromium, 1440 pixels wide.
Each round goes from thirty days out to the year, back in to an hour or so, and along, by key: `shown` is the time until
the frame after the one in which what was loaded already was drawn for the new window, `settled` until the level of
detail that fits it is there too, which includes 80 ms in which further keys are waited for. `points` is the most that
an answer had, `bytes` the largest answer, `server` the browser's time from request to answer.

The exit code is 1 where a key's p95 until `shown` is over 100 ms, or an answer has more than 2,000 points.
"""

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from playwright.sync_api import Page, Response

from store.decisions import record_decided_to
from store.pool import open_connection
from store.rollup_refresh import refresh_rollups
from tests.e2e.browser import open_page, running_chromium, sign_in
from tests.e2e.seeding import PASSWORD, SERIALS, seed
from tests.e2e.service import running_api
from tests.support.databases import Database, embedded_server

YEAR = timedelta(days=365)
SENSOR = "motor_current"
KEYS = ("-",) * 4 + ("+",) * 13 + ("ArrowLeft",) * 8 + ("ArrowRight",) * 4
SHOWN_LIMIT_MS, POINTS_LIMIT = 100.0, 2_000
MAKE_YEAR = """
    INSERT INTO reading (series_id, observed_at, value)
    SELECT s.id, t, round((0.32 + 0.03 * sin(extract(epoch FROM t) / 86400) + 0.02 * random())::numeric, 3)
    FROM generate_series(%(begin)s::timestamptz, %(end)s, %(step)s) AS t, series s JOIN device d ON d.id = s.device_id
    WHERE d.serial = %(serial)s AND s.sensor = %(sensor)s
"""
# From the key, as the browser has it, to the frame after the attribute that says so.
PRESSED = """([selector, key]) => new Promise((done) => {
    const panels = document.querySelector(selector), found = {}, told = new Set();
    const after = (name) => requestAnimationFrame(() => setTimeout(() => {
        found[name] = performance.now() - began;
        if ('shown' in found && 'settled' in found) { watcher.disconnect(); done(found); }
    }));
    const watcher = new MutationObserver((changes) => {
        for (const { attributeName } of changes) {
            const name = attributeName.slice(5);
            if (!told.has(name)) { told.add(name); after(name); }
        }
    });
    watcher.observe(panels, { attributes: true, attributeFilter: ['data-shown', 'data-settled'] });
    panels.focus();
    const began = performance.now();
    panels.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
})"""


@dataclass(slots=True)
class Measured:
    """Milliseconds of every key, and of every answer its points, bytes and milliseconds."""

    shown: list[float] = field(default_factory=list)
    settled: list[float] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    server: list[float] = field(default_factory=list)

    def take(self, answer: Response) -> None:
        """One answer with readings."""
        body = answer.body()
        values = json.loads(body)["signals"][SENSOR]["y"]
        self.points.append(sum(value is not None for value in values))
        self.sizes.append(len(body))
        timing = answer.request.timing
        self.server.append(timing["responseStart"] - timing["requestStart"])


def main() -> int:
    """Prints the figures; as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval-s", type=int, default=60, help="between two readings of the year")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="nothing but the last line")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="forewarn-charts-"))
    home.chmod(0o711)  # as root, PostgreSQL runs under another account
    try:
        with embedded_server(home) as server, server.fresh_database() as database:
            seeded = seed(database.owner_url)
            make_year(database, seeded.now, timedelta(seconds=arguments.interval_s))
            with (
                running_api(home / "service", database) as (url, _),
                running_chromium() as browser,
                open_page(browser, url) as (page, _),
            ):
                sign_in(page, "mara", PASSWORD)
                measured = measure(page, seeded.orders[0], arguments.rounds)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    figures = describe(measured)
    if not arguments.json:
        for name in ("shown", "settled", "server"):
            print(f"{name:<8} p50 {figures[name]['p50_ms']:7.1f} ms   p95 {figures[name]['p95_ms']:7.1f} ms")
        print(f"{figures['answers']} answers to {figures['keys']} keys, at most {figures['points']:,} points, "
              f"{figures['bytes']:,} bytes")  # fmt: skip
    print(json.dumps(figures))
    return 1 if figures["shown"]["p95_ms"] > SHOWN_LIMIT_MS or figures["points"] > POINTS_LIMIT else 0


def make_year(database: Database, now: datetime, step: timedelta) -> None:
    """The sensor's readings of a year up to the seeded ones, rolled up."""
    end = now - timedelta(hours=1)
    days = [(end - YEAR + timedelta(days=day)).date() for day in range(YEAR.days + 1)]
    values = {"begin": end - YEAR, "end": end, "step": step, "serial": SERIALS[0], "sensor": SENSOR}
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        conn.execute("SELECT ensure_reading_partitions(%s)", (days,))
        conn.execute(MAKE_YEAR, values)
    with open_connection(database.url, application="benchmark", autocommit=True) as conn:
        record_decided_to(conn)
        refresh_rollups(conn, now, lambda: True)
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")  # as autovacuum does while nobody looks


def measure(page: Page, order: str, rounds: int) -> Measured:
    """Every key of every round; the first ones, which load the tools, are of the first round alone."""
    measured = Measured()
    strip = "[data-panels=strip-panels]"
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer) if "/signals?" in answer.url else None)
    for _ in range(rounds):
        page.goto(f"/work-orders/{order}")
        page.locator(f"{strip} .chart[data-drawn]").wait_for()
        for key in KEYS:
            found = page.evaluate(PRESSED, [strip, key])
            measured.shown.append(found["shown"])
            measured.settled.append(found["settled"])
        for answer in answers:
            measured.take(answer)
        answers.clear()
    return measured


def describe(measured: Measured) -> dict[str, Any]:
    """Of times p50 and p95, of the rest the most."""

    def cut(times: list[float]) -> dict[str, float]:
        cuts = quantiles(times, n=20, method="inclusive")
        return {"p50_ms": round(cuts[9], 1), "p95_ms": round(cuts[18], 1)}

    times = {"shown": cut(measured.shown), "settled": cut(measured.settled), "server": cut(measured.server)}
    counts = {"keys": len(measured.shown), "answers": len(measured.points)}
    return {**times, **counts, "points": max(measured.points), "bytes": max(measured.sizes)}


if __name__ == "__main__":
    sys.exit(main())
