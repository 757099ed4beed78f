"""Each rule from a recorded breach to rows: order, link, decision, audit, outbox. What is put off: test_put_off.py."""

from datetime import date, timedelta

from domain.breach import BreachKind, Severity
from domain.profile import TicketPolicy
from domain.roles import Permission
from domain.tickets import DecisionKind, Priority, TicketReason
from domain.work_order import WorkOrderType
from service_link.ticks import tick
from store.audit import verify_chain
from store.manual_orders import open_manual_order
from store.work_order_filters import WorkOrderFilter
from store.work_order_lists import load_work_order_page
from tests.support.databases import Database
from tests.support.service_world import World, actor, make_profile, open_world


def test_a_major_breach_opens_one_order_with_everything_it_needs(world: World) -> None:
    episode = world.raise_breach("SN-1")
    (decision,) = world.triage()
    assert (decision.decision, decision.reason) == (DecisionKind.OPENED, TicketReason.OPENED_MAJOR)
    (order,) = world.orders()
    assert order["code"] == "WO-2026-000001"
    assert (order["state"], order["priority"], order["inbox_reason"]) == ("NEW", "P2", "NEW")
    assert (order["breach_count"], order["title_code"]) == (1, "limit_high")
    assert order["response_due_at"] == world.now + timedelta(hours=4)
    assert [str(r["breach_id"]) for r in world.rows("SELECT * FROM work_order_breach")] == [episode.id]
    audited = world.rows("SELECT action FROM audit_event WHERE entity = 'work_order'")
    assert [r["action"] for r in audited] == ["workorder.opened"]
    events = world.rows("SELECT * FROM outbox ORDER BY id")
    assert {e["type"] for e in events} == {"breach.opened", "workorder.opened"}
    for event in events:
        assert event["body"]["specversion"] == "1.0"
        assert event["body"]["id"] == str(event["event_id"])
        assert event["body"]["subject"] == event["subject"] == "SN-1"
    assert world.triage() == []


def test_a_breach_joins_and_raises_the_priority_but_never_lowers_it(world: World) -> None:
    world.decide("SN-1")
    world.pass_time(minutes=10)
    worse = world.decide("SN-1", Severity.CRITICAL, monitor="other")
    assert (worse.decision, worse.reason) == (DecisionKind.JOINED, TicketReason.JOINED_AND_RAISED_PRIORITY)
    world.pass_time(minutes=10)
    better = world.decide("SN-1", Severity.MINOR, monitor="third")
    assert (better.decision, better.reason) == (DecisionKind.JOINED, TicketReason.JOINED_OPEN_ORDER)
    (order,) = world.orders()
    assert (order["priority"], order["breach_count"]) == ("P1", 3)
    # The clock is new from the escalation, ten minutes after the opening.
    assert order["response_due_at"] == world.now - timedelta(minutes=10) + timedelta(hours=1)


def test_an_escalation_of_the_same_breach_raises_its_order_once(world: World) -> None:
    episode = world.raise_breach("SN-1")
    world.triage()
    world.pass_time(minutes=1)
    world.escalate(episode, Severity.CRITICAL)
    (decision,) = world.triage()
    assert (decision.decision, decision.reason) == (DecisionKind.ESCALATED, TicketReason.PRIORITY_RAISED)
    (order,) = world.orders()
    assert (order["priority"], order["breach_count"]) == ("P1", 1)


def test_a_manual_order_takes_the_breach_in(world: World) -> None:
    with world.conn.transaction():
        manual = open_manual_order(
            world.conn,
            actor("manager", Permission.WORK_ORDER_CREATE, 1),
            "SN-1",
            type_=WorkOrderType.CORRECTIVE,
            priority=Priority.P4,
            fault_group="motor_wear",
            description="it hums",
            now=world.now,
        )
    decision = world.decide("SN-1")
    assert (decision.decision, decision.work_order_id) == (DecisionKind.JOINED, manual.id)
    (order,) = world.orders()
    assert order["priority"] == "P2"


def test_the_third_minor_episode_opens(world: World) -> None:
    reasons = []
    for n in range(3):
        world.pass_time(hours=1)
        reasons.append(world.decide("SN-1", Severity.MINOR, monitor=f"m{n}").reason)
    assert reasons == [TicketReason.BELOW_THRESHOLD, TicketReason.BELOW_THRESHOLD, TicketReason.THIRD_MINOR]
    assert len(world.orders()) == 1


def test_minor_episodes_of_another_day_do_not_count(world: World) -> None:
    for n in range(3):
        world.pass_time(hours=13)
        assert world.decide("SN-1", Severity.MINOR, monitor=f"m{n}").reason is TicketReason.BELOW_THRESHOLD


