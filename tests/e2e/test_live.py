"""What happens elsewhere waits behind one line, and nothing moves under a hand."""

import re
from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import Browser, Route, expect

from store.readings import ensure_partitions
from store.registry import load_registry
from tests.e2e.browser import HAND, PHONE, open_page, sign_in
from tests.e2e.seeding import PASSWORD, SERIALS, load_profile_of, raise_breach, triage
from tests.e2e.service import Service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser
STREAM = re.compile(r"/events/stream$")
ORDERS = re.compile(r"/work-orders$")  # a page that is compared with itself; the inbox is told by its stream
# Counts what the stream tells before the console's own listeners hear of it.
COUNT_EVENTS = """
    window.told = 0;
    window.EventSource = class extends EventSource {
        constructor(...all) { super(...all); this.addEventListener("work_order", () => { window.told += 1; }); }
    };
"""


def open_order(service: Service, serial: str, monitor: str) -> None:
    """A breach of that pump and the order that it leads to, committed."""
    with psycopg.connect(service.database.owner_url) as conn:
        now = datetime.now(UTC)
        raise_breach(conn, load_registry(conn), load_profile_of("infusion_pump"), serial, monitor, now)
        conn.commit()
        triage(conn, now)


def test_a_new_order_waits_until_it_is_asked_for(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        shown = page.locator("tr[data-row]").count()
        first = page.locator("tr[data-row]").first.get_attribute("data-row")
        page.check(f"#pick-{first}")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        open_order(service, SERIALS[8], "pressure_high")
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        assert asked == [], "the stream says it"
        assert page.locator("tr[data-row]").count() == shown
        page.keyboard.press(".")
        expect(page.locator("tr[data-row]")).to_have_count(shown + 1)
        expect(page.locator(f"#pick-{first}")).to_be_checked()
        expect(page.locator("#pending")).to_be_hidden()
        assert (watched.errors, watched.strangers) == ([], [])


def test_an_order_that_opens_while_the_page_is_compared_is_seen(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        page.add_init_script(COUNT_EVENTS)
        compared: list[str] = []

        def answer_late(route: Route) -> None:
            """The page as it was; its answer reaches the browser after the event of an order that is not on it."""
            if route.request.resource_type != "fetch":
                route.continue_()
                return
            compared.append(route.request.url)
            answer = route.fetch()
            if len(compared) == 1:
                open_order(service, SERIALS[7], "pressure_high")
                # Not wait_for_function: what the page itself evaluates later, its Content-Security-Policy refuses.
                wait_until(lambda: page.evaluate("window.told > 0"), what="the event of the order")
            route.fulfill(response=answer)

        sign_in(page, "mara", PASSWORD)
        page.route(ORDERS, answer_late)
        page.goto("/work-orders")
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        assert len(compared) > 1


class FailsOnce:
    """Answers the first request that it is asked about with 503 and keeps the ones after it until they are let through.

    What the page says in between stands only until it has asked again, which may be sooner than a test looks.
    """

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._kept: list[Route] = []
        self._open = False

    def take(self, route: Route) -> None:
        if not self.failed:
            self.failed.append(route.request.url)
            route.fulfill(status=503)
        elif self._open:
            route.continue_()
        else:
            self._kept.append(route)

    def let_through(self) -> None:
        self._open = True
        for route in self._kept:
            route.continue_()


def test_a_page_that_the_server_could_not_give_is_asked_for_again(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto("/work-orders")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        server = FailsOnce()
        page.route(ORDERS, server.take)
        open_order(service, SERIALS[6], "battery_health_low")
        expect(page.locator("#live")).to_have_attribute("data-state", "stale")
        assert len(server.failed) == 1
        server.let_through()
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")


def test_a_stream_that_was_refused_is_opened_later(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        server = FailsOnce()
        page.route(STREAM, server.take)
        sign_in(page, "mara", PASSWORD)
        expect(page.locator("#live")).to_have_attribute("data-state", "stale")
        assert len(server.failed) == 1
        server.let_through()
        expect(page.locator("#live")).to_have_attribute("data-state", "on")


def test_a_decision_elsewhere_is_one_change(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _), open_page(chromium, service.url) as (other, _):
        sign_in(page, "mara", PASSWORD)
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        code = page.locator("tr[data-row]").last.get_attribute("data-row")
        sign_in(other, "sven", PASSWORD)
        other.check(f"#pick-{code}")
        other.get_by_role("button", name="Accept and assign").click()
        expect(other.get_by_text("1 done.")).to_be_visible()
        expect(page.locator("#pending button")).to_have_text("1 changed · Show (.)")
        expect(page.locator(f"#row-{code}")).to_be_visible()
        page.locator("#pending button").click()
        expect(page.locator(f"#row-{code}")).to_have_count(0)


def test_pause_is_kept(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.locator("#live-pause").click()
        expect(page.locator("#live")).to_have_text("Paused")
        page.reload()
        expect(page.locator("#live")).to_have_text("Paused")


def test_device_charts_are_drawn_and_follow_new_readings(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/devices/{SERIALS[0]}?span=24h")
        expect(page.locator(".chart[data-drawn]")).to_have_count(8)
        latest = page.locator("[data-signal=pressure] [data-latest]")
        before = latest.inner_text()
        with psycopg.connect(service.database.owner_url) as conn:
            series = load_registry(conn).devices[SERIALS[0]].series["pressure"]
            now = datetime.now(UTC)
            ensure_partitions(conn, {now.date()})  # it may be the first of its day
            conn.execute("INSERT INTO reading (series_id, observed_at, value) VALUES (%s, %s, 12.34)", (series, now))
        expect(latest).to_have_text("12.34 kPa")
        assert before != "12.34 kPa"
        assert (watched.errors, watched.strangers) == ([], [])


@pytest.mark.parametrize(("language", "said"), [("en", "Stale since"), ("zh", "未更新")])
def test_that_a_phone_hears_nothing_is_read_whole_and_moves_nothing(
    chromium: Browser, service: Service, language: str, said: str
) -> None:
    with open_page(chromium, service.url, viewport=HAND, language=language) as (page, _):
        sign_in(page, "mara", PASSWORD)
        for view in (HAND, PHONE):
            page.set_viewport_size(view)
            page.unroute(STREAM)
            page.goto("/work-orders")
            live, menu = page.locator("#live"), page.locator(".top > .menu.last > summary")
            expect(live).to_have_attribute("data-state", "on")
            stood = menu.bounding_box()
            page.route(STREAM, lambda route: route.abort())
            page.evaluate("document.getElementById('live-pause').click()")
            page.evaluate("document.getElementById('live-pause').click()")
            expect(live).to_have_attribute("data-state", "stale")
            expect(live).to_contain_text(said)
            assert menu.bounding_box() == stood
            box, width = live.bounding_box(), view["width"]
            assert box is not None
            assert stood is not None
            assert box["x"] + box["width"] <= stood["x"]
            assert stood["x"] + stood["width"] <= width
            assert live.evaluate("e => e.scrollWidth <= e.clientWidth && e.clientHeight <= 36")


def test_an_undo_where_nothing_is_left_to_decide_counts_what_the_page_filters(
    chromium: Browser, service: Service
) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto("/inbox?customer=C-RUIJIN")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        codes = page.locator("tr[data-row]").evaluate_all("rows => rows.map(row => row.dataset.row)")
        assert len(codes) > 1
        page.keyboard.press("1")
        expect(page.locator("#inbox-count")).to_have_text(f"{len(codes) - 1} to decide")
        other = page.context.new_page()
        other.goto("/inbox?customer=C-RUIJIN")
        for left in range(len(codes) - 2, -1, -1):
            other.keyboard.press("3")
            expect(other.locator("#inbox-count")).to_have_text(f"{left} to decide")
        other.close()
        expect(page.locator("#pending button")).to_be_visible()
        page.keyboard.press(".")
        expect(page.get_by_text("Nothing matches these filters.")).to_be_visible()
        page.locator("#inbox-undo").click()
        expect(page.locator("#inbox-said")).to_contain_text(f"{codes[0]} is taken back")
        # Those of other customers are not counted here.
        expect(page.locator("#inbox-count")).to_have_text("0 to decide")
        assert watched.strangers == []
