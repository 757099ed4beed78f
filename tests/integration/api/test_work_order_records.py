"""Records of work orders by REST: parts, visits, checklists, suggestions, merging, steps of many orders at once."""

import re
from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.support.http_api import PASSWORD, Api, find_errors

ORDER = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks.", "priority": "P2"}
CLOSE_OUT = {
    "device_name": "Test device",
    "device_identification": "T-0000",
    "serviced_on": "2026-11-22",
    "serviced_by": "Zq-Tom",
    "work_performed": "Replaced the drive",
    "test_data": "0.9 A at 10 mL/h",
}
TEMPLATE: dict[str, Any] = {
    "code": "repair",
    "kind": "CORRECTIVE",
    "model": "TEST-100",
    "title": {"en": "Repair", "zh": "维修"},
    "items": [
        {"key": "leak", "kind": "check", "text": {"en": "No leak", "zh": "无泄漏"}},
        {"key": "flow", "kind": "number", "text": {"en": "Flow", "zh": "流量"}, "low": 9.8, "high": 10.2},
    ],
}
Staff = dict[str, dict[str, str]]


@pytest.fixture
def staff(api: Api) -> Staff:
    """Headers of each: zq-tom has a certificate for the model, zq-tina none."""
    api.add_user("zq-tom", Role.TECHNICIAN)
    api.add_user("zq-tina", Role.TECHNICIAN)
    api.add_user("dirk", Role.DISPATCHER)
    api.add_user("mona", Role.SERVICE_MANAGER)
    headers = {name: api.sign_in(name).writing for name in ("zq-tom", "zq-tina", "dirk", "mona")}
    path = "/technician-certificates/zq-tom/TEST-100"
    first = {**headers["mona"], "If-Match": '"0"'}
    made = api.request("PUT", path, headers=first, json={"valid_until": "2099-01-01", "reference": "C-1"})
    assert (made.status_code, made.json()["row_version"]) == (200, 1)
    return headers


def open_order(api: Api, staff: Staff, **changed: str) -> str:
    return str(api.post("/work-orders", headers=staff["dirk"], json=ORDER | changed).json()["code"])


def step(api: Api, headers: dict[str, str], code: str, body: dict[str, Any]) -> Any:
    etag = api.get(f"/work-orders/{code}", headers=headers).headers["etag"]
    return api.post(f"/work-orders/{code}/transitions", headers={**headers, "If-Match": etag}, json=body)


def start(api: Api, staff: Staff, code: str) -> None:
    for who, body in (
        ("dirk", {"to": "TRIAGED"}),
        ("dirk", {"to": "ASSIGNED", "assignee": "zq-tom"}),
        ("zq-tom", {"to": "IN_PROGRESS"}),
    ):
        assert step(api, staff[who], code, body).status_code == 200


