"""Orders that turn out to be one, and reports of people that join by the rules of breaches."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

import pytest

from domain.breach import BreachKind, Severity
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.part_usage import PartLine
from domain.roles import Permission
from domain.sentences import render
from domain.tickets import DecisionKind, Priority
from domain.work_order import Outcome, WorkOrder, WorkOrderState, WorkOrderType
from store.audit import verify_chain
from store.capas import load_capa_members
from store.manual_orders import ReportResult, report_fault
from store.part_usages import load_parts, record_part_request, record_part_withdrawal
from store.pool import RETRYABLE, Connection, open_connection
from store.visits import load_visits, record_arrival
from store.work_order_merges import load_merged_codes, load_survivor_code, merge_work_orders
from store.work_order_notes import record_note
from store.work_order_pages import load_timeline
from tests.support.databases import Database
from tests.support.staff import RECORD, Staff, open_staff

_S = WorkOrderState
FIRST, SECOND, THIRD = "WO-2026-000001", "WO-2026-000002", "WO-2026-000003"
WORK = Permission.WORK_ORDER_WORK


@pytest.fixture
def staff(database: Database) -> Iterator[Staff]:
    with open_staff(database.url) as found:
        yield found


def merge(staff: Staff, code: str, merged: str, reason: str = "one fault", version: int | None = None) -> WorkOrder:
    with staff.world.conn.transaction():
        return merge_work_orders(
            staff.world.conn,
            staff.act("mia", Permission.WORK_ORDER_MERGE),
            code,
            merged,
            reason,
            expected_row_version=version,
            now=staff.world.now,
        )


def report(staff: Staff, serial: str = "SN-1", **more: object) -> tuple[WorkOrder, ReportResult]:
    values: dict[str, object] = {"priority": Priority.P3, "fault_group": "motor_wear", "description": "It hums."}
    values |= {"type_": WorkOrderType.CORRECTIVE, "now": staff.world.now} | more
    with staff.world.conn.transaction():
        return report_fault(staff.world.conn, staff.act("mia", Permission.WORK_ORDER_CREATE), serial, **values)  # type: ignore[arg-type]


def refuse(step: Callable[[], object]) -> str:
    with pytest.raises(GuardRefusedError) as refused:
        step()
    return refused.value.guard


def test_the_survivor_has_all_that_both_had(staff: Staff) -> None:
    world, conn = staff.world, staff.world.conn
    world.decide("SN-1", fault_group="motor_wear")
    staff.start(FIRST)
    with conn.transaction():
        record_arrival(conn, staff.act("tina", WORK), FIRST, arrived_at=world.now, now=world.now)
        part = record_part_request(conn, staff.act("tina", WORK), FIRST, PartLine("MOT-1", Decimal(1)), now=world.now)
        record_note(conn, staff.act("tina", Permission.WORK_ORDER_NOTE), FIRST, "hums", now=world.now)
    world.decide("SN-1", Severity.CRITICAL, fault_group="occlusion")
    staff.start(SECOND)
    was = staff.load(SECOND)
    with pytest.raises(RowVersionConflictError):
        merge(staff, SECOND, FIRST, version=99)
    after = merge(staff, SECOND, FIRST, version=was.row_version)
    gone = staff.load(FIRST)
    assert after == staff.load(SECOND)
    assert (after.state, after.breach_count, after.row_version) == (_S.IN_PROGRESS, 2, was.row_version + 1)
    assert (gone.state, gone.merged_into_id, gone.cancel_reason) == (_S.CANCELLED, after.id, f"merged_into {SECOND}")
    assert (load_merged_codes(conn, after.id), load_survivor_code(conn, gone.id)) == ([FIRST], SECOND)
    assert [v.work_order for v in load_visits(conn, after.id)] == [FIRST]
    assert [p.id for p in load_parts(conn, after.id)] == [part.id]
    assert "hums" in [entry.text for entry in load_timeline(conn, after.id, SECOND)]
    with conn.transaction():
        record_part_withdrawal(conn, staff.act("tina", WORK), SECOND, part.id, "one motor is enough", now=world.now)
    clocks = world.rows("SELECT state FROM sla_clock WHERE work_order_id = %s", gone.id)
    assert {clock["state"] for clock in clocks} <= {"STOPPED", "MET"}
    told = [(r["entity_id"], r["type"]) for r in world.rows("SELECT entity_id, type FROM outbox ORDER BY id")]
    assert told[-2:] == [(FIRST, "workorder.closed"), (SECOND, "workorder.joined")]
    # What comes for the fault of the one that went joins the one that goes on.
    world.pass_time(minutes=1)
    decision = world.decide("SN-1", fault_group="motor_wear")
    assert (decision.decision, decision.work_order_id) == (DecisionKind.JOINED, after.id)
    joined, result = report(staff)
    assert (joined.code, result) == (SECOND, ReportResult.JOINED)
    assert staff.load(SECOND).breach_count == 3
    assert verify_chain(conn).holds


def test_what_may_not_become_one(staff: Staff) -> None:
    world = staff.world
    world.decide("SN-1")
    world.decide("SN-2")
    planned, _ = report(staff, type_=WorkOrderType.PREVENTIVE)
    world.decide("SN-1", fault_group="occlusion")
    other = "WO-2026-000004"
    assert refuse(lambda: merge(staff, FIRST, FIRST)) == "same_order"
    assert refuse(lambda: merge(staff, FIRST, SECOND)) == "not_of_one_device"
    assert refuse(lambda: merge(staff, FIRST, planned.code)) == "planned_work"
    assert refuse(lambda: merge(staff, FIRST, other, " ")) == "reason_missing"
    staff.start(other)
    staff.finish(other)
    assert refuse(lambda: merge(staff, FIRST, other)) == "not_open"
    staff.move("mia", SECOND, _S.CANCELLED, reason="no")
    assert refuse(lambda: merge(staff, SECOND, FIRST)) == "not_open"
    assert world.rows("SELECT count(*) AS n FROM work_order WHERE merged_into_id IS NOT NULL")[0]["n"] == 0


def test_a_chain_of_merges_ends_at_the_last_one(staff: Staff) -> None:
    world, conn = staff.world, staff.world.conn
    for group in ("motor_wear", "occlusion", "connectivity"):
        world.decide("SN-1", fault_group=group)
    merge(staff, SECOND, FIRST)
    merge(staff, THIRD, SECOND)
    assert load_survivor_code(conn, staff.load(FIRST).id) == THIRD
    assert staff.load(THIRD).breach_count == 3
    world.pass_time(minutes=1)
    for group in ("motor_wear", "occlusion"):
        assert world.decide("SN-1", fault_group=group).work_order_id == staff.load(THIRD).id
    assert [o["code"] for o in world.orders() if o["state"] != "CANCELLED"] == [THIRD]


def test_a_child_goes_up_in_its_parent_and_no_parent_of_others_in_a_child(staff: Staff) -> None:
    world = staff.world
    site = world.add_site("SG", contract=True)
    gateway = world.add_gateway("GW-1", site)
    for n in range(3):
        world.add_device(f"G-{n}", site, gateway_id=gateway)
    for n in range(2):
        assert (
            world.decide(f"G-{n}", kind=BreachKind.OFFLINE, fault_group="connectivity").decision is DecisionKind.OPENED
        )
    assert world.decide("G-2", kind=BreachKind.OFFLINE, fault_group="connectivity").decision is DecisionKind.PARENT
    children = [o["code"] for o in world.orders() if o["parent_id"] is not None]
    parent = next(o["code"] for o in world.orders() if o["gateway_id"] is not None and o["device_id"] is None)
    assert len(children) == 2
    assert refuse(lambda: merge(staff, children[0], parent)) == "other_children"
    merged = merge(staff, parent, children[0])
    assert merged.breach_count == 3
    # The last child may take over its parent.
    survivor = merge(staff, children[1], parent)
    assert (survivor.parent_id, survivor.breach_count) == (None, 3)
    assert [o["code"] for o in world.orders() if o["state"] != "CANCELLED"] == [children[1]]


def test_a_report_joins_is_raised_and_comes_back_from_done(staff: Staff) -> None:
    world = staff.world
    first, result = report(staff)
    assert (first.code, result) == (FIRST, ReportResult.OPENED)
    assert "Service was asked for SN-1: motor." in render(first.title_code, first.title_params, "en")
    assert "SN-1 申请了服务：电机。" in render(first.title_code, first.title_params, "zh")
    assert report(staff, priority=Priority.P4)[1] is ReportResult.JOINED
    assert staff.load(FIRST).priority is Priority.P3
    raised, _ = report(staff, priority=Priority.P1)
    assert (raised.priority, raised.inbox_reason) == (Priority.P1, "NEW")
    assert report(staff, fault_group="occlusion")[1] is ReportResult.OPENED
    assert report(staff, type_=WorkOrderType.CALIBRATION, fault_group="connectivity")[1] is ReportResult.OPENED
    staff.start(FIRST)
    staff.move("tina", FIRST, _S.ON_HOLD, hold_reason="PARTS")
    staff.move("tina", FIRST, _S.IN_PROGRESS)
    closed = staff.finish(FIRST)
    assert closed.state is _S.CLOSED
    # Closed lately: opened again, as for a breach; long ago: a recurrence.
    world.pass_time(days=3)
    again, result = report(staff)
    assert (again.code, result, again.version, again.state) == (FIRST, ReportResult.REOPENED, 2, _S.TRIAGED)
    assert (again.response_due_at or world.now) > world.now
    staff.move("mia", FIRST, _S.ASSIGNED, assignee_id=staff.people["tina"])
    staff.move("tina", FIRST, _S.IN_PROGRESS)
    staff.finish(FIRST)
    world.pass_time(days=30)
    later, result = report(staff)
    assert (result, later.recurrence_of) == (ReportResult.OPENED, again.id)
    assert world.decide("SN-1").work_order_id == later.id


def test_work_that_was_reported_done_goes_on_when_somebody_reports_the_fault(staff: Staff) -> None:
    report(staff)
    staff.start(FIRST)
    staff.move("tina", FIRST, _S.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=RECORD)
    back, result = report(staff)
    assert (result, back.state, back.outcome, back.inbox_reason) == (
        ReportResult.JOINED,
        _S.IN_PROGRESS,
        None,
        "CAME_BACK",
    )


def test_a_case_of_a_capa_counts_once_after_a_merge(staff: Staff) -> None:
    world, conn = staff.world, staff.world.conn
    world.decide("SN-1")
    world.decide("SN-1", fault_group="occlusion")
    first, second = (staff.load(code) for code in (FIRST, SECOND))
    row = conn.execute(
        "INSERT INTO capa (code, kind, state, device_model_id, scope_kind, fault_group, trigger, statistics)"
        " SELECT 'CAPA-2026-0001', 'CORRECTIVE', 'PROPOSED', id, 'MODEL', 'motor_wear', 'COHORT', '{}'"
        " FROM device_model RETURNING id"
    ).fetchone()
    assert row is not None
    conn.execute("INSERT INTO capa_member (capa_id, work_order_id) VALUES (%s, %s)", (row[0], first.id))
    merge(staff, SECOND, FIRST)
    assert second.code in [m.code for m in load_capa_members(conn, row[0])]


def run_at_once(url: str, *works: Callable[[Connection], str]) -> list[str]:
    """What each gives, or the guard that refused it; all begin together, each on a connection of its own."""
    barrier = Barrier(len(works))

    def run(work: Callable[[Connection], str]) -> str:
        with open_connection(url, application="test") as conn:
            barrier.wait(60)
            for _ in range(5):
                try:
                    with conn.transaction():
                        return work(conn)
                except GuardRefusedError as refused:
                    return refused.guard
                except RETRYABLE:
                    continue
        raise AssertionError("five deadlocks in a row")

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_people_who_report_at_once_report_one_order(staff: Staff, database: Database) -> None:
    def work(conn: Connection) -> str:
        return report_fault(
            conn,
            staff.act("mia", Permission.WORK_ORDER_CREATE),
            "SN-1",
            type_=WorkOrderType.CORRECTIVE,
            priority=Priority.P3,
            fault_group="motor_wear",
            description="It hums.",
            now=staff.world.now,
        )[1]

    assert sorted(run_at_once(database.url, *[work] * 6)) == ["JOINED"] * 5 + ["OPENED"]
    assert len(staff.world.orders()) == 1
    assert verify_chain(staff.world.conn).holds


def test_two_orders_that_go_up_in_each_other_at_once_leave_one(staff: Staff, database: Database) -> None:
    staff.world.decide("SN-1")
    staff.world.decide("SN-1", fault_group="occlusion")

    def merge_into(code: str, merged: str) -> Callable[[Connection], str]:
        actor = staff.act("mia", Permission.WORK_ORDER_MERGE)
        return lambda conn: (
            merge_work_orders(
                conn, actor, code, merged, "one fault", expected_row_version=None, now=staff.world.now
            ).code
        )

    said = run_at_once(database.url, *[merge_into(FIRST, SECOND), merge_into(SECOND, FIRST)] * 2)
    assert sorted(said, key=len) == ["not_open", "not_open", "not_open", *{FIRST, SECOND} & {*said}]
    assert sorted(o["state"] for o in staff.world.orders()) == ["CANCELLED", "NEW"]
