"""The records of a work order on its page and on the technician's, without a browser: by role, masked, refused."""

import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import psycopg
import pytest

from domain.roles import Role
from tests.support.http_api import PASSWORD, Api, Session

ORDER = {"serial": "T-0000", "fault_group": "tank", "description": "It leaks.", "priority": "P2"}
TEMPLATE: dict[str, Any] = {
    "code": "repair",
    "kind": "CORRECTIVE",
    "model": "TEST-100",
    "title": {"en": "Repair", "zh": "维修"},
    "items": [
        {"key": "leak", "kind": "check", "text": {"en": "No leak", "zh": "无泄漏"}},
        {
            "key": "flow",
            "kind": "number",
            "text": {"en": "Flow", "zh": "流量"},
            "low": 9.8,
            "high": 10.2,
            "unit": "mL/h",
        },
    ],
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@dataclass(frozen=True)
class Desk:
    """Who takes part, and an order on which the technician is at work."""

    api: Api
    people: dict[str, Session]
    code: str

    def open(self, who: str, address: str = "", *, language: str = "en") -> httpx.Response:
        """A page as that person's browser gets it; an empty address is the order's."""
        headers = {**self.people[who].reading, "Accept-Language": language}
        return self.api.client.get(address or f"/work-orders/{self.code}", headers=headers, follow_redirects=False)

    def send(self, who: str, address: str, **form: str) -> httpx.Response:
        """A form of the order's page, sent."""
        token = self.people[who].csrf_token
        return self.api.client.post(
            f"/work-orders/{self.code}/{address}" if not address.startswith("/") else address,
            headers=self.people[who].reading,
            data={"csrf_token": token, **form},
            follow_redirects=False,
        )

    def section(self, who: str, name: str, *, language: str = "en") -> str:
        """What that section says, without its tags."""
        answer = self.open(who, f"/work-orders/{self.code}/sections/{name}", language=language)
        assert answer.status_code == 200, answer.text
        return read(answer)


def read(answer: httpx.Response) -> str:
    """The words of a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


@pytest.fixture
def desk(api: Api) -> Desk:
    """Tom works on an order with a checklist; mona manages, dirk dispatches, cora is the customer's."""
    people = {
        "tom": [Role.TECHNICIAN],
        "tina": [Role.TECHNICIAN],
        "dirk": [Role.DISPATCHER],
        "mona": [Role.SERVICE_MANAGER],
        "cora": [Role.CUSTOMER],
        "carl": [Role.CUSTOMER],
    }
    sessions = {}
    for name, roles in people.items():
        customer = {"cora": "T-C0", "carl": "T-C1"}.get(name)
        api.add_user(name, *roles, customer=customer)
        sessions[name] = api.sign_in(name)
    mona, dirk = sessions["mona"].writing, sessions["dirk"].writing
    assert api.post("/checklist-templates", headers=mona, json=TEMPLATE).status_code == 201
    first = {**mona, "If-Match": '"0"'}
    until = {"valid_until": "2099-01-01"}
    path = "/technician-certificates/tom/TEST-100"
    assert api.request("PUT", path, headers=first, json=until).status_code == 200
    code = str(api.post("/work-orders", headers=dirk, json=ORDER).json()["code"])
    desk = Desk(api, sessions, code)
    for who, body in (
        ("dirk", {"to": "TRIAGED"}),
        ("dirk", {"to": "ASSIGNED", "assignee": "tom"}),
        ("tom", {"to": "IN_PROGRESS"}),
    ):
        headers = sessions[who].writing
        etag = api.get(f"/work-orders/{code}", headers=headers).headers["etag"]
        path = f"/work-orders/{code}/transitions"
        assert api.post(path, headers={**headers, "If-Match": etag}, json=body).status_code == 200
    return desk


def test_visits_parts_answers_and_files_from_the_page_to_the_section(desk: Desk) -> None:
    assert "Nobody has been there yet." in desk.section("tom", "visits")
    came = desk.send("tom", "arrivals", note="Key at the gate", once="a" * 32)
    assert (came.status_code, came.headers["location"]) == (
        303,
        f"/work-orders/{desk.code}?open=visits&done=saved#section-visits",
    )
    # The same form pressed twice is one visit, and a second one is refused in its section, with what was typed.
    assert desk.send("tom", "arrivals", note="Key at the gate", once="a" * 32).status_code == 303
    again = desk.send("tom", "arrivals", note="Typed again")
    assert again.status_code == 409
    assert "A visit is under way: say first when it was over." in read(again)
    assert 'id="section-visits"' in again.text
    visit = re.search(r'name="visit_id" value="(\d+)"', desk.open("tom", f"/work-orders/{desk.code}?open=visits").text)
    assert visit is not None
    left = desk.send("tom", "departures", visit_id=visit[1], outcome="PARTS_NEEDED", note="Motor is worn")
    assert left.status_code == 303
    said = desk.section("mona", "visits")
    assert "parts needed" in said
    assert "Key at the gate Motor is worn" in said
    # Parts: asked for by the dispatcher, used by the technician with his signature.
    assert desk.send("dirk", "parts", to="REQUESTED", item="MOT-1", quantity="2").status_code == 303
    part = re.search(r'name="part_id" value="(\d+)"', desk.open("tom", f"/work-orders/{desk.code}?open=parts").text)
    assert part is not None
    wrong = desk.send("tom", "parts", to="USED", part_id=part[1], quantity="1", lot="L-7", meaning="x", password="no")
    assert (wrong.status_code, "Nothing was signed" in read(wrong)) == (422, True)
    assert 'value="L-7"' in wrong.text
    assert "correct horse" not in wrong.text
    missing = desk.send("dirk", "parts", to="REQUESTED", item="", quantity="many")
    assert missing.status_code == 422
    assert "This cannot be used as it is: Part number (is empty), Quantity (is not a number)." in read(missing)
    used = desk.send(
        "tom", "parts", to="USED", part_id=part[1], quantity="1", lot="L-7", meaning="Fitted", password=PASSWORD
    )
    assert used.status_code == 303, read(used)
    assert "Tom: “Fitted”" in desk.section("mona", "parts")
    # Answers: one out of its limits needs a remark; nothing of the form is kept before that.
    page = desk.open("tom", f"/work-orders/{desk.code}?open=checklists").text
    checklist = re.search(r'name="checklist_id" value="(\d+)"', page)
    assert checklist is not None
    given = {"checklist_id": checklist[1], "value.leak": "true", "value.flow": "12,5"}
    refused = desk.send("tom", "answers", **given)
    assert "Say in the remark what is wrong" in read(refused)
    assert 'value="12,5"' in refused.text
    assert "0 of 2 answered" in desk.section("tom", "checklists")
    assert desk.send("tom", "answers", **given, **{"remark.flow": "adjusted"}).status_code == 303
    assert "12.5 mL/h adjusted" in desk.section("mona", "checklists")
    assert "12.5 mL/h adjusted" in desk.section("mona", "checklists", language="zh")
    assert "已答 2/2" in desk.section("mona", "checklists", language="zh")
    # Nothing new: nothing is written.
    same = {"checklist_id": checklist[1], "value.leak": "true", "value.flow": "12.5", "remark.flow": "adjusted"}
    assert desk.send("tom", "answers", **same).status_code == 303
    with psycopg.connect(desk.api.settings.database_url) as conn:
        assert conn.execute("SELECT count(*) FROM checklist_answer").fetchone() == (2,)


def test_files_are_listed_with_what_they_are_and_for_whom(desk: Desk) -> None:
    path = f"/work-orders/{desk.code}/attachments"
    tom = {**desk.people["tom"].writing, "Content-Type": "application/octet-stream"}
    for name, visibility in (("inside.png", "INTERNAL"), ("outside.png", "CUSTOMER")):
        query = f"?kind=PHOTO&file_name={name}&visibility={visibility}"
        body = PNG + name.encode()
        assert desk.api.post(f"{path}{query}", headers=tom, content=body).status_code == 201
    said = desk.section("mona", "files")
    assert "inside.png photo us only 58 B" in said
    page = desk.open("mona", f"/work-orders/{desk.code}?open=files").text
    source = re.search(r'<img src="(/api/[^"]+)"', page)
    assert source is not None
    assert 'loading="lazy"' in page
    picture = desk.open("mona", unescape(source[1]))
    assert (picture.headers["content-type"], picture.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert "sandbox" in picture.headers["content-security-policy"]
    theirs = desk.section("cora", "files")
    assert "outside.png" in theirs
    assert "inside.png" not in theirs
    assert "needs the permission “attach files to work orders” (work_order.attach)" in theirs
    assert "1 file" in read(desk.open("cora"))


def test_every_section_by_every_side(desk: Desk) -> None:
    for name in ("visits", "checklists", "parts", "files", "clocks", "suggestions"):
        for who in ("tom", "dirk", "mona"):
            for language in ("en", "zh"):
                assert len(desk.section(who, name, language=language)) > 10
        status = desk.open("cora", f"/work-orders/{desk.code}/sections/{name}").status_code
        assert status == (403 if name in ("checklists", "suggestions") else 200)
        assert desk.open("carl", f"/work-orders/{desk.code}/sections/{name}").status_code == 404
    assert desk.open("mona", f"/work-orders/{desk.code}/sections/secrets").status_code == 404
    # The customer reads no name of ours, wherever it stands.
    desk.send("tom", "arrivals", note="zq note among us")
    page = desk.open("cora").text + "".join(
        desk.open("cora", f"/work-orders/{desk.code}/sections/{name}").text for name in ("visits", "parts", "clocks")
    )
    assert not re.search(r"\bTom\b|zq note|Dirk", page)
    assert "hidden by role" in page
    closed = read(desk.open("cora"))
    assert "Whom to assign" not in closed
    # Who may not says why, and his form does nothing.
    assert "needs the permission “carry out work orders” (work_order.work)" in desk.section("mona", "visits")
    assert desk.send("mona", "arrivals").status_code == 403
    assert "assigned to somebody else" in desk.section("tina", "visits")
    assert desk.send("tina", "arrivals").status_code == 409


def test_orders_become_one_and_a_clock_is_asked_to_be_waived(desk: Desk) -> None:
    dirk = desk.people["dirk"].writing
    other = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"fault_group": "connectivity"}).json()["code"]
    version = re.search(r'name="row_version" value="(\d+)"', desk.open("dirk").text)
    assert version is not None
    nothing = desk.send("dirk", "merges", row_version=version[1], order="WO-1999-000001", reason="same")
    assert (nothing.status_code, "There is no such order." in read(nothing)) == (404, True)
    stale = desk.send("dirk", "merges", row_version="0", order=other, reason="same pump")
    assert stale.status_code == 412
    assert "same pump" in stale.text
    merged = desk.send("dirk", "merges", row_version=version[1], order=other, reason="same pump")
    assert merged.status_code == 303, read(merged)
    assert f"Went up in this one {other}" in read(desk.open("mona"))
    assert f"Went up in {desk.code}" in read(desk.open("mona", f"/work-orders/{other}"))
    clock = desk.section("mona", "clocks")
    assert "allowed from" in clock
    assert "Ask to waive it" in clock
    wish = {"clock": "RESOLUTION", "version": "1", "reason": "The ward was closed", "meaning": "I ask"}
    assert desk.send("dirk", "waivers", **wish, password=PASSWORD).status_code == 403
    assert desk.send("mona", "waivers", **wish, password="no").status_code == 422
    asked = desk.send("mona", "waivers", **wish, password=PASSWORD)
    assert asked.status_code == 303, read(asked)
    assert "waits for a second person" in desk.section("mona", "clocks")
    again = desk.send("mona", "waivers", **wish, password=PASSWORD)
    assert (again.status_code, "asked for already" in read(again)) == (409, True)