def test_an_order_with_all_its_records_and_what_the_customer_reads_of_it(api: Api, staff: Staff) -> None:
    assert api.post("/checklist-templates", headers=staff["mona"], json=TEMPLATE).status_code == 201
    code = open_order(api, staff)
    start(api, staff, code)
    tom, path = staff["zq-tom"], f"/work-orders/{code}"
    came = api.post(f"{path}/visits", headers=tom, json={"note": "zq key at the gate"})
    assert came.status_code == 201
    assert api.post(f"{path}/visits", headers=staff["dirk"], json={}).status_code == 403
    part = {"item": "MOT-1", "quantity": "2", "description": "Motor"}
    asked = api.post(f"{path}/parts", headers=staff["dirk"], json=part)
    assert (asked.status_code, asked.json()["state"], asked.json()["quantity"]) == (201, "REQUESTED", "2.000")
    used: dict[str, Any] = {"to": "USED", "quantity": "1", "serial_in": "M-2", "serial_out": "M-1", "meaning": "fitted"}
    part_path = f"{path}/parts/{asked.json()['id']}/outcome"
    assert api.post(part_path, headers=tom, json=used).json()["guard"] == "signature_missing"
    wrong = api.post(part_path, headers=tom, json=used | {"password": "wrong"})
    assert set(find_errors(wrong)) == {"password"}
    fitted = api.post(part_path, headers=tom, json=used | {"password": PASSWORD})
    assert (fitted.json()["state"], fitted.json()["signatures"][0]["valid"]) == ("USED", True)
    done = {"to": "WORK_DONE", "close_out": CLOSE_OUT, "outcome": "CONFIRMED", "failure_code": "DRIVE"}
    assert step(api, tom, code, done).json()["guard"] == "checklist_incomplete"
    (checklist,) = api.get(f"{path}/checklists", headers=tom).json()["items"]
    assert checklist["missing"] == ["leak", "flow"]
    answers_path = f"{path}/checklists/{checklist['id']}/answers"
    bad = {"answers": [{"item": "leak", "value": True}, {"item": "flow", "value": 12}]}
    assert api.post(answers_path, headers=tom, json=bad).json()["guard"] == "remark_missing"
    good = {"answers": [{"item": "leak", "value": True}, {"item": "flow", "value": 10.2}]}
    assert api.post(answers_path, headers=tom, json=good).json()["missing"] == []
    assert len(api.get(answers_path, headers=tom).json()["items"]) == 2
    assert step(api, tom, code, done).status_code == 200
    verified = {"to": "VERIFIED", "test_evidence": "ran for an hour"}
    assert step(api, staff["mona"], code, verified).json()["guard"] == "visit_under_way"
    left = api.post(f"{path}/visits/{came.json()['id']}/departure", headers=tom, json={"outcome": "COMPLETED"})
    assert left.json()["outcome"] == "COMPLETED"
    assert step(api, staff["mona"], code, verified).status_code == 200
    closed = step(api, staff["mona"], code, {"to": "CLOSED", "password": PASSWORD, "meaning": "reviewed"})
    assert closed.json()["signatures"][0]["valid"] is True
    assert len(api.get(f"{path}/parts", headers=tom).json()["items"]) == 1
    # Names of our people, and what they write among themselves, are not the customer's.
    customer = api.token(Role.CUSTOMER, customer="T-C0")
    for what in ("visits", "parts", "attachments"):
        answer = api.get(f"{path}/{what}", headers=customer)
        assert answer.status_code == 200
        assert not re.search("zq|dirk", answer.text), answer.text
        assert api.get(f"{path}/{what}", headers=api.token(Role.CUSTOMER, customer="T-C1")).status_code == 404
    assert api.get(f"{path}/visits", headers=customer).json()["items"][0]["outcome"] == "COMPLETED"
    for what in ("checklists", "suggestions"):
        assert api.get(f"{path}/{what}", headers=customer).status_code == 403


