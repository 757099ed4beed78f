"""SLA clocks on a real database: holds, escalations, breaches, reopenings; as the events say."""

from datetime import datetime, timedelta
from importlib import resources

from domain.breach import Severity
from domain.sla_clock import ClockState
from domain.sla_policy import ClockKind
from domain.work_order import (
    HoldReason,
    WorkOrderState,
)
from service_link.ticks import keep_sla, tick
from store.audit import AuditFilter, load_audit_events
from store.pool import open_connection
from store.sla_clocks import find_clock_row, load_clock_events, read_events
from store.work_orders import load_work_order
from tests.support.databases import Database
from tests.support.sla_desk import BERLIN, CODE, Desk

_S = WorkOrderState


def test_a_hold_pauses_in_working_time_and_nothing_is_due_meanwhile(desk: Desk) -> None:
    order = desk.open()
    # Four hours from Friday 15:00: two on Friday, two on Monday. Eight: Monday 15:00, for noon is off.
    assert order.response_due_at == datetime(2026, 11, 30, 10, tzinfo=BERLIN)
    assert order.resolution_due_at == datetime(2026, 11, 30, 15, tzinfo=BERLIN)
    desk.at(2026, 11, 27, 16, 0)
    desk.start_work()
    assert desk.clock(ClockKind.RESPONSE)["state"] == ClockState.MET
    held = desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.PARTS)
    assert (held.resolution_due_at, held.response_due_at) == (None, order.response_due_at)
    desk.at(2026, 12, 3, 9, 0)
    tick(desk.world.conn, desk.world.now)
    assert desk.clock()["state"] == ClockState.PAUSED
    # Seven hours are left: Thursday has seven more.
    assert desk.move("tina", _S.IN_PROGRESS).resolution_due_at == datetime(2026, 12, 3, 17, tzinfo=BERLIN)
    # The maker's own supplier pauses nothing.
    assert desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.VENDOR).resolution_due_at is not None
    desk.at(2026, 12, 3, 16, 59)
    desk.move("tina", _S.IN_PROGRESS)
    desk.finish()
    assert desk.clock()["state"] == ClockState.MET
    assert desk.events() == ["STARTED", "PAUSED", "RESUMED", "MET"]
    told = desk.world.rows("SELECT type FROM outbox WHERE type LIKE 'sla.%%'")
    assert told == []
    desk.verify()


def test_an_escalation_on_hold_ends_no_pause_and_both_limits_count_on(desk: Desk) -> None:
    desk.world.decide("SN-1", Severity.MAJOR)
    desk.start_work()
    desk.at(2026, 11, 27, 16, 30)
    desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.CUSTOMER)
    desk.world.decide("SN-1", Severity.CRITICAL, monitor="m2")
    (order,) = desk.world.orders()
    assert (order["state"], order["priority"], order["resolution_due_at"]) == ("ON_HOLD", "P1", None)
    desk.verify()
    desk.at(2026, 11, 30, 8, 0)
    # Of eight hours of work 6:30 are left, of the four around the clock all: the latter is sooner.
    assert desk.move("tina", _S.IN_PROGRESS).resolution_due_at == datetime(2026, 11, 30, 12, tzinfo=BERLIN)
    desk.verify()


def test_a_breach_is_said_once_stays_and_brings_the_order_back_to_the_inbox(desk: Desk) -> None:
    desk.open()
    desk.start_work()
    told = "SELECT type, body -> 'data' ->> 'clock' AS clock FROM outbox WHERE type LIKE 'sla.%%' ORDER BY id"
    desk.at(2026, 11, 30, 13, 0)
    for _ in range(2):
        tick(desk.world.conn, desk.world.now)
    assert [r["type"] for r in desk.world.rows(told)] == ["sla.due_soon"]
    # A pause moves the due time, and nobody is warned again of the same quarter.
    desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.ACCESS)
    desk.at(2026, 12, 1, 8, 0)
    desk.move("tina", _S.IN_PROGRESS)
    tick(desk.world.conn, desk.world.now)
    assert len(desk.world.rows(told)) == 1
    desk.at(2026, 12, 1, 10, 1)
    for _ in range(2):
        tick(desk.world.conn, desk.world.now)
    assert [r["type"] for r in desk.world.rows(told)] == ["sla.due_soon", "sla.breached"]
    (order,) = desk.world.orders()
    assert (order["resolution_breached"], order["inbox_reason"]) == (True, "ESCALATED")
    desk.verify()
    # Whatever comes after: a hold, the work done, the next day.
    desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.PARTS)
    desk.at(2026, 12, 2, 8, 0)
    desk.move("tina", _S.IN_PROGRESS)
    after = desk.finish()
    assert (after.resolution_breached, after.resolution_due_at) == (True, datetime(2026, 12, 1, 10, tzinfo=BERLIN))
    clock = desk.clock()
    assert (clock["state"], clock["breached_at"]) == ("BREACHED", datetime(2026, 12, 1, 10, tzinfo=BERLIN))
    tick(desk.world.conn, desk.world.now)
    assert len(desk.world.rows(told)) == 2
    desk.verify()


