"""Every page, in both languages and themes: no barrier, no error, no request elsewhere, nothing half translated."""

import gzip
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.e2e.browser import DESKTOP, PHONE, SMALL_DESK, open_page, press_in_a_row, sign_in, wait_for_parts
from tests.e2e.configuration_seeding import CALENDAR, POLICY
from tests.e2e.seeding import NEVER_SEEN, PASSWORD, SERIALS
from tests.e2e.service import Service
from tests.e2e.webhook_seeding import seed_webhooks
from tests.e2e.wording import find_foreign

Theme: TypeAlias = Literal["light", "dark"]

pytestmark = pytest.mark.browser
AXE = Path(__file__).parent / "vendor" / "axe-4.14.1.min.js"
# Without what is in order: half a megabyte for each page.
FIND_BARRIERS = """async ([judged, rules]) => {
    const options = { runOnly: judged, rules, resultTypes: ['violations'] };
    return (await axe.run(document, options)).violations;
}"""
ALL = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# All that another theme changes.
OF_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
FIND_SMALL = """() => [...document.querySelectorAll('button, select, input, .button, .nav a')]
    .filter((item) => !['hidden', 'checkbox'].includes(item.type) && item.checkVisibility())
    .filter((item) => item.getBoundingClientRect().height < 24)
    .map((item) => item.outerHTML.slice(0, 100))"""
# Tables that are not seen whole.
FIND_CUT = """() => [...document.querySelectorAll('.scroll')]
    .filter((region) => region.checkVisibility() && region.scrollWidth > region.clientWidth + 1)
    .map((region) => region.ariaLabel)"""
VARIANTS: list[tuple[str, Theme]] = [("en", "light"), ("zh", "dark")]
OTHER: dict[Theme, Theme] = {"light": "dark", "dark": "light"}


def name_pages(service: Service) -> list[str]:
    return [
        "/inbox",
        "/inbox?priority=P1",
        "/work-orders",
        f"/work-orders/{service.seeded.orders[0]}",
        "/capa",
        f"/capa/{service.seeded.capas[0]}",
        "/devices",
        f"/devices/{SERIALS[0]}?span=1h",
        f"/devices/{NEVER_SEEN}",
        "/customers",
        "/customers/C-RUIJIN",
        "/fleet",
        "/kpis",
        "/kpis/tickets_per_1000_device_days",
        f"/devices/{SERIALS[0]}/life",
        "/data-quality",
        "/monitors",
        service.seeded.monitor,
        "/lab",
        service.seeded.lab,
        "/work-orders/WO-1999-000001",
        "/password",
        "/account",
        "/account/views",
    ]


# For who administers, and for who writes what the service promises.
ADMIN_PAGES = (
    "/admin/users",
    "/admin/users/mara",
    "/admin/roles",
    "/admin/tokens",
    "/admin/settings",
    "/admin/retention",
    "/admin/profiles/INF-200",
)
CONFIGURATION_PAGES = (f"/admin/sla/{POLICY}", "/admin/calendars", f"/admin/calendars/{CALENDAR}")


def find_barriers(page: Page, theme: Theme = "light", *, colours: bool = True) -> list[str]:
    """What axe finds on the page that is open in that theme, and what it finds in the colours of the other one.

    Without `colours`, which take half of the work, all that is not about them.
    """
    page.evaluate(AXE.read_text("utf-8"))
    if not colours:
        return judge(page, ALL, without=OF_COLOURS["values"])
    found = judge(page, ALL)
    page.emulate_media(color_scheme=OTHER[theme])
    found += [f"{OTHER[theme]}: {barrier}" for barrier in judge(page, OF_COLOURS)]
    page.emulate_media(color_scheme=theme)
    return found


