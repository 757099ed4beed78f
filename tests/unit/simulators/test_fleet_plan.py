"""The fleet's master data and its faults follow from the settings alone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from domain.installed_base import parse_installed_base
from simulators.fleet_plan import (
    installed_base,
    plan_later_fault,
    plan_opening_faults,
    plan_rollout,
    write_installed_base_csv,
)
from simulators.settings import FleetSettings

LIVE_US = 1_770_000_000_000_000
SETTINGS = FleetSettings("mqtt://localhost", Path("unused"))


def test_forty_devices_of_two_kinds_at_six_customers() -> None:
    base = installed_base(SETTINGS)
    assert Counter(device.model for device in base.devices) == {"INF-200": 24, "VEN-500": 16}
    assert len({device.serial for device in base.devices}) == 40
    gateways_of: dict[str, set[str]] = {}
    for device in base.devices:
        gateways_of.setdefault(device.customer_ref, set()).add(device.gateway)
    assert len(gateways_of) == 6
    assert all(2 <= len(gateways - {""}) <= 3 for gateways in gateways_of.values())
    assert sum(device.gateway == "" for device in base.devices) == 4, "these have a connection of their own"


def test_the_base_is_a_function_of_the_settings() -> None:
    assert installed_base(SETTINGS) == installed_base(SETTINGS)
    assert installed_base(SETTINGS) != installed_base(replace(SETTINGS, seed=2))


def test_a_small_fleet_is_whole_and_has_fewer_faults() -> None:
    base = installed_base(replace(SETTINGS, devices=5))
    assert len(base.devices) == 5
    serials = {device.serial for device in base.devices}
    assert {fault.serial for fault in plan_opening_faults(base, LIVE_US)} <= serials
    assert {rollout.serial for rollout in plan_rollout(base, LIVE_US)} <= serials


def test_the_csv_is_what_the_import_takes(tmp_path: Path) -> None:
    base = installed_base(SETTINGS)
    path = tmp_path / "base.csv"
    write_installed_base_csv(base, path)
    devices, problems = parse_installed_base(path.read_text(encoding="utf-8"))
    assert problems == []
    assert tuple(devices) == base.devices


def test_the_bad_firmware_reaches_five_pumps_at_three_customers_within_its_time() -> None:
    base = installed_base(SETTINGS)
    customer_of = {device.serial: device.customer_ref for device in base.devices}
    rollouts = plan_rollout(base, LIVE_US)
    assert len(rollouts) == 5
    assert len({customer_of[rollout.serial] for rollout in rollouts}) >= 3
    # the update takes 12 s
    assert all(50 <= (rollout.at_us - LIVE_US) / 1e6 <= 90 for rollout in rollouts)


def test_opening_faults_leave_healthy_devices_and_one_cause_per_device() -> None:
    base = installed_base(SETTINGS)
    faults = plan_opening_faults(base, LIVE_US)
    touched = [fault.serial for fault in faults] + [rollout.serial for rollout in plan_rollout(base, LIVE_US)]
    assert len(touched) == len(set(touched))
    assert len(base.devices) - len(touched) >= 15
    assert all(fault.onset_us > LIVE_US for fault in faults)
    early = [fault.kind for fault in faults if fault.onset_us + fault.growth_s * 1e6 <= LIVE_US + 60e6]
    assert {"occlusion", "circuit_leak", "offline", "stuck_sensor"} <= set(early)


def test_later_faults_come_on_free_devices_only() -> None:
    base = installed_base(SETTINGS)
    faults = plan_opening_faults(base, LIVE_US)
    busy = {fault.serial for fault in faults}
    for number in range(1, 10):
        fault = plan_later_fault(base, faults, 1, number, LIVE_US)
        assert fault is not None
        assert fault.serial not in busy
        busy.add(fault.serial)
        faults.append(fault)
    assert plan_later_fault(base, [], 1, 1, LIVE_US) == plan_later_fault(base, [], 1, 1, LIVE_US)


@pytest.mark.parametrize("devices", [1, 2, 7, 40, 120])
def test_any_size_of_fleet_is_possible(devices: int) -> None:
    assert len(installed_base(replace(SETTINGS, devices=devices)).devices) == devices
