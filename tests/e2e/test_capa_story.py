"""A proposal of the machine, its figures, and a person's decision."""

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service

pytestmark = pytest.mark.browser


def test_proposal_is_opened_with_its_justification(chromium: Browser, service: Service) -> None:
    code = service.seeded.capas[0]
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.get_by_role("link", name=code).click()
        expect(page.get_by_text("Proposed by machine; nothing decided.")).to_be_visible()
        expect(page.get_by_text("firmware 2.4.1: 5 cases")).to_be_visible()
        figures = page.locator("section[aria-labelledby=cohort-title] table").first.locator("tbody tr")
        expect(figures).to_contain_text("INF-200, firmware 2.4.1")
        expect(figures).to_contain_text("< 0.0001")
        expect(page.locator("section[aria-labelledby=members-title] tbody tr")).to_have_count(5)
        page.locator("#act-capa_open > summary").click()
        page.fill("#act-capa_open-reason", "Five of five pumps on 2.4.1")
        page.locator("#act-capa_open button[type=submit]").click()
        expect(page.locator(".state").first).to_have_text("Open")
        expect(page.get_by_text("Opened by mara: Five of five pumps on 2.4.1")).to_be_visible()
        expect(page.get_by_text("No step is offered in this state.")).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])


def test_who_may_not_decide_is_told_so(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "sven", PASSWORD)
        page.goto(f"/capa/{service.seeded.capas[0]}")
        expect(page.get_by_role("heading", level=1)).to_have_text(service.seeded.capas[0])
        expect(page.locator("#act-capa_open")).to_have_count(0)
