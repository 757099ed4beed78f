"""Lists as files: logged before they leave, watermarked, and naming people only with a second person's consent."""

import csv
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from domain.roles import Role
from tests.support.http_api import PASSWORD, Api, find_errors

CONTACT = "Zelda Lindqvist"
COLUMNS = ["code", "name", "contacts"]
SIGNED = {"password": PASSWORD, "meaning": "I have looked at it"}


@pytest.fixture
def people(api: Api) -> dict[str, dict[str, str]]:
    """Signed-in staff; one customer has a contact, one customer's name looks like a formula."""
    api.add_user("dora", Role.DATA_STEWARD)
    api.add_user("mona", Role.SERVICE_MANAGER)
    api.add_user("adam", Role.AUDITOR)
    api.add_user("tom", Role.TECHNICIAN)
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE customer SET contacts = %s WHERE code = 'T-C0'", (Jsonb([{"name": CONTACT}]),))
        conn.execute("UPDATE customer SET name = '=1+1' WHERE code = 'T-C1'")
    return {name: api.sign_in(name).writing for name in ("dora", "mona", "adam", "tom")}


def take(api: Api, headers: dict[str, str], **body: Any) -> httpx.Response:
    return api.post("/exports", headers=headers, json=body)


def ask(api: Api, headers: dict[str, str], **payload: Any) -> str:
    wanted = {"format": "csv", "filter": {}, "columns": COLUMNS, **payload}
    body = {"kind": "identifiable_export", "entity_id": "customers", "payload": wanted, "reason": "recall letters"}
    asked = api.post("/approval-requests", headers=headers, json=body | SIGNED)
    assert asked.status_code == 201, asked.text
    return str(asked.json()["code"])


def decide(api: Api, headers: dict[str, str], code: str, to: str = "GRANTED", **more: Any) -> httpx.Response:
    etag = api.get(f"/approval-requests/{code}", headers=headers).headers["etag"]
    body = {"to": to, **SIGNED, **more}
    return api.post(f"/approval-requests/{code}/transitions", headers={**headers, "If-Match": etag}, json=body)


def test_a_list_is_logged_audited_and_watermarked_before_it_leaves(api: Api, people: dict[str, dict[str, str]]) -> None:
    taken = take(api, people["dora"], list="customers", filter={"type": "HOSPITAL"}, reason="territory plan")
    assert taken.status_code == 200, taken.text
    mark, header, *rows = taken.text.splitlines()
    assert header.split(",") == ["code", "name", "type", "channel", "status", "region", "updated_at", "is_simulated"]
    names = {row["code"]: row["name"] for row in csv.DictReader(io.StringIO("\n".join([header, *rows])))}
    assert names["T-C1"] == "'=1+1"  # no spreadsheet computes it
    assert CONTACT not in taken.text
    (log,) = api.get("/exports", headers=people["dora"]).json()["items"]
    assert (log["list"], log["filter"], log["row_count"], log["reason"]) == (
        "customers", {"type": "HOSPITAL"}, len(rows), "territory plan",
    )  # fmt: skip
    assert log["sha256"] == taken.headers["x-content-sha256"] == hashlib.sha256(taken.content).hexdigest()
    assert log["size_bytes"] == len(taken.content)
    assert mark.startswith(f"# Forewarn export {log['code']}, taken by Dora (dora) at ")
    assert unquote(taken.headers["x-forewarn-watermark"]) == mark.removeprefix("# ")
    event = api.get("/audit?action=export.taken", headers=people["adam"]).json()["items"][0]
    assert (event["entity_id"], event["actor"], event["after"]["rows"]) == (log["code"], "dora", len(rows))
    as_json = take(api, people["dora"], list="devices", format="json", columns=["serial", "customer"]).json()
    assert {"serial": "T-0000", "customer": "T-C0"} in as_json["rows"]
    assert "EX-" in as_json["watermark"]


def test_what_may_be_taken_is_what_may_be_read(api: Api, people: dict[str, dict[str, str]]) -> None:
    assert take(api, people["tom"], list="customers").json()["permission"] == "export.take"
    assert take(api, people["dora"], list="audit").json()["permission"] == "audit.read"
    hidden = take(api, people["adam"], list="customers", columns=COLUMNS)
    assert hidden.json()["permission"] == "customer.read_contacts"
    assert set(find_errors(take(api, people["dora"], list="nothing"))) == {"list"}
    wrong = take(api, people["dora"], list="devices", columns=["pin"], filter={"x": "y", "region": ["a"]})
    assert set(find_errors(wrong)) == {"columns", "filter.x", "filter.region"}
    lists = {found["name"] for found in api.get("/exports/lists", headers=people["dora"]).json()["items"]}
    assert {"work_orders", "devices", "customers"} <= lists
    assert "audit" not in lists
    assert api.get("/exports", headers=people["dora"]).json()["items"] == []


