"""Pages of quality with a record of each kind: no barrier, nothing sideways on a phone, within the size."""

import gzip

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import PHONE, open_page, sign_in
from tests.e2e.quality_seeding import seed_quality
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import FIND_SMALL, find_barriers

pytestmark = pytest.mark.browser
OPEN_ALL = "document.querySelectorAll('main details').forEach((item) => { item.open = true; })"
LISTS = ("/capa", "/approvals", "/field-actions", "/firmware", "/complaints", "/plans")


def test_pages_of_quality_hold_what_every_page_holds(chromium: Browser, service: Service) -> None:
    addresses = (*LISTS, *seed_quality(service.database.owner_url, service.seeded.now).values())
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        barriers: list[str] = []
        for address in addresses:
            page.goto(address)
            page.evaluate(OPEN_ALL)
            barriers += [f"{address} {barrier}" for barrier in find_barriers(page)]
            size = len(gzip.compress(page.request.get(address).body()))
            assert size <= 60_000, f"{address}: {size} bytes"
        assert barriers == []
        assert (watched.errors, watched.strangers) == ([], [])
    with open_page(chromium, service.url, viewport=PHONE, language="zh", theme="dark") as (page, watched):
        sign_in(page, "mara", PASSWORD)
        wide, small = [], {}
        for address in addresses:
            page.goto(address)
            page.evaluate(OPEN_ALL)
            if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
                wide.append(address)
            if found := page.evaluate(FIND_SMALL):
                small[address] = found
        assert (wide, small) == ([], {})
        assert watched.errors == []
