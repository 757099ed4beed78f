"""SLA policies and calendars on their pages: shown before they are made, versions, who may, what is wrong where."""

import re
from datetime import UTC, date, datetime

import psycopg
import pytest

from domain.roles import Role
from tests.support.console_pages import Console
from tests.support.http_api import Api

WEEK = {"monday": "08:00-12:00, 13:00-17:00", "tuesday": "08:00-17:00"}
CALENDAR = {
    "code": "office",
    "name": "Office hours",
    "country": "de",
    "subdivision": "BY",
    "reason": "as agreed",
    **WEEK,
}
TIMES = {f"P{n}_{part}_h": str(n * times) for n in range(1, 5) for part, times in (("response", 1), ("resolution", 8))}
POLICY = {
    "code": "gold",
    "name": "Gold",
    "due_soon": "25",
    "pauses_RESOLUTION": ["PARTS", "ACCESS"],
    "reason": "new",
    **TIMES,
}


@pytest.fixture
def console(api: Api) -> Console:
    people = {"mona": Role.SERVICE_MANAGER, "root": Role.ADMIN, "olga": Role.AUDITOR, "tom": Role.TECHNICIAN}
    return Console(api, people)


def add_contract(api: Api) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO service_contract (code, customer_id, starts_on, ends_on)"
            " SELECT 'K-1', id, '2020-01-01', '2099-01-01' FROM customer WHERE code = 'T-C1'"
        )


def find_row_version(page: str) -> str:
    found = re.search(r'name="row_version" value="(\d+)"', page)
    assert found is not None
    return found.group(1)


def test_a_calendar_is_shown_before_it_is_made_and_a_change_before_it_counts(api: Api, console: Console) -> None:
    today = datetime.now(UTC).date()
    # A holiday that a preview sees, whatever day it is: Assumption, or Epiphany of the next year.
    holiday = date(today.year, 8, 15) if today.month < 8 else date(today.year + 1, 1, 6)
    assert "every clock counts around the clock" in console.read("mona", "/admin/calendars")
    wrong = {**CALENDAR, "monday": "8 to 5", "own_days": "tomorrow off"}
    refused = console.send("mona", "/admin/calendars", "/admin/calendars/new", wrong, 422)
    assert "Line 1 cannot be read" in refused
    refused = console.send("mona", "/admin/calendars", "/admin/calendars/new", {**wrong, "own_days": ""}, 422)
    assert "As 08:00-12:00, 13:00-17:00" in refused
    assert 'value="8 to 5"' in refused
    closed = {**CALENDAR, "monday": "", "tuesday": ""}
    refused = console.send("mona", "/admin/calendars", "/admin/calendars/new", closed, 422)
    assert "Four working hours a week at least" in refused
    unknown = {**CALENDAR, "subdivision": "QQ"}
    assert "The country has no such part" in console.send(
        "mona", "/admin/calendars", "/admin/calendars/new", unknown, 422
    )
    shown = console.send("mona", "/admin/calendars", "/admin/calendars/new", CALENDAR, 200)
    assert "Epiphany" in shown
    assert "There is no calendar yet" in shown
    place = console.send("mona", "/admin/calendars", "/admin/calendars/new", CALENDAR | {"step": "save"})
    assert place == "/admin/calendars/office?done=saved"
    page = console.read("olga", "/admin/calendars/office")
    assert "08:00–12:00, 13:00–17:00" in page
    assert "DE-BY" in page
    assert "needs the permission “write SLA policies and calendars” (sla_policy.write)" in page
    assert "服务" in console.read("olga", "/admin/calendars/office", language="zh")

    with psycopg.connect(api.settings.database_url) as conn:
        row = conn.execute(
            "UPDATE site SET name = 'Ward 7' WHERE id = (SELECT min(id) FROM site) RETURNING code"
        ).fetchone()
    assert row is not None
    unknown = {"site": "nowhere", "site_reason": "moved"}
    assert "There is no site of that code." in console.send(
        "mona", "/admin/calendars/office", "/admin/calendars/office/site", unknown, 422
    )
    console.send("mona", "/admin/calendars/office", "/admin/calendars/office/site", unknown | {"site": row[0]})
    named = f'<li>Ward 7 <span class="code small muted" translate="no">{row[0]}</span>'
    assert named in console.read("mona", "/admin/calendars/office")
    assert row[0] in console.read("olga", "/admin/calendars/office")
    assert row[0] not in console.read("root", "/admin/calendars/office")  # he sees no records

    path = "/admin/calendars/office/version"
    change = {**CALENDAR, "tuesday": "", "own_days": f"{holiday} 10:00-12:00 Stocktaking", "reason": "closed"}
    preview = console.send("mona", "/admin/calendars/office", path, change, 200)
    assert "Stocktaking" in preview
    assert "1 day ahead would be another" in preview
    assert "Sites that have it: 1." in preview
    version = find_row_version(preview)
    console.send("mona", "/admin/calendars/office", path, change | {"step": "save", "row_version": version})
    page = console.read("mona", "/admin/calendars/office")
    assert f"Own day {holiday}: – → 10:00–12:00 · Stocktaking" in page
    assert "Tuesday: 08:00–17:00 → off" in page
    late = console.send("mona", "/admin/calendars/office", path, change | {"step": "save", "row_version": version}, 412)
    assert "mona" in late
    typed = change | {"step": "save", "row_version": version, "monday": "soon"}
    assert find_row_version(console.send("mona", "/admin/calendars/office", path, typed, 422)) == version
    assert "Your text is kept" in late


