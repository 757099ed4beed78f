"""A complaint on its page: entered, assessed, decided by another person, reported, and closed with a signature."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.roles import Role
from store.pool import open_connection
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api

ENTERED = {
    "severity": "MAJOR",
    "details": "The alarm did not sound",
    "serial": "T-0000",
    "reporter_name": "Sister Anna",
    "reporter_phone": "+49 30 1",
    "reporter_address": "Ward 3",
}
PEOPLE = {
    "quinn": Role.QUALITY_ENGINEER,
    "vera": Role.QUALITY_APPROVER,
    "mona": Role.SERVICE_MANAGER,
    "tom": Role.TECHNICIAN,
}


def ago(**span: float) -> str:
    """That time as a form has it, in UTC."""
    return (datetime.now(UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def test_a_complaint_from_its_receipt_to_its_closure(console: Console) -> None:
    assert "0 complaints have a clock that runs." in console.read("quinn", "/complaints")
    wrong = console.send("mona", "/complaints", "/complaints/new", {**ENTERED, "serial": "NOBODY-1"}, 422)
    assert "There is no device of this serial that you may see." in wrong
    assert "The alarm did not sound" in wrong
    path = console.send("mona", "/complaints", "/complaints/new", ENTERED).partition("?")[0]

    def send(who: str, form: str, expected: int = 303, /, **fields: Any) -> str:
        return console.send(who, path, f"{path}/{form}", fields, expected)

    assert "Sister Anna" in console.read("mona", path)
    page = console.read("quinn", path)  # who works on quality does not see customers' people
    assert "Sister Anna" not in page
    assert page.count("hidden by role") == 3
    assert "no work order takes care of it" in page
    assert "! missing" in page

    known = {"aware_at": ago(days=2), "harm": "MALFUNCTION_COULD_RECUR", "jurisdictions": ["EU", "CN"]}
    assert "needs the permission “assess vigilance” (vigilance.assess)" in console.read("mona", path)
    early = send("quinn", "assessment", 409, **{**known, "aware_at": ago(days=-2)}, reason="a stalled drive")
    assert "Nobody becomes aware in the future." in early
    assert ">a stalled drive</textarea>" in early
    send("quinn", "assessment", **known, reason="a stalled drive stops the infusion")
    page = console.read("vera", path)
    assert "malfunction that could cause harm if it came again" in page
    assert "European Union" in page
    assert "d left" in page  # the clock counts down
    assert "Decision whether it is reported to an authority" in console.read("vera", "/approvals")
    own = send("quinn", "decision", 403, decision="NOT_REPORTABLE")
    assert "vigilance.decide" in own
    decided = {"decision": "REPORTABLE", "reportable_in": ["EU"], "justification": "it could hurt somebody"}
    bad = send("vera", "decision", 422, **decided, password="wrong", meaning="x")
    assert "That is not your password." in bad
    send("vera", "decision", **decided, password=PASSWORD, meaning="Decided on the facts given")
    page = console.read("quinn", path)
    assert "to be reported, decided by Vera" in page
    assert "not required" in page  # that of China
    assert "✓ holds" in page

    send("mona", "transitions", to="INVESTIGATION")
    send("mona", "transitions", to="RESOLVED", investigation="the speaker was unplugged")
    assert "The record is incomplete" in console.read("quinn", path)
    right = {**ENTERED, "correction": "plugged in", "reply": "told by phone", "reason": "learnt since"}
    right |= {"device_name": "Test device", "device_identification": "T-0000"}
    send("mona", "record", **right)
    assert "A report to an authority is not submitted." in console.read("quinn", path)
    sent = {"jurisdiction": "EU", "submitted_at": ago(minutes=5)}
    assert "Give what the authority calls the report." in send("quinn", "submissions", 409, **sent, reference=" ")
    send("quinn", "submissions", **sent, reference="MIR-4711")
    assert "MIR-4711" in console.read("quinn", path)
    send("quinn", "transitions", to="CLOSED", password=PASSWORD, meaning="Reviewed and closed")
    page = console.read("mona", path)
    assert "A closed complaint is reopened before it is changed." in page
    assert "已关闭" in console.read("mona", path, language="zh")
    late = send("mona", "record", 409, **right | {"details": "other"})
    assert "A closed complaint is reopened before it is changed." in late


def test_who_edits_while_another_saves_keeps_the_text_and_customers_see_their_own(api: Api, console: Console) -> None:
    path = console.send("mona", "/complaints", "/complaints/new", ENTERED).partition("?")[0]
    right = {**ENTERED, "details": "The alarm was late", "reason": "spoken again", "row_version": "0"}
    answer = console.send("mona", path, f"{path}/record", right, 412)
    assert "Your text is kept" in answer
    assert "The alarm was late" in answer
    assert console.read("tom", "/complaints", 403)
    assert console.send("tom", "/", "/complaints/new", ENTERED) == "/?done=saved"
    with open_connection(api.settings.database_url, application="test") as conn:
        conn.execute("UPDATE customer SET name = 'Lakeside Hospital' WHERE code = 'T-C0'")
    assert "· Lakeside Hospital</span>" in console.read("mona", "/complaints")
    assert 'href="/customers/T-C0" title="T-C0">Lakeside Hospital</a>' in console.read("mona", path)
    own = Console(api, {"otto": Role.QUALITY_ENGINEER}, customer="T-C1")
    assert own.read("otto", path, 404)
    assert "CMP-" not in own.read("otto", "/complaints")
    assert own.send("otto", "/complaints", "/complaints/new", ENTERED, 422)
