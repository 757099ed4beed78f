"""A proposal of the machine, its figures, and what people make of it, to the closure that rests on figures."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from service_link.effectiveness import measure_effectiveness
from tests.e2e.browser import open_page, sign_in
from tests.e2e.quality_seeding import open_desk
from tests.e2e.seeding import PASSWORD
from tests.e2e.service import Service
from tests.e2e.test_pages import find_barriers

pytestmark = pytest.mark.browser


def test_who_may_not_decide_is_told_so(chromium: Browser, service: Service) -> None:
    with open_page(chromium, service.url) as (page, _):
        sign_in(page, "sven", PASSWORD)
        page.goto(f"/capa/{service.seeded.capas[0]}")
        expect(page.get_by_role("heading", level=1)).to_have_text(service.seeded.capas[0])
        expect(page.locator("#act-capa_open")).to_have_count(0)
        expect(page.locator("#why-capa_open")).to_have_text(
            "needs the permission “decide on proposed CAPAs” (capa.decide)"
        )


def take(page: Page, act: str, **fields: str) -> None:
    """Opens the form of that step, fills it in and sends it; a select is chosen, the rest is typed."""
    page.locator(f"#act-{act} > summary").click()
    for name, value in fields.items():
        field = page.locator(f"#act-{act} [name='{name.replace('__', '-')}']")
        if field.evaluate("(it) => it.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    with page.expect_navigation():
        page.locator(f"#act-{act} button[type=submit]").click()
    page.get_by_text("Saved.").wait_for()


def test_a_capa_from_proposal_to_effectiveness_and_closure(chromium: Browser, service: Service) -> None:
    code = service.seeded.capas[0]
    with psycopg.connect(service.database.owner_url) as conn:
        open_desk(conn)

    with (
        open_page(chromium, service.url) as (mara, watched),
        open_page(chromium, service.url) as (quinn, _),
        open_page(chromium, service.url) as (vera, _),
    ):
        sign_in(mara, "mara", PASSWORD)
        mara.get_by_role("link", name=code).click()
        expect(mara.get_by_text("Proposed by machine; nothing decided.")).to_be_visible()
        expect(mara.get_by_text("firmware 2.4.1: 5 cases")).to_be_visible()
        figures = mara.locator("section[aria-labelledby=cohort-title] table").first.locator("tbody tr")
        expect(figures).to_contain_text("INF-200, firmware 2.4.1")
        expect(figures).to_contain_text("< 0.0001")
        expect(mara.locator("section[aria-labelledby=members-title] tbody tr")).to_have_count(5)
        take(mara, "capa_open", reason="Five of five pumps on 2.4.1")
        expect(mara.get_by_text("Opened by Mara Lindqvist: Five of five pumps on 2.4.1")).to_be_visible()

        sign_in(quinn, "quinn", PASSWORD)
        quinn.goto(f"/capa/{code}")
        quinn.locator("#act-capa_investigate button").click()
        expect(quinn.locator("#why-capa_plan")).to_have_text("Say what the problem is.")
        why = {
            f"c0__why{step}": text
            for step, text in enumerate(("the motor draws more", "it stalls", "its start is 2 ms late"))
        }
        evidence = {"c0__e0-kind": "DOCUMENT", "c0__e0-ref": "LAB-17"}
        cause = {"c0__statement": "The new driver starts late", "c0__category": "MACHINE", "c0__verdict": "ROOT"}
        take(quinn, "root_cause", problem="The motor current of 2.4.1 is too high", **cause, **why, **evidence)
        expect(quinn.locator("section[aria-labelledby=cause-title]")).to_contain_text("Why 3 its start is 2 ms late")
        quinn.locator("#act-capa_plan button").click()
        day = (service.seeded.now + timedelta(days=30)).date().isoformat()
        take(quinn, "action_add", text="Driver of 2.3.0 again", kind="CORRECTIVE", owner="rosa", due_on=day)
        # Its forms are folded away and take no room.
        box = quinn.locator("section[aria-labelledby=actions-title]").bounding_box()
        assert box is not None
        assert box["height"] < 400
        plan = {"metric": "BREACH_RATE", "limit_kind": "RATE", "limit": "20", "period_days": "60"}
        take(quinn, "effectiveness", **plan)

        signed = {"password": PASSWORD}
        mara.goto(f"/capa/{code}")
        take(mara, "capa_approve", **signed)
        expect(mara.locator("#why-capa_approve")).to_have_text("You have signed this already; a second person must.")
        sign_in(vera, "vera", PASSWORD)
        vera.goto(f"/capa/{code}")
        take(vera, "capa_approve", **signed)
        expect(vera.locator("section[aria-labelledby=signed-title]")).to_contain_text("Vera Novak (vera)")

        quinn.goto(f"/capa/{code}")
        take(quinn, "action_done_1", evidence="Released and installed at all five", ref_kind="DEVICE", ref="INF-74821")
        quinn.locator("#act-capa_verify button").click()
        expect(quinn.locator("#why-action_verified_1")).to_contain_text("Nobody decides on, approves or verifies")
        vera.goto(f"/capa/{code}")
        take(vera, "action_verified_1", evidence="Seen on three pumps")
        take(vera, "capa_measure", reason="Flow and start were measured: no change")
        expect(vera.locator("#why-capa_close")).to_have_text("The period in which the effect is measured is not over.")

        let_the_period_pass(service, code)
        quinn.goto(f"/capa/{code}")
        expect(quinn.get_by_text("Over the whole period: effective.")).to_be_visible()
        expect(quinn.get_by_text("The figures speak for: Close. A person decides.")).to_be_visible()
        assert find_barriers(quinn) == []
        take(quinn, "capa_close", **signed)
        mara.goto(f"/capa/{code}")
        take(mara, "capa_close", **signed)
        expect(mara.locator(".ident .state").first).to_have_text("Closed")
        expect(mara.get_by_text("No step is offered in this state.")).to_be_visible()
        assert (watched.errors, watched.strangers) == ([], [])


def let_the_period_pass(service: Service, code: str) -> None:
    """As if the sixty days lay behind, which saw no breach; the service measures."""
    ago = timedelta(days=70)
    with psycopg.connect(service.database.owner_url, autocommit=True) as conn:
        conn.execute(
            "UPDATE capa SET effective_from = effective_from - %s, effective_until = effective_until - %s"
            " WHERE code = %s",
            (ago, ago, code),
        )
        assert measure_effectiveness(conn, datetime.now(UTC)) == [code]
