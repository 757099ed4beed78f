"""Two people in one record: both changes are kept, a field that both changed waits for a choice, no text is lost."""

import json
from html import unescape
from typing import Any

import pytest

from domain.roles import Role
from tests.integration.api.test_capas import Staff
from tests.integration.api.test_console_complaints import ENTERED
from tests.integration.api.test_console_field_actions import CAMPAIGN
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api
from tests.support.page_forms import read_form

PEOPLE = {
    "mona": Role.SERVICE_MANAGER,
    "maria": Role.SERVICE_MANAGER,
    "dirk": Role.DISPATCHER,
    "quentin": Role.QUALITY_ENGINEER,
    "quirin": Role.QUALITY_ENGINEER,
    "tom": Role.TECHNICIAN,
}


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def open_form(console: Console, who: str, page: str, action: str) -> dict[str, str]:
    """The form as that person's browser has it."""
    answer = console.api.client.get(page, headers=console.sessions[who].reading)
    assert answer.status_code == 200, answer.text
    return read_form(answer.text, action)


def send(console: Console, who: str, action: str, form: dict[str, str], expected: int, **typed: Any) -> tuple[str, str]:
    """What comes of it: where it leads, and the page."""
    data = form | {"csrf_token": console.sessions[who].csrf_token} | typed
    answer = console.api.client.post(action, headers=console.sessions[who].reading, data=data, follow_redirects=False)
    assert answer.status_code == expected, answer.text
    return answer.headers.get("location", ""), unescape(answer.text)


def test_a_complaint_takes_both_and_asks_where_both_changed_one_field(console: Console) -> None:
    page = console.send("mona", "/complaints", "/complaints/new", {**ENTERED, "serial": ""}).partition("?")[0]
    action = f"{page}/record"
    slow, quick = open_form(console, "mona", page, action), open_form(console, "maria", page, action)
    send(console, "maria", action, quick, 303, reporter_phone="+49 30 2", reply="We look into it", reason="called back")
    # Different fields: both are kept, and the sender is told that there was somebody.
    place, _ = send(console, "mona", action, slow, 303, details="The alarm was late", reason="asked again")
    assert place == f"{page}?done=merged"
    assert "both changes are kept" in console.read("mona", f"{page}?done=merged")
    both = open_form(console, "maria", page, action)
    assert (both["details"], both["reporter_phone"]) == ("The alarm was late", "+49 30 2")
    # One field: nothing is written before somebody chose.
    stale = open_form(console, "mona", page, action)
    send(console, "maria", action, both, 303, details="The alarm was silent", severity="CRITICAL", reason="heard it")
    for marks in ("", "&".join("a=1" for _ in range(600))):  # nobody can read these: then the version counts
        send(console, "mona", action, stale, 412, details="The alarm was quiet", reason="mine", seen=marks)
    _, text = send(console, "mona", action, stale, 412, details="The alarm was quiet", reason="mine")
    assert "Maria changed" in text
    assert "while you edited. Your text is kept. You both changed the same field" in text
    assert 'data-dispute="details"' in text
    assert "The alarm was silent" in text
    asked = read_form(text, action)
    assert (asked["details"], asked["severity"], asked["reason"]) == ("The alarm was quiet", "CRITICAL", "mine")
    send(console, "mona", action, asked, 412)
    place, _ = send(console, "mona", action, asked | {"take.details": "theirs"}, 303)
    assert open_form(console, "mona", page, action)["details"] == "The alarm was silent"
    # Who does not see customers' people merges without learning of them.
    blind = open_form(console, "quentin", page, action)
    assert "reporter_phone" not in blind
    send(
        console, "mona", action, open_form(console, "mona", page, action), 303, reporter_phone="+49 30 3", reason="new"
    )
    _, told = send(console, "quentin", action, blind, 303, reply="We have looked", reason="answered")
    assert "+49 30" not in told
    now = open_form(console, "mona", page, action)
    assert (now["reporter_phone"], now["reply"]) == ("+49 30 3", "We have looked")


