"""Master data from another system: made, changed, left alone and refused, each told to the audit."""

from typing import Any

import httpx
import pytest

from domain.audit import AuditEvent
from domain.roles import Role
from store.audit import AuditFilter, load_audit_events
from store.customers import load_customer
from store.pool import open_connection
from tests.support.http_api import Api, find_errors

CUSTOMER = {"name": "Lakeview Hospital", "type": "CLINIC", "region": "eu", "contacts": [{"name": "Nora Nurse"}]}


@pytest.fixture
def erp(api: Api) -> dict[str, str]:
    """Headers of the token of an ERP system."""
    return api.token(Role.INTEGRATOR)


def put(api: Api, headers: dict[str, str], path: str, body: dict[str, Any], **more: str) -> httpx.Response:
    return api.request("PUT", path, headers={**headers, **more}, json=body)


def load_audit(api: Api, entity: str, entity_id: str) -> list[AuditEvent]:
    with open_connection(api.settings.database_url, application="test") as conn:
        return load_audit_events(conn, AuditFilter(entity=entity, entity_id=entity_id))


def send_csv(api: Api, headers: dict[str, str], path: str, text: str | bytes, kind: str = "text/csv") -> httpx.Response:
    content = text.encode() if isinstance(text, str) else text
    return api.post(path, headers={**headers, "Content-Type": kind}, content=content)


def test_a_customer_is_made_changed_and_left_alone(api: Api, erp: dict[str, str]) -> None:
    path = "/customers/by-ref/erp/CUST/2026/1"  # names of other systems hold what they like
    made = put(api, erp, path, {"code": "C-9", "external_type": "Customer", **CUSTOMER})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/api/v1/customers/C-9"
    assert (made.json()["action"], made.json()["row_version"]) == ("created", 1)
    again = put(api, erp, path, CUSTOMER)
    assert (again.status_code, again.json()["action"], again.headers["etag"]) == (200, "unchanged", '"1"')
    changed = put(api, erp, path, {"name": "Lakeside Hospital", "type": "CLINIC"})
    assert (changed.status_code, changed.json()["fields"], changed.headers["etag"]) == (200, ["name"], '"2"')
    steward = api.token(Role.DATA_STEWARD)
    record = api.get("/customers/C-9", headers=steward).json()
    assert (record["name"], record["region"], record["contacts"]) == (
        "Lakeside Hospital",
        "eu",
        [{"name": "Nora Nurse"}],
    )
    assert record["external_refs"] == [{"system": "erp", "type": "Customer", "id": "CUST/2026/1"}]
    assert api.get(path, headers=steward).json()["address"] == "/api/v1/customers/C-9"
    newest, oldest = load_audit(api, "customer", "C-9")
    assert (newest.action, newest.before, newest.after) == (
        "customer.changed",
        {"name": "Lakeview Hospital"},
        {"name": "Lakeside Hospital"},
    )
    assert (oldest.action, oldest.before, oldest.permission) == ("customer.created", None, "master_data.write")
    assert oldest.actor.startswith("token:")


def test_versions_and_keys_of_requests(api: Api, erp: dict[str, str]) -> None:
    path = "/customers/by-ref/erp/1"
    assert put(api, erp, path, CUSTOMER, **{"If-Match": '"1"'}).status_code == 404
    first = put(api, erp, path, CUSTOMER, **{"Idempotency-Key": "customer-1-a"})
    second = put(api, erp, path, CUSTOMER, **{"Idempotency-Key": "customer-1-a"})
    assert (first.status_code, second.status_code, second.headers["idempotent-replayed"]) == (201, 201, "true")
    moved = put(api, erp, path, {"name": "Other"}, **{"If-Match": '"7"'})
    assert moved.status_code == 412
    assert moved.json()["current"]["row_version"] == 1
    assert put(api, erp, path, {"name": "Other"}, **{"If-Match": '"1"'}).headers["etag"] == '"2"'


