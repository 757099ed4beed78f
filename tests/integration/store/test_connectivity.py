"""The facts in the database are those of domain/connectivity.py, and the reconciler brings every device to them."""

import random
from datetime import timedelta
from typing import Any

import pytest

from domain.clock import from_micros, to_micros
from domain.connectivity import (
    ConnectionFacts,
    Connectivity,
    ConnectivityReason,
    ConnectivityState,
    Sighting,
    Word,
    find_connectivity,
    note_readings,
    note_word,
)
from domain.report import ConnectionState, StatusReport
from store.connectivity import DeviceSeen, load_connection_facts, reconcile_connectivity
from store.pool import Connection, open_connection
from store.reports import record_seen, record_status
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register

S = 1_000_000
NOW = 1_795_000_000 * S
HOUR = 3_600 * S
SILENCE = HOUR  # the test's model does not say how often its sensors report
DEVICES = 12
ON, OFF = ConnectionState.ONLINE, ConnectionState.OFFLINE


@pytest.fixture
def conn(database: Database) -> Any:
    """A connection as the programs have it, to a database with some devices."""
    register(database.url, PROFILE, make_devices(DEVICES))
    with open_connection(database.url, application="ingest", autocommit=True) as opened:
        yield opened


def device_ids(conn: Connection) -> list[int]:
    return [row[0] for row in conn.execute("SELECT id FROM device WHERE serial LIKE 'T-%' ORDER BY serial")]


def find_answer(conn: Connection, device_id: int) -> tuple[str, str]:
    row = conn.execute("SELECT connectivity, connectivity_reason FROM device WHERE id = %s", (device_id,)).fetchone()
    assert row is not None
    return row[0], row[1]


def load_present(conn: Connection, device_id: int) -> Connectivity:
    row = conn.execute("SELECT connectivity, connectivity_since FROM device WHERE id = %s", (device_id,)).fetchone()
    assert row is not None
    since_us = None if row[1] is None else to_micros(row[1])
    return Connectivity(ConnectivityState(row[0]), since_us, ConnectivityReason.NEVER_HEARD)


def reconcile(conn: Connection, now_us: int, since_us: int = 0) -> int:
    return reconcile_connectivity(conn, from_micros(now_us), from_micros(since_us))


def test_facts_and_answers_are_those_of_the_pure_functions(conn: Connection) -> None:
    chance = random.Random(3)
    ids = device_ids(conn)
    known = dict.fromkeys(ids, ConnectionFacts())
    now = NOW
    listening = NOW
    for _ in range(60):
        now += chance.choice([S, 5 * S, 70 * S, HOUR])
        seen = []
        for device_id in chance.sample(ids, 8):
            if chance.random() < 0.4:
                state, again = chance.choice([ON, OFF]), chance.random() < 0.3
                said = chance.choice([now, now - chance.randrange(HOUR)])
                if record_status(conn, StatusReport(device_id, said, now, state), unless_known=again):
                    known[device_id] = note_word(known[device_id], Word(state, said, now, again))
            else:
                # Written down after the word that was just received, or before: receipts within seconds.
                received = now + chance.choice([-3 * S, 0, S])
                sighting = Sighting(received, received - chance.choice([0, 0, 90 * S, 2 * HOUR]))
                seen.append(DeviceSeen(device_id, sighting.received_us, sighting.observed_us))
                known[device_id] = note_readings(known[device_id], sighting)
        record_seen(conn, seen)
        if chance.random() < 0.2:
            listening = now
        reconcile(conn, now + S, listening)
        for device_id, facts in known.items():
            assert load_connection_facts(conn, device_id) == facts
            present = load_present(conn, device_id)
            assert find_connectivity(facts, present, now + S, listening, SILENCE).state is present.state, facts
    assert reconcile(conn, now + S, listening) == 0, "nothing is left to change"


def test_history_is_written_on_change_alone_and_without_gaps(conn: Connection) -> None:
    device_id = device_ids(conn)[0]
    for k in range(5):
        record_seen(conn, [DeviceSeen(device_id, NOW + k * S, NOW + k * S)])
        reconcile(conn, NOW + k * S)
    record_status(conn, StatusReport(device_id, NOW + 6 * S, NOW + 6 * S, OFF), unless_known=False)
    record_status(conn, StatusReport(device_id, NOW + 7 * S, NOW + 7 * S, OFF), unless_known=False)
    assert find_answer(conn, device_id) == ("OFFLINE", "said_offline")
    record_seen(conn, [DeviceSeen(device_id, NOW + 8 * S, NOW + 8 * S)])
    reconcile(conn, NOW + 8 * S + SILENCE)
    assert find_answer(conn, device_id) == ("ONLINE", "readings")
    reconcile(conn, NOW + 9 * S + SILENCE)
    assert find_answer(conn, device_id) == ("STALE", "silent")
    history = conn.execute(
        "SELECT before, after, at FROM device_history WHERE device_id = %s ORDER BY id", (device_id,)
    ).fetchall()
    assert [(before, after) for before, after, _ in history] == [
        ("UNKNOWN", "ONLINE"),
        ("ONLINE", "OFFLINE"),
        ("OFFLINE", "ONLINE"),
        ("ONLINE", "STALE"),
    ]
    assert history[-1][2] == from_micros(NOW + 8 * S), "since when nothing was heard"


def test_a_slow_clock_without_any_online_keeps_nobody_offline(conn: Connection) -> None:
    device_id = device_ids(conn)[0]
    record_seen(conn, [DeviceSeen(device_id, NOW, NOW - HOUR)])
    record_status(conn, StatusReport(device_id, NOW + S, NOW + S, OFF), unless_known=False)
    assert find_answer(conn, device_id)[0] == "OFFLINE"
    record_seen(conn, [DeviceSeen(device_id, NOW + 30 * S, NOW + 30 * S - HOUR)])
    assert find_answer(conn, device_id)[0] == "ONLINE"


def test_how_long_silence_may_last_is_said_by_the_profile_and_a_retired_device_is_left_alone(conn: Connection) -> None:
    first, second, *_ = device_ids(conn)
    record_seen(conn, [DeviceSeen(d, NOW, NOW) for d in (first, second)])
    conn.execute("UPDATE device SET lifecycle = 'DECOMMISSIONED' WHERE id = %s", (second,))
    assert reconcile(conn, NOW + 59 * 60 * S) == 0
    conn.execute(
        "INSERT INTO device_model_profile (device_model_id, version, body, sha256, applied_by) "
        "SELECT device_model_id, version + 1, jsonb_set(body, '{sensors,0,interval_s}', '30'), 'x', 'test' "
        "FROM device_model_profile"
    )
    conn.execute("UPDATE device_model SET current_version = current_version + 1")
    assert reconcile(conn, NOW + 99 * S) == 0
    assert reconcile(conn, NOW + 101 * S) == 1
    assert (find_answer(conn, first)[0], find_answer(conn, second)[0]) == ("STALE", "ONLINE")


def test_many_devices_are_reconciled_at_once(conn: Connection) -> None:
    record_seen(conn, [DeviceSeen(d, NOW, NOW) for d in reversed(device_ids(conn))])
    assert reconcile_connectivity(conn, from_micros(NOW) + timedelta(hours=2), from_micros(NOW)) == DEVICES
