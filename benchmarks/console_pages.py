"""What a page of the console costs: bytes and requests in a browser, the server's time, what live changes move."""

import http.client
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

import psycopg
from playwright.sync_api import Browser, Page

from api.sign_in import COOKIE
from benchmarks.process_memory import find_named_children, load_cpu_ms
from benchmarks.query_requests import time_request

WAIT_MS = 60_000
KEYS = 12
STREAM = "/api/v1/events/"
# Both kinds of entries from the beginning; an event is told when it took 16 ms or more to the next frame.
WATCH = """
    window.moved = [];
    window.keyed = [];
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput)
            window.moved.push([one.value, one.startTime, one.sources.map((s) => s.node?.nodeName + '#' + s.node?.id)]);
    }).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (one.name === "keydown") window.keyed.push(one.duration);
    }).observe({ type: "event", durationThreshold: 16, buffered: true });
"""
# Two orders that the page shows change, and one that it does not show comes before all others.
CHANGE_SHOWN = "UPDATE work_order SET row_version = row_version + 1, priority = 'P1' WHERE code = ANY (%s)"
COME_IN = """
    UPDATE work_order SET row_version = row_version + 1, response_due_at = now() - interval '9 years'
    WHERE id = (SELECT id FROM work_order WHERE state = 'NEW' AND parent_id IS NULL AND code <> ALL (%s)
        ORDER BY id DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Of one page. Bytes are those on the wire, cold and without the stream; milliseconds are the server's."""

    bytes: int
    requests: int
    first_ms: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float  # of the API's process for one request
    loaded_ms: float  # in the browser, cold, to the event `load`
    load_shift: float  # layout shift while it loaded

    def to_json(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def open_watched(browser: Browser, port: int, cookie: str) -> Page:
    """A page of a browser that knows nothing yet but who looks."""
    url = f"http://127.0.0.1:{port}"
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    return page


def measure_page(browser: Browser, port: int, cookie: str, path: str, rounds: int) -> PageFigures:
    """The figures of that page.

    Raises
    ------
    BenchmarkFailedError
        It is not answered with 200.
    """
    first, walls, cpu_ms = _measure_server(port, cookie, path, rounds)
    page = open_watched(browser, port, cookie)
    try:
        sizes = _follow_sizes(page)
        began = time.perf_counter()
        page.goto(path, wait_until="load")
        loaded_ms = (time.perf_counter() - began) * 1e3
        if page.locator("#live").count():
            page.locator("#live[data-state=on]").wait_for()
        page.wait_for_timeout(300)  # what a page asks for itself when it is there
        moved = page.evaluate("window.moved.reduce((sum, one) => sum + one[0], 0)")
    finally:
        page.context.close()
    cuts = quantiles(walls, n=20, method="inclusive")
    return PageFigures(
        bytes=sum(sizes.values()),
        requests=len(sizes),
        first_ms=round(first, 1),
        p50_ms=round(cuts[9], 1),
        p95_ms=round(cuts[18], 1),
        cpu_ms=round(cpu_ms, 1),
        loaded_ms=round(loaded_ms, 1),
        load_shift=round(moved, 4),
    )


def _measure_server(port: int, cookie: str, path: str, rounds: int) -> tuple[float, list[float], float]:
    """The first answer, the later ones, and the processor's time for one of these; compressed, as browsers get them."""
    headers = {"Cookie": f"{COOKIE}={cookie}", "Accept-Encoding": "gzip"}
    process_id = find_named_children(os.getpid(), {})["api"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        first, _ = time_request(connection, path, headers)
        for _ in range(3):  # statements are prepared at the fifth time, on each connection of the pool
            time_request(connection, path, headers)
        before = load_cpu_ms(process_id)
        walls = [time_request(connection, path, headers)[0] for _ in range(rounds)]
        return first, walls, (load_cpu_ms(process_id) - before) / rounds
    finally:
        connection.close()


def _follow_sizes(page: Page) -> dict[str, int]:
    """By request, the bytes of its answer on the wire, head and compressed body; it grows as they arrive."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    asked: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def ask(event: Mapping[str, Any]) -> None:
        url = event["request"]["url"]
        if url.startswith("http") and STREAM not in url:
            asked[event["requestId"]] = url

    def finish(event: Mapping[str, Any]) -> None:
        if event["requestId"] in asked:
            sizes[event["requestId"]] = int(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", ask)
    session.on("Network.loadingFinished", finish)
    return sizes


def measure_live(browser: Browser, port: int, cookie: str, path: str, owner_url: str, rounds: int) -> dict[str, Any]:
    """What changes elsewhere move on a list that is open, and how long a key takes then, in milliseconds to the next
    frame (below 16 ms the browser says nothing, and 16 stands here)."""
    page = open_watched(browser, port, cookie)
    try:
        page.goto(path)
        page.locator("#live[data-state=on]").wait_for()
        page.wait_for_timeout(1_000)
        before = page.evaluate("window.moved.length")
        shown = [str(code) for code in page.locator("tr[data-row]").evaluate_all("all => all.map(r => r.dataset.row)")]
        for number in range(rounds):
            with psycopg.connect(owner_url) as conn:
                conn.execute(CHANGE_SHOWN, (shown[number : number + 2],))
                conn.execute(COME_IN, (shown,))
            page.locator("#pending button").wait_for()
            page.wait_for_timeout(500)
        told = page.locator("#pending button").inner_text()
        moved = page.evaluate(f"window.moved.slice({before})")
        keys = _press(page, lambda number: "k" if number % 2 else "j")
        return {
            "changes": rounds,
            "told": told,
            "shift": round(sum(one[0] for one in moved), 4),
            "moved": sorted({name for one in moved for name in one[2]}),
            "key_ms": max(keys, default=16.0),
        }
    finally:
        page.context.close()


def _press(page: Page, choose: Callable[[int], str]) -> list[float]:
    for number in range(KEYS):
        page.keyboard.press(choose(number))
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)
    found: list[float] = page.evaluate("window.keyed")
    return found
