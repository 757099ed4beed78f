"""From breaches of many devices to a CAPA proposal, and what a person makes of it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.breach import BreachKind, Severity
from domain.capa import CapaState
from domain.errors import GuardRefusedError
from domain.roles import Permission
from service_link.quality import QualityWatch, propose_capas
from store.audit import verify_chain
from store.capa_transitions import record_capa_decision
from store.capas import Capa, load_capa, load_capa_members, load_capas
from store.ticket_policies import load_ticket_policies
from tests.support.databases import Database
from tests.support.service_world import World, actor, open_world

APPROVER = actor("approver", Permission.CAPA_DECIDE, 7)


@pytest.fixture
def world(any_database: Database) -> Iterator[World]:
    """Four hospitals with five pumps each; two of each five run firmware 2.4.1."""
    with open_world(any_database.url) as made:
        for hospital in range(4):
            site = made.add_site(f"S{hospital}")
            for n in range(5):
                firmware = "2.4.1" if n < 2 else "2.4.0"
                made.add_device(f"P-{hospital}-{n}", site, firmware=firmware, lot=f"L{n % 2}")
        yield made


def _propose(world: World, watch: QualityWatch | None = None) -> list[str]:
    return propose_capas(world.conn, watch or QualityWatch(), load_ticket_policies(world.conn), world.now)


def _break_bad_firmware(world: World, hospitals: int = 3) -> None:
    for hospital in range(hospitals):
        world.decide(f"P-{hospital}-0", firmware="2.4.1")


def _load(world: World, code: str) -> Capa:
    capa = load_capa(world.conn, code)
    assert capa is not None
    return capa


def _install_long_ago(world: World, days: int = 400) -> None:
    world.conn.execute("UPDATE device SET created_at = %s", (world.now - timedelta(days=days),))


def test_a_bad_firmware_without_history_is_proposed_by_the_counts_alone(world: World) -> None:
    _break_bad_firmware(world, 2)
    assert _propose(world) == []
    world.decide("P-2-1", firmware="2.4.1")
    (code,) = _propose(world)
    capa = _load(world, code)
    assert (capa.state, capa.scope_kind, capa.scope_value) == ("PROPOSED", "FIRMWARE", "2.4.1")
    assert (capa.trigger, capa.fault_group) == ("COHORT_NO_BASELINE", "motor_wear")
    assert (capa.member_count, capa.device_count, capa.customer_count) == (3, 3, 3)
    assert (capa.statistics["events"], capa.statistics["p"]) == (3, None)
    assert {g["value"] for g in capa.statistics["groups"] if g["kind"] == "FIRMWARE"} == {"2.4.0", "2.4.1"}
    assert len(load_capa_members(world.conn, capa.id)) == 3
    assert [e["type"] for e in world.rows("SELECT type FROM outbox WHERE type LIKE 'capa.%%'")] == ["capa.proposed"]


def test_one_customer_alone_is_no_cohort(world: World) -> None:
    for n in range(5):
        world.decide(f"P-0-{n}")
    assert _propose(world) == []


def test_against_history_the_excess_must_be_significant(world: World) -> None:
    _install_long_ago(world)
    _break_bad_firmware(world)
    (code,) = _propose(world)
    capa = _load(world, code)
    assert (capa.trigger, capa.scope_kind) == ("COHORT", "FIRMWARE")
    statistics = capa.statistics
    assert statistics["baseline_events"] == 0
    assert statistics["baseline_device_days"] == pytest.approx(20 * 365, rel=0.01)
    assert statistics["device_days"] == pytest.approx(8 * 30, rel=0.01)
    assert statistics["p"] <= statistics["q"] < 0.01
    assert statistics["interval"][0] < statistics["ratio"] < statistics["interval"][1]


def test_what_was_usual_all_year_is_not_proposed(world: World) -> None:
    _install_long_ago(world)
    # Every pump failed so every month of the year before.
    present = world.now
    for month in range(11):
        world.now = present - timedelta(days=60 + 30 * month)
        for serial in world.devices:
            world.decide(serial, monitor=f"m{month}")
        world.conn.execute(
            "UPDATE work_order SET state = 'CLOSED', outcome = 'CONFIRMED', closed_at = %s, failure_code = fault_group"
            " WHERE state <> 'CLOSED'",
            (world.now,),
        )
    world.now = present
    _break_bad_firmware(world)
    assert _propose(world) == []


def test_further_cases_join_the_live_capa(world: World) -> None:
    watch = QualityWatch()
    _break_bad_firmware(world)
    (code,) = _propose(world, watch)
    assert _propose(world, watch) == []
    before = _load(world, code)
    world.pass_time(minutes=10)
    world.decide("P-3-1", firmware="2.4.1")
    assert _propose(world, watch) == []
    after = _load(world, code)
    assert (before.member_count, after.member_count) == (3, 4)
    assert after.statistics["events"] == 4
    assert after.row_version == before.row_version + 1


def test_missing_data_never_lead_to_a_capa(world: World) -> None:
    for hospital in range(4):
        for n in range(2):
            world.decide(f"P-{hospital}-{n}", fault_group="connectivity", kind=BreachKind.OFFLINE)
    assert len(world.orders()) == 8
    assert _propose(world) == []


def test_bad_measurements_never_lead_to_a_capa(world: World) -> None:
    for hospital in range(4):
        world.decide(f"P-{hospital}-0", fault_group="data_quality", firmware="2.4.1")
    _break_bad_firmware(world)
    # Of three worn motors two were sensors: one alone is no cohort.
    world.conn.execute(
        "UPDATE work_order SET outcome = 'SENSOR_FAULT', state = 'WORK_DONE'"
        " WHERE fault_group = 'motor_wear' AND id < 7"
    )
    assert _propose(world) == []
    world.conn.execute("UPDATE work_order SET failure_code = 'adc_drift' WHERE outcome = 'SENSOR_FAULT'")
    assert _propose(world) == []
    world.conn.execute(
        "UPDATE work_order SET outcome = 'SENSOR_FAULT', failure_code = 'adc_drift' WHERE fault_group = 'motor_wear'"
    )
    (code,) = _propose(world)
    assert _load(world, code).fault_group == "adc_drift"


def test_false_alarms_are_left_out_and_confirmed_codes_count_as_what_they_are(world: World) -> None:
    _break_bad_firmware(world)
    world.conn.execute("UPDATE work_order SET outcome = 'FALSE_ALARM', state = 'WORK_DONE' WHERE id = 1")
    assert _propose(world) == []
    world.decide("P-3-0", fault_group="occlusion", firmware="2.4.1")
    assert _propose(world) == []
    # The technician found worn motors where the alarm said occlusion.
    world.conn.execute(
        "UPDATE work_order SET outcome = 'CONFIRMED', state = 'WORK_DONE', failure_code = 'motor_wear'"
        " WHERE fault_group = 'occlusion'"
    )
    (code,) = _propose(world)
    assert _load(world, code).member_count == 3
    world.conn.execute("UPDATE work_order SET outcome = 'FALSE_ALARM', state = 'WORK_DONE' WHERE id = 2")
    _propose(world)
    capa = _load(world, code)
    assert capa.member_count == 2
    excluded = [m.excluded_reason for m in load_capa_members(world.conn, capa.id)]
    assert excluded == [None, None, "false_alarm"]


def test_a_rejected_proposal_is_not_made_again_of_the_same_cases(world: World) -> None:
    _break_bad_firmware(world)
    (code,) = _propose(world)
    capa = _load(world, code)
    with pytest.raises(GuardRefusedError) as refused, world.conn.transaction():
        record_capa_decision(
            world.conn, APPROVER, code, CapaState.REJECTED, reason=" ", expected_row_version=1, now=world.now
        )
    assert refused.value.guard == "reason_missing"
    with pytest.raises(GuardRefusedError) as refused, world.conn.transaction():
        record_capa_decision(
            world.conn, APPROVER, code, CapaState.CLOSED, reason="x", expected_row_version=1, now=world.now
        )
    assert refused.value.guard == "no_such_transition"
    with world.conn.transaction():
        decided = record_capa_decision(
            world.conn,
            APPROVER,
            code,
            CapaState.REJECTED,
            reason="one user error",
            expected_row_version=capa.row_version,
            now=world.now,
        )
    assert (decided.state, decided.decided_by) == ("REJECTED", "approver")
    assert _propose(world) == []
    world.pass_time(days=1)
    for hospital in range(3):
        world.decide(f"P-{hospital}-1", firmware="2.4.1")
    (again,) = _propose(world)
    assert _load(world, again).ineffective_of_code is None


def test_what_comes_again_after_a_closed_capa_is_linked_as_ineffective(world: World) -> None:
    _break_bad_firmware(world)
    (code,) = _propose(world)
    world.conn.execute("UPDATE capa SET state = 'CLOSED', effectiveness_verdict = 'MET', closed_at = %s", (world.now,))
    world.pass_time(days=20)
    for hospital in range(3):
        world.decide(f"P-{hospital}-1", firmware="2.4.1")
    (again,) = _propose(world)
    assert _load(world, again).ineffective_of_code == code


def test_a_confirmed_critical_on_a_safety_critical_model_is_enough(world: World) -> None:
    world.decide("P-0-3", Severity.CRITICAL)
    assert _propose(world) == []
    world.conn.execute(
        "UPDATE work_order SET outcome = 'CONFIRMED', state = 'WORK_DONE', updated_at = %s", (world.now,)
    )
    (code,) = _propose(world)
    capa = _load(world, code)
    assert (capa.trigger, capa.scope_kind, capa.scope_value) == ("CONFIRMED_CRITICAL", "DEVICE", "P-0-3")
    assert _propose(world) == []


def test_the_second_reopening_is_enough(world: World) -> None:
    for n in range(3):
        world.decide("P-0-3", monitor=f"m{n}")
        assert _propose(world) == ([] if n < 2 else ["CAPA-2026-0001"])
        world.conn.execute("UPDATE work_order SET state = 'CLOSED', closed_at = %s", (world.now,))
        world.pass_time(days=1)
    (capa,) = load_capas(world.conn)
    assert (capa.trigger, capa.scope_value) == ("SECOND_REOPENING", "P-0-3")
    assert verify_chain(world.conn).holds


def test_a_simulated_cohort_is_flagged_and_never_mixed_with_real_cases(world: World) -> None:
    world.conn.execute("UPDATE device SET is_simulated = true WHERE serial LIKE 'P-0-%'")
    world.conn.execute("UPDATE device SET is_simulated = true WHERE serial LIKE 'P-1-%'")
    _break_bad_firmware(world)  # two simulated, one real
    assert _propose(world) == []
    world.decide("P-1-1", firmware="2.4.1")
    (code,) = _propose(world)
    assert _load(world, code).is_simulated
    assert world.rows("SELECT is_simulated FROM outbox WHERE type = 'capa.proposed'") == [{"is_simulated": True}]


def test_a_device_that_was_updated_counts_with_each_firmware_for_its_days(world: World) -> None:
    _install_long_ago(world)
    for serial, device_id in world.devices.items():
        if serial.endswith("-0"):
            world.conn.execute(
                "INSERT INTO device_history (device_id, at, field, before, after, source)"
                " VALUES (%s, %s, 'firmware:main', '2.4.0', '2.4.1', 'device')",
                (device_id, world.now - timedelta(days=10)),
            )
    _break_bad_firmware(world)
    (code,) = _propose(world)
    # Four pumps for ten days, four that have no history for all thirty.
    assert _load(world, code).statistics["device_days"] == pytest.approx(4 * 10 + 4 * 30, rel=0.01)
