"""Models on a real database: from the readings of a fleet to a new device that is judged from its first reading."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from anomaly.backtest.run import BacktestRequest
from anomaly.training.record import decode_prior
from domain.audit import Actor, find_content_sha256
from domain.clock import to_micros
from domain.errors import GuardRefusedError
from domain.model_record import ModelKind, ModelStep, describe_profile
from domain.profile import Monitor, Profile
from domain.profile_json import profile_to_json
from domain.report import FirmwareReport, FirmwareState
from store.history import HistoryLevel
from store.installed_base import record_installed_base
from store.models import ModelRow, NewModel, load_arrays, load_model, record_model
from store.pool import Connection, open_connection
from store.profiles import load_profile
from store.rollup_refresh import refresh_rollups
from tests.support.databases import Database
from tests.support.fleet import MODEL, PROFILE, make_devices, register
from tests.support.models import add_engineer, backtest_now, take_step, train_now
from tests.support.scoring import START, Sample, load_test_registry, scoring, select, wait_until_scored, write_blocks

DEVICES = 5
CRITICAL_PROFILE = replace(PROFILE, safety_critical=True)
TRANSITIONS = """
    SELECT d.serial, b.monitor, t.kind, t.severity, t.at, b.first_seen, t.score, b.id
    FROM breach_transition t JOIN breach b ON b.id = t.breach_id JOIN device d ON d.id = b.device_id
    ORDER BY t.at, d.serial, b.monitor, t.kind
