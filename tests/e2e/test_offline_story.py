"""A phone without a network: what was looked at opens and says as of when it is, and it is nobody else's."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browser import HAND, PHONE, open_page, sign_in, wait_for_parts
from tests.e2e.job_seeding import seed_job, seed_place
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers
from tests.e2e.test_phone_story import FIND_WIDE, assert_quiet, count_files
from tests.support.proxy import CuttingProxy, Upstream, cutting_proxy
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser
# What is touched with a finger, but for links within a sentence.
FIND_SMALL = """() => [...document.querySelectorAll('header *, main *, .bottom *')]
    .filter((item) => item.matches('button, select, summary, .button, .choice, input:not(.sr), .records a, header a'))
    .filter((item) => !['hidden', 'radio', 'checkbox'].includes(item.type) && item.checkVisibility())
    .filter((item) => item.getBoundingClientRect().height < 48)
    .map((item) => item.outerHTML.slice(0, 100))"""
# With the day where midnight lies between.
AS_OF = re.compile(r"Offline, as of (\d\d/\d\d, )?\d\d:\d\d\.\s*Load again")
BACK_AS_OF = re.compile(r"The connection is back\. This page is as of (\d\d/\d\d, )?\d\d:\d\d\.\s*Load again")
FIND_KEPT = """async () => {
    const found = {};
    for (const name of await caches.keys())
        found[name] = (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname).sort();
    return found;
}"""

DROP_KEPT = """async (path) => {
    for (const name of await caches.keys()) await (await caches.open(name)).delete(path, { ignoreVary: true });
}"""
CUT_OFF_MS = 1_000  # less than a page that the service was heard for is asked for again and again
KEPT_AFTER_MS = 6_000  # a page that nobody vouched for comes from the phone after five seconds
GIVEN_UP_MS = 2_500  # more than an answer is waited for that is asked for anew
# By the page itself: from outside nobody reaches a page that is being left.
WRITE_WHILE_LEAVING = """document.addEventListener("forewarn:leaving", () => setTimeout(() => {
    const field = document.getElementById("job-note-body");
    field.focus();
    field.value = "The pump hums";
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}, 200), { once: true })"""
HEAR = "dispatchEvent(new Event('online'))"
# What the page asks the service for is answered; what the browser loads is not.
ANSWER_FOR_SERVICE = """const ask = window.fetch;
window.fetch = async (...asked) => {
    if (asked[0] !== location.pathname) return ask(...asked);
    return Object.defineProperty(new Response("", { status: 200 }), "url", { value: location.href });
}"""
# What the page asks first is asked over a connection that is lost: nothing comes, until it is given up.
HANG_ONCE = """const ask = window.fetch;
let isHung = false;
window.fetch = (...asked) => {
    if (isHung || asked[0] !== location.pathname) return ask(...asked);
    isHung = true;
    document.documentElement.dataset.hung = "";
    return new Promise((_, refuse) => asked[1].signal.addEventListener("abort", () => refuse(new Error("given up"))));
}"""


@pytest.fixture(scope="module")
def place(service: Service) -> Service:
    """The service with two jobs of tom's."""
    seed_place(service.database.owner_url)
    attachments = Path(service.program.environment["FOREWARN_VAR"]) / "attachments"
    for code in service.seeded.orders[1:3]:
        seed_job(service.database.owner_url, code, attachments)
    return service


def keep_jobs(page: Page) -> None:
    """The list is looked at, and all of it is kept."""
    page.goto("/my")
    expect(page.locator("html")).to_have_attribute("data-kept", "2")


def find_kept(page: Page) -> dict[str, list[str]]:
    """The pages that this browser keeps, by the store that they are in."""
    kept: dict[str, list[str]] = page.evaluate(FIND_KEPT)
    return {name: paths for name, paths in kept.items() if name.startswith("forewarn-my-")}


def wait_for_nothing_kept(page: Page) -> None:
    # Not wait_for_function: it takes the promise of an answer for a yes.
    wait_until(lambda: not find_kept(page), what="all that was kept to be gone")