def test_an_assignment_is_taken_back_at_once(desk: Desk) -> None:
    dirk = desk.people["dirk"].writing
    code = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"serial": "T-0002"}).json()["code"]
    page = f"/work-orders/{code}"
    taken = desk.send("dirk", f"{page}/transitions", to="TRIAGED", row_version="1")
    assert taken.status_code == 303
    given = desk.send("dirk", f"{page}/transitions", to="ASSIGNED", row_version="2", assignee="tom")
    assert given.headers["location"] == f"{page}?done=assigned"
    assert "Undo the assignment" in read(desk.open("dirk", f"{page}?done=assigned"))
    assert "Undo the assignment" not in read(desk.open("tom", f"{page}?done=assigned"))
    back = {"to": "TRIAGED", "row_version": "3", "reason": "Undone right after assigning."}
    assert desk.send("dirk", f"{page}/transitions", **back).status_code == 303
    assert "Undo the assignment" not in read(desk.open("dirk", f"{page}?done=assigned"))
    # Accepted for somebody in one form, it was assigned too.
    other = desk.api.post("/work-orders", headers=dirk, json=ORDER | {"serial": "T-0003"}).json()["code"]
    page = f"/work-orders/{other}"
    accepted = desk.send("dirk", f"{page}/transitions", to="TRIAGED", row_version="1", assignee="tom")
    assert accepted.headers["location"] == f"{page}?done=assigned"
    assert "Undo the assignment" in read(desk.open("dirk", f"{page}?done=assigned"))


