"""A work order in people's hands: guards, versions, signature, flags, and what scoring is told of the work."""

from collections.abc import Callable
from datetime import date

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.clock import to_micros
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.report import WorkReport, report_from_json
from domain.roles import Permission
from domain.tickets import DecisionKind
from domain.work_order import (
    Guard,
    HoldReason,
    Outcome,
    WorkOrderState,
)
from service_link.ticks import tick
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.monitor_flags import load_monitor_flags
from store.pool import open_connection
from store.work_order_notes import record_note
from store.work_order_pages import (
    load_linked_breaches,
)
from tests.support.databases import Database
from tests.support.service_world import actor
from tests.support.staff import RECORD, Staff

_S = WorkOrderState


def test_from_new_to_closed_and_every_step_is_told(staff: Staff) -> None:
    staff.world.decide("SN-1")
    closed = staff.work_through("WO-2026-000001")
    assert (closed.state, closed.outcome, closed.row_version) == (_S.CLOSED, Outcome.CONFIRMED, 8)
    assert closed == staff.load("WO-2026-000001")
    actions = [e.action for e in load_audit_events(staff.world.conn, AuditFilter(entity="work_order"))]
    assert actions == [
        "workorder.closed",
        "workorder.verified",
        "workorder.done",
        "workorder.started",
        "workorder.assigned",
        "workorder.triaged",
        "workorder.opened",
    ]
    told = [r["type"] for r in staff.world.rows("SELECT type FROM outbox WHERE entity = 'work_order' ORDER BY id")]
    assert told == ["workorder.opened", "workorder.assigned", "workorder.done", "workorder.closed"]
    (signature,) = staff.world.rows("SELECT * FROM signature")
    assert (signature["entity_version"], signature["printed_name"]) == (1, "Mia")
    assert verify_chain(staff.world.conn).holds


def test_numbers_go_on_beyond_their_usual_width(staff: Staff, any_database: Database) -> None:
    with open_connection(any_database.owner_url, application="test") as owner:
        owner.execute("SELECT setval('work_order_number', 999999)")
    for serial in ("SN-1", "SN-2", "SN-3"):
        assert staff.world.decide(serial).decision is DecisionKind.OPENED
    codes = [order["code"] for order in staff.world.orders()]
    assert codes == ["WO-2026-1000000", "WO-2026-1000001", "WO-2026-1000002"]


def test_a_decision_that_stands_is_changed_by_nobody(staff: Staff) -> None:
    staff.world.decide("SN-1")
    with pytest.raises(InsufficientPrivilege, match="written once"):
        staff.world.conn.execute("UPDATE ticket_decision SET reason = 'shelved'")


def test_reopening_makes_a_new_version_and_the_old_signature_stays_with_the_old_one(staff: Staff) -> None:
    staff.world.decide("SN-1")
    staff.work_through("WO-2026-000001")
    staff.move("mia", "WO-2026-000001", _S.TRIAGED, reason="it hums again")
    reopened = staff.load("WO-2026-000001")
    assert (reopened.version, reopened.reopen_count, reopened.outcome, reopened.assignee_id) == (2, 1, None, None)
    assert [r["entity_version"] for r in staff.world.rows("SELECT entity_version FROM signature")] == [1]
    (event, *_) = load_audit_events(staff.world.conn)
    assert event.action == "workorder.reopened"
    assert event.before is not None
    assert event.before["close_out"]["work_performed"] == "replaced motor"


def test_without_a_valid_certificate_nobody_is_assigned(staff: Staff) -> None:
    staff.world.decide("SN-1")
    staff.move("mia", "WO-2026-000001", _S.TRIAGED)
    for who, until, guard in (
        ("otto", None, Guard.CERTIFICATE_INVALID),
        ("otto", date(2026, 11, 21), Guard.CERTIFICATE_INVALID),
        ("mia", date(2030, 1, 1), Guard.ASSIGNEE_UNKNOWN),
    ):
        if until is not None:
            staff.world.certify(who, until=until)
        with pytest.raises(GuardRefusedError) as refused:
            staff.move("mia", "WO-2026-000001", _S.ASSIGNED, assignee_id=staff.people[who])
        assert refused.value.guard == guard
    staff.world.certify("otto", until=date(2026, 11, 22))
    assert staff.move("mia", "WO-2026-000001", _S.ASSIGNED, assignee_id=staff.people["otto"]).state is _S.ASSIGNED
    # It ran out before he began.
    staff.world.pass_time(days=1)
    with pytest.raises(GuardRefusedError) as refused:
        staff.move("otto", "WO-2026-000001", _S.IN_PROGRESS)
    assert refused.value.guard == Guard.CERTIFICATE_INVALID


