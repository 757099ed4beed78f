"""Sparkplug on a real broker and database: an edge node is born, dies and comes back, and is asked after a loss."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from domain.broker_address import parse_broker_address
from ingest.program import run
from ingest.settings import IngestSettings, MqttSettings, SparkplugSettings
from simulators.sparkplug_edge import SparkplugEdge, find_now_ms
from simulators.sparkplug_node import EdgeDevice, SparkplugNode
from tests.integration.ingest.lab import Lab
from tests.support.brokers import MosquittoProcess
from tests.support.databases import Database
from tests.support.fleet import PROFILE, make_devices, register
from tests.support.waiting import wait_until

EDGE = "EDGE-1"
SERIALS = ("S-0000", "S-0001")


@contextmanager
def ingest_running(
    database_url: str, mqtt_url: str, name: str = "one", *, host_id: str | None = None
) -> Iterator[Callable[[], None]]:
    """Ingest in this process; what is yielded ends it at once."""
    settings = IngestSettings(
        database_url,
        MqttSettings(mqtt_url, client_id=f"ingest-{name}"),
        SparkplugSettings(takeover_s=0.1, host_id=host_id),
        instance=name,
        last_seen_s=0.2,
        registry_poll_s=0.2,
        heartbeat_s=0.2,
        max_backoff_s=0.5,
    )
    stop = threading.Event()
    problems: list[BaseException] = []

    def work() -> None:
        try:
            run(settings, stop)
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    thread = threading.Thread(target=work)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "ingest does not stop"

    try:
        yield end
    finally:
        end()
    assert not problems, problems


def wait_until_reading(lab: Lab, owner: str = "one") -> None:
    """Sparkplug is subscribed to, by that process."""
    beat = """
        SELECT count(*) FROM heartbeat h, sparkplug_owner o WHERE h.program = 'sparkplug' AND o.writer = %s
            AND (h.details ->> 'broker_connected')::boolean AND h.started_at >= o.since - interval '30 s'
            AND h.at > o.since
    """
    wait_until(lambda: lab.value(beat, owner) == 1, what="Sparkplug to be read", timeout_s=60)


@pytest.fixture
def lab(database: Database) -> Lab:
    register(database.url, PROFILE, make_devices(len(SERIALS), prefix="S", gateway=EDGE))
    return Lab(database.url)


@pytest.fixture
def edge(mosquitto: MosquittoProcess) -> Iterator[SparkplugEdge]:
    devices = [EdgeDevice(serial, ("level", "line/flow")) for serial in SERIALS]
    node = SparkplugEdge(parse_broker_address(mosquitto.broker.url), SparkplugNode("g", EDGE, devices))
    yield node
    node.cut()


def find_states(lab: Lab) -> list[str]:
    query = "SELECT connectivity FROM device WHERE serial = ANY(%s) ORDER BY serial"
    return [row["connectivity"] for row in lab.query(query, list(SERIALS))]


def wait_for_states(lab: Lab, *states: str) -> None:
    wait_until(lambda: find_states(lab) == list(states), what=f"{states}", timeout_s=60)


def find_values(lab: Lab, sensor: str) -> list[float]:
    query = """
        SELECT r.value FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
        WHERE s.sensor = %s AND d.serial = 'S-0000' ORDER BY r.observed_at, r.value
    """
    return [row["value"] for row in lab.query(query, sensor)]


def wait_for_values(lab: Lab, sensor: str, *values: float) -> None:
    wait_until(lambda: find_values(lab, sensor) == list(values), what=f"{sensor} {values}", timeout_s=60)


def test_life_of_an_edge_node(lab: Lab, database: Database, mosquitto: MosquittoProcess, edge: SparkplugEdge) -> None:
    start = find_now_ms() - 60_000
    with ingest_running(database.url, mosquitto.broker.url):
        wait_until_reading(lab)

        edge.connect()
        wait_for_states(lab, "ONLINE", "ONLINE")
        edge.report("S-0000", start, {"level": 1.5, "line/flow": 10})
        edge.report("S-0000", start + 1_000, {"level": 2.5})
        wait_for_values(lab, "level", 1.5, 2.5)
        assert find_values(lab, "flow") == [10.0]

        edge.cut()
        wait_for_states(lab, "OFFLINE", "OFFLINE")
        edge.report("S-0000", start + 2_000, {"level": 3.5})
        assert edge.node.waiting == 1

        edge.connect()
        wait_for_states(lab, "ONLINE", "ONLINE")
        edge.send_history()
        wait_for_values(lab, "level", 1.5, 2.5, 3.5)
        late = lab.query("SELECT value FROM reading WHERE flags & 8 <> 0")
        assert [row["value"] for row in late] == [3.5]

        edge.lose_device("S-0001")
        wait_for_states(lab, "ONLINE", "OFFLINE")
        edge.bear_device("S-0001")
        wait_for_states(lab, "ONLINE", "ONLINE")

        births = edge.births
        edge.skip()
        edge.report("S-0000", start + 3_000, {"level": 4.5})
        wait_until(lambda: edge.births > births, what="the rebirth that was asked for", timeout_s=60)
        edge.report("S-0000", start + 4_000, {"level": 5.5})
        # The value before the rebirth was refused; the birth says it again, as the node's newest then.
        wait_for_values(lab, "level", 1.5, 2.5, 3.5, 4.5, 5.5)
        reasons = lab.query("SELECT reason, serial, topic FROM rejection")
        assert [(row["reason"], row["serial"]) for row in reasons] == [("no_birth", "S-0000")]

        with psycopg.connect(database.url, autocommit=True) as conn:
            conn.execute("""
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'forewarn ingest sparkplug'
            """)
        edge.report("S-0000", start + 5_000, {"level": 6.5})
        wait_for_values(lab, "level", 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
        assert edge.births == births + 1, "a lost connection to the database is nobody's business but ours"

        edge.close()
        wait_for_states(lab, "OFFLINE", "OFFLINE")
        lab.load_ledger()


def test_restarts_and_takeovers(lab: Lab, database: Database, mosquitto: MosquittoProcess, edge: SparkplugEdge) -> None:
    start = find_now_ms() - 60_000
    url = mosquitto.broker.url
    with ingest_running(database.url, url) as end:
        wait_until_reading(lab)
        edge.connect()
        wait_for_states(lab, "ONLINE", "ONLINE")
        with ingest_running(database.url, url, "two"):
            # Both run, one reads: everything is there once, from both sensors.
            edge.report("S-0000", start, {"level": 1.5, "line/flow": 10})
            wait_for_values(lab, "level", 1.5)
            end()
            wait_until_reading(lab, "two")
            edge.report("S-0000", start + 1_000, {"level": 2.5})
            wait_for_values(lab, "level", 1.5, 2.5)

    # Nobody listens: the broker keeps it for the session that goes from one to the next.
    edge.report("S-0000", start + 1_500, {"level": 3})
    edge.report("S-0000", start + 1_600, {"level": 3.25})
    edge.cut()
    with ingest_running(database.url, url, "three"):
        wait_for_states(lab, "OFFLINE", "OFFLINE")
        assert find_values(lab, "level") == [1.5, 2.5, 3.0, 3.25]
        edge.connect()
        wait_for_states(lab, "ONLINE", "ONLINE")
    assert edge.births == 2, "no restart and no takeover asks for anything"
    assert lab.query("SELECT reason FROM rejection") == []

    with psycopg.connect(database.owner_url) as conn:
        conn.execute("DELETE FROM sparkplug_edge")
    with ingest_running(database.url, url):
        wait_until_reading(lab)
        edge.report("S-0000", start + 2_000, {"level": 3.5})
        wait_until(lambda: edge.births == 3, what="the rebirth that was asked for", timeout_s=60)
        edge.report("S-0000", start + 3_000, {"level": 4.5})
        wait_for_values(lab, "level", 1.5, 2.5, 3.0, 3.25, 3.5, 4.5)
    reasons = lab.query("SELECT DISTINCT reason, serial FROM rejection")
    assert reasons == [{"reason": "no_birth", "serial": "S-0000"}]
    lab.load_ledger()


def test_host_application_says_whether_it_is_there(
    lab: Lab, database: Database, mosquitto: MosquittoProcess, edge: SparkplugEdge
) -> None:
    states: list[dict[str, Any]] = []
    topic = "spBv1.0/STATE/forewarn"
    address = parse_broker_address(mosquitto.broker.url)
    node = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="node")
    node.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
    node.on_message = lambda _client, _userdata, message: states.append(json.loads(message.payload))
    node.connect(address.host, address.port)
    node.loop_start()
    try:
        with ingest_running(database.url, mosquitto.broker.url, host_id="forewarn"):
            wait_until(lambda: states, what="the host's word")
            assert states[0]["online"] is True
            # Somebody else says that it is not there: it is said again, with the time of its connection.
            node.publish(topic, json.dumps({"online": False, "timestamp": 1}), qos=1, retain=True)
            wait_until(lambda: len(states) >= 3, what="the host's word against it")
            assert states[2] == states[0]
        wait_until(lambda: not states[-1]["online"], what="the farewell")
        assert states[-1]["timestamp"] >= states[0]["timestamp"]
    finally:
        node.disconnect()
        node.loop_stop()
    assert lab.query("SELECT * FROM rejection") == []