def test_our_own_code_is_a_name_as_well_and_another_system_may_add_its_own(api: Api, erp: dict[str, str]) -> None:
    changed = put(api, erp, "/customers/by-ref/forewarn/T-C0", {"status": "INACTIVE"})
    assert (changed.status_code, changed.json()["fields"]) == (200, ["status"])
    named = put(api, erp, "/customers/by-ref/erp/77", {"code": "T-C0"})
    assert (named.json()["action"], named.json()["fields"]) == ("changed", ["external_ref"])
    other = put(api, erp, "/customers/by-ref/erp/78", {"code": "T-C0"})
    assert (other.status_code, other.json()["guard"]) == (409, "reference_taken")
    fixed = put(api, erp, "/customers/by-ref/erp/77", {"code": "T-C1"})
    assert (fixed.status_code, fixed.json()["guard"]) == (409, "code_fixed")
    simulated = put(api, erp, "/customers/by-ref/erp/77", {"is_simulated": True})
    assert (simulated.status_code, simulated.json()["guard"]) == (409, "simulated_fixed")
    assert set(find_errors(put(api, erp, "/customers/by-ref/ERP/77", {"name": "x"}))) == {"system"}
    assert set(find_errors(put(api, erp, "/customers/by-ref/erp/a b", {"name": "x"}))) == {"code"}
    with open_connection(api.settings.database_url, application="test") as conn:
        kept = load_customer(conn, "T-C0", customer_id=None)
    assert kept is not None
    assert (kept.is_simulated, kept.row_version) == (False, 3)


def test_a_site_has_a_customer_a_time_zone_and_a_calendar(api: Api, erp: dict[str, str]) -> None:
    put(api, erp, "/customers/by-ref/erp/1", CUSTOMER)
    path = "/sites/by-ref/erp/10"
    assert set(find_errors(put(api, erp, path, {"name": "ICU"}))) == {"customer"}
    assert set(find_errors(put(api, erp, path, {"customer_ref": "2"}))) == {"customer_ref"}
    wrong = put(api, erp, path, {"customer_ref": "1", "time_zone": "Mars/Olympus", "service_calendar": "none"})
    assert set(find_errors(wrong)) == {"time_zone", "service_calendar"}
    made = put(api, erp, path, {"customer_ref": "1", "name": "ICU", "time_zone": "Europe/Berlin", "code": "S-10"})
    assert made.status_code == 201, made.text
    site = api.get("/sites/S-10", headers=erp)
    assert site.headers["etag"] == '"1"'
    assert (site.json()["customer"], site.json()["region"], site.json()["time_zone"]) == ("1", "eu", "Europe/Berlin")
    assert put(api, erp, path, {"customer": "T-C0"}).json()["fields"] == ["customer"]  # nothing stands there yet
    held = put(api, erp, "/sites/by-ref/forewarn/T-S0", {"customer": "1"})
    assert (held.status_code, held.json()["guard"]) == (409, "site_has_devices")
    calendar = put(api, erp, "/sites/by-ref/forewarn/T-S0", {"service_calendar": "none"})
    assert set(find_errors(calendar)) == {"service_calendar"}
    theirs = api.token(Role.CUSTOMER, customer="T-C1")
    assert [s["code"] for s in api.get("/sites", headers=theirs).json()["items"]] == ["T-S1"]
    for path in ("/sites/T-S0", "/sites/by-ref/forewarn/T-S0", "/customers/by-ref/erp/1"):
        assert api.get(path, headers=theirs).status_code == 404
    assert api.get("/sites/by-ref/forewarn/T-S1", headers=theirs).status_code == 200
    page = api.get("/sites?limit=1&q=ward", headers=erp).json()
    rest = api.get(f"/sites?limit=1&q=ward&cursor={page['next_cursor']}", headers=erp).json()
    assert [s["code"] for s in page["items"] + rest["items"]] == ["T-S0", "T-S1"]
    assert rest["next_cursor"] is None


