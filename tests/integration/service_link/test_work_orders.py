"""A work order in people's hands: guards, versions, signature, flags, and what lists and pages read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg.errors import InsufficientPrivilege

from domain.audit import Signature
from domain.breach import Severity
from domain.clock import to_micros
from domain.errors import GuardRefusedError, NotFoundError, RowVersionConflictError
from domain.report import WorkReport, report_from_json
from domain.roles import Permission
from domain.tickets import DecisionKind
from domain.work_order import (
    CloseOut,
    Guard,
    HoldReason,
    Outcome,
    TransitionRequest,
    WorkOrder,
    WorkOrderState,
    find_permissions_for,
)
from service_link.ticks import tick
from store.audit import AuditFilter, load_audit_events, verify_chain
from store.monitor_flags import load_monitor_flags
from store.pool import open_connection
from store.work_order_lists import SORTS, WorkOrderFilter, load_work_order_page
from store.work_order_pages import (
    load_linked_breaches,
    load_order_cards,
    load_order_decisions,
    load_similar_orders,
    load_timeline,
)
from store.work_order_transitions import record_acknowledgement, record_note, record_transition
from store.work_orders import load_work_order
from tests.support.databases import Database
from tests.support.service_world import World, actor, open_world

_S = WorkOrderState
RECORD = CloseOut("Pump", "SN-1", date(2026, 11, 22), "Tina Tech", "replaced motor", "12 runs within 2 %")


@dataclass(slots=True)
class Staff:
    """A world with a technician and two managers who work on its orders."""

    world: World
    people: dict[str, int] = field(default_factory=dict)

    def move(self, who: str, code: str, to: WorkOrderState, **more: Any) -> WorkOrder:
        order = self.load(code)
        (permission, *_) = find_permissions_for(order.state, to) or (Permission.WORK_ORDER_TRIAGE,)
        more.setdefault("expected_row_version", order.row_version)
        version = more.pop("expected_row_version")
        with self.world.conn.transaction():
            return record_transition(
                self.world.conn,
                actor(who, more.pop("by", permission), self.people[who]),
                code,
                TransitionRequest(to, **more),
                expected_row_version=version,
                now=self.world.now,
            )

    def load(self, code: str) -> WorkOrder:
        order = load_work_order(self.world.conn, code)
        assert order is not None
        return order

    def work_through(self, code: str, outcome: Outcome = Outcome.CONFIRMED) -> WorkOrder:
        """From NEW to CLOSED, each by whom it is for."""
        self.move("mia", code, _S.TRIAGED)
        self.move("mia", code, _S.ASSIGNED, assignee_id=self.people["tina"])
        self.move("tina", code, _S.IN_PROGRESS)
        self.move("tina", code, _S.WORK_DONE, outcome=outcome, close_out=RECORD, failure_code="motor_wear")
        self.move("mia", code, _S.VERIFIED, test_evidence="bench report")
        signature = Signature(self.people["mia"], "Mia Manager", "reviewed and closed")
        return self.move("mia", code, _S.CLOSED, signature=signature)


@pytest.fixture
def staff(any_database: Database) -> Iterator[Staff]:
    with open_world(any_database.url) as world:
        for n in range(1, 5):
            world.add_device(f"SN-{n}", world.add_site(f"S{n}", contract=True), firmware="2.4.1", lot="L1")
        people = {
            "tina": world.add_user("tina", "technician"),
            "mia": world.add_user("mia", "service_manager"),
            "otto": world.add_user("otto", "technician"),
        }
        world.certify("tina")
        yield Staff(world, people)


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
    assert (signature["entity_version"], signature["printed_name"]) == (1, "Mia Manager")
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


def test_an_order_says_in_one_sentence_what_is_wrong_in_its_events_too(staff: Staff) -> None:
    part = {"part": {"en": "Drive", "zh": "驱动"}, "sure": {"kind": "measured"}}
    staff.world.decide("SN-1", params=part)
    (event,) = staff.world.rows("SELECT body -> 'data' AS data FROM outbox WHERE type = 'workorder.opened'")
    assert "measured, not inferred; suspected part: Drive." in event["data"]["summary"]["en"]
    assert event["data"]["summary"]["zh"].endswith("疑似部件：驱动。")


def test_a_new_order_says_what_became_of_earlier_ones_of_its_monitor(staff: Staff) -> None:
    staff.world.conn.execute(
        "INSERT INTO monitor_quality (device_model_id, is_simulated, rule, monitor, profile_version, confirmed,"
        " sensor_fault, no_fault_found, false_alarm, precision_mean, precision_low, precision_high, tickets,"
        " device_days, allowed_rate, is_over_budget, judged_at) SELECT id, false, 'limit', 'current_high', 1, 8, 1, 0,"
        " 1, 0.9, 0.6, 1, 10, 100, 50, false, now() FROM device_model"
    )
    staff.world.decide("SN-1", params={"sure": {"kind": "measured"}})
    (event,) = staff.world.rows("SELECT body -> 'data' AS data FROM outbox WHERE type = 'workorder.opened'")
    assert "very likely true (90 %: 9 of 10 earlier orders" in event["data"]["summary"]["en"]
