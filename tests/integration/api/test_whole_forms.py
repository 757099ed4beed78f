"""What somebody writes into a form is taken whole, or refused: nothing of it is cut off."""

from copy import deepcopy
from typing import Any

import pytest

from domain.capa_cause import MAX_EVIDENCE
from tests.integration.api.test_capas import CAUSE, Staff
from tests.integration.api.test_console_capa import Pages
from tests.integration.api.test_refused_forms import CORRECTION, PEOPLE, refuse
from tests.support.console_pages import Console
from tests.support.http_api import Api
from tests.support.page_forms import read_form


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def test_a_long_list_of_serials_is_taken_whole_or_not_at_all(console: Console) -> None:
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CORRECTION).partition("?")[0]
    page = console.read("quentin", path)
    assert page.count('maxlength="2000000"') >= 2, "the browser lets the serials and the waves through"
    # Of what is longer than any text, the last one counts as the first does.
    named = " ".join(["T-0000"] * 60_000)
    said = refuse(console, "quentin", f"{path}/scope", {"serials": f"{named} NOBODY-1"})
    assert said == {"serials": "No device of the model has these serials: NOBODY-1. Nothing was frozen."}
    many = {"serials": " ".join(f"X{n}" for n in range(50_001)), "regions": "r" * 201}
    expected = {"serials": "Too many, at most 50,000.", "regions": "Has more characters than 200."}
    assert refuse(console, "quentin", f"{path}/scope", many) == expected


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "This cannot be used as it is: Title (has more characters than 200). Nothing was saved."),
        ("zh", "以下内容无法使用：标题（超过 200 个字符）。未保存任何内容。"),
    ],
)
def test_nothing_is_cut_off_that_somebody_wrote(console: Console, language: str, told: str) -> None:
    headers = console.sessions["quentin"].writing | {"Accept-Language": language}
    long = CORRECTION | {"title": "t" * 201}
    answer = console.api.client.post("/field-actions/drafts", headers=headers, data=long)
    assert (answer.status_code, told in answer.text) == (422, True), answer.text
    console.send("quentin", "/field-actions", "/field-actions/drafts", CORRECTION | {"title": f" {'t' * 200}\r\n"}, 303)


def test_a_form_is_as_large_as_the_body_of_a_request_may_be(console: Console) -> None:
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CORRECTION).partition("?")[0]
    # One a line, as they are copied from a table; a line end takes six bytes on its way.
    serials = "\r\n".join(f"SN-{number:024d}" for number in range(40_000))
    said = refuse(console, "quentin", f"{path}/scope", {"serials": serials})
    assert said["serials"].startswith("No device of the model has these serials: SN-000000000000000000000000, ")
    answer = console.api.client.post(
        f"{path}/scope", headers=console.sessions["quentin"].writing, data={"serials": "x" * (2 * 1024 * 1024)}
    )
    assert (answer.status_code, "This is larger than this installation takes" in answer.text) == (413, True)


def test_a_root_cause_with_all_its_evidence_stays_as_it_is_when_its_form_is_saved(api: Api) -> None:
    staff = Staff(api)
    pages = Pages(api, staff)
    pages.step("ada", "OPEN", reason="as discussed")
    pages.step("quinn", "INVESTIGATION")
    wanted: dict[str, Any] = deepcopy(CAUSE)
    cause = wanted["causes"][0]
    for place, told in enumerate((cause, *cause["whys"])):
        told["evidence"] = [{"kind": "DOCUMENT", "ref": f"D-{place}-{n}"} for n in range(MAX_EVIDENCE)]
    address = f"{staff.path}/root-cause"
    headers = staff.headers["quinn"] | {"If-Match": api.get(staff.path, headers=staff.headers["quinn"]).headers["etag"]}
    api.client.put(f"/api/v1{address}", headers=headers, json=wanted).raise_for_status()
    before = api.get(address, headers=staff.headers["quinn"]).json()["causes"]
    assert len(before[0]["whys"][-1]["evidence"]) == MAX_EVIDENCE
    form = f"/capa/{pages.code}/root-cause"
    session = pages.session("quinn")
    fields = read_form(api.client.get(f"/capa/{pages.code}", headers=session.reading).text, form)
    answer = api.client.post(form, headers=session.writing, data=fields)
    assert answer.status_code == 303, answer.text
    assert api.get(address, headers=staff.headers["quinn"]).json()["causes"] == before
