"""Calendars, policies and clocks by REST: versions, who may, what a field at fault is called, the sum explained."""

from typing import Any

import httpx
import psycopg
import pytest

from domain.roles import Role
from tests.support.http_api import PASSWORD, Api, find_errors

OFFICE = {"monday": ["08:00-12:00", "13:00-17:00"], "tuesday": ["08:00-17:00"]}
CALENDAR = {"code": "office", "name": "Office hours", "weekly": OFFICE, "country": "DE", "subdivision": "BY"}
TERMS = {f"P{n}": {"response_h": n, "resolution_h": 8 * n} for n in range(1, 5)}
WHY = "as the hospital in T-C1 has it"
POLICY = {"code": "gold", "name": "Gold", "terms": TERMS, "service_calendar": "office"}


@pytest.fixture
def mona(api: Api) -> dict[str, str]:
    """Headers of a service manager."""
    api.add_user("mona", Role.SERVICE_MANAGER)
    return api.sign_in("mona").writing


def put(api: Api, path: str, **arguments: Any) -> httpx.Response:
    return api.request("PUT", path, **arguments)


def find_site(api: Api, customer: str) -> str:
    with psycopg.connect(api.settings.database_url) as conn:
        row = conn.execute(
            "SELECT s.code FROM site s JOIN customer c ON c.id = s.customer_id WHERE c.code = %s ORDER BY s.id LIMIT 1",
            (customer,),
        ).fetchone()
    assert row is not None
    return str(row[0])


def add_contract(api: Api, customer: str) -> str:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO service_contract (code, customer_id, starts_on, ends_on)"
            " SELECT 'K-1', id, '2020-01-01', '2099-01-01' FROM customer WHERE code = %s",
            (customer,),
        )
    return "K-1"


def test_a_calendar_and_its_versions(api: Api, mona: dict[str, str]) -> None:
    made = api.post("/service-calendars", headers=mona, json=CALENDAR)
    assert made.status_code == 201
    days = {day["day"]: day for day in made.json()["days"]}
    year = made.json()["first_year"] + 1
    assert days[f"{year}-12-25"]["hours"] == []
    assert f"{year}-12-24" not in days
    assert api.post("/service-calendars", headers=mona, json=CALENDAR).json()["guard"] == "code_taken"
    own = {"day": f"{year}-12-24", "hours": ["08:00-12:00"], "name": "Christmas Eve"}
    change = {k: v for k, v in CALENDAR.items() if k != "code"} | {"own_days": [own], "reason": "half a day"}
    path = "/service-calendars/office"
    assert put(api, path, headers=mona, json=change).status_code == 428
    changed = put(api, path, headers={**mona, "If-Match": made.headers["etag"]}, json=change)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["version"], own in changed.json()["days"]) == (2, True)
    stale = put(api, path, headers={**mona, "If-Match": made.headers["etag"]}, json=change)
    assert (stale.status_code, stale.json()["current"]["changed_by"]) == (412, "mona")
    versions = api.get(f"{path}/versions", headers=mona).json()["items"]
    assert [(v["version"], v["reason"]) for v in versions] == [(2, "half a day"), (1, "")]
    auditor = api.token(Role.AUDITOR)
    assert api.get(path, headers=auditor).headers["etag"] == changed.headers["etag"]
    assert api.post("/service-calendars", headers=auditor, json=CALENDAR).json()["permission"] == "sla_policy.write"


