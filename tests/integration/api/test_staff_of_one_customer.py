"""Accounts of our own roles that work for one customer alone: what is another's, or everybody's, is not theirs."""

from typing import Any

import psycopg
import pytest

from domain.roles import Role
from tests.integration.api.test_field_actions import SIGNED, Staff
from tests.support.clinic import promise
from tests.support.http_api import Api

OURS, ANOTHERS = "T-C0", "T-C1"


@pytest.fixture
def staff(api: Api) -> Staff:
    return Staff(api)


def make_running_recall(api: Api, staff: Staff) -> str:
    made = staff.post("quentin", "/field-actions", {"kind": "RECALL", "title": "Leak", "model": "TEST-100"}, 201)
    path = f"/field-actions/{made['code']}"
    staff.send("quentin", "PUT", f"{path}/scope", {"serials": ["T-0000", "T-0001"]})
    for who in ("ada", "bob"):
        staff.post(who, f"{path}/transitions", {"to": "APPROVED", **SIGNED})
    staff.post("quentin", f"{path}/transitions", {"to": "NOTIFYING"})
    return path


def test_nothing_is_said_in_another_customers_name(api: Api, staff: Staff) -> None:
    path = make_running_recall(api, staff)
    theirs = api.token(Role.DISPATCHER, customer=OURS)
    said = {"channel": "PHONE", "result": "ACKNOWLEDGED", "text": "all is well"}
    for whose in ({"customer": ANOTHERS}, {"serial": "T-0001"}):
        refused = api.post(f"{path}/communications", headers=theirs, json={**said, **whose})
        assert refused.status_code == 404, refused.text
    assert api.get(f"{path}/items/T-0001", headers=staff.headers["dirk"]).json()["state"] == "IDENTIFIED"
    assert api.post(f"{path}/communications", headers=theirs, json={**said, "customer": OURS}).status_code == 201


def test_a_scope_is_not_looked_up_among_everybodys_devices(api: Api) -> None:
    theirs = api.token(Role.QUALITY_ENGINEER, customer=OURS)
    asked = api.post("/field-actions/scope-preview", headers=theirs, json={"model": "TEST-100"})
    assert asked.status_code == 403, asked.text


def test_questions_for_two_people_and_what_others_took_out_are_not_shown(api: Api, staff: Staff) -> None:
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute(
            "INSERT INTO approval_request (code, kind, entity, entity_id, payload, subject, content_sha256, reason,"
            " state, asked_by_id, asked_by, asked_at, expires_at)"
            " SELECT 'AR-2026-000900', 'sla_waiver', 'work_order', 'WO-1', '{}', '{}', '', 'of another', 'ASKED', id,"
            " name, now(), now() + interval '1 day' FROM app_user WHERE name = 'ada'"
        )
    taken = api.post("/exports", headers=staff.headers["quentin"], json={"list": "devices"})
    assert taken.status_code == 200, taken.text
    theirs = api.token(Role.SERVICE_MANAGER, customer=OURS)
    assert api.get("/approval-requests", headers=theirs).json()["items"] == []
    assert api.get("/approval-requests/AR-2026-000900", headers=theirs).status_code == 404
    assert api.get("/exports", headers=theirs).json()["items"] == []
    asked = {"kind": "sla_waiver", "entity_id": "WO-1", "payload": {"clock": "RESPONSE", "version": 1}, "reason": "x"}
    assert api.post("/approval-requests", headers=theirs, json=asked).status_code == 403
    ours = api.token(Role.SERVICE_MANAGER)
    assert len(api.get("/approval-requests", headers=ours).json()["items"]) == 1