def test_a_draft_of_a_field_action_takes_both(console: Console) -> None:
    draft = {**CAMPAIGN, "kind": "CORRECTION", "firmware": ""}
    page = console.send("quentin", "/field-actions", "/field-actions/drafts", draft).partition("?")[0]
    action = f"{page}/draft"
    slow, quick = open_form(console, "quentin", page, action), open_form(console, "quirin", page, action)
    send(console, "quirin", action, quick, 303, priority="P1", title="The valve sticks")
    place, _ = send(console, "quentin", action, slow, 303, instructions="Keep it on the mains; mind the cable")
    assert place == f"{page}?done=merged"
    stale = open_form(console, "quentin", page, action)
    assert (stale["priority"], stale["title"]) == ("P1", "The valve sticks")
    send(console, "quirin", action, stale, 303, priority="P2")
    _, text = send(console, "quentin", action, stale, 412, priority="P3")
    assert "Quirin set P2" in text or "Quirin set High" in text
    asked = read_form(text, action)
    assert asked["priority"] == "P3"
    send(console, "quentin", action, asked | {"take.priority": "mine"}, 303)
    assert open_form(console, "quirin", page, action)["priority"] == "P3"


def test_an_investigation_takes_both_and_shows_a_cause_that_two_wrote(api: Api) -> None:
    staff = Staff(api)
    console = Console(api, {"quentin": Role.QUALITY_ENGINEER, "quirin": Role.QUALITY_ENGINEER})
    sessions = console.sessions | {name: api.sign_in(name) for name in ("ada", "quinn")}
    console.sessions = sessions
    page = f"/capa/{staff.code}"
    console.send("ada", page, f"{page}/transitions", {"to": "OPEN", "reason": "as discussed"})
    console.send("quinn", page, f"{page}/transitions", {"to": "INVESTIGATION"})
    action = f"{page}/root-cause"
    first = open_form(console, "quentin", page, action)
    cause = {"c0-statement": "Gear", "c0-category": "MACHINE", "c0-why0": "No grease"}
    send(console, "quentin", action, first | {"problem": "It stops"} | cause, 303)
    slow, quick = open_form(console, "quentin", page, action), open_form(console, "quirin", page, action)
    other = {"c1-statement": "Line", "c1-category": "METHOD", "c1-why0": "Bent at the bed"}
    send(console, "quirin", action, quick | other, 303)
    mine = {"c1-statement": "Motor", "c1-category": "MATERIAL"}
    place, _ = send(console, "quentin", action, slow | mine, 303, problem="It stops at night")
    assert place == f"{page}?done=merged"
    stands = open_form(console, "quirin", page, action)
    assert [stands[f"c{n}-statement"] for n in range(3)] == ["Gear", "Line", "Motor"]
    assert stands["problem"] == "It stops at night"
    send(console, "quirin", action, stands, 303, **{"c0-why0": "Wrong grease"})
    _, text = send(console, "quentin", action, stands, 412, **{"c0-why0": "Old grease"})
    assert 'data-dispute="c0"' in text
    assert "Wrong grease" in text
    asked = read_form(text, action)
    assert asked["c0-why0"] == "Old grease"
    send(console, "quentin", action, asked | {"take.c0": "theirs"}, 303)
    assert open_form(console, "quirin", page, action)["c0-why0"] == "Wrong grease"


@pytest.fixture
def code(console: Console) -> str:
    """An order that tom has."""
    api = console.api
    order = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks.", "priority": "P3"}
    made = str(api.post("/work-orders", headers=console.sessions["dirk"].writing, json=order).json()["code"])
    path = "/technician-certificates/tom/TEST-100"
    first = {**console.sessions["mona"].writing, "If-Match": '"0"'}
    assert api.request("PUT", path, headers=first, json={"valid_until": "2099-01-01"}).status_code == 200
    for who, body in (("dirk", {"to": "TRIAGED"}), ("dirk", {"to": "ASSIGNED", "assignee": "tom"})):
        step(console, who, made, body)
    return made


def step(console: Console, who: str, code: str, body: dict[str, Any]) -> None:
    """A step by REST, as another program or window takes it."""
    headers = console.sessions[who].writing
    etag = console.api.get(f"/work-orders/{code}", headers=headers).headers["etag"]
    answer = console.api.post(f"/work-orders/{code}/transitions", headers={**headers, "If-Match": etag}, json=body)
    assert answer.status_code == 200, answer.text