def test_a_calendar_that_cannot_be_names_the_field(api: Api, mona: dict[str, str]) -> None:
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"weekly": {}}, "weekly"),
        ({"weekly": {"monday": ["8-12"]}}, "weekly.monday"),
        ({"weekly": {"monday": ["22:00-06:00"]}}, "weekly.monday"),
        ({"weekly": {"monday": ["08:00-12:00", "11:00-17:00"]}}, "weekly.monday"),
        ({"weekly": {"monday": ["08:00-24:30"]}}, "weekly.monday"),
        ({"country": "QQ"}, "country"),
        ({"subdivision": "ZZ"}, "subdivision"),
        ({"country": "", "subdivision": "BY"}, "subdivision"),
        ({"own_days": [{"day": "2026-01-02"}, {"day": "2026-01-02"}]}, "own_days[1].day"),
        ({"own_days": [{"day": "2026-01-02", "hours": ["x"]}]}, "own_days[0].hours"),
    ]
    for wrong, field in wrongs:
        refused = api.post("/service-calendars", headers=mona, json={**CALENDAR, **wrong})
        assert (refused.status_code, set(find_errors(refused))) == (422, {field}), wrong
    assert api.get("/service-calendars", headers=mona).json()["items"] == []


def test_a_policy_and_its_mistakes(api: Api, mona: dict[str, str]) -> None:
    unknown = api.post("/sla-policies", headers=mona, json=POLICY)
    assert set(find_errors(unknown)) == {"service_calendar"}
    api.post("/service-calendars", headers=mona, json=CALENDAR)
    for wrong, field in (
        ({"terms": {**TERMS, "P2": {"response_h": 9, "resolution_h": 8}}}, "terms.P2.resolution_h"),
        ({"terms": {**TERMS, "P3": {"response_h": 0, "resolution_h": 8}}}, "terms.P3.response_h"),
        ({"pauses": {"RESPONSE": ["LUNCH"]}}, "pauses.RESPONSE"),
        ({"due_soon_share": 1}, "due_soon_share"),
    ):
        refused = api.post("/sla-policies", headers=mona, json={**POLICY, **wrong})
        assert (refused.status_code, set(find_errors(refused))) == (422, {field})
    made = api.post("/sla-policies", headers=mona, json=POLICY)
    assert made.json()["pauses"] == {"RESPONSE": [], "RESOLUTION": ["ACCESS", "CUSTOMER", "PARTS"]}
    change = {k: v for k, v in POLICY.items() if k != "code"} | {"service_calendar": None}
    changed = put(api, "/sla-policies/gold", headers={**mona, "If-Match": made.headers["etag"]}, json=change)
    assert (changed.json()["version"], changed.json()["service_calendar"]) == (2, None)
    versions = api.get("/sla-policies/gold/versions", headers=mona).json()["items"]
    assert [(v["version"], v["service_calendar"]) for v in versions] == [(2, None), (1, "office")]


