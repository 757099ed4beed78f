"""Maintenance plans on their page: made, due, left out by two people, ended."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.roles import Role
from service_link.plans import keep_plans
from store.pool import open_connection
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api

YEARLY = {
    "name": "Yearly safety check",
    "order_type": "PREVENTIVE",
    "model": "TEST-100",
    "kind": "CALENDAR",
    "anchor": "FLOATING",
    "every_count": "1",
    "every_unit": "YEAR",
    "lead_days": "14",
    "priority": "P3",
}


@pytest.fixture
def console(api: Api) -> Console:
    people = {"mona": Role.SERVICE_MANAGER, "dirk": Role.DISPATCHER, "tom": Role.TECHNICIAN}
    return Console(api, people)


def test_a_plan_is_made_an_occurrence_left_out_by_two_and_the_plan_ended(api: Api, console: Console) -> None:
    assert "Nothing is due that matches." in console.read("tom", "/plans")
    assert "needs the permission “write maintenance plans” (maintenance_plan.write)" in console.read("tom", "/plans")
    wrong = console.send("mona", "/plans", "/plans/new", {**YEARLY, "every_count": ""}, 422)
    assert "Is missing." in wrong
    assert 'value="Yearly safety check"' in wrong
    place = console.send("mona", "/plans", "/plans/new", YEARLY).replace("&done=saved", "")
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        installed = (datetime.now(UTC) - timedelta(days=20)).date()
        conn.execute("UPDATE device SET installed_on = %s", (installed,))
        keep_plans(conn, datetime.now(UTC))
        row = conn.execute("SELECT code FROM plan_occurrence ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    code = row[0]
    assert "every 1 year, counted from when it was done" in console.read("mona", place)
    page = console.read("mona", f"/plans?occurrence={code}")
    assert 'id="act-plan_skip"' in page
    assert "T-0000" in page

    ask = {"occurrence": code, "reason": "the ward is closed", "meaning": "I ask for this"}
    assert "That is not your password." in console.send("dirk", "/plans", "/plans/skips", ask | {"password": "x"}, 422)
    request = console.send("dirk", "/plans", "/plans/skips", ask | {"password": PASSWORD}).partition("?")[0]
    assert "asked for already: AR-" in console.read("mona", f"/plans?occurrence={code}")
    again = console.send("mona", "/plans", "/plans/skips", ask | {"password": PASSWORD}, 409)
    assert "This was asked for already and waits for a decision." in again
    granted = {"to": "GRANTED", "password": PASSWORD, "meaning": "Reviewed and granted"}
    assert "Dirk asks: Leave out planned maintenance" in console.read("mona", request)
    console.send("mona", request, f"{request}/decision", granted)
    assert "the ward is closed" in console.read("tom", "/plans?state=SKIPPED")

    plan = place.partition("=")[2]
    refused = console.send("mona", place, "/plans/end", {"plan": plan, "reason": " "}, 409)
    assert "A reason is needed." in refused
    console.send("mona", place, "/plans/end", {"plan": plan, "reason": "every six months from now on"})
    assert "计划已终止。" in console.read("mona", place, language="zh")


def test_an_account_of_one_customer_sees_what_is_due_at_its_own_devices(api: Api, console: Console) -> None:
    console.send("mona", "/plans", "/plans/new", YEARLY)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        conn.execute("UPDATE device SET installed_on = current_date - 20")
        keep_plans(conn, datetime.now(UTC))
        conn.execute("UPDATE customer SET name = 'Lakeside Hospital' WHERE code = 'T-C1'")
        conn.execute("UPDATE site SET name = 'Ward 7' FROM device d WHERE d.site_id = site.id AND d.serial = 'T-0001'")
    own = Console(api, {"carl": Role.CUSTOMER}, customer="T-C1")
    page = own.read("carl", "/plans")
    assert ("T-0001" in page, "T-0000" in page) == (True, False)
    assert ">Lakeside Hospital · Ward 7</td>" in page
    assert 'title="T-C1 · ' in page
    ours = console.read("mona", "/plans")
    assert "Lakeside Hospital · Ward 7" in ours
    assert ">T-C" not in ours
