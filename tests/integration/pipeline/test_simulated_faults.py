"""Simulated pumps with the bundled profile: each labelled fault is one order of its group, health is none."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

import orjson
import pytest

from domain.clock import MICROS_PER_SECOND, to_micros
from domain.installed_base import InstalledDevice
from domain.profile import Profile
from domain.profile_file import parse_profile
from simulators.chance import find_unit_seeds
from simulators.faults import Fault, FaultKind, Intensities
from simulators.infusion_pump import InfusionPump
from tests.support.brokers import Broker
from tests.support.databases import Database
from tests.support.installation import running_pipeline
from tests.support.pipeline import Pipeline, telemetry_topic

STEP_S = 2
STEPS = 1_200  # forty minutes; what is older than a quarter of an hour opens nothing, so faults begin later
ONSET_S = 1_700
BEGIN_US = 1_763_110_800 * MICROS_PER_SECOND  # the physics have a daily rhythm: every run sees the same hour of it
SERIALS = [f"INF-{i:04d}" for i in range(8)]
FAULTY = {"INF-0002": FaultKind.OCCLUSION, "INF-0005": FaultKind.MOTOR_WEAR}


@pytest.fixture
def pipeline(database: Database, broker: Broker, tmp_path: Path) -> Iterator[Pipeline]:
    """Eight infusion pumps at two hospitals."""
    source = resources.files("profiles").joinpath("infusion_pump.yaml")
    profile = parse_profile(source.read_text("utf-8"), "infusion_pump.yaml")
    assert isinstance(profile, Profile), profile
    devices = [
        InstalledDevice(
            serial=serial,
            model=profile.model,
            installed_on=date(2025, 1, 15),
            customer_ref=f"C{i % 2}",
            customer_name=f"Hospital {i % 2}",
            site_ref=f"S{i % 2}",
            site_name=f"Ward {i % 2}",
        )
        for i, serial in enumerate(SERIALS)
    ]
    with running_pipeline(tmp_path, database, broker.port, devices, profile=profile) as running:
        running.wait_until_ready()
        yield running


def _simulate(shift_us: int) -> list[tuple[str, bytes]]:
    """Messages of all pumps, their times moved by `shift_us`."""
    kind = InfusionPump()
    faults = [
        Fault(serial, what, BEGIN_US + ONSET_S * MICROS_PER_SECOND, growth_s=60.0) for serial, what in FAULTY.items()
    ]
    seeds = find_unit_seeds(5, SERIALS)
    state = kind.start(seeds, BEGIN_US / MICROS_PER_SECOND)
    messages: dict[str, list[dict[str, object]]] = {serial: [] for serial in SERIALS}
    for k in range(1, STEPS + 1):
        at_us = BEGIN_US + k * STEP_S * MICROS_PER_SECOND
        state, readings = kind.advance(
            seeds, state, at_us / MICROS_PER_SECOND, STEP_S, Intensities(SERIALS, faults, at_us)
        )
        for unit, serial in enumerate(SERIALS):
            values = {
                sensor: round(float(readings[row, unit]), kind.decimals[row]) for row, sensor in enumerate(kind.sensors)
            }
            messages[serial].append({"ts": (at_us + shift_us) // 1000, "values": values})
    return [
        (telemetry_topic(serial), orjson.dumps(entries[begin : begin + 100]))
        for begin in range(0, STEPS, 100)
        for serial, entries in messages.items()
    ]


def test_each_fault_is_one_order_and_health_is_none(pipeline: Pipeline) -> None:
    now_us = to_micros(datetime.now(UTC).replace(microsecond=0))
    pipeline.publish(_simulate(now_us - STEPS * STEP_S * MICROS_PER_SECOND - BEGIN_US))
    pipeline.wait_until_drained(readings=len(SERIALS) * STEPS * len(InfusionPump().sensors))
    assert pipeline.value("SELECT count(*) FROM rejection") == 0
    expected = {(serial, InfusionPump().faults[what]) for serial, what in FAULTY.items()}
    orders = pipeline.query(
        "SELECT d.serial, w.fault_group FROM work_order w JOIN device d ON d.id = w.device_id ORDER BY d.serial"
    )
    assert sorted((row["serial"], row["fault_group"]) for row in orders) == sorted(expected)
