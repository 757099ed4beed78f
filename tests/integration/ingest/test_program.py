"""Ingest as a program, on real brokers, while something breaks: everything once, nothing lost."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from domain.profile import IngestPolicy
from ingest.program import run
from ingest.settings import IngestSettings, MqttSettings
from store.installed_base import record_installed_base
from tests.integration.ingest.lab import Lab
from tests.support.brokers import Broker, MosquittoProcess, embedded_broker, mosquitto_broker
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.frail_database import frail_database
from tests.support.installation import running_pipeline
from tests.support.ledgers import check_ledger
from tests.support.publisher import Publisher, publish_all
from tests.support.waiting import wait_until

DEVICES = 20
START_MS = time.time_ns() // 1_000_000 - 600_000


def number(i: int) -> tuple[str, bytes]:
    """The i-th message: one value, which is its number."""
    body = {"ts": START_MS + i, "values": {"number": i}}
    return f"forewarn/v1/T-{i % DEVICES:04}/telemetry", json.dumps(body).encode()


def assert_exactly(lab: Lab, count: int) -> None:
    """The messages 0 to count - 1 are stored, each once, and each went to scoring once."""
    wait_until(lambda: lab.count_readings() >= count, what=f"{count} readings", timeout_s=60, every_s=0.1)
    time.sleep(0.3)  # what would be stored twice has had its chance
    rows = lab.query("SELECT value FROM reading ORDER BY value")
    assert [int(row["value"]) for row in rows] == list(range(count))
    assert lab.count_in_blocks() == count
    lab.load_ledger()


@pytest.fixture(params=["mosquitto", "embedded"])
def any_broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    if request.param == "mosquitto":
        with mosquitto_broker() as running:
            yield running.broker
    else:
        with embedded_broker() as broker:
            yield broker


@contextmanager
def ingest_in_thread(database_url: str, mqtt_url: str, **mqtt: int) -> Iterator[threading.Thread]:
    """Ingest in this process, subscribed; it is told to stop at the end of the block, and has to."""
    settings = IngestSettings(database_url, MqttSettings(mqtt_url, **mqtt), max_backoff_s=0.5)  # type: ignore[arg-type]
    stop = threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        try:
            run(settings, stop)
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive(), "ingest does not stop"
    assert not problems, problems


def wait_until_subscribed(lab: Lab, port: int) -> None:
    """A message that is sent before there is a session is nobody's: so until the first one is there."""

    def arrived() -> bool:
        publish_all(port, [number(0)], client_id=f"first-{time.monotonic_ns()}")
        return lab.count_readings() > 0

    wait_until(arrived, what="the first reading", timeout_s=60, every_s=0.2)


@pytest.mark.faults
def test_killed_in_the_middle_and_started_again(database: Database, any_broker: Broker, tmp_path: Path) -> None:
    lab = Lab(database.url)
    total = 6_000
    with running_pipeline(tmp_path, database, any_broker.port, make_devices(DEVICES), names=("ingest",)) as pipeline:
        wait_until_subscribed(lab, any_broker.port)
        (program,) = pipeline.programs.by_name.values()
        publisher = Publisher(any_broker.port, "numbers", [number(i) for i in range(total)])
        # Between the readings some that are refused, and some that have no time of their own: nothing of what is stored
        # of them would tell them from new ones.
        refused = Publisher(any_broker.port, "refused", [("forewarn/v1/T-0000/event", b"%d" % i) for i in range(600)])
        threads = [publisher.run_in_thread(rate=1_500), refused.run_in_thread(rate=150)]
        for kills in range(4):
            wait_until(
                lambda kills=kills: lab.count_readings() > (kills + 1) * total // 6,  # type: ignore[misc]
                what="more readings",
                timeout_s=60,
            )
            program.kill()
            program.start()
        for thread in threads:
            thread.join(60)
        assert publisher.problem is None
        assert refused.problem is None
        assert_exactly(lab, total)
        wait_until(lambda: len(lab.query("SELECT 1 FROM rejection")) >= 600, what="the rejections")
        payloads = [bytes(row["payload"]) for row in lab.query("SELECT payload FROM rejection")]
        assert sorted(payloads) == sorted(b"%d" % i for i in range(600))


