"""By which policy, calendar and holidays clocks count, on a real database; every version is kept."""

from datetime import date, datetime, timedelta

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.breach import Severity
from domain.service_calendar import CalendarDraft, SpecialDay
from domain.sla_clock import read_clock
from domain.sla_policy import ClockKind, SlaPolicy
from domain.tickets import DecisionKind, Priority
from domain.work_order import (
    HoldReason,
    WorkOrderState,
)
from store.service_calendars import CALENDARS, change_calendar, create_calendar, renew_calendars
from store.site_calendars import assign_calendar
from store.sla_clocks import load_clock_events
from store.sla_mending import mend_clocks
from store.sla_policies import change_policy
from store.work_orders import load_work_order
from tests.support.service_world import actor
from tests.support.sla_desk import BERLIN, CODE, MANAGER, TERMS, Desk

_S = WorkOrderState


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
    row = CALENDARS.load(conn, "office")
    assert row is not None
    assert (row.version, row.first_year, row.last_year) == (2, 2031, 2042)
    assert mend_clocks(conn, by, desk.world.now) == []
    assert load_work_order(conn, CODE) == before
