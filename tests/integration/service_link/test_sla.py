"""SLA clocks on a real database: by contract and site, holds, escalations, breaches, waivers; as the events say."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.approval_request import ApprovalKind, ApprovalState, ApprovalWish
from domain.audit import Signature
from domain.breach import Severity
from domain.errors import GuardRefusedError
from domain.roles import Permission
from domain.service_calendar import CalendarDraft, SpecialDay
from domain.sla_clock import ClockState, read_clock
from domain.sla_policy import ClockKind, PriorityTerms, SlaPolicy
from domain.sla_waiver import WaiverGuard
from domain.tickets import DecisionKind, Priority
from domain.work_order import (
    CloseOut,
    HoldReason,
    Outcome,
    TransitionRequest,
    WorkOrder,
    WorkOrderState,
    WorkOrderType,
    find_permissions_for,
)
from service_link.ticks import keep_sla, tick
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval, decide_approval
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.manual_orders import open_manual_order
from store.pool import open_connection
from store.service_calendars import change_calendar, create_calendar, load_calendar, renew_calendars
from store.site_calendars import assign_calendar
from store.sla_clocks import find_clock_row, load_clock_events, read_events
from store.sla_mending import mend_clocks
from store.sla_policies import assign_policy, change_policy, create_policy
from store.work_order_transitions import record_transition
from store.work_orders import load_work_order
from tests.support.databases import Database
from tests.support.service_world import World, actor, open_world

_S = WorkOrderState
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = CalendarDraft((((480, 720), (780, 1020)),) * 5 + ((), ()), "DE", "BY")
TERMS = PriorityTerms(4, 8)
POLICY = SlaPolicy((PriorityTerms(1, 4, around_the_clock=True), TERMS, PriorityTerms(8, 24), PriorityTerms(16, 80)))
RECORD = CloseOut("Pump", "SN-1", date(2026, 11, 27), "Tina Tech", "replaced motor", "12 runs within 2 %")
MANAGER = Permission.SLA_POLICY_WRITE
CODE = "WO-2026-000001"


@dataclass(slots=True)
class Desk:
    """A hospital in Munich with office hours, a contract and one pump; a Friday afternoon."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def at(self, *when: int) -> None:
        """Goes on to that local time."""
        self.world.now = datetime(*when, tzinfo=BERLIN).astimezone(UTC)  # type: ignore[arg-type,misc]

    def open(self, priority: Priority = Priority.P2) -> WorkOrder:
        with self.world.conn.transaction():
            return open_manual_order(
                self.world.conn,
                actor("mia", Permission.WORK_ORDER_CREATE, self.people["mia"]),
                "SN-1",
                type_=WorkOrderType.CORRECTIVE,
                priority=priority,
                fault_group="motor_wear",
                description="it hums",
                now=self.world.now,
            )

    def move(self, who: str, to: WorkOrderState, **more: Any) -> WorkOrder:
        order = load_work_order(self.world.conn, CODE)
        assert order is not None
        (permission, *_) = find_permissions_for(order.state, to)
        with self.world.conn.transaction():
            return record_transition(
                self.world.conn,
                actor(who, permission, self.people[who]),
                CODE,
                TransitionRequest(to, **more),
                expected_row_version=order.row_version,
                now=self.world.now,
            )

    def start_work(self) -> WorkOrder:
        self.move("mia", _S.TRIAGED)
        self.move("mia", _S.ASSIGNED, assignee_id=self.people["tina"])
        return self.move("tina", _S.IN_PROGRESS)

    def finish(self) -> WorkOrder:
        return self.move("tina", _S.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=RECORD)

    def close(self) -> WorkOrder:
        self.move("mia", _S.VERIFIED, test_evidence="bench report")
        return self.move("mia", _S.CLOSED, signature=Signature(self.people["mia"], "Mia Manager", "closed"))

    def clock(self, kind: ClockKind = ClockKind.RESOLUTION, version: int = 1) -> dict[str, Any]:
        (row,) = self.world.rows("SELECT * FROM sla_clock WHERE clock = %s AND version = %s", kind, version)
        return row

    def events(self, kind: ClockKind = ClockKind.RESOLUTION) -> list[str]:
        return [r["kind"] for r in self.world.rows("SELECT kind FROM sla_event WHERE clock = %s ORDER BY id", kind)]

    def verify(self) -> None:
        """What lists show is what the events say, whenever they are read again."""
        assert mend_clocks(self.world.conn, actor("x", MANAGER), self.world.now) == []
        assert verify_chain(self.world.conn).holds


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with open_world(database.url) as world:
        site = world.add_site("MUC", contract=True)
        world.conn.execute("UPDATE site SET time_zone = 'Europe/Berlin'")
        world.add_device("SN-1", site)
        people = {
            "tina": world.add_user("tina", "technician"),
            "mia": world.add_user("mia", "service_manager"),
            "max": world.add_user("max", "service_manager"),
        }
        world.certify("tina")
        desk = Desk(world, people)
        desk.at(2026, 11, 27, 15, 0)
        by = actor("mia", MANAGER, people["mia"])
        with world.conn.transaction():
            assert create_calendar(world.conn, by, "office", "Office hours", OFFICE, reason="", now=world.now)
            assert create_policy(world.conn, by, "gold", "Gold", POLICY, "office", reason="", now=world.now)
            assign_policy(world.conn, by, "K-MUC", "gold", expected_row_version=1, reason="as agreed")
        yield desk


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