def judge(page: Page, rules: dict[str, Any], *, without: Sequence[str] = ()) -> list[str]:
    """What breaks these rules of axe, which the page has loaded: each with its place."""
    left_out = {rule: {"enabled": False} for rule in without}
    violations: list[dict[str, Any]] = page.evaluate(FIND_BARRIERS, [rules, left_out])
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in violations
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize(("language", "theme"), VARIANTS)
def test_no_barrier_no_error_no_stranger_nothing_half_translated(
    chromium: Browser, service: Service, language: str, theme: Theme
) -> None:
    # Both themes are looked at in English: no style of a language has a colour or a size of letters, a test says so.
    colours = language == "en"
    cut: dict[str, list[str]] = {}
    with open_page(chromium, service.url, viewport=SMALL_DESK, language=language, theme=theme) as (page, watched):
        page.goto("/sign-in")
        barriers = [f"/sign-in {barrier}" for barrier in find_barriers(page, theme, colours=colours)]
        foreign = find_foreign(page, language)
        sign_in(page, "mara", PASSWORD)
        for address in name_pages(service):
            page.goto(address)
            wait_for_parts(page)
            if found := page.evaluate(FIND_CUT):
                cut[address] = found
            foreign += find_foreign(page, language)
            barriers += [f"{address} {barrier}" for barrier in find_barriers(page, theme, colours=colours)]
        page.goto(f"/work-orders/{service.seeded.orders[0]}")
        page.evaluate("document.querySelectorAll('main details:not(.menu)').forEach((it) => { it.open = true; })")
        wait_for_parts(page)
        barriers += [f"open forms {barrier}" for barrier in find_barriers(page, theme, colours=colours)]
        assert barriers == []
        assert foreign == []
        assert cut == {}
        assert watched.errors == []
        assert watched.strangers == []


def test_firmware_is_a_history_and_a_mark_on_every_chart_and_attributes_are_shown(
    chromium: Browser, service: Service
) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/devices/{SERIALS[0]}?span=1h")
        firmware = page.locator("section[aria-labelledby=fw-title]")
        assert "motor: 7.0 → 7.1" in firmware.inner_text()
        assert "main: 2.4.1 → 2.5.0 failed the signature does not match" in firmware.inner_text()
        attributes = page.locator("section[aria-labelledby=attributes-title]").inner_text()
        assert "ICU 2" in attributes
        assert '[1, {"nested": true}]' in attributes
        signals = page.evaluate("JSON.parse(document.getElementById('signals-data').textContent).signals")
        assert {mark["label"] for signal in signals.values() for mark in signal["marks"]} == {"motor 7.1"}
        assert all(signal["marks"] for signal in signals.values())
        page.goto(f"/work-orders/{service.seeded.orders[0]}")
        marks = page.evaluate(
            "[...document.querySelectorAll('[data-panels=evidence-panels] [data-chart]')].flatMap("
            "(it) => JSON.parse(document.getElementById(it.dataset.chart).textContent).marks)"
        )
        assert [mark["label"] for mark in marks] == ["motor 7.1"]


def test_audit_has_no_barrier(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url, language="zh") as (page, watched):
        sign_in(page, "aya", PASSWORD)
        page.goto("/audit")
        assert page.locator("tr[data-row]").count() > 5
        assert find_foreign(page, "zh") == []
        assert find_barriers(page) == []
        assert (watched.errors, watched.strangers) == ([], [])


def test_pages_of_administration_have_no_barrier_and_fit_a_phone(chromium: Browser, service: Service) -> None:
    webhooks = seed_webhooks(service.database.owner_url, service.seeded.now).values()
    people = (("ada", (*ADMIN_PAGES, *webhooks)), ("mara", CONFIGURATION_PAGES))
    for (language, theme), (who, addresses) in product(VARIANTS, people):
        with open_page(chromium, service.url, viewport=PHONE, language=language, theme=theme) as (page, watched):
            sign_in(page, who, PASSWORD)
            for address in addresses:
                page.goto(address)
                for summary in page.locator("main details > summary").all():
                    summary.click()
                assert find_barriers(page, theme, colours=language == "en") == [], address
                assert find_foreign(page, language) == []
                assert int(page.evaluate("document.documentElement.scrollWidth")) <= PHONE["width"], address
                assert page.evaluate(FIND_SMALL) == [], address
            page.set_viewport_size(SMALL_DESK)
            page.goto("/admin/roles" if who == "ada" else addresses[0])
            assert page.evaluate(FIND_CUT) == []
            assert (watched.errors, watched.strangers) == ([], [])