def test_whom_to_assign_and_what_helped_before(api: Api, staff: Staff) -> None:
    code = open_order(api, staff)
    start(api, staff, code)
    tom = staff["zq-tom"]
    used = {"state": "USED", "item": "MOT-1", "quantity": 1, "lot": "L", "password": PASSWORD, "meaning": "fitted"}
    assert api.post(f"/work-orders/{code}/parts", headers=tom, json=used).status_code == 201
    for who, body in (
        ("zq-tom", {"to": "WORK_DONE", "close_out": CLOSE_OUT, "outcome": "CONFIRMED", "failure_code": "DRIVE"}),
        ("mona", {"to": "VERIFIED", "test_evidence": "ran"}),
        ("mona", {"to": "CLOSED", "password": PASSWORD, "meaning": "reviewed"}),
    ):
        assert step(api, staff[who], code, body).status_code == 200
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET region = 'EU' WHERE serial = 'T-0002'")
    next_code = open_order(api, staff, serial="T-0002")
    said = api.get(f"/work-orders/{next_code}/suggestions", headers=tom).json()
    (only,) = said["assignees"]
    assert only["name"] == "zq-tom"
    assert [r["code"] for r in only["reasons"]] == ["certified", "any_region", "free", "fixed_before"]
    assert only["reasons"][3]["params"] == {"fixed": 1, "tried": 1, "fault_group": "tank"}
    assert only["reasons"][3]["text"]["en"] == "put this fault right in 1 of 1 order"
    assert (said["fix"]["share_confirmed"], said["fix"]["example"]) == (1.0, code)
    assert said["fix"]["failure_codes"] == [{"code": "DRIVE", "orders": 1}]
    assert said["fix"]["parts"] == [{"item": "MOT-1", "description": "", "orders": 1, "quantity": "1.000"}]
    assert [(p["code"], p["is_same_device"], p["came_back"]) for p in said["past_orders"]] == [(code, False, False)]
    # Another technician gets a certificate and works in the region: now he goes first.
    changes: list[tuple[str, dict[str, Any]]] = [
        ("/technician-certificates/zq-tina/TEST-100", {"valid_until": "2099-01-01"}),
        ("/technicians/zq-tina/regions", {"regions": ["EU"]}),
        ("/technicians/zq-tom/regions", {"regions": ["CN"]}),
    ]
    for path, change in changes:
        headers = {**staff["mona"], "If-Match": '"0"'}
        assert api.request("PUT", path, headers=headers, json=change).status_code == 200
    said = api.get(f"/work-orders/{next_code}/suggestions", headers=tom).json()
    assert [one["name"] for one in said["assignees"]] == ["zq-tina", "zq-tom"]
    assert said["assignees"][0]["score"] > said["assignees"][1]["score"]
    people = api.get("/technicians", headers=staff["dirk"]).json()["items"]
    assert {(p["name"], *p["regions"]) for p in people} == {("zq-tina", "EU"), ("zq-tom", "CN")}


def test_certificates_are_given_renewed_and_revoked(api: Api, staff: Staff) -> None:
    path, mona = "/technician-certificates/zq-tom/TEST-100", staff["mona"]
    until = {"valid_until": "2030-01-01", "reason": "course"}
    assert api.request("PUT", path, headers=mona, json=until).status_code == 428
    for version in ('"0"', '"7"'):
        stale = api.request("PUT", path, headers={**mona, "If-Match": version}, json=until)
        assert (stale.status_code, stale.json()["current"]["changed_by"]) == (412, "mona")
    renewed = api.request("PUT", path, headers={**mona, "If-Match": '"1"'}, json=until)
    assert (renewed.json()["row_version"], renewed.headers["etag"]) == (2, '"2"')
    listed = api.get("/technician-certificates?valid_on=2030-01-02", headers=mona).json()["items"]
    assert listed == []
    unknown = api.request(
        "PUT", "/technician-certificates/nobody/TEST-100", headers={**mona, "If-Match": '"0"'}, json=until
    )
    assert unknown.status_code == 404
    newest = {**mona, "If-Match": '"2"'}
    assert api.request("DELETE", f"{path}?reason=left", headers=mona).status_code == 428
    assert api.request("DELETE", f"{path}?reason=left", headers={**mona, "If-Match": '"1"'}).status_code == 412
    assert api.request("DELETE", path, headers=staff["dirk"]).status_code == 403
    assert api.request("DELETE", f"{path}?reason=left", headers=newest).status_code == 204
    assert api.request("DELETE", f"{path}?reason=left", headers=newest).status_code == 404
    code = open_order(api, staff)
    step(api, staff["dirk"], code, {"to": "TRIAGED"})
    refused = step(api, staff["dirk"], code, {"to": "ASSIGNED", "assignee": "zq-tom"})
    assert refused.json()["guard"] == "certificate_invalid"
    actions = [
        e["action"]
        for e in api.get("/audit?entity=technician_certificate", headers=api.token(Role.AUDITOR)).json()["items"]
    ]
    assert {"certificate.granted", "certificate.changed", "certificate.revoked"} <= set(actions)


