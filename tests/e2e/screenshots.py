"""Pictures of every page in both languages and themes, wide and narrow: `python -m tests.e2e.screenshots [FOLDER]`.

All of them go to FOLDER (var/screenshots), those of the README to docs/images.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, FloatRect, ViewportSize

from tests.e2e.browser import HAND, open_page, running_chromium, sign_in
from tests.e2e.configuration_seeding import CALENDAR, POLICY
from tests.e2e.draft_seeding import seed_drafts
from tests.e2e.job_seeding import seed_job, seed_place
from tests.e2e.quality_seeding import seed_quality
from tests.e2e.release_seeding import seed_release
from tests.e2e.seeding import NEVER_SEEN, PASSWORD, SERIALS
from tests.e2e.service import Service, running_api, running_service
from tests.e2e.webhook_seeding import seed_webhooks
from tests.support.databases import embedded_server

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
# By what their pictures' names end with.
VIEWS: dict[str, ViewportSize] = {"": {"width": 1280, "height": 800}, "-narrow": {"width": 400, "height": 800}}
ADMIN = ("users", "users/mara", "roles", "tokens", "settings", "retention", "profiles", "profiles/INF-200")
CONFIGURATION = ("sla", f"sla/{POLICY}", "calendars", f"calendars/{CALENDAR}")
# In docs/images, cut at that height: the page, its language and its theme.
CHOSEN = {
    "inbox-en-light.png": ("inbox.png", 942),
    "work-order-en-light.png": ("work-order.png", 1_340),
    "work-order-zh-dark.png": ("work-order-zh-dark.png", 1_302),
}


def main(arguments: list[str]) -> int:
    """Takes all pictures; the service that is shown is made for them and gone afterwards."""
    folder = Path(arguments[0]) if arguments else ROOT / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    IMAGES.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="forewarn-screenshots-"))
    home.chmod(0o711)  # as root, PostgreSQL runs under another account
    try:
        with (
            embedded_server(home) as server,
            server.fresh_database() as database,
            server.fresh_database() as other_database,
            running_service(home / "service", database) as service,
            running_api(home / "release", other_database) as (release_url, _),
            running_chromium() as browser,
        ):
            (proposed,) = seed_release(other_database.owner_url)
            quality = seed_quality(database.owner_url, service.seeded.now)
            quality |= seed_drafts(database.owner_url, service.seeded.now)
            admin = seed_webhooks(database.owner_url, service.seeded.now)
            seed_place(database.owner_url)
            attachments = Path(service.program.environment["FOREWARN_VAR"]) / "attachments"
            seed_job(database.owner_url, service.seeded.orders[1], attachments)
            for language in ("en", "zh"):
                for theme in ("light", "dark"):
                    take_job_pictures(browser, service, folder, language, theme)
                    for end, view in VIEWS.items():
                        take_pictures(browser, service, folder, language, theme, view, end, quality, admin)
                        take_release_picture(browser, release_url, proposed, folder, language, theme, view, end)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


def take_pictures(
    browser: Browser,
    service: Service,
    folder: Path,
    language: str,
    theme: str,
    view: ViewportSize,
    end: str,
    quality: dict[str, str],
    admin: dict[str, str],
) -> None:
    """Every page in that language and theme and of that width, whole."""
    kind = f"{language}-{theme}{end}.png"
    pages = {
        "inbox": "/inbox",
        "work-orders": "/work-orders",
        "work-order": f"/work-orders/{service.seeded.orders[0]}",
        "capas": "/capa",
        "capa": f"/capa/{service.seeded.capas[0]}",
        "devices": "/devices",
        "device": f"/devices/{SERIALS[0]}",
        "device-never-seen": f"/devices/{NEVER_SEEN}",
        "customers": "/customers",
        "customer": "/customers/C-RUIJIN",
        "fleet": "/fleet",
        "kpis": "/kpis",
        "kpi": "/kpis/tickets_per_1000_device_days",
        "device-life": f"/devices/{SERIALS[0]}/life",
        "data-quality": "/data-quality",
        "monitors": "/monitors",
        "monitor": service.seeded.monitor,
        "saved-views": "/account/views",
        "lab": service.seeded.lab,
    }
    lists = ("approvals", "models", "field-actions", "firmware", "complaints", "plans")
    pages |= {name: f"/{name}" for name in lists} | {f"{name}-one": address for name, address in quality.items()}
    with open_page(browser, service.url, viewport=view, language=language, theme=theme) as (page, _):
        page.goto("/sign-in")
        page.screenshot(path=folder / f"sign-in-{kind}")
        sign_in(page, "mara", PASSWORD)
        for name, address in pages.items():
            page.goto(address)
            if page.locator(".chart .plot").count():
                page.locator(".chart[data-drawn]").first.wait_for()
            if name == "kpis":
                page.locator("svg.trend").first.wait_for()
            page.locator("#live[data-state=on]").wait_for()
            page.screenshot(path=folder / f"{name}-{kind}", full_page=True)
            if f"{name}-{kind}" in CHOSEN:
                picture, height = CHOSEN[f"{name}-{kind}"]
                top: FloatRect = {"x": 0, "y": 0, "width": view["width"], "height": height}
                page.screenshot(path=IMAGES / picture, full_page=True, clip=top)
    with open_page(browser, service.url, viewport=view, language=language, theme=theme) as (page, _):
        sign_in(page, "aya", PASSWORD)
        page.goto("/audit")
        page.screenshot(path=folder / f"audit-{kind}", full_page=True)
        for name in CONFIGURATION:
            page.goto(f"/admin/{name}")
            page.screenshot(path=folder / f"admin-{name.replace('/', '-')}-{kind}", full_page=True)
    with open_page(browser, service.url, viewport=view, language=language, theme=theme) as (page, _):
        sign_in(page, "ada", PASSWORD)
        for name in ADMIN:
            page.goto(f"/admin/{name}")
            page.screenshot(path=folder / f"admin-{name.replace('/', '-')}-{kind}", full_page=True)
        for name, address in admin.items():
            page.goto(address)
            page.screenshot(path=folder / f"admin-{name}-{kind}", full_page=True)
        page.goto("/account")
        page.screenshot(path=folder / f"account-{kind}", full_page=True)


def take_job_pictures(browser: Browser, service: Service, folder: Path, language: str, theme: str) -> None:
    """A technician's jobs and one of them as they stand on a phone, and that order with its records open."""
    code, kind = service.seeded.orders[1], f"{language}-{theme}.png"
    with open_page(browser, service.url, viewport=HAND, language=language, theme=theme, touch=True) as (page, _):
        sign_in(page, "tom", PASSWORD)
        for name, address in {"my": "/my", "job": f"/my/{code}"}.items():
            page.goto(address)
            page.locator("#live[data-state=on]").wait_for()
            page.screenshot(path=folder / f"{name}-{kind}")
        page.goto(f"/work-orders/{code}?open=parts#section-parts")
        page.screenshot(path=folder / f"job-parts-{kind}")


def take_release_picture(
    browser: Browser, url: str, code: str, folder: Path, language: str, theme: str, view: ViewportSize, end: str
) -> None:
    """The CAPA that a firmware version is proposed by, with what was compared before and after it."""
    with open_page(browser, url, viewport=view, language=language, theme=theme) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto(f"/capa/{code}")
        page.locator("#live[data-state=on]").wait_for()
        page.screenshot(path=folder / f"capa-regression-{language}-{theme}{end}.png", full_page=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