def test_a_policy_is_made_given_to_a_contract_and_changed(api: Api, console: Console) -> None:
    add_contract(api)
    assert "1 contract in force counts by them." in console.read("olga", "/admin/sla")
    wrong = {**POLICY, "P2_resolution_h": "1", "P3_response_h": "soon", "reason": ""}
    refused = console.send("mona", "/admin/sla", "/admin/sla/new", wrong, 422)
    assert "It is needed." in refused
    refused = console.send("mona", "/admin/sla", "/admin/sla/new", wrong | {"reason": "new"}, 422)
    assert "A number of hours above 0" in refused
    assert 'value="Gold"' in refused
    refused = console.send("mona", "/admin/sla", "/admin/sla/new", wrong | {"reason": "new", "P3_response_h": "3"}, 422)
    assert "not below the response" in refused
    assert console.send("mona", "/admin/sla", "/admin/sla/new", POLICY) == "/admin/sla/gold?done=saved"
    assert "There is one of that code." in console.send("mona", "/admin/sla", "/admin/sla/new", POLICY, 422)
    assert "P1 1/8 h" in console.read("root", "/admin/sla")

    give = {"contract": "K-2", "contract_reason": "signed"}
    unknown = console.send("mona", "/admin/sla/gold", "/admin/sla/gold/contract", give, 422)
    assert "There is no contract of that code." in unknown
    console.send("mona", "/admin/sla/gold", "/admin/sla/gold/contract", give | {"contract": "K-1"})
    assert "K-1" in console.read("olga", "/admin/sla/gold")
    assert "K-1" not in console.read("root", "/admin/sla/gold")

    change = {**POLICY, "P1_response_h": "0.5", "P1_always": "on", "pauses_RESOLUTION": ["PARTS"], "reason": "shorter"}
    preview = console.send("mona", "/admin/sla/gold", "/admin/sla/gold/version", change, 200)
    assert "What version 2 would change" in preview
    assert "Contracts that have it: 1." in preview
    version = find_row_version(preview)
    assert "Version 2" not in console.read("mona", "/admin/sla")  # nothing was made yet
    save = change | {"step": "save", "row_version": version}
    console.send("mona", "/admin/sla/gold", "/admin/sla/gold/version", save)
    page = console.read("olga", "/admin/sla/gold")
    assert "P1 · Response, hours: 1 h → 0.5 h" in page
    assert "What pauses the clock “Resolution”: access, parts → parts" in page
    assert "“解决”时限因何暂停" in console.read("olga", "/admin/sla/gold", language="zh")
    assert "Your text is kept" in console.send("mona", "/admin/sla/gold", "/admin/sla/gold/version", save, 412)
    # What somebody typed before the change, and typed wrong, is still of the version that was seen.
    typed = save | {"P1_response_h": "soon"}
    refused = console.send("mona", "/admin/sla/gold", "/admin/sla/gold/version", typed, 422)
    assert find_row_version(refused) == version


def test_who_may_and_what_the_api_previews(api: Api, console: Console) -> None:
    assert "configuration.read" in console.read("tom", "/admin/sla", 403)
    refused = api.client.post("/admin/sla/new", headers=console.sessions["root"].writing, data=POLICY)
    assert refused.status_code == 403
    mona = console.sessions["mona"].writing
    terms = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
    policy = {"name": "Gold", "terms": terms}
    assert api.post("/sla-policies", headers=mona, json=policy | {"code": "gold"}).status_code == 201
    assert api.get("/sla-policies/gold/usage", headers=console.sessions["root"].reading).json()["contracts"] == 0
    preview = api.post("/sla-policies/gold/preview", headers=mona, json=policy | {"due_soon_share": 0.5}).json()
    assert preview["version"] == 2
    assert preview["changes"] == [{"path": "due_soon_share", "before": 0.25, "after": 0.5}]
    assert api.post("/sla-policies/none/preview", headers=mona, json=policy).status_code == 404
    calendar = {"name": "Office", "weekly": {"monday": ["08:00-17:00"]}, "country": "DE"}
    days = api.post("/service-calendars/preview", headers=mona, json=calendar).json()["days"]
    assert {day["name"] for day in days} >= {"Christmas Day"}
    assert api.post("/service-calendars", headers=mona, json=calendar | {"code": "office"}).status_code == 201
    nothing = api.post("/service-calendars/office/preview", headers=mona, json=calendar).json()
    assert (nothing["changes"], nothing["day_changes"], nothing["usage"]["sites"]) == ([], [], 0)
    assert api.get("/service-calendars/office/usage", headers=mona).json()["policies"] == 0
    moved = api.post("/service-calendars/office/preview", headers=mona, json=calendar | {"country": ""}).json()
    assert {change["before"]["kind"] for change in moved["day_changes"]} == {"HOLIDAY"}
