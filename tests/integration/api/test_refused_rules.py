"""A rule of a record that refuses a form says so at the field that it is about; about none, at the top of the page."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.api.test_order_pages import ORDER, PNG, TEMPLATE, Desk, desk
from tests.support.http_api import PASSWORD
from tests.support.marked_fields import NOTICE, find_landing, find_marks

__all__ = ["desk"]  # a fixture

MISSING, NO_CHOICE, NOT_A_TIME = "Is missing.", "Is none of the choices.", "Is not a time."
UNSIGNED = "That is not your password. Nothing was signed."
SIGNING = "Closing is signed: give your password and what the signature means."
RECORD = {
    "device_name": "Pump",
    "device_identification": "T-0000",
    "serviced_on": "2026-01-02",
    "serviced_by": "Tom",
    "work_performed": "Tightened the hose",
    "test_data": "10.0 mL/h",
    "outcome": "CONFIRMED",
}
SIGNED = {"to": "USED", "item": "MOT-1", "quantity": "1", "lot": "L-7", "meaning": "Fitted", "password": PASSWORD}


def find_version(desk: Desk, who: str, code: str) -> str:
    found = re.search(r'data-version="(\d+)"', desk.open(who, f"/work-orders/{code}").text)
    assert found is not None
    return found[1]


def step(
    desk: Desk, who: str, to: str, status: int, /, *, code: str = "", on: str = "/work-orders", **form: str
) -> str:
    """What a step answers, sent from the desk or from the phone."""
    code = code or desk.code
    version = find_version(desk, who, code)
    answer = desk.send(who, f"{on}/{code}/transitions", to=to, row_version=version, **form)
    assert answer.status_code == status, answer.text
    return answer.text


@pytest.mark.parametrize("on", ["/work-orders", "/my"])
def test_what_a_service_record_lacks_is_marked(desk: Desk, on: str) -> None:
    lacking = RECORD | {"device_name": " ", "test_data": "", "outcome": ""}
    said = {"device_name": MISSING, "outcome": MISSING, "test_data": MISSING}
    assert find_marks(step(desk, "tom", "WORK_DONE", 409, on=on, **lacking)) == said
    for wrong, told in (
        ({"serviced_on": "2026-02-30"}, {"serviced_on": "Is not a date."}),
        ({"serviced_on": "1969-12-31"}, {"serviced_on": "Lies before 1970, or in 3000 or later."}),
        ({"outcome": "BORED"}, {"outcome": NO_CHOICE}),
    ):
        assert find_marks(step(desk, "tom", "WORK_DONE", 422, on=on, **(RECORD | wrong))) == told
    silent = step(desk, "tom", "WORK_DONE", 409, on=on, **(RECORD | {"outcome": ""}))
    assert find_marks(silent) == {"outcome": "Say what was found."}
    held = step(desk, "tom", "ON_HOLD", 409, on=on)
    assert find_marks(held) == {"hold_reason": "Say what is waited for."}
    odd = step(desk, "tom", "ON_HOLD", 422, on=on, hold_reason="WEATHER")
    assert find_marks(odd) == {"hold_reason": NO_CHOICE}
    # The record is whole and the checklist is not: nothing of the form is wrong.
    whole = step(desk, "tom", "WORK_DONE", 409, on=on, **RECORD)
    assert find_landing(whole) == NOTICE
    assert "The checklist is not complete." in whole


def test_from_the_assignment_to_the_signature(desk: Desk) -> None:
    dirk = desk.people["dirk"].writing
    code = str(desk.api.post("/work-orders", headers=dirk, json=ORDER | {"serial": "T-0002"}).json()["code"])
    nobody = "There is no active technician of that name."
    assert find_marks(step(desk, "dirk", "TRIAGED", 409, code=code, assignee="nobody")) == {"assignee": nobody}
    assert find_marks(step(desk, "mona", "CANCELLED", 409, code=code)) == {"reason": "A reason is needed."}
    step(desk, "dirk", "TRIAGED", 303, code=code)
    for who, told in (
        ("", "Choose who shall do the work."),
        ("nobody", nobody),
        ("tina", "The technician has no valid certificate for this device model."),
    ):
        assert find_marks(step(desk, "dirk", "ASSIGNED", 409, code=code, assignee=who)) == {"assignee": told}
    chinese = desk.api.client.post(
        f"/work-orders/{code}/transitions",
        headers={**dirk, "Accept-Language": "zh"},
        data={"to": "ASSIGNED", "row_version": find_version(desk, "dirk", code), "assignee": "nobody"},
    )
    assert find_marks(chinese.text) == {"assignee": "没有该名称的在职工程师。"}
    for who, to, form in (
        ("dirk", "ASSIGNED", {"assignee": "tom"}),
        ("tom", "IN_PROGRESS", {}),
    ):
        step(desk, who, to, 303, code=code, **form)
    answer_all(desk, code)
    desk.send("tom", f"/work-orders/{code}/arrivals")
    step(desk, "tom", "WORK_DONE", 303, code=code, **RECORD)
    quiet = step(desk, "mona", "VERIFIED", 409, code=code)
    told = "Telemetry has not been normal for long enough: wait, or give the evidence of a test."
    assert find_marks(quiet) == {"test_evidence": told}
    assert find_marks(step(desk, "mona", "IN_PROGRESS", 409, code=code)) == {"reason": "A reason is needed."}
    there = step(desk, "mona", "VERIFIED", 409, code=code, test_evidence="ran for an hour")
    assert find_landing(there) == NOTICE
    assert "A visit is still under way: say first when it was over." in there
    visit = re.search(r'name="visit_id" value="(\d+)"', desk.open("tom", f"/work-orders/{code}?open=visits").text)
    assert visit is not None
    left = desk.send("tom", f"/work-orders/{code}/departures", visit_id=visit[1], outcome="COMPLETED")
    assert left.status_code == 303
    step(desk, "mona", "VERIFIED", 303, code=code, test_evidence="ran for an hour")
    for form, marks, status in (
        ({"meaning": "Done", "password": "no"}, {"password": UNSIGNED}, 422),
        ({"meaning": "Done"}, {"password": UNSIGNED}, 422),
        ({"meaning": " ", "password": PASSWORD}, {"meaning": SIGNING}, 409),
    ):
        assert find_marks(step(desk, "mona", "CLOSED", status, code=code, **form)) == marks
    step(desk, "mona", "CLOSED", 303, code=code, meaning="Done", password=PASSWORD)


def find_list(desk: Desk, code: str) -> str:
    page = desk.open("tom", f"/work-orders/{code}?open=checklists").text
    found = re.search(r'name="checklist_id" value="(\d+)"', page)
    assert found is not None
    return found[1]


def answer_all(desk: Desk, code: str) -> None:
    form = {"checklist_id": find_list(desk, code), "value.leak": "true", "value.flow": "10"}
    assert desk.send("tom", f"/work-orders/{code}/answers", **form).status_code == 303


def test_a_note_without_a_word(desk: Desk) -> None:
    empty = desk.send("tom", "notes", body=" ")
    assert empty.status_code == 422
    assert find_marks(empty.text) == {"body": MISSING}


@pytest.mark.parametrize("place", ["/my", "/work-orders"])
def test_parts(desk: Desk, place: str) -> None:
    serial = "A serial is of one part: use a line for each."
    for wrong, told, status in (
        ({"quantity": "0"}, {"quantity": "Must be above 0."}, 422),
        ({"quantity": "many", "item": ""}, {"item": MISSING, "quantity": "Is not a number."}, 422),
        ({"quantity": "1.2345"}, {"quantity": "Has more decimals than 3."}, 422),
        ({"lot": "L" * 201}, {"lot": "Has more characters than 200."}, 422),
        ({"quantity": "2", "serial_in": "S-1"}, {"quantity": serial}, 409),
        ({"serial_in": "S-1", "serial_out": "S-1"}, {"serial_out": "What was fitted cannot be what was removed."}, 409),
        ({"password": "no"}, {"password": UNSIGNED}, 422),
        ({"meaning": ""}, {"meaning": "This is signed: give your password and what the signature means."}, 409),
    ):
        answer = desk.send("tom", f"{place}/{desk.code}/parts", **(SIGNED | wrong))
        assert (answer.status_code, find_marks(answer.text)) == (status, told)
    assert desk.send("dirk", "parts", to="REQUESTED", item="MOT-1", quantity="2").status_code == 303
    part = re.search(r'name="part_id" value="(\d+)"', desk.open("tom", f"/work-orders/{desk.code}?open=parts").text)
    assert part is not None
    many = desk.send("tom", f"{place}/{desk.code}/parts", **(SIGNED | {"part_id": part[1], "quantity": "3"}))
    assert find_marks(many.text) == {"quantity": "More than were asked for: ask for the others as well."}
    back = desk.send("tom", f"{place}/{desk.code}/parts", to="WITHDRAWN", part_id=part[1], reason=" ")
    assert find_marks(back.text) == {"reason": "A reason is needed."}
    if place == "/work-orders":
        asked = desk.send("dirk", "parts", to="REQUESTED", item="", quantity="-1")
        assert find_marks(asked.text) == {"item": MISSING, "quantity": "Must be above 0."}


def test_a_part_without_lot_or_serial_on_a_safety_critical_model(desk: Desk) -> None:
    with desk.api.state.pool.connection() as conn:
        conn.execute("UPDATE device_model SET safety_critical = true")
    bare = desk.send("tom", f"/my/{desk.code}/parts", **(SIGNED | {"lot": ""}))
    told = "On a safety-critical model a part has its lot or serial."
    assert find_marks(bare.text) == {"lot": told, "serial_in": told}


def test_visits(desk: Desk) -> None:
    now = datetime.now(UTC)

    def write(at: datetime) -> str:
        return at.strftime("%Y-%m-%dT%H:%M")

    ahead = "The time lies in the future. Check the clock of your device."
    for typed, told in (
        ("soon", NOT_A_TIME),
        ("1969-12-31T10:00", "Lies before 1970, or in 3000 or later."),
        ("0001-01-01T00:00", "Lies before 1970, or in 3000 or later."),
        (write(now + timedelta(days=3)), ahead),
        (write(now - timedelta(days=3)), "The order did not exist at that time."),
    ):
        assert find_marks(desk.send("tom", "arrivals", arrived_at=typed).text) == {"arrived_at": told}
    long = desk.send("tom", "arrivals", note="n" * 10_001)
    assert find_marks(long.text) == {"note": "Has more characters than 10,000."}
    assert desk.send("tom", "arrivals").status_code == 303
    twice = desk.send("tom", "arrivals")
    assert find_landing(twice.text) == NOTICE
    page = desk.open("tom", f"/work-orders/{desk.code}?open=visits").text
    assert page.count('id="leave"') == 1  # what asks before somebody signs out, which every page has
    visit = re.search(r'name="visit_id" value="(\d+)"', page)
    assert visit is not None
    for typed, told in (
        ("soon", NOT_A_TIME),
        (write(now + timedelta(days=3)), ahead),
        (write(now - timedelta(days=3)), "Nobody leaves before arriving."),
    ):
        left = desk.send("tom", "departures", visit_id=visit[1], outcome="COMPLETED", left_at=typed)
        assert find_marks(left.text) == {"left_at": told}
    nothing = desk.send("tom", "departures", visit_id=visit[1], outcome="")
    assert find_marks(nothing.text) == {"outcome": MISSING}
    assert desk.send("tom", "departures", visit_id=visit[1], outcome="COMPLETED").status_code == 303
    overlap = desk.send("tom", "arrivals", arrived_at=write(now - timedelta(minutes=3)))
    assert find_marks(overlap.text) == {"arrived_at": "The visit before was not over then."}


def test_lines_of_a_checklist(desk: Desk) -> None:
    with_list = {"checklist_id": find_list(desk, desk.code)}
    remark = "Say in the remark what is wrong and what was done about it."
    for answers, told in (
        ({"value.leak": "false", "value.flow": "12,5"}, {"remark.leak": remark, "remark.flow": remark}),
        ({"value.leak": "true", "value.flow": "12,5"}, {"remark.flow": remark}),
        ({"value.leak": "true", "remark.flow": "drips"}, {"value.flow": MISSING}),
        ({"value.flow": "many", "remark.leak": "drips"}, {"value.leak": MISSING, "value.flow": "Is not a number."}),
        ({"value.flow": "many"}, {"value.flow": "Is not a number."}),
        ({"value.flow": "nan"}, {"value.flow": "Is not a number."}),
        (
            {"value.leak": "true", "value.flow": "10", "remark.flow": "r" * 10_001},
            {"remark.flow": "Has more characters than 10,000."},
        ),
    ):
        assert find_marks(desk.send("tom", "answers", **with_list, **answers).text) == told
    assert find_landing(desk.send("tina", "answers", **with_list, **{"value.leak": "true"}).text) == NOTICE
    assert "0 of 2" in desk.section("tom", "checklists")  # of a refused form nothing is kept
    # A remark that stands already is no new one, whether its answer is sent with it or not.
    stands = {"value.leak": "false", "remark.leak": "drips"}
    assert desk.send("tom", "answers", **with_list, **stands).status_code == 303
    for sent in (stands, {"remark.leak": "drips", "value.flow": "10"}, {"value.leak": "", "remark.leak": ""}):
        answer = desk.send("tom", "answers", **with_list, **sent)
        assert answer.status_code == 303, answer.text
    silent = desk.send("tom", "answers", **with_list, **{"value.leak": "", "remark.leak": "drips at the seal"})
    assert (silent.status_code, find_marks(silent.text)) == (422, {"value.leak": MISSING})


def test_a_merge_and_a_waiver(desk: Desk) -> None:
    version = find_version(desk, "dirk", desk.code)
    dirk = desk.people["dirk"].writing
    elsewhere = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"serial": "T-0003"}).json()["code"]
    of_device = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"fault_group": "connectivity"}).json()["code"]
    for order, told in (
        ("", MISSING),
        ("WO-1999-000001", "There is no such order."),
        (desk.code, "These are not two orders."),
        (elsewhere, "The two orders are neither of one device nor one the parent of the other."),
    ):
        answer = desk.send("dirk", "merges", row_version=version, order=order, reason="same")
        assert find_marks(answer.text) == {"order": told}
    made = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"fault_group": "line"})
    assert made.status_code == 201, made.text
    over = str(made.json()["code"])
    step(desk, "mona", "CANCELLED", 303, code=over, reason="not needed")
    answer = desk.send("dirk", "merges", row_version=version, order=over, reason="same")
    assert find_marks(answer.text) == {"order": "Only open orders become one."}
    silent = desk.send("dirk", "merges", row_version=version, order=of_device, reason=" ")
    assert find_marks(silent.text) == {"reason": "A reason is needed."}
    stale = desk.send("dirk", "merges", row_version="0", order=of_device, reason="same")
    assert (stale.status_code, find_landing(stale.text)) == (412, NOTICE)
    wish = {"clock": "RESOLUTION", "version": "1", "reason": "The ward was closed", "meaning": "I ask"}
    signed = wish | {"password": PASSWORD}
    assert find_marks(desk.send("mona", "waivers", **wish, password="no").text) == {"password": UNSIGNED}
    silent = desk.send("mona", "waivers", **(signed | {"reason": " "}))
    assert find_marks(silent.text) == {"reason": "A reason is needed."}
    empty = desk.send("mona", "waivers", **(signed | {"meaning": " "}))
    assert find_marks(empty.text) == {"meaning": "A signature says what it means."}
    assert desk.send("mona", "waivers", **signed).status_code == 303
    assert find_landing(desk.send("mona", "waivers", **signed).text) == NOTICE


def test_a_merge_is_refused_at_the_other_order_only_where_it_is_about_that_one(desk: Desk) -> None:
    dirk = desk.people["dirk"].writing
    other = str(desk.api.post("/work-orders", headers=dirk, json=ORDER | {"fault_group": "line"}).json()["code"])
    answer_all(desk, desk.code)
    desk.send("tom", "arrivals")
    step(desk, "tom", "WORK_DONE", 303, **RECORD)
    told = "The work of one of them is reported done: send it back to work first, or finish it."
    for code, order, marks in ((desk.code, other, {}), (other, desk.code, {"order": told})):
        form = {"row_version": find_version(desk, "dirk", code), "order": order, "reason": "same"}
        answer = desk.send("dirk", f"/work-orders/{code}/merges", **form)
        assert (answer.status_code, find_marks(answer.text), told in answer.text) == (409, marks, True)


def test_of_several_pictures_those_are_marked_that_are_not_there(desk: Desk) -> None:
    text = {"en": "Picture", "zh": "照片"}
    photos = [{"key": key, "kind": "photo", "text": text} for key in ("front", "back", "label")]
    mona = {**desk.people["mona"].writing, "If-Match": '"1"'}
    now = {"title": TEMPLATE["title"], "items": photos, "reason": "pictures"}
    assert desk.api.request("PUT", "/checklist-templates/repair", headers=mona, json=now).status_code == 200
    made = desk.api.post("/work-orders", headers=desk.people["dirk"].writing, json=ORDER | {"fault_group": "line"})
    code = str(made.json()["code"])
    for who, to, form in (
        ("dirk", "TRIAGED", {}),
        ("dirk", "ASSIGNED", {"assignee": "tom"}),
        ("tom", "IN_PROGRESS", {}),
    ):
        step(desk, who, to, 303, code=code, **form)
    tom = {**desk.people["tom"].writing, "Content-Type": "application/octet-stream"}
    path = f"/work-orders/{code}/attachments?kind=PHOTO&file_name=a.png&visibility=INTERNAL"
    sent = desk.api.post(path, headers=tom, content=PNG)
    assert sent.status_code == 201, sent.text
    form = {"value.front": str(sent.json()["id"]), "value.back": "4711", "value.label": "4712"}
    answer = desk.send("tom", f"/work-orders/{code}/answers", checklist_id=find_list(desk, code), **form)
    told = "The order has no such picture: attach it first."
    assert find_marks(answer.text) == {"value.back": told, "value.label": told}


def test_own_passwords_and_names_of_views(desk: Desk) -> None:
    view = {"page": "work-orders", "query": "state=NEW"}
    assert desk.send("tom", "/account/views", **view, name="Mine").status_code == 303
    taken = desk.send("tom", "/account/views", **view, name="Mine")
    assert find_marks(taken.text) == {"name": "You have a view of that name already."}
    assert desk.send("tom", "/account/views", **view, name="Theirs").status_code == 303
    page = desk.open("tom", "/account/views").text
    (_, own), *_ = re.findall(r'action="(/account/views/(\d+))"', page)[::-1]
    renamed = {"act": "rename", "row_version": "1", "name": " "}
    assert list(find_marks(desk.send("tom", f"/account/views/{own}", **renamed).text)) == ["name"]
    wrong = "That is not your password."
    assert find_marks(desk.send("tom", "/account/second-factor", password="no").text) == {"password": wrong}
    other = desk.send("tom", "/password", current="no", new="a long new password")
    assert list(find_marks(other.text)) == ["current"]
    short = desk.send("tom", "/password", current=PASSWORD, new="short")
    assert list(find_marks(short.text)) == ["new"]
