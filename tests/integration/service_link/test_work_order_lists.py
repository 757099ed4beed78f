"""What lists and pages of work orders read: the inbox, sorting, paging, filters, why an order opened."""

from datetime import timedelta
from typing import Any

import pytest

from domain.breach import Severity
from domain.roles import Permission
from domain.work_order import (
    WorkOrderState,
)
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import SORTS, load_work_order_page
from store.work_order_notes import record_note
from store.work_order_pages import (
    load_linked_breaches,
    load_order_cards,
    load_order_decisions,
    load_similar_orders,
    load_timeline,
)
from store.work_order_transitions import record_acknowledgement
from tests.support.service_world import actor
from tests.support.staff import Staff

_S = WorkOrderState


def test_the_inbox_holds_what_a_person_has_yet_to_look_at(staff: Staff) -> None:
    world = staff.world

    def inbox() -> dict[str, str | None]:
        rows = load_work_order_page(world.conn, WorkOrderFilter(inbox_only=True), sort="created").rows
        return {r.code: r.inbox_reason for r in rows}

    episode = world.raise_breach("SN-1")
    world.triage()
    world.decide("SN-2")
    assert inbox() == {"WO-2026-000001": "NEW", "WO-2026-000002": "NEW"}
    staff.move("mia", "WO-2026-000001", _S.TRIAGED)
    assert inbox() == {"WO-2026-000002": "NEW"}
    world.pass_time(minutes=1)
    world.escalate(episode, Severity.CRITICAL)
    world.triage()
    assert inbox() == {"WO-2026-000001": "ESCALATED", "WO-2026-000002": "NEW"}
    with world.conn.transaction():
        record_acknowledgement(
            world.conn,
            actor("mia", Permission.WORK_ORDER_TRIAGE, 2),
            "WO-2026-000001",
            expected_row_version=None,
            now=world.now,
        )
    assert inbox() == {"WO-2026-000002": "NEW"}


@pytest.mark.parametrize("sort", SORTS)
def test_every_sort_order_pages_through_all_without_a_gap(staff: Staff, sort: str) -> None:
    world = staff.world
    for n in range(12):
        severity = (Severity.MAJOR, Severity.CRITICAL)[n % 2]
        world.decide(f"SN-{1 + n % 4}", severity, fault_group=f"g{n // 4}")
        world.pass_time(seconds=n % 3)
    seen: list[str] = []
    cursor = None
    for _ in range(6):
        page = load_work_order_page(world.conn, sort=sort, cursor=cursor, limit=5, with_total=True)
        assert page.total == 12
        seen += [r.code for r in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 12
    whole = [r.code for r in load_work_order_page(world.conn, sort=sort, limit=100).rows]
    assert seen == whole
    if sort == "priority":
        priorities = [r.priority for r in load_work_order_page(world.conn, sort=sort).rows]
        assert priorities == sorted(priorities)


@pytest.mark.parametrize("cursor", ["x", "W10=", "bm9uc2Vuc2U", "WzEsMiwzXQ"])
def test_a_cursor_that_is_not_ours_is_refused(staff: Staff, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        load_work_order_page(staff.world.conn, cursor=cursor)


def test_filters_narrow_the_list(staff: Staff) -> None:
    world = staff.world
    world.decide("SN-1")
    world.decide("SN-2", Severity.CRITICAL, fault_group="occlusion")
    staff.move("mia", "WO-2026-000001", _S.TRIAGED)
    staff.move("mia", "WO-2026-000001", _S.ASSIGNED, assignee_id=staff.people["tina"])

    def codes(**wanted: Any) -> list[str]:
        page = load_work_order_page(world.conn, WorkOrderFilter(**wanted), sort="created", with_total=True)
        assert page.total == len(page.rows)
        return [r.code[-1] for r in page.rows]

    assert codes() == ["2", "1"]
    assert codes(states=("ASSIGNED",)) == ["1"]
    assert codes(priorities=("P1",)) == ["2"]
    assert codes(fault_groups=("motor_wear", "occlusion")) == ["2", "1"]
    assert codes(serial="SN-1") == ["1"]
    assert codes(models=("PUMP",), firmwares=("2.4.1",)) == ["2", "1"]
    assert codes(firmwares=("9",)) == []
    assert codes(customer_codes=("C-S2",)) == ["2"]
    assert codes(assignee="tina") == ["1"]
    assert codes(open_only=True, is_simulated=False) == ["2", "1"]
    assert codes(is_simulated=True) == []
    (row,) = load_work_order_page(world.conn, WorkOrderFilter(serial="SN-1")).rows
    assert (row.assignee, row.active_breach_count, row.customer_code, row.next_due_at) == (
        "tina",
        1,
        "C-S1",
        row.resolution_due_at,
    )


def test_the_page_tells_why_it_opened_and_what_happened(staff: Staff) -> None:
    world = staff.world
    world.decide("SN-2")
    staff.work_through("WO-2026-000001")
    world.pass_time(days=1)
    episode = world.raise_breach("SN-1")
    world.triage()
    code = "WO-2026-000002"
    with world.conn.transaction():
        record_note(world.conn, actor("mia", Permission.WORK_ORDER_NOTE, 2), code, "called the ward", now=world.now)
    order = staff.load(code)
    (breach,) = load_linked_breaches(world.conn, order.id)
    assert (str(breach.id), breach.serial, breach.evidence) == (episode.id, "SN-1", None)
    (decision,) = load_order_decisions(world.conn, order.id)
    assert (decision.decision, decision.reason, decision.work_order_code) == ("OPENED", "opened_major", code)
    kinds = {(line.kind, line.code) for line in load_timeline(world.conn, order.id, code)}
    assert kinds == {("audit", "workorder.opened"), ("decision", "opened_major"), ("note", "")}
    (similar,) = load_similar_orders(world.conn, order.id, now=world.now)
    assert (similar.code, similar.outcome, similar.work_performed) == ("WO-2026-000001", "CONFIRMED", "replaced motor")
    assert load_similar_orders(world.conn, order.id, now=world.now + timedelta(days=181)) == []
    cards = load_order_cards(world.conn, order.id)
    assert cards is not None
    assert (cards.serial, cards.lot, cards.firmware, cards.customer_code) == ("SN-1", "L1", "2.4.1", "C-S1")
    assert (cards.contract_code, cards.open_orders_of_device) == ("K-S1", 1)
