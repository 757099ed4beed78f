"""A form that is refused says beside each wrong field what is wrong with it, and its sender lands in the first."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.console.language import translate
from domain.audit import Actor
from domain.roles import Permission, Role
from store.pool import open_connection
from store.profiles import record_profile
from tests.integration.api.test_capas import ACTION, CAUSE, CHECK, Staff
from tests.integration.api.test_console_capa import Pages, flatten
from tests.integration.api.test_console_field_actions import CAMPAIGN, IMAGE, SIGNED, VERSION, release
from tests.integration.api.test_console_plans import YEARLY
from tests.support.console_pages import Console
from tests.support.fleet import PROFILE
from tests.support.http_api import PASSWORD, Api
from tests.support.marked_fields import find_marks

PEOPLE = {
    "eva": Role.ENGINEER,
    "quentin": Role.QUALITY_ENGINEER,
    "ada": Role.QUALITY_APPROVER,
    "bob": Role.QUALITY_APPROVER,
    "dirk": Role.DISPATCHER,
    "mona": Role.SERVICE_MANAGER,
    "root": Role.ADMIN,
}
CORRECTION = {**CAMPAIGN, "kind": "CORRECTION", "firmware": "", "waves": "100%; 0; 0"}
COMPLAINT = {"severity": "MAJOR", "details": "The alarm did not sound", "serial": "T-0000"}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
MISSING, NO_CHOICE = "Is missing.", "Is none of the choices."
NOT_A_TIME, NOT_WHOLE, NOT_A_NUMBER = "Is not a time.", "Is not a whole number.", "Is not a number."
OUT_OF_TIME = "Lies before 1970, or in 3000 or later."
NO_DEVICE = "There is no device of this serial that you may see."
NOT_OF_MODEL = "Does not belong to this model."


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def refuse(
    console: Console, who: str, path: str, fields: Mapping[str, Any], *, language: str = "en", status: int = 422
) -> dict[str, str]:
    """What is said of which fields."""
    headers = console.sessions[who].writing | {"Accept-Language": language}
    answer = console.api.client.post(path, headers=headers, data={"row_version": "1", **fields})
    assert answer.status_code == status, answer.text
    assert translate(language, "form.unusable") in answer.text or status != 422
    return find_marks(answer.text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"severity": "", "details": " "}, {"severity": MISSING, "details": MISSING}),
        ({"severity": "HUGE", "received_at": TOMORROW}, {"severity": NO_CHOICE, "received_at": "Lies in the future."}),
        ({"received_at": "some day"}, {"received_at": NOT_A_TIME}),
        ({"received_at": "1969-12-31T10:00"}, {"received_at": OUT_OF_TIME}),
        ({"serial": "NOBODY-1", "fault_group": "valve"}, {"serial": NO_DEVICE}),
        ({"fault_group": "drive"}, {"fault_group": NOT_OF_MODEL}),
    ],
)
def test_a_complaint_that_is_entered(console: Console, wrong: dict[str, str], said: dict[str, str]) -> None:
    assert refuse(console, "mona", "/complaints/new", COMPLAINT | wrong) == said


def test_of_a_device_of_others_nothing_is_learnt(api: Api) -> None:
    own = Console(api, {"otto": Role.QUALITY_ENGINEER}, customer="T-C1")
    for serial in ("T-0000", "NOBODY-1"):  # T-C0's, and nobody's
        assert refuse(own, "otto", "/complaints/new", COMPLAINT | {"serial": serial}) == {"serial": NO_DEVICE}
    assert refuse(own, "otto", "/complaints/new", COMPLAINT | {"serial": ""}) == {"serial": MISSING}


def test_a_complaint_on_its_page_in_both_languages(console: Console) -> None:
    path = console.send("mona", "/complaints", "/complaints/new", {**COMPLAINT, "serial": ""}).partition("?")[0]
    record = COMPLAINT | {"serial": "NOBODY-1", "details": ""}
    said = {"details": MISSING, "serial": NO_DEVICE, "reason": MISSING}
    assert refuse(console, "mona", f"{path}/record", record) == said
    in_chinese = {"details": "缺失。", "serial": "没有您可查看的该序列号的设备。", "reason": "缺失。"}
    assert refuse(console, "mona", f"{path}/record", record, language="zh") == in_chinese

    known = {"aware_at": "2026-01-01T10:00", "harm": "MALFUNCTION_COULD_RECUR", "jurisdictions": ["EU"], "reason": "x"}
    odd = {"aware_at": "", "harm": "BOREDOM", "jurisdictions": ["EU", "MARS"], "threat_known_at": "soon"}
    said = {"aware_at": MISSING, "harm": NO_CHOICE, "jurisdictions": NO_CHOICE, "threat_known_at": NOT_A_TIME}
    assert refuse(console, "quentin", f"{path}/assessment", known | odd) == said
    console.send("quentin", path, f"{path}/assessment", known)
    decided = {"decision": "PERHAPS", "reportable_in": ["MARS"], "justification": "x"}
    said = {"decision": NO_CHOICE, "reportable_in": NO_CHOICE}
    assert refuse(console, "ada", f"{path}/decision", decided) == said
    decided |= {"decision": "REPORTABLE", "reportable_in": ["EU"]}
    said = {"password": "That is not your password. Nothing was signed."}
    headers = console.sessions["ada"].writing
    data = {**decided, "password": "wrong", "meaning": "x", "row_version": "1"}
    assert find_marks(console.api.client.post(f"{path}/decision", headers=headers, data=data).text) == said
    console.send("ada", path, f"{path}/decision", decided | {"password": PASSWORD, "meaning": "Decided"})
    report = {"jurisdiction": "MARS", "submitted_at": "3000-01-01T00:00", "reference": "x"}
    said = {"jurisdiction": NO_CHOICE, "submitted_at": OUT_OF_TIME}
    assert refuse(console, "quentin", f"{path}/submissions", report) == said
    report |= {"jurisdiction": "EU", "submitted_at": ""}
    assert refuse(console, "quentin", f"{path}/submissions", report) == {"submitted_at": MISSING}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "", "order_type": "OTHER"}, {"name": MISSING, "order_type": NO_CHOICE}),
        ({"name": "x" * 201}, {"name": "Has more characters than 200."}),
        ({"model": "TEST-999"}, {"model": NO_CHOICE}),
        ({"serial": "NOBODY-1"}, {"serial": "There is no device of this model and serial that you may see."}),
        ({"every_count": ""}, {"every_count": MISSING}),
        ({"every_count": "soon", "lead_days": "1.5"}, {"every_count": NOT_WHOLE, "lead_days": NOT_WHOLE}),
        ({"every_count": "0"}, {"every_count": "Must be at least 1."}),
        ({"every_count": "-3", "lead_days": "366"},
         {"every_count": "Must be at least 1.", "lead_days": "Must be at most 365."}),
        ({"every_unit": "EON", "starts_on": "2026-02-30"}, {"every_unit": NO_CHOICE, "starts_on": "Is not a date."}),
        ({"starts_on": "1900-01-01"}, {"starts_on": OUT_OF_TIME}),
        ({"kind": "USAGE", "usage_sensor": "TEST-100/other", "usage_every": "5"}, {"usage_sensor": NOT_OF_MODEL}),
        ({"kind": "USAGE", "usage_sensor": "", "usage_every": ""}, {"usage_sensor": MISSING, "usage_every": MISSING}),
        ({"kind": "USAGE", "usage_sensor": "x", "usage_every": "nan"}, {"usage_every": NOT_A_NUMBER}),
        ({"kind": "USAGE", "usage_sensor": "x", "usage_every": "0"}, {"usage_every": "Must be above 0."}),
        ({"kind": "CONDITION", "fault_group": "TEST-100/other"}, {"fault_group": NOT_OF_MODEL}),
    ],
)  # fmt: skip
def test_a_plan(console: Console, wrong: dict[str, str], said: dict[str, str]) -> None:
    assert refuse(console, "mona", "/plans/new", YEARLY | wrong) == said


def test_retention_and_a_profile(api: Api, console: Console) -> None:
    form = "/admin/retention/requests"
    days = "A whole number of days, not below the fewest of this class and at most 36,500; 0 for ever."
    wish = {"kept": "readings_standard", "days": "soon", "reason": ""}
    assert refuse(console, "root", form, wish) == {"days": days, "reason": MISSING}
    assert refuse(console, "root", form, wish | {"kept": "dust"}) == {"kept": NO_CHOICE, "reason": MISSING}
    by = Actor("eva", "engineer", Permission.PROFILE_WRITE.value)
    later = replace(
        PROFILE, version=PROFILE.version + 1, tickets=replace(PROFILE.tickets, quiet_h=PROFILE.tickets.quiet_h + 1)
    )
    with open_connection(api.settings.database_url, application="test") as conn:
        record_profile(conn, later, "eva", actor=by, reason="quiet pumps spoke again")
    proposal = {"version": str(PROFILE.version), "reason": " "}
    assert refuse(console, "eva", f"/admin/profiles/{PROFILE.model}/proposals", proposal) == {"reason": MISSING}


def test_firmware(console: Console) -> None:
    odd = {"version": "", "sha256": "short", "url": "ftp:x", "size_bytes": "much", "notes": "n" * 9_000}
    image = {
        "version": MISSING,
        "sha256": "Must be 64 hexadecimal characters.",
        "url": "Must begin with https:// or http://, without blanks.",
        "size_bytes": NOT_WHOLE,
    }
    assert refuse(console, "eva", "/firmware/records", IMAGE | odd) == image
    assert refuse(console, "eva", "/firmware/records", IMAGE | {"model": "TEST-999"}) == {"model": NO_CHOICE}
    console.send("eva", "/firmware", "/firmware/records", IMAGE)
    taken = refuse(console, "eva", "/firmware/records", IMAGE, status=409)
    assert taken == {"version": "That version of the component is registered already."}
    odd |= {"sha256": "", "size_bytes": "-1"}
    image |= {"sha256": MISSING, "size_bytes": "Must be above 0."}
    del image["version"]
    assert refuse(console, "eva", f"{VERSION}/record", odd) == image


def test_a_field_action(console: Console) -> None:
    release(console)
    odd = {"title": "", "kind": "OTHER", "priority": "P9", "model": "", "not_before": "some day", "halt_p": "x"}
    said = {
        "title": MISSING,
        "kind": NO_CHOICE,
        "model": MISSING,
        "priority": NO_CHOICE,
        "halt_p": "A number above 0 and at most 20.",
        "not_before": NOT_A_TIME,
    }
    assert refuse(console, "quentin", "/field-actions/drafts", CAMPAIGN | odd) == said
    for wrong, told in (
        ({"model": "TEST-999", "kind": "CORRECTION"}, {"model": NO_CHOICE}),
        ({"firmware": "TEST-100/main/9.9"}, {"firmware": "There is no registered version of this name."}),
        ({"firmware": ""}, {"firmware": "A firmware campaign installs a version of this model."}),
        ({"capa": "CAPA-1"}, {"capa": "There is no CAPA of this code."}),
    ):
        assert refuse(console, "quentin", "/field-actions/drafts", CAMPAIGN | wrong) == told
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CAMPAIGN).partition("?")[0]
    capa = {"capa": "没有此编号的 CAPA。"}
    assert refuse(console, "quentin", f"{path}/draft", CAMPAIGN | {"capa": "CAPA-1"}, language="zh") == capa

    scopes = (
        ({"since": "newest"}, {"since": "Is no version that has an order, such as 2.4.1 or 2.4.1-rc.1."}),
        ({"since": "3.0", "until": "2.0"}, {"since": "Lies behind the end of the range."}),
        ({"until": "2.0", "before": "2.0"}, {"before": "Give this or the version up to which it goes, not both."}),
    )
    for wrong, told in scopes:
        for form in ("scope", "scope-preview"):
            assert refuse(console, "quentin", f"{path}/{form}", wrong) == told
    unknown = "No device of the model has these serials: NOBODY-1. Nothing was frozen."
    assert refuse(console, "quentin", f"{path}/scope", {"serials": "T-0000 NOBODY-1"}) == {"serials": unknown}


def test_a_field_action_that_goes_on(console: Console) -> None:
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CORRECTION).partition("?")[0]

    def send(who: str, form: str, **fields: Any) -> None:
        console.send(who, path, f"{path}/{form}", fields, 303)

    send("quentin", "scope", serials="T-0000")
    for who in ("ada", "bob"):
        send(who, "transitions", to="APPROVED", **SIGNED)
    send("quentin", "transitions", to="NOTIFYING")
    odd = {"about": "customer:NOBODY", "channel": "PIGEON", "result": "", "text": "x"}
    said = {"about": NO_CHOICE, "channel": NO_CHOICE, "result": MISSING}
    assert refuse(console, "dirk", f"{path}/communications", odd) == said
    send("dirk", "communications", about="customer:T-C0", channel="PHONE", result="REACHED", text="Monday")
    send("quentin", "transitions", to="EXECUTING")
    assert refuse(console, "quentin", f"{path}/halt", {"reason": " "}) == {"reason": MISSING}
    answer = console.read("dirk", f"{path}?item=T-0000")
    assert 'name="scheduled_for"' in answer
    when = {"serial": "T-0000", "to": "SCHEDULED", "scheduled_for": "Monday"}
    assert refuse(console, "dirk", f"{path}/items", when) == {"scheduled_for": NOT_A_TIME}


def test_a_capa(api: Api) -> None:
    pages = Pages(api, Staff(api))
    pages.step("ada", "OPEN", reason="as discussed")
    pages.step("quinn", "INVESTIGATION")
    console = Console(api, {})
    console.sessions["quinn"] = pages.session("quinn")
    path = f"/capa/{pages.code}"
    odd = flatten(CAUSE) | {"problem": "", "c0-category": "WEATHER", "c0-e0-kind": "RUMOUR", "c0-e0-ref": "x"}
    said = {"problem": MISSING, "c0-category": NO_CHOICE, "c0-e0-kind": NO_CHOICE}
    assert refuse(console, "quinn", f"{path}/root-cause", odd) == said
    below = {"c0-e0-kind": "RUMOUR", "c0-e0-ref": "x", "c0-e0-at": "2"}
    assert refuse(console, "quinn", f"{path}/root-cause", flatten(CAUSE) | below) == {"c0-e0-kind": NO_CHOICE}
    nobody = flatten(CAUSE) | {"c0-e0-kind": "DEVICE", "c0-e0-ref": "NOBODY-1"}
    marked = pages.send("quinn", "root-cause", nobody, 422)
    assert find_marks(marked) == {"c0-e0-ref": "There is no record of this code."}
    pages.send("quinn", "root-cause", flatten(CAUSE))
    pages.step("quinn", "ACTION_PLAN")

    action = ACTION | {"text": "", "kind": "OTHER", "owner": "nobody", "due_on": "tomorrow"}
    said = {"text": MISSING, "kind": NO_CHOICE, "owner": NO_CHOICE, "due_on": "Is not a date."}
    assert refuse(console, "quinn", f"{path}/actions", action) == said
    odd = {"metric": "LUCK", "limit_kind": "", "limit": "much", "period_days": "0", "before_days": "", "max_p": "0.5"}
    said = {
        "metric": NO_CHOICE,
        "limit_kind": MISSING,
        "limit": NOT_A_NUMBER,
        "period_days": "Must be at least 1.",
        "before_days": MISSING,
        "delay_days": NOT_WHOLE,
        "max_p": "Must be at most 0.2.",
    }
    assert refuse(console, "quinn", f"{path}/effectiveness", CHECK | odd | {"delay_days": "a week"}) == said
    ratio = CHECK | {"before_days": "30", "delay_days": "0", "max_p": "0.05", "limit_kind": "RATIO", "limit": "2"}
    said = {"limit": "A ratio is at most 1: no more than before."}
    assert refuse(console, "quinn", f"{path}/effectiveness", ratio) == said


def test_accounts_tokens_calendars_and_policies(console: Console) -> None:
    """These have sentences of their own; their readers land in the first field as well."""
    user = {"name": "Capital", "full_name": "", "roles": [], "customer": ""}
    assert list(refuse(console, "root", "/admin/users/new", user)) == ["name", "full_name", "roles"]
    change = {"full_name": "", "roles": ["engineer"], "status": "ASLEEP", "reason": ""}
    assert list(refuse(console, "root", "/admin/users/eva/account", change)) == ["full_name", "status", "reason"]
    reason = {"reason": "Say why; it stands in the audit."}
    assert refuse(console, "root", "/admin/users/eva/password", {"reason": ""}) == reason
    token = {"name": "erp", "role": "POPE", "expires_on": "2020-01-01"}
    assert list(refuse(console, "root", "/admin/tokens/new", token)) == ["role"]
    calendar = {"code": "!", "name": "", "reason": "new"}
    assert list(refuse(console, "mona", "/admin/calendars/new", calendar)) == ["code", "name"]
    policy = {"code": "!", "name": "", "P1_response_h": "soon", "reason": "new"}
    assert "P1_response_h" in refuse(console, "mona", "/admin/sla/new", policy)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"reason": "", "fault": "", "kind": "OTHER"}, {"reason": MISSING, "fault": MISSING, "kind": NO_CHOICE}),
        ({"fault": "TEST-999/valve"}, {"fault": NO_CHOICE}),
        ({"scope_kind": "PLANET"}, {"scope_kind": NO_CHOICE}),
        ({"scope_value": "L1"}, {"scope_value": "Must be empty for the whole model."}),
        ({"scope_kind": "LOT"}, {"scope_value": MISSING}),
        ({"scope_kind": "DEVICE", "scope_value": "NOBODY-1"},
         {"scope_value": "There is no device of this model and serial that you may see."}),
        ({"work_orders": " ".join(f"WO-{n}" for n in range(501))}, {"work_orders": "Too many, at most 500."}),
        ({"work_orders": "WO-1"}, {"work_orders": "Not every one of these codes is that of a work order."}),
    ],
)  # fmt: skip
def test_a_capa_that_is_proposed(console: Console, wrong: dict[str, str], said: dict[str, str]) -> None:
    wish = {"kind": "PREVENTIVE", "fault": "TEST-100/valve", "scope_kind": "MODEL", "scope_value": "", "reason": "seen"}
    assert refuse(console, "quentin", "/capa/proposals", wish | wrong) == said
