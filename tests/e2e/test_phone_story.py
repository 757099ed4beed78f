"""A fault from the dispatcher to its signature, with the work done on a phone, part of it without a network."""

from pathlib import Path
from typing import Literal

import psycopg
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browser import HAND, PHONE, Watched, open_page, sign_in, wait_for_parts
from tests.e2e.job_seeding import make_picture, seed_job, seed_place
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers
from tests.e2e.wording import find_foreign
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser
# 48 pixels for a finger in a glove; what a label stands for is touched by the label.
FIND_SMALL = """() => [...document.querySelectorAll('main')]
    .flatMap((main) => [...main.querySelectorAll('button, select, .button, .choice, input:not(.sr)')])
    .filter((item) => !['hidden', 'radio', 'checkbox'].includes(item.type) && item.checkVisibility())
    .filter((item) => item.getBoundingClientRect().height < 48)
    .map((item) => item.outerHTML.slice(0, 100))"""

# What makes the page scroll sideways, and by how much it stands out.
FIND_WIDE = """(width) => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('body *')]
    .filter((item) => item.checkVisibility() && item.getBoundingClientRect().right > width)
    .map((item) => item.outerHTML.slice(0, 100))"""


@pytest.fixture(scope="module")
def place(service: Service) -> Service:
    """The service with a checklist, addresses and a dispatcher; the second order is a job that tom is at."""
    seed_place(service.database.owner_url)
    attachments = Path(service.program.environment["FOREWARN_VAR"]) / "attachments"
    seed_job(service.database.owner_url, service.seeded.orders[1], attachments)
    return service


def count_files(service: Service, code: str) -> tuple[int, int]:
    """How many files the order has, and how many notes."""
    with psycopg.connect(service.database.owner_url) as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM attachment WHERE work_order_id = w.id),"
            " (SELECT count(*) FROM work_order_note WHERE work_order_id = w.id) FROM work_order w WHERE code = %s",
            (code,),
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def assert_quiet(watched: Watched) -> None:
    """Nothing went wrong but what a network that is away makes of requests."""
    away = ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED")
    assert [error for error in watched.errors if not any(name in error for name in away)] == []
    assert watched.strangers == []


def wait_for_outbox(page: Page) -> None:
    """A page that is seen may not yet have the script that takes its forms."""
    page.locator("#outbox[data-begun]").wait_for(state="attached")


def find_colour(page: Page, place: str) -> str:
    colour: str = page.locator(place).first.evaluate("item => getComputedStyle(item).backgroundColor")
    return colour


def take_photo(page: Page, field: str, name: str, shade: int) -> None:
    picture = {"name": name, "mimeType": "image/png", "buffer": make_picture(shade)}
    page.locator(field).set_input_files(picture)  # type: ignore[arg-type]