def test_a_device_is_registered_with_what_its_carrier_says(api: Api, erp: dict[str, str]) -> None:
    udi = "0106970001009996112601151731013110L26\x1d21X-1"
    path = "/devices/by-ref/erp/900"
    body = {"serial": "X-1", "udi": udi, "site": "T-S0", "installed_on": "2026-02-01"}
    assert set(find_errors(put(api, erp, path, body))) == {"model"}
    assert put(api, erp, "/device-models/by-ref/erp/PUMP", {"model": "TEST-100"}).json()["action"] == "changed"
    assert put(api, erp, "/device-models/by-ref/erp/PUMP", {"model": "TEST-100"}).json()["action"] == "unchanged"
    assert put(api, erp, "/device-models/by-ref/erp/OTHER", {"model": "none"}).status_code == 404
    wrong = put(api, erp, path, {**body, "model_ref": "PUMP", "lot": "L27", "made_on": "2026-03-01"})
    assert set(find_errors(wrong)) == {"lot", "made_on", "installed_on"}
    made = put(api, erp, path, {**body, "model_ref": "PUMP"})
    assert made.status_code == 201, made.text
    device = api.get("/devices/X-1", headers=erp).json()
    assert device["udi"] == "(01)06970001009996(11)260115(17)310131(10)L26(21)X-1"
    assert (device["lot"], device["made_on"], device["lifecycle"]) == ("L26", "2026-01-15", "IN_SERVICE")
    assert device["expires_on"] == "2031-01-31"
    assert {latest["sensor"] for latest in device["latest"]} >= {"level", "flow"}
    assert put(api, erp, path, {**body, "model_ref": "PUMP"}).json()["action"] == "unchanged"
    assert api.get("/device-models/by-ref/erp/PUMP", headers=erp).json()["code"] == "TEST-100"
    registered = put(api, erp, "/devices/by-ref/erp/901", {"serial": "X-2", "model": "TEST-100"})
    assert registered.status_code == 201
    assert api.get("/devices/X-2", headers=erp).json()["lifecycle"] == "REGISTERED"
    early = put(api, erp, "/devices/by-ref/erp/902", {"serial": "X-3", "model": "TEST-100", "lifecycle": "IN_SERVICE"})
    assert set(find_errors(early)) == {"lifecycle"}


def test_what_a_known_device_keeps(api: Api, erp: dict[str, str]) -> None:
    path = "/devices/by-ref/forewarn/T-0000"
    assert put(api, erp, path, {"warranty_end": "2027-01-01", "gateway": "GW-9"}).json()["fields"] == [
        "warranty_end",
        "gateway",
    ]
    put(api, erp, "/customers/by-ref/forewarn/C-7", {"is_simulated": True})
    put(api, erp, "/sites/by-ref/forewarn/S-7", {"customer": "C-7"})
    for body, guard in (
        ({"model": "PROBE-1"}, "model_fixed"),
        ({"lifecycle": "REGISTERED"}, "by_transition"),
        ({"is_simulated": True}, "simulated_fixed"),
        ({"site": "T-S1", "warranty_end": "2030-01-01"}, "key_field"),
        ({"site": None}, "key_field"),
    ):
        refused = put(api, erp, path, body)
        assert (refused.status_code, refused.json()["guard"]) == (409, guard), refused.text
    assert set(find_errors(put(api, erp, path, {"site": "S-7"}))) == {"site"}
    device = api.get("/devices/T-0000", headers=erp).json()
    assert (device["site"], device["warranty_end"], device["gateway"]) == ("T-S0", "2027-01-01", "GW-9")
    put(api, erp, "/sites/by-ref/forewarn/T-S9", {"customer": "T-C0"})
    assert put(api, erp, path, {"site": "T-S9"}).json()["fields"] == ["site"]  # within one customer: no key field
    history = api.get("/devices/T-0000/history", headers=erp).json()["items"]
    moved = next(entry for entry in history if entry["field"] == "site")
    assert (moved["before"], moved["after"], moved["source"].partition(":")[0]) == ("T-S0", "T-S9", "token")