def test_templates_are_versioned_and_one_is_in_use(api: Api, staff: Staff) -> None:
    mona = staff["mona"]
    for change, field in (
        ({"items": []}, "items"),
        ({"title": {"en": "x"}}, "title.zh"),
        ({"items": [TEMPLATE["items"][0], TEMPLATE["items"][0]]}, "items[1].key"),
        ({"items": [{**TEMPLATE["items"][1], "low": 11}]}, "items[0].low"),
        ({"items": [{**TEMPLATE["items"][0], "unit": "A"}]}, "items[0].kind"),
        ({"model": "NO-SUCH"}, "model"),
    ):
        refused = api.post("/checklist-templates", headers=mona, json=TEMPLATE | change)
        assert set(find_errors(refused)) == {field}
    made = api.post("/checklist-templates", headers=mona, json=TEMPLATE)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert api.post("/checklist-templates", headers=mona, json=TEMPLATE).json()["guard"] == "code_taken"
    other = api.post("/checklist-templates", headers=mona, json=TEMPLATE | {"code": "other"})
    assert other.json()["guard"] == "template_in_use"
    content = {name: TEMPLATE[name] for name in ("title", "items")}
    path = "/checklist-templates/repair"
    assert api.request("PUT", path, headers=mona, json=content).status_code == 428
    changed = api.request(
        "PUT", path, headers={**mona, "If-Match": '"1"'}, json=content | {"items": content["items"][:1]}
    )
    assert changed.json()["version"] == 2
    stale = api.request("PUT", path, headers={**mona, "If-Match": '"1"'}, json=content)
    assert (stale.status_code, stale.json()["current"]["row_version"]) == (412, 2)
    out = api.request("PUT", path, headers={**mona, "If-Match": '"2"'}, json=content | {"is_active": False})
    assert (out.json()["version"], out.json()["is_active"]) == (3, False)
    assert [v["version"] for v in api.get(f"{path}/versions", headers=mona).json()["items"]] == [3, 2, 1]
    assert api.get("/checklist-templates?active=true", headers=mona).json()["items"] == []
    assert api.post("/checklist-templates", headers=mona, json=TEMPLATE | {"code": "other"}).status_code == 201


def test_a_report_joins_and_two_orders_become_one(api: Api, staff: Staff) -> None:
    first = open_order(api, staff)
    again = api.post("/work-orders", headers=staff["dirk"], json=ORDER | {"priority": "P1", "description": "Floods."})
    assert (again.status_code, again.json()["code"], again.json()["result"]) == (200, first, "JOINED")
    assert (again.json()["priority"], again.json()["timeline"][-1]["code"]) == ("P1", "workorder.opened")
    second = api.post("/work-orders", headers=staff["dirk"], json=ORDER | {"fault_group": "line"})
    assert (second.status_code, second.json()["result"]) == (201, "OPENED")
    path, body = f"/work-orders/{first}/merges", {"order": second.json()["code"], "reason": "the line floods the tank"}
    assert api.post(path, headers=staff["dirk"], json=body).status_code == 428
    assert api.post(path, headers=staff["zq-tom"], json=body).status_code == 403
    headers = {**staff["dirk"], "If-Match": again.headers["etag"]}
    stale = api.post(path, headers={**headers, "If-Match": '"99"'}, json=body)
    assert stale.status_code == 412
    merged = api.post(path, headers=headers, json=body)
    assert (merged.status_code, merged.json()["merged"]) == (200, [body["order"]])
    gone = api.get(f"/work-orders/{body['order']}", headers=staff["mona"]).json()
    assert (gone["state"], gone["merged_into"]) == ("CANCELLED", first)
    refused = api.post(path, headers={**headers, "If-Match": merged.headers["etag"]}, json=body)
    assert (refused.status_code, refused.json()["guard"]) == (409, "not_open")


