"""A year of one signal by keyboard: in so many points, without a jump, and what is shown as table, picture and file."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD, SERIALS
from tests.e2e.service import Service

pytestmark = pytest.mark.browser
YEAR_S = 365 * 86_400
# A day of each of some months, by the minute: a year with gaps, quickly made.
MAKE_DAYS = """
    INSERT INTO reading (series_id, observed_at, value)
    SELECT s.id, t, 0.32 + CASE WHEN t = day + interval '5 hours' THEN 0.4 ELSE 0 END
    FROM unnest(%(days)s::timestamptz[]) AS day,
        generate_series(day, day + interval '23 hours', interval '1 minute') AS t,
        series s JOIN device d ON d.id = s.device_id
    WHERE d.serial = %(serial)s AND s.sensor = 'motor_current'
"""
EXPORTS = "SELECT count(*) FROM export_log WHERE list = 'readings'"


def make_year(service: Service) -> None:
    days = [
        service.seeded.now.replace(hour=0, minute=0, second=0) - timedelta(days=ago) for ago in (350, 250, 170, 90, 40)
    ]
    with psycopg.connect(service.database.owner_url) as conn:
        conn.execute("SELECT ensure_reading_partitions(%s::date[])", ([day.date() for day in days],))
        conn.execute(MAKE_DAYS, {"days": days, "serial": SERIALS[0]})


def count_exports(service: Service) -> int:
    with psycopg.connect(service.database.owner_url) as conn:
        ((count,),) = conn.execute(EXPORTS).fetchall()
    return int(count)


def find_width(panels: Locator) -> float:
    """Seconds of the window that was settled last."""
    begin, end = (panels.get_attribute("data-settled") or "").split("-")
    return float(end) - float(begin)


def press(page: Page, panels: Locator, key: str) -> None:
    """One key, and all that follows from it."""
    before = panels.get_attribute("data-settled") or ""
    page.keyboard.press(key)
    expect(panels).not_to_have_attribute("data-settled", before)
    expect(panels).not_to_have_attribute("aria-busy", "true")


def test_a_year_by_keyboard(chromium: Browser, service: Service) -> None:
    make_year(service)
    asked: list[dict[str, list[str]]] = []
    seen: list[tuple[str | None, str | None]] = []
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{service.seeded.orders[0]}")
        strip = page.locator("[data-panels=strip-panels]")
        chart = strip.locator(".chart[data-drawn]")
        expect(chart).to_have_count(1)

        def take(route: Route) -> None:
            # The old picture is there while the new one is under way.
            asked.append(parse_qs(urlsplit(route.request.url).query))
            seen.append((chart.get_attribute("data-drawn"), strip.get_attribute("aria-busy")))
            answer = route.fetch()
            values = json.loads(answer.body())["signals"]["motor_current"]["y"]
            assert 0 < len([value for value in values if value is not None]) <= 2_000
            route.fulfill(response=answer)

        page.route("**/signals?**", take)
        strip.focus()
        low, high = (float(end) for end in (chart.get_attribute("data-height") or "").split())
        keys = 0
        while find_width(strip) < YEAR_S:
            press(page, strip, "-")
            keys += 1
        assert 4 <= keys <= 5
        assert len(asked) <= keys
        assert all(int(query["points"][0]) <= 2_000 for query in asked)
        assert all(drawn not in (None, "0") and busy == "true" for drawn, busy in seen)
        year_low, year_high = (float(end) for end in (chart.get_attribute("data-height") or "").split())
        assert year_low <= low
        assert year_high >= high
        # In again: the level is finer, the height the same. What is not so much narrower comes from what is there.
        press(page, strip, "+")
        press(page, strip, "ArrowLeft")
        assert [float(end) for end in (chart.get_attribute("data-height") or "").split()] == [year_low, year_high]
        check_what_is_taken_away(page, service, strip)
        # Back to what the page came with, as high as it was.
        count = len(asked)
        press(page, strip, "0")
        assert [float(end) for end in (chart.get_attribute("data-height") or "").split()] == [low, high]
        assert len(asked) == count

        evidence = page.locator("[data-panels=evidence-panels]")
        frozen = evidence.locator(".chart[data-drawn]")
        height = frozen.get_attribute("data-height")
        evidence.focus()
        press(page, evidence, "+")
        press(page, evidence, "ArrowRight")
        assert frozen.get_attribute("data-height") == height
        assert len(asked) == count, "what is frozen is never fetched"
        assert watched.errors == []
        assert watched.strangers == []


def check_what_is_taken_away(page: Page, service: Service, strip: Locator) -> None:
    """The table, the file and the picture are of the window that is shown."""
    strip.get_by_text("As a table").click()
    rows = strip.locator("[data-table] tbody tr")
    expect(strip.locator("[data-table-says]")).to_contain_text("newest first")
    assert 0 < rows.count() <= 200
    csv = strip.locator("a[data-csv]")
    query = parse_qs(urlsplit(csv.get_attribute("href") or "").query)
    settled = (strip.get_attribute("data-settled") or "").split("-")
    shown: list[str] = page.evaluate("ends => ends.map((end) => new Date(end * 1000).toISOString())", settled)
    assert [query["from"][0], query["to"][0]] == shown
    before = count_exports(service)
    with page.expect_download() as file:
        csv.click()
    assert file.value.path().read_text("utf-8").startswith("observed_at,min,max,mean,count,flags")
    assert count_exports(service) == before + 1
    with page.expect_download() as picture:
        strip.locator("[data-picture]").click()
    assert picture.value.suggested_filename.startswith(f"{SERIALS[0]}_motor_current_")
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


def test_a_window_that_does_not_come_leaves_the_picture_and_says_so(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/devices/{SERIALS[0]}?span=15m")
        panels = page.locator("#signals")
        expect(panels.locator(".chart[data-drawn]")).to_have_count(8)
        asked: list[str] = []

        def refuse(route: Route) -> None:
            asked.append(route.request.url)
            route.abort()

        page.route(lambda url: "from=" in url and "/signals" in url, refuse)
        panels.focus()
        page.keyboard.press("-")
        expect(panels.locator("[data-panels-stale]")).to_be_visible()
        assert len(asked) == 1
        assert panels.locator(".chart[data-drawn]").count() == 8
        page.unroute_all()
        press(page, panels, "-")
        expect(panels.locator("[data-panels-stale]")).to_be_hidden()
        # Back: the newest quarter of an hour again, and followed.
        panels.get_by_role("button", name="Back to the first view").click()
        with page.expect_response("**/signals?span=15m"):
            pass
