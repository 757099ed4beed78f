"""Serial, UDI and owner of a device by two people, and the steps of its life-cycle up to its end at the broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from accounts.account_file import AccountFile
from domain.roles import Role
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import PASSWORD, Api, running_api

SIGNED = {"password": PASSWORD, "meaning": "I have looked at it"}
People = dict[str, dict[str, str]]


@pytest.fixture
def people(api: Api) -> People:
    for name in ("dora", "dana"):
        api.add_user(name, Role.DATA_STEWARD)
    return {name: api.sign_in(name).writing for name in ("dora", "dana")}


def ask(api: Api, headers: dict[str, str], serial: str, payload: dict[str, Any]) -> httpx.Response:
    wish = {"kind": "key_field_change", "entity_id": serial, "payload": payload, "reason": "label was wrong"}
    return api.post("/approval-requests", headers=headers, json={**wish, **SIGNED})


def grant(api: Api, headers: dict[str, str], request: dict[str, Any]) -> httpx.Response:
    path = f"/approval-requests/{request['code']}/transitions"
    return api.post(path, headers={**headers, "If-Match": '"1"'}, json={"to": "GRANTED", **SIGNED})


def move(api: Api, headers: dict[str, str], serial: str, to: str, reason: str = "because") -> httpx.Response:
    etag = api.get(f"/devices/{serial}", headers=headers).headers["etag"]
    path = f"/devices/{serial}/transitions"
    return api.post(path, headers={**headers, "If-Match": etag}, json={"to": to, "reason": reason})


def test_two_people_change_serial_and_udi(api: Api, people: People) -> None:
    udi = "(01)06970001009996(21)T-0000X"
    made = ask(api, people["dora"], "T-0000", {"serial": "T-0000X", "udi": udi})
    assert made.status_code == 201, made.text
    assert api.get("/devices/T-0000X", headers=people["dora"]).status_code == 404  # asked is not done
    assert grant(api, people["dora"], made.json()).json()["guard"] == "second_person"
    granted = grant(api, people["dana"], made.json())
    assert granted.status_code == 200, granted.text
    assert granted.json()["outcome"]["changed"] == ["serial", "udi"]
    assert [signature["signer"] for signature in granted.json()["signatures"]] == ["dora", "dana"]
    assert api.get("/devices/T-0000", headers=people["dora"]).status_code == 404
    device = api.get("/devices/T-0000X", headers=people["dora"]).json()
    assert (device["udi"], device["lot"]) == (udi, "L1")
    entries = api.get("/devices/T-0000X/key-fields", headers=people["dora"]).json()["items"]
    assert {e["field"]: (e["before"], e["after"]) for e in entries} == {
        "serial": ("T-0000", "T-0000X"),
        "udi": (None, udi),
    }
    assert {(e["asked_by"], e["decided_by"], e["reason"]) for e in entries} == {("dora", "dana", "label was wrong")}
    with open_connection(api.settings.database_url, application="test") as conn:
        (said,) = load_audit_events(conn, AuditFilter(action="device.key_fields_changed"))
        (granted_at,) = load_audit_events(conn, AuditFilter(action="approval_request.granted"))
        assert verify_chain(conn).holds
    assert said.before is not None
    assert said.after is not None
    assert (said.entity_id, said.before["serial"], said.after["serial"]) == ("T-0000", "T-0000", "T-0000X")
    assert {e["audit_seq"] for e in entries} == {granted_at.seq}
    theirs = api.token(Role.CUSTOMER, customer="T-C0")
    seen = api.get("/devices/T-0000X/key-fields", headers=theirs).json()["items"]
    assert {(e["asked_by"], e["decided_by"], e["source"]) for e in seen} == {(None, None, "approval")}


def test_an_owner_is_changed_with_its_contracts_and_not_told_to_the_next_one(api: Api, people: People) -> None:
    dora = people["dora"]
    body = {"customer": "T-C0", "starts_on": "2026-01-01", "ends_on": "2099-01-01", "devices": ["T-0000", "T-0002"]}
    assert api.request("PUT", "/contracts/by-ref/forewarn/K1", headers=dora, json=body).status_code == 201
    made = ask(api, dora, "T-0000", {"site": "T-S1"}).json()
    assert made["subject"]["new_customer"] == "T-C1"
    outcome = grant(api, people["dana"], made).json()["outcome"]
    assert outcome == {"changed": ["site", "customer"], "left_contracts": ["K1"]}
    assert api.get("/contracts/K1", headers=dora).json()["devices"] == ["T-0002"]
    theirs = api.token(Role.CUSTOMER, customer="T-C1")
    assert "T-C0" not in api.get("/devices/T-0000/history", headers=theirs).text
    assert "T-S0" not in api.get("/devices/T-0000/key-fields", headers=theirs).text
    assert api.get("/devices/T-0000", headers=api.token(Role.CUSTOMER, customer="T-C0")).status_code == 404
    back = grant(api, people["dana"], ask(api, dora, "T-0000", {"site": "T-S0"}).json())
    assert back.status_code == 200
    ours = api.get("/devices/T-0000/history", headers=api.token(Role.CUSTOMER, customer="T-C0")).text
    assert "T-C1" not in ours
    assert "T-S1" not in ours
    page = api.get("/devices/T-0000/overview", headers=api.token(Role.CUSTOMER, customer="T-C0")).text
    assert "T-C1" not in page
    assert "T-S1" not in page


def test_work_for_the_owner_ends_before_another_one_has_the_device(api: Api, people: People) -> None:
    api.add_user("dirk", Role.DISPATCHER)
    fault = {"serial": "T-0000", "type": "CORRECTIVE", "priority": "P3", "fault_group": "tank", "description": "leaks"}
    order = api.post("/work-orders", headers=api.sign_in("dirk").writing, json=fault)
    assert order.status_code == 201, order.text
    refused = ask(api, people["dora"], "T-0000", {"site": "T-S1"})
    assert (refused.status_code, refused.json()["guard"]) == (409, "work_order_open")
    assert order.json()["code"] in refused.json()["detail"]
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE work_order SET state = 'CANCELLED'")
    asked = ask(api, people["dora"], "T-0000", {"site": "T-S1"}).json()
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE work_order SET state = 'NEW'")
    assert grant(api, people["dana"], asked).json()["guard"] == "work_order_open"


def test_what_cannot_be_is_not_asked(api: Api, people: People) -> None:
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"serial": "T-0001"}, "serial_taken"),
        ({"udi": "(01)04012345000016(21)T-0000"}, "udi_contradicts"),
        ({"site": "T-S9"}, "site_unknown"),
        ({"site": "T-S0"}, "owner_same"),
    ]
    for payload, guard in wishes:
        refused = ask(api, people["dora"], "T-0000", payload)
        assert (refused.status_code, refused.json()["guard"]) == (409, guard)


def test_who_asks_is_a_person_with_the_right_and_the_record_stays_as_it_was_asked_about(
    api: Api, people: People
) -> None:
    api.add_user("dirk", Role.DISPATCHER)
    assert ask(api, api.sign_in("dirk").writing, "T-0000", {"site": None}).status_code == 403
    wish = {"kind": "key_field_change", "entity_id": "T-0000", "payload": {"site": None}, "reason": "x"}
    token = api.token(Role.INTEGRATOR)  # may write master data, but nobody signs for a program
    assert api.post("/approval-requests", headers=token, json=wish).status_code == 403
    assert ask(api, people["dora"], "nobody", {"site": None}).status_code == 404
    assert ask(api, people["dora"], "T-0000", {"lot": "L2"}).status_code == 422
    made = ask(api, people["dora"], "T-0000", {"site": None}).json()
    assert ask(api, people["dora"], "T-0000", {"site": "T-S1"}).json()["guard"] == "asked_already"
    with psycopg.connect(api.settings.database_url) as conn:
        conn.execute("UPDATE device SET udi = '(01)06970001009996(21)T-0000' WHERE serial = 'T-0000'")
    assert grant(api, people["dana"], made).json()["guard"] == "subject_changed"


def test_the_steps_of_a_device(api: Api, people: People) -> None:
    dora = people["dora"]
    assert move(api, dora, "T-0000", "INSTALLED").json()["guard"] == "no_such_transition"
    assert move(api, dora, "T-0000", "QUARANTINED", reason="").json()["guard"] == "reason_missing"
    quarantined = move(api, dora, "T-0000", "QUARANTINED", reason="wrong readings")
    assert (quarantined.status_code, quarantined.json()["lifecycle"]) == (200, "QUARANTINED")
    assert move(api, dora, "T-0000", "UNDER_MAINTENANCE").json()["guard"] == "no_such_transition"
    assert move(api, dora, "T-0000", "IN_SERVICE", reason="calibrated").status_code == 200
    stale = api.post(
        "/devices/T-0000/transitions", headers={**dora, "If-Match": '"1"'}, json={"to": "QUARANTINED", "reason": "x"}
    )
    assert stale.status_code == 412
    history = api.get("/devices/T-0000/history", headers=dora).json()["items"]
    steps = [(e["before"], e["after"], e["source"]) for e in history if e["field"] == "lifecycle"]
    assert steps == [("QUARANTINED", "IN_SERVICE", "user:dora"), ("IN_SERVICE", "QUARANTINED", "user:dora")]
    with open_connection(api.settings.database_url, application="test") as conn:
        events = load_audit_events(conn, AuditFilter("device", "T-0000", action="device.lifecycle"))
    assert [(e.actor, e.reason) for e in events] == [("dora", "calibrated"), ("dora", "wrong readings")]
    new = api.request("PUT", "/devices/by-ref/forewarn/N-1", headers=dora, json={"model": "TEST-100"})
    assert new.status_code == 201
    assert move(api, dora, "N-1", "INSTALLED").json()["guard"] == "not_placed"


@pytest.fixture
def broker_api(database: Database, tmp_path: Path) -> Iterator[tuple[Api, Path]]:
    """An API that keeps the embedded broker's accounts, and their file."""
    register(database.url, PROFILE, make_devices(2, customers=2))
    path = tmp_path / "accounts.json"
    with running_api(database.url, broker_admin_url=path.as_uri()) as running:
        yield running, path


