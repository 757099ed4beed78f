"""Connectivity through the running program: by a broker's words, by readings, by silence, and back again."""

import json
import threading
import time
from collections.abc import Iterator

import pytest

from ingest.program import run
from ingest.settings import IngestSettings, MqttSettings
from tests.integration.ingest.lab import Lab
from tests.support.brokers import Broker
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.publisher import publish_all
from tests.support.waiting import wait_until

HOUR_MS = 3_600_000
SLOW, OTHER = "T-0000", "T-0001"


@pytest.fixture
def lab(database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """Ingest in this process, for devices that are silent after a second."""
    monkeypatch.setattr("store.connectivity.find_silence_s", lambda intervals: 1.0)
    register(database.url, PROFILE, make_devices(2))
    stop = threading.Event()
    settings = IngestSettings(database.url, MqttSettings(broker.url), last_seen_s=0.1)
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        yield Lab(database.url)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def test_no_offline_and_no_online_is_stuck(lab: Lab, broker: Broker) -> None:
    def say(serial: str, what: str, **body: object) -> None:
        message = (f"forewarn/v1/{serial}/{what}", json.dumps(body).encode())
        publish_all(broker.port, [message], client_id=f"test-{time.monotonic_ns()}")

    def read() -> None:
        """By a clock that is an hour slow; this device never says that it is online."""
        say(SLOW, "telemetry", ts=time.time_ns() // 1_000_000 - HOUR_MS, values={"level": 50.0})

    def count(state: str) -> int:
        query = """
            SELECT count(*) FROM device_history h JOIN device d ON d.id = h.device_id
            WHERE d.serial = %s AND h.field = 'connectivity' AND h.after = %s
        """
        return int(lab.value(query, SLOW, state))

    def keep_reading_until(state: str, times: int) -> None:
        def is_so() -> bool:
            read()
            return count(state) >= times

        wait_until(is_so, what=f"{state} for the {times}. time", timeout_s=60, every_s=0.1)

    keep_reading_until("ONLINE", 1)
    wait_until(lambda: count("STALE") >= 1, what="silence", timeout_s=60, every_s=0.1)
    keep_reading_until("ONLINE", 2)
    read()
    say(SLOW, "status", state="offline")
    wait_until(
        lambda: lab.value("SELECT connectivity FROM device WHERE serial = %s", SLOW) == "OFFLINE",
        what="the word",
        timeout_s=60,
        every_s=0.1,
    )
    ends = count("ONLINE")
    keep_reading_until("ONLINE", ends + 1)
    reasons = lab.query("SELECT connectivity_reason FROM device WHERE serial = %s", OTHER)
    assert [row["connectivity_reason"] for row in reasons] == [""], "nobody ever heard of the other one"