def test_what_a_site_and_a_contract_have_and_what_their_customer_sees(api: Api, mona: dict[str, str]) -> None:
    site, contract = find_site(api, "T-C0"), add_contract(api, "T-C0")
    api.post("/service-calendars", headers=mona, json={**CALENDAR, "reason": WHY})
    api.post("/service-calendars", headers=mona, json={**CALENDAR, "code": "other"})
    api.post("/sla-policies", headers=mona, json={**POLICY, "service_calendar": None, "reason": WHY})
    for path, field, value in (
        (f"/sites/{site}/service-calendar", "service_calendar", "office"),
        (f"/contracts/{contract}/sla-policy", "sla_policy", "gold"),
    ):
        before = api.get(path, headers=mona)
        assert before.json()[field] is None
        matching = {**mona, "If-Match": before.headers["etag"]}
        assert set(find_errors(put(api, path, headers=matching, json={field: "none such"}))) == {field}
        after = put(api, path, headers=matching, json={field: value, "reason": "as agreed"})
        assert (after.status_code, after.json()[field]) == (200, value)
        assert put(api, path, headers=matching, json={field: None}).status_code == 412
        assert api.get(path, headers=api.token(Role.CUSTOMER, customer="T-C0")).json()[field] == value
        assert api.get(path, headers=api.token(Role.CUSTOMER, customer="T-C1")).status_code == 404
    for listed, codes in (("/service-calendars", ["office"]), ("/sla-policies", ["gold"])):
        own = api.get(listed, headers=api.token(Role.CUSTOMER, customer="T-C0")).json()["items"]
        assert [(item["code"], item["reason"]) for item in own] == [(codes[0], "")]
        assert api.get(listed, headers=mona).json()["items"][0]["reason"] == WHY
        assert api.get(listed, headers=api.token(Role.CUSTOMER, customer="T-C1")).json()["items"] == []
        first = api.get(f"{listed}?limit=1", headers=mona).json()
        assert [item["code"] for item in first["items"]] == codes
    assert api.get("/service-calendars/other", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 404


def test_the_clocks_of_an_order_with_their_sum_and_a_waiver_by_two(api: Api, mona: dict[str, str]) -> None:
    contract = add_contract(api, "T-C0")
    always = {"code": "always", "name": "Always", "weekly": {day: ["00:00-24:00"] for day in OFFICE}}
    assert api.post("/service-calendars", headers=mona, json=always).status_code == 201
    assert api.post("/sla-policies", headers=mona, json={**POLICY, "service_calendar": "always"}).status_code == 201
    version = api.get(f"/contracts/{contract}/sla-policy", headers=mona).headers["etag"]
    put(api, f"/contracts/{contract}/sla-policy", headers={**mona, "If-Match": version}, json={"sla_policy": "gold"})
    order = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks.", "priority": "P2"}
    code = api.post("/work-orders", headers=mona, json=order).json()["code"]
    clocks = api.get(f"/work-orders/{code}/sla", headers=mona).json()
    assert [(c["clock"], c["state"], c["version"]) for c in clocks["items"]] == [
        ("RESOLUTION", "RUNNING", 1),
        ("RESPONSE", "RUNNING", 1),
    ]
    (limit,) = clocks["items"][0]["limits"]
    assert (limit["allowed_h"], limit["sla_policy"], limit["sla_policy_version"]) == (16, "gold", 1)
    assert (limit["service_calendar"], limit["service_calendar_version"], limit["governs"]) == ("always", 1, True)
    assert clocks["items"][0]["explanation"]["en"][0].startswith("16 h 00 min allowed from ")
    assert api.get(f"/work-orders/{code}", headers=mona).json()["resolution_due_at"] == clocks["items"][0]["due_at"]
    wish = {
        "kind": "sla_waiver",
        "entity_id": code,
        "payload": {"clock": "RESOLUTION", "version": 1},
        "reason": "the ward was closed",
        "password": PASSWORD,
        "meaning": "I ask for it",
    }
    wrong = {**wish, "payload": {"clock": "COFFEE", "until": 1}}
    errors = find_errors(api.post("/approval-requests", headers=mona, json=wrong))
    assert set(errors) == {"payload.clock", "payload.version", "payload.until"}
    asked = api.post("/approval-requests", headers=mona, json=wish)
    assert asked.status_code == 201, asked.text
    api.add_user("max", Role.SERVICE_MANAGER)
    second = {**api.sign_in("max").writing, "If-Match": asked.headers["etag"]}
    grant = {"to": "GRANTED", "password": PASSWORD, "meaning": "I agree"}
    path = f"/approval-requests/{asked.json()['code']}/transitions"
    assert (
        api.post(path, headers={**mona, "If-Match": asked.headers["etag"]}, json=grant).json()["guard"]
        == "second_person"
    )
    granted = api.post(path, headers=second, json=grant)
    assert granted.status_code == 200, granted.text
    for headers, reason in ((mona, "the ward was closed"), (api.token(Role.CUSTOMER, customer="T-C0"), "")):
        (clock, _) = api.get(f"/work-orders/{code}/sla", headers=headers).json()["items"]
        assert (clock["state"], clock["due_at"], clock["waiver_reason"]) == ("STOPPED", None, reason)
        assert clock["events"][-1]["reason"] == reason
    assert api.get(f"/work-orders/{code}/sla", headers=api.token(Role.CUSTOMER, customer="T-C1")).status_code == 404
