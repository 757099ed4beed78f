"""What a shelving or maintenance puts off, and what is decided when it is over and the device was heard again."""

from datetime import timedelta

from domain.breach import BreachKind, Severity
from domain.reading import ReadingFlag
from domain.roles import Permission
from domain.tickets import DecisionKind, TicketReason
from service_link.ticks import tick
from store.shelvings import end_shelving, record_shelving
from tests.support.service_world import World, actor


def test_shelved_is_recorded_only_until_the_shelving_ends(world: World) -> None:
    with world.conn.transaction():
        shelving = record_shelving(
            world.conn,
            actor("manager", Permission.DEVICE_SHELVE, 1),
            "SN-1",
            fault_group="motor_wear",
            reason="part ordered",
            until=world.now + timedelta(days=1),
            now=world.now,
        )
    first = world.decide("SN-1")
    assert (first.decision, first.reason) == (DecisionKind.NOTHING, TicketReason.SHELVED)
    assert first.params["because"] == "part ordered"
    assert world.decide("SN-1", fault_group="occlusion").decision is DecisionKind.OPENED
    assert world.queue.decide_put_off(world.conn, world.now) == []
    with world.conn.transaction():
        end_shelving(world.conn, actor("manager", Permission.DEVICE_SHELVE, 1), shelving, now=world.now)
    assert world.queue.decide_put_off(world.conn, world.now) == [], "nothing was heard since"
    world.hear("SN-1", world.now + timedelta(seconds=5), world.now + timedelta(minutes=16))
    world.pass_time(minutes=17)
    (again,) = world.queue.decide_put_off(world.conn, world.now)
    assert (again.decision, again.reason) == (DecisionKind.OPENED, TicketReason.SHELVING_EXPIRED)
    assert world.queue.decide_put_off(world.conn, world.now) == []
    decisions = world.rows("SELECT reason FROM ticket_decision WHERE transition_id = %s", again.transition_id)
    assert decisions == [{"reason": "shelving_expired"}]


def test_a_shelving_runs_out_by_itself(world: World) -> None:
    with world.conn.transaction():
        record_shelving(
            world.conn,
            actor("manager", Permission.DEVICE_SHELVE, 1),
            "SN-1",
            fault_group=None,
            reason="calibration bench",
            until=world.now + timedelta(hours=1),
            now=world.now,
        )
    assert world.decide("SN-1").reason is TicketReason.SHELVED
    critical = world.decide("SN-1", Severity.CRITICAL, fault_group="occlusion")
    assert critical.reason is TicketReason.CRITICAL_OVERRIDES_SHELVING
    world.pass_time(hours=2)
    tick(world.conn, world.now)
    world.hear("SN-1", world.now, world.now + timedelta(minutes=15))
    world.pass_time(minutes=15)
    (again,) = world.queue.decide_put_off(world.conn, world.now)
    assert again.reason is TicketReason.SHELVING_EXPIRED
    assert world.rows("SELECT ended_at IS NOT NULL AS ended FROM shelving") == [{"ended": True}]


def test_maintenance_suppresses_until_its_time_is_out(world: World) -> None:
    world.conn.execute("UPDATE device SET lifecycle = 'UNDER_MAINTENANCE', lifecycle_since = %s", (world.now,))
    assert world.decide("SN-1").reason is TicketReason.UNDER_MAINTENANCE
    critical = world.decide("SN-2", Severity.CRITICAL)
    assert critical.reason is TicketReason.CRITICAL_OVERRIDES_MAINTENANCE
    world.pass_time(hours=9)
    world.hear("SN-1", world.now - timedelta(minutes=20), world.now)
    (again,) = world.queue.decide_put_off(world.conn, world.now)
    assert again.reason is TicketReason.MAINTENANCE_TIMED_OUT


def test_what_a_calibration_showed_opens_nothing_before_the_device_was_heard_in_use_again(world: World) -> None:
    world.conn.execute("UPDATE device SET lifecycle = 'UNDER_MAINTENANCE', lifecycle_since = %s", (world.now,))
    calibration = world.raise_breach("SN-1")
    silent = world.raise_breach("SN-2", kind=BreachKind.OFFLINE, fault_group="connectivity")
    assert {d.reason for d in world.triage()} == {TicketReason.UNDER_MAINTENANCE}
    # The network is lost in the middle of the calibration, and comes back after the device went back to its ward.
    world.hear("SN-1", world.now, world.now + timedelta(minutes=20))
    world.pass_time(hours=1)
    world.conn.execute("UPDATE device SET lifecycle = 'IN_SERVICE', lifecycle_since = %s", (world.now,))
    waited = [d.transition_id for d in world.queue.decide_put_off(world.conn, world.now)]
    assert len(waited) == 1, "of silence alone there is nothing more to hear"
    assert world.rows("SELECT breach_id FROM breach_transition WHERE id = %s", waited[0]) == [
        {"breach_id": silent.raised.breach_id}
    ]
    back = world.now + timedelta(hours=3)
    world.hear("SN-1", back, back + timedelta(minutes=14))
    world.pass_time(hours=3, minutes=14)
    assert world.queue.decide_put_off(world.conn, world.now) == [], "it may still clear"
    world.clear(calibration)
    world.triage()
    world.hear("SN-1", back + timedelta(minutes=30))
    world.pass_time(hours=1)
    assert world.queue.decide_put_off(world.conn, world.now) == []
    assert [o["fault_group"] for o in world.orders()] == ["connectivity"]


def test_late_and_bad_readings_are_not_heard(world: World) -> None:
    world.conn.execute("UPDATE device SET lifecycle = 'UNDER_MAINTENANCE', lifecycle_since = %s", (world.now,))
    world.decide("SN-1")
    world.conn.execute("UPDATE device SET lifecycle = 'IN_SERVICE'")
    world.hear("SN-1", world.now, flags=ReadingFlag.BAD)
    world.hear("SN-1", world.now + timedelta(minutes=30))
    world.pass_time(hours=1)
    assert world.queue.decide_put_off(world.conn, world.now) == []
    world.hear("SN-1", world.now)
    (again,) = world.queue.decide_put_off(world.conn, world.now)
    assert again.reason is TicketReason.MAINTENANCE_TIMED_OUT
