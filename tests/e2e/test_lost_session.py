"""A session that ended elsewhere, while its page is open."""

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import open_page
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "You are not signed in any more, and nothing was done"), ("zh", "您已不再处于登录状态")],
)
def test_the_inbox_says_that_the_session_ended_and_not_that_the_server_is_away(
    chromium: Browser, service: Service, language: str, said: str
) -> None:
    code = service.seeded.orders[2]
    with open_page(chromium, service.url, language=language) as (page, _):
        # A session of this window's own: to end it ends no other test's.
        page.goto("/sign-in")
        page.fill("#name", "mara")
        page.fill("#password", PASSWORD)
        page.click("form[action='/sign-in'] button[type=submit]")
        page.wait_for_url("**/inbox")
        with psycopg.connect(service.database.owner_url) as conn:
            conn.execute("DELETE FROM app_session WHERE id = (SELECT max(id) FROM app_session)")
        page.check(f"#pick-{code}")
        page.locator("#inbox-form button[value=accept]").click()
        expect(page.locator("#inbox-said")).to_contain_text(said)
        expect(page.locator(f"#pick-{code}")).to_be_checked()
        page.context.set_offline(True)
        page.locator("#inbox-form button[value=accept]").click()
        expect(page.locator("#inbox-said")).not_to_contain_text(said)
        expect(page.locator("#inbox-said")).not_to_contain_text("Failed to fetch")