def test_fault_to_signature_over_the_phone(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[-1]
    with open_page(chromium, place.url) as (page, watched):
        sign_in(page, "dirk", PASSWORD)
        page.goto(f"/work-orders/{code}")
        page.locator("#act-accept > summary").click()
        page.select_option("#act-accept-assignee", "tom")
        page.locator("#act-accept button[type=submit]").click()
        expect(page.locator(".state").first).to_have_text("Assigned")
        assert_quiet(watched)
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        page.wait_for_url("**/my")
        page.locator(f'a[href="/my/{code}"]').tap()
        assert page.get_by_role("link", name="Call Nora Wolff").get_attribute("href") == "tel:+49305550134"
        # What is pressed next stands in the bar; to give the job back is none of it.
        start, decline = (find_colour(page, item) for item in (".bottom .primary", "#act-decline .button"))
        assert decline == find_colour(page, ".ways .button") != start
        page.get_by_role("button", name="Start work").tap()
        expect(page.locator(".state").first).to_have_text("In progress")
        wait_for_outbox(page)
        page.get_by_role("button", name="Arrived").tap()
        expect(page.get_by_text("You are there since")).to_be_visible()
        page.locator("#job-steps label", has_text="Yes").tap()
        expect(page.locator("#job-steps")).to_contain_text("✓ Yes")
        page.locator("#job-steps input[name=value][inputmode=decimal]").fill("0.61")
        page.locator("#job-steps form[data-item=current] button").tap()
        # Out of its limits: not before the remark is there.
        page.locator("#job-steps form[data-item=current] textarea").fill("Gear runs stiff; replaced")
        page.locator("#job-steps form[data-item=current] button").tap()
        expect(page.locator("#job-steps")).to_contain_text("0.61 A")
        take_photo(page, "#job-steps input[type=file]", "plate.png", 10)
        expect(page.locator("#job-steps")).to_contain_text("plate.png")
        expect(page.locator("#job-steps")).to_contain_text("3 of 4 answered")
        go_without_network(page, place, code)
        use_part(page)
        page.get_by_role("link", name="Work done").tap()
        page.fill("#act-done-work_performed", "Pump motor and gear replaced")
        page.fill("#act-done-test_data", "0.31 A at 100 mL/h")
        page.select_option("#act-done-outcome", "CONFIRMED")
        page.get_by_role("button", name="Report work done").tap()
        expect(page.get_by_text("Handed in: a service manager verifies.")).to_be_visible()
        wait_for_outbox(page)
        page.select_option("#leave-outcome", "COMPLETED")
        page.get_by_role("button", name="End the visit").tap()
        expect(page.locator("#job-visit .records")).to_contain_text("completed")
        assert_quiet(watched)
    sign_off(chromium, place, code)


def go_without_network(page: Page, place: Service, code: str) -> None:
    """A photo and a note while the network is away: kept, told, and there once when it is back."""
    before = count_files(place, code)
    page.context.set_offline(True)
    take_photo(page, "#photo-camera", "inside.png", 20)
    expect(page.locator("#outbox-says")).to_contain_text("1 not sent")
    page.fill("#job-note-body", "The gear has no grease 齿轮缺油")
    page.get_by_role("button", name="Add note").tap()
    expect(page.locator(".bottom [data-outbox-count]")).to_have_text("2 not sent")
    # What is signed needs the service; what was typed stays.
    page.locator("#use > summary").tap()
    page.fill("#use-item", "200-3110")
    page.fill("#use-lot", "L-2611")
    page.fill("#use-password", PASSWORD)
    page.locator("#use button[type=submit]").tap()
    said = page.locator("#outbox-says")
    expect(said).to_contain_text("2 not sent · No connection.")
    with page.expect_event("requestfailed", lambda request: "/notes" in request.url or "/attachments" in request.url):
        pass  # the next try of the outbox, which tells anew what is not sent
    expect(said).to_contain_text("2 not sent · No connection.")
    assert count_files(place, code) == before
    # The first answer to each gets lost on its way back: what was taken is sent again, and taken once.
    lost: list[str] = []
    page.route("**/api/v1/work-orders/*/attachments?*", lambda route: lose_first_answer(route, lost))
    page.route("**/api/v1/work-orders/*/notes", lambda route: lose_first_answer(route, lost))
    page.context.set_offline(False)
    expect(page.locator("#outbox-says")).to_have_text("All sent.")
    expect(page.locator("#job-photos")).to_contain_text("inside.png")
    assert count_files(place, code) == (before[0] + 1, before[1] + 1)
    assert len(lost) == 2
    # Typed text is a draft until it is sent: it survives a page that was closed. A password is none.
    page.reload()
    expect(page.locator("#use-lot")).to_have_value("L-2611")
    expect(page.locator("#use-password")).to_have_value("")
    assert count_files(place, code) == (before[0] + 1, before[1] + 1)


def lose_first_answer(route: Route, lost: list[str]) -> None:
    """The service takes the first request to each address, and its answer never comes back."""
    address = route.request.url.partition("?")[0]
    if address in lost:
        route.continue_()
        return
    lost.append(address)
    assert route.fetch().ok
    route.abort()


def use_part(page: Page) -> None:
    page.fill("#use-password", "wrong")
    page.locator("#use button[type=submit]").tap()
    expect(page.get_by_role("alert")).to_have_text("That is not your password. Nothing was signed.")
    expect(page.locator("#use-lot")).to_have_value("L-2611")
    page.fill("#use-password", PASSWORD)
    page.locator("#use button[type=submit]").tap()
    expect(page.locator("#job-parts .state")).to_have_text("Used")
    wait_for_outbox(page)


def send_what_is_not_taken(page: Page) -> None:
    """A file that is refused stays with the reason until somebody removes it."""
    wait_for_outbox(page)
    picture = {"name": "drawing.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
    page.locator("#file-file").set_input_files(picture)  # type: ignore[arg-type]
    page.get_by_role("button", name="Attach").click()
    expect(page.locator("#outbox-list")).to_contain_text("Refused: HTML, SVG and XML are not taken")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#outbox-list").get_by_role("button", name="Remove").click()
    expect(page.locator("#outbox-list li")).to_have_count(0)


def sign_off(chromium: Browser, place: Service, code: str) -> None:
    with open_page(chromium, place.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/work-orders/{code}")
        page.locator("#section-parts > summary").click()
        expect(page.locator("#section-parts")).to_contain_text("Tom Okafor: “Fitted by me.”")
        page.locator("#section-files > summary").click()
        expect(page.locator("#section-files img")).to_have_count(2)
        assert (
            page.locator("#section-files img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
            == 8
        )
        send_what_is_not_taken(page)
        page.locator("#act-verify > summary").click()
        page.fill("#act-verify-test_evidence", "Own test: 0.30 A")
        page.locator("#act-verify button[type=submit]").click()
        expect(page.locator(".state").first).to_have_text("Verified")
        page.locator("#act-close > summary").click()
        page.fill("#act-close-password", PASSWORD)
        page.get_by_role("button", name="Sign and close").click()
        expect(page.locator(".state").first).to_have_text("Closed")
        expect(page.locator("section[aria-labelledby=signatures-title]")).to_contain_text("still stands")
        assert_quiet(watched)


def test_what_is_no_number_answers_no_line(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[1]
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        page.goto(f"/my/{code}")
        page.locator("#outbox[data-begun]").wait_for(state="attached")
        line = page.locator("#job-steps form[data-item=current]")
        for text in (" ", "a lot", "1e999"):
            line.locator("input[name=value]").fill(text)
            # Else its script asks for a remark first.
            line.locator("textarea").evaluate("field => { field.required = false; }")
            line.locator("button").tap()
            expect(page.locator("#outbox-says")).to_have_text("A number is needed.")
            assert line.locator("input:invalid").evaluate("field => field.validationMessage") == "A number is needed."
            expect(line.locator("input")).to_be_focused()
            page.evaluate("document.getElementById('outbox-says').textContent = ''")
        expect(page.locator(".bottom [data-outbox-count]")).to_have_text("")
        line.locator("input[name=value]").fill("0.31")
        assert line.locator("input:invalid").count() == 0
        line.locator("input[name=value]").fill("")
        assert_quiet(watched)


def test_a_file_that_is_sent_before_its_script_is_there_stays_chosen(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[2]
    held: list[Route] = []
    with open_page(chromium, place.url) as (page, watched):
        sign_in(page, "mara", PASSWORD)
        page.route("**/static/outbox.js*", lambda route: held.append(route))
        page.goto(f"/work-orders/{code}")
        page.locator("#section-files > summary").click()
        wait_for_parts(page)
        take_photo(page, "#file-file", "plate.png", 30)
        page.get_by_role("button", name="Attach").click()
        assert page.url.endswith(f"/{code}"), "it went to the address of the page"
        assert page.locator("#file-file").evaluate("it => it.files.length") == 1
        wait_until(lambda: page.evaluate("true") and held, what="the script to be asked for")
        held[0].continue_()
        wait_for_outbox(page)
        page.get_by_role("button", name="Attach").click()
        expect(page.locator("#section-files img")).to_have_count(1)
        assert_quiet(watched)


def queue_note(page: Page, note: str, path: str = "") -> None:
    """A note as a page of another version of the service would send it, whatever it is."""
    page.evaluate("document.getElementById('job-note-body').removeAttribute('maxlength')")
    if path:
        page.evaluate(
            "path => { document.querySelector('form:has(#job-note-body)').dataset.path = path; }", f"/api/v1/{path}"
        )
    page.fill("#job-note-body", note)
    page.locator("form:has(#job-note-body) button[type=submit]").click()


def test_what_was_refused_says_in_each_language_which_field_and_why(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[1]
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, _):
        sign_in(page, "tom", PASSWORD)
        page.goto(f"/my/{code}")
        queue_note(page, "x" * 10_001)
        refused = page.locator("#outbox-list .wrong")
        expect(refused).to_have_text("Refused: This cannot be used as it is: Note (has more characters than 10,000).")
        queue_note(page, "Who is there?", "work-orders/WO-1999-000001/notes")
        expect(refused.last).to_have_text("Refused: the order is not there or not yours")
        queue_note(page, "I may not", "work-orders")
        expect(refused).to_have_count(3)
        in_english = refused.last.inner_text()
        # The reason is kept and not the sentence: it is said in the language that the page has now.
        page.context.add_cookies([{"name": "forewarn_language", "value": "zh", "url": place.url}])
        page.goto(f"/my/{code}")
        expect(refused.first).to_have_text("被拒绝：以下内容无法使用：备注（超过 10,000 个字符）。")
        expect(refused.nth(1)).to_have_text("被拒绝：找不到该工单，或该工单不是您的")
        assert in_english == "Refused: your role does not allow it"
        assert refused.last.inner_text() == "被拒绝：您的角色无权执行此操作"
        assert find_foreign(page, "zh") == []


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
def test_pages_of_the_phone_have_no_barrier_and_fit(
    chromium: Browser, place: Service, language: str, theme: Literal["light", "dark"]
) -> None:
    code = place.seeded.orders[1]
    addresses = {"en": ["/my", f"/my/{code}"], "zh": [f"/work-orders/{code}?open=checklists"]}
    with open_page(chromium, place.url, viewport=PHONE, language=language, theme=theme, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        for address in addresses[language]:
            page.goto(address)
            page.evaluate(
                "document.querySelectorAll('main details:not(.as-table)').forEach((it) => { it.open = true; })"
            )
            wait_for_parts(page)
            wide: list[str] = page.evaluate(FIND_WIDE, PHONE["width"])
            assert wide == [], address
            small: list[str] = page.evaluate(FIND_SMALL) if address.startswith("/my") else []
            assert small == []
            assert find_barriers(page, theme) == []
            assert find_foreign(page, language) == []
        for address in addresses["en" if language == "zh" else "zh"]:
            page.goto(address)
            assert find_foreign(page, language) == []
        assert_quiet(watched)
