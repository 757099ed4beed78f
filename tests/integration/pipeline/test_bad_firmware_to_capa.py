"""The same fault on several devices of one firmware version at several customers is proposed as a CAPA; less is not."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.installed_base import InstalledDevice
from tests.support.brokers import Broker
from tests.support.databases import Database
from tests.support.fleet import SCENARIO_PROFILE, make_devices
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline, make_reading, telemetry_topic

LEVELS = [50.0] * 10 + [90.0] * 5
BAD = "2.4.0"
GOOD = "2.3.9"


def _make_installed_base() -> list[InstalledDevice]:
    bad = make_devices(6, prefix="BAD", customers=3, firmware=BAD)
    good = make_devices(20, prefix="GOOD", customers=3, firmware=GOOD)
    # All of these stand at one customer.
    lonely = make_devices(5, prefix="LONE", customers=1, firmware="3.0.0")
    return [*bad, *good, *lonely]


@pytest.fixture
def pipeline(any_database: Database, broker: Broker, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline for this test alone: CAPA statistics look at the whole installed base."""
    with running_pipeline(
        tmp_path, any_database, broker.port, _make_installed_base(), profile=SCENARIO_PROFILE
    ) as running:
        running.wait_until_ready()
        yield running


def _break_devices(pipeline: Pipeline, serials: Sequence[str]) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=60)
    before = pipeline.count_readings()
    pipeline.publish(
        [
            (telemetry_topic(serial), make_reading(start + timedelta(seconds=k), {"level": level}))
            for serial in serials
            for k, level in enumerate(LEVELS)
        ]
    )
    pipeline.wait_until_drained(readings=before + len(serials) * len(LEVELS))


def _capas(pipeline: Pipeline, firmware: str) -> list[dict[str, object]]:
    return pipeline.query(
        """
        SELECT c.id, c.state, c.fault_group, c.statistics, c.trigger FROM capa c
        WHERE c.scope_kind = 'FIRMWARE' AND c.scope_value = %s
        """,
        firmware,
    )


def test_bad_firmware_is_proposed_as_a_capa_and_nothing_else_is(pipeline: Pipeline) -> None:
    _break_devices(pipeline, ["BAD-0000", "BAD-0001"])
    assert _capas(pipeline, BAD) == [], "two devices are not enough"
    _break_devices(pipeline, ["BAD-0002"])
    pipeline.wait_for(
        "SELECT count(*) > 0 FROM capa WHERE scope_kind = 'FIRMWARE' AND scope_value = %s", BAD, what="a CAPA proposal"
    )
    (capa,) = _capas(pipeline, BAD)
    assert capa["state"] == "PROPOSED", "whether it is opened, a person decides"
    assert capa["fault_group"] == "tank"
    statistics = capa["statistics"]
    assert isinstance(statistics, dict)
    assert (statistics["devices"], statistics["customers"]) == (3, 3)
    members = pipeline.query(
        """
        SELECT d.serial FROM capa_member m
        JOIN work_order w ON w.id = m.work_order_id JOIN device d ON d.id = w.device_id
        WHERE m.capa_id = %s ORDER BY d.serial
        """,
        capa["id"],
    )
    assert [row["serial"] for row in members] == ["BAD-0000", "BAD-0001", "BAD-0002"]

    _break_devices(pipeline, ["BAD-0003"])
    assert len(_capas(pipeline, BAD)) == 1, "a fourth device joins the proposal"
    _break_devices(pipeline, ["LONE-0000", "LONE-0001", "LONE-0002", "LONE-0003"])
    assert _capas(pipeline, "3.0.0") == [], "one customer alone may have caused it himself"
    assert _capas(pipeline, GOOD) == []
    announced = pipeline.value("SELECT count(*) FROM outbox WHERE type LIKE '%%capa.proposed' AND entity = 'capa'")
    assert announced == pipeline.value("SELECT count(*) FROM capa")


def test_the_version_that_the_device_reports_counts(pipeline: Pipeline) -> None:
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=90)
    serials = ["GOOD-0000", "GOOD-0001", "GOOD-0002"]
    report = b'{"ts": %d, "component": "main", "version": "2.5.0", "state": "UPDATED"}'
    body = report % round(start.timestamp() * 1000)
    pipeline.publish([(f"forewarn/v1/{serial}/firmware", body) for serial in serials])
    pipeline.wait_for("SELECT count(*) = 3 FROM device WHERE firmware = '2.5.0'", what="the reported version")
    _break_devices(pipeline, serials)
    pipeline.wait_for("SELECT count(*) > 0 FROM capa WHERE scope_value = '2.5.0'", what="a CAPA proposal")
    assert {b["firmware"] for serial in serials for b in pipeline.breaches_of(serial)} == {"2.5.0"}


def test_every_device_keeps_its_own_order(pipeline: Pipeline) -> None:
    serials = [f"BAD-{i:04d}" for i in range(6)]
    _break_devices(pipeline, serials)
    for serial in serials:
        assert len(pipeline.orders_of(serial)) == 1
