"""Signs of life: none is lost on its way into the database, and no reading waits for them."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest

from domain.clock import from_micros
from ingest.program import run
from ingest.registry_table import build_table
from ingest.settings import IngestSettings, MqttSettings
from store.pool import DATABASE_GONE, open_connection
from store.registry import load_registry
from tests.integration.ingest.lab import Bench, Lab, telemetry
from tests.support.brokers import Broker
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.publisher import publish_all
from tests.support.waiting import wait_until

NOW_US = time.time_ns() // 1000 // 1_000_000 * 1_000_000
NOW_MS = NOW_US // 1000


@pytest.fixture
def bench(lab: Lab) -> Iterator[Bench]:
    bench = Bench(lab)
    yield bench
    bench.close()


def load_seen(lab: Lab) -> dict[str, datetime]:
    """When each device that was ever heard of was heard of last."""
    rows = lab.query("SELECT serial, last_seen_at FROM device WHERE last_seen_at IS NOT NULL ORDER BY serial")
    return {row["serial"]: row["last_seen_at"] for row in rows}


def adopt_anew(bench: Bench) -> None:
    """The registry has changed."""
    registry = load_registry(bench.conn)
    bench.table = build_table(registry)
    bench.sightings.adopt(registry, bench.table)


def test_what_a_new_registry_finds_unwritten_is_still_written_but_of_what_was_deleted(
    any_database: Database, lab: Lab, bench: Bench
) -> None:
    for number, serial in enumerate(("T-0003", "T-0007", "T-0019")):
        bench.take([telemetry(serial, NOW_MS, level=1)], NOW_US + number)
    with psycopg.connect(any_database.owner_url) as owner:
        owner.execute("DELETE FROM series WHERE device_id = (SELECT id FROM device WHERE serial = 'T-0003')")
        owner.execute("DELETE FROM device WHERE serial = 'T-0003'")
    adopt_anew(bench)
    adopt_anew(bench)
    assert load_seen(lab) == {}
    bench.sightings.write(bench.conn)
    assert load_seen(lab) == {"T-0007": from_micros(NOW_US + 1), "T-0019": from_micros(NOW_US + 2)}


def test_what_could_not_be_written_is_written_the_next_time(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("T-0001", NOW_MS, level=1), telemetry("T-0002", NOW_MS, level=1, flow=2)], NOW_US)
    doomed = open_connection(lab.url, application="ingest", autocommit=True)
    doomed.close()
    with pytest.raises(DATABASE_GONE):
        bench.sightings.write(doomed)
    bench.take([telemetry("T-0001", NOW_MS + 5, level=1)], NOW_US + 5_000)
    bench.sightings.write(bench.conn)
    assert load_seen(lab) == {"T-0001": from_micros(NOW_US + 5_000), "T-0002": from_micros(NOW_US)}
    observed = lab.query(
        "SELECT d.serial, s.sensor, s.last_observed_at FROM series s JOIN device d ON d.id = s.device_id "
        "WHERE s.last_observed_at IS NOT NULL ORDER BY 1, 2"
    )
    assert [tuple(row.values()) for row in observed] == [
        ("T-0001", "level", from_micros(NOW_US + 5_000)),
        ("T-0002", "flow", from_micros(NOW_US)),
        ("T-0002", "level", from_micros(NOW_US)),
    ]


def test_what_was_written_is_not_written_again(lab: Lab, bench: Bench) -> None:
    bench.take([telemetry("T-0001", NOW_MS, level=1)], NOW_US)
    bench.sightings.write(bench.conn)
    before = lab.query("SELECT xmin, ctid FROM device UNION ALL SELECT xmin, ctid FROM series")
    bench.sightings.write(bench.conn)
    assert lab.query("SELECT xmin, ctid FROM device UNION ALL SELECT xmin, ctid FROM series") == before


def test_readings_are_stored_while_signs_of_life_wait(database: Database, broker: Broker) -> None:
    register(database.url, PROFILE, make_devices(2))
    lab, stop = Lab(database.url), threading.Event()
    settings = IngestSettings(database.url, MqttSettings(broker.url), last_seen_s=0.1)
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name LIKE '%%ingest standing' AND wait_event_type = 'Lock' AND datname = current_database()
    """
    try:

        def say(level: float) -> None:
            body = json.dumps({"ts": time.time_ns() // 1_000_000, "values": {"level": level}}).encode()
            publish_all(broker.port, [("forewarn/v1/T-0000/telemetry", body)], client_id=f"test-{time.monotonic_ns()}")

        def was_heard() -> bool:
            say(1.0)  # lost where ingest has not subscribed yet
            return bool(load_seen(lab))

        wait_until(was_heard, what="the first sign of life", timeout_s=60, every_s=0.2)
        with psycopg.connect(database.url) as other:
            first = other.execute("SELECT last_seen_at FROM device WHERE serial = 'T-0000' FOR UPDATE").fetchone()
            say(2.0)
            wait_until(lambda: lab.value(waiting), what="signs of life to wait", timeout_s=60)
            stored = lab.count_readings()
            say(3.0)
            wait_until(lambda: lab.count_readings() > stored, what="a reading", timeout_s=60)
            assert lab.value(waiting) == 1, "all the while"
            assert (load_seen(lab)["T-0000"],) == first
        wait_until(lambda: (load_seen(lab)["T-0000"],) != first, what="the later sign of life", timeout_s=60)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
