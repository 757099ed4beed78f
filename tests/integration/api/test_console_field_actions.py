"""Firmware and field actions on their pages: from the registered version to a campaign that halts and goes on."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.audit import Actor
from domain.field_action_halt import HaltReason
from domain.roles import Role
from store.field_action_halts import record_halt
from store.field_actions import lock_field_action
from store.pool import open_connection
from tests.support.console_pages import Console
from tests.support.http_api import PASSWORD, Api

SIGNED = {"password": PASSWORD, "meaning": "Reviewed and approved"}
IMAGE = {"model": "TEST-100", "component": "main", "version": "2.0.0", "sha256": "cd" * 32, "notes": "fixes the valve"}
VERSION = "/firmware/TEST-100/main/2.0.0"
CAMPAIGN = {
    "title": "Valve sticks",
    "kind": "FIRMWARE",
    "model": "TEST-100",
    "firmware": "TEST-100/main/2.0.0",
    "priority": "P2",
    "visit": "no",
    "waves": "20%; 0; 0\r\n100%; 0; 0",
    "max_attempts": "3",
    "install_attempts": "2",
    "halt_p": "5",
    "instructions": "Keep the device on the mains",
}
PEOPLE = {
    "eva": Role.ENGINEER,
    "quentin": Role.QUALITY_ENGINEER,
    "ada": Role.QUALITY_APPROVER,
    "bob": Role.QUALITY_APPROVER,
    "dirk": Role.DISPATCHER,
    "dora": Role.DATA_STEWARD,
}


# How a campaign is halted by service-link, and some of what people then read in both languages.
MACHINES: list[tuple[HaltReason, dict[str, Any], tuple[tuple[str, ...], tuple[str, ...]]]] = [
    (
        HaltReason.BREACH_RATE,
        {"p": 2.526e-09, "p_valid": 0.01234, "look": 1, "ratio": 46.91, "interval": [6.164, None],
         "control_ratio": None, "events_after": 60, "device_days_after": 12.155, "device_days_before": 0.8426},
        (
            ("p of this look", "< 0.0001", "0.0123", "46.91", "≥ 6.16", "Device-days before", "< 1"),
            ("< 0.0001", "≥ 6.16"),
        ),
    ),
    (
        HaltReason.RELEASE_REGRESSION,
        {"findings": ["rate:tank", "level:temperature"],
         "lines": [
             {"measure": "rate", "subject": "tank", "before": 0.0, "after": 284.4, "q": 5e-7},
             {"measure": "level", "subject": "unheard_of", "before": 1.0, "after": 2.5, "q": 0.004},
         ]},
        (("Breaches per 1,000 device-days: ", "0.00 → 284.40 · q < 0.0001", "Level: unheard_of", "1.00 → 2.50"),
         ("每千设备日异常数", "0.00 → 284.40")),
    ),
]  # fmt: skip


def halt_by_machine(console: Console, path: str, reason: HaltReason, statistics: dict[str, Any]) -> None:
    machine = Actor("service_link", "machine", "")
    url = console.api.settings.database_url
    with open_connection(url, application="test", autocommit=True) as conn, conn.transaction():
        action = lock_field_action(conn, path.rpartition("/")[2])
        record_halt(conn, machine, action, reason, "said by a machine", statistics, now=datetime.now(UTC))


@pytest.fixture
def console(api: Api) -> Console:
    return Console(api, PEOPLE)


def release(console: Console) -> None:
    console.send("eva", "/firmware", "/firmware/records", IMAGE)
    for who in ("ada", "bob"):
        console.send(who, VERSION, f"{VERSION}/transitions", {"to": "APPROVED", **SIGNED})
    console.send("bob", VERSION, f"{VERSION}/transitions", {"to": "RELEASED", **SIGNED})


def test_firmware_is_registered_signed_by_two_released_and_withdrawn(console: Console) -> None:
    assert "No version is registered." in console.read("quentin", "/firmware")
    assert "needs the permission “register firmware” (firmware.write)" in console.read("ada", "/firmware")
    wrong = console.send("eva", "/firmware", "/firmware/records", {**IMAGE, "sha256": "short"}, 422)
    assert "Must be 64 hexadecimal characters." in wrong
    assert 'value="2.0.0"' in wrong
    assert console.send("eva", "/firmware", "/firmware/records", IMAGE) == f"{VERSION}?done=saved"
    taken = console.send("eva", "/firmware", "/firmware/records", IMAGE, 409)
    assert "That version of the component is registered already." in taken
    assert "needs the permission “approve firmware” (firmware.approve)" in console.read("eva", VERSION)
    assert "Approval of a firmware version" in console.read("ada", "/approvals")
    assert "Yours is the first signature." in console.read("ada", VERSION)
    steps = f"{VERSION}/transitions"
    console.send("ada", VERSION, steps, {"to": "APPROVED", **SIGNED})
    assert "You have signed this already" in console.read("ada", VERSION)
    again = console.send("ada", VERSION, steps, {"to": "APPROVED", **SIGNED}, 409)
    assert "You have signed this already" in again
    console.send("bob", VERSION, steps, {"to": "APPROVED", **SIGNED})
    bad = console.send("bob", VERSION, steps, {"to": "RELEASED", "password": "wrong", "meaning": "x"}, 422)
    assert "That is not your password." in bad
    console.send("bob", VERSION, steps, {"to": "RELEASED", **SIGNED})
    assert "0 / 6" in console.read("dirk", "/firmware")
    console.send("ada", VERSION, steps, {"to": "WITHDRAWN", "reason": "burns batteries", **SIGNED})
    assert "Withdrawn: burns batteries" in console.read("dirk", VERSION)
    assert console.read("dora", "/firmware", 403)


def test_a_campaign_from_its_draft_to_a_halt_and_on(console: Console) -> None:
    release(console)
    wrong = console.send("quentin", "/field-actions", "/field-actions/drafts", {**CAMPAIGN, "waves": "20%; 0; 0"}, 422)
    assert "The last wave is 100%: it takes all that are left." in wrong
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CAMPAIGN).partition("?")[0]
    assert "No device is in its scope: freeze one first." in console.read("ada", path)

    def send(who: str, form: str, expected: int = 303, /, **fields: Any) -> str:
        return console.send(who, path, f"{path}/{form}", fields, expected)

    unknown = send("quentin", "scope", 422, serials="T-0000 NOBODY-1")
    assert "No device of the model has these serials: NOBODY-1. Nothing was frozen." in unknown
    send("quentin", "scope", before="2.0.0", with_unknown="yes")
    page = console.read("ada", path)
    assert "SHA-256 over serials and waves" in page
    assert "T-0000" in page
    assert re.search(r"Chance of a halt for nothing</dt>\s*<dd[^>]*>5%<", page), "as the form asks for it"
    assert "Approval of a field action" in console.read("ada", "/approvals")

    send("ada", "transitions", to="APPROVED", **SIGNED)
    send("quentin", "draft", **{**CAMPAIGN, "title": "Valve of the tank sticks"})
    page = console.read("ada", path)
    assert "no longer holds, changed since: title" in page
    for who in ("ada", "bob"):
        send(who, "transitions", to="APPROVED", **SIGNED)
    send("quentin", "transitions", to="NOTIFYING")
    refused = send("quentin", "transitions", 409, to="EXECUTING")
    assert "A customer has had no notice yet: note it below." in refused
    for customer in ("T-C0", "T-C1"):
        told = {"about": f"customer:{customer}", "channel": "PHONE", "result": "REACHED", "contact": "Sister Anna"}
        send("dirk", "communications", **told, text="We shall update it on Monday")
    assert "Sister Anna" in console.read("dirk", path)
    assert "Sister Anna" not in console.read("ada", path)  # she may not see customers' people
    assert "hidden by role" in console.read("ada", path)
    send("quentin", "transitions", to="EXECUTING")

    send("quentin", "halt", reason="a pump stopped")
    page = console.read("ada", path)
    assert "■ It stands still" in page
    assert "A person halted it." in page
    assert "a pump stopped" in page
    assert "It is halted: let it go on, or cancel it." in console.read("quentin", path)
    assert "Nobody approves what he wrote himself." not in page
    send("ada", "resumption", reason="it was unplugged", **SIGNED)
    send("quentin", "waves")
    assert "2 / 2" in console.read("dirk", "/field-actions")

    for reason, statistics, said in MACHINES:
        halt_by_machine(console, path, reason, statistics)
        for language, sentences in zip(("en", "zh"), said, strict=True):
            page = console.read("ada", path, language=language)
            for sentence in sentences:
                assert sentence in page, sentence
            assert "2.526e-09" not in page
            assert "said by a machine" not in page
        send("ada", "resumption", reason="looked into", **SIGNED)

    item = f"{path}?item=T-0001"
    page = console.read("dirk", item)
    assert "The device has not reported that it runs the version." in page
    assert "More attempts to reach who has it must fail first." in page
    stale = {"serial": "T-0001", "to": "SCHEDULED", "row_version": "0", "scheduled_for": "2030-01-01T10:00"}
    assert "Your text is kept" in send("dirk", "items", 412, **stale)
    assert "2 field actions" not in console.read("dirk", "/field-actions?state=CLOSED")
    assert "1 field action in all." in console.read("dirk", "/field-actions?state=CLOSED")
    assert "已启动" in console.read("dirk", path, language="zh")


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("20%; 0; 100", "Too few devices of the open wave are done."),
        ("20%; 24; 0", "The open wave has not stood long enough."),
        ("20%; 0; 0", None),
    ],
)
def test_a_wave_that_may_not_open_yet_says_why_before_anybody_tries(
    console: Console, first: str, said: str | None
) -> None:
    release(console)
    draft = {**CAMPAIGN, "waves": f"{first}\n100%; 0; 0"}
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", draft).partition("?")[0]

    def send(who: str, form: str, **fields: Any) -> None:
        console.send(who, path, f"{path}/{form}", fields, 303)

    send("quentin", "scope", before="2.0.0", with_unknown="yes")
    for who in ("ada", "bob"):
        send(who, "transitions", to="APPROVED", **SIGNED)
    send("quentin", "transitions", to="NOTIFYING")
    for customer in ("T-C0", "T-C1"):
        send("dirk", "communications", about=f"customer:{customer}", channel="PHONE", result="REACHED", text="Monday")
    send("quentin", "transitions", to="EXECUTING")
    page = console.read("quentin", path)
    shown = re.search(r'id="why-fa_wave">([^<]*)<', page)
    assert (shown and shown[1], 'id="act-fa_wave"' in page) == (said, said is None)


def test_a_scope_is_looked_at_before_it_is_frozen(console: Console) -> None:
    plan = {"waves": "T-0001; 48; 100\n50%; 24; 90\n100%; 0; 0", "max_attempts": "5", "halt_p": "1"}
    draft = {**CAMPAIGN, "kind": "CORRECTION", "not_before": "2030-01-01T10:00", "region": "EU", **plan}
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", draft).partition("?")[0]
    page = console.read("quentin", path)
    for kept in ("T-0001; 48; 100", "50%; 24; 90", 'value="2030-01-01T10:00"', 'value="5"', 'value="EU"'):
        assert kept in page, kept
    console.send("quentin", path, f"{path}/draft", {**draft, "not_before": "2030-01-01T10:00:45"})
    page = console.read("quentin", path)
    assert 'value="2030-01-01T10:00:45"' in page
    assert "2030-01-01 10:00:45 UTC" in page
    fields = {"serials": "T-0001 T-0002 NOBODY-1", "customers": "T-C0"}
    look = f"{path}/scope-preview"
    page = console.send("quentin", path, look, fields, 200)
    assert "Nothing was frozen" in page
    assert 'value="2030-01-01T10:00:45"' in page
    assert "This scope finds " in page
    assert "1 serial is of no device of the model: NOBODY-1" in page
    assert "T-0001 T-0002 NOBODY-1</textarea>" in page
    assert "<dt>Serials</dt><dd >4</dd>" in page  # two of six are named
    assert "No device is in its scope: freeze one first." in console.read("ada", path)
    odd = console.send("quentin", path, look, {"since": "newest"}, 422)
    assert "Is no version that has an order" in odd
    assert console.send("ada", path, look, fields, 403)

    wrong = {**draft, "waves": "everybody; soon", "max_attempts": "0", "halt_p": "50", "not_before": "some day"}
    refused = console.send("quentin", path, f"{path}/draft", wrong, 422)
    assert refused.count("Is not a time.") == 1
    assert "Line 1 cannot be read: who; hours; per cent, as 5%; 24; 95." in refused
    assert "A whole number, 1 to 20." in refused
    assert "A number above 0 and at most 20." in refused
    console.send("quentin", path, f"{path}/draft", {**draft, "waves": "100%; 0; 0", "records": "simulated"})
    assert "100%; 0; 0</textarea>" in console.read("quentin", path)
    console.send("quentin", path, f"{path}/scope", {"serials": "T-0001"}, 422)
    console.send("quentin", path, f"{path}/draft", {**draft, "records": "real"})
    console.send("quentin", path, f"{path}/scope", {"serials": "T-0001"})
    for who in ("ada", "bob"):
        console.send(who, path, f"{path}/transitions", {"to": "APPROVED", **SIGNED})
    assert console.send("quentin", path, look, fields, 404)


def test_a_firmware_draft_is_changed_until_it_is_approved(console: Console) -> None:
    console.send("eva", "/firmware", "/firmware/records", {**IMAGE, "size_bytes": "4096"})
    assert "4,096 bytes" in console.read("eva", VERSION)
    change = {"sha256": "ef" * 32, "url": "https://images.example/2.0.0", "size_bytes": "8192", "notes": "fixes it"}
    wrong = console.send("eva", VERSION, f"{VERSION}/record", {**change, "size_bytes": "-1", "url": "ftp:x"}, 422)
    assert "Must be above 0." in wrong
    assert "Must begin with https:// or http://, without blanks." in wrong
    console.send("ada", VERSION, f"{VERSION}/transitions", {"to": "APPROVED", **SIGNED})
    console.send("eva", VERSION, f"{VERSION}/record", change)
    page = console.read("ada", VERSION)
    for shown in (
        "ef" * 32,
        "8,192 bytes",
        "https://images.example/2.0.0",
        "fixes it",
        "no longer holds, changed since",
    ):
        assert shown in page, shown
    assert "needs the permission “register firmware” (firmware.write)" in page
    assert "Your text is kept" in console.send("eva", VERSION, f"{VERSION}/record", {**change, "row_version": "0"}, 412)
    for who in ("ada", "bob"):
        console.send(who, VERSION, f"{VERSION}/transitions", {"to": "APPROVED", **SIGNED})
    assert f'action="{VERSION}/record"' not in console.read("eva", VERSION)
    late = console.send("eva", VERSION, f"{VERSION}/record", {**change, "notes": "late"}, 409)
    assert "draft" in late


def test_an_account_of_one_customer_sees_its_own_devices_of_an_action_alone(api: Api, console: Console) -> None:
    release(console)
    path = console.send("quentin", "/field-actions", "/field-actions/drafts", CAMPAIGN).partition("?")[0]
    console.send("quentin", path, f"{path}/scope", {"before": "2.0.0"})
    own = Console(api, {"otto": Role.TECHNICIAN}, customer="T-C0")
    assert own.read("otto", path, 404)  # a draft is nobody's but ours
    for who in ("ada", "bob"):
        console.send(who, path, f"{path}/transitions", {"to": "APPROVED", **SIGNED})
    console.send("quentin", path, f"{path}/transitions", {"to": "NOTIFYING"})
    page = own.read("otto", path)
    assert ("T-0000" in page, "T-0001" in page) == (True, False)
    assert "SHA-256 over serials" not in page
    assert "quentin" not in page
