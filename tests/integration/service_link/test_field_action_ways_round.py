"""Ways round what guards a field action: an approver who becomes an author, a scope that means something else, two
campaigns that share a device's one notice, and halts that are forgotten."""

from collections.abc import Iterator

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.errors import GuardRefusedError
from domain.field_action import FieldActionKind, FieldActionState
from domain.field_action_halt import HaltReason
from domain.field_action_scope import ScopeQuery
from domain.firmware_record import FirmwareRecordState
from domain.firmware_version import VersionRange
from domain.roles import Permission
from store.field_action_drafts import (
    FieldActionDraft,
    change_draft,
)
from store.field_action_halts import record_halt
from store.field_actions import lock_field_action
from store.firmware_records import change_firmware, lock_firmware, register_firmware
from tests.support.databases import Database
from tests.support.field_actions import NEW, SHA256, Campaigns, open_campaigns
from tests.support.service_world import actor

_S = FieldActionState
TITLE, INSTRUCTIONS = "Pump stops", "Update it"


@pytest.fixture
def campaigns(database: Database) -> Iterator[Campaigns]:
    with open_campaigns(database.url) as found:
        yield found


def refused(error: pytest.ExceptionInfo[GuardRefusedError]) -> str:
    return str(error.value.guard)


def rewrite(campaigns: Campaigns, who: str, code: str, component: str = "main") -> None:
    """The draft as it was, but for its component, written by `who`."""
    kind = FieldActionKind.FIRMWARE
    draft = FieldActionDraft(kind, TITLE, "PUMP", instructions=INSTRUCTIONS, component=component, firmware_version=NEW)
    with campaigns.world.conn.transaction():
        by = actor(who, Permission.FIELD_ACTION_WRITE, campaigns.people[who])
        change_draft(
            campaigns.world.conn,
            by,
            lock_field_action(campaigns.world.conn, code),
            draft,
            now=campaigns.world.now,
        )