def test_one_step_for_many_orders_each_for_itself(api: Api, staff: Staff) -> None:
    codes = [open_order(api, staff, serial=f"T-000{n}") for n in range(3)]
    step(api, staff["dirk"], codes[1], {"to": "TRIAGED"})
    body = {"codes": [*codes, "WO-2026-999999"], "to": "TRIAGED", "row_versions": {codes[2]: 7}}
    key = {**staff["dirk"], "Idempotency-Key": "triage-them-all"}
    said = api.post("/work-orders/transitions", headers=key, json=body)
    lines = {line["code"]: (line["result"], line["guard"], line["state"]) for line in said.json()["items"]}
    assert lines == {
        codes[0]: ("done", None, "TRIAGED"),
        codes[1]: ("refused", "no_such_transition", "TRIAGED"),
        codes[2]: ("refused", "row_version_conflict", "NEW"),
        "WO-2026-999999": ("refused", "not_found", None),
    }
    assert (said.json()["done"], said.json()["refused"]) == (1, 3)
    # Sent again, what was done is not done again, and is said again.
    again = api.post("/work-orders/transitions", headers=key, json=body).json()["items"][0]
    assert (again["result"], again["row_version"]) == ("done", 2)
    reused = api.post("/work-orders/transitions", headers=key, json=body | {"to": "CANCELLED"})
    assert set(find_errors(reused)) == {"Idempotency-Key"}
    assigned = {"codes": codes, "to": "ASSIGNED", "assignee": "zq-tina"}
    said = api.post("/work-orders/transitions", headers=staff["dirk"], json=assigned)
    assert {line["guard"] for line in said.json()["items"]} == {"certificate_invalid", "no_such_transition"}
    cancelled: dict[str, Any] = {"codes": codes, "to": "CANCELLED", "reason": "the ward is closed"}
    said = api.post("/work-orders/transitions", headers=staff["dirk"], json=cancelled)
    assert {line["guard"] for line in said.json()["items"]} == {"permission_missing"}
    said = api.post("/work-orders/transitions", headers=staff["mona"], json=cancelled)
    assert said.json()["done"] == 3
    unusable: list[tuple[dict[str, Any], str]] = [({"codes": [codes[0], codes[0]]}, "codes"), ({"to": "CLOSED"}, "to")]
    for bad, field in unusable:
        refused = api.post("/work-orders/transitions", headers=staff["mona"], json=cancelled | bad)
        assert set(find_errors(refused)) == {field}


def test_the_console_offers_the_best_fit_and_says_why(api: Api, staff: Staff) -> None:
    code = open_order(api, staff)
    why = (
        "certified for TEST-100 until 2099-01-01; is bound to no region; has no open order; has not met this fault yet"
    )
    inbox = api.client.get("/inbox", headers=staff["mona"])
    assert inbox.status_code == 200
    assert "Zq-Tom (suggested)" in inbox.text
    assert f'title="{why}"' in inbox.text
    page = api.client.get(f"/work-orders/{code}", headers=staff["mona"])
    assert why in page.text
    form = {"action": "accept", "order": f"{code}:1", "csrf_token": staff["dirk"]["X-CSRF-Token"]}
    taken = api.client.post("/inbox/actions", headers=staff["dirk"], data=form)
    assert taken.status_code == 303, taken.text
    order = api.get(f"/work-orders/{code}", headers=staff["mona"]).json()
    assert (order["state"], order["assignee"]) == ("ASSIGNED", "zq-tom")
    customer = api.add_user("visitor", Role.CUSTOMER, customer="T-C0")
    assert customer
    # Raised while somebody has it, the order is back in the inbox, and names him.
    again = {"serial": order["serial"], "fault_group": order["fault_group"], "priority": "P1", "description": "worse"}
    assert api.post("/work-orders", headers=staff["mona"], json=again).json()["result"] == "JOINED"
    inbox = api.client.get("/inbox", headers=staff["mona"])
    assert inbox.status_code == 200
    assert code in inbox.text
    assert "suggested)" not in inbox.text
    seen = api.client.get("/inbox", headers=api.sign_in("visitor").reading)
    assert seen.status_code == 200
    assert "suggested)" not in seen.text
