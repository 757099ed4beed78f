"""A rule of a CAPA, a field action, a complaint and their like that refuses a form is said at the field it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.roles import Role
from service_link.plans import keep_plans
from store.pool import open_connection
from tests.integration.api.test_capas import ACTION, CAUSE, CHECK, Staff
from tests.integration.api.test_console_approvals import EXPORT
from tests.integration.api.test_console_capa import DEFAULTS, Pages, flatten
from tests.integration.api.test_console_field_actions import CAMPAIGN, IMAGE, SIGNED, VERSION, release
from tests.integration.api.test_console_monitors import decide, enter, find_page, find_state, seed
from tests.integration.api.test_console_plans import YEARLY
from tests.integration.api.test_console_retention import WISH, keep_house
from tests.integration.api.test_refused_forms import COMPLAINT, CORRECTION, PEOPLE, refuse
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api
from tests.support.marked_fields import NOTICE, find_landing, find_marks
from tests.support.page_forms import read_form

REASON = "A reason is needed."
SIGNING = "This step is signed: give your password and what the signature means."
MEANING = "A signature says what it means."
UNSIGNED = "That is not your password. Nothing was signed."
BLANK = {"meaning": " ", "password": PASSWORD}


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, {**PEOPLE, "dora": Role.DATA_STEWARD, "olga": Role.DISPATCHER})


def write(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M")


def test_a_capa(api: Api) -> None:
    pages = Pages(api, Staff(api))
    why, shows = "Give the justification.", "Say what shows it."

    def step(who: str, to: str, status: int, **fields: str) -> dict[str, str]:
        return find_marks(pages.step(who, to, status, **fields))

    assert step("ada", "OPEN", 409, reason=" ") == {"reason": why}
    assert step("ada", "REJECTED", 409) == {"reason": why}
    pages.step("ada", "OPEN", reason="as discussed")
    pages.step("quinn", "INVESTIGATION")
    nothing = pages.step("quinn", "ACTION_PLAN", 409)  # a button: the rule speaks of the investigation
    assert (find_landing(nothing), "Say what the problem is." in nothing) == (NOTICE, True)
    pages.send("quinn", "root-cause", flatten(CAUSE))
    pages.step("quinn", "ACTION_PLAN")
    pages.send("quinn", "actions", ACTION)
    pages.send("quinn", "effectiveness", {**CHECK, **DEFAULTS})
    assert step("ada", "IMPLEMENTATION", 409, meaning="x") == {"password": SIGNING}
    assert step("ada", "IMPLEMENTATION", 422, meaning="x", password="wrong") == {"password": UNSIGNED}
    assert step("ada", "IMPLEMENTATION", 409, **BLANK) == {"meaning": MEANING}
    assert step("ada", "INVESTIGATION", 409) == {"reason": why}
    refs = {"number": "1", "ref_kind": "DEVICE"}

    def act(who: str, status: int, to: str, **fields: str) -> dict[str, str]:
        return find_marks(pages.send(who, "action-steps", {**refs, "to": to, **fields}, status))

    assert act("quinn", 409, "CANCELLED") == {"reason": why}
    for who in ("ada", "bob"):
        pages.step(who, "IMPLEMENTATION", meaning="Reviewed", password=PASSWORD)
    assert act("quinn", 409, "DONE", evidence=" ") == {"evidence": shows}
    unknown = {"ref": "There is no device NOBODY-1. Nothing was saved."}
    assert act("quinn", 422, "DONE", evidence="done", ref="NOBODY-1") == unknown
    pages.send("quinn", "action-steps", {**refs, "to": "DONE", "evidence": "200 seals replaced"})
    pages.step("quinn", "VERIFICATION")
    assert act("rosa", 409, "VERIFIED") == {"evidence": shows}
    assert act("rosa", 409, "OPEN") == {"reason": why}
    pages.send("rosa", "action-steps", {**refs, "to": "VERIFIED", "evidence": "ten opened"})
    assert step("ada", "EFFECTIVENESS", 409) == {"reason": why}


def test_a_capa_whose_scope_is_taken(console: Console) -> None:
    wish = {"kind": "PREVENTIVE", "fault": "TEST-100/valve", "scope_kind": "MODEL", "scope_value": "", "reason": "seen"}
    console.send("quentin", "/capa", "/capa/proposals", wish)
    taken = "A live CAPA has this scope already."
    assert refuse(console, "quentin", "/capa/proposals", wish, status=409) == {"fault": taken, "scope_kind": taken}


def test_a_field_action_and_its_firmware(console: Console) -> None:
    console.send("eva", "/firmware", "/firmware/records", IMAGE)
    steps = f"{VERSION}/transitions"
    approve = {"to": "APPROVED"}
    assert refuse(console, "ada", steps, approve | {"meaning": "x"}, status=409) == {"password": SIGNING}
    assert refuse(console, "ada", steps, approve | BLANK, status=409) == {"meaning": MEANING}
    wrong = {**approve, "password": "no", "meaning": "x"}
    assert find_marks(console.send("ada", VERSION, steps, wrong, 422)) == {"password": UNSIGNED}
    assert refuse(console, "eva", steps, {"to": "WITHDRAWN"}, status=409) == {"reason": REASON}


def test_a_field_action_that_is_signed_planned_and_halted(console: Console) -> None:
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CORRECTION).partition("?")[0]

    def send(who: str, form: str, **fields: Any) -> None:
        console.send(who, path, f"{path}/{form}", fields, 303)

    def mark(who: str, form: str, status: int = 409, /, **fields: Any) -> dict[str, str]:
        return find_marks(console.send(who, path, f"{path}/{form}", fields, status))

    send("quentin", "scope", serials="T-0000")
    assert mark("ada", "transitions", to="APPROVED", meaning="x") == {"password": SIGNING}
    assert mark("ada", "transitions", to="APPROVED", **BLANK) == {"meaning": MEANING}
    assert mark("quentin", "transitions", to="CANCELLED") == {"reason": REASON}
    for who in ("ada", "bob"):
        send(who, "transitions", to="APPROVED", **SIGNED)
    send("quentin", "transitions", to="NOTIFYING")
    told = console.send("quentin", path, f"{path}/transitions", {"to": "EXECUTING"}, 409)
    assert (find_landing(told), "A customer has had no notice yet" in told) == (NOTICE, True)
    send("dirk", "communications", about="customer:T-C0", channel="PHONE", result="REACHED", text="Monday")
    send("quentin", "transitions", to="EXECUTING")
    shown = console.read("dirk", f"{path}?item=T-0000")
    item = {"serial": "T-0000", "row_version": read_form(shown, f"{path}/items")["row_version"]}
    for fields, marks in (
        ({"to": "SCHEDULED"}, {"scheduled_for": "Say for when it is planned."}),
        ({"to": "REMEDIATED", "evidence": " "}, {"evidence": "Say what was done or seen, and how it is known."}),
        ({"to": "SCRAPPED"}, {"reason": REASON}),
    ):
        assert refuse(console, "dirk", f"{path}/items", item | fields, status=409) == marks
    send("quentin", "halt", reason="leaks")
    assert mark("ada", "resumption", **SIGNED) == {"reason": REASON}
    assert mark("ada", "resumption", reason="mended", **BLANK) == {"meaning": MEANING}
    assert mark("ada", "resumption", 422, reason="mended", meaning="x", password="no") == {"password": UNSIGNED}


def test_a_campaign_that_is_drafted_twice_still_says_what_is_wrong(console: Console) -> None:
    release(console)
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CAMPAIGN).partition("?")[0]
    empty = console.send("ada", path, f"{path}/transitions", {"to": "APPROVED", **SIGNED}, 409)
    assert (find_landing(empty), "No device is in its scope: freeze one first." in empty) == (NOTICE, True)


def test_a_complaint_and_what_is_told_to_authorities(console: Console) -> None:
    path = console.send("mona", "/complaints", "/complaints/new", COMPLAINT).partition("?")[0]
    now = datetime.now(UTC)
    early, late = write(now - timedelta(days=2)), write(now + timedelta(days=2))
    known: dict[str, Any] = {"aware_at": early, "harm": "MALFUNCTION_COULD_RECUR", "reason": "x"}
    known["jurisdictions"] = ["EU"]
    ahead = "Lies in the future."
    before = "What became known later cannot lie before the incident was known, nor in the future."
    unassessed = "A later time is given for something that is not assessed."
    assessed: tuple[tuple[dict[str, Any], int, dict[str, str]], ...] = (
        ({"aware_at": late}, 409, {"aware_at": "Nobody becomes aware in the future."}),
        ({"threat_known_at": late}, 422, {"threat_known_at": ahead}),
        ({"threat_known_at": write(now - timedelta(days=9))}, 409, {"threat_known_at": before}),
        ({"remedial_need_known_at": early}, 409, {"remedial_need_known_at": unassessed}),
        ({"harm": "NONE", "threat_known_at": early}, 409, {"threat_known_at": unassessed}),
        # Of two moments the one that is wrong.
        ({"threat_known_at": early, "remedial_need_known_at": early}, 409, {"remedial_need_known_at": unassessed}),
        ({"jurisdictions": []}, 409, {"jurisdictions": "Say which authorities it concerns."}),
        ({"reason": " "}, 409, {"reason": "Say on what the assessment rests."}),
    )
    for fields, status, marks in assessed:
        assert mark_sent(console, "quentin", path, "assessment", known | fields, status) == marks
    console.send("quentin", path, f"{path}/assessment", known | {"harm": "NONE"})
    harmless = {"decision": "REPORTABLE", "reportable_in": ["EU"], "justification": "x", **SIGNED}
    none = "No harm is assessed, so no clock runs: have it assessed again."
    assert mark_sent(console, "ada", path, "decision", harmless, 409) == {"decision": none}
    console.send("quentin", path, f"{path}/assessment", known)
    decided: dict[str, Any] = {"decision": "REPORTABLE", "reportable_in": ["EU"], "justification": "x", **SIGNED}
    for fields, marks in (
        ({"justification": ""}, {"justification": "A decision says why."}),
        ({"reportable_in": []}, {"reportable_in": "Say which authorities it concerns."}),
        ({"reportable_in": ["CN"]}, {"reportable_in": "It was not assessed for that authority."}),
        ({"password": ""}, {"password": "The decision is signed: give your password and what it means."}),
        ({"meaning": ""}, {"meaning": MEANING}),
    ):
        assert mark_sent(console, "ada", path, "decision", decided | fields, 409) == marks
    console.send("ada", path, f"{path}/decision", decided)
    report = {"jurisdiction": "EU", "submitted_at": write(now - timedelta(days=1)), "reference": "MIR-1"}
    for fields, marks in (
        ({"jurisdiction": "CN"}, {"jurisdiction": "Nobody has decided that it is reported there."}),
        ({"reference": ""}, {"reference": "Give what the authority calls the report."}),
        ({"submitted_at": late}, {"submitted_at": "Nothing is submitted in the future."}),
        (
            {"submitted_at": write(now - timedelta(days=9))},
            {"submitted_at": "Nobody reports what he does not know of."},
        ),
    ):
        assert mark_sent(console, "quentin", path, "submissions", report | fields, 409) == marks


def mark_sent(console: Console, who: str, path: str, form: str, fields: dict[str, Any], status: int) -> dict[str, str]:
    """The marks of what a form of that page answers, sent with the version that the page is of."""
    return find_marks(console.send(who, path, f"{path}/{form}", fields, status))


def test_steps_of_a_complaint(console: Console) -> None:
    path = console.send("mona", "/complaints", "/complaints/new", COMPLAINT | {"serial": ""}).partition("?")[0]
    dismissed = {"to": "RESOLVED", "reason": " "}
    assert mark_sent(console, "quentin", path, "transitions", dismissed, 409) == {"reason": REASON}
    console.send("quentin", path, f"{path}/transitions", {"to": "INVESTIGATION"})
    found = {"to": "RESOLVED", "investigation": " "}
    assert mark_sent(console, "quentin", path, "transitions", found, 409) == {
        "investigation": "Say what the investigation found."
    }


def test_plans_and_what_two_people_decide(api: Api, console: Console) -> None:
    place = console.send("mona", "/plans", "/plans/new", YEARLY).replace("&done=saved", "")
    with open_connection(api.settings.database_url, application="test", autocommit=True) as conn:
        conn.execute("UPDATE device SET installed_on = current_date - 20")
        keep_plans(conn, datetime.now(UTC))
        row = conn.execute("SELECT code FROM plan_occurrence ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    skip = {"occurrence": row[0], "reason": "closed", "meaning": "I ask", "password": PASSWORD}
    signing = "This is signed: give your password and what the signature means."
    for fields, marks, status in (
        ({"reason": " "}, {"reason": REASON}, 409),
        ({"password": ""}, {"password": signing}, 409),
        ({"password": "no"}, {"password": UNSIGNED}, 422),
        ({"meaning": " "}, {"meaning": MEANING}, 409),
    ):
        answer = console.send("dirk", "/plans", "/plans/skips", skip | fields, status)
        assert find_marks(answer) == marks
    end = {"plan": place.partition("=")[2], "reason": " "}
    assert find_marks(console.send("mona", place, "/plans/end", end, 409)) == {"reason": REASON}

    made = api.post("/approval-requests", headers=console.sessions["dora"].writing, json=EXPORT)
    request = f"/approvals/{made.json()['code']}"
    refusal = {"to": "REFUSED", "reason": " ", "meaning": "No", "password": PASSWORD}
    assert mark_sent(console, "ada", request, "decision", refusal, 409) == {"reason": REASON}
    granted = {"to": "GRANTED", "meaning": "Yes", "password": PASSWORD}
    for fields, marks, status in (
        ({"password": "no"}, {"password": UNSIGNED}, 422),
        ({"meaning": ""}, {"meaning": MEANING}, 409),
    ):
        assert mark_sent(console, "ada", request, "decision", granted | fields, status) == marks


def test_retention(api: Api, console: Console) -> None:
    keep_house(api)
    ask = WISH | {"to": "ask", "meaning": "I ask", "password": PASSWORD}
    form = "/admin/retention/requests"
    order = "Short is not kept longer than standard, nor standard longer than long."
    for fields, marks in (
        ({"kept": "readings_short", "days": "500"}, {"days": order}),
        ({"days": "400"}, {"days": "It is kept that long already."}),
        ({"meaning": ""}, {"meaning": MEANING}),
    ):
        assert refuse(console, "root", form, ask | fields, status=409) == marks


def test_a_threshold_that_is_proposed(api: Api) -> None:
    code = seed(api, safety_critical=False)
    eva, version = enter(api, "eva", Role.ENGINEER), find_state(api, code)[1]
    for fields, marks, status in (
        ({"password": PASSWORD, "reason": " "}, {"reason": "The decision on a threshold needs its reason."}, 409),
        ({}, {"password": "The step is signed: give your password."}, 409),
        ({"password": "no"}, {"password": UNSIGNED}, 422),
    ):
        answer = decide(api, eva, code, "ACCEPTED", version=version, **fields)
        assert (answer[0], find_marks(answer[1])) == (status, marks)
    backtest = f"{find_page(api)}/backtest"

    def ask(**fields: str) -> dict[str, str]:
        return find_marks(api.client.post(backtest, headers=eva.writing, data=fields).text)

    assert ask(raise_at="a lot", clear_at="nan") == {"raise_at": "Is not a number.", "clear_at": "Is not a number."}
    assert list(ask(raise_at="1e9")) == ["raise_at"]