"""


def _readings(serials: list[str], seconds: range, shift: float = 0.0) -> list[Sample]:
    samples = []
    for serial in serials:
        chance = random.Random(serial)
        own = chance.gauss(0, 3)
        for k in seconds:
            noise = random.Random(f"{serial}/{k}")
            samples.append(Sample(serial, "level", k, 50 + own + noise.gauss(0, 1)))
            samples.append(Sample(serial, "flow", k, 200 + own + noise.gauss(0, 1) + shift))
    return sorted(samples, key=lambda s: (s.at_s, s.serial))


SERIALS = [f"T-{i:04d}" for i in range(DEVICES)]


@pytest.fixture
def url(database: Database) -> str:
    """A safety-critical model, five devices of it, and five minutes of their health."""
    register(database.url, CRITICAL_PROFILE, make_devices(DEVICES))
    write_blocks(database.url, _readings(SERIALS, range(300)))
    return database.url


def _propose(conn: Connection, changed: Profile) -> ModelRow:
    description = describe_profile(profile_to_json(changed), CRITICAL_PROFILE.version)
    new = NewModel(ModelKind.PROFILE, MODEL, "", description, b"", find_content_sha256(description), {})
    return record_model(conn, Actor("one", "engineer", "profile.write"), new, START)


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    with open_connection(url, application="test", autocommit=True) as opened:
        yield opened


def _transitions(url: str) -> list[dict[str, Any]]:
    return select(url, TRANSITIONS)


def _activate(url: str, conn: Connection, model: ModelRow, asker: Actor, approver: Actor) -> ModelRow:
    backtest_now(url, BacktestRequest(MODEL), model)
    take_step(conn, asker, model.code, ModelStep.SHADOW)
    take_step(conn, asker, model.code, ModelStep.ACTIVATE)
    return take_step(conn, approver, model.code, ModelStep.ACTIVATE)


def _add_device(url: str, number: int) -> str:
    with psycopg.connect(url) as conn:
        report = record_installed_base(conn, make_devices(number + 1)[number:], actor="test", role="admin")
    assert report.created == 1
    return f"T-{number:04d}"


def test_training_registers_a_draft_that_knows_where_it_comes_from(url: str, conn: Connection) -> None:
    first, second = train_now(url, MODEL), train_now(url, MODEL)
    assert (first.state, first.kind, first.model, first.created_by) == ("DRAFT", "fleet_prior", MODEL, "engineer-1")
    provenance = first.provenance
    assert provenance["since"] == START.isoformat()
    assert provenance["until"] == (START + timedelta(seconds=299, microseconds=1)).isoformat()
    assert provenance["metrics"]["devices"] == DEVICES
    assert provenance["metrics"]["readings"] == DEVICES * 300 * 2
    assert provenance["metrics"]["monitors_without"] == []
    assert "adaptive=" in provenance["code_version"]
    assert first.sha256 == second.sha256, "the same readings give the same model"
    assert provenance["data_sha256"] == second.provenance["data_sha256"]
    prior = decode_prior(MODEL, "", load_arrays(conn, first.id), first.description)
    assert [(p.key, p.devices) for p in prior.parts] == [("flow_unusual:flow", DEVICES)]
    assert 195 < prior.parts[0].arrays["center"][0, 0] < 205


def test_a_device_with_a_fault_is_no_example_and_a_window_without_readings_fails_by_name(
    url: str, conn: Connection
) -> None:
    conn.execute(
        "INSERT INTO work_order (code, type, source, priority, state, device_id, fault_group, title_code, title_params,"
        " created_by, created_at) SELECT 'WO-1', 'CORRECTIVE', 'MANUAL', 'P3', 'NEW', id, 'line', 'manual', '{}', 'x',"
        " %s FROM device WHERE serial = 'T-0001'",
        (START + timedelta(seconds=10),),
    )
    model = train_now(url, MODEL)
    assert model.provenance["metrics"]["left_out_as_faulty"] == 1
    assert model.description["parts"][0]["devices"] == DEVICES - 1
    with pytest.raises(AssertionError, match="Readings of TEST-100 reach from"):
        train_now(url, MODEL, since=datetime.fromisoformat("2027-01-01T00:00:00+00:00"))


def test_from_training_to_a_new_device_that_is_judged_from_its_first_reading_and_back(
    url: str, conn: Connection
) -> None:
    one, two = add_engineer(conn, "one"), add_engineer(conn, "two")
    model = train_now(url, MODEL)

    def refused(step: ModelStep, actor: Actor, reason: str = "test") -> str:
        with pytest.raises(GuardRefusedError) as error:
            take_step(conn, actor, model.code, step, reason)
        return error.value.guard

    assert refused(ModelStep.ACTIVATE, one) == "no_such_step"
    take_step(conn, one, model.code, ModelStep.SHADOW)
    assert refused(ModelStep.ACTIVATE, one) == "backtest_missing"
    backtest_now(url, BacktestRequest(MODEL), model)
    asked = take_step(conn, one, model.code, ModelStep.ACTIVATE)
    assert (asked.state, asked.asked_by) == ("SHADOW", "one")
    assert refused(ModelStep.ACTIVATE, one) == "second_person"
    assert refused(ModelStep.ACTIVATE, replace(two, user_id=None)) == "person_needed"
    with scoring(url):
        wait_until_scored(url)
        live = take_step(conn, two, model.code, ModelStep.ACTIVATE)
        assert (live.state, live.asked_by, live.approved_by) == ("LIVE", "one", "two")
        assert refused(ModelStep.ROLL_BACK, two) == "nothing_before"
        serial = _add_device(url, DEVICES)
        write_blocks(url, _readings([serial], range(300, 306), shift=60.0))
        wait_until_scored(url)
    raised = [t for t in _transitions(url) if t["serial"] == serial and t["monitor"] == "flow_unusual"]
    assert [t["kind"] for t in raised] == ["RAISED"]
    assert raised[0]["first_seen"] == START + timedelta(seconds=300)

    newer = _activate(url, conn, train_now(url, MODEL), one, two)
    assert newer.replaced_code == model.code
    model = newer
    assert refused(ModelStep.ROLL_BACK, one, reason="") == "reason_missing"
    assert take_step(conn, one, newer.code, ModelStep.ROLL_BACK).state == "RETIRED"
    back = load_model(conn, live.code)
    assert back is not None
    assert (back.state, back.live_until) == ("LIVE", None)
    actions = select(url, "SELECT action, actor, reason FROM audit_event WHERE entity = 'model' ORDER BY seq")
    assert [(a["action"], a["actor"]) for a in actions[-3:]] == [
        ("model.activated", "two"),
        ("model.rolled_back", "one"),
        ("model.activated", "one"),
    ]
    signatures = select(url, "SELECT printed_name FROM signature WHERE entity = 'model' ORDER BY id")
    assert len(signatures) >= 5


def test_without_a_model_a_new_device_is_silent_while_it_warms_up(url: str) -> None:
    with scoring(url):
        serial = _add_device(url, DEVICES)
        write_blocks(url, _readings([serial], range(300, 306), shift=60.0))
        wait_until_scored(url)
    assert [t for t in _transitions(url) if t["monitor"] == "flow_unusual"] == []


def test_what_a_model_seeded_is_in_the_check_point_and_outlives_the_model(url: str, conn: Connection) -> None:
    one, two = add_engineer(conn, "one"), add_engineer(conn, "two")
    model = _activate(url, conn, train_now(url, MODEL), one, two)
    serial = _add_device(url, DEVICES)
    # No check-point by time: only the one that seeding itself makes.
    with scoring(url, checkpoint_s=1_000.0):
        write_blocks(url, _readings([serial], range(300, 302), shift=60.0))
        wait_until_scored(url)
        select(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'forewarn anomaly%%'",
        )
        take_step(conn, one, model.code, ModelStep.RETIRE, "it is not needed")
        write_blocks(url, _readings([serial], range(302, 306), shift=60.0))
        wait_until_scored(url)
    raised = [t for t in _transitions(url) if t["serial"] == serial and t["monitor"] == "flow_unusual"]
    assert [t["kind"] for t in raised] == ["RAISED"]
    assert raised[0]["first_seen"] == START + timedelta(seconds=300)


@pytest.mark.parametrize("has_prior", [True, False])
def test_a_known_device_goes_on_from_the_prior_of_its_new_firmware_killed_or_not(
    url: str, conn: Connection, has_prior: bool
) -> None:
    one, two = add_engineer(conn, "one"), add_engineer(conn, "two")
    model = _activate(url, conn, train_now(url, MODEL, firmware="1.0.0" if has_prior else ""), one, two)
    serial, at_us = SERIALS[0], to_micros(START + timedelta(seconds=300))
    device_id = load_test_registry(url).devices[serial].id
    report = FirmwareReport(device_id, at_us, at_us, "main", "1.0.0", FirmwareState.UPDATED, "0.9")
    with scoring(url, checkpoint_s=1_000.0):
        wait_until_scored(url)
        write_blocks(url, _readings([serial], range(300, 302)), [report])
        wait_until_scored(url)
        # A round begins when the one before has saved what it seeded.
        write_blocks(url, _readings([serial], range(302, 303)))
        wait_until_scored(url)
        select(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE 'forewarn anomaly%%'",
        )
        take_step(conn, one, model.code, ModelStep.RETIRE, "it is not needed")
        write_blocks(url, _readings([serial], range(303, 309), shift=60.0))
        wait_until_scored(url)
    raised = [t for t in _transitions(url) if t["serial"] == serial and t["monitor"] == "flow_unusual"]
    assert [t["kind"] for t in raised] == (["RAISED"] if has_prior else []), "the model's prior is of no firmware"
    params = select(url, "SELECT params->'prior'->>'code' AS code FROM breach WHERE monitor = 'flow_unusual'")
    assert [p["code"] for p in params] == ([model.code] if has_prior else [])


def test_the_programs_account_cannot_change_what_a_model_is(url: str, conn: Connection) -> None:
    train_now(url, MODEL)
    for change in ("arrays = '\\x00'", "provenance = '{}'", "sha256 = ''", "created_by = 'nobody'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"UPDATE model_record SET {change}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DELETE FROM model_record")


def _tighter(monitor: Monitor) -> Monitor:
    return replace(monitor, raise_at=60.0, clear_at=55.0) if monitor.key == "level_high" else monitor


def test_a_backtest_finds_what_the_running_program_found_on_the_same_readings_twice_alike(url: str) -> None:
    rows = _readings(SERIALS, range(300, 420))
    rows = [
        replace(s, value=90.0) if s.serial == "T-0002" and s.sensor == "level" and 330 <= s.at_s < 350 else s
        for s in rows
    ]
    rows = [
        replace(s, value=s.value + 30) if s.serial == "T-0003" and s.sensor == "flow" and s.at_s >= 380 else s
        for s in rows
    ]
    rows = [
        replace(s, value=65.0) if s.serial == "T-0004" and s.sensor == "level" and 400 <= s.at_s < 410 else s
        for s in rows
    ]
    with scoring(url):
        for at in range(0, len(rows), 97):
            write_blocks(url, rows[at : at + 97])
        wait_until_scored(url)
    found = [(t["serial"], t["monitor"], t["kind"]) for t in _transitions(url)]
    assert ("T-0002", "level_high", "CLEARED") in found
    assert ("T-0003", "flow_unusual", "RAISED") in found
    proposed = replace(CRITICAL_PROFILE, version=2, monitors=tuple(_tighter(m) for m in CRITICAL_PROFILE.monitors))
    request = BacktestRequest(MODEL, proposed_profile=proposed)
    first, second = backtest_now(url, request), backtest_now(url, request)
    assert first == second
    assert first["level"] == "raw"
    assert first["device_days"] == DEVICES
    assert first["now"]["breaches"] == sum(kind == "RAISED" for _, _, kind in found)
    assert first["now"]["by_monitor"] == {
        "flow_unusual": {"breaches": 1, "tickets": 1},
        "level_high": {"breaches": 1, "tickets": 1},
    }
    assert first["proposed"]["by_monitor"]["level_high"] == {"breaches": 2, "tickets": 2}
    assert first["now"]["per_1000_device_days"] == 400.0
    assert {d["serial"]: (d["now"], d["proposed"]) for d in first["top_devices"]} == {
        "T-0002": (1, 1),
        "T-0003": (1, 1),
        "T-0004": (0, 1),
    }
    assert [left["monitor"] for left in first["left_out"]] == ["offline"]


def test_a_backtest_that_leaves_out_the_changed_monitor_opens_no_way(url: str, conn: Connection) -> None:
    changed = replace(CRITICAL_PROFILE, monitors=tuple(_tighter(m) for m in CRITICAL_PROFILE.monitors))
    model, trained = _propose(conn, changed), train_now(url, MODEL)
    refresh_rollups(conn, START + timedelta(days=2), lambda: True)
    # An hour's mean says nothing of three readings above a limit, nor of a detector that warms up on seconds.
    coarse = BacktestRequest(MODEL, level=HistoryLevel.HOUR)
    found = backtest_now(url, replace(coarse, proposed_profile=changed), model)
    assert found["device_days"] == DEVICES
    assert (found["changed"], [u["monitor"] for u in found["uncovered"]]) == (["level_high"], ["level_high"])
    found = backtest_now(url, coarse, trained)
    assert (found["changed"], [u["monitor"] for u in found["uncovered"]]) == (["flow_unusual"], ["flow_unusual"])
    for row in (model, trained):
        seen = load_model(conn, row.code)
        assert seen is not None
        assert not seen.has_backtest
    fine = backtest_now(url, BacktestRequest(MODEL, proposed_profile=changed), model)
    assert (fine["changed"], fine["uncovered"]) == (["level_high"], [])
    seen = load_model(conn, model.code)
    assert seen is not None
    assert seen.has_backtest


def _counts(url: str) -> dict[tuple[str, str], tuple[int, int]]:
    rows = select(url, "SELECT monitor, side, raised, cleared FROM shadow_count")
    return {(r["monitor"], r["side"]): (r["raised"], r["cleared"]) for r in rows}


def _story() -> list[Sample]:
    """One level beyond the live limit, another one only beyond the proposed limit."""
    rows = []
    for s in _readings(SERIALS, range(300, 420)):
        if s.sensor == "level" and 330 <= s.at_s < 350 and s.serial in ("T-0002", "T-0004"):
            s = replace(s, value=90.0 if s.serial == "T-0002" else 65.0)
        rows.append(s)
    return rows


@pytest.mark.parametrize("kill", [False, True])
def test_a_shadow_is_counted_beside_what_is_live_and_delivers_nothing(url: str, conn: Connection, kill: bool) -> None:
    one = add_engineer(conn, "one")
    changed = replace(CRITICAL_PROFILE, monitors=tuple(_tighter(m) for m in CRITICAL_PROFILE.monitors))
    model = _propose(conn, changed)
    take_step(conn, one, model.code, ModelStep.SHADOW)
    with scoring(url, checkpoint_s=0.3 if kill else 1_000.0):
        rows = _story()
        for place, at in enumerate(range(0, len(rows), 150)):
            write_blocks(url, rows[at : at + 150])
            if kill and place % 2:
                select(
                    url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND application_name LIKE 'forewarn anomaly%%'",
                )
        wait_until_scored(url)
    assert _counts(url) == {("level_high", "live"): (1, 1), ("level_high", "shadow"): (2, 2)}
    assert {t["serial"] for t in _transitions(url)} == {"T-0002"}


def test_a_profile_becomes_live_and_is_rolled_back_like_a_model(url: str, conn: Connection) -> None:
    one, two = add_engineer(conn, "one"), add_engineer(conn, "two")
    changed = replace(CRITICAL_PROFILE, monitors=tuple(_tighter(m) for m in CRITICAL_PROFILE.monitors))
    model, other = _propose(conn, changed), _propose(conn, changed)
    backtest_now(url, BacktestRequest(MODEL, proposed_profile=changed), model)
    take_step(conn, one, model.code, ModelStep.SHADOW)
    with pytest.raises(GuardRefusedError) as refused:
        take_step(conn, one, other.code, ModelStep.SHADOW)
    assert refused.value.guard == "another_in_shadow"
    take_step(conn, one, model.code, ModelStep.ACTIVATE)
    take_step(conn, two, model.code, ModelStep.ACTIVATE)
    live = load_profile(conn, MODEL)
    assert live == replace(changed, version=2)
    with pytest.raises(GuardRefusedError) as refused:
        take_step(conn, one, other.code, ModelStep.SHADOW)
    assert refused.value.guard == "profile_moved_on"
    take_step(conn, one, model.code, ModelStep.ROLL_BACK)
    assert load_profile(conn, MODEL) == replace(CRITICAL_PROFILE, version=3)
    (back,) = select(url, "SELECT after -> 'undone' AS undone FROM audit_event WHERE after ? 'undone'")
    assert [(u["code"], u["monitor"]) for u in back["undone"]] == [(model.code, "level_high")]
