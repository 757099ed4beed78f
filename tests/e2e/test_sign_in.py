"""The door: a wrong password says nothing, a right one leads to where the person wanted to go; and what is said when a
session ended behind an open page."""

import psycopg
import pyotp
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service

pytestmark = pytest.mark.browser


def test_wrong_password_is_refused_and_the_name_stays(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        page.goto("/sign-in")
        page.fill("#name", "mara")
        page.fill("#password", "not it")
        page.click("form[action='/sign-in'] button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        expect(page.locator("#name")).to_have_value("mara")
        expect(page.locator("#password")).to_have_value("")
        assert watched.errors == []


def test_right_password_leads_where_the_person_wanted_to_go_and_out_again(chromium: Browser, service: Service) -> None:
    code = service.seeded.orders[0]
    with open_page(chromium, service.url) as (page, _):
        page.goto(f"/work-orders/{code}")
        assert page.url.endswith(f"/sign-in?next=%2Fwork-orders%2F{code}")
        page.fill("#name", "mara")
        page.fill("#password", PASSWORD)
        page.click("form[action='/sign-in'] button[type=submit]")
        expect(page.get_by_role("heading", level=1)).to_have_text(code)
        page.get_by_text("Mara Lindqvist").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in*")  # the phone's kept pages go first, so the browser is on its way for a moment
        page.goto("/inbox")
        assert "/sign-in" in page.url


def test_who_works_on_orders_begins_with_the_own_jobs(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        page.wait_for_url("**/my")
        expect(page.get_by_role("heading", level=1)).to_have_text("My jobs")
        assert watched.errors == []


def test_who_administers_begins_with_accounts_and_is_asked_for_no_records(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "ada", PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
        expect(page.locator("#live")).to_have_count(0)
        expect(page.locator("#find")).to_have_count(0)
        page.get_by_role("link", name="Forewarn").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
        assert watched.errors == []


def test_a_second_factor_is_set_up_and_asked_for_at_the_next_sign_in(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "dina", PASSWORD)
        page.goto("/account")
        page.get_by_text("Set up a second factor").click()
        page.get_by_role("textbox", name="Password").fill(PASSWORD)
        page.get_by_role("button", name="Show the code to scan").click()
        expect(page.locator("svg.qr")).to_be_visible()
        secret = page.locator(".secret").inner_text().replace(" ", "")
        page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Confirm").click()
        code = page.locator(".once li").first.inner_text()
        page.get_by_role("link", name="I have kept it").click()
        page.get_by_text("Dina Rossi").first.click()
        page.get_by_role("button", name="Sign out").click()
        page.fill("#name", "dina")
        page.fill("#password", PASSWORD)
        page.click("form[action='/sign-in'] button[type=submit]")
        expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        page.goto("/account")
        expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])


def test_a_link_to_elsewhere_leads_to_the_inbox(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        page.goto("/sign-in?next=https://elsewhere.example/")
        page.fill("#name", "mara")
        page.fill("#password", PASSWORD)
        page.click("form[action='/sign-in'] button[type=submit]")
        page.wait_for_url("**/inbox")
        assert watched.strangers == []


def test_language_follows_the_browser_and_can_be_switched(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url, language="zh") as (page, _):
        sign_in(page, "mara", PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("待处理")
        assert page.get_attribute("html", "lang") == "zh-Hans"
        page.get_by_text("Mara Lindqvist").click()
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Inbox")
        assert page.get_attribute("html", "lang") == "en"


def test_auditor_sees_no_step_and_is_told_why(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "aya", PASSWORD)
        expect(page.get_by_text("needs the permission “assign work orders” (work_order.assign)")).to_be_visible()
        page.goto(f"/work-orders/{service.seeded.orders[0]}")
        expect(page.get_by_text("needs the permission “accept work orders” (work_order.triage)")).to_be_visible()
        expect(page.get_by_text("Your roles may not write notes.")).to_be_visible()


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
