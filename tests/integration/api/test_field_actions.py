"""Field actions and firmware by REST: from the registered version to the closed campaign, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from service_link.field_actions import follow_round
from store.pool import open_connection
from tests.support.http_api import PASSWORD, Api, find_errors

SHA256 = "cd" * 32
FIRMWARE = {"model": "TEST-100", "version": "2.0.0", "sha256": SHA256, "url": "https://updates.example/2.0.0.bin"}
CAMPAIGN = {"kind": "FIRMWARE", "title": "Pump stops", "model": "TEST-100", "firmware_version": "2.0.0"}
PEOPLE = {
    "eva": Role.ENGINEER,
    "quentin": Role.QUALITY_ENGINEER,
    "ada": Role.QUALITY_APPROVER,
    "bob": Role.QUALITY_APPROVER,
    "dirk": Role.DISPATCHER,
}
SIGNED = {"password": PASSWORD, "meaning": "Reviewed and approved"}


class Staff:
    """People who send changes, each with the newest ETag of what they change."""

    def __init__(self, api: Api) -> None:
        self.api = api
        for name, role in PEOPLE.items():
            api.add_user(name, role)
        self.headers = {name: api.sign_in(name).writing for name in PEOPLE}

    def send(self, who: str, method: str, path: str, body: dict[str, Any], expected: int = 200) -> dict[str, Any]:
        record = path
        for part in ("/transitions", "/resumption", "/waves", "/scope"):
            record = record.removesuffix(part)
        etag = self.api.get(record, headers=self.headers[who]).headers.get("etag", '"1"')
        headers = {**self.headers[who], "If-Match": etag}
        response = self.api.request(method, path, headers=headers, json=body)
        assert response.status_code == expected, response.text
        found: dict[str, Any] = response.json()
        return found

    def post(self, who: str, path: str, body: dict[str, Any], expected: int = 200) -> dict[str, Any]:
        return self.send(who, "POST", path, body, expected)

    def release(self) -> None:
        self.post("eva", "/firmware", FIRMWARE, 201)
        for who in ("ada", "bob"):
            self.post(who, "/firmware/TEST-100/2.0.0/transitions", {"to": "APPROVED", **SIGNED})
        self.post("ada", "/firmware/TEST-100/2.0.0/transitions", {"to": "RELEASED", **SIGNED})


@pytest.fixture
def staff(api: Api) -> Staff:
    return Staff(api)


def test_firmware_takes_two_signatures_and_one_of_a_changed_draft_holds_no_more(api: Api, staff: Staff) -> None:
    made = staff.post("eva", "/firmware", FIRMWARE, 201)
    assert (made["code"][:3], made["state"], made["approvals"]) == ("FW-", "DRAFT", 0)
    again = staff.post("eva", "/firmware", FIRMWARE, 409)
    assert again["guard"] == "version_taken"
    path = "/firmware/TEST-100/2.0.0"
    steps = f"{path}/transitions"
    assert staff.post("eva", steps, {"to": "APPROVED", **SIGNED}, 403)["permission"] == "firmware.approve"
    assert staff.post("ada", steps, {"to": "APPROVED"}, 409)["guard"] == "signature_missing"
    first = staff.post("ada", steps, {"to": "APPROVED", **SIGNED})
    assert (first["state"], first["approvals"]) == ("DRAFT", 1)
    assert staff.post("ada", steps, {"to": "APPROVED", **SIGNED}, 409)["guard"] == "second_person"
    changed = staff.send("eva", "PUT", path, {"sha256": SHA256, "notes": "fixes the valve"})
    assert (changed["approvals"], changed["signatures"][0]["valid"]) == (0, False)
    assert changed["signatures"][0]["changed_fields"] == ["notes", "url"]
    for who in ("ada", "bob"):
        staff.post(who, steps, {"to": "APPROVED", **SIGNED})
    assert staff.send("eva", "PUT", path, {"sha256": SHA256}, 409)["guard"] == "not_draft"
    released = staff.post("ada", steps, {"to": "RELEASED", **SIGNED})
    assert released["released_at"] is not None
    listed = api.get("/firmware/records?state=RELEASED&total=true", headers=staff.headers["dirk"]).json()
    assert (listed["total"], listed["items"][0]["version"]) == (1, "2.0.0")
    token = api.post("/firmware", headers=api.token(Role.ENGINEER), json={**FIRMWARE, "version": "2.0.1"})
    assert token.json()["guard"] == "person_needed", "who wrote it would not be known when it is approved"
    wrong = api.post("/firmware", headers=staff.headers["eva"], json={**FIRMWARE, "sha256": "x"})
    assert set(find_errors(wrong)) == {"sha256"}


def test_a_campaign_from_its_draft_to_its_end(api: Api, staff: Staff) -> None:
    staff.release()
    preview = staff.post("quentin", "/field-actions/scope-preview", {"model": "TEST-100", "serials": ["T-0000", "X"]})
    assert (preview["devices"], preview["unknown_serials"]) == (1, ["X"])
    made = staff.post("quentin", "/field-actions", CAMPAIGN, 201)
    path = f"/field-actions/{made['code']}"
    steps = f"{path}/transitions"
    assert staff.post("ada", steps, {"to": "APPROVED", **SIGNED}, 409)["guard"] == "scope_empty"
    refused = staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000", "X"]}, 422)
    assert refused["errors"][0]["field"] == "serials"
    frozen = staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000", "T-0001"]})
    assert (frozen["item_count"], len(frozen["scope_sha256"])) == (2, 64)
    assert staff.post("dirk", steps, {"to": "APPROVED", **SIGNED}, 403)["permission"] == "field_action.approve"
    assert staff.post("ada", steps, {"to": "APPROVED", **SIGNED})["approvals"] == 1
    approved = staff.post("bob", steps, {"to": "APPROVED", **SIGNED})
    assert (approved["state"], approved["approvals"]) == ("APPROVED", 2)
    staff.post("quentin", steps, {"to": "NOTIFYING"})
    assert staff.post("quentin", steps, {"to": "EXECUTING"}, 409)["guard"] == "customers_not_notified"
    for customer in ("T-C0", "T-C1"):
        said = {"channel": "LETTER", "result": "SENT", "customer": customer, "contact": "Nurse Joy", "text": "Please"}
        staff.post("dirk", f"{path}/communications", said, 201)
    nobody = {"channel": "LETTER", "result": "SENT", "customer": "T-C9"}
    assert staff.post("dirk", f"{path}/communications", nobody, 404)["errors"][0]["field"] == "customer"
    trail = api.get(f"{path}/communications", headers=staff.headers["dirk"]).json()["items"]
    assert {m["contact"] for m in trail} == {"Nurse Joy"}
    masked = api.get(f"{path}/communications", headers=staff.headers["quentin"])
    assert "Nurse Joy" not in masked.text
    assert staff.post("quentin", steps, {"to": "EXECUTING"})["current_wave"] == 1
    item = f"{path}/items/T-0000"
    installed = {"to": "REMEDIATED", "evidence": "I saw it"}
    assert staff.post("dirk", f"{item}/transitions", installed, 409)["guard"] == "device_has_not_reported"
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO firmware_report (device_id, observed_at, received_at, component, version, state)"
            " SELECT id, now(), now(), 'main', '2.0.0', 'UPDATED' FROM device WHERE serial = 'T-0000'"
        )
    follow(api)
    assert api.get(item, headers=staff.headers["dirk"]).json()["state"] == "REMEDIATED"
    progress = api.get(f"{path}/progress", headers=staff.headers["ada"]).json()
    assert {c["key"]: c["remediated"] for c in progress["customers"]} == {"T-C0": 1, "T-C1": 0}
    assert progress["total"]["done_share"] == 0.5
    staff.post("dirk", f"{path}/items/T-0001/transitions", {"to": "SCRAPPED", "reason": "burnt"})
    staff.post("dirk", f"{item}/transitions", {"to": "VERIFIED", "evidence": "runs at rate"})
    staff.post("quentin", steps, {"to": "EFFECTIVENESS"})
    follow(api)
    closed = staff.post("ada", steps, {"to": "CLOSED", **SIGNED})
    assert closed["effectiveness"]["verified_share"] == 0.5
    assert api.get("/audit/verify", headers=api.token(Role.AUDITOR)).json()["holds"] is True


def follow(api: Api) -> None:
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        follow_round(conn, datetime.now(UTC))


def test_halting_is_quick_and_going_on_takes_a_signature(api: Api, staff: Staff) -> None:
    made = staff.post("quentin", "/field-actions", {"kind": "RECALL", "title": "Leak", "model": "TEST-100"}, 201)
    path = f"/field-actions/{made['code']}"
    staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000"]})
    for who in ("ada", "bob"):
        staff.post(who, f"{path}/transitions", {"to": "APPROVED", **SIGNED})
    assert staff.post("ada", f"{path}/halt", {"reason": "wrong letter"}, 409)["guard"] == "no_such_transition"
    staff.post("quentin", f"{path}/transitions", {"to": "NOTIFYING"})
    halted = staff.post("ada", f"{path}/halt", {"reason": "wrong letter"})
    assert (halted["state"], halted["halt_reason"]) == ("NOTIFYING", "person")
    assert staff.post("dirk", f"{path}/halt", {"reason": "x"}, 403)["permission"] == "field_action.write"
    schedule = {"to": "SCHEDULED", "scheduled_for": "2099-01-01T08:00:00Z"}
    assert staff.post("dirk", f"{path}/items/T-0000/transitions", schedule, 409)["guard"] == "action_halted"
    assert staff.post("ada", f"{path}/resumption", {"reason": "mended"}, 409)["guard"] == "signature_missing"
    assert staff.post("ada", f"{path}/resumption", {**SIGNED, "reason": "mended"})["halted_at"] is None
    listed = api.get("/field-actions?halted=true", headers=staff.headers["dirk"]).json()["items"]
    assert listed == []


def test_a_password_with_a_step_that_takes_no_signature_signs_nothing(api: Api, staff: Staff) -> None:
    made = staff.post("quentin", "/field-actions", {"kind": "RECALL", "title": "Leak", "model": "TEST-100"}, 201)
    path = f"/field-actions/{made['code']}"
    staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000"]})
    for who in ("ada", "bob"):
        staff.post(who, f"{path}/transitions", {"to": "APPROVED", **SIGNED})
    begun = staff.post("quentin", f"{path}/transitions", {"to": "NOTIFYING", **SIGNED})
    assert (begun["approvals"], len(begun["signatures"])) == (2, 2), "who wrote it has not approved it"
    staff.post("eva", "/firmware", FIRMWARE, 201)
    withdrawn = {"to": "WITHDRAWN", "reason": "wrong file", "password": PASSWORD}
    staff.post("eva", "/firmware/TEST-100/2.0.0/transitions", withdrawn)
    with psycopg.connect(api.settings.database_url) as conn:
        assert conn.execute("SELECT count(*) FROM signature").fetchone() == (2,)


def test_what_a_draft_names_must_be_there(api: Api, staff: Staff) -> None:
    writing = staff.headers["quentin"]
    for change, field in (
        ({"model": "NONE"}, "model"),
        ({"firmware_version": "9.9"}, "firmware_version"),
        ({"firmware_version": ""}, "firmware_version"),
        ({"kind": "RECALL", "capa": "CAPA-1"}, "capa"),
        ({"waves": [{"share": 0.5}]}, "waves[0].share"),
    ):
        refused = api.post("/field-actions", headers=writing, json={**CAMPAIGN, **change})
        assert set(find_errors(refused)) == {field}, change
    question = {"model": "TEST-100", "firmware": {"since": "R12", "before": "2.0"}}
    refused = api.post("/field-actions/scope-preview", headers=writing, json=question)
    assert set(find_errors(refused)) == {"firmware.since"}


def test_who_works_for_one_customer_sees_that_customers_part_alone(api: Api, staff: Staff) -> None:
    made = staff.post("quentin", "/field-actions", {"kind": "RECALL", "title": "Leak", "model": "TEST-100"}, 201)
    path = f"/field-actions/{made['code']}"
    staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000", "T-0001"]})
    theirs = api.token(Role.TECHNICIAN, customer="T-C0")
    assert api.get(path, headers=theirs).status_code == 404, "a plan is nobody's but ours"
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE field_action SET state = 'NOTIFYING'")
    for customer in ("T-C0", "T-C1"):
        said = {"channel": "EMAIL", "result": "SENT", "customer": customer, "text": f"to {customer}"}
        staff.post("dirk", f"{path}/communications", said, 201)
    assert [a["code"] for a in api.get("/field-actions", headers=theirs).json()["items"]] == [made["code"]]
    assert [i["serial"] for i in api.get(f"{path}/items", headers=theirs).json()["items"]] == ["T-0000"]
    assert api.get(f"{path}/items/T-0001", headers=theirs).status_code == 404
    assert api.get(f"{path}/progress", headers=theirs).json()["total"]["devices"] == 1
    for part in ("", "/communications", "/items", "/progress"):
        shown = api.get(f"{path}{part}", headers=theirs)
        assert shown.status_code == 200
        assert "T-C1" not in shown.text
        assert "T-0001" not in shown.text
    assert api.get(f"{path}/scope", headers=theirs).status_code == 404


def test_a_customer_sees_no_field_actions(api: Api) -> None:
    assert api.get("/field-actions", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403