def test_work_that_is_done_late_between_two_ticks_is_a_breach_all_the_same(desk: Desk) -> None:
    desk.open()
    desk.start_work()
    desk.at(2026, 11, 30, 15, 1)
    desk.finish()
    clock = desk.clock()
    assert (clock["state"], clock["met_at"], clock["breach_said"]) == ("BREACHED", desk.world.now, False)
    tick(desk.world.conn, desk.world.now)
    (order,) = desk.world.orders()
    assert (order["resolution_breached"], order["inbox_reason"]) == (True, None)
    told = [r["type"] for r in desk.world.rows("SELECT type FROM outbox WHERE type LIKE 'sla.%%'")]
    assert told == ["sla.breached"]
    desk.verify()


def test_work_that_did_not_hold_counts_on_and_a_reopened_order_has_new_clocks(desk: Desk) -> None:
    desk.world.decide("SN-1", Severity.MAJOR)
    desk.start_work()
    desk.finish()
    desk.at(2026, 11, 30, 9, 0)
    # The breach came back before anybody verified: the clock ran on.
    desk.world.decide("SN-1", Severity.MAJOR, monitor="m2")
    (order,) = desk.world.orders()
    assert (order["state"], order["resolution_due_at"]) == ("IN_PROGRESS", datetime(2026, 11, 30, 15, tzinfo=BERLIN))
    assert desk.events() == ["STARTED", "MET", "TAKEN_BACK"]
    desk.at(2026, 11, 30, 16, 0)
    tick(desk.world.conn, desk.world.now)
    desk.finish()
    desk.close()
    desk.at(2026, 12, 1, 8, 0)
    desk.world.decide("SN-1", Severity.MAJOR, monitor="m3")
    (order,) = desk.world.orders()
    assert (order["version"], order["state"], order["resolution_breached"]) == (2, "TRIAGED", False)
    assert order["resolution_due_at"] == datetime(2026, 12, 1, 17, tzinfo=BERLIN)
    states = {v: desk.clock(version=v)["state"] for v in (1, 2)}
    assert states == {1: "BREACHED", 2: "RUNNING"}
    desk.verify()


def test_reopened_by_a_person_and_cancelled(desk: Desk) -> None:
    desk.open()
    desk.start_work()
    desk.finish()
    desk.close()
    reopened = desk.move("mia", _S.TRIAGED, reason="it hums again")
    assert reopened.resolution_due_at == datetime(2026, 11, 30, 15, tzinfo=BERLIN)
    cancelled = desk.move("mia", _S.CANCELLED, reason="sold")
    assert (cancelled.response_due_at, desk.clock(version=2)["state"]) == (None, "STOPPED")
    desk.at(2027, 1, 4, 8, 0)
    tick(desk.world.conn, desk.world.now)
    assert desk.world.rows("SELECT 1 FROM outbox WHERE type LIKE 'sla.%%'") == []
    desk.verify()


def test_what_lists_say_is_put_right_from_the_events_and_audited(desk: Desk) -> None:
    order = desk.open()
    desk.world.conn.execute("UPDATE sla_clock SET due_at = due_at + interval '9 days' WHERE clock = 'RESOLUTION'")
    desk.world.conn.execute("UPDATE work_order SET response_due_at = NULL")
    desk.world.now = desk.world.now.replace(hour=order.id % 24)
    keep_sla(desk.world.conn, desk.world.now)
    mended = load_work_order(desk.world.conn, CODE)
    assert mended is not None
    assert (mended.response_due_at, mended.resolution_due_at) == (order.response_due_at, order.resolution_due_at)
    assert desk.clock()["due_at"] == order.resolution_due_at
    actions = [e.action for e in load_audit_events(desk.world.conn, AuditFilter(entity="work_order"))]
    assert actions == ["sla.clock_mended", "sla.clock_mended", "workorder.opened"]
    desk.verify()