def test_a_device_that_is_gone_can_sign_in_no_more(broker_api: tuple[Api, Path]) -> None:
    api, path = broker_api
    engineer, steward = api.token(Role.ENGINEER), api.token(Role.DATA_STEWARD)
    assert api.post("/devices/T-0000/credentials", headers=engineer, json={}).status_code == 201
    assert AccountFile(path).load_usernames() == ["T-0000"]
    order = {"serial": "T-0000", "fault_group": "tank", "description": "leaks"}
    made = api.post("/work-orders", headers=api.token(Role.DISPATCHER), json=order)
    assert made.status_code == 201, made.text
    assert move(api, steward, "T-0000", "DECOMMISSIONED").json()["guard"] == "open_work_orders"
    cancelled = api.post(
        f"/work-orders/{made.json()['code']}/transitions",
        headers={**api.token(Role.SERVICE_MANAGER), "If-Match": made.headers["etag"]},
        json={"to": "CANCELLED", "reason": "scrapped"},
    )
    assert cancelled.status_code == 200, cancelled.text
    assert move(api, steward, "T-0000", "DECOMMISSIONED").status_code == 200
    assert AccountFile(path).load_usernames() == []
    assert api.get("/devices/T-0000", headers=steward).json()["account"]["state"] == "REVOKED"
    for what in ("credentials", "claim-code"):
        refused = api.post(f"/devices/T-0000/{what}", headers=engineer, json={})
        assert (refused.status_code, refused.json()["guard"]) == (409, "decommissioned")
    body = {"lot": "L9"}
    fixed = api.request("PUT", "/devices/by-ref/forewarn/T-0000", headers=steward, json=body)
    assert (fixed.status_code, fixed.json()["guard"]) == (409, "decommissioned")


