"""Whatever dies or is cut while readings stream in: each acknowledged reading is stored once, each fault found once.

30,000 numbered messages at QoS 1 and at most 2,000 a second, so 15 seconds or, on a slower machine, longer. Faults
are tied to the progress of publication, not to the clock, so every machine sees all of them under load: on average
one in every thousand messages. Each message is accounted for by its number; more devices would only repeat them.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.breach import breach_id_of
from domain.clock import to_micros
from tests.support.brokers import MosquittoProcess, mosquitto_broker
from tests.support.databases import DatabaseServer
from tests.support.findings import Findings, load_findings
from tests.support.fleet import LEVEL_HIGH, LINE, PROBE, TANK, make_devices
from tests.support.installation import Installation, breakable_pipeline, running_pipeline
from tests.support.ledgers import check_ledger
from tests.support.pipeline import Pipeline
from tests.support.planted import SENSORS, Planted, plant
from tests.support.publisher import Publisher

SEED = 20261122
DEVICES = 100
STEPS = 300
RATE = 2_000
DRAIN_S = 180.0
# With the default of half a minute every restart would replay from the first block, and never load a check-point.
FREQUENT_CHECKPOINTS = {"FOREWARN_ANOMALY_CHECKPOINT_S": "1"}

# Cohorts are looked at every few seconds. All devices are of one model, lot and firmware at four customers, so
# in the end every order belongs to a proposal.
ALL_ORDERS_IN_PROPOSALS = """
    SELECT count(*) > 0 AND count(*) = count(DISTINCT m.work_order_id)
    FROM work_order w LEFT JOIN capa_member m ON m.work_order_id = w.id
