"""Whoever sends a form that is refused stands in the first field that is wrong, with its reason in sight."""

import re
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from api.sign_in import COOKIE
from domain.audit import Actor
from domain.work_order import CloseOut, Outcome, WorkOrderState
from domain.work_order_steps import TransitionRequest
from store.users import load_user
from tests.e2e.browser import HAND, PHONE, open_page, sign_in
from tests.e2e.job_seeding import move, seed_job, seed_place
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers

pytestmark = pytest.mark.browser
# What the browser finds wrong by itself is not sent; here the server is to find it.
LET_ALL_THROUGH = "document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })"


def expect_to_stand_in(page: Page, name: str, reason: str) -> None:
    """That field has the focus, is read out with its reason first, and both are in sight."""
    focused = page.locator(f"main [name={name}]:focus")
    expect(focused).to_have_attribute("aria-invalid", "true")
    expect(focused).to_be_in_viewport(ratio=1)
    expect(focused).to_have_accessible_description(re.compile(rf"^{re.escape(reason)}"))
    expect(page.locator("span.wrong", has_text=reason).first).to_be_in_viewport(ratio=1)


@pytest.fixture(scope="module")
def jobs(service: Service) -> tuple[str, str]:
    """An order that tom works on, with a part that was asked for; and one that waits for its last signature."""
    url, (_, at_work, verified, *_) = service.database.owner_url, service.seeded.orders
    now = datetime.now(UTC)
    with psycopg.connect(url) as conn:
        tom, mara = load_user(conn, "tom"), load_user(conn, "mara")
        assert tom is not None
        assert mara is not None

        def take(right: str, wish: TransitionRequest) -> None:
            person, role = (tom, "technician") if right == "work" else (mara, "service_manager")
            move(conn, Actor(person.name, role, f"work_order.{right}", person.id), verified, wish, now)

        take("triage", TransitionRequest(WorkOrderState.TRIAGED))
        take("assign", TransitionRequest(WorkOrderState.ASSIGNED, assignee_id=tom.id))
        take("work", TransitionRequest(WorkOrderState.IN_PROGRESS))
        record = CloseOut("Pump", "INF-1", now.date(), "Tom", "Cleaned", "10 mL/h")
        take("work", TransitionRequest(WorkOrderState.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=record))
        take("verify", TransitionRequest(WorkOrderState.VERIFIED, test_evidence="ran for a day"))
    seed_place(url)  # orders that are assigned from now on have a checklist
    seed_job(url, at_work, Path(service.program.environment["FOREWARN_VAR"]) / "attachments")
    return at_work, verified


def expect_to_stand_at(page: Page, sentence: str) -> None:
    """That sentence, which says why nothing was done, has the focus and is in sight; no field is marked."""
    notice = page.get_by_role("alert").filter(has_text=sentence)
    expect(notice).to_be_focused()
    expect(notice).to_be_in_viewport(ratio=1)
    expect(page.locator("[aria-invalid]")).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "Must be above 0.",
                "That is not your password. Nothing was signed.",
                "Is missing.",
                "Say first what became of the parts that were asked for.",
            ),
        ),
        ("zh", ("须大于 0。", "密码不正确。未签署任何内容。", "缺失。", "请先说明所申请备件的去向。")),
    ],
)
def test_a_technician_lands_in_what_is_wrong_on_the_phone(
    chromium: Browser, service: Service, jobs: tuple[str, str], language: str, said: tuple[str, str, str, str]
) -> None:
    reason, unsigned, missing, undecided = said
    with open_page(chromium, service.url, viewport=HAND, touch=True, language=language) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        page.goto(f"/my/{jobs[0]}")
        page.locator("#outbox[data-begun]").wait_for(state="attached")
        page.locator("#use > summary").tap()
        page.fill("#use-item", "200-3110")
        page.fill("#use-lot", "L-1")
        page.fill("#use-quantity", "0")
        page.fill("#use-password", PASSWORD)
        page.locator("#use button[type=submit]").tap()
        expect_to_stand_in(page, "quantity", reason)
        assert find_barriers(page) == []
        page.fill("#use-quantity", "1")
        page.fill("#use-password", "wrong")
        page.locator("#use button[type=submit]").tap()
        expect_to_stand_in(page, "password", unsigned)
        page.get_by_role("region").locator("[data-open=act-done]").tap()
        page.evaluate(LET_ALL_THROUGH)
        page.locator("#act-done button[type=submit]").tap()
        expect_to_stand_in(page, "outcome", missing)
        page.fill("#act-done-work_performed", "Cleaned")
        page.fill("#act-done-test_data", "10 mL/h")
        page.select_option("#act-done-outcome", "CONFIRMED")
        page.locator("#act-done button[type=submit]").tap()
        expect_to_stand_at(page, undecided)
        assert find_barriers(page) == []
        assert watched.errors == []


def test_who_signs_with_a_wrong_password_lands_in_it(
    chromium: Browser, service: Service, jobs: tuple[str, str]
) -> None:
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{jobs[1]}")
        page.locator("#act-close > summary").click()
        page.fill("#act-close-password", "wrong")
        page.locator("#act-close button[type=submit]").click()
        expect_to_stand_in(page, "password", "That is not your password. Nothing was signed.")
        assert find_barriers(page) == []
        assert watched.errors == []


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
