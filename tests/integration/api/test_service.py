"""Breaches, work orders and CAPA notices by REST, from the breach to the signed end."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.audit import Actor
from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.roles import Role
from store.capa_proposals import CapaProposal, open_or_join_capa
from tests.support.http_api import PASSWORD, Api, find_errors

BREACH = UUID("5f0c2a52-3f0e-5d0b-9a53-2b8f5f6f7e11")
CLOSE_OUT = {
    "device_name": "Test device",
    "device_identification": "T-0000",
    "serviced_on": "2026-11-22",
    "serviced_by": "Tom",
    "work_performed": "Replaced the drive",
    "test_data": "0.9 A at 10 mL/h",
}
ORDER = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks.", "priority": "P2"}


def add_breach(api: Api, breach_id: UUID = BREACH, serial: str = "T-0000") -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO breach (id, device_id, series_id, monitor, profile_version, kind, severity, fault_group, "
            "state, first_seen, raised_at, last_seen, count, peak, score, reason_code, params) "
            "SELECT %s, d.id, s.id, 'level_high', 1, 'LIMIT', 'MAJOR', 'tank', 'ACTIVE', now(), now(), now(), 3, 85, 1,"
            " 'limit_high', %s FROM device d JOIN series s ON s.device_id = d.id AND s.sensor = 'level' "
            "WHERE d.serial = %s",
            (breach_id, Jsonb({"serial": serial}), serial),
        )
        conn.execute(
            "INSERT INTO evidence (breach_id, body, sha256) VALUES (%s, %s, 'abc')",
            (breach_id, Jsonb({"window": [1, 2]})),
        )


@pytest.fixture
def staff(api: Api) -> dict[str, dict[str, str]]:
    """Headers of a person of each kind; Tom has a certificate for the model."""
    tom = api.add_user("tom", Role.TECHNICIAN)
    api.add_user("tina", Role.TECHNICIAN)
    api.add_user("dirk", Role.DISPATCHER)
    api.add_user("mona", Role.SERVICE_MANAGER)
    api.add_user("quinn", Role.QUALITY_APPROVER)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO technician_certificate SELECT %s, id, '2099-01-01' FROM device_model WHERE key = 'TEST-100'",
            (tom,),
        )
    return {name: api.sign_in(name).writing for name in ("tom", "tina", "dirk", "mona", "quinn")}


def test_a_breach_with_words_evidence_and_who_has_seen_it(api: Api) -> None:
    add_breach(api)
    add_breach(api, UUID(int=1), "T-0001")
    manager = api.token(Role.SERVICE_MANAGER)
    page = api.get("/breaches?device=T-0000&state=ACTIVE&total=true", headers=manager).json()
    assert [b["id"] for b in page["items"]] == [str(BREACH)]
    assert page["total"] == 1
    first = api.get("/breaches?limit=1", headers=manager).json()
    second = api.get(f"/breaches?limit=1&cursor={first['next_cursor']}", headers=manager).json()
    assert {first["items"][0]["serial"], second["items"][0]["serial"]} == {"T-0000", "T-0001"}
    assert second["next_cursor"] is None
    detail = api.get(f"/breaches/{BREACH}", headers=manager).json()
    assert "T-0000" in detail["sentence"]["en"]
    assert "T-0000" in detail["sentence"]["zh"]
    assert api.get(f"/breaches/{BREACH}/evidence", headers=manager).json()["body"] == {"window": [1, 2]}
    seen = api.post(f"/breaches/{BREACH}/acknowledge", headers=manager).json()
    again = api.post(f"/breaches/{BREACH}/acknowledge", headers=api.token(Role.DISPATCHER)).json()
    assert seen["acknowledged_by"].startswith("token:service_manager")
    assert again["acknowledged_by"] == seen["acknowledged_by"]
    customer = api.token(Role.CUSTOMER, customer="T-C1")
    assert [b["serial"] for b in api.get("/breaches", headers=customer).json()["items"]] == ["T-0001"]
    for path in ("", "/evidence"):
        assert api.get(f"/breaches/{BREACH}{path}", headers=customer).status_code == 404
    assert set(find_errors(api.get(f"/breaches/{UUID(int=9)}/evidence", headers=manager))) == {"breach_id"}


def test_an_order_from_opening_to_the_signed_end(api: Api, staff: dict[str, dict[str, str]]) -> None:
    made = api.post("/work-orders", headers=staff["dirk"], json=ORDER)
    assert made.status_code == 201
    code, etag = made.json()["code"], made.headers["etag"]
    assert made.headers["location"] == f"/api/v1/work-orders/{code}"

    def step(who: str, body: dict[str, object], expected: int = 200) -> dict[str, object]:
        nonlocal etag
        headers = {**staff[who], "If-Match": etag}
        response = api.post(f"/work-orders/{code}/transitions", headers=headers, json=body)
        assert response.status_code == expected, response.text
        etag = response.headers["etag"] if expected == 200 else etag
        found: dict[str, object] = response.json()
        return found

    step("dirk", {"to": "TRIAGED"})
    assert step("dirk", {"to": "ASSIGNED"}, 409)["guard"] == "assignee_missing"
    assert step("dirk", {"to": "ASSIGNED", "assignee": "nobody"}, 409)["guard"] == "assignee_unknown"
    assert step("dirk", {"to": "ASSIGNED", "assignee": "tina"}, 409)["guard"] == "certificate_invalid"
    assert step("tom", {"to": "ASSIGNED", "assignee": "tom"}, 403)["permission"] == "work_order.assign"
    step("dirk", {"to": "ASSIGNED", "assignee": "tom"})
    assert step("tina", {"to": "IN_PROGRESS"}, 409)["guard"] == "not_assignee"
    assert step("tom", {"to": "CLOSED"}, 409)["guard"] == "no_such_transition"
    step("tom", {"to": "IN_PROGRESS"})
    assert step("tom", {"to": "ON_HOLD"}, 409)["guard"] == "hold_reason_missing"
    step("tom", {"to": "ON_HOLD", "hold_reason": "PARTS"})
    step("tom", {"to": "IN_PROGRESS"})
    done: dict[str, object] = {"to": "WORK_DONE", "close_out": {**CLOSE_OUT, "test_data": ""}, "outcome": "CONFIRMED"}
    assert step("tom", done, 409)["guard"] == "close_out_incomplete"
    step("tom", {**done, "close_out": CLOSE_OUT, "failure_code": "DRIVE"})
    assert step("mona", {"to": "VERIFIED"}, 409)["guard"] == "not_quiet"
    step("mona", {"to": "VERIFIED", "test_evidence": "Ran for an hour, 0.9 A."})
    assert step("mona", {"to": "CLOSED"}, 409)["guard"] == "signature_missing"
    signed: dict[str, object] = {"to": "CLOSED", "password": "wrong", "meaning": "Reviewed and closed"}
    refused = step("mona", signed, 422)
    assert refused["errors"] == [{"field": "password", "detail": "is not your password"}]
    closed = step("mona", {**signed, "password": PASSWORD})
    assert closed["state"] == "CLOSED"
    timeline = closed["timeline"]
    assert isinstance(timeline, list)
    assert {"signature", "audit"} <= {entry["kind"] for entry in timeline}
    assert api.get("/audit/verify", headers=api.token(Role.AUDITOR)).json()["holds"] is True
    assert PASSWORD not in api.get("/audit?limit=500", headers=api.token(Role.AUDITOR)).text


def test_a_change_of_what_has_moved_says_to_where_and_by_whom(api: Api, staff: dict[str, dict[str, str]]) -> None:
    made = api.post("/work-orders", headers=staff["dirk"], json=ORDER)
    path = f"/work-orders/{made.json()['code']}/transitions"
    body = {"to": "TRIAGED"}
    assert api.post(path, headers=staff["mona"], json=body).status_code == 428
    seen = {"If-Match": made.headers["etag"]}
    key = {"Idempotency-Key": "triage-this-order"}
    assert api.post(path, headers={**staff["mona"], **seen, **key}, json=body).status_code == 200
    repeated = api.post(path, headers={**staff["mona"], **seen, **key}, json=body)
    assert repeated.status_code == 200
    assert repeated.headers["idempotent-replayed"] == "true"
    stale = api.post(path, headers={**staff["dirk"], **seen}, json={"to": "ASSIGNED", "assignee": "tom"})
    assert stale.status_code == 412
    current = stale.json()["current"]
    assert (current["row_version"], current["changed_by"]) == (2, "mona")
    assert stale.headers["etag"] == '"2"'


def test_lists_of_orders_filter_page_and_hide(api: Api, staff: dict[str, dict[str, str]]) -> None:
    codes = []
    for serial, priority in (("T-0000", "P3"), ("T-0001", "P1"), ("T-0002", "P2")):
        body = {**ORDER, "serial": serial, "priority": priority}
        codes.append(api.post("/work-orders", headers=staff["dirk"], json=body).json()["code"])
    manager = staff["mona"]

    def find(query: str) -> list[str]:
        return [w["code"] for w in api.get(f"/work-orders?{query}", headers=manager).json()["items"]]

    assert find("sort=priority") == [codes[1], codes[2], codes[0]]
    assert find("priority=P1&priority=P2&sort=priority") == [codes[1], codes[2]]
    assert find("device=T-0002") == find(f"q={codes[2].lower()}") == [codes[2]]
    assert find("customer=T-C1") == [codes[1]]
    assert find("assignee=tom") == []
    assert find("state=NEW&inbox=true&sort=created") == codes[::-1]
    first = api.get("/work-orders?sort=priority&limit=1&total=true", headers=manager).json()
    assert first["total"] == 3
    rest = api.get(f"/work-orders?sort=priority&cursor={first['next_cursor']}", headers=manager).json()
    assert [w["code"] for w in rest["items"]] == [codes[2], codes[0]]
    assert set(find_errors(api.get("/work-orders?cursor=x", headers=manager))) == {"cursor"}
    assert set(find_errors(api.get("/work-orders?state=OPEN", headers=manager))) == {"state[0]"}
    api.post(f"/work-orders/{codes[0]}/notes", headers=manager, json={"body": "The ward is closed on Friday."})
    inside = api.get(f"/work-orders/{codes[0]}", headers=manager).json()
    assert [e["text"] for e in inside["timeline"] if e["kind"] == "note"] == ["The ward is closed on Friday."]
    customer = api.token(Role.CUSTOMER, customer="T-C0")
    theirs = api.get("/work-orders?sort=created", headers=customer).json()["items"]
    assert [w["code"] for w in theirs] == [codes[2], codes[0]]
    own = api.get(f"/work-orders/{codes[0]}", headers=customer)
    assert own.json()["timeline"] == []
    assert "dirk" not in own.text
    assert api.get(f"/work-orders/{codes[1]}", headers=customer).status_code == 404


def test_an_order_names_what_it_cannot_be_opened_for(api: Api, staff: dict[str, dict[str, str]]) -> None:
    for change, field in (({"serial": "nobody"}, "serial"), ({"fault_group": "none"}, "fault_group")):
        refused = api.post("/work-orders", headers=staff["dirk"], json={**ORDER, **change})
        assert set(find_errors(refused)) == {field}


def test_shelving_needs_a_reason_and_an_end_in_sight(api: Api, staff: dict[str, dict[str, str]]) -> None:
    at = datetime.now(UTC)
    body = {"reason": "Cleaning", "until": (at + timedelta(hours=2)).isoformat(), "fault_group": "tank"}
    path = "/devices/T-0000/shelvings"
    for change, field in (
        ({"until": (at - timedelta(hours=1)).isoformat()}, "until"),
        ({"until": (at + timedelta(days=91)).isoformat()}, "until"),
        ({"reason": "  "}, "reason"),
    ):
        assert set(find_errors(api.post(path, headers=staff["mona"], json={**body, **change}))) == {field}
    made = api.post(path, headers=staff["mona"], json=body)
    assert made.status_code == 201
    assert made.json()["shelved_by"] == "mona"
    assert [s["id"] for s in api.get(path, headers=staff["tom"]).json()["items"]] == [made.json()["id"]]


def test_a_person_decides_on_a_capa_once(api: Api, staff: dict[str, dict[str, str]]) -> None:
    made = api.post("/work-orders", headers=staff["dirk"], json=ORDER).json()
    with psycopg.connect(api.settings.database_url) as conn:
        row = conn.execute(
            "SELECT w.id, d.device_model_id FROM work_order w JOIN device d ON d.id = w.device_id WHERE w.code = %s",
            (made["code"],),
        ).fetchone()
        assert row is not None
        scope = CapaScope(row[1], ScopeKind.FIRMWARE, "2.0.0", "tank")
        proposal = CapaProposal(scope, CapaTrigger.COHORT, {"events": 3, "p": 0.001}, (row[0],), is_simulated=False)
        code, _ = open_or_join_capa(conn, Actor("service_link", "machine", ""), proposal, datetime.now(UTC))
    listed = api.get("/capas?state=PROPOSED&total=true", headers=staff["mona"]).json()
    assert (listed["total"], listed["items"][0]["code"]) == (1, code)
    one = api.get(f"/capas/{code}", headers=staff["quinn"])
    assert [m["work_order"] for m in one.json()["members"]] == [made["code"]]
    assert {s["to"]: s["allowed"] for s in one.json()["next_steps"]} == {"OPEN": True, "REJECTED": True}
    seen = {"If-Match": one.headers["etag"]}
    path = f"/capas/{code}/transitions"
    opened = {"to": "OPEN", "reason": "Three cases on one firmware."}
    assert api.post(path, headers={**staff["mona"], **seen}, json=opened).json()["permission"] == "capa.decide"
    assert api.post(path, headers={**staff["quinn"], **seen}, json={"to": "OPEN"}).json()["guard"] == "reason_missing"
    machine = {**api.token(Role.QUALITY_APPROVER), **seen}
    assert api.post(path, headers=machine, json=opened).json()["guard"] == "person_needed"
    decided = api.post(path, headers={**staff["quinn"], **seen}, json=opened)
    assert (decided.json()["state"], decided.json()["decided_by"]) == ("OPEN", "quinn")
    stale = api.post(path, headers={**staff["quinn"], **seen}, json={"to": "REJECTED", "reason": "x"})
    assert stale.status_code in (409, 412)
    assert api.get("/capas", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403
