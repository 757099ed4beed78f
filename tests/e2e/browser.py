"""Chromium for the stories: one browser, a fresh context each, every request and console message watched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize, expect, sync_playwright

from api.sign_in import COOKIE
from tests.support.services import find_chromium, miss

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container's /dev/shm is small, and a page that fills it crashes
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page is gone before code that was optimised for it could pay for that: a sixth of what looking at a page takes.
    "--js-flags=--no-opt --no-maglev",
]
# Nothing waits as long on a machine that has nothing else to do.
PATIENCE_MS = 60_000
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
SMALL_DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 320, "height": 640}
HAND: ViewportSize = {"width": 390, "height": 844}


# By service and person. No two services of one process have the same address.
_SESSIONS: dict[tuple[str, str], str] = {}


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A headless Chromium that talks to nobody by itself."""
    path = find_chromium() or miss("Chromium is not installed: `apt-get install chromium-headless-shell` or the like")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(slots=True)
class Watched:
    """What a page did that it should not have: errors, and requests to other hosts."""

    host: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Watches that page from now on."""
        page.on("console", lambda message: self._take_message(message))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._take_request(request))

    def _take_message(self, message: ConsoleMessage) -> None:
        # A refused form is answered with 4xx on purpose, and the browser says so.
        if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
            self.errors.append(message.text)

    def _take_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self.host:
            self.strangers.append(request.url)


@contextmanager
def open_page(
    browser: Browser,
    base_url: str,
    *,
    viewport: ViewportSize = DESKTOP,
    language: str = "en",
    theme: str = "light",
    touch: bool = False,
) -> Iterator[tuple[Page, Watched]]:
    """A page of a fresh browser in that language and theme, and what it does wrong. With `touch` it is a phone's."""
    context = browser.new_context(
        base_url=base_url,
        viewport=viewport,
        locale="zh-CN" if language == "zh" else "en-GB",
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id="Asia/Shanghai",
        has_touch=touch,
        is_mobile=touch,
    )
    context.set_default_timeout(PATIENCE_MS)  # of its pages, and of what a test asks for beside them
    watched = Watched(urlsplit(base_url).netloc)
    page = context.new_page()
    watched.follow(page)
    try:
        yield page, watched
    finally:
        # A request that a test's own handler has in hand when the story ends is nobody's any more, and no error.
        if not page.is_closed():
            page.unroute_all(behavior="ignoreErrors")
        context.close()


def wait_for_parts(page: Page) -> None:
    """What the page fetches when it, or a section of it, is opened has come."""
    expect(page.locator("details[data-section][open] > .section-body > p:only-child > a[href*='open=']")).to_have_count(
        0
    )
    expect(page.locator(".htmx-request")).to_have_count(0)


def press_in_a_row(page: Page, *keys: str) -> None:
    """Keys that mean something together only, one soon after the other: for the page no time passes between them,
    however long this machine takes. Its clock stands still from then on; what it waits for goes on."""
    page.clock.set_fixed_time(datetime.now(UTC))
    for key in keys:
        page.keyboard.press(key)


def sign_in(page: Page, name: str, password: str) -> None:
    """Where that person's day begins is there on return. The first time through the door, later with the session from
    then, as in another window of one browser: to look at a password takes a fifth of a second."""
    place = page.request.get("/sign-in").url
    token = _SESSIONS.get((place, name))
    if token is not None:
        page.context.add_cookies([{"name": COOKIE, "value": token, "url": place}])
        page.goto("/")
        if "/sign-in" not in page.url:
            return
    page.goto("/sign-in")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("form[action='/sign-in'] button[type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    tokens = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == COOKIE]
    _SESSIONS[place, name] = tokens[0]