def test_what_arrives_late_opens_only_if_it_is_still_true(world: World) -> None:
    over = world.raise_breach("SN-1", at=world.now - timedelta(hours=1), received_at=world.now)
    still = world.raise_breach("SN-2", at=world.now - timedelta(hours=1), received_at=world.now)
    world.now = world.rows("SELECT now() AS now")[0]["now"]
    assert world.triage() == []  # the rest of the backlog is awaited
    world.clear(over, at=over.raised.at + timedelta(minutes=5))
    world.pass_time(seconds=25)
    assert [d.reason for d in world.triage()] == [
        TicketReason.LATE_NO_LONGER_TRUE,
        TicketReason.OPENED_MAJOR,
        TicketReason.CLEARED_WITHOUT_ORDER,
    ]
    (order,) = world.orders()
    assert order["device_id"] == still.raised.device_id == world.devices["SN-2"]


def test_clearing_starts_the_quiet_period_and_only_its_end_makes_ready(world: World) -> None:
    one = world.raise_breach("SN-1")
    other = world.raise_breach("SN-1", monitor="other")
    world.triage()
    world.pass_time(minutes=1)
    world.clear(one)
    assert [d.reason for d in world.triage()] == [TicketReason.OTHERS_STILL_ACTIVE]
    world.clear(other)
    (decision,) = world.triage()
    assert (decision.decision, decision.reason) == (DecisionKind.QUIET, TicketReason.ALL_CLEARED)
    (order,) = world.orders()
    assert (order["state"], order["quiet_since"], order["ready_to_verify_at"]) == ("NEW", world.now, None)
    world.pass_time(hours=1)
    tick(world.conn, world.now)
    assert world.orders()[0]["ready_to_verify_at"] is None
    world.pass_time(hours=1)
    tick(world.conn, world.now)
    assert world.orders()[0]["ready_to_verify_at"] == world.now
    world.decide("SN-1", monitor="again")
    (order,) = world.orders()
    assert (order["quiet_since"], order["ready_to_verify_at"], order["breach_count"]) == (None, None, 3)


def _close(world: World, outcome: str) -> None:
    world.conn.execute(
        "UPDATE work_order SET state = 'CLOSED', outcome = %s, closed_at = %s WHERE state <> 'CLOSED'",
        (outcome, world.now),
    )


def test_within_fourteen_days_it_is_reopened_later_it_recurs(world: World) -> None:
    first = world.raise_breach("SN-1")
    world.triage()
    world.clear(first, at=world.now + timedelta(minutes=1))
    world.triage()
    _close(world, "CONFIRMED")
    world.pass_time(days=13)
    again = world.decide("SN-1")
    assert (again.decision, again.reason) == (DecisionKind.REOPENED, TicketReason.REOPENED_WITHIN_DAYS)
    (order,) = world.orders()
    assert (order["state"], order["version"], order["reopen_count"], order["outcome"]) == ("TRIAGED", 2, 1, None)
    assert (order["inbox_reason"], order["breach_count"]) == ("REOPENED", 2)
    assert order["resolution_due_at"] == world.now + timedelta(hours=24)
    _close(world, "CONFIRMED")
    world.pass_time(days=15)
    later = world.decide("SN-1", monitor="late")
    assert (later.decision, later.reason) == (DecisionKind.OPENED, TicketReason.RECURRENCE)
    assert world.orders()[1]["recurrence_of"] == order["id"]


def test_a_device_that_was_moved_gets_an_order_of_its_new_customer(world: World) -> None:
    world.decide("SN-1")
    _close(world, "CONFIRMED")
    site_id = world.add_site("S2")
    world.conn.execute("UPDATE device SET site_id = %s WHERE serial = 'SN-1'", (site_id,))
    world.pass_time(days=1)
    assert world.decide("SN-1", monitor="again").decision is DecisionKind.OPENED
    old, new = world.orders()
    assert (old["state"], new["state"], new["site_id"], new["recurrence_of"]) == ("CLOSED", "NEW", site_id, None)
    assert old["customer_id"] != new["customer_id"]


def test_a_false_alarm_is_never_reopened(world: World) -> None:
    world.decide("SN-1")
    _close(world, "FALSE_ALARM")
    world.pass_time(days=1)
    again = world.decide("SN-1")
    assert (again.decision, again.reason) == (DecisionKind.OPENED, TicketReason.CLOSED_AS_FALSE_ALARM)
    assert len(world.orders()) == 2


def test_work_reported_done_goes_back_to_work_when_the_breach_comes_back(world: World) -> None:
    world.decide("SN-1")
    world.conn.execute("UPDATE work_order SET state = 'WORK_DONE', outcome = 'CONFIRMED', inbox_reason = NULL")
    decision = world.decide("SN-1", monitor="again")
    assert (decision.decision, decision.reason) == (DecisionKind.JOINED, TicketReason.CAME_BACK_AFTER_WORK)
    (order,) = world.orders()
    assert (order["state"], order["outcome"], order["inbox_reason"]) == ("IN_PROGRESS", None, "CAME_BACK")


