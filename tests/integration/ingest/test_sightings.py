"""Signs of life: none is lost on its way into the database, and no reading waits for them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import pytest

from domain.clock import from_micros
from domain.roles import Role
from ingest.program import run
from ingest.registry_table import build_table
from ingest.settings import IngestSettings, MqttSettings
from store.heartbeats import find_standstills, load_heartbeats
from store.pool import DATABASE_GONE, open_connection
from store.registry import load_registry
from tests.integration.ingest.lab import Bench, Lab, telemetry
from tests.support.brokers import Broker
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.http_api import running_api
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


@contextmanager
def running_ingest(database: Database, broker: Broker) -> Iterator[Lab]:
    """Ingest with two devices, in a hurry with what it does beside the readings."""
    register(database.url, PROFILE, make_devices(2))
    stop = threading.Event()
    settings = IngestSettings(
        database.url, MqttSettings(broker.url), last_seen_s=0.1, fold_s=0.1, heartbeat_s=0.1, instance="one"
    )
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        yield Lab(database.url)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def say(broker: Broker, level: float) -> datetime:
    """A reading of T-0000 and when it was observed; it is lost where ingest has not subscribed yet."""
    now_ms = time.time_ns() // 1_000_000
    body = json.dumps({"ts": now_ms, "values": {"level": level}}).encode()
    publish_all(broker.port, [("forewarn/v1/T-0000/telemetry", body)], client_id=f"test-{time.monotonic_ns()}")
    return from_micros(now_ms * 1000)


def has_stored(lab: Lab, level: float) -> bool:
    """The broker keeps the order: whatever was said before is stored as well."""
    return bool(lab.value("SELECT count(*) FROM reading WHERE value = %s", level))


def say_until_heard(lab: Lab, broker: Broker) -> datetime:
    """When T-0000 was heard of last; nothing that was said is still on its way."""

    def was_heard() -> bool:
        say(broker, 1.0)
        return bool(load_seen(lab))

    # Written behind the sign of life: where this stands in the database, that does too.
    newest = "SELECT max(last_observed_at) FROM series JOIN device ON device.id = device_id WHERE serial = 'T-0000'"
    wait_until(was_heard, what="the first sign of life", timeout_s=60, every_s=0.2)
    last = say(broker, 1.5)
    wait_until(lambda: lab.value(newest) == last, what="the last sign of life", timeout_s=60)
    return load_seen(lab)["T-0000"]


def test_readings_are_stored_while_signs_of_life_wait(database: Database, broker: Broker) -> None:
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name LIKE '%%ingest signs of life' AND wait_event_type = 'Lock'
        AND datname = current_database()
    """
    with running_ingest(database, broker) as lab:
        first = say_until_heard(lab, broker)
        with psycopg.connect(database.owner_url) as other:
            other.execute("SELECT FROM device WHERE serial = 'T-0000' FOR UPDATE")
            say(broker, 2.0)
            wait_until(lambda: lab.value(waiting), what="signs of life to wait", timeout_s=60)
            say(broker, 3.0)
            wait_until(lambda: has_stored(lab, 3.0), what="a reading", timeout_s=60)
            assert lab.value(waiting) == 1, "all the while"
            assert load_seen(lab) == {"T-0000": first}
        wait_until(lambda: load_seen(lab)["T-0000"] > first, what="the later sign of life", timeout_s=60)


REFUSE = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by hand'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE OF last_seen_at ON device FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def load_standstills(lab: Lab) -> list[dict[str, str]]:
    """What ingest says does not get done."""
    with psycopg.connect(lab.url) as conn:
        return [dict(stands) for _, stands in find_standstills(load_heartbeats(conn))]


def test_signs_of_life_that_cannot_be_written_are_told_of_until_they_can(database: Database, broker: Broker) -> None:
    with running_ingest(database, broker) as lab, psycopg.connect(database.owner_url, autocommit=True) as owner:
        before = say_until_heard(lab, broker)
        assert load_standstills(lab) == []
        owner.execute(REFUSE)
        say(broker, 2.0)
        wait_until(lambda: load_standstills(lab), what="word of the standstill", timeout_s=60)
        (stands,) = load_standstills(lab)
        assert (stands["what"], stands["problem"].splitlines()[0]) == ("signs of life", "refused by hand")
        assert datetime.fromisoformat(stands["since"]).tzinfo is not None
        with running_api(database.url) as api:
            health = api.get("/health").json()
            assert (health["status"], health["flow"]["standstills"]) == ("degraded", 1)
            assert "refused by hand" not in api.get("/health").text, "a stranger asked"
            assert "refused by hand" in api.get("/health", headers=api.token(Role.AUDITOR)).text
            assert "forewarn_standstills 1.0" in api.get("/metrics").text
        say(broker, 3.0)
        wait_until(lambda: has_stored(lab, 3.0), what="the readings meanwhile", timeout_s=60)
        assert load_seen(lab) == {"T-0000": before}
        owner.execute("DROP TRIGGER refuse ON device")
        wait_until(lambda: load_seen(lab)["T-0000"] > before, what="the later sign of life", timeout_s=60)
        wait_until(lambda: not load_standstills(lab), what="the all-clear", timeout_s=60)


def test_signs_of_life_that_cannot_be_written_at_the_end_keep_nothing_else_from_it(
    database: Database, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s AND datname = current_database()"
    with running_ingest(database, broker) as lab, psycopg.connect(database.owner_url, autocommit=True) as owner:
        say_until_heard(lab, broker)
        owner.execute(REFUSE)
        say(broker, 2.0)
        wait_until(lambda: load_standstills(lab), what="word of the standstill", timeout_s=60)
    assert "signs of life: could not be written at the end" in caplog.messages
    with psycopg.connect(database.url) as conn:
        assert load_heartbeats(conn) == [], "it ended, and did not die"
    wait_until(lambda: lab.value(mine, "%ingest%") == 0, what="the connections to be closed", timeout_s=60)


def test_a_block_of_counts_that_cannot_be_read_is_told_of(database: Database, broker: Broker) -> None:
    with running_ingest(database, broker) as lab, psycopg.connect(database.owner_url, autocommit=True) as owner:
        say_until_heard(lab, broker)
        owner.execute("INSERT INTO ledger_block (writer, day, payload) VALUES ('x', current_date, 'not a block')")
        wait_until(lambda: load_standstills(lab), what="word of the standstill", timeout_s=60)
        assert [stands["what"] for stands in load_standstills(lab)] == ["counts by device"]
        owner.execute("DELETE FROM ledger_block WHERE payload = 'not a block'")
        wait_until(lambda: not load_standstills(lab), what="the all-clear", timeout_s=60)
