"""A form that meets no server stays where it was written, says so, and is sent once."""

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Route, expect

from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service

pytestmark = pytest.mark.browser
STREAM = "**/api/v1/events/stream"
# As in browsers that cannot bound a request: on a busy machine an answer may take longer than a page waits for it.
WAIT_LONG = "delete AbortSignal.timeout"


def open_order(page: Page, state: str) -> tuple[Locator, Locator]:
    """The field of a note on an order's page and its button, once the page says how live it is."""
    sign_in(page, "mara", PASSWORD)
    page.goto("/inbox")
    page.locator("tr[data-row] a").first.click()
    page.wait_for_url("**/work-orders/*")
    expect(page.locator("#live")).to_have_attribute("data-state", state)
    return page.locator("#note"), page.locator("#note-form button[type=submit]")


def expect_unsent(page: Page, note: Locator, text: str) -> None:
    expect(page.get_by_role("alert").filter(has_text="Forewarn does not answer")).to_be_visible()
    expect(note).to_have_value(text)


def test_it_is_sent_when_the_server_is_back(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        note, send = open_order(page, "on")
        note.fill("Written while nobody could take it")
        service.program.stop()
        expect(page.locator("#live")).to_have_attribute("data-state", "stale")
        send.click()
        expect_unsent(page, note, "Written while nobody could take it")
        service.program.start()
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        expect(note).to_have_value("Written while nobody could take it")
        send.click()
        expect(page.locator(".timeline .body").first).to_have_text("Written while nobody could take it")


def test_a_proxy_that_answers_for_the_server_does_not_count(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        page.route(STREAM, lambda route: route.fulfill(status=502))
        page.route("**/api/v1/health", lambda route: route.fulfill(status=502))
        note, send = open_order(page, "stale")
        note.fill("Behind a proxy")
        send.click()
        expect_unsent(page, note, "Behind a proxy")


def test_a_page_that_pauses_asks_as_well(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        page.add_init_script("localStorage.setItem('forewarn.live', 'paused')")
        page.route("**/api/v1/health", lambda route: route.abort())
        note, send = open_order(page, "paused")
        note.fill("While nothing is listened to")
        send.click()
        expect_unsent(page, note, "While nothing is listened to")


def test_two_clicks_while_the_server_is_asked_write_once(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        asked: list[Route] = []
        page.add_init_script(WAIT_LONG)
        page.route(STREAM, lambda route: route.abort())
        page.route("**/api/v1/health", lambda route: asked.append(route))
        note, send = open_order(page, "stale")
        note.fill("Clicked twice")
        with page.expect_request("**/api/v1/health"):
            send.click()
        send.click()
        page.unroute("**/api/v1/health")
        (only,) = asked
        with page.expect_navigation():
            only.continue_()
        expect(page.locator(".timeline .body", has_text="Clicked twice")).to_have_count(1)


def test_a_page_that_hears_nothing_sends_to_a_server_that_answers(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        page.add_init_script(WAIT_LONG)
        page.route(STREAM, lambda route: route.abort())
        note, send = open_order(page, "stale")
        note.fill("Written without news")
        with page.expect_response("**/api/v1/health") as asked:
            send.click()
        assert asked.value.status == 200
        expect(page.locator(".timeline .body", has_text="Written without news")).to_have_count(1)


def test_what_is_written_elsewhere_is_not_left_without_a_question(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        stays = True
        asked: list[str] = []

        def answer(dialog: Dialog) -> None:
            asked.append(dialog.type)
            if stays:
                dialog.dismiss()
            else:
                dialog.accept()

        page.on("dialog", answer)
        note, send = open_order(page, "on")
        order = page.url
        note.click()
        page.keyboard.type("Called the ward")
        page.locator("#act-accept summary").click()
        with page.expect_event("dialog"):
            page.locator("#act-accept button[type=submit]").click(no_wait_after=True)
        expect(note).to_have_value("Called the ward")
        with page.expect_event("dialog"):
            page.locator("nav a[href='/devices']").click(no_wait_after=True)
        expect(note).to_have_value("Called the ward")
        assert page.url == order
        send.click()
        expect(page.locator(".timeline .body").first).to_have_text("Called the ward")
        assert asked == ["beforeunload", "beforeunload"]  # and none for the note that was sent

        stays = False
        note.click()
        page.keyboard.type("Not worth keeping")
        with page.expect_event("dialog"):
            page.locator("nav a[href='/devices']").click(no_wait_after=True)
        page.wait_for_url("**/devices")
        assert watched.errors == []


def test_what_was_refused_is_not_left_without_a_question_nor_overwritten(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        note, _ = open_order(page, "on")
        order = page.url
        page.locator("#merge > summary").click()
        page.locator("#merge [name=order]").fill("WO-1999-000001")
        reason = page.locator("#merge [name=reason]")
        reason.fill("The same pump, the same fault")
        page.locator("#merge button[type=submit]").click()
        expect(page.locator("#merge [name=order]")).to_have_attribute("aria-invalid", "true")
        expect(reason).to_have_value("The same pump, the same fault")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        # Somebody else writes to the order meanwhile; to look at that would throw away what was refused.
        other = page.context.new_page()
        other.goto(order)
        other.locator("#act-accept summary").click()
        other.locator("#act-accept button[type=submit]").click()
        other.wait_for_url("**done=*")
        other.close()
        page.locator("#pending button").click()
        expect(page.locator("#pending button")).to_contain_text("save or clear it first")
        expect(reason).to_have_value("The same pump, the same fault")
        with page.expect_event("dialog"):
            page.locator("nav a[href='/devices']").click(no_wait_after=True)
        expect(reason).to_have_value("The same pump, the same fault")
        # What he takes back himself, he needs not be asked about.
        page.locator("#merge [name=order]").fill("")
        reason.fill("")
        page.locator("nav a[href='/devices']").click()
        page.wait_for_url("**/devices")
        assert asked == ["beforeunload"]
        # Elsewhere the same words are a record's own.
        page.goto(order)
        note.click()
        page.locator("nav a[href='/devices']").click()
        page.wait_for_url("**/devices")
        assert asked == ["beforeunload"]
        assert watched.strangers == []
