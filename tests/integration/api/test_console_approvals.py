"""What waits for a second person, on its page: what exactly is asked, who may decide, and what became of it."""

from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

import httpx
import pytest

from domain.profile import Monitor
from domain.roles import Role
from store.pool import open_connection
from store.profiles import load_profile, record_profile
from tests.integration.api.test_capas import ACTION, CAUSE, CHECK, Staff
from tests.support.http_api import PASSWORD, Api, Session
from tests.support.monitors import find_watched, make_monitors

EXPORT = {
    "kind": "identifiable_export",
    "entity_id": "customers",
    "payload": {"format": "csv", "filter": {"region": "EU"}, "columns": ["code", "contacts"]},
    "reason": "letters of a recall",
    "password": PASSWORD,
    "meaning": "I ask for this",
}
SIGNED = {"password": PASSWORD, "meaning": "Reviewed and granted"}


def read_words(answer: httpx.Response) -> str:
    return " ".join(unescape(answer.text).split())


@pytest.fixture
def people(api: Api) -> dict[str, Session]:
    roles = {
        "dora": Role.DATA_STEWARD,
        "vera": Role.QUALITY_APPROVER,
        "dirk": Role.DISPATCHER,
        "aya": Role.AUDITOR,
        "tom": Role.TECHNICIAN,
    }
    for name, role in roles.items():
        api.add_user(name, role)
    return {name: api.sign_in(name) for name in roles}


def ask(api: Api, people: dict[str, Session]) -> str:
    made = api.post("/approval-requests", headers=people["dora"].writing, json=EXPORT)
    assert made.status_code == 201, made.text
    return str(made.json()["code"])


def read(api: Api, session: Session, path: str = "/approvals", status: int = 200) -> str:
    answer = api.client.get(path, headers=session.reading)
    assert answer.status_code == status
    return read_words(answer)


def decide(api: Api, session: Session, code: str, status: int, **fields: Any) -> str:
    data = {"to": "GRANTED", "row_version": "1", **fields}
    answer = api.client.post(f"/approvals/{code}/decision", headers=session.writing, data=data)
    assert answer.status_code == status
    return read_words(answer)


def test_an_asked_change_is_granted_by_another_person_who_signs(api: Api, people: dict[str, Session]) -> None:
    assert "Nothing waits for a second person." in read(api, people["vera"])
    assert "Nobody has asked for a change that takes two people." in read(api, people["vera"])
    code = ask(api, people)
    assert "1 of them may be decided by you." in read(api, people["vera"])
    assert "You asked for this; another person decides on it." in read(api, people["dora"])
    assert code not in read(api, people["dirk"])  # it is not of a kind that he asks for or decides on
    assert read(api, people["dirk"], f"/approvals/{code}", 404)
    assert read(api, people["tom"], "/approvals", 403)

    page = read(api, people["vera"], f"/approvals/{code}")
    assert "Dora asks: Take a file that names people, once (Customers)." in page
    assert "<dt>Filter · Region</dt><dd >EU</dd>" in page
    assert "<dt>Columns that name people</dt><dd >Contacts (contacts)</dd>" in page
    own = read(api, people["dora"], f"/approvals/{code}")
    assert "You asked for this; another person decides on it." in own
    assert 'id="act-approval_withdraw"' in own
    assert "needs the permission “approve exports that name people” (export.approve)" in read(
        api, people["aya"], f"/approvals/{code}"
    )

    wrong = decide(api, people["vera"], code, 422, reason="seen", password="wrong", meaning="x")
    assert "That is not your password. Nothing was signed." in wrong
    assert ">seen</textarea>" in wrong
    assert "Give" not in decide(api, people["vera"], code, 412, row_version="9", **SIGNED)
    refused = decide(api, people["vera"], code, 409, to="REFUSED", reason=" ", **SIGNED)
    assert "A reason is needed." in refused
    decide(api, people["vera"], code, 303, **SIGNED)
    page = read(api, people["dora"], f"/approvals/{code}")
    assert "Decided by Vera" in page
    assert page.count("✓ holds") == 2
    assert "This is over; nothing is left to decide." in page
    assert code in read(api, people["vera"], "/approvals?show=decided")
    assert code not in read(api, people["vera"])
    again = decide(api, people["vera"], code, 409, row_version="2", **SIGNED)
    assert "It is decided already, or over." in again


