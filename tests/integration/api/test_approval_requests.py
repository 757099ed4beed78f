"""Changes that take two people, by REST: who sees them, who asks, who decides, and what every refusal names."""

from typing import Any

import pytest

from domain.roles import Role
from tests.support.http_api import PASSWORD, Api, find_errors

EXPORT = {
    "kind": "identifiable_export",
    "entity_id": "customers",
    "payload": {"format": "csv", "filter": {}, "columns": ["code", "contacts"]},
    "reason": "recall letters",
}
SIGNED = {"password": PASSWORD, "meaning": "I have looked at it"}


@pytest.fixture
def people(api: Api) -> dict[str, dict[str, str]]:
    for name, role in (("dora", Role.DATA_STEWARD), ("mona", Role.SERVICE_MANAGER), ("dirk", Role.DISPATCHER)):
        api.add_user(name, role)
    return {name: api.sign_in(name).writing for name in ("dora", "mona", "dirk")}


def ask(api: Api, headers: dict[str, str], **more: Any) -> Any:
    return api.post("/approval-requests", headers=headers, json={**EXPORT, **SIGNED, **more})


def test_asking_takes_a_person_a_right_a_reason_and_the_password_again(
    api: Api, people: dict[str, dict[str, str]]
) -> None:
    assert ask(api, people["dirk"]).json()["permission"] == "export.take"
    assert set(find_errors(ask(api, people["dora"], password="wrong"))) == {"password"}
    assert ask(api, people["dora"], password=None).json()["guard"] == "signature_missing"
    assert ask(api, people["dora"], meaning="").json()["guard"] == "meaning_missing"
    assert ask(api, people["dora"], reason=" ").json()["guard"] == "reason_missing"
    token = api.token(Role.DATA_STEWARD)
    assert set(find_errors(ask(api, token))) == {"password"}
    assert ask(api, token, password=None).json()["guard"] == "person_needed"
    assert set(find_errors(ask(api, people["dora"], kind="coffee"))) == {"kind"}
    assert api.get("/approval-requests", headers=people["dora"]).json()["items"] == []
    assert PASSWORD not in api.get("/audit", headers=api.token(Role.AUDITOR)).text


def test_who_sees_a_request_is_who_may_ask_for_it_decide_on_it_or_audit(
    api: Api, people: dict[str, dict[str, str]]
) -> None:
    made = ask(api, people["dora"])
    code, etag = made.json()["code"], made.headers["etag"]
    assert made.headers["location"] == f"/api/v1/approval-requests/{code}"
    for headers in (people["dora"], people["mona"], api.token(Role.AUDITOR), api.token(Role.QUALITY_APPROVER)):
        assert [r["code"] for r in api.get("/approval-requests", headers=headers).json()["items"]] == [code]
    assert api.get("/approval-requests", headers=people["dirk"]).json()["items"] == []
    assert api.get(f"/approval-requests/{code}", headers=people["dirk"]).status_code == 404
    assert api.get("/approval-requests", headers=api.token(Role.TECHNICIAN)).status_code == 403
    steps = {s["to"]: s["allowed"] for s in made.json()["next_steps"]}
    assert steps == {"GRANTED": False, "REFUSED": False, "WITHDRAWN": True}
    seen = api.get(f"/approval-requests/{code}", headers=people["mona"]).json()
    assert {s["to"]: s["allowed"] for s in seen["next_steps"]} == {"GRANTED": True, "REFUSED": True, "WITHDRAWN": False}
    path, body = f"/approval-requests/{code}/transitions", {"to": "REFUSED", "reason": "too much", **SIGNED}
    assert api.post(path, headers=people["mona"], json=body).status_code == 428
    stale = api.post(path, headers={**people["mona"], "If-Match": '"7"'}, json=body)
    assert (stale.status_code, stale.json()["current"]["changed_by"]) == (412, "dora")
    key = {"Idempotency-Key": "refuse-this-export", "If-Match": etag}
    refused = api.post(path, headers={**people["mona"], **key}, json=body)
    assert (refused.status_code, refused.json()["state"], refused.json()["next_steps"]) == (200, "REFUSED", [])
    again = api.post(path, headers={**people["mona"], **key}, json=body)
    assert again.headers["idempotent-replayed"] == "true"
    late = {**people["mona"], "If-Match": refused.headers["etag"]}
    assert api.post(path, headers=late, json=body).json()["guard"] == "no_such_transition"
    newest = api.get("/approval-requests?state=REFUSED&kind=identifiable_export&asked_by=dora", headers=people["mona"])
    assert [r["decision_reason"] for r in newest.json()["items"]] == ["too much"]


def test_requests_page_by_page_and_withdrawn(api: Api, people: dict[str, dict[str, str]]) -> None:
    codes = [ask(api, people["dora"]).json()["code"] for _ in range(3)]
    first = api.get("/approval-requests?limit=2", headers=people["mona"]).json()
    rest = api.get(f"/approval-requests?limit=2&cursor={first['next_cursor']}", headers=people["mona"]).json()
    assert [r["code"] for r in first["items"] + rest["items"]] == codes[::-1]
    path = f"/approval-requests/{codes[0]}/transitions"
    withdrawn = api.post(path, headers={**people["dora"], "If-Match": '"1"'}, json={"to": "WITHDRAWN"})
    assert (withdrawn.status_code, withdrawn.json()["decided_by"]) == (200, "dora")
    assert [s["signer"] for s in withdrawn.json()["signatures"]] == ["dora"]


@pytest.mark.parametrize(
    "payload",
    [
        r'{"format": "csv", "filter": {"region": "\ud800"}, "columns": ["contacts"]}',
        '{"a": ' + "[" * 400 + "]" * 400 + "}",
        r'{"\udfff": 1}',
        '{"a": NaN}',
    ],
)
def test_what_not_every_reader_of_json_reads_is_refused_by_its_field(
    api: Api, people: dict[str, dict[str, str]], payload: str
) -> None:
    for kind in ("identifiable_export", "key_field_change"):
        body = f'{{"kind": "{kind}", "entity_id": "customers", "reason": "x", "payload": {payload}}}'
        headers = {**people["dora"], "Content-Type": "application/json"}
        refused = api.post("/approval-requests", headers=headers, content=body.encode())
        assert refused.status_code == 422, refused.text
        assert set(find_errors(refused)) == {"payload"}