def come_in(page: Page, name: str) -> None:
    """A session of this window's own: to sign out of it ends no other."""
    page.goto("/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("form[action='/sign-in'] button[type=submit]")
    page.wait_for_url("**/my")


def leave(page: Page) -> None:
    page.locator("header details.menu.last > summary").click()
    page.locator("form[action='/sign-out'] button").click()


def wait_for_fresh(page: Page) -> None:
    """The page is one that came from the service, without anybody's doing."""
    page.locator("html:not([data-kept-at])").wait_for()
    expect(page.locator("#kept")).to_be_hidden()


def count_loads(page: Page) -> list[str]:
    """Grows by each page that is loaded from now on."""
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    return loads


def hear_network(page: Page) -> None:
    """The page has heard of the network once more, and has done about it what it does."""
    page.evaluate("document.querySelector('#kept p').textContent = ''")
    page.evaluate(HEAR)
    expect(page.locator("#kept")).to_have_text(BACK_AS_OF)


def reload_without_network(page: Page, context: BrowserContext, code: str) -> None:
    context.set_offline(True)
    page.goto(f"/my/{code}")
    expect(page.locator("#kept")).to_have_text(AS_OF)


def test_day_of_jobs_opens_without_a_network_and_sends_what_was_written(chromium: Browser, place: Service) -> None:
    first, second = place.seeded.orders[1:3]
    before = count_files(place, first)
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        keep_jobs(page)
        assert list(find_kept(page).values()) == [["/my", *sorted(f"/my/{code}" for code in (first, second))]]
        # Neither job was opened while there was a network.
        reload_without_network(page, page.context, first)
        expect(page.locator(".chart[data-drawn]").first).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('.bottom')).position") == "fixed"
        page.fill("#job-note-body", "No grease in the gear")
        page.get_by_role("button", name="Add note").tap()
        expect(page.locator(".bottom [data-outbox-count]")).to_have_text("1 not sent")
        page.goto("/my")
        expect(page.locator("#kept")).to_contain_text("Offline, as of")
        expect(page.locator("#outbox-says")).to_contain_text("1 not sent")
        page.locator(f'a[href="/my/{second}"]').tap()
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#kept")).to_contain_text("Offline, as of")
        # A page that is not kept leads to those that are; desktop's pages are never answered from here.
        page.goto("/my/WO-1999-000001")
        expect(page.locator("#kept")).to_contain_text("That page is not kept on this phone; these are your jobs.")
        assert page.evaluate("fetch('/inbox').then(() => 'answered', () => 'failed')") == "failed"
        page.evaluate(DROP_KEPT, f"/my/{second}")
        page.goto(f"/my/{second}")
        expect(page.locator("#kept")).to_contain_text("That page is not kept on this phone; these are your jobs.")
        page.context.set_offline(False)
        # The page that was wanted comes by itself, and says what the one before would have said.
        wait_for_fresh(page)
        expect(page.locator(".code", has_text=second)).to_be_visible()
        expect(page.locator("#outbox-says")).to_have_text("All sent.")
        assert count_files(place, first) == (before[0], before[1] + 1)
        page.goto(f"/my/{first}")
        expect(page.locator("#kept")).to_be_hidden()
        assert_quiet(watched)


@pytest.mark.parametrize("away", ["network", "service"])
def test_a_kept_page_is_fresh_by_itself_when_the_service_is_heard_again(
    chromium: Browser, place: Service, away: str
) -> None:
    code = place.seeded.orders[1]
    before = count_files(place, code)
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        keep_jobs(page)
        if away == "service":
            place.program.stop()
        else:
            page.context.set_offline(True)
        page.goto(f"/my/{code}")
        expect(page.locator("#kept")).to_have_text(AS_OF)
        page.fill("#job-note-body", "Written where nothing reaches")
        page.get_by_role("button", name="Add note").tap()
        expect(page.locator(".bottom [data-outbox-count]")).to_have_text("1 not sent")
        loads = count_loads(page)
        if away == "service":
            place.program.start()
        else:
            page.context.set_offline(False)
        wait_for_fresh(page)
        expect(page.locator("#outbox-says")).to_have_text("All sent.")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        assert count_files(place, code) == (before[0], before[1] + 1)
        assert len(loads) == 1
        assert watched.strangers == []