def test_a_device_that_loops_is_limited_and_harms_no_other(database: Database, mosquitto: MosquittoProcess) -> None:
    policy = IngestPolicy(max_messages_s=20.0, burst_messages=200)
    register(database.url, replace(PROFILE, ingest=policy), make_devices(DEVICES))
    lab = Lab(database.url)
    calm = [number(i) for i in range(1, 2_000) if i % DEVICES]  # 100 of each of the others
    loop = [number(DEVICES * i) for i in range(10_000, 15_000)]
    with ingest_in_thread(database.url, mosquitto.broker.url):
        wait_until_subscribed(lab, mosquitto.port)
        looping = Publisher(mosquitto.port, "loop", loop).run_in_thread()
        publish_all(mosquitto.port, calm, client_id="calm")
        looping.join(60)

        def count_received() -> int:
            return lab.load_ledger()["values_received"]

        wait_until(lambda: count_received() >= len(calm) + len(loop) + 1, what="all to be accounted for")
        wait_until(
            lambda: lab.value("SELECT sum(weight) FROM rejection") == lab.load_ledger()["rejected"],
            what="all that was refused to be named",
        )
    _, stored = check_ledger(database.url)
    others = {f"T-{i:04}" for i in range(1, DEVICES)}
    assert {stored[serial] for serial in others} == {len(calm) // (DEVICES - 1)}
    assert stored["T-0000"] < len(loop) // 2
    rows = lab.query("SELECT serial, reason, detail, payload FROM rejection")
    assert {(row["serial"], row["reason"]) for row in rows} == {("T-0000", "too_fast")}
    assert len(rows) < 20
    assert "20 messages a second" in rows[0]["detail"]
    assert json.loads(bytes(rows[0]["payload"]))["values"]["number"] >= DEVICES * 10_000


def test_told_to_stop_it_finishes_what_it_has_in_hand(database: Database, mosquitto: MosquittoProcess) -> None:
    register(database.url, PROFILE, make_devices(DEVICES))
    lab = Lab(database.url)
    total = 5_000
    # The second half is sent when ingest has ended, however long that takes.
    begin, rest = [number(i) for i in range(1, total // 2)], [number(i) for i in range(total // 2, total)]
    publisher = Publisher(mosquitto.port, "numbers", begin)
    with ingest_in_thread(database.url, mosquitto.broker.url):
        wait_until_subscribed(lab, mosquitto.port)
        publishing = publisher.run_in_thread(rate=1_000)  # so that ingest is stopped in the middle
        wait_until(lambda: lab.count_readings() > 500, what="some readings", every_s=0.05)
    stored = lab.count_readings()
    assert lab.query("SELECT * FROM heartbeat") == [], "its silence is no alarm"
    publishing.join(60)
    publish_all(mosquitto.port, rest, client_id="rest")
    assert lab.count_readings() == stored < total, "nothing is stored by nobody"
    before = lab.load_ledger()["duplicates"]
    with ingest_in_thread(database.url, mosquitto.broker.url):
        assert_exactly(lab, total)
    assert lab.load_ledger()["duplicates"] == before, "what was stored had been acknowledged"


def test_database_connections_that_are_cut(database: Database, mosquitto: MosquittoProcess) -> None:
    register(database.url, PROFILE, make_devices(DEVICES))
    lab = Lab(database.url)
    publisher = Publisher(mosquitto.port, "numbers", [number(i) for i in range(6_000)])
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'forewarn ingest'"
    with ingest_in_thread(database.url, mosquitto.broker.url):
        wait_until_subscribed(lab, mosquitto.port)
        publishing = publisher.run_in_thread(rate=2_000)
        cuts = 0
        while publishing.is_alive() or cuts <= 3:
            with psycopg.connect(database.url) as conn:
                row = conn.execute(cut).fetchone()
                cuts += row[0] if row else 0
            time.sleep(0.25)
        assert cuts > 3
        assert_exactly(lab, 6_000)


def test_a_broker_that_is_restarted(database: Database, mosquitto: MosquittoProcess) -> None:
    register(database.url, PROFILE, make_devices(DEVICES))
    lab = Lab(database.url)
    publisher = Publisher(mosquitto.port, "numbers", [number(i) for i in range(6_000)])
    with ingest_in_thread(database.url, mosquitto.broker.url):
        wait_until_subscribed(lab, mosquitto.port)
        publishing = publisher.run_in_thread(rate=2_000)
        for share in (1, 3):
            wait_until(lambda share=share: lab.count_readings() > share * 1_000, what="some readings")  # type: ignore[misc]
            mosquitto.stop()
            time.sleep(0.3)
            mosquitto.start()
        publishing.join(90)
        assert publisher.problem is None
        assert_exactly(lab, 6_000)


def test_a_database_that_hangs_is_waited_for_in_bounded_memory(mosquitto: MosquittoProcess) -> None:
    with frail_database() as frail:
        register(frail.database.url, PROFILE, make_devices(DEVICES))
        lab = Lab(frail.database.url)
        total = 8_000
        with ingest_in_thread(frail.database.url, mosquitto.broker.url, max_unacknowledged_messages=500, keepalive_s=2):
            wait_until_subscribed(lab, mosquitto.port)
            frail.freeze()
            publish_all(mosquitto.port, [number(i) for i in range(total)])
            # Longer than the keep-alive and longer than the broker is patient for: the session has to outlive it.
            time.sleep(5.0)
            frail.thaw()
            assert_exactly(lab, total)
            wait_until(
                lambda: lab.value("SELECT details ->> 'waiting_messages' FROM heartbeat") == "0",
                what="an idle heartbeat",
            )
        # Never more than may be in memory: what was read at once beyond the bound is one read at most.
        largest = lab.value("SELECT max(reading_count) FROM reading_block")
        assert largest <= 500 + 512


def test_readings_of_a_device_that_was_registered_a_moment_ago_and_what_it_had_sent_before(
    database: Database, mosquitto: MosquittoProcess
) -> None:
    register(database.url, PROFILE, make_devices(DEVICES))
    lab = Lab(database.url)
    with ingest_in_thread(database.url, mosquitto.broker.url):
        wait_until_subscribed(lab, mosquitto.port)
        topic = f"forewarn/v1/T-{DEVICES + 4:04}/telemetry"
        publish_all(mosquitto.port, [(topic, number(2)[1])])
        wait_until(lambda: lab.query("SELECT * FROM rejection") != [], what="a rejection")
        with psycopg.connect(database.url) as conn:
            record_installed_base(conn, make_devices(DEVICES + 5), actor="test", role="admin")
        publish_all(mosquitto.port, [(topic, number(1)[1])])
        wait_until(lambda: lab.count_readings() == 3, what="its readings")
        assert [row["replay_outcome"]["stored"] for row in lab.query("SELECT * FROM rejection")] == [1]
        assert lab.load_ledger()["rejected"] == 0


def test_readings_without_a_time_come_once_however_often_they_are_sent_again(
    database: Database, any_broker: Broker, tmp_path: Path
) -> None:
    lab = Lab(database.url)
    total = 600
    messages = [
        (f"forewarn/v1/T-{i % DEVICES:04}/telemetry", json.dumps({"values": {"number": i}}).encode())
        for i in range(1, total)
    ]
    with running_pipeline(tmp_path, database, any_broker.port, make_devices(DEVICES), names=("ingest",)) as pipeline:
        wait_until_subscribed(lab, any_broker.port)
        (program,) = pipeline.programs.by_name.values()
        publishing = Publisher(any_broker.port, "clockless", messages).run_in_thread(rate=200)
        for share in (100, 250, 400):
            wait_until(lambda share=share: lab.count_readings() > share, what="more readings", timeout_s=60)  # type: ignore[misc]
            program.kill()
            program.start()
        publishing.join(60)
        assert_exactly(lab, total)