def test_a_technicians_day_on_the_phone(desk: Desk) -> None:
    with psycopg.connect(desk.api.settings.database_url) as conn:
        conn.execute("UPDATE site SET address = '5 Mill Lane' WHERE customer_id = (SELECT id FROM customer LIMIT 1)")
        people = '[{"name": "Nora", "phone": "+49 (30) 123-45"}, {"name": "No number", "email": "x@example.org"}]'
        conn.execute("UPDATE customer SET contacts = %s", (people,))
    home = desk.open("tom", "/")
    assert home.headers["location"] == "/my"
    jobs = desk.open("tom", "/my")
    assert "At work" in read(jobs)
    assert f'href="/my/{desk.code}"' in jobs.text
    assert "No job is assigned to you." in read(desk.open("tina", "/my"))
    assert desk.open("mona", "/my").status_code == 403
    assert desk.open("tina", f"/my/{desk.code}").headers["location"] == f"/work-orders/{desk.code}"
    job = desk.open("tom", f"/my/{desk.code}")
    assert 'href="tel:+493012345"' in job.text
    assert 'href="geo:0,0?q=' in job.text
    assert "No number" not in read(job)
    for text in ("No leak", "9.8 to 10.2 mL/h", "Take a photo", "Use a part at hand", "Work done"):
        assert text in read(job)
    assert 'capture="environment"' in job.text
    in_chinese = desk.open("tom", f"/my/{desk.code}", language="zh")
    assert "现场服务" in read(in_chinese)
    spoken = re.search(r'id="outbox-words">(.*?)</script>', in_chinese.text)
    assert spoken is not None
    words = json.loads(spoken[1])
    assert words["rights"]["work_order.note"] == "需要权限：“填写工单备注”（work_order.note）"
    assert {"work_order.read", "work_order.work", "work_order.attach"} < set(words["rights"])
    # What is refused comes back on the phone's page, with what was typed.
    done = {"to": "WORK_DONE", "row_version": re.findall(r'name="row_version" value="(\d+)"', job.text)[0]}
    refused = desk.send("tom", f"/my/{desk.code}/transitions", **done, work_performed="Tightened the hose")
    assert refused.status_code == 409
    assert "The service record is incomplete." in read(refused)
    assert "Tightened the hose" in refused.text
    assert f'data-home="/my/{desk.code}"' in refused.text
    unsigned = desk.send("tom", f"/my/{desk.code}/parts", to="USED", item="MOT-1", quantity="1", meaning="m")
    assert (unsigned.status_code, "Nothing was signed" in read(unsigned)) == (422, True)
    signed = {"to": "USED", "item": "MOT-1", "quantity": "1", "meaning": "m", "lot": "L", "password": PASSWORD}
    assert desk.send("tom", f"/my/{desk.code}/parts", **signed).status_code == 303
    assert desk.send("tina", f"/my/{desk.code}/parts", **signed).status_code in (303, 409)
    held = desk.send(
        "tom", f"/my/{desk.code}/transitions", to="ON_HOLD", row_version=done["row_version"], hold_reason="PARTS"
    )
    assert held.headers["location"] == f"/my/{desk.code}?done=saved"
    assert "On hold" in read(desk.open("tom", "/my"))