def test_a_kept_page_stays_where_somebody_writes_and_says_that_the_connection_is_back(
    chromium: Browser, place: Service
) -> None:
    code = place.seeded.orders[1]
    before = count_files(place, code)
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        keep_jobs(page)
        reload_without_network(page, page.context, code)
        page.fill("#job-note-body", "The gear is worn")
        page.get_by_role("button", name="Add note").tap()
        expect(page.locator("#outbox-says")).to_contain_text("1 not sent")
        finding = page.locator("#job-steps form[data-item=finding] textarea")
        finding.fill("Metal dust below the")
        loads = count_loads(page)
        page.context.set_offline(False)
        expect(page.locator("#outbox-says")).to_have_text("All sent.")
        expect(page.locator("#kept")).to_have_text(BACK_AS_OF)
        assert count_files(place, code) == (before[0], before[1] + 1)
        expect(finding).to_be_focused()
        # Nor when he has left the field: what he wrote is not sent.
        finding.blur()
        hear_network(page)
        expect(finding).to_have_value("Metal dust below the")
        # Nothing is typed here, but a form is open.
        finding.fill("")
        finding.blur()
        page.locator("#use > summary").tap()
        hear_network(page)
        assert loads == []
        page.locator("#use > summary").tap()
        expect(page.locator("#use")).not_to_have_attribute("open", "")
        finding.fill("Metal dust below the gear")
        page.get_by_role("button", name="Load again").tap()
        wait_for_fresh(page)
        expect(finding).to_have_value("Metal dust below the gear")
        finding.fill("")
        assert len(loads) == 1
        assert_quiet(watched)


def test_a_kept_page_that_comes_from_the_phone_again_is_not_loaded_again_and_again(
    chromium: Browser, place: Service
) -> None:
    code = place.seeded.orders[1]
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        keep_jobs(page)
        reload_without_network(page, page.context, code)
        loads = count_loads(page)
        # The browser believes in a network; the service is not heard.
        with page.expect_event("requestfailed", lambda request: request.url.endswith(f"/my/{code}")):
            page.evaluate(HEAR)
        expect(page.locator("#kept")).to_have_text(AS_OF)
        # The service is heard each time, and each time the page comes from the phone all the same.
        page.add_init_script(ANSWER_FOR_SERVICE)
        page.reload()
        expect(page.locator("#kept")).to_have_text(AS_OF)
        with page.expect_navigation():
            page.evaluate(HEAR)
        hear_network(page)
        hear_network(page)
        assert len(loads) == 2
        assert_quiet(watched)


@contextmanager
def open_kept_job(
    chromium: Browser, place: Service, script: str = ANSWER_FOR_SERVICE
) -> Iterator[tuple[Page, CuttingProxy]]:
    """A job as the phone keeps it, behind a network that is cut; HEAR makes the page take the service for back."""
    # Not the browser's own "offline": it comes back to a page before it comes back to the page's worker.
    with (
        cutting_proxy(Upstream(port=urlsplit(place.url).port or 0)) as network,
        open_page(chromium, f"http://127.0.0.1:{network.port}", viewport=HAND, touch=True) as (page, watched),
    ):
        sign_in(page, "tom", PASSWORD)
        keep_jobs(page)
        page.add_init_script(script)
        network.refuse(True)
        network.cut_all()
        page.goto(f"/my/{place.seeded.orders[1]}")
        expect(page.locator("#kept")).to_have_text(AS_OF)
        yield page, network
        assert watched.strangers == []


def test_a_kept_page_that_has_heard_the_service_waits_longer_for_it(chromium: Browser, place: Service) -> None:
    with open_kept_job(chromium, place) as (page, network):
        loads = count_loads(page)
        with place.program.frozen():
            network.refuse(False)
            with page.expect_request(lambda request: request.is_navigation_request()):
                page.evaluate(HEAR)
            page.wait_for_timeout(KEPT_AFTER_MS)
            assert loads == []
        wait_for_fresh(page)
        assert len(loads) == 1


def test_a_kept_page_that_has_heard_the_service_asks_again_when_it_is_cut_off(
    chromium: Browser, place: Service
) -> None:
    with open_kept_job(chromium, place) as (page, network):
        loads = count_loads(page)
        with page.expect_request(lambda request: request.is_navigation_request()):
            page.evaluate(HEAR)
        page.wait_for_timeout(CUT_OFF_MS)
        assert loads == []
        network.refuse(False)
        wait_for_fresh(page)
        assert len(loads) == 1


def test_a_kept_page_does_not_wait_for_what_it_asked_over_a_lost_connection(chromium: Browser, place: Service) -> None:
    with open_kept_job(chromium, place, HANG_ONCE) as (page, network):
        page.evaluate(HEAR)
        expect(page.locator("html[data-hung]")).to_be_attached()
        page.wait_for_timeout(GIVEN_UP_MS)
        network.refuse(False)  # and the stream of news is the first to come back
        wait_for_fresh(page)