def test_what_counts_for_all_customers_is_not_changed_for_one(api: Api) -> None:
    ours, theirs = api.token(Role.SERVICE_MANAGER), api.token(Role.SERVICE_MANAGER, customer=OURS)
    promise(api, ours)  # the calendar and the policy of OURS: visible to it, and still not its own
    weekly, terms = {"monday": ["00:00-24:00"]}, {f"P{n}": {"response_h": 1, "resolution_h": 2} for n in range(1, 5)}
    site = api.get("/devices/T-0000", headers=ours).json()["site"]
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/service-calendars/office", {"name": "Always", "weekly": weekly}),
        ("POST", "/service-calendars", {"code": "own", "name": "Own", "weekly": weekly}),
        ("PUT", "/sla-policies/gold", {"name": "Platinum", "terms": terms}),
        ("POST", "/sla-policies", {"code": "own", "name": "Own", "terms": terms}),
        ("PUT", f"/sites/{site}/service-calendar", {"service_calendar": None}),
        ("PUT", "/contracts/K-1/sla-policy", {"sla_policy": None}),
        ("PUT", "/checklist-templates/none", {"title": {}, "items": []}),
        ("PUT", "/technician-certificates/tom/TEST-100", {"valid_until": "2099-01-01"}),
    ]
    for method, path, body in changes:
        known = api.get(path, headers=theirs) if path.startswith(("/service-calendars/", "/sla-policies/")) else None
        assert known is None or known.status_code == 200, path
        refused = api.request(method, path, headers={**theirs, "If-Match": '"1"'}, json=body)
        assert (refused.status_code, "counts for all" in refused.json()["detail"]) == (403, True), path
    assert api.get("/service-calendars/office", headers=ours).json()["version"] == 1
    assert api.get("/sla-policies/gold", headers=ours).json()["version"] == 1


def test_the_audit_is_of_all_customers_and_so_for_nobody_who_works_for_one(api: Api) -> None:
    theirs = api.token(Role.AUDITOR, customer=OURS)
    assert [api.get(path, headers=theirs).status_code for path in ("/audit", "/audit/verify")] == [403, 403]
    assert api.get("/audit", headers=api.token(Role.AUDITOR)).status_code == 200


def test_people_write_field_actions_so_that_whoever_wrote_one_does_not_approve_it(api: Api, staff: Staff) -> None:
    draft = {"kind": "RECALL", "title": "Leak", "model": "TEST-100"}
    token = api.token(Role.QUALITY_ENGINEER)
    assert api.post("/field-actions", headers=token, json=draft).json()["guard"] == "person_needed"
    made = staff.post("quentin", "/field-actions", draft, 201)
    path = f"/field-actions/{made['code']}"
    headers = {**token, "If-Match": '"1"'}
    assert api.request("PUT", path, headers=headers, json=draft).json()["guard"] == "person_needed"
    scope = api.request("PUT", f"{path}/scope", headers=headers, json={"serials": ["T-0000"]})
    assert scope.json()["guard"] == "person_needed"


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_no_calendar_holds_makes_no_list_unreadable(api: Api, staff: Staff, when: str) -> None:
    path = make_running_recall(api, staff)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE field_action SET state = 'EXECUTING', current_wave = 1")
    staff.post("dirk", f"{path}/items/T-0000/transitions", {"to": "SCHEDULED", "scheduled_for": when}, 422)
    said = {"channel": "PHONE", "result": "REACHED", "customer": OURS, "at": when}
    staff.post("dirk", f"{path}/communications", said, 422)
    draft = {"kind": "RECALL", "title": "Leak", "model": "TEST-100", "not_before": when}
    staff.post("quentin", "/field-actions", draft, 422)
    for part in ("", "/items", "/communications"):
        assert api.get(f"{path}{part}", headers=staff.headers["dirk"]).status_code == 200


def test_an_administrator_of_one_customer_makes_no_account_that_sees_all(api: Api) -> None:
    api.add_user("root", Role.ADMIN, customer=OURS)
    root = api.sign_in("root")
    account = {"name": "mallory", "full_name": "Mallory", "roles": [Role.SERVICE_MANAGER]}
    assert api.post("/users", headers=root.writing, json=account).status_code == 403
    assert api.post("/tokens", headers=root.writing, json={"name": "all", "role": Role.INTEGRATOR}).status_code == 403
    assert api.get("/users", headers=root.reading).status_code == 403