def test_people_are_named_only_with_a_second_persons_consent(api: Api, people: dict[str, dict[str, str]]) -> None:
    wanted: dict[str, Any] = {"list": "customers", "columns": COLUMNS}
    dora, mona = people["dora"], people["mona"]
    assert take(api, dora, **wanted).json()["guard"] == "approval_missing"
    code = ask(api, dora)
    assert take(api, dora, **wanted, approval_request=code).json()["guard"] == "approval_not_granted"
    assert decide(api, dora, code).json()["guard"] == "second_person"
    assert decide(api, people["adam"], code).json()["permission"] == "export.approve"
    granted = decide(api, mona, code)
    assert granted.status_code == 200, granted.text
    assert [(s["signer"], s["valid"]) for s in granted.json()["signatures"]] == [("dora", True), ("mona", True)]
    assert take(api, mona, **wanted, approval_request=code).json()["guard"] == "approval_of_another"
    more = {**wanted, "columns": [*COLUMNS, "region"]}
    assert take(api, dora, **more, approval_request=code).json()["guard"] == "approval_differs"
    assert (
        take(api, dora, **wanted, filter={"region": "x"}, approval_request=code).json()["guard"] == "approval_differs"
    )
    with ThreadPoolExecutor(4) as pool:  # of several at once one gets it
        answers = [*pool.map(lambda _: take(api, dora, **wanted, approval_request=code), range(4))]
    (taken,) = [answer for answer in answers if answer.status_code == 200]
    assert CONTACT in taken.text
    assert {answer.json()["guard"] for answer in answers if answer is not taken} == {"approval_used"}
    (log,) = api.get("/exports?identifiable=true", headers=people["adam"]).json()["items"]
    assert (log["approval_request"], log["reason"], log["is_identifiable"]) == (code, "recall letters", True)
    assert api.get(f"/exports/{log['code']}", headers=people["dora"]).status_code == 200
    assert api.get("/audit/verify", headers=people["adam"]).json()["holds"] is True


def test_what_was_granted_long_ago_or_names_nobody(api: Api, people: dict[str, dict[str, str]]) -> None:
    code = ask(api, people["dora"])
    assert decide(api, people["mona"], code).status_code == 200
    with psycopg.connect(api.settings.database_url, autocommit=True) as conn, pytest.raises(psycopg.Error):
        conn.execute("UPDATE approval_request SET decided_at = now()")  # decided once
    body = {"kind": "identifiable_export", "entity_id": "customers", "reason": "r", **SIGNED}
    for payload, field in (
        ({"format": "csv", "filter": {}, "columns": ["code"]}, "payload.columns"),
        ({"format": "xls", "filter": {}, "columns": COLUMNS}, "payload.format"),
        ({"format": "csv", "filter": {"x": 1}, "columns": COLUMNS}, "payload.filter.x"),
        ({"format": "csv"}, "payload"),
        ({"format": "csv", "filter": {}, "columns": [10**30]}, "payload"),
    ):
        asked = api.post("/approval-requests", headers=people["dora"], json=body | {"payload": payload})
        assert set(find_errors(asked)) == {field}


def test_an_audit_file_names_no_account_without_consent(api: Api, people: dict[str, dict[str, str]]) -> None:
    taken = take(api, people["adam"], list="audit", format="json")
    assert taken.status_code == 200, taken.text
    signed_in = [row for row in taken.json()["rows"] if row["action"] == "user.signed_in"]
    assert {row["entity_id"] for row in signed_in} == {"[masked]"}
    assert "tom" not in taken.text
    assert take(api, people["adam"], list="audit", columns=["seq", "actor"]).json()["guard"] == "approval_missing"


def test_work_orders_by_every_filter(api: Api, people: dict[str, dict[str, str]]) -> None:
    api.add_user("dirk", Role.DISPATCHER)
    dirk = api.sign_in("dirk").writing
    for serial in ("T-0000", "T-0001"):
        body = {"serial": serial, "fault_group": "tank", "description": "It leaks.", "priority": "P2"}
        assert api.post("/work-orders", headers=dirk, json=body).status_code == 201
    now = datetime.now(UTC)
    given = {
        "state": ["NEW"], "priority": "P2", "type": ["CORRECTIVE"], "customer": "T-C0", "serial": "T-0000",
        "open": True, "created_from": (now - timedelta(hours=1)).isoformat(),
        "created_to": (now + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    taken = take(api, people["mona"], list="work_orders", format="json", filter=given)
    assert [row["serial"] for row in taken.json()["rows"]] == ["T-0000"]
    assert "assignee" not in taken.json()["rows"][0]
    assert "dirk" not in taken.text
    every = take(api, people["mona"], list="work_orders", format="json", filter={"open": False}).json()
    assert every["rows"] == []
    late = take(api, people["mona"], list="work_orders", filter={"created_from": "yesterday"})
    assert set(find_errors(late)) == {"filter.created_from"}


def test_the_log_is_written_once(api: Api, people: dict[str, dict[str, str]]) -> None:
    take(api, people["dora"], list="customers")
    for statement in ("UPDATE export_log SET actor = 'x'", "DELETE FROM export_log", "TRUNCATE export_log"):
        with (
            psycopg.connect(api.settings.database_url) as conn,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            conn.execute(statement.encode())