def test_a_refused_step_leaves_nothing_behind(staff: Staff) -> None:
    staff.world.decide("SN-1")
    before = staff.world.rows("SELECT (SELECT count(*) FROM audit_event) AS a, (SELECT count(*) FROM outbox) AS o")
    order = staff.load("WO-2026-000001")
    refused: list[Callable[[], object]] = [
        lambda: staff.move("mia", "WO-2026-000001", _S.CLOSED),
        lambda: staff.move("mia", "WO-2026-000001", _S.TRIAGED, by=Permission.WORK_ORDER_CLOSE),
        lambda: staff.move("mia", "WO-2026-000001", _S.CANCELLED),
    ]
    for step in refused:
        with pytest.raises(GuardRefusedError):
            step()
    with pytest.raises(RowVersionConflictError):
        staff.move("mia", "WO-2026-000001", _S.TRIAGED, expected_row_version=99)
    with pytest.raises(NotFoundError), staff.world.conn.transaction():
        record_note(staff.world.conn, actor("mia", Permission.WORK_ORDER_NOTE, 1), "WO-1", "x", now=staff.world.now)
    assert staff.load("WO-2026-000001") == order
    after = staff.world.rows("SELECT (SELECT count(*) FROM audit_event) AS a, (SELECT count(*) FROM outbox) AS o")
    assert after == before


def test_verified_by_a_quiet_period_only_if_the_device_reports_since(staff: Staff) -> None:
    world = staff.world
    episode = world.raise_breach("SN-1")
    world.triage()
    code = "WO-2026-000001"
    staff.move("mia", code, _S.TRIAGED)
    staff.move("mia", code, _S.ASSIGNED, assignee_id=staff.people["tina"])
    staff.move("tina", code, _S.IN_PROGRESS)
    staff.move("tina", code, _S.ON_HOLD, hold_reason=HoldReason.PARTS)
    staff.move("tina", code, _S.IN_PROGRESS)
    world.clear(episode)
    world.triage()
    staff.move("tina", code, _S.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=RECORD)

    def refusal() -> str | None:
        try:
            staff.move("mia", code, _S.VERIFIED)
        except GuardRefusedError as error:
            return error.guard
        return None

    assert refusal() == Guard.NOT_QUIET
    world.pass_time(hours=3)
    tick(world.conn, world.now)
    assert refusal() == Guard.NOT_QUIET  # silent since: no telemetry is not normal telemetry
    world.conn.execute("UPDATE device SET last_seen_at = %s, connectivity = 'ONLINE'", (world.now,))
    assert refusal() is None


def test_three_false_alarms_flag_the_monitor_once(staff: Staff) -> None:
    for n in range(1, 5):
        staff.world.decide(f"SN-{n}")
        staff.work_through(f"WO-2026-{n:06}", Outcome.FALSE_ALARM)
        flags = load_monitor_flags(staff.world.conn)
        assert [f.false_alarms for f in flags] == ([n] if n >= 3 else [])
    (flag,) = load_monitor_flags(staff.world.conn)
    assert (flag.model, flag.monitor, flag.profile_version) == ("PUMP", "current_high", 1)
    events = load_audit_events(staff.world.conn, AuditFilter(entity="monitor"))
    assert [(e.action, e.entity_id) for e in events] == [("monitor.flagged", "PUMP/current_high")]
    order = staff.load("WO-2026-000001")
    (breach,) = load_linked_breaches(staff.world.conn, order.id)
    assert breach.monitor_false_alarms == 4


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.CONFIRMED, "fault_mended"),
        (Outcome.SENSOR_FAULT, "sensor_mended"),
        (Outcome.NO_FAULT_FOUND, None),
        (Outcome.FALSE_ALARM, None),
    ],
)
def test_work_that_mended_something_is_told_to_scoring_in_its_own_transaction(
    staff: Staff, outcome: Outcome, reason: str | None
) -> None:
    staff.world.decide("SN-1")
    (order,) = staff.world.orders()
    head = staff.world.rows("SELECT head FROM shard WHERE shard = 0")[0]["head"]
    staff.work_through(order["code"], outcome)
    kept = staff.world.rows("SELECT device_id, work_order_id, at, reason, shard, position FROM baseline_reset")
    blocks = staff.world.rows("SELECT position, reading_count, reports FROM reading_block WHERE shard = 0")
    if reason is None:
        assert (kept, blocks) == ([], [])
        return
    assert kept == [
        {
            "device_id": staff.world.devices["SN-1"],
            "work_order_id": order["id"],
            "at": staff.world.now,
            "reason": reason,
            "shard": 0,
            "position": head + 1,
        }
    ]
    (block,) = blocks
    assert (block["position"], block["reading_count"]) == (head + 1, 0)
    (report,) = (report_from_json(r) for r in block["reports"])
    at_us = to_micros(staff.world.now)
    assert report == WorkReport(staff.world.devices["SN-1"], at_us, at_us, order["code"])
