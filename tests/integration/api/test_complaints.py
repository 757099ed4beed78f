"""Complaints by REST, from the call of a hospital to a signed closure: who may do what, and what is counted down."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.roles import Role
from service_link.batch_plan import MACHINE
from store.audit import verify_chain
from store.pool import open_connection
from store.vigilance import tell_report_clocks
from tests.support.databases import Database
from tests.support.http_api import PASSWORD, Api, find_errors

SIGNED = {"password": PASSWORD, "meaning": "I have looked at it"}
CALL = {
    "severity": "MAJOR",
    "details": "The pump stopped during an infusion.",
    "serial": "T-0000",
    "fault_group": "tank",
    "reporter_name": "Nora Nurse",
    "reporter_address": "1 Main Street",
    "reporter_phone": "+1 555 0100",
}
People = dict[str, dict[str, str]]


@pytest.fixture
def people(api: Api) -> People:
    roles = {
        "dirk": Role.DISPATCHER,
        "mona": Role.SERVICE_MANAGER,
        "quin": Role.QUALITY_ENGINEER,
        "rita": Role.QUALITY_APPROVER,
        "tina": Role.TECHNICIAN,
    }
    for name, role in roles.items():
        api.add_user(name, role)
    return {name: api.sign_in(name).writing for name in roles}


def enter(api: Api, headers: dict[str, str], **more: Any) -> httpx.Response:
    return api.post("/complaints", headers=headers, json={**CALL, **more})


def act(api: Api, headers: dict[str, str], code: str, path: str, body: dict[str, Any]) -> httpx.Response:
    """With the newest version, whoever saw it."""
    etag = api.get(f"/complaints/{code}", headers=api.token(Role.AUDITOR)).headers["etag"]
    return api.post(f"/complaints/{code}{path}", headers={**headers, "If-Match": etag}, json=body)


def test_a_complaint_opens_an_order_or_joins_it_and_raises_its_priority(api: Api, people: People) -> None:
    first = enter(api, people["dirk"])
    assert first.status_code == 201
    made = first.json()
    assert (made["state"], made["joined_as"], made["model"]) == ("RECEIVED", "OPENED", "TEST-100")
    assert made["missing"] == ["correction", "reply"]
    order = api.get(f"/work-orders/{made['work_order']}", headers=people["dirk"]).json()
    assert (order["source"], order["type"], order["fault_group"]) == ("COMPLAINT", "CORRECTIVE", "tank")
    worse = enter(api, people["dirk"], severity="CRITICAL").json()
    assert (worse["joined_as"], worse["work_order"]) == ("JOINED", made["work_order"])
    raised = api.get(f"/work-orders/{made['work_order']}", headers=people["dirk"]).json()
    assert raised["priority"] < order["priority"]
    enter(api, people["dirk"], severity="MINOR")
    kept = api.get(f"/work-orders/{made['work_order']}", headers=people["dirk"]).json()
    assert kept["priority"] == raised["priority"]
    other = enter(api, people["dirk"], fault_group="line").json()
    assert (other["joined_as"], other["work_order"] == made["work_order"]) == ("OPENED", False)
    assert set(find_errors(enter(api, people["dirk"], fault_group="moon"))) == {"fault_group"}
    assert enter(api, people["dirk"], serial="NOBODY").status_code == 404
    assert enter(api, api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert set(find_errors(enter(api, people["dirk"], received_at=later))) == {"received_at"}


def test_what_another_system_sends_twice_is_one_complaint(api: Api) -> None:
    token = api.token(Role.INTEGRATOR)
    refs = [{"system": "helpdesk", "type": "ticket", "id": "4711"}]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: enter(api, token, external_refs=refs), range(4)))
    assert {a.status_code for a in answers} <= {200, 201}
    assert len({a.json()["code"] for a in answers}) == 1
    again = enter(api, token, external_refs=refs, details="Another text.")
    assert (again.status_code, again.json()["details"]) == (200, CALL["details"])
    auditor = api.token(Role.AUDITOR)
    found = api.get("/complaints?reference=4711", headers=auditor).json()["items"]
    assert [c["code"] for c in found] == [again.json()["code"]]
    assert len(api.get("/work-orders", headers=auditor).json()["items"]) == 1


def test_one_whose_device_is_not_known_is_recorded_and_linked_later(api: Api, people: People) -> None:
    made = enter(api, people["dirk"], serial=None, fault_group=None, device_name="a pump", customer="T-C1")
    code = made.json()["code"]
    assert (made.json()["work_order"], made.json()["customer"]) == (None, "T-C1")
    assert [c["code"] for c in api.get("/complaints?unlinked=true", headers=people["dirk"]).json()["items"]] == [code]
    path, change = f"/complaints/{code}", {"serial": "T-0001", "fault_group": "tank", "reason": "the label was found"}
    assert api.request("PATCH", path, headers=people["dirk"], json=change).status_code == 428
    headers = {**people["dirk"], "If-Match": made.headers["etag"]}
    linked = api.request("PATCH", path, headers=headers, json=change)
    assert (linked.status_code, linked.json()["joined_as"], linked.json()["serial"]) == (200, "OPENED", "T-0001")
    stale = api.request("PATCH", path, headers=headers, json=change)
    assert (stale.status_code, stale.json()["current"]["changed_by"]) == (412, "dirk")
    headers["If-Match"] = linked.headers["etag"]
    moved = api.request("PATCH", path, headers=headers, json={"serial": "T-0000", "reason": "no, that one"})
    assert moved.json()["guard"] == "linked_already"
    assert api.get("/complaints?unlinked=true", headers=people["dirk"]).json()["items"] == []


def test_people_decide_what_is_reported_and_the_machine_counts_down(
    api: Api, people: People, database: Database
) -> None:
    code = enter(api, people["dirk"]).json()["code"]
    aware = datetime.now(UTC) - timedelta(days=12)
    harm = {"aware_at": aware.isoformat(), "harm": "SERIOUS_INJURY", "jurisdictions": ["EU", "US"], "reason": "a call"}
    assert act(api, people["dirk"], code, "/assessment", harm).status_code == 403
    assert act(api, people["quin"], code, "/assessment", {**harm, "reason": ""}).json()["guard"] == "reason_missing"
    assessed = act(api, people["quin"], code, "/assessment", harm)
    assert assessed.status_code == 201
    (found,) = assessed.json()["assessments"]
    assert [(c["jurisdiction"], c["state"]) for c in found["clocks"]] == [("EU", "RUNNING"), ("US", "RUNNING")]
    report = {"jurisdiction": "EU", "submitted_at": datetime.now(UTC).isoformat(), "reference": "MIR-17"}
    early = act(api, people["quin"], code, "/assessment/submissions", report)
    assert early.json()["guard"] == "not_reportable"
    decision = {"decision": "REPORTABLE", "reportable_in": ["EU"], "justification": "a serious incident", **SIGNED}
    path = "/assessment/decision"
    assert act(api, people["quin"], code, path, decision).json()["permission"] == "vigilance.decide"
    assert act(api, people["rita"], code, path, {**decision, "password": None}).json()["guard"] == "signature_missing"
    assert set(find_errors(act(api, people["rita"], code, path, {**decision, "password": "no"}))) == {"password"}
    with open_connection(database.url, application="test") as conn:
        assert tell_report_clocks(conn, MACHINE, datetime.now(UTC)) == 1  # of the EU's 15 days 12 are over
        assert tell_report_clocks(conn, MACHINE, datetime.now(UTC)) == 0
        assert tell_report_clocks(conn, MACHINE, aware + timedelta(days=17)) == 1
        types = [r[0] for r in conn.execute("SELECT type FROM outbox WHERE entity = 'complaint' ORDER BY id")]
    assert types == ["vigilance.due_soon", "vigilance.overdue"]
    decided = act(api, people["rita"], code, path, decision)
    assert decided.status_code == 200
    clocks = {c["jurisdiction"]: c for c in decided.json()["assessments"][0]["clocks"]}
    assert {j: c["state"] for j, c in clocks.items()} == {"EU": "RUNNING", "US": "NOT_REQUIRED"}
    assert (decided.json()["is_report_overdue"], decided.json()["signatures"][0]["valid"]) == (True, True)
    assert act(api, people["rita"], code, path, decision).json()["guard"] == "decided_already"
    unknown = act(api, people["quin"], code, "/assessment/submissions", {**report, "reference": ""})
    assert unknown.json()["guard"] == "reference_missing"
    sent = act(api, people["quin"], code, "/assessment/submissions", report)
    assert sent.status_code == 201
    eu = next(c for c in sent.json()["assessments"][0]["clocks"] if c["jurisdiction"] == "EU")
    assert (eu["state"], eu["reference"], eu["overdue_at"] is None) == ("SUBMITTED", "MIR-17", False)
    again = act(api, people["quin"], code, "/assessment/submissions", report)
    assert again.json()["guard"] == "submitted_already"
    # What is learnt later is assessed anew; what was decided and submitted stays as it was.
    died = {**harm, "harm": "DEATH", "reason": "the patient died", "aware_at": datetime.now(UTC).isoformat()}
    second = act(api, people["quin"], code, "/assessment", died).json()
    assert [a["decision"] for a in second["assessments"]] == ["REPORTABLE", None]
    later = {"jurisdictions": ["CN"], "threat_known_at": died["aware_at"]}
    third = act(api, people["quin"], code, "/assessment", {**died, **later}).json()
    assert [a["threat_known_at"] is None for a in third["assessments"]] == [True, True, False]
    assert [[c["state"] for c in a["clocks"]] for a in third["assessments"]] == [
        ["SUBMITTED", "NOT_REQUIRED"],
        ["SUPERSEDED", "SUPERSEDED"],
        ["RUNNING"],
    ]
    assert [s["valid"] for s in third["signatures"]] == [True]


def test_it_closes_complete_decided_and_signed_and_what_changes_later_shows(
    api: Api, people: People, database: Database
) -> None:
    code = enter(api, people["dirk"], fault_group=None).json()["code"]
    steps = "/transitions"
    assert act(api, people["tina"], code, steps, {"to": "RESOLVED", "reason": "x"}).status_code == 403
    no = act(api, people["quin"], code, steps, {"to": "RESOLVED"})
    assert no.json()["guard"] == "reason_missing"
    assert act(api, people["dirk"], code, steps, {"to": "INVESTIGATION"}).json()["investigated"] is True
    bare = act(api, people["dirk"], code, steps, {"to": "RESOLVED"})
    assert bare.json()["guard"] == "investigation_missing"
    found = act(api, people["dirk"], code, steps, {"to": "RESOLVED", "investigation": "a worn seal"})
    close = {"to": "CLOSED", **SIGNED}
    refused = act(api, people["quin"], code, steps, close)
    assert (refused.json()["guard"], "reply" in refused.json()["detail"]) == ("record_incomplete", True)
    fill = {"correction": "seal replaced", "reply": "letter of today", "reason": "done"}
    headers = {**people["dirk"], "If-Match": found.headers["etag"]}
    assert api.request("PATCH", f"/complaints/{code}", headers=headers, json=fill).json()["missing"] == []
    assert act(api, people["quin"], code, steps, close).json()["guard"] == "vigilance_undecided"
    none = {"aware_at": datetime.now(UTC).isoformat(), "harm": "NONE", "jurisdictions": ["EU"], "reason": "no harm"}
    act(api, people["quin"], code, "/assessment", none)
    decision = {"decision": "NOT_REPORTABLE", "justification": "no harm was or could be done", **SIGNED}
    assert act(api, people["rita"], code, "/assessment/decision", decision).status_code == 200
    closed = act(api, people["quin"], code, steps, close)
    assert (closed.json()["state"], [s["valid"] for s in closed.json()["signatures"]]) == ("CLOSED", [True, True])
    headers["If-Match"] = closed.headers["etag"]
    assert api.request("PATCH", f"/complaints/{code}", headers=headers, json=fill).json()["guard"] == "closed"
    assert act(api, people["quin"], code, "/assessment", none).json()["guard"] == "complaint_closed"
    again = act(api, people["quin"], code, steps, {"to": "INVESTIGATION", "reason": "it came back"}).json()
    assert (again["version"], again["closed_at"]) == (2, None)
    assert {s["meaning"]: s["invalid_reason"] for s in again["signatures"] if not s["valid"]} == {
        SIGNED["meaning"]: "earlier_version"
    }
    with open_connection(database.url, application="test") as conn:
        assert verify_chain(conn).problems == []


def test_who_complained_is_masked_and_lists_go_page_by_page(api: Api, people: People) -> None:
    codes = [enter(api, people["dirk"]).json()["code"] for _ in range(3)]
    seen = api.get(f"/complaints/{codes[0]}", headers=people["mona"]).json()
    assert (seen["reporter_name"], seen["reporter_phone"]) == ("Nora Nurse", "+1 555 0100")
    for headers in (people["quin"], people["rita"], api.token(Role.AUDITOR)):
        masked = api.get("/complaints", headers=headers)
        assert all(c["reporter_name"] is None for c in masked.json()["items"])
        assert "Nora" not in masked.text
        assert "555" not in api.get(f"/complaints/{codes[0]}", headers=headers).text
    assert "Nora" not in api.get("/audit", headers=api.token(Role.AUDITOR)).text
    first = api.get("/complaints?limit=2", headers=people["dirk"]).json()
    rest = api.get(f"/complaints?limit=2&cursor={first['next_cursor']}", headers=people["dirk"]).json()
    assert [c["code"] for c in first["items"] + rest["items"]] == codes[::-1]
    assert rest["next_cursor"] is None
    assert api.get("/complaints?state=CLOSED", headers=people["dirk"]).json()["items"] == []
    assert len(api.get("/complaints?decision=UNDECIDED&open=true", headers=people["dirk"]).json()["items"]) == 3
    assert api.get("/complaints", headers=api.token(Role.TECHNICIAN)).status_code == 403
    assert api.get("/complaints/CMP-1", headers=people["dirk"]).status_code == 404
