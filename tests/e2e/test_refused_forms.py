"""Whoever sends a form that is refused stands in the first field that is wrong, with its reason in sight."""

import pytest
from playwright.sync_api import Browser, Page, expect

from api.sign_in import COOKIE
from tests.e2e.browser import PHONE, open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers

pytestmark = pytest.mark.browser
# What the browser finds wrong by itself is not sent; here the server is to find it.
LET_ALL_THROUGH = "document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })"


def expect_to_stand_in(page: Page, name: str, reason: str) -> None:
    """That field has the focus, is read out with its reason, and both are in sight."""
    focused = page.locator(f"main [name={name}]:focus")
    expect(focused).to_have_attribute("aria-invalid", "true")
    expect(focused).to_be_in_viewport(ratio=1)
    expect(focused).to_have_accessible_description(reason)
    expect(page.get_by_text(reason, exact=True).first).to_be_in_viewport(ratio=1)


def test_a_reader_lands_in_the_first_wrong_field(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url, viewport=PHONE) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto("/complaints")
        page.locator("#act-cmp_enter summary").click()
        page.evaluate(LET_ALL_THROUGH)
        page.get_by_label("Serial", exact=True).fill("NOBODY-1")
        page.locator("#act-cmp_enter .primary").click()
        expect_to_stand_in(page, "details", "Is missing.")
        expect(page.get_by_label("Serial", exact=True)).to_have_accessible_description(
            "There is no device of this serial that you may see."
        )
        assert page.evaluate("scrollY") > 0  # it is far below the sentence that stands at the top
        assert find_barriers(page) == []
        assert watched.errors == []
        cookies = [one for one in page.context.cookies() if one["name"] == COOKIE]
    context = chromium.new_context(base_url=service.url, viewport=PHONE, java_script_enabled=False)
    try:
        context.add_cookies([{"name": COOKIE, "value": cookies[0]["value"], "url": service.url}])
        page = context.new_page()
        page.goto("/complaints")
        page.locator("#act-cmp_enter summary").click()
        page.get_by_label("Serial", exact=True).fill("NOBODY-1")
        page.locator("#act-cmp_enter [name=details]").fill("The alarm did not sound")
        page.locator("#act-cmp_enter .primary").click()
        expect_to_stand_in(page, "serial", "There is no device of this serial that you may see.")
    finally:
        context.close()


def test_what_does_not_fit_into_a_field_is_said(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto("/complaints")
        page.locator("#act-cmp_enter summary").click()
        details = page.locator("#act-cmp_enter [name=details]")
        full = page.get_by_role("status").filter(has_text="Full: nothing beyond character 10,000 is taken.")
        details.focus()
        page.keyboard.insert_text("x" * 9_999)
        expect(details).to_have_value("x" * 9_999)
        expect(full).to_have_count(0)
        page.keyboard.insert_text("yz")
        expect(details).to_have_value("x" * 9_999 + "y")
        expect(full).to_be_visible()
        page.keyboard.press("Backspace")
        expect(full).to_have_count(0)
        assert watched.errors == []


def test_a_form_that_leads_to_a_place_of_its_page_does_so_too(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url, viewport=PHONE, language="zh") as (page, watched):
        sign_in(page, "ada", PASSWORD)
        page.goto("/admin/retention")
        page.locator("#act-retention_ask summary").click()
        page.get_by_label("天数").fill("7")
        page.locator("#act-retention_ask [name=reason]").fill(" ")
        page.locator("#act-retention_ask .primary").click()
        expect_to_stand_in(page, "reason", "缺失。")
        assert find_barriers(page) == []
        assert watched.errors == []
