"""Plans, occurrences and reminders by REST: who makes them, what is refused by field, and what a customer sees."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain.roles import Role
from service_link.plans import keep_plans
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.http_api import Api, find_errors

YEARLY = {
    "name": "Yearly check",
    "order_type": "PREVENTIVE",
    "kind": "CALENDAR",
    "model": "TEST-100",
    "every_count": 1,
    "every_unit": "YEAR",
    "lead_days": 30,
}


def make(api: Api, headers: dict[str, str], **more: Any) -> httpx.Response:
    return api.post("/maintenance-plans", headers=headers, json={**YEARLY, **more})


def test_a_plan_is_made_counted_out_listed_and_ended(api: Api, database: Database) -> None:
    api.add_user("mona", Role.SERVICE_MANAGER)
    mona = api.sign_in("mona").writing
    made = make(api, mona)
    code = made.json()["code"]
    assert (made.status_code, made.headers["location"]) == (201, f"/api/v1/maintenance-plans/{code}")
    assert make(api, api.token(Role.DISPATCHER)).status_code == 403
    assert set(find_errors(make(api, mona, model="moon"))) == {"model"}
    assert set(find_errors(make(api, mona, every_unit=None))) == {"every_unit"}
    assert set(find_errors(make(api, mona, usage_every=5.0))) == {"usage_every"}
    assert make(api, mona, serial="NOBODY").status_code == 404
    other = make(api, mona, serial="T-0001", name="One alone", order_type="CALIBRATION").json()
    now = datetime.now(UTC)
    installed_on = (now - timedelta(days=100)).date().replace(day=15)  # so that nothing is due within the lead
    with open_connection(database.url, application="test", autocommit=True) as conn:
        conn.execute("UPDATE device SET installed_on = %s", (installed_on,))
        keep_plans(conn, now)
    path = f"/maintenance-plans/occurrences?plan={code}&limit=4"
    first = api.get(path, headers=mona).json()
    rest = api.get(f"{path}&cursor={first['next_cursor']}", headers=mona).json()
    assert [o["serial"] for o in first["items"] + rest["items"]] == [f"T-000{n}" for n in range(6)]
    assert {o["due_on"] for o in first["items"]} == {installed_on.replace(year=installed_on.year + 1).isoformat()}
    customer = api.token(Role.CUSTOMER, customer="T-C0")
    theirs = api.get("/maintenance-plans/occurrences", headers=customer).json()["items"]
    assert {o["serial"] for o in theirs} == {"T-0000", "T-0002", "T-0004"}
    plans = api.get("/maintenance-plans", headers=customer).json()["items"]
    assert [(p["code"], p["open_occurrences"]) for p in plans] == [(code, 3)]
    assert api.get(f"/maintenance-plans/{other['code']}", headers=customer).status_code == 404
    detail = api.get(f"/maintenance-plans/{code}", headers=mona)
    assert detail.json()["open_occurrences"] == 6
    path, headers = f"/maintenance-plans/{code}/transitions", {**mona, "If-Match": detail.headers["etag"]}
    assert api.post(path, headers=headers, json={"to": "ENDED"}).json()["guard"] == "reason_missing"
    ended = api.post(path, headers=headers, json={"to": "ENDED", "reason": "another one"})
    assert (ended.json()["state"], ended.json()["open_occurrences"]) == ("ENDED", 0)
    assert api.post(path, headers=headers, json={"to": "ENDED", "reason": "x"}).status_code == 412
    again = {**mona, "If-Match": ended.headers["etag"]}
    assert api.post(path, headers=again, json={"to": "ENDED", "reason": "x"}).json()["guard"] == "ended_already"
    assert [p["code"] for p in api.get("/maintenance-plans?state=ACTIVE", headers=mona).json()["items"]] == [
        other["code"]
    ]


def test_reminders_are_listed_and_a_customer_hears_of_its_own(api: Api, database: Database) -> None:
    with open_connection(database.url, application="test", autocommit=True) as conn:
        conn.execute("UPDATE device SET warranty_end = current_date + 10 WHERE serial IN ('T-0000', 'T-0001')")
        keep_plans(conn, datetime.now(UTC))
    manager = api.token(Role.SERVICE_MANAGER)
    path = "/reminders?kind=WARRANTY&limit=1"
    first = api.get(path, headers=manager).json()
    rest = api.get(f"{path}&cursor={first['next_cursor']}", headers=manager).json()
    assert [r["serial"] for r in first["items"] + rest["items"]] == ["T-0000", "T-0001"]
    theirs = api.get("/reminders", headers=api.token(Role.CUSTOMER, customer="T-C0")).json()["items"]
    assert {r["serial"] for r in theirs if r["kind"] == "WARRANTY"} == {"T-0000"}