def test_who_begins_to_write_while_a_kept_page_loads_anew_stays(chromium: Browser, place: Service) -> None:
    with open_kept_job(chromium, place) as (page, network):
        loads = count_loads(page)
        with place.program.frozen():
            network.refuse(False)
            page.evaluate(WRITE_WHILE_LEAVING)
            with page.expect_request(lambda request: request.is_navigation_request()):
                page.evaluate(HEAR)
            expect(page.locator("#job-note-body")).to_have_value("The pump hums")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        hear_network(page)
        expect(page.locator("#job-note-body")).to_have_value("The pump hums")
        assert loads == []
        # Once it is sent, the page is as the service has it.
        page.get_by_role("button", name="Add note").tap()
        expect(page.locator("#outbox-says")).to_have_text("All sent.")
        wait_for_fresh(page)


def test_signing_out_asks_about_what_is_not_sent_and_leaves_nothing_behind(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[1]
    before = count_files(place, code)
    with open_page(chromium, place.url, viewport=HAND, touch=True) as (page, watched):
        page.route("**/api/v1/work-orders/*/notes", lambda route: route.abort())
        come_in(page, "tom")
        keep_jobs(page)
        page.goto(f"/my/{code}")
        page.fill("#job-note-body", "Key is with the porter")
        page.get_by_role("button", name="Add note").tap()
        expect(page.locator("#outbox-says")).to_contain_text("1 not sent")
        leave(page)
        dialog = page.locator("#leave")
        expect(dialog).to_contain_text(f"Note · {code} · Key is with the porter")
        assert find_barriers(page) == []
        dialog.get_by_role("button", name="Stay signed in").click()
        assert find_kept(page)
        leave(page)
        dialog.get_by_role("button", name="Sign out all the same").click()
        page.wait_for_url("**/sign-in")
        assert find_kept(page) == {}
        # Another person on the same phone sees none of it, and sends none of it.
        page.unroute("**/api/v1/work-orders/*/notes")
        come_in(page, "li")
        expect(page.locator("html")).to_have_attribute("data-kept", "0")
        expect(page.locator("#outbox")).to_be_hidden()
        assert [path for paths in find_kept(page).values() for path in paths] == ["/my"]
        page.context.set_offline(True)
        page.goto(f"/my/{code}")
        expect(page.locator("#kept")).to_contain_text("That page is not kept on this phone")
        assert "Okafor" not in page.content()
        page.context.set_offline(False)
        assert count_files(place, code) == before
        # A session that ended elsewhere ends what was kept, as soon as the network says so.
        page.context.clear_cookies()
        page.goto("/my")
        page.wait_for_url("**/sign-in?next=%2Fmy")
        wait_for_nothing_kept(page)
        assert_quiet(watched)


def test_phone_has_a_low_bar_large_targets_and_few_requests(chromium: Browser, place: Service) -> None:
    code = place.seeded.orders[1]
    with open_page(chromium, place.url, viewport=PHONE, touch=True) as (page, watched):
        sign_in(page, "tom", PASSWORD)
        expect(page.locator("html")).to_have_attribute("data-kept", "2")  # what it asks for besides has come
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url) if "/events/" not in request.url else None)
        page.goto(f"/my/{code}")
        page.locator(".chart[data-drawn]").first.wait_for()
        assert len({address.partition("#")[0] for address in loaded}) <= 6, loaded
        for address in (f"/my/{code}", "/my", f"/work-orders/{code}?open=parts"):
            page.goto(address)
            page.locator("#live[data-state=on]").wait_for()
            bar = page.locator("header.top").bounding_box()
            assert bar is not None
            assert bar["height"] <= 96, address
            page.evaluate("document.querySelectorAll('main details').forEach((it) => { it.open = true; })")
            wait_for_parts(page)
            if address.startswith("/my"):
                assert page.evaluate(FIND_SMALL) == [], address
            page.locator("#places-toggle").tap()
            expect(page.get_by_role("link", name="My jobs", exact=True)).to_be_visible()
            assert page.evaluate(FIND_SMALL.replace("main *, .bottom *", "#places *")) == [], address
            assert page.evaluate(FIND_WIDE, PHONE["width"]) == [], address
            assert find_barriers(page) == [], address
            page.keyboard.press("Escape")
            expect(page.locator("#places")).to_be_hidden()
        assert_quiet(watched)