def test_a_contract_lives_from_draft_to_its_end(api: Api, erp: dict[str, str]) -> None:
    path = "/contracts/by-ref/erp/K1"
    body: dict[str, Any] = {"customer": "T-C0", "starts_on": "2026-01-01", "ends_on": "2099-12-31"}
    assert set(find_errors(put(api, erp, path, {"customer": "T-C0"}))) == {"starts_on", "ends_on"}
    wrong = {**body, "ends_on": "2025-01-01", "sla_policy": "none", "devices": ["T-0000", "T-0001"]}
    assert set(find_errors(put(api, erp, path, wrong))) == {"ends_on", "sla_policy", "devices"}
    assert put(api, erp, path, {**body, "devices": ["T-0000"]}).status_code == 201
    assert put(api, erp, path, {"devices": ["T-0000", "T-0002"]}).json()["fields"] == ["devices"]
    step = {"to": "ACTIVE"}
    assert api.post("/contracts/K1/transitions", headers=erp, json=step).status_code == 428
    active = api.post("/contracts/K1/transitions", headers={**erp, "If-Match": '"2"'}, json=step)
    assert (active.status_code, active.json()["status"], active.json()["device_count"]) == (200, "ACTIVE", 2)
    covered = api.get("/devices/T-0002", headers=erp).json()["contract"]
    assert covered["code"] == "K1"
    assert api.get("/devices/T-0004", headers=erp).json()["contract"] is None
    assert [c["code"] for c in api.get("/contracts?device=T-0002", headers=erp).json()["items"]] == ["K1"]
    assert api.get("/contracts?device=T-0004", headers=erp).json()["items"] == []
    fixed = put(api, erp, path, {"starts_on": "2026-02-01"})
    assert (fixed.status_code, fixed.json()["guard"]) == (409, "fixed_when_active")
    headers = {**erp, "If-Match": '"3"'}
    refused = api.post("/contracts/K1/transitions", headers=headers, json={"to": "TERMINATED"})
    assert (refused.status_code, refused.json()["guard"]) == (409, "reason_missing")
    ended = api.post("/contracts/K1/transitions", headers=headers, json={"to": "TERMINATED", "reason": "sold"})
    assert (ended.json()["status"], ended.json()["status_reason"]) == ("TERMINATED", "sold")
    over = put(api, erp, path, {"coverage": "parts"})
    assert (over.status_code, over.json()["guard"]) == (409, "contract_over")
    (own,) = api.get("/contracts", headers=api.token(Role.CUSTOMER, customer="T-C0")).json()["items"]
    assert (own["code"], own["status_reason"]) == ("K1", "")
    theirs = api.token(Role.CUSTOMER, customer="T-C1")
    assert api.get("/contracts", headers=theirs).json()["items"] == []
    assert api.get("/contracts/K1", headers=theirs).status_code == 404
    actions = [event.action for event in load_audit(api, "contract", "K1")]
    assert actions == ["contract.terminated", "contract.active", "contract.changed", "contract.created"]


def test_a_file_is_tried_taken_and_taken_again(api: Api, erp: dict[str, str]) -> None:
    text = (
        "external_id,code,name,type,contact_name,contact_phone\n"
        "1,C-1,Lakeview,HOSPITAL,Nora,+49 30 1\n"
        "2,C-2,=Clinic,CLINIC,,\n"
        "3,T-C0,Renamed,,,\n"
        "4,C-4,Four,Hospital,,\n"
        "1,C-5,Again,LAB,,\n"
    )
    path = "/customers/import?system=erp"
    tried = send_csv(api, erp, f"{path}&dry_run=true", text).json()
    assert api.get("/customers/C-1", headers=erp).status_code == 404
    taken = send_csv(api, erp, path, text).json()
    assert {**tried, "dry_run": False} == taken
    assert [(i["line"], i["action"], i["code"]) for i in taken["items"]] == [
        (2, "created", "C-1"),
        (3, "refused", "C-2"),
        (4, "changed", "T-C0"),
        (5, "refused", "C-4"),
        (6, "refused", ""),
    ]
    assert [[e["field"] for e in i["errors"]] for i in taken["items"]] == [[], ["name"], [], ["type"], ["external_id"]]
    assert (taken["created"], taken["changed"], taken["refused"]) == (1, 1, 3)
    again = send_csv(api, erp, path, text).json()
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 2)
    (imported,) = load_audit(api, "customer", "*")
    assert imported.after is not None
    assert (imported.after["created"], imported.after["refused"]) == (1, 3)
    assert load_audit(api, "customer", "T-C0")[0].action == "customer.changed"