def test_a_changed_policy_forgets_no_pause_and_changes_no_running_clock(desk: Desk) -> None:
    desk.open()
    desk.start_work()
    desk.move("tina", _S.ON_HOLD, hold_reason=HoldReason.PARTS)
    by = actor("mia", MANAGER, desk.people["mia"])
    shorter = SlaPolicy((TERMS,) * 4, {kind: frozenset() for kind in ClockKind})
    with desk.world.conn.transaction():
        change_policy(
            desk.world.conn, by, "gold", "Gold", shorter, None, expected_row_version=1, reason="new", now=desk.world.now
        )
        change_calendar(
            desk.world.conn,
            by,
            "office",
            "Nights",
            CalendarDraft((((0, 60),),) * 7),
            expected_row_version=1,
            reason="moved",
            now=desk.world.now,
        )
    desk.at(2026, 11, 30, 8, 0)
    assert desk.move("tina", _S.IN_PROGRESS).resolution_due_at == datetime(2026, 11, 30, 17, tzinfo=BERLIN)
    desk.verify()
    # A second order begins by the new ones: around the clock.
    second = desk.open()
    assert second.resolution_due_at == desk.world.now + timedelta(hours=8)
    versions = desk.world.rows("SELECT version FROM sla_policy_version ORDER BY version")
    assert [v["version"] for v in versions] == [1, 2]


def test_the_sites_calendar_goes_before_the_policys_and_p1_may_run_around_the_clock(desk: Desk) -> None:
    by = actor("mia", MANAGER, desk.people["mia"])
    mornings = CalendarDraft((((480, 720),),) * 7, own_days=(SpecialDay(date(2026, 11, 28), (), "move"),))
    with desk.world.conn.transaction():
        create_calendar(desk.world.conn, by, "mornings", "Mornings", mornings, reason="", now=desk.world.now)
        assign_calendar(desk.world.conn, by, "MUC", "mornings", expected_row_version=1, reason="", now=desk.world.now)
    # Saturday is a day of its own, off; Sunday and Monday have four hours each.
    assert desk.open(Priority.P2).resolution_due_at == datetime(2026, 11, 30, 12, tzinfo=BERLIN)
    assert desk.open(Priority.P1).resolution_due_at == desk.world.now + timedelta(hours=4)


def test_public_holidays_are_off(desk: Desk) -> None:
    desk.at(2026, 12, 23, 16, 0)
    # In Bavaria the 24th is worked, 25th and 26th are off, and the 27th is a Sunday.
    assert desk.open().resolution_due_at == datetime(2026, 12, 24, 16, tzinfo=BERLIN)
    desk.at(2026, 12, 24, 16, 0)
    assert desk.open().resolution_due_at == datetime(2026, 12, 28, 16, tzinfo=BERLIN)


def test_triage_counts_by_contract_and_site_and_an_escalation_never_gives_more(desk: Desk) -> None:
    (decision,) = [desk.world.decide("SN-1", Severity.MAJOR)]
    assert decision.decision is DecisionKind.OPENED
    (order,) = desk.world.orders()
    assert (order["priority"], order["resolution_due_at"]) == ("P2", datetime(2026, 11, 30, 15, tzinfo=BERLIN))
    # P1 has four hours around the clock from now on: sooner than Monday.
    desk.at(2026, 11, 27, 16, 0)
    desk.world.decide("SN-1", Severity.CRITICAL, monitor="m2")
    (order,) = desk.world.orders()
    assert (order["priority"], order["resolution_due_at"]) == ("P1", datetime(2026, 11, 27, 20, tzinfo=BERLIN))
    assert desk.events() == ["STARTED", "ESCALATED"]
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


