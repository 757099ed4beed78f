"""The database or the broker is away for a while under load: what was acknowledged waits, and arrives once."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.brokers import Broker, MosquittoProcess
from tests.support.databases import Database
from tests.support.fleet import make_devices
from tests.support.frail_database import FrailDatabase, frail_database
from tests.support.installation import running_pipeline
from tests.support.ledgers import check_ledger
from tests.support.pipeline import Pipeline
from tests.support.planted import SENSORS, Planted, plant
from tests.support.publisher import Publisher

DEVICES = 50
STEPS = 300
RATE = 1_000
OUTAGE_S = 10.0
DRAIN_S = 180.0


@pytest.fixture
def frail() -> Iterator[FrailDatabase]:
    """A database server of this test alone."""
    with frail_database() as running:
        yield running


@pytest.mark.faults
def test_database_frozen_for_ten_seconds(frail: FrailDatabase, mosquitto: MosquittoProcess, tmp_path: Path) -> None:
    def outage() -> None:
        frail.freeze()
        time.sleep(OUTAGE_S)
        frail.thaw()

    _check_outage(frail, mosquitto, tmp_path, outage)


@pytest.mark.faults
def test_database_killed_and_away_for_ten_seconds(
    frail: FrailDatabase, mosquitto: MosquittoProcess, tmp_path: Path
) -> None:
    def outage() -> None:
        frail.kill()
        time.sleep(OUTAGE_S)
        frail.start()

    _check_outage(frail, mosquitto, tmp_path, outage)


@pytest.mark.faults
def test_broker_restarted(frail: FrailDatabase, mosquitto: MosquittoProcess, tmp_path: Path) -> None:
    def outage() -> None:
        mosquitto.stop()
        time.sleep(2.0)
        mosquitto.start()

    _check_outage(frail, mosquitto, tmp_path, outage)


@pytest.mark.faults
def test_ingest_killed_again_and_again_on_the_embedded_broker(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    # Its sessions live in its memory, but as long as it lives itself, a killed ingest must find what it had not taken.
    devices = make_devices(DEVICES)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=STEPS + 10)
    planted = plant([device.serial for device in devices], start, steps=STEPS, seed=7)
    with running_pipeline(tmp_path, database, broker.port, devices) as pipeline:
        pipeline.wait_until_ready()
        ingest = pipeline.programs["ingest"]
        publisher = Publisher(broker.port, "publisher", planted.messages)
        publishing = publisher.run_in_thread(rate=RATE)
        try:
            for kill in range(1, 6):
                while publisher.acknowledged_count < len(planted.messages) * kill // 6 and publishing.is_alive():
                    time.sleep(0.02)
                ingest.kill()
                ingest.start()
            publishing.join(120)
        finally:
            publisher.stop()
            publishing.join(60)
        assert publisher.problem is None, publisher.problem
        assert ingest.kills == 5
        pipeline.wait_until_drained(readings=SENSORS * len(planted.messages), timeout_s=DRAIN_S)
        _check_complete(pipeline, planted)


def _check_outage(frail: FrailDatabase, mosquitto: MosquittoProcess, folder: Path, outage: Callable[[], None]) -> None:
    """No program ends over the outage, and afterwards everything acknowledged is stored once, scored and triaged."""
    devices = make_devices(DEVICES)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=STEPS + 10)
    planted = plant([device.serial for device in devices], start, steps=STEPS, seed=7)
    with running_pipeline(folder, frail.database, mosquitto.port, devices) as pipeline:
        pipeline.wait_until_ready()
        publisher = Publisher(mosquitto.port, "publisher", planted.messages)
        publishing = publisher.run_in_thread(rate=RATE)
        try:
            while publisher.acknowledged_count < len(planted.messages) // 5 and publishing.is_alive():
                time.sleep(0.02)
            outage()
            publishing.join(120)
        finally:
            publisher.stop()
            publishing.join(60)
        assert publisher.problem is None, publisher.problem
        assert all(publisher.acknowledged)
        pipeline.wait_until_drained(readings=SENSORS * len(planted.messages), timeout_s=DRAIN_S)
        pipeline.programs.assert_running()
        _check_complete(pipeline, planted)


def _check_complete(pipeline: Pipeline, planted: Planted) -> None:
    _, stored = check_ledger(pipeline.database_url)
    for serial, sent in planted.readings.items():
        assert stored[serial] == SENSORS * len(sent), serial
    assert pipeline.count_readings() == SENSORS * len(planted.messages)
    rows = pipeline.query(
        """
        SELECT d.serial, array_agg(r.value ORDER BY r.observed_at) AS numbers FROM reading r
        JOIN series s ON s.id = r.series_id JOIN device d ON d.id = s.device_id
        WHERE s.sensor = 'number' GROUP BY d.serial
        """
    )
    numbers = {row["serial"]: row["numbers"] for row in rows}
    for serial, readings in planted.readings.items():
        assert numbers[serial] == [number for _, number in readings]
    found = pipeline.query(
        """
        SELECT d.serial, b.first_seen, b.raised_at, b.cleared_at, b.peak, b.severity
        FROM breach b JOIN device d ON d.id = b.device_id WHERE b.monitor = 'level_high'
        """
    )
    assert {tuple(row.values()) for row in found} == {
        (e.serial, e.first_seen, e.raised_at, e.cleared_at, e.peak, e.severity) for e in planted.episodes
    }
    orders = pipeline.query(
        """
        SELECT d.serial, count(*) AS orders FROM work_order w JOIN device d ON d.id = w.device_id
        WHERE w.fault_group = 'tank' GROUP BY d.serial
        """
    )
    assert {row["serial"]: row["orders"] for row in orders} == {e.serial: 1 for e in planted.episodes}
