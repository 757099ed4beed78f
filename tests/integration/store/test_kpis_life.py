"""Key figures of an order that people took through its life: a hold, work that was sent back, a reopening."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.kpi import KpiFigure
from domain.roles import Permission
from domain.tickets import Priority
from domain.work_order import HoldReason, Outcome, WorkOrderState, WorkOrderType
from store.manual_orders import open_manual_order
from tests.support.databases import Database
from tests.support.kpis import KpiWorld
from tests.support.staff import RECORD, Staff, open_staff

_S = WorkOrderState


@pytest.fixture
def staff(any_database: Database) -> Iterator[Staff]:
    with open_staff(any_database.url) as opened:
        yield opened


def test_an_order_that_was_held_sent_back_and_reopened(staff: Staff) -> None:
    world, kpis = staff.world, KpiWorld(staff.world)

    def ask(key: str) -> KpiFigure:
        return kpis.ask(key, until=world.now + timedelta(seconds=1))  # what has just happened is in it

    opener = staff.act("mia", Permission.WORK_ORDER_CREATE)
    with world.conn.transaction():
        code = open_manual_order(
            world.conn,
            opener,
            "SN-1",
            type_=WorkOrderType.CORRECTIVE,
            priority=Priority.P2,  # 4 h to respond, 24 h to resolve, around the clock
            fault_group="motor_wear",
            description="it stopped",
            now=world.now,
        ).code
    world.pass_time(hours=2)
    staff.start(code)  # 2 h: answered
    world.pass_time(hours=2)
    staff.move("tina", code, _S.ON_HOLD, hold_reason=HoldReason.PARTS)
    world.pass_time(hours=40)
    staff.move("tina", code, _S.IN_PROGRESS)
    world.pass_time(hours=1)
    staff.move("tina", code, _S.WORK_DONE, outcome=Outcome.CONFIRMED, close_out=RECORD)
    world.pass_time(hours=1)
    staff.move("mia", code, _S.IN_PROGRESS, reason="it still drips")
    # Nobody says any more that it was confirmed: it is no failure now, and left out.
    found = ask("mtbf")
    assert (found.records, found.left_out) == (0, 1)
    world.pass_time(hours=2)
    staff.finish(code)  # 2 + 2 + 40 + 1 + 1 + 2 = 48 h by the wall; 8 h without the hold
    found = ask("time_to_restore")
    assert (found.value, found.records) == (48.0, 1)
    # The hold for parts pauses the clock: 8 of 24 h were used.
    assert [ask(key).value for key in ("sla_met", "sla_response_met", "sla_resolution_met")] == [1.0, 1.0, 1.0]
    world.pass_time(days=5)
    staff.move("mia", code, _S.TRIAGED, reason="it came back")
    # What the first version came to is known from what was signed.
    assert (ask("time_to_restore").value, ask("response_time").value) == (48.0, 2.0)
    world.pass_time(hours=5)
    staff.move("mia", code, _S.ASSIGNED, assignee_id=staff.people["tina"])  # 5 h: too late
    staff.move("tina", code, _S.IN_PROGRESS)
    world.pass_time(hours=1)
    staff.finish(code)  # 6 h
    # (2 + 5) / 2 and (48 + 6) / 2; two failures; of two versions one broke its response.
    assert (ask("response_time").value, ask("time_to_restore").value) == (3.5, 27.0)
    assert ask("mtbf").records == 2
    assert [ask(key).value for key in ("sla_met", "sla_response_met", "sla_resolution_met")] == [0.5, 0.5, 1.0]
    # One order, not fixed the first time, as soon as the 30 days are over: 24.75 of them are left.
    assert (ask("first_time_fix").value, ask("first_time_fix").left_out) == (None, 1)
    world.pass_time(days=25)
    fixed = ask("first_time_fix")
    assert (fixed.value, fixed.records) == (0.0, 1)