def test_where_the_broker_is_not_reached_nothing_is_changed(broker_api: tuple[Api, Path]) -> None:
    api, path = broker_api
    steward = api.token(Role.DATA_STEWARD)
    assert api.post("/devices/T-0001/credentials", headers=api.token(Role.ENGINEER), json={}).status_code == 201
    api.add_user("dora", Role.DATA_STEWARD)
    renamed = ask(api, api.sign_in("dora").writing, "T-0001", {"serial": "T-0001X"})
    assert renamed.json()["guard"] == "account_active"
    with running_api(api.settings.database_url) as without:
        assert move(without, steward, "T-0001", "DECOMMISSIONED").json()["guard"] == "account_active"
        assert move(without, steward, "T-0000", "DECOMMISSIONED").status_code == 200  # it has no account
    with running_api(api.settings.database_url, broker_admin_url="mqtt://admin:password@127.0.0.1:1") as unreachable:
        assert move(unreachable, steward, "T-0001", "DECOMMISSIONED").status_code == 503
    assert api.get("/devices/T-0001", headers=steward).json()["lifecycle"] == "IN_SERVICE"
    assert AccountFile(path).load_usernames() == ["T-0001"]


def test_whose_the_site_is_is_part_of_what_is_granted(api: Api, people: People) -> None:
    dora = people["dora"]
    for customer in ("C-7", "C-8"):
        made = api.request("PUT", f"/customers/by-ref/forewarn/{customer}", headers=dora, json={"name": customer})
        assert made.status_code == 201
    site = "/sites/by-ref/forewarn/S-7"
    assert api.request("PUT", site, headers=dora, json={"customer": "C-7"}).status_code == 201
    asked = ask(api, dora, "T-0000", {"site": "S-7"}).json()
    assert api.request("PUT", site, headers=dora, json={"customer": "C-8"}).status_code == 200
    assert grant(api, people["dana"], asked).json()["guard"] == "subject_changed"
    assert api.request("PUT", site, headers=dora, json={"customer": "C-7"}).status_code == 200
    assert grant(api, people["dana"], asked).status_code == 200
    assert api.get("/devices/T-0000", headers=dora).json()["customer"] == "C-7"