"""

# Each so many times, in random order.
FAULTS = {
    "kill ingest": 4,
    "kill anomaly": 4,
    "kill service-link": 4,
    "cut the broker's connections": 6,
    "cut the database's connections": 6,
    "lose answers to COMMIT": 4,
}


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_no_fault_loses_or_doubles_anything(
    postgres_server: DatabaseServer, mosquitto: MosquittoProcess, tmp_path: Path
) -> None:
    devices = make_devices(DEVICES)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=STEPS + 10)
    planted = plant([device.serial for device in devices], start, steps=STEPS, seed=SEED)

    with (
        postgres_server.fresh_database() as database,
        mosquitto_broker() as quiet_broker,
        running_pipeline(tmp_path / "undisturbed", database, quiet_broker.port, devices) as pipeline,
    ):
        pipeline.wait_until_ready()
        publisher = Publisher(quiet_broker.port, "publisher", planted.messages)
        publisher.publish_all()
        _drain(pipeline, planted)
        expected = load_findings(pipeline)
        _check_findings(pipeline, planted, expected)
        _check_stored_exactly_once(pipeline, planted)
        assert publisher.sent_count == len(planted.messages)
        ledger = _load_ledger(pipeline)
        assert ledger["duplicates"] == 0, "nothing was sent twice"
        assert ledger["stored"] == SENSORS * publisher.sent_count

    with (
        postgres_server.fresh_database() as database,
        breakable_pipeline(
            tmp_path / "disturbed", database, mosquitto.port, devices, settings=FREQUENT_CHECKPOINTS
        ) as installation,
    ):
        pipeline = installation.pipeline
        pipeline.wait_until_ready()
        publisher = Publisher(installation.broker_proxy.port, "publisher", planted.messages)
        done = _disturb(installation, publisher)
        assert all(publisher.acknowledged)
        _drain(pipeline, planted)

        assert done == FAULTS
        assert publisher.connections > 1, "the publisher's own connection was never cut"
        assert installation.database_proxy.cuts > 0
        assert installation.database_proxy.answers_lost > 0
        for program in pipeline.programs.by_name.values():
            assert program.kills == FAULTS[f"kill {program.name}"] + 1
            assert not program.unexpected, f"{program.unexpected}\n{program.read_log()}"
        _check_stored_exactly_once(pipeline, planted)
        found = load_findings(pipeline)
        _check_findings(pipeline, planted, found)
        assert found.breaches == expected.breaches
        assert found.transitions == expected.transitions
        assert found.orders == expected.orders
        assert found.capas == expected.capas
        ledger = _load_ledger(pipeline)
        assert ledger["values_received"] >= SENSORS * len(planted.messages)


def _disturb(installation: Installation, publisher: Publisher) -> dict[str, int]:
    """Publishes everything while faults happen at random moments of it; returns how many of each did."""
    chance = random.Random(SEED)
    programs = installation.pipeline.programs
    actions: dict[str, Callable[[], object]] = {
        f"kill {name}": program.kill for name, program in programs.by_name.items()
    } | {
        "cut the broker's connections": installation.broker_proxy.cut_all,
        "cut the database's connections": installation.database_proxy.cut_all,
        "lose answers to COMMIT": lambda: installation.database_proxy.lose_answer_to(b"COMMIT", 3),
    }
    total = DEVICES * STEPS
    plan = [(chance.randrange(total // 100, total), name) for name, times in FAULTS.items() for _ in range(times)]
    plan.sort(reverse=True)
    done: Counter[str] = Counter()
    publishing = publisher.run_in_thread(rate=RATE, timeout_s=300.0)
    try:
        while publishing.is_alive() or plan:
            if plan and (publisher.acknowledged_count >= plan[-1][0] or not publishing.is_alive()):
                name = plan[-1][1]
                # A program that is still dead from the last time is killed once it is back.
                if not name.startswith("kill ") or programs[name.removeprefix("kill ")].is_running:
                    plan.pop()
                    actions[name]()
                    done[name] += 1
            programs.mend()
            time.sleep(0.02)
    finally:
        publisher.stop()
        publishing.join(60)
    assert publisher.problem is None, publisher.problem
    # And at last the whole machine goes down at once, with whatever is still on its way.
    for program in programs.by_name.values():
        while not program.is_running:
            programs.mend()
            time.sleep(0.02)
        program.kill()
    for program in programs.by_name.values():
        program.start()
    return dict(done)


def _drain(pipeline: Pipeline, planted: Planted) -> None:
    try:
        pipeline.wait_until_drained(readings=SENSORS * len(planted.messages), timeout_s=DRAIN_S)
        pipeline.wait_for(ALL_ORDERS_IN_PROPOSALS, what="every order to be in a CAPA proposal")
    except AssertionError as problem:
        problem.add_note(f"{pipeline.count_readings()} readings are stored; {_load_ledger(pipeline)}")
        problem.add_note(str(pipeline.query("SELECT reason, count(*) FROM rejection GROUP BY reason")))
        raise
    pipeline.programs.assert_running()


def _check_stored_exactly_once(pipeline: Pipeline, planted: Planted) -> None:
    rows = pipeline.query(
        """
        SELECT d.serial, r.observed_at, r.value FROM reading r
        JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
        WHERE s.sensor = 'number' ORDER BY d.serial, r.observed_at
        """
    )
    stored: dict[str, list[tuple[datetime, float]]] = {}
    for row in rows:
        stored.setdefault(row["serial"], []).append((row["observed_at"], row["value"]))
    for serial, readings in planted.readings.items():
        assert stored[serial] == readings, f"the numbers of {serial} differ"
    by_sensor = pipeline.query(
        """
        SELECT s.sensor, count(*) FROM reading r JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
        WHERE d.serial <> %s
        GROUP BY s.sensor
        ORDER BY s.sensor
        """,
        PROBE,
    )
    assert [tuple(row.values()) for row in by_sensor] == [
        (sensor, len(planted.messages)) for sensor in ("flow", "level", "number")
    ]


def _check_findings(pipeline: Pipeline, planted: Planted, found: Findings) -> None:
    """The planted limit faults, from the rules of their monitor, and one order for each device and fault group."""
    ids = {
        row["serial"]: (row["device_id"], row["series_id"])
        for row in pipeline.query(
            """
            SELECT d.serial, d.id AS device_id, s.id AS series_id FROM device d JOIN series s ON s.device_id = d.id
            WHERE s.sensor = 'level'
            """
        )
    }
    limits = {
        tuple(row.values())
        for row in pipeline.query(
            """
            SELECT d.serial, b.id, b.first_seen, b.raised_at, b.cleared_at, b.state, b.peak, b.severity
            FROM breach b JOIN device d ON d.id = b.device_id WHERE b.monitor = %s
            """,
            LEVEL_HIGH.key,
        )
    }
    assert limits == {
        (
            episode.serial,
            breach_id_of(ids[episode.serial][0], LEVEL_HIGH.key, ids[episode.serial][1], to_micros(episode.first_seen)),
            episode.first_seen,
            episode.raised_at,
            episode.cleared_at,
            "CLEARED",
            episode.peak,
            episode.severity,
        )
        for episode in planted.episodes
    }
    orders = Counter((order[0], order[1]) for order in found.orders)
    assert max(orders.values()) == 1, "a device has two orders for one fault group"
    tank = {serial for serial, group in orders if group == TANK.key}
    assert tank == {episode.serial for episode in planted.episodes}
    line = {serial for serial, group in orders if group == LINE.key}
    assert line >= set(planted.flow_faults)
    assert {transition[-1] for transition in found.transitions} == {1}, "a transition has not exactly one decision"


def _load_ledger(pipeline: Pipeline) -> dict[str, Any]:
    """The sums of the ledger without the probes; received = stored + duplicates + conflicts + rejected."""
    (ledger,) = pipeline.query(
        """
        SELECT sum(messages)::bigint AS messages, sum(values_received)::bigint AS values_received,
            sum(stored)::bigint AS stored, sum(duplicates)::bigint AS duplicates, sum(conflicts)::bigint AS conflicts,
            sum(rejected)::bigint AS rejected
        FROM ingest_ledger
        """
    )
    probes = pipeline.value("SELECT count(*) FROM reading") - pipeline.count_readings()
    ledger["messages"] -= probes
    ledger["values_received"] -= probes
    ledger["stored"] -= probes
    parts = ledger["stored"] + ledger["duplicates"] + ledger["conflicts"] + ledger["rejected"]
    assert ledger["values_received"] == parts, ledger
    assert ledger["stored"] == pipeline.count_readings(), ledger
    assert ledger["conflicts"] == ledger["rejected"] == 0, ledger
    total, by_device = check_ledger(pipeline.database_url)
    assert total.stored == sum(by_device.values()) == ledger["stored"] + probes
    return ledger
