"""Who reads: a customer's user who sees only its own, a window that lost its connection, somebody without a mouse."""

from datetime import UTC, datetime

import psycopg
import pytest
from playwright.sync_api import Browser, expect

from api.passwords import hash_password
from store.customers import load_customer_id
from store.registry import load_registry
from store.users import record_user
from tests.e2e.browser import open_page, press_in_a_row, sign_in
from tests.e2e.seeding import PASSWORD, SERIALS, load_profile_of, raise_breach, triage
from tests.e2e.service import Service

pytestmark = pytest.mark.browser
# Devices are dealt to three customers in turn; these are Riverbank Hospital's.
OWN = SERIALS[::3]
FOREIGN = SERIALS[8]
COUNT_OWN = """
    SELECT count(*) FROM work_order w JOIN device d ON d.id = w.device_id
    WHERE d.serial = ANY (%s) AND w.inbox_reason IS NOT NULL
"""
FIND_ORDER_OF = "SELECT w.code FROM work_order w JOIN device d ON d.id = w.device_id WHERE d.serial = %s"


def open_order(service: Service, serial: str, monitor: str) -> None:
    """A breach of that pump and the order that it leads to, committed."""
    with psycopg.connect(service.database.owner_url) as conn:
        now = datetime.now(UTC)
        raise_breach(conn, load_registry(conn), load_profile_of("infusion_pump"), serial, monitor, now)
        conn.commit()
        triage(conn, now)


def find_value(service: Service, query: str, value: object) -> object:
    with psycopg.connect(service.database.owner_url) as conn:
        row = conn.execute(query.encode(), (value,)).fetchone()
    assert row is not None
    return row[0]


def test_a_customers_user_sees_and_hears_of_its_own_alone(chromium: Browser, service: Service) -> None:
    with psycopg.connect(service.database.owner_url) as conn:
        record_user(
            conn,
            name="rita",
            full_name="Rita Wu",
            password_hash=hash_password(PASSWORD),
            roles=["customer"],
            must_change_password=False,
            customer_id=load_customer_id(conn, "C-RUIJIN"),
        )
    with open_page(chromium, service.url) as (page, watched):
        sign_in(page, "rita", PASSWORD)
        page.goto("/inbox")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        rows = page.locator("tr[data-row]")
        shown = find_value(service, COUNT_OWN, list(OWN))
        assert shown
        expect(rows).to_have_count(int(str(shown)))
        assert all(any(serial in text for serial in OWN) for text in rows.all_inner_texts())
        expect(page.get_by_role("button", name="Accept and assign")).to_have_count(0)
        # Another customer's order opens, then one of its own: it hears of one.
        open_order(service, FOREIGN, "pressure_high")
        open_order(service, OWN[1], "battery_health_low")
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        page.keyboard.press(".")
        expect(rows).to_have_count(int(str(shown)) + 1)
        page.goto(f"/work-orders/{find_value(service, FIND_ORDER_OF, FOREIGN)}")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such record")
        page.goto(f"/devices?q={FOREIGN}")
        expect(page.get_by_role("link", name=FOREIGN)).to_have_count(0)
        assert (watched.errors, watched.strangers) == ([], [])


def test_a_fault_is_opened_noted_and_left_without_a_mouse(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, watched):
        page.goto("/sign-in")
        page.focus("#name")
        page.keyboard.type("mara")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/inbox")
        page.keyboard.press("j")
        code = page.locator("tr[data-cursor]").get_attribute("data-row")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/work-orders/{code}")  # until it is loaded: keys before that are the browser's own
        expect(page.get_by_role("heading", level=1)).to_have_text(str(code))
        page.keyboard.press("c")
        expect(page.locator("#note")).to_be_focused()
        page.keyboard.type("Seen without a mouse")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".timeline .body").first).to_have_text("Seen without a mouse")
        page.wait_for_load_state("load")
        press_in_a_row(page, "g", "i")
        page.wait_for_url("**/inbox")
        assert watched.errors == []


def test_a_window_that_lost_the_server_catches_up(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "mara", PASSWORD)
        page.goto("/inbox")
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        shown = page.locator("tr[data-row]").count()
        service.program.stop()
        expect(page.locator("#live")).to_have_attribute("data-state", "stale")
        expect(page.locator("tr[data-row]")).to_have_count(shown)
        open_order(service, SERIALS[4], "battery_health_low")
        service.program.start()
        expect(page.locator("#live")).to_have_attribute("data-state", "on")
        expect(page.locator("#pending button")).to_have_text("1 new · Show (.)")
        page.keyboard.press(".")
        expect(page.locator("tr[data-row]")).to_have_count(shown + 1)
