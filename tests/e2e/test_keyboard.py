"""The inbox without a mouse; and without single keys for whoever switched them off."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import open_page, press_in_a_row, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers

pytestmark = pytest.mark.browser


def find_cursor(page: Page) -> str | None:
    return page.locator("tr[data-cursor]").get_attribute("data-row")


def find_focus(page: Page) -> str:
    identifier: str = page.evaluate("document.activeElement.id")
    return identifier


def test_j_k_x_enter_and_1(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        codes = page.locator("tr[data-row]").evaluate_all("rows => rows.map(row => row.dataset.row)")
        assert find_cursor(page) == codes[0]
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert find_cursor(page) == codes[1]
        page.keyboard.press("x")
        expect(page.locator(f"#pick-{codes[1]}")).to_be_checked()
        expect(page.locator("#selected-count")).to_have_text("1 selected")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(codes[1])
        page.go_back()
        page.keyboard.press("1")
        expect(page.get_by_text("1 done.")).to_be_visible()
        assert watched.errors == []


def test_space_previews_and_z_takes_back_what_was_decided(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto("/inbox?group=firmware")
        page.keyboard.press("j")
        code = find_cursor(page)
        page.keyboard.press("Space")
        expect(page.locator(".preview-body")).to_contain_text("Calibration due")
        assert find_barriers(page) == []
        page.keyboard.press("Space")
        expect(page.locator(".preview-body")).to_have_count(0)
        row = page.locator(f"#row-{code}")
        place = row.bounding_box()
        page.keyboard.press("x")
        page.keyboard.press("1")
        decided = page.locator(f"tr[data-handled={code}]")
        expect(decided).to_contain_text("accepted, assigned to")
        assert decided.bounding_box() == place
        assert find_barriers(page) == []
        expect(page.locator("#pending")).to_be_hidden()
        assert find_cursor(page) not in (None, code)
        page.keyboard.press("z")
        expect(decided).to_contain_text("It waits under Work orders.")
        page.locator("#views > summary").click()
        page.fill("#view-name", "By firmware")
        with page.expect_navigation():
            page.click("#view-save")
        page.goto("/inbox")
        page.locator("#views > summary").click()
        page.get_by_role("link", name="By firmware").click()
        page.wait_for_url("**/inbox?group=firmware")
        # Views that this browser kept by itself move to the account, once.
        page.evaluate(
            'localStorage.setItem(\'forewarn.views.inbox\', \'[{"name":"Urgent","href":"/inbox?priority=P1"}]\')'
        )
        page.goto("/inbox")
        expect(page.locator("#views-list a", has_text="Urgent")).to_have_attribute("href", "/inbox/views/Urgent")
        assert page.evaluate("localStorage.getItem('forewarn.views.inbox')") is None
        assert (watched.errors, watched.strangers) == ([], [])


def test_keys_are_letters_while_typing(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.keyboard.press("/")
        page.keyboard.type("jx1")
        expect(page.locator("#find")).to_have_value("jx1")
        expect(page.locator("input[name=order]:checked")).to_have_count(0)


def test_help_opens_and_keys_can_be_switched_off(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_text("Mara Lindqvist").click()
        page.locator("button[name=keys][value=off]").click()
        expect(page.locator("html")).to_have_attribute("data-keys", "off")
        first = find_cursor(page)
        page.keyboard.press("j")
        page.keyboard.press("?")
        assert find_cursor(page) == first
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_g_then_letter_goes_to_a_page(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        press_in_a_row(page, "g", "d")
        page.wait_for_url("**/devices")


def test_what_is_left_is_counted_and_the_focus_stays_with_whoever_decides(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto("/inbox")
        count, rows = page.locator("#inbox-count"), page.locator("tr[data-row]")
        left = rows.count()
        assert left > 2
        expect(count).to_have_text(f"{left} to decide")
        # From the middle of the list, over what is decided already, to its only row.
        page.keyboard.press("j")
        while left > 1:
            code = find_cursor(page)
            page.keyboard.press("3")
            expect(page.locator(f"tr[data-handled={code}]")).to_contain_text("cancelled as a false alarm")
            left -= 1
            expect(count).to_have_text(f"{left} to decide")
            assert find_focus(page) == f"open-{find_cursor(page)}"
        code = find_cursor(page)
        page.keyboard.press("1")
        handled = page.locator(f"tr[data-handled={code}]")
        expect(handled.get_by_role("button", name="Undo")).to_be_focused()
        expect(count).to_have_text("0 to decide")
        empty = page.locator("#inbox-empty")
        expect(empty).to_contain_text("Nothing to decide.")
        expect(empty).to_contain_text("devices reporting; scoring last ran")
        assert find_barriers(page) == []
        page.keyboard.press("Enter")
        expect(handled).to_contain_text("It waits under Work orders.")
        expect(handled).to_be_focused()
        expect(count).to_have_text("0 to decide")
        assert (watched.errors, watched.strangers) == ([], [])
