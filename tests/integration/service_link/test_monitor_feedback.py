"""Outcomes of closed orders change what is known of their monitors; thresholds are proposed, and people decide."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy.stats import beta

from domain.audit import Actor, Signature
from domain.breach import BreachKind, Severity
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.monitor_quality import Outcomes, move_threshold
from domain.profile import Direction, Monitor, MonitorRule, TicketPolicy
from domain.roles import Permission
from domain.threshold_proposal import ProposalState
from service_link.monitor_feedback import find_precision, watch_monitors
from store.audit import verify_chain
from store.model_jobs import MODEL_JOBS, cancel_job
from store.monitor_lead_times import load_lead_times
from store.monitor_quality import MonitorQuality, load_quality
from store.pool import open_connection
from store.profiles import Applied, load_profile, record_profile
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.rollup_refresh import refresh_rollups
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import (
    ThresholdProposal,
    load_threshold_proposals,
    record_backtest,
)
from tests.support.databases import Database
from tests.support.models import work_jobs
from tests.support.service_world import World, actor, make_profile, open_world
from tests.support.waiting import wait_until

LIMIT = Monitor(
    "current_high",
    MonitorRule.LIMIT,
    BreachKind.LIMIT,
    Severity.MAJOR,
    "motor_wear",
    ("current",),
    Direction.HIGH,
    raise_at=1.0,
    clear_at=0.8,
)
SECOND = replace(LIMIT, key="current_odd", rule=MonitorRule.ADAPTIVE, kind=BreachKind.ANOMALY, raise_at=8, clear_at=4)
COUNT_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
MACHINE = Actor("service-link", "", "")


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """Two device models: of the safety-critical PUMP two people decide."""
    with open_world(database.url) as made:
        for model, critical in (("PUMP", True), ("LAMP", False)):
            profile = make_profile(model, safety_critical=critical, policy=TicketPolicy())
            record_profile(made.conn, replace(profile, version=2, monitors=(LIMIT, SECOND)), "test")
        site = made.add_site("S")
        for n in range(12):
            made.add_device(f"P-{n}", site, model="PUMP", known_for=timedelta(days=60))
            made.add_device(f"L-{n}", site, model="LAMP", known_for=timedelta(days=60))
        yield made


def close(world: World, serial: str, outcome: str, peak: float, monitor: str = "current_high") -> None:
    """An order for a breach of that peak, closed with that outcome."""
    decided = world.decide(serial, monitor=monitor)
    world.conn.execute(
        "UPDATE breach SET peak = %s, profile_version = 2 WHERE id IN"
        " (SELECT breach_id FROM work_order_breach WHERE work_order_id = %s)",
        (peak, decided.work_order_id),
    )
    world.conn.execute(
        "UPDATE work_order SET state = 'CLOSED', outcome = %s, closed_at = %s WHERE id = %s",
        (outcome, world.now, decided.work_order_id),
    )


def find_quality(world: World, model: str = "PUMP", monitor: str = "current_high") -> MonitorQuality:
    (found,) = [q for q in load_quality(world.conn, model=model) if q.monitor == monitor and not q.is_simulated]
    return found


def make_proposal(world: World, prefix: str = "P") -> ThresholdProposal:
    for n, peak in enumerate((1.1, 1.2, 1.3)):
        close(world, f"{prefix}-{n}", "FALSE_ALARM", peak)
    close(world, f"{prefix}-3", "CONFIRMED", 2.3)
    (code,) = watch_monitors(world.conn, world.now)
    (proposal,) = load_threshold_proposals(world.conn)
    assert proposal.code == code
    return proposal


def decide(
    world: World, code: str, to: ProposalState, who: str, user_id: int, version: int | None = None
) -> ThresholdProposal:
    with world.conn.transaction():
        return record_proposal_decision(
            world.conn,
            actor(who, Permission.PROFILE_WRITE, user_id),
            code,
            to,
            reason="as the backtest says",
            signature=Signature(user_id, who.title(), "Reviewed"),
            expected_row_version=version,
            now=world.now,
        )


def test_lead_times_are_counted_with_the_rest_and_read_without_counting(world: World) -> None:
    for n, hours in enumerate((2, 6, 30)):
        close(world, f"P-{n}", "CONFIRMED", 2.0)
        # Somebody reported the failure so long after the monitor had spoken.
        world.conn.execute(
            "UPDATE work_order w SET source = 'MANUAL', type = 'CORRECTIVE', created_at = b.first_seen + %s"
            " FROM work_order_breach l JOIN breach b ON b.id = l.breach_id JOIN device d ON d.id = b.device_id"
            " WHERE l.work_order_id = w.id AND d.serial = %s",
            (timedelta(hours=hours), f"P-{n}"),
        )
    close(world, "P-3", "NO_FAULT_FOUND", 2.0)
    assert load_lead_times(world.conn) == []
    watch_monitors(world.conn, world.now)
    (lead,) = load_lead_times(world.conn, models=("PUMP",))
    assert (lead.model, lead.is_simulated, lead.monitor, lead.failures) == ("PUMP", False, "current_high", 3)
    assert lead.median_h == pytest.approx(6.0)
    assert load_lead_times(world.conn, models=("LAMP",)) == []
    assert find_quality(world, monitor="current_odd").lead_failures == 0
    watch_monitors(world.conn, world.now + timedelta(days=366))
    assert load_lead_times(world.conn) == []


def test_outcomes_change_precision_and_budget(world: World) -> None:
    assert watch_monitors(world.conn, world.now) == []
    before = find_quality(world)
    assert (before.precision_mean, before.tickets) == (0.5, 0)
    assert before.allowed_rate == pytest.approx(2.0)
    close(world, "P-0", "CONFIRMED", 2.0)
    close(world, "P-1", "SENSOR_FAULT", 2.0)
    close(world, "P-2", "NO_FAULT_FOUND", 1.1)
    close(world, "P-3", "FALSE_ALARM", 9.0, monitor="current_odd")
    world.decide("P-4")
    watch_monitors(world.conn, world.now)
    after = find_quality(world)
    assert (after.confirmed, after.sensor_fault, after.no_fault_found, after.false_alarm) == (1, 1, 1, 0)
    assert after.precision_mean == pytest.approx(2.5 / 4)
    assert after.precision_low == pytest.approx(beta.ppf(0.025, 2.5, 1.5))
    assert after.precision_high == pytest.approx(beta.ppf(0.975, 2.5, 1.5))
    assert after.tickets == 4
    assert after.device_days == pytest.approx(12 * 30)
    assert after.allowed_rate == pytest.approx(1.0 / (1 - 2.5 / 4))
    assert after.is_over_budget  # 11 per 1,000 device-days
    assert find_quality(world, monitor="current_odd").false_alarm == 1
    detectors = {q.rule: q for q in load_quality(world.conn, model="PUMP") if q.monitor == "" and not q.is_simulated}
    assert (detectors["limit"].confirmed, detectors["adaptive"].false_alarm) == (1, 1)
    # A monitor that was changed begins anew; one that was not keeps what is known of it.
    profile = load_profile(world.conn, "PUMP")
    assert profile is not None
    record_profile(world.conn, replace(profile, version=3, monitors=(replace(LIMIT, raise_at=1.5), SECOND)), "test")
    watch_monitors(world.conn, world.now)
    assert find_quality(world).precision_mean == 0.5
    assert find_quality(world, monitor="current_odd").false_alarm == 1


def test_precision_is_what_beta_says() -> None:
    for useful, in_vain in ((0, 0), (3, 0), (0, 7), (40, 2)):
        found = find_precision(Outcomes(confirmed=useful, false_alarm=in_vain))
        assert found.low < found.mean < found.high
        assert found.high == pytest.approx(beta.ppf(0.975, useful + 0.5, in_vain + 0.5))


def test_a_threshold_is_proposed_once_with_its_grounds(world: World) -> None:
    proposal = make_proposal(world)
    assert (proposal.model, proposal.monitor, proposal.state) == ("PUMP", "current_high", "PROPOSED")
    assert proposal.raise_at == 1.0
    assert proposal.proposed_raise_at == pytest.approx(1.4)
    assert proposal.proposed_clear_at == pytest.approx(1.2)
    assert (proposal.basis["in_vain"], proposal.basis["removed"], proposal.basis["confirmed"]) == (3, 3, 1)
    assert proposal.basis["expected_precision"][0] > proposal.basis["precision"][0]
    assert watch_monitors(world.conn, world.now) == []
    # Rejected, it comes again only when twice as many orders were in vain.
    decide(world, proposal.code, ProposalState.REJECTED, "eva", world.add_user("eva", "engineer"))
    close(world, "P-5", "FALSE_ALARM", 1.2)
    assert watch_monitors(world.conn, world.now) == []
    close(world, "P-6", "FALSE_ALARM", 1.2)
    close(world, "P-7", "FALSE_ALARM", 1.2)
    assert len(watch_monitors(world.conn, world.now)) == 1


def test_no_threshold_is_proposed_that_the_sensor_never_reaches(world: World) -> None:
    """The current is read up to 10 A: a limit beyond would switch the monitor off under another name."""
    for n in range(6):
        close(world, f"P-{n}", "FALSE_ALARM", 9.9)
    assert watch_monitors(world.conn, world.now) == []


def test_two_decisions_on_profiles_at_once_are_taken_one_after_the_other(world: World, database: Database) -> None:
    proposal = make_proposal(world, "L")
    eva = world.add_user("eva", "engineer")
    with world.conn.transaction():
        record_backtest(world.conn, MACHINE, proposal.code, {"lost_confirmed": 0}, world.now)
    profile = load_profile(world.conn, "LAMP")
    assert profile is not None
    changed = replace(profile, version=3, monitors=(LIMIT, replace(SECOND, raise_at=9)))
    decided: list[ThresholdProposal] = []

    def accept() -> None:
        decided.append(decide(world, proposal.code, ProposalState.ACCEPTED, "eva", eva))

    second = threading.Thread(target=accept)
    with open_connection(database.url, application="first") as first:
        record_profile(first, changed, "test")
        second.start()
        wait_until(lambda: first.execute(COUNT_WAITING).fetchone() == (1,), what="the second decision to wait")
    second.join()
    after = load_profile(world.conn, "LAMP")
    assert after is not None
    assert (decided[0].made_version, after.version) == (4, 4)
    assert [m.raise_at for m in after.monitors] == [proposal.proposed_raise_at, 9]


def test_the_watch_waits_for_a_profile_without_holding_the_audit(world: World, database: Database) -> None:
    """Somebody who has the profile and comes to the audit last would else wait for it for ever, and it for him."""
    watch_monitors(world.conn, world.now)
    for prefix in ("P", "L"):
        for n, peak in enumerate((1.1, 1.2, 1.3)):
            close(world, f"{prefix}-{n}", "FALSE_ALARM", peak)
        close(world, f"{prefix}-3", "CONFIRMED", 2.3)
    newest = world.rows("SELECT key FROM device_model ORDER BY id DESC LIMIT 1")[0]["key"]
    profile = load_profile(world.conn, newest)
    assert profile is not None
    proposed: list[str] = []
    watch = threading.Thread(target=lambda: proposed.extend(watch_monitors(world.conn, world.now)))
    with open_connection(database.url, application="first") as first:
        first.execute("SELECT FROM device_model WHERE key = %s FOR UPDATE", (newest,))
        watch.start()
        wait_until(lambda: first.execute(COUNT_WAITING).fetchone() == (1,), what="the watch to wait for the profile")
        assert record_profile(first, replace(profile, version=3, monitors=(LIMIT,)), "test") is Applied.NEW
    watch.join()
    assert len(proposed) == 2


def test_simulated_outcomes_move_no_threshold_of_real_devices(world: World) -> None:
    world.conn.execute("UPDATE device SET is_simulated = true WHERE serial <> 'P-11'")
    for n, peak in enumerate((1.1, 1.2, 1.3)):
        close(world, f"P-{n}", "FALSE_ALARM", peak)
    close(world, "P-3", "CONFIRMED", 2.3)
    assert watch_monitors(world.conn, world.now) == []
    (simulated,) = [q for q in load_quality(world.conn, model="PUMP") if q.monitor == "current_high" and q.is_simulated]
    assert (simulated.false_alarm, find_quality(world).false_alarm) == (3, 0)
    world.conn.execute("UPDATE device SET is_simulated = true")
    assert len(watch_monitors(world.conn, world.now)) == 1


def test_on_a_safety_critical_model_a_second_person_accepts(world: World) -> None:
    proposal = make_proposal(world)
    eva, ben = world.add_user("eva", "engineer"), world.add_user("ben", "engineer")

    def refuse(to: ProposalState, who: str, user_id: int) -> str:
        with pytest.raises(GuardRefusedError) as refused:
            decide(world, proposal.code, to, who, user_id)
        return refused.value.guard

    assert refuse(ProposalState.ACCEPTED, "eva", eva) == "backtest_missing"
    backtest = {"tickets_per_1000_days": {"now": 4.1, "proposed": 2.0}, "lost_confirmed": 0}
    with world.conn.transaction():
        assert record_backtest(world.conn, MACHINE, proposal.code, backtest, world.now)
    assert refuse(ProposalState.ACCEPTED, "eva", eva) == "endorsement_missing"
    endorsed = decide(world, proposal.code, ProposalState.ENDORSED, "eva", eva)
    assert (endorsed.state, endorsed.endorsed_by) == ("ENDORSED", "eva")
    assert refuse(ProposalState.ACCEPTED, "eva", eva) == "second_person"
    current = load_profile(world.conn, "PUMP")
    assert current is not None
    assert current.version == 2
    with pytest.raises(RowVersionConflictError):
        decide(world, proposal.code, ProposalState.ACCEPTED, "ben", ben, version=1)
    accepted = decide(world, proposal.code, ProposalState.ACCEPTED, "ben", ben, endorsed.row_version)
    assert (accepted.state, accepted.decided_by, accepted.made_version) == ("ACCEPTED", "ben", 3)
    after = load_profile(world.conn, "PUMP")
    assert after == move_threshold(current, "current_high", proposal.proposed_raise_at, proposal.proposed_clear_at)
    monitor = after.find_monitor("current_high")
    assert monitor is not None
    assert (monitor.raise_at, monitor.clear_at) == (proposal.proposed_raise_at, proposal.proposed_clear_at)
    signed = world.rows("SELECT signer_id FROM signature WHERE entity = 'threshold_proposal' ORDER BY id")
    assert [row["signer_id"] for row in signed] == [eva, ben]
    actions = world.rows("SELECT action FROM audit_event WHERE entity = 'threshold_proposal' ORDER BY seq")
    assert [row["action"].removeprefix("threshold.") for row in actions] == [
        "proposed",
        "backtested",
        "endorsed",
        "accepted",
    ]
    applied = world.rows("SELECT actor FROM audit_event WHERE action = 'profile.applied' ORDER BY seq")
    assert applied[-1]["actor"] == "ben"
    assert verify_chain(world.conn).holds
    with world.conn.transaction():
        assert not record_backtest(world.conn, MACHINE, proposal.code, backtest, world.now)


def test_on_another_model_one_person_accepts_what_is_still_true(world: World) -> None:
    proposal = make_proposal(world, "L")
    assert proposal.model == "LAMP"
    eva = world.add_user("eva", "engineer")
    with world.conn.transaction():
        record_backtest(world.conn, MACHINE, proposal.code, {"lost_confirmed": 0}, world.now)
    profile = load_profile(world.conn, "LAMP")
    assert profile is not None
    changed = replace(profile, version=3, monitors=(replace(LIMIT, raise_at=1.2), SECOND))
    record_profile(world.conn, changed, "test")
    with pytest.raises(GuardRefusedError) as refused:
        decide(world, proposal.code, ProposalState.ACCEPTED, "eva", eva)
    assert refused.value.guard == "monitor_changed"
    record_profile(world.conn, replace(profile, version=4), "test")
    accepted = decide(world, proposal.code, ProposalState.ACCEPTED, "eva", eva)
    assert (accepted.state, accepted.made_version) == ("ACCEPTED", 5)


def test_the_backtest_is_run_by_the_worker_of_models_and_attached(world: World, database: Database) -> None:
    proposal = make_proposal(world, "L")
    assert proposal.backtest_job_state == "QUEUED"
    # Without readings there is nothing to evaluate: the reason is shown, and nobody can accept.
    assert work_jobs(database.url) == 1
    watch_monitors(world.conn, world.now)
    (failed,) = load_threshold_proposals(world.conn)
    assert (failed.state, failed.backtest_job_state) == ("PROPOSED", "FAILED")
    assert failed.backtest_error
    # With two days of readings that reach 1.2 A now and then it says what the threshold would have saved.
    store_series(world)
    store_current(world)
    assert work_jobs(database.url) == 0, "nobody asks again at once"
    # What happened a day ago was too little: it is asked for again, once.
    world.now += timedelta(days=1)
    watch_monitors(world.conn, world.now)
    watch_monitors(world.conn, world.now)
    assert work_jobs(database.url) == 1
    watch_monitors(world.conn, world.now)
    (ready,) = load_threshold_proposals(world.conn)
    assert ready.state == "BACKTESTED", ready.backtest_error
    assert ready.backtest is not None
    assert ready.backtest["now"]["tickets"] > ready.backtest["proposed"]["tickets"] == 0
    assert ready.backtest["profile_proposed"]["version"] == 3


def test_a_backtest_that_was_called_off_is_asked_for_again_a_day_later_and_attached(
    world: World, database: Database
) -> None:
    proposal = make_proposal(world, "L")
    store_series(world)
    store_current(world)
    assert proposal.backtest_job_id is not None
    first = MODEL_JOBS.load(world.conn, proposal.backtest_job_id)
    assert first is not None
    with world.conn.transaction():
        eva = actor("eva", Permission.PROFILE_WRITE)
        assert cancel_job(world.conn, eva, first, "the machine is needed", world.now)
    watch_monitors(world.conn, world.now)
    assert work_jobs(database.url) == 0, "nobody asks again at once"
    (waiting,) = load_threshold_proposals(world.conn)
    assert (waiting.state, waiting.backtest_job_state) == ("PROPOSED", "CANCELLED")
    world.now += timedelta(days=1)
    watch_monitors(world.conn, world.now)
    watch_monitors(world.conn, world.now)
    (asked,) = load_threshold_proposals(world.conn)
    assert asked.backtest_job_id is not None
    assert (asked.backtest_job_state, asked.backtest_job_id != first.id) == ("QUEUED", True)
    second = MODEL_JOBS.load(world.conn, asked.backtest_job_id)
    assert second is not None
    assert (second.request, second.requested_by) == (first.request, first.requested_by)
    assert work_jobs(database.url) == 1, "asked for once"
    watch_monitors(world.conn, world.now)
    (ready,) = load_threshold_proposals(world.conn)
    assert (ready.state, ready.backtest_error) == ("BACKTESTED", None)
    left = MODEL_JOBS.load(world.conn, first.id)
    assert left is not None
    assert (left.state, left.cancelled_by, left.cancel_reason) == ("CANCELLED", "eva", "the machine is needed")


def store_series(world: World) -> None:
    """Of the motor's current, for every device."""
    world.conn.execute("INSERT INTO series (device_id, sensor) SELECT id, 'current' FROM device ON CONFLICT DO NOTHING")


def store_current(world: World) -> None:
    """Every ten minutes of the last two days, from every device; an hour at 1.2 A on the last morning."""
    ids = [row["id"] for row in world.rows("SELECT id FROM series ORDER BY id")]
    times = [world.now - timedelta(days=2) + n * timedelta(minutes=10) for n in range(288)]
    micros = [round(at.timestamp() * 1e6) for at in times]
    values = [1.2 if at.day == world.now.day and at.hour == 6 else 0.5 for at in times]
    columns = ReadingColumns(
        np.repeat(np.array(ids, np.int32), len(times)),
        np.tile(np.array(micros, np.int64), len(ids)),
        np.tile(np.array(values), len(ids)),
        np.zeros(len(ids) * len(times), np.int16),
    )
    ensure_partitions(world.conn, find_days(columns.observed_us))
    with world.conn.transaction():
        record_new_readings(world.conn, columns)
    refresh_rollups(world.conn, world.now, lambda: True)
