"""Pages of quality with a record of each kind: no barrier, nothing sideways on a phone, within the size."""

import gzip

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import PHONE, SMALL_DESK, open_page, sign_in, wait_for_parts
from tests.e2e.draft_seeding import seed_drafts
from tests.e2e.quality_seeding import seed_quality
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import FIND_CUT, FIND_SMALL, find_barriers
from tests.e2e.wording import find_foreign

pytestmark = pytest.mark.browser
OPEN_ALL = "document.querySelectorAll('main details').forEach((item) => { item.open = true; })"
LISTS = ("/capa", "/approvals", "/models", "/field-actions", "/firmware", "/complaints", "/plans")


def test_pages_of_quality_hold_what_every_page_holds(chromium: Browser, service: Service) -> None:
    quality = seed_quality(service.database.owner_url, service.seeded.now)
    drafts = seed_drafts(service.database.owner_url, service.seeded.now)
    addresses = (*LISTS, *quality.values(), *drafts.values())
    cut: dict[str, list[str]] = {}
    with open_page(chromium, service.url, viewport=SMALL_DESK) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        barriers: list[str] = []
        foreign: list[str] = []
        for address in addresses:
            page.goto(address)
            if found := page.evaluate(FIND_CUT):
                cut[address] = found
            page.evaluate(OPEN_ALL)
            wait_for_parts(page)
            barriers += [f"{address} {barrier}" for barrier in find_barriers(page)]
            foreign += find_foreign(page, "en")
            size = len(gzip.compress(page.request.get(address).body()))
            assert size <= 60_000, f"{address}: {size} bytes"
        assert barriers == []
        assert foreign == []
        assert cut == {}
        assert (watched.errors, watched.strangers) == ([], [])
    with open_page(chromium, service.url, viewport=PHONE, language="zh", theme="dark") as (page, watched):
        sign_in(page, "mara", PASSWORD)
        wide, small, foreign = [], {}, []
        for address in addresses:
            page.goto(address)
            page.evaluate(OPEN_ALL)
            wait_for_parts(page)
            foreign += find_foreign(page, "zh")
            if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
                wide.append(address)
            if found := page.evaluate(FIND_SMALL):
                small[address] = found
        assert (wide, small) == ([], {})
        assert foreign == []
        assert watched.errors == []
    with open_page(chromium, service.url, viewport=PHONE) as (page, watched):
        sign_in(page, "quinn", PASSWORD)
        page.goto(drafts["field-action-draft"])
        scope = page.locator("#act-fa_scope")
        scope.get_by_label("Lots").fill("L2402")
        scope.get_by_role("button", name="Look first, freeze nothing").click()
        expect(page.get_by_role("heading", name="This scope finds")).to_be_visible()
        expect(scope.get_by_label("Lots")).to_have_value("L2402")
        page.evaluate(OPEN_ALL)
        assert find_barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert watched.errors == []
