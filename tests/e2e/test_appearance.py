"""What a person sees and touches, whatever the page: codes, dates and figures in one piece, targets of a size."""

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.e2e.browser import HAND, PHONE, SMALL_DESK, open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service

pytestmark = pytest.mark.browser
# Keys of rights, dates and codes of records that stand on more than one line. A hash may: no line has room for it.
FIND_BROKEN = r"""() => {
    const WORDS = /[a-z_]+\.[a-z_]+|\d{4}-\d\d-\d\d|[A-Z]{2,4}-\d+(?:-\d+)?|\d[\d.]* (?:kPa|A)\b/g;
    const found = [], range = document.createRange();
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode()); ) {
        const place = text.parentElement;
        if (!place.checkVisibility({ visibilityProperty: true }) || place.closest('.sr, .summary, script')) continue;
        for (const word of text.data.matchAll(WORDS)) {
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const lines = [...range.getClientRects()].filter((box) => box.width > 0).map((box) => Math.round(box.top));
            if (new Set(lines).size > 1) found.push(`${word[0]} in ${place.className || place.tagName}`);
        }
    }
    return found;
}"""
FIND_LOW = """(least) => [...document.querySelectorAll('button, select, summary, .button')]
    .filter((item) => item.checkVisibility({ visibilityProperty: true }) && !item.closest('.sr'))
    .map((item) => [Math.round(item.getBoundingClientRect().height), item.textContent.trim().slice(0, 40)])
    .filter(([height]) => height < least)"""


def name_pages(service: Service) -> dict[str, list[str]]:
    """By who may open them."""
    lists = ["/inbox", "/work-orders", "/devices", "/approvals", "/kpis", "/data-quality"]
    records = [f"/work-orders/{service.seeded.orders[0]}", f"/capa/{service.seeded.capas[0]}", service.seeded.monitor]
    return {"mara": [*lists, *records], "ada": ["/admin/roles", "/admin/settings", "/admin/users"]}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_key_no_date_no_code_and_no_figure_is_broken_on_a_phone(
    chromium: Browser, service: Service, language: str
) -> None:
    broken: dict[str, list[str]] = {}
    for who, addresses in name_pages(service).items():
        with open_page(chromium, service.url, viewport=PHONE, language=language) as (page, _):
            sign_in(page, who, PASSWORD)
            for address in addresses:
                page.goto(address)
                if found := page.evaluate(FIND_BROKEN):
                    broken[address] = found
    assert broken == {}


@pytest.mark.parametrize(("view", "least"), [(SMALL_DESK, 24), (HAND, 46)], ids=["desk", "phone"])
def test_what_opens_or_does_something_is_as_high_as_a_pointer_or_a_finger_needs(
    chromium: Browser, service: Service, view: ViewportSize, least: int
) -> None:
    low: dict[str, list[list[object]]] = {}
    for who, addresses in name_pages(service).items():
        with open_page(chromium, service.url, viewport=view) as (page, _):
            sign_in(page, who, PASSWORD)
            for address in addresses:
                page.goto(address)
                if found := page.evaluate(FIND_LOW, least):
                    low[address] = found
    assert low == {}


def test_what_a_role_may_do_is_read_on_a_phone_without_a_second_scroll(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url, viewport=PHONE) as (page, _):
        sign_in(page, "ada", PASSWORD)
        page.goto("/admin/roles")
        row = page.get_by_role("row").filter(has_text="vigilance.decide")
        assert [cell.get_attribute("data-label") for cell in row.get_by_role("cell").all() if cell.is_visible()] == [
            "quality approver"
        ]
        region = page.locator(".matrix")
        assert region.evaluate("(it) => it.scrollWidth <= it.clientWidth")