def test_who_asked_withdraws(api: Api, people: dict[str, Session]) -> None:
    code = ask(api, people)
    assert "Only who asked may withdraw it." in decide(api, people["vera"], code, 409, to="WITHDRAWN")
    decide(api, people["dora"], code, 303, to="WITHDRAWN", reason="not needed")
    assert "withdrawn" in read(api, people["dora"], f"/approvals/{code}")


def test_a_plan_with_one_signature_waits_for_the_second_until_it_changes(api: Api, people: dict[str, Session]) -> None:
    staff = Staff(api)
    staff.step("ada", "OPEN")
    staff.step("quinn", "INVESTIGATION")
    staff.send("quinn", "PUT", "/root-cause", CAUSE)
    staff.step("quinn", "ACTION_PLAN")
    staff.send("quinn", "POST", "/actions", ACTION, 201)
    staff.send("quinn", "PUT", "/effectiveness", CHECK)
    assert staff.code not in read(api, people["vera"])
    staff.step("ada", "IMPLEMENTATION", password=PASSWORD, meaning="Reviewed")
    page = read(api, people["vera"])
    assert "Second approval of a CAPA plan" in page
    assert f'href="/capa/{staff.code}"' in page
    staff.send("quinn", "PUT", "/actions/1", {**ACTION, "text": "Another rubber"})
    assert staff.code not in read(api, people["vera"])


def test_an_endorsed_threshold_and_a_key_field_say_what_would_change(api: Api, people: dict[str, Session]) -> None:
    for name in ("eva", "ben"):
        api.add_user(name, Role.ENGINEER)
    eva, ben = api.sign_in("eva"), api.sign_in("ben")
    code, monitor = seed_threshold(api)
    assert code not in read(api, ben)  # nobody has endorsed it yet
    form = {
        "to": "ENDORSED",
        "row_version": "2",
        "reason": "fewer in vain",
        "meaning": "Reviewed",
        "password": PASSWORD,
    }
    path = f"/monitors/TEST-100/{monitor.key}/decision?proposal={code}"
    assert api.client.post(path, headers=eva.writing, data=form, follow_redirects=False).status_code == 303
    page = read(api, ben)
    assert "Second approval of a threshold" in page
    assert f'href="/monitors/TEST-100/{monitor.key}"' in page
    assert f"Raises at: {monitor.raise_at:g}" in page
    assert "1 of them may be decided by you." in page
    assert "You have signed it or asked for it; a second person must." in read(api, eva)
    assert code not in read(api, people["dora"])  # monitors are not hers to read

    body = {
        "kind": "key_field_change", "entity_id": "T-0001", "payload": {"serial": "T-9001"}, "reason": "label misread",
        "password": PASSWORD, "meaning": "I ask for this",
    }  # fmt: skip
    asked = api.post("/approval-requests", headers=people["dora"].writing, json=body)
    assert asked.status_code == 201, asked.text
    for path in ("/approvals", f"/approvals/{asked.json()['code']}"):
        page = read(api, people["dora"], path)
        assert 'Serial: <span class="nowrap">T-0001</span> <span aria-hidden="true">→</span>' in page
        assert '<strong><span class="nowrap">T-9001</span></strong>' in page
    assert "You asked for this; another person decides on it." in read(api, people["dora"])
    assert "needs the permission “approve changes of key fields” (key_field.approve)" in read(api, people["aya"])


def seed_threshold(api: Api) -> tuple[str, Monitor]:
    """A backtested proposal on a safety-critical device model, and its monitor as it is."""
    with open_connection(api.settings.database_url, application="test") as conn:
        profile = load_profile(conn, "TEST-100")
        assert profile is not None
        profile = replace(profile, version=profile.version + 1, safety_critical=True)
        record_profile(conn, profile, "test")
        row = conn.execute("SELECT id FROM device_model WHERE key = 'TEST-100'").fetchone()
        assert row is not None
        orders, serials = ("WO-2026-000001", "WO-2026-000002"), ("T-0000", "T-0001")
        return make_monitors(conn, profile, row[0], orders, serials, datetime.now(UTC)), find_watched(profile)
