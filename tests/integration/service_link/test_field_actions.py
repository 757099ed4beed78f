"""Field actions on a real database: frozen scopes, two signatures, waves, and items that follow what devices say."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.errors import GuardRefusedError, NotFoundError
from domain.field_action import FieldActionKind, FieldActionState
from domain.field_action_item import ItemState
from domain.field_action_scope import ScopeQuery, Wave
from domain.firmware_record import FirmwareRecordState
from domain.firmware_version import VersionRange
from domain.report import FirmwareState
from domain.roles import Permission
from store.audit import load_audit_events, verify_chain
from store.field_action_communications import ContactResult, load_communications
from store.field_action_drafts import (
    FieldActionDraft,
    change_draft,
)
from store.field_action_progress import load_progress
from store.field_action_scope import load_scope_drift, load_scope_preview
from store.field_actions import (
    load_approvers,
    load_field_action,
    lock_field_action,
)
from tests.support.databases import Database
from tests.support.field_actions import NEW, OLD, SHA256, Campaigns, open_campaigns
from tests.support.service_world import actor

_S = FieldActionState
_I = ItemState


@pytest.fixture
def campaigns(database: Database) -> Iterator[Campaigns]:
    with open_campaigns(database.url) as found:
        yield found


def refused(error: pytest.ExceptionInfo[GuardRefusedError]) -> str:
    return str(error.value.guard)


def test_a_campaign_from_draft_to_close_rests_on_what_devices_report(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    assert (action.code, action.item_count, action.state) == ("FA-2026-0001", 4, _S.DRAFT)
    action = campaigns.start(action)
    assert set(campaigns.states(action).values()) == {"NOTIFIED"}
    payload = {"action": action.code, "component": "main", "version": NEW, "sha256": SHA256}
    assert campaigns.notices() == dict.fromkeys(("SN-1", "SN-2", "SN-3", "SN-4"), payload)
    for serial in ("SN-1", "SN-2", "SN-3"):
        campaigns.report(serial, state=FirmwareState.DOWNLOADING)
    campaigns.report("SN-1")
    campaigns.follow()
    assert campaigns.states(action) == {
        "SN-1": "REMEDIATED",
        "SN-2": "NOTIFIED",
        "SN-3": "NOTIFIED",
        "SN-4": "NOTIFIED",
    }
    assert campaigns.notices()["SN-1"] is None
    with pytest.raises(GuardRefusedError) as error:
        campaigns.step_item("mia", action.code, "SN-2", _I.REMEDIATED, evidence="I saw it")
    assert refused(error) == "device_has_not_reported"
    for serial in ("SN-2", "SN-3", "SN-4"):
        campaigns.report(serial)
    campaigns.follow()
    campaigns.follow()  # a round that finds nothing new writes nothing
    for serial in ("SN-1", "SN-2", "SN-3", "SN-4"):
        campaigns.step_item("mia", action.code, serial, _I.VERIFIED, evidence="runs at rate")
    campaigns.move("quentin", action.code, _S.EFFECTIVENESS)
    campaigns.tell(action.code, ContactResult.NO_ANSWER, customer="C-S1")
    assert campaigns.states(action)["SN-1"] == "VERIFIED"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("ada", action.code, _S.CLOSED, signed=True)
    assert refused(error) == "effectiveness_missing"
    campaigns.follow()
    closed = campaigns.move("ada", action.code, _S.CLOSED, signed=True)
    assert closed.effectiveness is not None
    assert (closed.effectiveness["verified_share"], closed.effectiveness["unreachable"]) == (1.0, 0)
    events = [r["type"] for r in campaigns.world.rows("SELECT type FROM outbox WHERE entity LIKE 'field%' ORDER BY id")]
    assert events.count("fieldaction.item.changed") == 12  # each told, installed, verified
    assert events.count("firmware.notice") == 8
    assert verify_chain(campaigns.world.conn).holds


def test_two_people_sign_what_neither_wrote_and_a_changed_draft_takes_two_again(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    first = campaigns.move("ada", action.code, _S.APPROVED, signed=True)
    assert first.state is _S.DRAFT
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("ada", action.code, _S.APPROVED, signed=True)
    assert refused(error) == "second_person"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("quentin", action.code, _S.APPROVED, signed=True)
    assert refused(error) == "own_work"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("bob", action.code, _S.APPROVED)
    assert refused(error) == "signature_missing"
    conn = campaigns.world.conn
    with conn.transaction():
        draft = FieldActionDraft(FieldActionKind.FIRMWARE, "Pump stops", "PUMP", firmware_version=NEW, needs_visit=True)
        author = actor("quentin", Permission.FIELD_ACTION_WRITE, campaigns.people["quentin"])
        changed = change_draft(conn, author, lock_field_action(conn, action.code), draft, now=campaigns.world.now)
    assert changed.item_count == 4
    assert load_approvers(conn, changed) == []
    assert campaigns.move("bob", action.code, _S.APPROVED, signed=True).state is _S.DRAFT
    assert campaigns.move("ada", action.code, _S.APPROVED, signed=True).state is _S.APPROVED


def test_other_waves_need_another_scope(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    conn = campaigns.world.conn
    with conn.transaction():
        waves = (Wave(share=0.5), Wave())
        draft = FieldActionDraft(FieldActionKind.FIRMWARE, "Pump stops", "PUMP", firmware_version=NEW, waves=waves)
        author = actor("quentin", Permission.FIELD_ACTION_WRITE, campaigns.people["quentin"])
        changed = change_draft(conn, author, lock_field_action(conn, action.code), draft, now=campaigns.world.now)
    assert (changed.item_count, changed.scope_sha256, campaigns.states(action)) == (0, "", {})
    with pytest.raises(GuardRefusedError) as error:
        campaigns.approve(action.code)
    assert refused(error) == "scope_empty"


def test_what_was_approved_is_changed_by_nobody(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    campaigns.approve(action.code)
    campaigns.world.add_device("SN-LATER", firmware=OLD)
    conn = campaigns.world.conn
    for statement in (
        "UPDATE field_action SET title = 'other'",
        "UPDATE field_action SET scope_sha256 = 'other'",
        "DELETE FROM field_action_item WHERE wave = 1",
        "INSERT INTO field_action_item (field_action_id, device_id, wave, state_since)"
        " SELECT a.id, d.id, 1, now() FROM field_action a CROSS JOIN device d WHERE d.serial = 'SN-LATER'",
        "UPDATE firmware_record SET sha256 = repeat('0', 64)",
        "UPDATE field_action_item SET device_id = device_id + 1",
        "DELETE FROM field_action",
        "UPDATE field_action_communication SET text = 'other'",
    ):
        with pytest.raises(InsufficientPrivilege):
            conn.execute(statement.encode())
    assert sorted(campaigns.states(action)) == ["SN-1", "SN-2", "SN-3", "SN-4"]


def test_a_roll_back_undoes_what_was_installed(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft())
    campaigns.report("SN-1")
    campaigns.follow()
    campaigns.step_item("mia", action.code, "SN-1", _I.VERIFIED, evidence="runs")
    campaigns.world.pass_time(minutes=10)
    campaigns.report("SN-1", state=FirmwareState.FAILED, previous=OLD, error="watchdog")
    campaigns.follow()
    item = campaigns.item(action, "SN-1")
    assert (item.state, item.install_failures, item.remediated_at, item.verified_at) == (_I.NOTIFIED, 1, None, None)
    assert campaigns.notices()["SN-1"] is not None
    trail = load_communications(campaigns.world.conn, action.id, serial="SN-1")
    assert (trail[0].channel, trail[0].result) == ("DEVICE", "FAILED")
    assert "watchdog" in trail[0].text


def test_the_master_data_alone_install_nothing(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft())
    campaigns.world.conn.execute("UPDATE device SET firmware = %s, registered_firmware = %s", (NEW, NEW))
    campaigns.follow()
    assert set(campaigns.states(action).values()) == {"NOTIFIED"}
    campaigns.report("SN-1", "2.4.0+other-build")  # equal in order, and another image
    campaigns.follow()
    assert campaigns.states(action)["SN-1"] == "NOTIFIED"


def test_another_component_is_a_campaign_of_its_own(campaigns: Campaigns) -> None:
    for serial, version in (("SN-1", "1.9"), ("SN-2", "1.10"), ("SN-3", "2.0")):
        campaigns.report(serial, version, component="radio")
    campaigns.release("2.0", component="radio")
    query = ScopeQuery("PUMP", firmware=VersionRange(since="1.10", before="2.0"), with_unknown_firmware=False)
    action = campaigns.start(campaigns.draft(component="radio", firmware_version="2.0", query=query))
    assert campaigns.states(action) == {"SN-2": "NOTIFIED"}
    campaigns.report("SN-2", "2.0")  # the main component, which nobody asked for
    campaigns.follow()
    assert campaigns.states(action) == {"SN-2": "NOTIFIED"}
    campaigns.world.pass_time(minutes=1)
    campaigns.report("SN-2", "2.0", component="radio")
    campaigns.follow()
    assert campaigns.states(action) == {"SN-2": "REMEDIATED"}


def test_simulated_devices_have_actions_of_their_own_and_none_of_it_leaves(campaigns: Campaigns) -> None:
    campaigns.world.add_device("SIM-1", campaigns.world.add_site("S9"), firmware=OLD, is_simulated=True)
    campaigns.release()
    real = campaigns.draft()
    assert "SIM-1" not in campaigns.states(real)
    scope = ScopeQuery("PUMP", firmware=VersionRange(before=NEW), is_simulated=True)
    action = campaigns.start(campaigns.draft(is_simulated=True, query=scope))
    campaigns.report("SIM-1")
    campaigns.follow()
    assert campaigns.states(action) == {"SIM-1": "REMEDIATED"}
    left = campaigns.world.rows("SELECT type, is_simulated FROM outbox WHERE subject = 'SIM-1'")
    assert {r["type"] for r in left} == {"fieldaction.item.changed", "firmware.notice"}
    assert all(r["is_simulated"] for r in left)


def test_a_device_at_which_it_fails_again_is_told_no_more_and_visited(campaigns: Campaigns) -> None:
    campaigns.release()
    campaigns.start(campaigns.draft(install_attempts=2))
    for _ in range(2):
        campaigns.world.pass_time(minutes=5)
        campaigns.report("SN-1", state=FirmwareState.FAILED, error="no space")
        campaigns.follow()
    assert campaigns.notices()["SN-1"] is None
    (order,) = campaigns.world.orders()
    assert (order["type"], order["device_id"]) == ("FIRMWARE", campaigns.world.devices["SN-1"])
    campaigns.follow()
    assert len(campaigns.world.orders()) == 1


def test_a_device_that_is_put_back_again_and_again_is_not_fought_with(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft(install_attempts=2))
    for _ in range(2):
        assert campaigns.notices()["SN-1"] is not None
        for version in (NEW, OLD):
            campaigns.world.pass_time(minutes=5)
            campaigns.report("SN-1", version)
            campaigns.follow()
    item = campaigns.item(action, "SN-1")
    assert (item.state, item.install_failures) == (_I.NOTIFIED, 2)
    assert campaigns.notices()["SN-1"] is None
    assert [order["type"] for order in campaigns.world.orders()] == ["FIRMWARE"]


def test_waves_open_one_after_the_other_and_only_when_the_last_one_stood(campaigns: Campaigns) -> None:
    campaigns.release()
    plan = (Wave(serials=("SN-2",), soak_h=24.0, done_share=1.0), Wave())
    action = campaigns.start(campaigns.draft(waves=plan))
    assert [serial for serial, wanted in campaigns.notices().items() if wanted] == ["SN-2"]
    with pytest.raises(GuardRefusedError) as error:
        campaigns.open_wave(action.code)
    assert refused(error) == "wave_not_done"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.step_item("mia", action.code, "SN-1", _I.SCHEDULED, scheduled_for=campaigns.world.now)
    assert refused(error) == "wave_not_open"
    campaigns.report("SN-2")
    campaigns.follow()
    with pytest.raises(GuardRefusedError) as error:
        campaigns.open_wave(action.code)
    assert refused(error) == "wave_soaking"
    campaigns.world.pass_time(hours=24)
    campaigns.open_wave(action.code)
    assert [s for s, wanted in campaigns.notices().items() if wanted] == ["SN-1", "SN-3", "SN-4"]
    with pytest.raises(GuardRefusedError) as error:
        campaigns.open_wave(action.code)
    assert refused(error) == "last_wave"


def test_after_enough_failed_attempts_a_device_is_unreachable_until_somebody_answers(campaigns: Campaigns) -> None:
    action = campaigns.draft(FieldActionKind.RECALL, query=ScopeQuery("PUMP"), max_attempts=2)
    campaigns.approve(action.code)
    campaigns.move("quentin", action.code, _S.NOTIFYING)
    with pytest.raises(GuardRefusedError) as error:
        campaigns.step_item("dirk", action.code, "SN-1", _I.UNREACHABLE)
    assert refused(error) == "attempts_missing"
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("quentin", action.code, _S.EXECUTING)
    assert refused(error) == "customers_not_notified"
    campaigns.tell(action.code, ContactResult.NO_ANSWER, customer="C-S1")
    assert campaigns.states(action)["SN-1"] == "IDENTIFIED"
    campaigns.tell(action.code, ContactResult.UNDELIVERABLE, customer="C-S1")
    assert campaigns.states(action) == {
        "SN-1": "UNREACHABLE",
        "SN-2": "IDENTIFIED",
        "SN-3": "UNREACHABLE",
        "SN-4": "IDENTIFIED",
    }
    campaigns.tell(action.code, ContactResult.ACKNOWLEDGED, serial="SN-1", contact="Dr. Who", text="called back")
    assert campaigns.states(action)["SN-1"] == "ACKNOWLEDGED"
    assert campaigns.item(action, "SN-1").attempts == 0
    with pytest.raises(NotFoundError):
        campaigns.tell(action.code, customer="C-S9")
    said = campaigns.world.rows("SELECT body::text AS body FROM outbox")
    told = [str((e.before, e.after, e.reason)) for e in load_audit_events(campaigns.world.conn)]
    assert not any("Dr. Who" in text for text in [*told, *(r["body"] for r in said)])


def test_a_visit_has_one_order_and_the_item_follows_it(campaigns: Campaigns) -> None:
    first = campaigns.start(campaigns.draft(FieldActionKind.RECALL, query=ScopeQuery("PUMP"), needs_visit=True))
    when = campaigns.world.now + timedelta(days=3)
    item = campaigns.step_item("dirk", first.code, "SN-1", _I.SCHEDULED, scheduled_for=when)
    second = campaigns.start(
        campaigns.draft(FieldActionKind.CORRECTION, query=ScopeQuery("PUMP", serials=("SN-1",)), needs_visit=True)
    )
    joined = campaigns.step_item("dirk", second.code, "SN-1", _I.SCHEDULED, scheduled_for=when)
    (order,) = campaigns.world.orders()
    assert (order["type"], order["code"]) == ("RECALL", item.work_order_code)
    assert joined.work_order_id == item.work_order_id
    with pytest.raises(GuardRefusedError) as error:
        campaigns.step_item("dirk", first.code, "SN-1", _I.REMEDIATED, evidence="on the phone")
    assert refused(error) == "visit_not_done"
    conn = campaigns.world.conn
    for state, expected in (("WORK_DONE", "REMEDIATED"), ("IN_PROGRESS", "SCHEDULED"), ("VERIFIED", "REMEDIATED")):
        conn.execute("UPDATE work_order SET state = %s, resolved_at = %s", (state, campaigns.world.now))
        campaigns.follow()
        assert campaigns.states(first)["SN-1"] == campaigns.states(second)["SN-1"] == expected
    campaigns.follow()
    assert campaigns.states(first)["SN-1"] == "VERIFIED"


def test_a_cancelled_visit_is_planned_anew(campaigns: Campaigns) -> None:
    action = campaigns.start(campaigns.draft(FieldActionKind.RECALL, query=ScopeQuery("PUMP"), needs_visit=True))
    when = campaigns.world.now + timedelta(days=3)
    campaigns.step_item("dirk", action.code, "SN-1", _I.SCHEDULED, scheduled_for=when)
    campaigns.world.conn.execute("UPDATE work_order SET state = 'CANCELLED', cancel_reason = 'closed ward'")
    campaigns.follow()
    assert campaigns.states(action)["SN-1"] == "ACKNOWLEDGED"
    campaigns.step_item("dirk", action.code, "SN-1", _I.SCHEDULED, scheduled_for=when)
    assert len(campaigns.world.orders()) == 2


def test_a_scope_is_previewed_frozen_and_says_what_came_later(campaigns: Campaigns) -> None:
    world = campaigns.world
    world.conn.execute("UPDATE device SET firmware = 'R12' WHERE serial = 'SN-4'")
    world.conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED' WHERE serial = 'SN-3'")
    query = ScopeQuery(
        "PUMP", firmware=VersionRange(since="2.0", before="2.10"), serials=("SN-1", "SN-3", "SN-4", "SN-9")
    )
    preview = load_scope_preview(world.conn, query)
    assert (preview.devices, preview.decommissioned, preview.unknown_firmware) == (2, 1, {"R12": 1})
    assert (preview.by_customer, preview.unknown_serials) == ({"C-S1": 1, "C-S2": 1}, ["SN-9"])
    strict = ScopeQuery("PUMP", firmware=query.firmware, with_unknown_firmware=False)
    assert load_scope_preview(world.conn, strict).devices == 2
    action = campaigns.draft(FieldActionKind.RECALL, query=strict)
    again = campaigns.draft(FieldActionKind.RECALL, query=strict)
    assert sorted(campaigns.states(action)) == ["SN-1", "SN-2"]
    assert len(action.scope_sha256) == 64
    assert again.scope_sha256 == action.scope_sha256
    world.add_device("SN-NEW", firmware="2.9.9")
    assert sorted(campaigns.states(action)) == ["SN-1", "SN-2"]
    drift = load_scope_drift(world.conn, action)
    assert (drift.added, drift.removed, drift.sample) == (1, 0, ["SN-NEW"])


def test_one_device_is_in_one_campaign_at_a_time(campaigns: Campaigns) -> None:
    campaigns.release()
    first, second = campaigns.draft(), campaigns.draft()
    campaigns.approve(first.code)
    with pytest.raises(GuardRefusedError) as error:
        campaigns.approve(second.code)
    assert refused(error) == "scope_overlaps"
    campaigns.move("ada", first.code, _S.CANCELLED, "the other one is better", signed=True)
    assert campaigns.approve(second.code).state is _S.APPROVED


def test_progress_adds_up_by_region_customer_and_wave(campaigns: Campaigns) -> None:
    campaigns.world.conn.execute("UPDATE device SET region = CASE WHEN serial = 'SN-1' THEN 'EU' ELSE 'CN' END")
    campaigns.release()
    action = campaigns.start(campaigns.draft(waves=(Wave(serials=("SN-4",)), Wave())))
    campaigns.report("SN-4")
    campaigns.report("SN-1")
    campaigns.follow()
    found = {
        by: {p.key: (p.devices, p.remediated, p.notified) for p in load_progress(campaigns.world.conn, action.id, by)}
        for by in ("all", "region", "customer", "wave")
    }
    assert found == {
        "all": {"": (4, 2, 2)},
        "region": {"CN": (3, 1, 2), "EU": (1, 1, 0)},
        "customer": {"C-S1": (2, 1, 1), "C-S2": (2, 1, 1)},
        "wave": {"1": (1, 1, 0), "2": (3, 1, 2)},
    }


def test_withdrawn_firmware_halts_its_campaign_for_good(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft())
    campaigns.step_firmware("bob", NEW, FirmwareRecordState.WITHDRAWN, "bricks devices")
    halted = load_field_action(campaigns.world.conn, action.code)
    assert halted is not None
    assert (halted.state, halted.halt_reason) == (_S.EXECUTING, "firmware_withdrawn")
    assert set(campaigns.notices().values()) == {None}
    with pytest.raises(GuardRefusedError) as error:
        campaigns.resume("ada", action.code)
    assert refused(error) == "firmware_not_released"
