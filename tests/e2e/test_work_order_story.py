"""A fault from the inbox to its signature, by the people whose work it is."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import Watched, open_page, sign_in
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers

pytestmark = pytest.mark.browser


def open_act(page: Page, name: str) -> None:
    page.locator(f"#act-{name} > summary").click()


def test_from_inbox_to_signature(chromium: Browser, service: Service) -> None:
    code = service.seeded.orders[-1]
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.check(f"#pick-{code}")
        page.select_option("#assignee", "tom")
        page.get_by_role("button", name="Accept and assign").click()
        expect(page.get_by_text("1 done.")).to_be_visible()
        expect(page.locator(f"#row-{code}")).to_have_count(0)
        assert watched.errors == []
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        page.goto(f"/work-orders/{code}")
        page.locator("#act-start button").click()
        expect(page.locator(".state").first).to_have_text("In progress")
        open_act(page, "done")
        assert page.input_value("#act-done-device_identification").endswith("INF-74828")
        page.fill("#act-done-work_performed", "Battery pack replaced")
        page.fill("#act-done-test_data", "Capacity 101 %, 24 h run passed")
        page.select_option("#act-done-outcome", "CONFIRMED")
        page.get_by_role("button", name="Report work done").click()
        expect(page.locator(".state").first).to_have_text("Work done")
        expect(page.locator("#why-verify")).to_have_text(
            "needs the permission “verify work orders” (work_order.verify)"
        )
        assert watched.errors == []
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{code}")
        open_act(page, "verify")
        page.fill("#act-verify-test_evidence", "Own test: capacity 100 %")
        page.locator("#act-verify button[type=submit]").click()
        expect(page.locator(".state").first).to_have_text("Verified")
        open_act(page, "close")
        page.fill("#act-close-password", "wrong")
        page.get_by_role("button", name="Sign and close").click()
        expect(page.get_by_role("alert")).to_have_text("That is not your password. Nothing was signed.")
        page.fill("#act-close-password", PASSWORD)
        page.get_by_role("button", name="Sign and close").click()
        expect(page.locator(".state").first).to_have_text("Closed")
        expect(page.get_by_text("I have reviewed this record and close it.").first).to_be_visible()
        expect(page.get_by_text("Battery pack replaced")).to_be_visible()
        assert watched.errors == []


def test_page_says_why_it_opened_and_draws_what_shows_it(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{service.seeded.orders[0]}")
        expect(page.get_by_text("A breach of severity major or above").first).to_be_visible()
        # What is wrong, how sure, since when, which part, and what comes of doing nothing: one sentence.
        sentence = expect(page.locator(".sentence").first)
        sentence.to_contain_text(
            "Motor current of INF-74821 rose to 0.6655 A, above its limit of 0.5500 A, for 90 seconds; measured, not"
        )
        sentence.to_contain_text(
            "suspected part: Pump motor and gear (PN 200-3110), or its firmware; if nothing is done:"
        )
        expect(page.locator("[data-panels=evidence-panels] .chart[data-drawn]")).to_have_count(1)
        assert count_colours(page) > 3, "the canvas is blank"
        page.get_by_text("As a table").first.click()
        rows = page.locator("details.as-table tbody tr")
        assert rows.count() > 50
        assert page.locator("details.as-table td", has_text="yes").count() >= 10
        assert (watched.errors, watched.strangers) == ([], [])


def count_colours(page: Page) -> int:
    """How many different colours the first chart's canvas holds."""
    return int(
        page.evaluate(
            """() => {
                const canvas = document.querySelector('.chart canvas');
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                const seen = new Set();
                for (let i = 0; i < data.length; i += 4)
                    if (data[i + 3] === 255) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
                return seen.size;
            }"""
        )
    )