def test_three_devices_offline_behind_one_gateway_are_one_order(world: World) -> None:
    site = world.add_site("S2")
    gateway = world.add_gateway("GW-1", site)
    for n in range(5):
        world.add_device(f"G-{n}", site, gateway_id=gateway)
    episodes = []
    for n in range(5):
        episodes.append(world.raise_breach(f"G-{n}", fault_group="connectivity", kind=BreachKind.OFFLINE))
        world.triage()
        world.pass_time(seconds=5)
    decisions = world.rows("SELECT decision, reason FROM ticket_decision ORDER BY transition_id")
    assert [d["reason"] for d in decisions] == [
        "opened_major",
        "opened_major",
        "gateway_offline",
        "joined_gateway_order",
        "joined_gateway_order",
    ]
    orders = world.orders()
    parent = orders[2]
    assert len(orders) == 3
    assert (parent["gateway_id"], parent["device_id"], parent["breach_count"]) == (gateway, None, 5)
    assert [o["parent_id"] for o in orders] == [parent["id"], parent["id"], None]
    for episode in episodes:
        world.clear(episode)
    world.triage()
    assert all(o["quiet_since"] == world.now for o in world.orders())


def test_three_devices_offline_in_one_batch_need_no_single_orders(world: World) -> None:
    site = world.add_site("S2")
    gateway = world.add_gateway("GW-1", site)
    for n in range(3):
        world.add_device(f"G-{n}", site, gateway_id=gateway)
        world.raise_breach(f"G-{n}", fault_group="connectivity", kind=BreachKind.OFFLINE)
    world.triage()
    (order,) = world.orders()
    assert (order["title_code"], order["breach_count"]) == ("gateway_offline", 3)


def test_a_storm_at_one_site_has_one_parent(world: World) -> None:
    site = world.add_site("S2")
    for n in range(6):
        world.add_device(f"G-{n}", site)
        world.raise_breach(f"G-{n}")
        world.triage()
        world.pass_time(minutes=1)
    orders = world.orders()
    (parent,) = [o for o in orders if o["fault_group"] == "site_storm"]
    children = [o for o in orders if o["id"] != parent["id"]]
    assert len(children) == 6
    assert {c["parent_id"] for c in children} == {parent["id"]}
    assert (parent["site_id"], parent["breach_count"]) == (site, 6)
    reasons = [r["reason"] for r in world.rows("SELECT reason FROM ticket_decision ORDER BY transition_id")]
    assert reasons == ["opened_major"] * 4 + ["site_storm", "opened_major"]
    assert parent["priority"] == "P2"
    inbox = load_work_order_page(world.conn, WorkOrderFilter(inbox_only=True)).rows
    assert [(row.code, row.child_count) for row in inbox] == [(parent["code"], 6)]
    # What is worse below it makes the parent as urgent.
    world.decide("G-0", Severity.CRITICAL, fault_group="occlusion")
    assert world.rows("SELECT priority FROM work_order WHERE id = %s", parent["id"]) == [{"priority": "P1"}]


def test_a_decommissioned_device_opens_nothing(world: World) -> None:
    world.conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED'")
    assert world.decide("SN-1", Severity.CRITICAL).reason is TicketReason.DECOMMISSIONED


def test_clocks_run_out_once_and_stay_so(world: World) -> None:
    world.decide("SN-1")
    world.pass_time(hours=3, minutes=30)
    tick(world.conn, world.now)
    tick(world.conn, world.now)
    world.pass_time(hours=1)
    tick(world.conn, world.now)
    tick(world.conn, world.now)
    (order,) = world.orders()
    assert (order["response_warned"], order["response_breached"], order["resolution_breached"]) == (True, True, False)
    told = world.rows("SELECT type FROM outbox WHERE type LIKE 'sla.%%' ORDER BY id")
    assert [t["type"] for t in told] == ["sla.due_soon", "sla.breached"]


def test_the_policy_is_the_profiles(any_database: Database) -> None:
    profile = make_profile("SOFT", safety_critical=False, policy=TicketPolicy(minor_episodes=1, reopen_days=1.0))
    with open_world(any_database.url, profile) as world:
        world.add_device("X-1", world.add_site("S", contract=True), model="SOFT")
        decision = world.decide("X-1", Severity.MINOR)
        assert decision.reason is TicketReason.THIRD_MINOR
        assert world.orders()[0]["priority"] == "P4"
        assert world.orders()[0]["contract_id"] is not None
        _close(world, "CONFIRMED")
        world.pass_time(days=2)
        assert world.decide("X-1", Severity.MAJOR).reason is TicketReason.RECURRENCE


def test_everything_is_in_the_chain(world: World) -> None:
    for n in range(3):
        world.decide("SN-1", Severity.MAJOR, monitor=f"m{n}")
    report = verify_chain(world.conn)
    assert report.holds
    assert report.checked == 4  # the profile, and three decisions
    assert world.now.date() > date(2026, 1, 1)
