"""Refused messages are replayed when their cause is mended: once, the ledger moved, whoever is killed meanwhile."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from domain.audit import Actor
from domain.clock import from_micros
from domain.installed_base import InstalledDevice
from domain.profile import Sensor
from ingest.message import Message
from ingest.registry_table import build_table
from ingest.replay import RegistryMovedError, replay_requested
from store.device_registration import register_device
from store.installed_base import record_installed_base
from store.pool import open_connection
from store.profiles import record_profile
from store.registry import load_registry
from store.rejection_groups import fold_rejections, load_rejection_groups
from store.rejection_replays import ReplayRequest, count_waiting, request_replays
from store.rejections import RejectionFilters
from tests.integration.ingest.lab import Bench, Lab, report, telemetry
from tests.support.databases import Database
from tests.support.fleet import MODEL, PROFILE, make_devices, register

NOW_MS = time.time_ns() // 1_000_000
NOW_US = NOW_MS * 1000
STEWARD = Actor("user:steward", "data_steward", "rejection.replay")
GATEWAY = "GW-1"
NOBODY_YET = InstalledDevice(serial="NEW-1", model=MODEL, gateway=GATEWAY)
EVERYTHING = RejectionFilters()


@pytest.fixture
def lab(database: Database) -> Lab:
    register(database.url, PROFILE, make_devices(3, gateway=GATEWAY))
    return Lab(database.url)


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    bench = Bench(lab)
    yield bench
    bench.close()


def renew(bench: Bench) -> None:
    """The registry as it is now, as the program reads it."""
    registry = load_registry(bench.conn)
    bench.table = build_table(registry)
    bench.sightings.adopt(registry, bench.table)


def replay(bench: Bench) -> int:
    return replay_requested(bench.conn, bench.table, bench.sightings, bench.settings, datetime.now(UTC))


def ask(bench: Bench, filters: RejectionFilters = EVERYTHING, ids: list[int] | None = None) -> ReplayRequest:
    with bench.conn.transaction():
        return request_replays(bench.conn, STEWARD, filters, ids=ids)


def register_new(bench: Bench) -> None:
    with bench.conn.transaction():
        assert register_device(bench.conn, STEWARD, NOBODY_YET) is None


def outcomes(lab: Lab) -> list[dict[str, Any]]:
    rows = lab.query("SELECT replay_outcome FROM rejection ORDER BY id")
    return [row["replay_outcome"] for row in rows]


def device_day(lab: Lab, serial: str) -> dict[str, int]:
    """What has been moved for this device; the equation is checked."""
    rows = lab.query(
        "SELECT g.* FROM device_day g JOIN device d ON d.id = g.device_id WHERE d.serial = %s", serial
    ) or [dict.fromkeys(("received", "stored", "duplicates", "conflicts", "rejected", "inconsistent"), 0)]
    (row,) = rows
    assert row["received"] == row["stored"] + row["duplicates"] + row["conflicts"] + row["rejected"]
    return row


def test_what_an_unknown_device_sent_is_replayed_when_it_is_registered(lab: Lab, bench: Bench) -> None:
    messages = [telemetry("NEW-1", NOW_MS + k, level=k, flow=k) for k in range(3)]
    status = report("NEW-1", "event", ts=NOW_MS, code="E1", severity="MINOR")
    bench.take([*messages, telemetry("OTHER", NOW_MS, level=1), status], NOW_US)
    assert lab.load_ledger() | {"stored": 0, "rejected": 8, "values_received": 8} == lab.load_ledger()
    register_new(bench)
    assert count_waiting(bench.conn) == 4
    assert lab.value("SELECT after ->> 'replays_requested' FROM audit_event WHERE action = 'device.registered'") == "4"
    with pytest.raises(RegistryMovedError):
        replay(bench)  # by a table that does not know it yet: nothing is done, and nothing is lost
    renew(bench)
    assert replay(bench) == 4
    assert replay(bench) == 0
    assert lab.count_readings() == lab.count_in_blocks() == 6
    assert lab.value("SELECT count(*) FROM device_event") == 1
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"], ledger["rejected"]) == (6, 0, 1)
    assert lab.value("SELECT sum(replayed) FROM ingest_ledger") == 7
    assert (device_day(lab, "NEW-1")["stored"], device_day(lab, "NEW-1")["rejected"]) == (6, 0)
    assert [o and o["result"] for o in outcomes(lab)] == ["replayed", "replayed", "replayed", None, "replayed"]
    assert lab.value("SELECT last_seen_at FROM device WHERE serial = 'NEW-1'") == from_micros(NOW_US + 2)
    # Device times are those of the messages, and the first receipt is what they are judged by.
    assert lab.value("SELECT min(observed_at) FROM reading") == from_micros(NOW_US)


def test_an_import_asks_for_the_devices_that_it_makes_and_for_no_others(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("NEW-1", NOW_MS, level=1), telemetry("NEW-2", NOW_MS, level=1)], NOW_US)
    with bench.conn.transaction():
        record_installed_base(bench.conn, [NOBODY_YET, *make_devices(3, gateway=GATEWAY)], actor="cli", role="admin")
    waiting = lab.query("SELECT serial, replay_requested_by FROM rejection WHERE replay_requested_at IS NOT NULL")
    assert [(row["serial"], row["replay_requested_by"]) for row in waiting] == [("NEW-1", "cli")]


def test_one_bad_value_among_good_ones(lab: Lab, bench: Bench) -> None:
    mixed = telemetry("T-0000", NOW_MS, level=1, flow=2, pressure=3, torque=4)
    bench.take([mixed, telemetry("T-0000", NOW_MS + 1, level=1)], NOW_US)
    before = lab.load_ledger()
    assert (before["stored"], before["rejected"]) == (3, 2)
    ids = [row["id"] for row in lab.query("SELECT id FROM rejection ORDER BY id")]
    assert ask(bench, ids=ids[:1]).requested == 1
    # Nothing has been mended: both stay refused, and the ledger does not move.
    assert replay(bench) == 1
    assert lab.load_ledger() == before
    assert outcomes(lab)[0] | {"detail": ""} == {"result": "still_refused", "reason": "unknown_sensor", "detail": ""}
    assert outcomes(lab)[1] is None
    sensors = (*PROFILE.sensors, Sensor("pressure", PROFILE.name, "kPa", 1, 0.0, 100.0))
    with bench.conn.transaction():
        record_profile(bench.conn, replace(PROFILE, version=2, sensors=sensors), "test")
    renew(bench)
    assert ask(bench).requested == 2
    assert replay(bench) == 1  # one message, whatever was refused of it
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"], ledger["rejected"]) == (4, 0, 1)
    assert [o["result"] for o in outcomes(lab)] == ["replayed", "still_refused"]
    assert lab.count_readings() == 4
    moved = device_day(lab, "T-0000")
    assert (moved["stored"], moved["rejected"], moved["inconsistent"]) == (1, -1, -1)


def test_a_reading_that_came_on_another_way_meanwhile_is_a_duplicate_or_a_conflict(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("NEW-1", NOW_MS, level=1), telemetry("NEW-1", NOW_MS + 1, level=2)], NOW_US)
    register_new(bench)
    renew(bench)
    bench.take([telemetry("NEW-1", NOW_MS, level=1), telemetry("NEW-1", NOW_MS + 1, level=7)], NOW_US + 5_000_000)
    assert replay(bench) == 2
    ledger = lab.load_ledger()
    assert (ledger["stored"], ledger["duplicates"], ledger["conflicts"], ledger["rejected"]) == (2, 1, 1, 0)
    (conflict,) = lab.query("SELECT * FROM rejection WHERE reason = 'conflict'")
    assert "for which 7.0 is stored already" in conflict["detail"]
    assert ask(bench, ids=[conflict["id"]]).left_out == {"conflict_stays": 1}


def test_a_gateways_message_is_replayed_for_the_one_that_was_unknown(lab: Lab, bench: Bench) -> None:
    item = {"ts": NOW_MS, "values": {"level": 1, "flow": 2}}
    payload = json.dumps({"T-0000": [item], "NEW-1": [item], "T-0001": [item]}).encode()
    bench.take([Message(b"v1/gateway/telemetry", payload, 1, 0x32, len(payload))], NOW_US)
    before = lab.load_ledger()
    register_new(bench)
    renew(bench)
    replay(bench)
    moved = {name: lab.load_ledger()[name] - before[name] for name in before}
    mended = lab.query("SELECT * FROM rejection WHERE serial = 'NEW-1'")
    assert [row["replay_outcome"]["result"] for row in mended] == ["replayed"]
    assert (moved["stored"], moved["rejected"], moved["values_received"]) == (2, -2, 0)
    assert device_day(lab, "NEW-1")["stored"] == 2
    assert device_day(lab, "T-0001")["stored"] == 0


def test_whoever_is_killed_before_the_commit_has_done_nothing(
    lab: Lab, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.take([telemetry("NEW-1", NOW_MS, level=1)], NOW_US)
    register_new(bench)
    renew(bench)
    before = lab.load_ledger()
    with open_connection(lab.url, application="killed", autocommit=True) as doomed:
        pid = doomed.info.backend_pid

        def die(*_: object) -> None:
            with psycopg.connect(lab.url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            doomed.execute("SELECT 1")

        monkeypatch.setattr("ingest.replay.record_blocks", die)  # the last that is written
        with pytest.raises(psycopg.OperationalError):
            replay_requested(doomed, bench.table, bench.sightings, bench.settings, datetime.now(UTC))
        monkeypatch.undo()
    assert (lab.count_readings(), lab.load_ledger()) == (0, before)
    assert replay(bench) == 1
    assert replay(bench) == 0
    assert (lab.count_readings(), lab.load_ledger()["rejected"]) == (1, 0)


def test_two_processes_replay_it_once(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("NEW-1", NOW_MS, level=1)], NOW_US)
    register_new(bench)
    renew(bench)
    with open_connection(lab.url, application="other", autocommit=True) as other, other.transaction():
        assert replay_requested(other, bench.table, bench.sightings, bench.settings, datetime.now(UTC)) == 1
        assert replay(bench) == 0  # while the other one is at it
    assert replay(bench) == 0
    assert lab.load_ledger()["stored"] == 1


def test_what_was_replayed_or_not_kept_is_not_asked_for_again(lab: Lab, bench: Bench) -> None:
    large = json.dumps({"ts": NOW_MS, "values": {"level": 1}, "filler": "x" * 100}).encode()
    cut = Message(b"forewarn/v1/T-0000/telemetry", large[:80], 1, 0x32, 2 << 20)
    bench.take([telemetry("NEW-1", NOW_MS, level=1), cut], NOW_US)
    register_new(bench)
    renew(bench)
    replay(bench)
    ids = [row["id"] for row in lab.query("SELECT id FROM rejection ORDER BY id")]
    request = ask(bench, ids=ids)
    assert (request.requested, request.left_out) == (0, {"already_replayed": 1, "payload_not_kept": 1})
    assert ask(bench).requested == 0


def test_a_request_marks_so_many_and_says_that_there_are_more(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("NEW-1", NOW_MS + k, level=1) for k in range(5)], NOW_US)
    with bench.conn.transaction():
        request = request_replays(bench.conn, STEWARD, EVERYTHING, most=2)
    assert (request.requested, request.has_more) == (2, True)
    assert (ask(bench).requested, ask(bench).requested) == (3, 0)
    audited = lab.query("SELECT actor, after FROM audit_event WHERE action = 'rejection.replay_requested' ORDER BY seq")
    assert [(row["actor"], row["after"]["requested"]) for row in audited] == [("user:steward", 2), ("user:steward", 3)]


def test_causes_are_counted_once_and_know_what_was_replayed(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("NEW-1", NOW_MS, level=1), telemetry("T-0000", NOW_MS, leve=1)], NOW_US)
    bench.take([telemetry("NEW-2", NOW_MS + 1, level=1), telemetry("T-0001", NOW_MS, leve=1)], NOW_US + 1_000_000)
    item = {"ts": "never", "values": {"level": 1}}
    payload = json.dumps({"T-0000": [item, item], "T-0001": [item]}).encode()
    bench.take([Message(b"v1/gateway/telemetry", payload, 1, 0x32, len(payload))], NOW_US + 2_000_000)
    total = int(lab.value("SELECT count(*) FROM rejection"))
    folded = 0
    while taken := fold_rejections(bench.conn, 3):
        folded += taken
    assert folded == total
    groups = load_rejection_groups(bench.conn, from_micros(NOW_US).date())
    found = {(g.reason, g.field_pattern): (g.count, g.open, g.serials) for g in groups}
    assert found[("unknown_serial", "")] == (2, 2, 2)
    assert found[("unknown_sensor", "values.leve")] == (2, 2, 2)
    assert lab.value("SELECT sum(count) FROM rejection_total") == total
    register_new(bench)
    renew(bench)
    replay(bench)
    groups = load_rejection_groups(bench.conn, from_micros(NOW_US).date(), reason="unknown_serial")
    assert [(g.count, g.open, g.some_serials) for g in groups] == [(2, 1, ["NEW-1", "NEW-2"])]


def test_messages_that_were_received_in_one_instant_are_told_apart(lab: Lab, bench: Bench) -> None:
    first, second = telemetry("NEW-1", NOW_MS, level=1), telemetry("NEW-1", NOW_MS + 1, level=2)
    bench.take([first], NOW_US)
    bench.take([second], NOW_US)
    register_new(bench)
    renew(bench)
    assert replay(bench) == 2
    assert [row["value"] for row in lab.query("SELECT value FROM reading ORDER BY value")] == [1.0, 2.0]
    assert lab.load_ledger()["rejected"] == 0