def test_nothing_is_said_that_the_events_do_not_say(desk: Desk) -> None:
    """A line that went wrong neither breaches a clock nor stops the others from being said."""
    conn = desk.world.conn
    orders = [desk.open() for _ in range(3)]
    conn.execute("UPDATE sla_clock SET due_at = due_at - interval '9 days' WHERE work_order_id = 1")
    conn.execute(
        "INSERT INTO sla_clock (work_order_id, version, clock, state, started_at, allowed_s, used_s, due_at)"
        " SELECT 2, 7, 'RESPONSE', 'RUNNING', started_at, 1, 0, started_at FROM sla_clock"
        " WHERE work_order_id = 2 AND clock = 'RESPONSE'"
    )
    conn.execute("UPDATE sla_clock SET due_soon_at = started_at - interval '1 day' WHERE work_order_id = 3")
    desk.world.pass_time(minutes=1)
    tick(conn, desk.world.now)
    told = "SELECT entity_id, type FROM outbox WHERE type LIKE 'sla.%%' ORDER BY id"
    assert desk.world.rows(told) == []
    assert {row["version"] for row in desk.world.rows("SELECT version FROM sla_clock")} == {1}
    desk.verify()
    desk.at(2026, 11, 30, 10, 1)
    conn.execute("UPDATE sla_clock SET due_at = due_at + interval '9 days' WHERE work_order_id = 1")
    tick(conn, desk.world.now)
    assert [row["entity_id"] for row in desk.world.rows(told)] == [order.code for order in orders[1:]]
    # It was found when the others were said, was put right, and is said in the next round.
    tick(conn, desk.world.now)
    assert [row["entity_id"] for row in desk.world.rows(told)][2:] == [orders[0].code]
    desk.verify()


def test_orders_of_before_have_the_clocks_that_they_had(desk: Desk, database: Database) -> None:
    """What migration 0019 makes of orders without events is what their events say, and what was due stays due."""
    for _ in range(6):
        desk.open()
    old = """
        UPDATE work_order SET response_due_at = created_at + interval '4 hours',
            resolution_due_at = created_at + interval '24 hours', response_warned = id >= 2,
            response_breached = id IN (2, 3),
            responded_at = CASE WHEN id >= 3 THEN created_at + id * interval '1 hour' END,
            resolved_at = CASE WHEN id = 5 THEN created_at + interval '30 hours' END,
            state = (ARRAY['NEW', 'TRIAGED', 'ON_HOLD', 'CANCELLED', 'CLOSED', 'IN_PROGRESS'])[id],
            hold_reason = CASE WHEN id = 3 THEN 'PARTS' END,
            closed_at = CASE WHEN id IN (4, 5) THEN created_at + interval '31 hours' END
    """
    migration = resources.files("store").joinpath("migrations/0019_sla.sql").read_text("utf-8")
    begin, end = migration.index("-- Orders of before"), migration.index("-- What happened to a clock is written once")
    with open_connection(database.owner_url, application="test", autocommit=True) as owner:
        owner.execute("ALTER TABLE sla_event DISABLE TRIGGER USER")
        owner.execute("DELETE FROM sla_clock")
        owner.execute("DELETE FROM sla_event")
        owner.execute(old.encode())
        before = desk.world.orders()
        owner.execute(migration[begin:end].encode())
    events = load_clock_events(desk.world.conn, [order["id"] for order in before])
    assert len(events) == 12
    derived = {key: read_events(listed) for key, listed in events.items()}
    stored = desk.world.rows("SELECT * FROM sla_clock ORDER BY work_order_id, clock")
    for row in stored:
        key = (row["work_order_id"], row["version"], ClockKind(row["clock"]))
        clock = derived[key]
        assert clock is not None
        assert tuple(row.values()) == find_clock_row(key, clock)
    assert [row["state"] for row in stored if row["clock"] == "RESPONSE"] == [
        "RUNNING",
        "BREACHED",
        "BREACHED",
        "MET",
        "BREACHED",
        "BREACHED",
    ]
    assert [row["state"] for row in stored if row["clock"] == "RESOLUTION"] == [
        "RUNNING",
        "RUNNING",
        "RUNNING",
        "BREACHED",
        "BREACHED",
        "RUNNING",
    ]
    desk.verify()
    assert desk.world.orders() == before
    # An order that was held before goes on as it was; what is held from now on pauses.
    tick(desk.world.conn, desk.world.now + timedelta(minutes=1))
    assert desk.world.orders() == before