def test_what_was_typed_survives_somebody_elses_change(chromium: Browser, service: Service) -> None:
    code = service.seeded.orders[1]
    with (
        open_page(chromium, service.url) as (slow, _),
        open_page(chromium, service.url) as (quick, _),
    ):
        sign_in(slow, "mara", PASSWORD)
        slow.goto(f"/work-orders/{code}")
        open_act(slow, "cancel")
        slow.fill("#act-cancel-reason", "The ward bent the line; nothing to mend")
        sign_in(quick, "sven", PASSWORD)
        quick.goto(f"/work-orders/{code}")
        open_act(quick, "accept")
        quick.select_option("#act-accept-assignee", "li")
        quick.locator("#act-accept button[type=submit]").click()
        expect(quick.locator(".state").first).to_have_text("Assigned")
        slow.locator("#act-cancel button[type=submit]").click()
        expect(slow.get_by_role("alert")).to_contain_text(
            re.compile(r"Sven Berg set Assigned at \d\d:\d\d while you edited. Your text is kept.")
        )
        expect(slow.locator("#act-cancel-reason")).to_have_value("The ward bent the line; nothing to mend")
        expect(slow.locator(".state").first).to_have_text("Assigned")


def test_two_people_in_one_complaint_keep_both_changes_and_choose_where_they_wrote_the_same(
    chromium: Browser, service: Service
) -> None:
    page_of = "/complaints/CMP-2026-000001"
    with (
        open_page(chromium, service.url) as (slow, watched),
        open_page(chromium, service.url) as (quick, _),
    ):
        for page, name in ((slow, "mara"), (quick, "sven")):
            sign_in(page, name, PASSWORD)
            page.goto(page_of)
            open_act(page, "cmp_change")
        slow.fill("#act-cmp_change-correction", "Line replaced")
        slow.fill("#act-cmp_change-details", "It stopped at night")
        slow.fill("#act-cmp_change-reason", "from the call")
        quick.fill("#act-cmp_change-reply", "We come tomorrow")
        quick.fill("#act-cmp_change-details", "It stopped twice")
        quick.fill("#act-cmp_change-reason", "from the ward")
        quick.locator("#act-cmp_change button[type=submit]").click()
        expect(quick.get_by_text("Saved.")).to_be_visible()
        slow.locator("#act-cmp_change button[type=submit]").click()
        alert = slow.get_by_role("alert")
        expect(alert).to_contain_text(
            re.compile(r"Sven Berg changed .+ at \d\d:\d\d while you edited. Your text is kept.")
        )
        expect(slow.locator("#act-cmp_change-details")).to_have_value("It stopped at night")
        expect(slow.locator("#act-cmp_change-reply")).to_have_value("We come tomorrow")
        expect(slow.locator("[data-dispute]")).to_have_count(1)
        expect(slow.locator("[data-dispute=details]")).to_contain_text("It stopped twice")
        assert find_barriers(slow) == []
        slow.locator("[data-dispute=details] label", has_text="Keep mine").click()
        slow.locator("#act-cmp_change button[type=submit]").click()
        expect(slow.locator("main")).to_contain_text("It stopped at night")
        expect(slow.locator("main")).to_contain_text("We come tomorrow")
        expect(slow.locator("main")).to_contain_text("Line replaced")
        assert_clean(watched)


def test_guard_refuses_with_its_reason_and_keeps_the_form(chromium: Browser, service: Service) -> None:
    code = service.seeded.orders[2]
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{code}")
        open_act(page, "cancel")
        page.evaluate("document.querySelector('#act-cancel-reason').required = false")
        page.locator("#act-cancel button[type=submit]").click()
        expect(page.get_by_role("alert")).to_have_text("A reason is needed.")
        expect(page.locator("#act-cancel-reason")).to_be_visible()


def test_note_is_added_and_escaped(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{service.seeded.orders[3]}")
        page.fill("#note", "<script>alert(1)</script> 叫护士")
        page.get_by_role("button", name="Add note").click()
        expect(page.locator(".timeline .body").first).to_have_text("<script>alert(1)</script> 叫护士")
        assert_clean(watched)


def assert_clean(watched: Watched) -> None:
    assert (watched.errors, watched.strangers) == ([], [])


def test_shelving_takes_the_order_out_with_its_reason(chromium: Browser, service: Service) -> None:
    code = service.seeded.orders[5]
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.check(f"#pick-{code}")
        page.locator("#shelve > summary").click()
        page.fill("#shelve-reason", "Line test by the ward")
        page.get_by_role("button", name="Shelve selected").click()
        expect(page.get_by_text("1 done.")).to_be_visible()
        page.goto(f"/work-orders/{code}")
        expect(page.locator(".state").first).to_have_text("Cancelled")
        expect(page.get_by_text("Line test by the ward").first).to_be_visible()