def test_the_signature_of_who_became_an_author_approves_nothing(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    campaigns.move("ada", action.code, _S.APPROVED, signed=True)
    rewrite(campaigns, "ada", action.code)  # says the same again, and Ada wrote it
    campaigns.move("bob", action.code, _S.APPROVED, signed=True)
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("quentin", action.code, _S.NOTIFYING)
    assert refused(error) == "no_such_transition"  # it is a draft still: one approval holds
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("ada", action.code, _S.APPROVED, signed=True)
    assert refused(error) == "own_work"


def test_the_signature_of_who_became_an_author_of_firmware_approves_nothing(campaigns: Campaigns) -> None:
    conn, now = campaigns.world.conn, campaigns.world.now
    eva = actor("eva", Permission.FIRMWARE_WRITE, campaigns.people["eva"])
    with conn.transaction():
        register_firmware(conn, eva, model="PUMP", component="main", version=NEW, sha256=SHA256, now=now)
    campaigns.step_firmware("ada", NEW, FirmwareRecordState.APPROVED)
    ada = actor("ada", Permission.FIRMWARE_WRITE, campaigns.people["ada"])
    for notes in ("another", ""):
        with conn.transaction():
            change_firmware(conn, ada, lock_firmware(conn, "PUMP", "main", NEW, None), {"notes": notes}, now=now)
    assert campaigns.step_firmware("bob", NEW, FirmwareRecordState.APPROVED).state is FirmwareRecordState.DRAFT


def test_a_draft_for_another_component_has_no_scope_yet(campaigns: Campaigns) -> None:
    campaigns.release()
    campaigns.release(component="radio")
    action = campaigns.draft()
    assert action.item_count == 4  # by the firmware of the main component
    rewrite(campaigns, "quentin", action.code, component="radio")
    with campaigns.world.conn.transaction():
        changed = lock_field_action(campaigns.world.conn, action.code)
    assert (changed.component, changed.item_count, changed.scope_sha256) == ("radio", 0, "")


def test_a_device_keeps_one_notice_and_so_is_in_one_campaign_at_a_time(campaigns: Campaigns) -> None:
    campaigns.release()
    campaigns.release("7.0", component="radio")
    first = campaigns.start(campaigns.draft())
    second = campaigns.draft(component="radio", firmware_version="7.0", query=ScopeQuery("PUMP"))
    with pytest.raises(GuardRefusedError) as error:
        campaigns.approve(second.code)
    assert refused(error) == "scope_overlaps"
    assert {(n or {}).get("action") for n in campaigns.notices().values()} == {first.code}


def test_a_campaign_is_not_taken_up_again_where_another_has_its_devices(campaigns: Campaigns) -> None:
    campaigns.release()
    first = campaigns.start(campaigns.draft(query=ScopeQuery("PUMP", serials=("SN-1",))))
    campaigns.report("SN-1")
    campaigns.follow()
    campaigns.move("quentin", first.code, _S.EFFECTIVENESS)
    campaigns.release("2.5.0")
    second = campaigns.draft(firmware_version="2.5.0", query=ScopeQuery("PUMP", serials=("SN-1",)))
    campaigns.start(second)
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("quentin", first.code, _S.EXECUTING, "it came back")
    assert refused(error) == "scope_overlaps"


def test_a_persons_halt_and_resumption_forget_nothing_of_what_was_upgraded(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft())
    conn, world = campaigns.world.conn, campaigns.world
    conn.execute("UPDATE field_action SET looks = 3, next_look_hours = 96 WHERE id = %s", (action.id,))
    world.pass_time(hours=5)
    with conn.transaction():
        by = actor("quentin", Permission.FIELD_ACTION_WRITE, campaigns.people["quentin"])
        halted = lock_field_action(conn, action.code)
        record_halt(conn, by, halted, HaltReason.PERSON, "a call came in", None, now=world.now)
    resumed = campaigns.resume("ada", action.code)
    assert (resumed.watched_from, resumed.looks, resumed.next_look_hours) == (action.watched_from, 3, 96)


def test_what_stands_still_does_not_begin(campaigns: Campaigns) -> None:
    campaigns.release()
    action = campaigns.draft()
    campaigns.approve(action.code)
    campaigns.move("quentin", action.code, _S.NOTIFYING)
    conn = campaigns.world.conn
    with conn.transaction():
        by = actor("quentin", Permission.FIELD_ACTION_WRITE, campaigns.people["quentin"])
        held = lock_field_action(conn, action.code)
        record_halt(conn, by, held, HaltReason.PERSON, "wait for the lawyers", None, now=campaigns.world.now)
    for customer in ("S1", "S2"):
        (row,) = campaigns.world.rows(
            "SELECT DISTINCT customer_code FROM field_action_place WHERE serial = %s", f"SN-{customer[1]}"
        )
        campaigns.tell(action.code, customer=row["customer_code"])
    with pytest.raises(GuardRefusedError) as error:
        campaigns.move("quentin", action.code, _S.EXECUTING)
    assert refused(error) == "halted"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE field_action SET state = 'DRAFT' WHERE id = %(id)s",
        "UPDATE field_action SET state = 'DRAFT', title = 'Another' WHERE id = %(id)s",
        "UPDATE field_action SET created_by = 'nobody' WHERE id = %(id)s",
        "UPDATE firmware_record SET state = 'DRAFT'",
        "UPDATE firmware_record SET created_by = 'nobody'",
    ],
)
def test_the_application_makes_nothing_that_was_approved_a_draft_again(campaigns: Campaigns, sql: str) -> None:
    campaigns.release()
    action = campaigns.draft(query=ScopeQuery("PUMP", firmware=VersionRange(before=NEW)))
    campaigns.approve(action.code)
    conn = campaigns.world.conn
    with pytest.raises(InsufficientPrivilege):
        conn.execute(sql.encode(), {"id": action.id})