def test_a_technicians_step_rests_on_what_it_needs_and_not_on_what_a_machine_adds(console: Console, code: str) -> None:
    page, action = f"/my/{code}", f"/my/{code}/transitions"
    form = open_form(console, "tom", page, action)
    # Another report joins the order while he is on his way: it has moved, and his step is still his step.
    order = {"serial": "T-0000", "fault_group": "tank", "description": "Still leaks.", "priority": "P2"}
    joined = console.api.post("/work-orders", headers=console.sessions["dirk"].writing, json=order)
    assert (joined.status_code, joined.json()["result"]) == (200, "JOINED")
    assert joined.json()["row_version"] > int(form["row_version"])
    send(console, "tom", action, form | {"to": "IN_PROGRESS"}, 303)
    assert "In progress" in console.read("tom", page)


def test_a_line_end_is_one_character_of_a_text_as_the_field_counts_it(console: Console, code: str) -> None:
    """Browsers send two of them for each."""
    page = f"/work-orders/{code}"
    longest = "a line\n" * 1_428 + "end."
    assert len(longest) == 10_000
    form = open_form(console, "tom", page, f"{page}/notes")
    send(console, "tom", f"{page}/notes", form, 303, body=longest.replace("\n", "\r\n"))
    notes = console.api.get(f"/work-orders/{code}", headers=console.sessions["tom"].reading).text
    assert json.dumps(longest)[1:-1] in notes
    send(console, "tom", f"{page}/notes", form, 422, body=longest.replace("\n", "\r\n") + "!")


def test_a_step_that_is_over_gives_its_text_to_the_note_and_a_judgement_is_made_anew(
    console: Console, code: str
) -> None:
    page, action = f"/work-orders/{code}", f"/work-orders/{code}/transitions"
    cancel = open_form(console, "mona", page, action) | {"to": "CANCELLED", "step": "cancel"}
    step(console, "tom", code, {"to": "IN_PROGRESS"})
    _, text = send(console, "mona", action, cancel, 412, reason="The ward bent the line")
    assert "Tom set In progress at" in text
    assert "what you wrote stands in the note below" in text
    assert read_form(text, f"/work-orders/{code}/notes")["body"] == "Reason: The ward bent the line"
    # A step that judges the record is not taken on one that moved, though it is open still.
    close_out = {
        "device_name": "Pump", "device_identification": "T-0000", "serviced_on": "2026-11-20", "serviced_by": "Tom",
        "work_performed": "Seal", "test_data": "ok",
    }  # fmt: skip
    step(console, "tom", code, {"to": "WORK_DONE", "outcome": "CONFIRMED", "close_out": close_out})
    stale = {"row_version": "1", "to": "VERIFIED", "test_evidence": "Own test"}
    _, text = send(console, "mona", action, stale, 412)
    assert "Tom set Work done, Confirmed" in text or "Tom set Work done" in text
    assert "Look at what changed, then save again." in text
    assert ">Own test</textarea>" in text


def test_a_form_that_opens_again_is_that_of_the_step_that_was_sent(console: Console, code: str) -> None:
    """To accept a new order and to decline an assigned one both lead to TRIAGED."""
    page, action = f"/work-orders/{code}", f"/work-orders/{code}/transitions"
    sent = open_form(console, "dirk", page, action)
    assert (sent["to"], sent["step"]) == ("TRIAGED", "decline")
    late = sent | {"step": "accept", "row_version": "1", "seen": "", "reason": "Mine to look at"}
    _, text = send(console, "dirk", action, late, 412)
    assert '<details id="act-decline" >' in text
    assert "Mine to look at" in read_form(text, f"/work-orders/{code}/notes")["body"]
    _, text = send(console, "dirk", action, late | {"step": "decline"}, 412)
    assert '<details id="act-decline" open>' in text
    assert ">Mine to look at</textarea>" in text


def test_parts_say_that_there_is_no_password(console: Console, code: str) -> None:
    """Whoever has none is not told that it is wrong."""
    step(console, "tom", code, {"to": "IN_PROGRESS"})
    with console.api.state.pool.connection() as conn:
        conn.execute("UPDATE app_user SET password_hash = NULL WHERE name = 'tom'")
    form = {"item": "200-3110", "quantity": "1", "to": "USED", "meaning": "Fitted", "password": PASSWORD}
    for action in (f"/my/{code}/parts", f"/work-orders/{code}/parts"):
        _, text = send(console, "tom", action, form, 422)
        assert "You have no password to sign with yet." in text
