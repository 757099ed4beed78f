"""A CAPA by REST: from the decision to the closure, what each role may, and what is refused by which name."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.audit import Actor
from domain.capa import CapaScope, CapaTrigger, ScopeKind
from domain.roles import Role
from service_link.effectiveness import measure_effectiveness
from store.capa_proposals import CapaProposal, open_or_join_capa
from store.pool import open_connection
from tests.support.http_api import PASSWORD, Api, find_errors

PEOPLE = {
    "quinn": Role.QUALITY_ENGINEER,
    "rosa": Role.QUALITY_ENGINEER,
    "ada": Role.QUALITY_APPROVER,
    "bob": Role.QUALITY_APPROVER,
    "mona": Role.SERVICE_MANAGER,
}
SIGNED = "Reviewed and approved"
WHYS = [{"statement": text} for text in ("the tank leaks", "the seal is brittle", "the rubber was changed")]
CAUSE = {
    "problem": "Tanks leak within a year",
    "causes": [
        {
            "category": "MATERIAL",
            "verdict": "ROOT",
            "statement": "The new rubber does not stand the fluid",
            "whys": WHYS,
            "evidence": [{"kind": "DOCUMENT", "ref": "LAB-17"}],
        },
        {"category": "PEOPLE", "verdict": "RULED_OUT", "statement": "Wrong torque"},
    ],
}
ACTION = {"kind": "CORRECTIVE", "text": "The old rubber again", "owner": "quinn", "due_on": "2026-01-31"}
CHECK = {"metric": "BREACH_RATE", "limit_kind": "RATE", "limit": 100.0, "period_days": 30}


class Staff:
    """People who send changes to one CAPA, each with its newest ETag."""

    def __init__(self, api: Api) -> None:
        self.api = api
        for name, role in PEOPLE.items():
            api.add_user(name, role)
        self.headers = {name: api.sign_in(name).writing for name in PEOPLE}
        with psycopg.connect(api.settings.database_url) as conn:
            row = conn.execute("SELECT device_model_id FROM device WHERE serial = 'T-0000'").fetchone()
            assert row is not None
            scope = CapaScope(row[0], ScopeKind.MODEL, "", "tank")
            proposal = CapaProposal(scope, CapaTrigger.COHORT, {"events": 3, "p": 0.001}, (), is_simulated=False)
            machine = Actor("service_link", "machine", "")
            self.code, _ = open_or_join_capa(conn, machine, proposal, datetime.now(UTC))
        self.path = f"/capas/{self.code}"

    def send(self, who: str, method: str, path: str, body: dict[str, Any], expected: int = 200) -> dict[str, Any]:
        etag = self.api.get(self.path, headers=self.headers[who]).headers["etag"]
        headers = {**self.headers[who], "If-Match": etag}
        response = self.api.request(method, f"{self.path}{path}", headers=headers, json=body)
        assert response.status_code == expected, response.text
        found: dict[str, Any] = response.json()
        return found

    def step(
        self, who: str, to: str, expected: int = 200, *, password: str | None = None, meaning: str = ""
    ) -> dict[str, Any]:
        body = {"to": to, "reason": "as discussed", "password": password, "meaning": meaning}
        return self.send(who, "POST", "/transitions", body, expected)

    def read(self, path: str = "") -> Any:
        return self.api.get(f"{self.path}{path}", headers=self.headers["mona"]).json()


@pytest.fixture
def staff(api: Api) -> Staff:
    return Staff(api)


def test_a_capa_from_its_decision_to_its_closure(api: Api, staff: Staff) -> None:
    assert staff.step("quinn", "OPEN", 403)["permission"] == "capa.decide"
    staff.step("ada", "OPEN")
    assert staff.step("ada", "INVESTIGATION", 403)["permission"] == "capa.work"
    staff.step("quinn", "INVESTIGATION")
    assert staff.step("quinn", "ACTION_PLAN", 409)["guard"] == "problem_missing"
    unknown = {**CAUSE, "causes": [{**CAUSE["causes"][0], "evidence": [{"kind": "DEVICE", "ref": "X"}]}]}  # type: ignore[dict-item]
    assert staff.send("quinn", "PUT", "/root-cause", unknown, 422)["errors"][0]["field"] == "evidence"
    written = staff.send("quinn", "PUT", "/root-cause", CAUSE)
    assert [c["verdict"] for c in written["root_cause"]["causes"]] == ["ROOT", "RULED_OUT"]
    assert written["root_cause"] == {**staff.read("/root-cause")}
    staff.step("quinn", "ACTION_PLAN")
    assert staff.read("/devices?total=true")["total"] > 0
    no_owner = staff.send("quinn", "POST", "/actions", {**ACTION, "owner": "nobody"}, 422)
    assert no_owner["errors"][0]["field"] == "owner"
    api.add_user("tina", Role.TECHNICIAN)
    blind = staff.send("quinn", "POST", "/actions", {**ACTION, "owner": "tina"}, 422)
    assert [(one["field"], "capa.read" in one["detail"]) for one in blind["errors"]] == [("owner", True)]
    staff.send("quinn", "POST", "/actions", {"kind": "CORRECTIVE", "text": "The old rubber again"}, 201)
    assert staff.step("ada", "IMPLEMENTATION", 409, password=PASSWORD, meaning=SIGNED)["guard"] == "owner_missing"
    staff.send("quinn", "PUT", "/actions/1", ACTION)
    assert (
        staff.step("ada", "IMPLEMENTATION", 409, password=PASSWORD, meaning=SIGNED)["guard"]
        == "effectiveness_plan_missing"
    )
    wrong = staff.send("quinn", "PUT", "/effectiveness", {**CHECK, "limit_kind": "RATIO"}, 422)
    assert wrong["errors"][0]["field"] == "limit"
    staff.send("quinn", "PUT", "/effectiveness", CHECK)

    assert staff.step("ada", "IMPLEMENTATION", 409)["guard"] == "signature_missing"
    bad = staff.step("ada", "IMPLEMENTATION", 422, password="wrong", meaning="x")
    assert bad["errors"][0]["field"] == "password"
    first = staff.step("ada", "IMPLEMENTATION", password=PASSWORD, meaning=SIGNED)
    assert (first["state"], first["approvals"]) == ("ACTION_PLAN", 1)
    assert staff.step("ada", "IMPLEMENTATION", 409, password=PASSWORD, meaning=SIGNED)["guard"] == "second_person"
    staff.send("quinn", "PUT", "/actions/1", {**ACTION, "text": "Another rubber"})
    signatures = staff.read("/signatures")["plan"]
    assert [(s["signer"], s["valid"], s["changed_fields"]) for s in signatures] == [
        ("ada", False, ["actions", "version"])
    ]
    for who in ("ada", "bob"):
        approved = staff.step(who, "IMPLEMENTATION", password=PASSWORD, meaning=SIGNED)
    assert approved["state"] == "IMPLEMENTATION"

    late = api.get("/capa-actions?overdue=true&total=true", headers=staff.headers["mona"]).json()
    assert (late["total"], late["items"][0]["capa"], late["items"][0]["owner"]) == (1, staff.code, "quinn")
    acts = "/actions/1/transitions"
    assert staff.send("ada", "POST", acts, {"to": "DONE", "evidence": "x"}, 403)["permission"] == "capa.work"
    assert staff.send("quinn", "POST", acts, {"to": "DONE"}, 409)["guard"] == "evidence_missing"
    done = {"to": "DONE", "evidence": "200 seals replaced", "references": [{"kind": "DEVICE", "ref": "T-0000"}]}
    staff.send("quinn", "POST", acts, done)
    assert api.get("/capa-actions?overdue=true", headers=staff.headers["mona"]).json()["items"] == []
    staff.step("quinn", "VERIFICATION")
    assert staff.send("quinn", "POST", acts, {"to": "VERIFIED", "evidence": "x"}, 409)["guard"] == "own_work"
    staff.send("rosa", "POST", acts, {"to": "VERIFIED", "evidence": "ten opened"})
    measured = staff.step("ada", "EFFECTIVENESS")
    assert measured["effective_until"] is not None

    assert staff.step("quinn", "CLOSED", 409, password=PASSWORD, meaning=SIGNED)["guard"] == "period_not_over"
    move_back(api, staff.code)
    assert staff.step("quinn", "CLOSED", 409, password=PASSWORD, meaning=SIGNED)["guard"] == "effectiveness_outdated"
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        assert measure_effectiveness(conn, datetime.now(UTC)) == [staff.code]
    effect = staff.read("/effectiveness")
    assert (effect["verdict"], effect["results"][0]["is_final"]) == ("MET", True)
    steps = {s["to"]: s for s in staff.read()["next_steps"]}
    assert (steps["CLOSED"]["offered"], steps["CLOSED"]["offered_reason"]) == (True, "below_limit")
    assert steps["INVESTIGATION"]["offered"] is False
    asked = staff.step("quinn", "CLOSED", password=PASSWORD, meaning=SIGNED)
    assert (asked["state"], asked["closure_asked"]) == ("EFFECTIVENESS", True)
    closed = staff.step("bob", "CLOSED", password=PASSWORD, meaning=SIGNED)
    assert (closed["state"], closed["next_steps"]) == ("CLOSED", [])
    assert [s["valid"] for s in staff.read("/signatures")["closure"]] == [True, True]
    assert [s["valid"] for s in staff.read("/signatures")["plan"]] == [False, True, True]
    assert api.get("/audit/verify", headers=api.token(Role.AUDITOR)).json()["holds"] is True


def test_what_a_person_proposes_another_opens(api: Api, staff: Staff) -> None:
    wanted = {"kind": "PREVENTIVE", "model": "TEST-100", "fault_group": "valve", "reason": "seen in an audit"}
    made = api.post("/capas", headers=staff.headers["quinn"], json=wanted)
    assert made.status_code == 201
    capa = made.json()
    assert (capa["state"], capa["kind"], capa["trigger"], capa["members"]) == ("PROPOSED", "PREVENTIVE", "MANUAL", [])
    again = api.post("/capas", headers=staff.headers["rosa"], json=wanted)
    assert (again.status_code, again.json()["guard"]) == (409, "scope_taken")
    assert capa["code"] in again.json()["detail"]
    assert api.post("/capas", headers=staff.headers["ada"], json=wanted).json()["permission"] == "capa.work"
    for change, status, field in (
        ({"scope_kind": "LOT"}, 422, "scope_value"),
        ({"scope_kind": "DEVICE", "scope_value": "nobody"}, 404, "scope_value"),
        ({"model": "nothing"}, 404, "model"),
    ):
        refused = api.post("/capas", headers=staff.headers["quinn"], json={**wanted, **change})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (status, field)
    missing = api.post("/capas", headers=staff.headers["quinn"], json={**wanted, "work_orders": ["WO-1"]})
    assert missing.status_code == 404
    page = api.client.get(f"/capa/{capa['code']}", headers=staff.headers["ada"])
    assert page.status_code == 200
    assert "Proposed by machine" not in page.text
    headers = {**staff.headers["ada"], "If-Match": made.headers["etag"]}
    opened = api.post(f"/capas/{capa['code']}/transitions", headers=headers, json={"to": "OPEN", "reason": "agreed"})
    assert opened.json()["state"] == "OPEN"


def move_back(api: Api, code: str) -> None:
    """As if the devices had been there for long, and the period were over."""
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET created_at = created_at - interval '400 days'")
        month = timedelta(days=31)
        conn.execute(
            "UPDATE capa SET effective_from = effective_from - %s, effective_until = effective_until - %s"
            " WHERE code = %s",
            (month, month, code),
        )


def test_changes_of_two_people_at_once_and_lists(api: Api, staff: Staff) -> None:
    staff.step("ada", "OPEN")
    seen = api.get(staff.path, headers=staff.headers["quinn"]).headers["etag"]
    correction = {"kind": "CORRECTION", "text": "Quarantine the stock"}
    for n in range(3):
        staff.send("quinn", "POST", "/actions", {**correction, "due_on": f"2027-0{3 - n}-01"}, 201)
    stale = api.request(
        "POST", f"{staff.path}/actions", headers={**staff.headers["rosa"], "If-Match": seen}, json=correction
    )
    assert stale.status_code == 412
    assert stale.json()["current"]["changed_by"] == "quinn"
    key = {"Idempotency-Key": "one-intent-only"}
    etag = api.get(staff.path, headers=staff.headers["quinn"]).headers["etag"]
    headers = {**staff.headers["quinn"], "If-Match": etag, **key}
    made = [api.post(f"{staff.path}/actions", headers=headers, json=correction) for _ in range(2)]
    assert [m.status_code for m in made] == [201, 201]
    assert made[0].json() == made[1].json()
    assert (
        staff.send("quinn", "POST", "/actions", {**correction, "kind": "PREVENTIVE"}, 409)["guard"] == "plan_not_open"
    )
    numbers, cursor = [], ""
    while True:
        page = api.get(f"/capa-actions?limit=3{cursor}", headers=staff.headers["mona"]).json()
        numbers += [item["number"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert numbers == [3, 2, 1, 4]  # by their day, that without one last
    assert api.get("/capa-actions?owner=nobody", headers=staff.headers["mona"]).json()["items"] == []
    reject = api.get("/capa-actions?cursor=xx", headers=staff.headers["mona"])
    assert set(find_errors(reject)) == {"cursor"}
    assert api.get(f"{staff.path}/actions/9", headers=staff.headers["mona"]).status_code == 404
    assert staff.send("quinn", "PUT", "/actions/9", correction, 404)["errors"][0]["field"] == "number"
    assert api.get("/capa-actions", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 403
    machine = {
        **api.token(Role.QUALITY_ENGINEER),
        "If-Match": api.get(staff.path, headers=staff.headers["mona"]).headers["etag"],
    }
    by_token = api.post(f"{staff.path}/actions", headers=machine, json=correction)
    assert by_token.json()["guard"] == "person_needed"