def waive(desk: Desk, **payload: Any) -> str:
    wish = ApprovalWish(ApprovalKind.SLA_WAIVER, CODE, payload, "no access: the ward was closed")
    people = [(name, actor(name, Permission.SLA_WAIVE, desk.people[name])) for name in ("mia", "max")]
    asked = ""
    for name, by in people:
        signature = Signature(desk.people[name], name.title(), "I agree")
        with desk.world.conn.transaction():
            if not asked:
                asked = ask_approval(desk.world.conn, by, wish, HANDLERS, signature, desk.world.now).code
                continue
            decide_approval(
                desk.world.conn,
                by,
                asked,
                ApprovalState.GRANTED,
                HANDLERS,
                reason="",
                signature=signature,
                expected_row_version=None,
                now=desk.world.now,
            )
    return asked


def test_two_people_waive_a_clock_and_its_breach_stays_to_be_seen(desk: Desk) -> None:
    desk.open()
    desk.start_work()
    with pytest.raises(GuardRefusedError) as refused:
        waive(desk, clock="RESPONSE", version=1)
    assert refused.value.guard == WaiverGuard.NOTHING_TO_WAIVE
    desk.at(2026, 11, 30, 16, 0)
    tick(desk.world.conn, desk.world.now)
    request = waive(desk, clock="RESOLUTION", version=1)
    clock = desk.clock()
    assert (clock["state"], clock["waived_at"]) == ("BREACHED", desk.world.now)
    assert clock["waiver_reason"] == "no access: the ward was closed"
    (order,) = desk.world.orders()
    assert order["resolution_breached"]
    (event, *_) = load_audit_events(desk.world.conn, AuditFilter(action="sla.waived"))
    assert event.after is not None
    assert (event.entity_id, event.after["approval_request"]) == (CODE, request)
    with pytest.raises(GuardRefusedError) as refused:
        waive(desk, clock="RESOLUTION", version=1)
    assert refused.value.guard == WaiverGuard.WAIVED_ALREADY
    with pytest.raises(GuardRefusedError) as refused:
        waive(desk, clock="RESOLUTION", version=2)
    assert refused.value.guard == WaiverGuard.NO_SUCH_CLOCK
    desk.verify()


def test_a_waived_clock_that_ran_is_due_no_more(desk: Desk) -> None:
    desk.open()
    waive(desk, clock="RESOLUTION", version=1)
    (order,) = desk.world.orders()
    assert (order["resolution_due_at"], desk.clock()["state"]) == (None, "STOPPED")
    desk.at(2026, 12, 24, 16, 0)
    tick(desk.world.conn, desk.world.now)
    said = desk.world.rows("SELECT body -> 'data' ->> 'clock' AS clock FROM outbox WHERE type = 'sla.breached'")
    assert said == [{"clock": "RESPONSE"}]
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


def test_events_and_versions_are_written_once(desk: Desk) -> None:
    desk.open()
    for table in ("sla_event", "service_calendar_version", "sla_policy_version"):
        for change in (f"UPDATE {table} SET version = 7", f"DELETE FROM {table}"):
            with pytest.raises(InsufficientPrivilege):
                desk.world.conn.execute(change.encode())
    (events,) = [v for k, v in load_clock_events(desk.world.conn, [1]).items() if k[2] is ClockKind.RESPONSE]
    clock = read_clock(events, desk.world.now)
    assert clock is not None
    assert (clock.limit.terms.policy_version_id, clock.limit.terms.schedule.zone_name) == (1, "Europe/Berlin")


def test_calendars_are_renewed_for_the_years_to_come_and_running_clocks_keep_theirs(desk: Desk) -> None:
    before = desk.open()
    conn, by = desk.world.conn, actor("service_link", MANAGER)
    assert renew_calendars(conn, by, desk.world.now) == []
    later = desk.world.now.replace(year=2032)
    assert renew_calendars(conn, by, later) == ["office"]
    assert renew_calendars(conn, by, later) == []
    row = load_calendar(conn, "office")
    assert row is not None
    assert (row.version, row.first_year, row.last_year) == (2, 2031, 2042)
    assert mend_clocks(conn, by, desk.world.now) == []
    assert load_work_order(conn, CODE) == before


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
