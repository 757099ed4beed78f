"""A CAPA from its proposal to its end: written, approved by two, carried out, measured on what came after."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from domain.capa import CapaState
from domain.capa_action import ActionRequest, ActionState
from domain.capa_effectiveness import EffectivenessMetric
from domain.errors import GuardRefusedError
from service_link.effectiveness import measure_effectiveness
from store.audit import verify_chain
from store.capa_actions import load_actions
from store.capa_effectiveness import load_counts, load_effectiveness_results
from store.capa_transitions import load_standing
from store.capas import load_capa
from tests.support.capas import Quality, make_quality
from tests.support.databases import Database
from tests.support.service_world import open_world

_S, _A = CapaState, ActionState


@pytest.fixture
def quality(any_database: Database) -> Iterator[Quality]:
    with open_world(any_database.url) as world:
        yield make_quality(world)


def refused(call: Any, *values: Any, **more: Any) -> str:
    with pytest.raises(GuardRefusedError) as caught:
        call(*values, **more)
    return str(caught.value.guard)


def test_from_the_proposal_to_a_closure_that_two_people_sign(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    assert refused(quality.move, "quinn", code, _S.CLOSED) == "no_such_transition"
    quality.plan(code)
    first = quality.move("ada", code, _S.IMPLEMENTATION)
    assert (first.state, load_standing(world.conn, first).plan_signed_by) == ("ACTION_PLAN", (quality.people["ada"],))
    assert quality.move("bob", code, _S.IMPLEMENTATION).state == "IMPLEMENTATION"
    assert refused(quality.move, "quinn", code, _S.VERIFICATION) == "actions_open"
    quality.act("quinn", code, 1, ActionRequest(_A.DONE, "motors replaced"))
    quality.move("quinn", code, _S.VERIFICATION)
    assert refused(quality.act, "quinn", code, 1, ActionRequest(_A.VERIFIED, "seen")) == "own_work"
    quality.act("rosa", code, 1, ActionRequest(_A.VERIFIED, "seen"))
    assert refused(quality.move, "ada", code, _S.EFFECTIVENESS, reason="") == "reason_missing"
    measured = quality.move("ada", code, _S.EFFECTIVENESS, reason="regression tests passed")
    assert measured.effective_from == world.now
    assert measured.effective_until == world.now + timedelta(days=60)

    world.pass_time(days=30)
    assert measure_effectiveness(world.conn, world.now) == [code]
    assert measure_effectiveness(world.conn, world.now) == []
    assert refused(quality.move, "ada", code, _S.CLOSED) == "period_not_over"
    world.pass_time(days=31)
    assert refused(quality.move, "ada", code, _S.CLOSED) == "effectiveness_outdated"
    assert measure_effectiveness(world.conn, world.now) == [code]
    (final, interim) = load_effectiveness_results(world.conn, measured.id)
    assert (interim.is_final, final.is_final, final.verdict) == (False, True, "MET")
    assert final.figures["events_before"] == 6
    assert final.figures["events_after"] == 0
    assert final.figures["device_days_after"] == pytest.approx(20 * 60)
    assert measure_effectiveness(world.conn, world.now) == []

    asked = quality.move("quinn", code, _S.CLOSED)  # who wrote it asks
    assert asked.state == "EFFECTIVENESS"
    assert refused(quality.move, "quinn", code, _S.CLOSED) == "second_person"
    closed = quality.move("bob", code, _S.CLOSED)
    assert (closed.state, closed.closed_at) == ("CLOSED", world.now)
    events = [row["type"] for row in world.rows("SELECT type FROM outbox WHERE type LIKE 'capa.%%' ORDER BY id")]
    assert events == ["capa.proposed", "capa.opened", "capa.closed"]
    assert verify_chain(world.conn).holds


def test_a_check_that_failed_goes_back_and_needs_another_cause_and_another_action(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    quality.bring_to_effectiveness(code)
    quality.fail_again()
    world.pass_time(days=60)
    measure_effectiveness(world.conn, world.now)
    failed = quality.load(code)
    assert (failed.state, failed.effectiveness_verdict) == ("EFFECTIVENESS", "FAILED")
    assert refused(quality.move, "ada", code, _S.CLOSED) == "effectiveness_failed"
    assert refused(quality.move, "quinn", code, _S.ACTION_PLAN) == "effectiveness_failed"
    back = quality.move("quinn", code, _S.INVESTIGATION, reason="eight motors wore again")
    assert (back.round, back.effectiveness_verdict, back.effective_until) == (2, None, None)
    assert refused(quality.move, "quinn", code, _S.ACTION_PLAN) == "root_cause_not_reviewed"
    quality.write_cause(code)
    quality.move("quinn", code, _S.ACTION_PLAN)
    assert refused(quality.move, "ada", code, _S.IMPLEMENTATION) == "action_missing"
    quality.add_action(code)
    quality.approve(code)
    assert [(a.number, a.round, a.state) for a in load_actions(world.conn, back.id)] == [
        (1, 1, "VERIFIED"),
        (2, 2, "OPEN"),
    ]
    # The comparison is still with what was before the first action.
    assert quality.load(code).before_until == failed.before_until


def test_a_false_alarm_that_turns_out_later_changes_the_verdict(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    quality.bring_to_effectiveness(code)
    quality.fail_again()
    world.pass_time(days=60)
    measure_effectiveness(world.conn, world.now)
    assert quality.load(code).effectiveness_verdict == "FAILED"
    later = "created_at > (SELECT effective_from FROM capa)"
    world.conn.execute(f"UPDATE work_order SET outcome = 'FALSE_ALARM', state = 'WORK_DONE' WHERE {later}".encode())
    assert measure_effectiveness(world.conn, world.now) == [code]
    assert quality.load(code).effectiveness_verdict == "MET"
    quality.move("quinn", code, _S.CLOSED)
    # One of them was real after all: what was asked for is not what is true.
    world.conn.execute("UPDATE work_order SET outcome = 'CONFIRMED' WHERE id = (SELECT max(id) FROM work_order)")
    assert refused(quality.move, "bob", code, _S.CLOSED) == "effectiveness_outdated"
    measure_effectiveness(world.conn, world.now)
    capa = quality.load(code)
    assert capa.effectiveness_verdict == "INCONCLUSIVE"
    assert load_standing(world.conn, capa).closure_signed_by == ()
    assert refused(quality.move, "bob", code, _S.CLOSED) == "effectiveness_inconclusive"
    # A longer period may show it; the plan is approved again, what was done stays done.
    quality.move("quinn", code, _S.ACTION_PLAN, reason="longer")
    quality.plan_check(code, period_days=90)
    quality.approve(code)
    quality.move("quinn", code, _S.VERIFICATION)
    longer = quality.move("ada", code, _S.EFFECTIVENESS)
    assert longer.effective_from == capa.effective_from


def test_devices_that_were_updated_stay_in_sight(quality: Quality) -> None:
    """The scope is a firmware version; its devices run another one when the effect is measured."""
    world = quality.world
    code = quality.propose(firmware="2.4.1")
    assert quality.load(code).scope_kind == "FIRMWARE"
    before = world.rows("SELECT id, firmware FROM device WHERE firmware = '2.4.1'")
    quality.bring_to_effectiveness(code)
    world.conn.execute("UPDATE device SET firmware = '2.4.2'")
    for row in before:
        world.conn.execute(
            "INSERT INTO device_history (device_id, at, field, before, after, source)"
            " VALUES (%s, %s, 'firmware:main', '2.4.1', '2.4.2', 'device')",
            (row["id"], world.now),
        )
    world.pass_time(days=61)
    measure_effectiveness(world.conn, world.now)
    (final, *_) = load_effectiveness_results(world.conn, quality.load(code).id)
    assert final.figures["device_days_after"] == pytest.approx(8 * 60)
    assert final.figures["events_before"] == 6


def test_what_was_approved_is_changed_by_nobody_and_nothing_is_closed_without_effect(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    quality.plan(code)
    quality.approve(code)
    assert refused(quality.write_cause, code) == "not_in_investigation"
    assert refused(quality.add_action, code) == "plan_not_open"
    capa = quality.load(code)
    for statement in (
        "UPDATE capa_action SET text = 'less' WHERE capa_id = %s",
        "UPDATE capa_action SET due_on = '2030-01-01' WHERE capa_id = %s",
        "DELETE FROM capa_cause WHERE capa_id = %s",
        "UPDATE capa_effectiveness_plan SET period_days = 1 WHERE capa_id = %s",
        "UPDATE capa SET state = 'CLOSED' WHERE id = %s",
    ):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)):
            world.conn.execute(statement.encode(), (capa.id,))
    # Taken back to the plan it is another one, to be approved again, by the same two people too.
    quality.move("ada", code, _S.ACTION_PLAN, reason="one more action")
    assert load_standing(world.conn, quality.load(code)).plan_signed_by == ()
    quality.approve(code)
    assert quality.load(code).state == "IMPLEMENTATION"


def test_a_plan_that_could_not_be_met_is_not_approved(quality: Quality) -> None:
    code = quality.propose()
    quality.plan(code, period_days=3)
    assert refused(quality.move, "ada", code, _S.IMPLEMENTATION) == "period_too_short"
    quality.plan_check(code, period_days=60, before_days=1)
    assert refused(quality.move, "ada", code, _S.IMPLEMENTATION) == "no_rate_before"
    quality.plan_check(code, period_days=60)
    assert quality.move("ada", code, _S.IMPLEMENTATION).state == "ACTION_PLAN"
    assert refused(quality.move, "ada", code, _S.IMPLEMENTATION) == "second_person"
    assert refused(quality.move, "quinn", code, _S.IMPLEMENTATION) == "permission_missing"


def test_a_breach_rate_counts_episodes_without_false_alarms(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    quality.plan(code, metric="BREACH_RATE")
    quality.approve(code)
    capa = load_capa(world.conn, code)
    assert capa is not None

    def count() -> int:
        return load_counts(
            world.conn, capa.id, EffectivenessMetric.BREACH_RATE, world.now - timedelta(days=90), world.now
        ).events

    assert count() == 6
    world.conn.execute("UPDATE work_order SET outcome = 'FALSE_ALARM', state = 'WORK_DONE' WHERE id = 1")
    assert count() == 5
    world.conn.execute("UPDATE work_order SET outcome = 'CONFIRMED', failure_code = 'valve' WHERE id = 2")
    assert count() == 4
    world.conn.execute("UPDATE breach SET state = 'DISCARDED' WHERE id IN (SELECT id FROM breach LIMIT 6)")
    assert count() == 0


def test_orders_count_with_their_reopenings_and_wait_for_their_outcomes(quality: Quality) -> None:
    world = quality.world
    code = quality.propose()
    quality.bring_to_effectiveness(code)
    capa, begin = quality.load(code), world.now
    world.pass_time(days=1)
    world.decide("P-2-1")
    world.conn.execute(
        "UPDATE work_order SET state = 'CLOSED', outcome = 'CONFIRMED', failure_code = fault_group, closed_at = %s"
        " WHERE id = (SELECT max(id) FROM work_order)",
        (world.now,),
    )
    world.pass_time(days=2)
    assert world.decide("P-2-1", monitor="again").decision == "REOPENED"
    world.decide("P-3-1")
    world.pass_time(days=1)

    def count(metric: EffectivenessMetric) -> tuple[int, int]:
        counts = load_counts(world.conn, capa.id, metric, begin, world.now)
        return counts.events, counts.undecided

    assert count(EffectivenessMetric.WORK_ORDER_RATE) == (3, 0)
    assert count(EffectivenessMetric.BREACH_RATE) == (3, 0)
    world.conn.execute("UPDATE work_order SET outcome = 'CONFIRMED' WHERE reopen_count = 1")
    assert count(EffectivenessMetric.CONFIRMED_FAILURE_RATE) == (2, 1)
    # What the technician found counts as what it was.
    world.conn.execute("UPDATE work_order SET outcome = 'CONFIRMED', failure_code = 'valve' WHERE reopen_count = 1")
    assert count(EffectivenessMetric.CONFIRMED_FAILURE_RATE) == (0, 1)


def test_device_days_end_with_the_device_and_simulated_devices_are_of_no_real_scope(quality: Quality) -> None:
    world = quality.world
    world.conn.execute("UPDATE device SET is_simulated = true WHERE serial LIKE 'P-3-4'")
    code = quality.propose()
    quality.bring_to_effectiveness(code)
    capa, begin = quality.load(code), world.now
    assert load_standing(world.conn, capa).plan.devices == 19
    world.conn.execute(
        "UPDATE device SET lifecycle = 'DECOMMISSIONED', lifecycle_since = %s WHERE serial = 'P-2-1'",
        (begin + timedelta(days=4),),
    )
    counts = load_counts(world.conn, capa.id, EffectivenessMetric.WORK_ORDER_RATE, begin, begin + timedelta(days=10))
    assert counts.device_days == pytest.approx(18 * 10 + 4)
