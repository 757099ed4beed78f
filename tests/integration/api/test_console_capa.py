"""The page of a CAPA from its proposal to its closure: every step a form, guards as sentences, what was typed kept."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import httpx
import pytest

from domain.roles import Role
from service_link.effectiveness import measure_effectiveness
from store.pool import open_connection
from tests.integration.api.test_capas import ACTION, CAUSE, CHECK, Staff, move_back
from tests.support.http_api import PASSWORD, Api, Session

SIGNED = {"meaning": "Reviewed and approved", "password": PASSWORD}


class Pages:
    """People at the page of one CAPA; forms are sent as the page that they see has them."""

    def __init__(self, api: Api, staff: Staff) -> None:
        self.api, self.code = api, staff.code
        self.sessions: dict[str, Session] = {}

    def session(self, who: str) -> Session:
        if who not in self.sessions:
            self.sessions[who] = self.api.sign_in(who)
        return self.sessions[who]

    def read(self, who: str = "mona", language: str = "en") -> str:
        headers = self.session(who).reading | {"Accept-Language": language}
        answer = self.api.client.get(f"/capa/{self.code}", headers=headers)
        assert answer.status_code == 200
        return read_words(answer)

    def send(self, who: str, form: str, fields: dict[str, Any], expected: int = 303) -> str:
        page = self.api.client.get(f"/capa/{self.code}", headers=self.session(who).reading).text
        found = re.search(r'data-version="(\d+)"', page)
        assert found is not None
        version = {"row_version": found.group(1)}
        path = f"/capa/{self.code}/{form}"
        answer = self.api.client.post(path, headers=self.session(who).writing, data=version | fields)
        assert answer.status_code == expected
        return read_words(answer)

    def step(self, who: str, to: str, expected: int = 303, /, **fields: str) -> str:
        return self.send(who, "transitions", {"to": to, **fields}, expected)


def read_words(answer: httpx.Response) -> str:
    """The page with its forms, blanks in one."""
    return " ".join(unescape(answer.text).split())


@pytest.fixture
def pages(api: Api) -> Pages:
    return Pages(api, Staff(api))


def flatten(cause: dict[str, Any]) -> dict[str, str]:
    """What CAUSE is in the fields of the form."""
    fields = {"problem": cause["problem"]}
    for number, one in enumerate(cause["causes"]):
        fields |= {f"c{number}-{name}": one[name] for name in ("category", "verdict", "statement")}
        fields |= {f"c{number}-why{step}": why["statement"] for step, why in enumerate(one.get("whys", []))}
        for row, ref in enumerate(one.get("evidence", [])):
            fields |= {f"c{number}-e{row}-kind": ref["kind"], f"c{number}-e{row}-ref": ref["ref"]}
    return fields


def check_owners(pages: Pages) -> None:
    """Whoever reads CAPAs can be given an action; who no longer does stays on it until somebody else is chosen."""
    pages.api.add_user("tina", Role.TECHNICIAN)
    pages.api.add_user("root", Role.ADMIN)
    pages.api.add_user("carl", Role.SERVICE_MANAGER, customer="T-C0")
    known = set(re.findall(r'<option value="([a-z]+)"', pages.read("quinn")))
    assert {"quinn", "ada", "mona"} <= known
    assert not {"tina", "root", "carl"} & known
    refused = pages.send("quinn", "actions", {**ACTION, "number": "1", "owner": "tina"}, 422)
    assert re.search(
        r'<span class="wrong" id="act-action_change_1-owner-wrong">Tina cannot read CAPAs: choose', refused
    )
    with open_connection(pages.api.settings.database_url, application="test") as conn:
        conn.execute("UPDATE app_user SET roles = '{technician}' WHERE name = 'quinn'")
    page = pages.read("ada")
    assert '<strong><span title="quinn" translate="no">Quinn</span></strong>' in page
    with open_connection(pages.api.settings.database_url, application="test") as conn:
        conn.execute("UPDATE app_user SET roles = '{quality_engineer}' WHERE name = 'quinn'")
        conn.execute("UPDATE capa_action SET owner_id = (SELECT id FROM app_user WHERE name = 'tina')")
    assert '<option value="tina" selected>Tina (no longer possible)</option>' in pages.read("quinn")
    assert '<option value="tina" selected>Tina（已不能担任）</option>' in pages.read("quinn", "zh")
    pages.send("quinn", "actions", {**ACTION, "number": "1"})


def test_a_capa_from_proposal_to_closure_on_its_page(api: Api, pages: Pages) -> None:
    page = pages.read()
    assert "Proposed by machine; nothing decided." in page
    assert "needs the permission “decide on proposed CAPAs” (capa.decide)" in page
    refused = pages.step("ada", "OPEN", 409, reason="  ")
    assert "Give the justification." in refused
    pages.step("ada", "OPEN", reason="as discussed")
    pages.step("quinn", "INVESTIGATION")
    assert "Say what the problem is." in pages.read("quinn")  # beside the step that it stands in the way of

    wrong = flatten(CAUSE) | {"c0-e0-kind": "DEVICE", "c0-e0-ref": "NOBODY-1"}
    answer = pages.send("quinn", "root-cause", wrong, 422)
    assert "There is no device NOBODY-1. Nothing was saved." in answer
    assert 'value="the seal is brittle"' in answer  # what was typed is there still
    pages.send("quinn", "root-cause", flatten(CAUSE) | {"c0-e1-kind": "DEVICE", "c0-e1-ref": "T-0000", "c0-e1-at": "2"})
    page = pages.read("rosa")
    assert 'Why 2</span> <span translate="no">the seal is brittle</span>' in page
    assert '<a href="/devices/T-0000">T-0000</a>' in page
    assert "none looked at" in page  # the bones that nobody looked at
    pages.step("quinn", "ACTION_PLAN")

    pages.send("quinn", "actions", {"kind": "CORRECTIVE", "text": "The old rubber again"})
    assert "An action has no owner." in pages.read("ada")
    pages.send("quinn", "actions", {**ACTION, "number": "1"})
    check_owners(pages)
    answer = pages.send("quinn", "effectiveness", {**CHECK, "limit_kind": "RATIO", **DEFAULTS}, 422)
    assert "A ratio is at most 1" in answer
    pages.send("quinn", "effectiveness", {**CHECK, **DEFAULTS})
    assert "Nobody decides on, approves or verifies" not in pages.read("ada")

    assert "That is not your password." in pages.step("ada", "IMPLEMENTATION", 422, meaning="x", password="wrong")
    assert "Yours is the first signature" in pages.read("ada")
    pages.step("ada", "IMPLEMENTATION", **SIGNED)
    page = pages.read("ada")
    assert "You have signed this already; a second person must." in page
    assert "Ada (ada)" in page
    assert "With your signature its implementation begins." in pages.read("bob")
    pages.step("bob", "IMPLEMENTATION", **SIGNED)

    assert "An action is not done." in pages.read("quinn")
    assert "! overdue" in pages.read("quinn")
    done = {"number": "1", "to": "DONE", "evidence": "200 seals replaced", "ref_kind": "DEVICE", "ref": "T-0000"}
    pages.send("quinn", "action-steps", done)
    pages.step("quinn", "VERIFICATION")
    seen = {"number": "1", "to": "VERIFIED", "evidence": "ten opened"}
    assert "Nobody decides on, approves or verifies" in pages.send("quinn", "action-steps", seen, 409)
    pages.send("rosa", "action-steps", seen)
    assert "ten opened" in pages.read()
    pages.step("ada", "EFFECTIVENESS", reason="no leak elsewhere")
    assert "The period in which the effect is measured is not over." in pages.read("quinn")

    move_back(api, pages.code)
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        assert measure_effectiveness(conn, datetime.now(UTC)) == [pages.code]
    page = pages.read("quinn")
    assert "Over the whole period: effective. The rate is below the limit, and not by chance." in page
    assert "The figures speak for: Close. A person decides." in page
    assert "limit 100.00" in page
    pages.step("quinn", "CLOSED", **SIGNED)
    assert "was asked for on these figures" in pages.read("bob")
    pages.step("bob", "CLOSED", **SIGNED)
    page = pages.read("bob", "zh")
    assert "已关闭" in page
    assert "此状态下没有可执行的操作" in page
    assert page.count("有效") > 2


DEFAULTS = {"before_days": "30", "delay_days": "0", "max_p": "0.05"}


def test_who_edits_while_another_saves_keeps_the_text(api: Api, pages: Pages) -> None:
    pages.step("ada", "OPEN", reason="as discussed")
    pages.step("quinn", "INVESTIGATION")
    stale = {**flatten(CAUSE), "row_version": "1"}
    answer = api.client.post(f"/capa/{pages.code}/root-cause", headers=pages.session("rosa").writing, data=stale)
    assert answer.status_code == 412
    text = read_words(answer)
    assert "Quinn set Investigation at" in text
    assert "Your text is kept" in text
    assert "Tanks leak within a year" in text
    late = pages.step("ada", "OPEN", 409, reason="again")
    assert "The CAPA is no longer in the state for this step." in late


def test_a_person_proposes_and_who_may_not_is_told(api: Api, pages: Pages) -> None:
    wanted = {
        "kind": "PREVENTIVE",
        "fault": "TEST-100/valve",
        "scope_kind": "MODEL",
        "scope_value": "",
        "reason": "seen in an audit",
    }
    wrong = api.client.post(
        "/capa/proposals", headers=pages.session("quinn").writing, data=wanted | {"scope_value": "L1"}
    )
    assert wrong.status_code == 422
    assert "Must be empty for the whole model." in read_words(wrong)
    assert "seen in an audit" in read_words(wrong)
    made = api.client.post("/capa/proposals", headers=pages.session("quinn").writing, data=wanted)
    assert made.status_code == 303
    own = api.client.get(made.headers["location"], headers=pages.session("quinn").reading)
    assert "seen in an audit" in read_words(own)
    again = api.client.post("/capa/proposals", headers=pages.session("rosa").writing, data=wanted)
    assert (again.status_code, "A live CAPA has this scope already." in read_words(again)) == (409, True)
    assert api.client.post("/capa/proposals", headers=pages.session("ada").writing, data=wanted).status_code == 403
    assert "needs the permission “work on CAPAs” (capa.work)" in read_words(
        api.client.get("/capa", headers=pages.session("ada").reading)
    )
    api.add_user("carl", Role.CUSTOMER, customer="T-C0")
    assert api.client.get(f"/capa/{pages.code}", headers=api.sign_in("carl").reading).status_code == 403