def test_a_file_that_cannot_be_read_changes_nothing(api: Api, erp: dict[str, str]) -> None:
    assert send_csv(api, erp, "/sites/import", "code\nS-1\n", "application/json").status_code == 415
    gbk = "code,customer,name\nS-1,T-C0,病房\n".encode("gbk")
    refused = send_csv(api, erp, "/sites/import", gbk)
    assert (refused.status_code, set(find_errors(refused))) == (422, {"file"})
    assert send_csv(api, erp, "/sites/import", gbk, "text/csv; charset=gbk").json()["created"] == 1
    assert api.get("/sites/S-1", headers=erp).json()["name"] == "病房"
    assert set(find_errors(send_csv(api, erp, "/devices/import", "serial;model\n"))) == {"file"}
    assert set(find_errors(send_csv(api, erp, "/contracts/import", "code,external_id\nK,1\n"))) == {"external_id"}
    assert send_csv(api, erp, "/sites/import", b"x" * (2 * 1024 * 1024 + 1)).status_code == 413


def test_devices_and_contracts_from_files(api: Api, erp: dict[str, str]) -> None:
    devices = (
        "serial,model,site,installed_on,warranty_end\n"
        "N-1,TEST-100,T-S0,2026-01-01,2028-01-01\n"
        "T-0000,TEST-100,T-S1,,\n"
        "T-0002,TEST-100,T-S0,,2028-01-01\n"
        "N-2,NONE,,,\n"
    )
    report = send_csv(api, erp, "/devices/import", devices).json()
    assert [i["action"] for i in report["items"]] == ["created", "refused", "changed", "refused"]
    assert report["items"][1]["errors"][0]["guard"] == "key_field"
    assert report["items"][3]["errors"][0]["field"] == "model"
    contracts = "code,customer,starts_on,ends_on,devices,status\nK-2,T-C0,2026-01-01,2099-01-01,N-1 T-0002,ACTIVE\n"
    assert send_csv(api, erp, "/contracts/import", contracts).json()["created"] == 1
    assert api.get("/contracts/K-2", headers=erp).json()["devices"] == ["N-1", "T-0002"]


def test_who_writes_no_master_data(api: Api) -> None:
    for role in (Role.DISPATCHER, Role.ENGINEER, Role.AUDITOR, Role.CUSTOMER, Role.ADMIN):
        headers = api.token(role, customer="T-C0" if role is Role.CUSTOMER else None)
        assert put(api, headers, "/customers/by-ref/erp/1", CUSTOMER).json()["permission"] == "master_data.write"
        assert send_csv(api, headers, "/customers/import", "code\nC-1\n").status_code == 403
    for role in (Role.INTEGRATOR, Role.DATA_STEWARD):
        headers = api.token(role, customer="T-C0")
        for answer in (
            put(api, headers, "/customers/by-ref/forewarn/T-C0", {"name": "Mine"}),
            put(api, headers, "/devices/by-ref/forewarn/T-0000", {"lot": "L9"}),
            send_csv(api, headers, "/devices/import", "serial,lot\nT-0000,L9\n"),
            api.post("/devices/T-0000/transitions", headers={**headers, "If-Match": '"1"'}, json={"to": "QUARANTINED"}),
        ):
            assert answer.status_code == 403, answer.text


def test_a_registered_device_has_no_other_carrier_either(api: Api, erp: dict[str, str]) -> None:
    for udi, field in (("nonsense", "udi"), ("(01)06970001009996(21)OTHER", "serial")):
        refused = api.post("/devices", headers=erp, json={"serial": "R-1", "model": "TEST-100", "udi": udi})
        assert (refused.status_code, set(find_errors(refused))) == (422, {field})
