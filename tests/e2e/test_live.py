"""What happens elsewhere waits behind one line, and nothing moves under a hand."""

from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from store.registry import load_registry
from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD, SERIALS, load_profile_of, raise_breach, triage
from tests.e2e.service import Service

pytestmark = pytest.mark.browser


def test_a_new_order_waits_until_it_is_asked_for(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        shown = page.locator("tr[data-row]").count()
        first = page.locator("tr[data-row]").first.get_attribute("data-row")
        page.check(f"#pick-{first}")
        with psycopg.connect(service.database.owner_url) as conn:
            now = datetime.now(UTC)
            raise_breach(conn, load_registry(conn), load_profile_of("infusion_pump"), SERIALS[8], "pressure_high", now)
            conn.commit()
            triage(conn, now)
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        assert page.locator("tr[data-row]").count() == shown
        page.keyboard.press(".")
        expect(page.locator("tr[data-row]")).to_have_count(shown + 1)
        expect(page.locator(f"#pick-{first}")).to_be_checked()
        expect(page.locator("#pending")).to_be_hidden()
        assert (watched.errors, watched.strangers) == ([], [])


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
            conn.execute("INSERT INTO reading (series_id, observed_at, value) VALUES (%s, now(), 12.34)", (series,))
        expect(latest).to_have_text("12.34 kPa")
        assert before != "12.34 kPa"
        assert (watched.errors, watched.strangers) == ([], [])