def test_every_page_fits_320_pixels_and_its_targets_are_large_enough_to_touch(
    chromium: Browser, service: Service
) -> None:
    """Nothing scrolls sideways; WCAG 2.5.8: 24 by 24 pixels, text links in a sentence excepted."""
    wide: dict[str, int] = {}
    small: dict[str, list[str]] = {}
    with open_page(chromium, service.url, viewport=PHONE) as (page, _):
        sign_in(page, "mara", PASSWORD)
        for address in name_pages(service):
            page.goto(address)
            wait_for_parts(page)
            width = int(page.evaluate("document.documentElement.scrollWidth"))
            if width > PHONE["width"]:
                wide[address] = width
            found: list[str] = page.evaluate(FIND_SMALL)
            if found:
                small[address] = found
    assert wide == {}
    assert small == {}


def test_empty_inbox_proves_itself(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto("/inbox?priority=P1")
        assert "Nothing matches these filters." in page.locator(".empty").inner_text()
        page.goto("/inbox?priority=P9")
        # An old address with a value that is not offered is no error: the whole list is shown.
        assert page.locator("tr[data-row]").count() == len(service.seeded.orders)
        page.goto("/work-orders?state=CLOSED")
        text = page.locator(".empty").inner_text()
        assert "No work order matches these filters." in text
        assert "9 of 10 devices reporting" in text


@pytest.mark.parametrize(("address", "budget"), [("/work-orders", 60_000), ("order", 110_000)])
def test_pages_keep_their_budget(chromium: Browser, service: Service, address: str, budget: int) -> None:
    """Cold: at most that many bytes over the wire before the stream, were they compressed; at most 6 requests."""
    with open_page(chromium, service.url, viewport=DESKTOP) as (page, _):
        sign_in(page, "mara", PASSWORD)
        if address == "order":
            address = f"/work-orders/{service.seeded.orders[0]}"
        loaded: list[str] = []
        page.on("response", lambda answer: loaded.append(answer.url) if "/events/" not in answer.url else None)
        page.goto(address)
        # What is asked again later, to see whether something changed, is the same page.
        urls = sorted(set(loaded))
        sizes = {url: len(gzip.compress(page.request.get(url).body())) for url in urls}
        assert sum(sizes.values()) <= budget, sizes
        assert len(sizes) <= 6, urls


def test_a_cause_is_replayed_after_a_question_and_says_what_becomes_of_it(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "dina", PASSWORD)
        page.goto("/data-quality")
        assert find_barriers(page) == []
        asked: list[str] = []

        def decline(dialog: Dialog) -> None:
            asked.append(dialog.message)
            dialog.dismiss()

        page.once("dialog", decline)
        replay = page.get_by_role("button", name="Replay: Unknown serial")
        replay.click()
        assert "Unknown serial" in asked[0]
        assert page.get_by_text("will be decoded again").count() == 0
        page.once("dialog", lambda dialog: dialog.accept())
        replay.click()
        page.get_by_text("1 will be decoded again within seconds.").wait_for()
        page.reload()
        page.get_by_text("Replay requested").wait_for()
        assert not watched.errors


def test_a_manager_finds_whom_to_call_and_why_and_what_the_figures_rest_on(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        press_in_a_row(page, "g", "p")
        page.wait_for_url("**/customers")
        first = page.locator("tr[data-row]").first
        assert "nobody could be reached" in first.inner_text()
        assert "vogt@lindental.example" in first.inner_text()
        page.keyboard.press("Enter")
        page.wait_for_url("**/customers/C-LINDENTAL")
        assert "CMP-2026-000001" in page.locator("section[aria-labelledby=complaints-title]").inner_text()
        page.locator("section[aria-labelledby=why-title] a[href^='/devices/']").first.click()
        page.wait_for_url("**/devices/INF-74822")
        page.locator("#life-title").scroll_into_view_if_needed()
        expect(page.locator("#life-dates")).to_be_visible()
        assert "Recall: customers being notified" in page.locator("section[aria-labelledby=life-items]").inner_text()
        page.goto("/kpis")
        expect(page.locator("#trend-tickets_per_1000_device_days svg rect").first).to_be_attached()
        page.locator("#kpi-tickets_per_1000_device_days summary").click()
        assert "Orders that the machine opened" in page.locator("#kpi-tickets_per_1000_device_days").inner_text()
        page.locator("#trend-tickets_per_1000_device_days a").click()
        page.wait_for_url("**/kpis/tickets_per_1000_device_days**")
        assert "INF-200" in page.locator("section[aria-labelledby=groups-title]").inner_text()
        assert watched.errors == []
        assert watched.strangers == []
