"""SLA clocks that two people take out of the figures, on a real database."""

from typing import Any

import pytest

from domain.approval_request import ApprovalKind, ApprovalState, ApprovalWish
from domain.audit import Signature
from domain.errors import GuardRefusedError
from domain.roles import Permission
from domain.sla_waiver import WaiverGuard
from service_link.ticks import tick
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval, decide_approval
from store.audit import AuditFilter, load_audit_events
from tests.support.service_world import actor
from tests.support.sla_desk import CODE, Desk


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
