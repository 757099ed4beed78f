"""Two people, or a person and a program, at the same field action in the same moment."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from domain.errors import GuardRefusedError
from domain.field_action import FieldActionKind, FieldActionState
from domain.field_action_item import ItemState
from domain.field_action_scope import ScopeQuery
from domain.firmware_record import FirmwareRecordState, FirmwareRequest
from domain.roles import Permission
from store.audit import verify_chain
from store.field_actions import load_field_action
from store.firmware_records import lock_firmware, record_firmware_step
from store.pool import open_connection
from tests.support.databases import Database
from tests.support.field_actions import NEW, Campaigns, open_campaigns
from tests.support.service_world import World, actor
from tests.support.waiting import wait_until

_S = FieldActionState


@pytest.fixture
def campaigns(database: Database) -> Iterator[Campaigns]:
    with open_campaigns(database.url) as found:
        yield found


def run_at_once(campaigns: Campaigns, url: str, *work: Callable[[Campaigns], object]) -> list[object]:
    """What each gave or raised, all begun at the same moment on connections of their own."""
    barrier = threading.Barrier(len(work))
    results: list[object] = [None] * len(work)

    def run(place: int) -> None:
        with open_connection(url, application="test", autocommit=True) as conn:
            world = World(conn, campaigns.world.now, devices=campaigns.world.devices)
            barrier.wait()
            try:
                results[place] = work[place](Campaigns(world, campaigns.people))
            except GuardRefusedError as error:
                results[place] = error.guard

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_device_gets_one_visit_whoever_sends_for_it(campaigns: Campaigns, database: Database) -> None:
    actions = [
        campaigns.start(campaigns.draft(kind, query=ScopeQuery("PUMP"), needs_visit=True))
        for kind in (FieldActionKind.RECALL, FieldActionKind.CORRECTION)
    ]
    when = campaigns.world.now + timedelta(days=1)

    def schedule(code: str) -> Callable[[Campaigns], object]:
        return lambda c: c.step_item("dirk", code, "SN-1", ItemState.SCHEDULED, scheduled_for=when)

    run_at_once(campaigns, database.url, *(schedule(a.code) for a in actions for _ in range(3)))
    assert len(campaigns.world.orders()) == 1
    assert [campaigns.states(a)["SN-1"] for a in actions] == ["SCHEDULED", "SCHEDULED"]
    assert verify_chain(campaigns.world.conn).holds


def test_of_two_campaigns_for_one_device_one_is_approved(campaigns: Campaigns, database: Database) -> None:
    campaigns.release()
    drafts = [campaigns.draft(), campaigns.draft()]
    for draft in drafts:
        campaigns.move("ada", draft.code, _S.APPROVED, signed=True)

    def approve(code: str) -> Callable[[Campaigns], object]:
        return lambda c: c.move("bob", code, _S.APPROVED, signed=True).state

    results = run_at_once(campaigns, database.url, *(approve(draft.code) for draft in drafts))
    assert sorted(map(str, results)) == ["APPROVED", "scope_overlaps"]


def test_the_same_person_signs_once_however_quick(campaigns: Campaigns, database: Database) -> None:
    campaigns.release()
    draft = campaigns.draft()
    twice = [lambda c: c.move("ada", draft.code, _S.APPROVED, signed=True).state for _ in range(4)]
    results = run_at_once(campaigns, database.url, *twice)
    assert sorted(map(str, results)) == ["DRAFT", "second_person", "second_person", "second_person"]


def test_no_device_is_told_of_what_is_being_withdrawn(campaigns: Campaigns, database: Database) -> None:
    campaigns.release()
    action = campaigns.draft()
    campaigns.approve(action.code)
    campaigns.move("quentin", action.code, _S.NOTIFYING)
    for customer in ("C-S1", "C-S2"):
        campaigns.tell(action.code, customer=customer)
    with open_connection(database.url, application="withdrawing") as conn:
        before = lock_firmware(conn, "PUMP", "main", NEW, None)
        results: list[object] = []
        thread = threading.Thread(
            target=lambda: results.extend(
                run_at_once(campaigns, database.url, lambda c: c.move("quentin", action.code, _S.EXECUTING).state)
            )
        )
        thread.start()
        wait_until(lambda: is_waiting(campaigns), what="the step to wait for the withdrawal")
        conn.execute("UPDATE firmware_record SET state = 'WITHDRAWN' WHERE id = %s", (before.id,))
        conn.commit()
        thread.join()
    assert results == ["firmware_not_released"]
    assert campaigns.notices() == {}


def is_waiting(campaigns: Campaigns) -> bool:
    return bool(
        campaigns.world.rows(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )


def test_withdrawing_and_executing_at_once_end_with_a_campaign_that_stands_still(
    campaigns: Campaigns, database: Database
) -> None:
    campaigns.release()
    action = campaigns.start(campaigns.draft())

    def withdraw(c: Campaigns) -> object:
        with c.world.conn.transaction():
            record = lock_firmware(c.world.conn, "PUMP", "main", NEW, None)
            request = FirmwareRequest(FirmwareRecordState.WITHDRAWN, "bricks", c.sign("bob"))
            by = actor("bob", Permission.FIRMWARE_APPROVE, c.people["bob"])
            return record_firmware_step(c.world.conn, by, record, request, now=c.world.now).state

    def report(c: Campaigns) -> None:
        c.report("SN-1")
        c.follow()

    run_at_once(campaigns, database.url, withdraw, report)
    campaigns.follow()
    after = load_field_action(campaigns.world.conn, action.code)
    assert after is not None
    if (
        after.firmware_state == "WITHDRAWN"
    ):  # else the database broke a deadlock, and the withdrawal is to be tried again
        assert after.halt_reason == "firmware_withdrawn"
        assert set(campaigns.notices().values()) == {None}
    assert campaigns.states(action)["SN-1"] == "REMEDIATED"
