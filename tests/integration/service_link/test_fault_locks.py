"""Who opens an order of a fault's key is alone with it: people, the machine, and what went up in another order."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from domain.breach import Severity
from domain.device_lifecycle import Lifecycle, LifecycleGuard
from domain.errors import GuardRefusedError
from domain.roles import Permission
from domain.tickets import DecisionKind, Priority, TicketReason
from domain.work_order import (
    Outcome,
    WorkOrder,
    WorkOrderState,
    WorkOrderType,
)
from domain.work_order_steps import TransitionRequest
from service_link.queue import TriageQueue
from store.audit import verify_chain
from store.device_lifecycle import record_lifecycle
from store.manual_orders import ReportResult, open_manual_order, report_fault
from store.pool import Connection, open_connection
from store.work_order_merges import merge_work_orders
from store.work_order_transitions import record_transition
from tests.support.databases import Database
from tests.support.service_world import actor
from tests.support.staff import Staff, open_staff

_S = WorkOrderState
FIRST, SECOND, THIRD = "WO-2026-000001", "WO-2026-000002", "WO-2026-000003"


@pytest.fixture
def staff(database: Database) -> Iterator[Staff]:
    with open_staff(database.url) as found:
        yield found


def report(staff: Staff, conn: Connection, group: str = "motor_wear") -> tuple[WorkOrder, ReportResult]:
    return report_fault(
        conn,
        actor("mia", Permission.WORK_ORDER_CREATE, staff.people["mia"]),
        "SN-1",
        type_=WorkOrderType.CORRECTIVE,
        priority=Priority.P3,
        fault_group=group,
        description="It hums.",
        now=staff.world.now,
    )


def merge(staff: Staff, code: str, merged: str) -> None:
    with staff.world.conn.transaction():
        merge_work_orders(
            staff.world.conn,
            actor("mia", Permission.WORK_ORDER_MERGE, staff.people["mia"]),
            code,
            merged,
            "one fault",
            expected_row_version=None,
            now=staff.world.now,
        )


def run_while_under_way(
    staff: Staff, url: str, first: Callable[[Connection], object], second: Callable[[Connection], object]
) -> None:
    """`second` begins when `first` has done its work and has not committed; it commits when `second` waits for it, or
    is done without."""
    done, go = threading.Event(), threading.Event()

    def run_first() -> None:
        with open_connection(url, application="test first") as conn:
            conn.execute("SELECT")  # from here on one transaction
            first(conn)
            done.set()
            assert go.wait(60)
            conn.commit()

    def run_second() -> None:
        assert done.wait(60)
        with open_connection(url, application="test second", autocommit=True) as conn, conn.transaction():
            second(conn)

    def is_waiting() -> bool:
        waiting = staff.world.rows(
            "SELECT FROM pg_stat_activity WHERE application_name = 'forewarn test second' AND wait_event_type = 'Lock'"
        )
        return bool(waiting)

    with ThreadPoolExecutor(2) as threads:
        runs: list[Future[None]] = [threads.submit(run_first), threads.submit(run_second)]
        ends = time.monotonic() + 60
        while not (runs[0].done() or runs[1].done() or is_waiting()):
            assert time.monotonic() < ends, "the second one neither waits nor ends"
            time.sleep(0.01)
        go.set()
        for run in runs:
            run.result(60)


def triage(staff: Staff) -> Callable[[Connection], object]:
    queue = TriageQueue(100, timedelta(seconds=20))
    return lambda conn: queue.drain(conn, lambda: staff.world.now, lambda: True)


@pytest.mark.parametrize("machine_first", [True, False])
def test_a_person_and_the_machine_that_come_at_one_instant_leave_one_order(
    staff: Staff, database: Database, machine_first: bool
) -> None:
    staff.world.raise_breach("SN-1")
    works: list[Callable[[Connection], object]] = [triage(staff), lambda conn: report(staff, conn)]
    run_while_under_way(staff, database.url, *(works if machine_first else reversed(works)))
    (order,) = staff.world.orders()
    assert (order["source"], order["breach_count"]) == ("AUTOMATIC" if machine_first else "MANUAL", 1)
    told = [r["type"] for r in staff.world.rows("SELECT type FROM outbox WHERE entity = 'work_order' ORDER BY id")]
    assert told == ["workorder.opened", "workorder.joined"]
    assert verify_chain(staff.world.conn).holds


@pytest.mark.parametrize("machine_first", [True, False])
def test_a_person_who_reopens_and_the_machine_that_opens_leave_one_order(
    staff: Staff, database: Database, machine_first: bool
) -> None:
    world = staff.world
    with world.conn.transaction():
        report(staff, world.conn)
    staff.work_through(FIRST, Outcome.FALSE_ALARM)  # the machine opens another one
    world.pass_time(days=1)
    world.raise_breach("SN-1")
    refused: list[str] = []

    def reopen(conn: Connection) -> None:
        mia = actor("mia", Permission.WORK_ORDER_REOPEN, staff.people["mia"])
        request = TransitionRequest(_S.TRIAGED, reason="it hums again")
        try:
            with conn.transaction():
                record_transition(conn, mia, FIRST, request, expected_row_version=None, now=world.now)
        except GuardRefusedError as error:
            refused.append(error.guard)

    works: list[Callable[[Connection], object]] = [triage(staff), reopen]
    run_while_under_way(staff, database.url, *(works if machine_first else reversed(works)))
    states = [order["state"] for order in world.orders()]
    assert (states, refused) == ((["CLOSED", "NEW"], ["open_order_of_key"]) if machine_first else (["TRIAGED"], []))


@pytest.mark.parametrize("machine_first", [True, False])
def test_a_device_is_not_decommissioned_while_an_order_of_it_is_opened(
    staff: Staff, database: Database, machine_first: bool
) -> None:
    world = staff.world
    world.raise_breach("SN-1")
    refused: list[str] = []

    def decommission(conn: Connection) -> None:
        stew = actor("stew", Permission.MASTER_DATA_WRITE)
        try:
            with conn.transaction():
                record_lifecycle(
                    conn,
                    stew,
                    "SN-1",
                    Lifecycle.DECOMMISSIONED,
                    reason="scrapped",
                    expected_row_version=None,
                    revoke=None,
                    now=world.now,
                )
        except GuardRefusedError as error:
            refused.append(error.guard)

    works: list[Callable[[Connection], object]] = [triage(staff), decommission]
    run_while_under_way(staff, database.url, *(works if machine_first else reversed(works)))
    world.triage()
    states = [order["state"] for order in world.orders()]
    assert (states, refused) == ((["NEW"], [LifecycleGuard.OPEN_WORK_ORDERS]) if machine_first else ([], []))
    (decision,) = world.rows("SELECT reason FROM ticket_decision")
    assert decision["reason"] == (TicketReason.OPENED_MAJOR if machine_first else TicketReason.DECOMMISSIONED)


def test_what_a_person_opened_by_hand_is_not_joined_by_an_order_that_is_opened_again(staff: Staff) -> None:
    world = staff.world
    world.decide("SN-1")
    staff.work_through(FIRST)
    world.pass_time(days=30)
    with world.conn.transaction():
        _, result = report(staff, world.conn)
    assert result is ReportResult.OPENED
    with pytest.raises(GuardRefusedError, match="is open"):
        staff.move("mia", FIRST, _S.TRIAGED, reason="it hums again")


def test_planned_work_of_the_key_keeps_no_order_closed(staff: Staff) -> None:
    world = staff.world
    world.decide("SN-1")
    staff.work_through(FIRST)
    with world.conn.transaction():
        open_manual_order(
            world.conn,
            actor("mia", Permission.WORK_ORDER_CREATE),
            "SN-1",
            type_=WorkOrderType.PREVENTIVE,
            priority=Priority.P4,
            fault_group="motor_wear",
            description="once a year",
            now=world.now,
        )
    assert staff.move("mia", FIRST, _S.TRIAGED, reason="it hums again").reopen_count == 1


def close_merged(staff: Staff, outcome: Outcome = Outcome.CONFIRMED) -> None:
    """The order of motor_wear went up in that of occlusion, which is closed."""
    world = staff.world
    world.decide("SN-1", fault_group="motor_wear")
    world.decide("SN-1", fault_group="occlusion")
    merge(staff, SECOND, FIRST)
    staff.work_through(SECOND, outcome)
    assert [order["state"] for order in world.orders()] == ["CANCELLED", "CLOSED"]


@pytest.mark.parametrize("groups", [("motor_wear", "occlusion"), ("occlusion", "motor_wear")])
def test_a_fault_whose_order_went_up_in_another_reopens_that_one(staff: Staff, groups: tuple[str, str]) -> None:
    world = staff.world
    close_merged(staff)
    world.pass_time(days=13)
    # Both faults are back in one batch: the order is opened again once, and takes in the other.
    for n, group in enumerate(groups):
        world.raise_breach("SN-1", Severity.MAJOR, group, at=world.now + timedelta(seconds=n))
    decisions = world.triage()
    assert [d.decision for d in decisions] == [DecisionKind.REOPENED, DecisionKind.JOINED]
    survivor = staff.load(SECOND)
    assert {d.work_order_id for d in decisions} == {survivor.id}
    assert (survivor.state, survivor.version, survivor.breach_count) == (_S.TRIAGED, 2, 4)
    starts = world.rows(
        "SELECT count(*) AS n FROM sla_event WHERE kind = 'STARTED' AND version = 2 AND work_order_id = %s", survivor.id
    )
    assert (len(world.orders()), starts[0]["n"]) == (2, 2)
    assert verify_chain(world.conn).holds


def test_a_report_of_a_fault_whose_order_went_up_in_another_reopens_that_one(staff: Staff) -> None:
    close_merged(staff)
    staff.world.pass_time(days=13)
    with staff.world.conn.transaction():
        order, result = report(staff, staff.world.conn, "motor_wear")
    assert (order.code, order.version, result) == (SECOND, 2, ReportResult.REOPENED)
    decision = staff.world.decide("SN-1", fault_group="motor_wear")
    assert (decision.decision, decision.work_order_id) == (DecisionKind.JOINED, order.id)


def test_after_the_window_it_is_a_recurrence_of_the_order_that_it_went_up_in(staff: Staff) -> None:
    close_merged(staff)
    staff.world.pass_time(days=15)
    decision = staff.world.decide("SN-1", fault_group="motor_wear")
    assert (decision.decision, decision.reason) == (DecisionKind.OPENED, TicketReason.RECURRENCE)
    assert staff.load(THIRD).recurrence_of == staff.load(SECOND).id


def test_a_false_alarm_that_took_another_order_in_is_never_reopened(staff: Staff) -> None:
    close_merged(staff, Outcome.FALSE_ALARM)
    staff.world.pass_time(days=1)
    decision = staff.world.decide("SN-1", fault_group="motor_wear")
    assert (decision.decision, decision.reason) == (DecisionKind.OPENED, TicketReason.CLOSED_AS_FALSE_ALARM)


def test_one_whose_own_fault_has_an_order_again_stays_closed(staff: Staff) -> None:
    world = staff.world
    close_merged(staff)
    # Its own fault is open again in an order that says nothing of the other one.
    world.conn.execute("UPDATE work_order SET closed_at = closed_at - interval '20 days' WHERE code = %s", (SECOND,))
    world.pass_time(hours=1)
    assert world.decide("SN-1", fault_group="occlusion").reason is TicketReason.RECURRENCE
    world.conn.execute("UPDATE work_order SET closed_at = %s WHERE code = %s", (world.now, SECOND))
    world.pass_time(days=1)
    decision = world.decide("SN-1", fault_group="motor_wear")
    assert (decision.decision, decision.reason) == (DecisionKind.OPENED, TicketReason.OPENED_MAJOR)
    assert [order["state"] for order in world.orders()] == ["CANCELLED", "CLOSED", "NEW", "NEW"]


def test_a_breach_that_is_worse_after_its_order_was_closed_reopens_it_and_is_counted_once(staff: Staff) -> None:
    world = staff.world
    first = world.raise_breach("SN-1")
    other = world.raise_breach("SN-1", monitor="other")
    world.triage()
    staff.work_through(FIRST)
    world.pass_time(days=1)
    world.escalate(first, Severity.CRITICAL)
    (decision,) = world.triage()
    assert decision.decision is DecisionKind.REOPENED
    assert staff.load(FIRST).breach_count == 2
    # The other one goes on as well: the order is quiet when both are over.
    world.pass_time(minutes=1)
    world.clear(first)
    assert world.triage()[0].reason is TicketReason.OTHERS_STILL_ACTIVE
    assert staff.load(FIRST).quiet_since is None
    world.clear(other)
    assert world.triage()[0].reason is TicketReason.ALL_CLEARED
    assert staff.load(FIRST).quiet_since == world.now
