"""A small device model for tests of the whole pipeline, and its devices at customers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import psycopg

from domain.breach import BreachKind, Severity
from domain.installed_base import InstalledDevice
from domain.profile import Direction, FaultGroup, Monitor, MonitorRule, Profile, Sensor, Text, TicketPolicy
from store.installed_base import record_installed_base
from store.profiles import record_profile

MODEL = "TEST-100"
LEVEL_RAISE_AT = 80.0
LEVEL_CLEAR_AT = 70.0
LEVEL_CRITICAL_AT = 95.0
LEVEL_N = 3
LEVEL_CLEAR_S = 5.0
FLOW_WARMUP = 60


def _name(text: str) -> Text:
    return Text(en=text, zh=text)


def _sensor(key: str, unit: str, low: float, high: float) -> Sensor:
    return Sensor(key, _name(key), unit, decimals=2, physical_min=low, physical_max=high)


def _fault_group(key: str) -> FaultGroup:
    return FaultGroup(key, _name(key), suspected_part=_name("part"), action=_name("act"), consequence=_name("harm"))


TANK = _fault_group("tank")
LINE = _fault_group("line")
CONNECTIVITY = _fault_group("connectivity")
DEVICE_ALARM = _fault_group("device_alarm")

LEVEL_HIGH = Monitor(
    key="level_high",
    rule=MonitorRule.LIMIT,
    kind=BreachKind.LIMIT,
    severity=Severity.MAJOR,
    fault_group=TANK.key,
    sensors=("level",),
    raise_at=LEVEL_RAISE_AT,
    clear_at=LEVEL_CLEAR_AT,
    critical_at=LEVEL_CRITICAL_AT,
    n=LEVEL_N,
    m=LEVEL_N,
    clear_duration_s=LEVEL_CLEAR_S,
)
FLOW_UNUSUAL = Monitor(
    key="flow_unusual",
    rule=MonitorRule.ADAPTIVE,
    kind=BreachKind.ANOMALY,
    severity=Severity.MAJOR,
    fault_group=LINE.key,
    sensors=("flow",),
    direction=Direction.BOTH,
    raise_at=8.0,
    clear_at=4.0,
    n=3,
    m=4,
    clear_duration_s=5.0,
    warmup=FLOW_WARMUP,
)
OFFLINE = Monitor(
    key="offline",
    rule=MonitorRule.OFFLINE,
    kind=BreachKind.OFFLINE,
    severity=Severity.MAJOR,
    fault_group=CONNECTIVITY.key,
    duration_s=1.0,
)
FLOW_LOW = Monitor(
    key="flow_low",
    rule=MonitorRule.LIMIT,
    kind=BreachKind.LIMIT,
    severity=Severity.MINOR,
    fault_group=LINE.key,
    sensors=("flow",),
    direction=Direction.LOW,
    raise_at=10.0,
    clear_at=20.0,
)
DEVICE_CODE = Monitor(
    key="device_code",
    rule=MonitorRule.DEVICE_CODE,
    kind=BreachKind.DEVICE_CODE,
    severity=Severity.MAJOR,
    fault_group=DEVICE_ALARM.key,
    codes=("E1042",),
)

# A storm would need more devices than any test has: orders are then independent of one another.
NO_STORM = TicketPolicy(storm_devices=100_000)

PROFILE = Profile(
    model=MODEL,
    version=1,
    manufacturer="Test Works",
    name=_name("Test device"),
    udi_di="06970001009996",
    safety_critical=False,
    sensors=(
        _sensor("level", "%", 0.0, 100.0),
        _sensor("flow", "L/min", 0.0, 1000.0),
        _sensor("number", "1", 0.0, 10_000_000.0),
    ),
    fault_groups=(TANK, LINE, CONNECTIVITY, DEVICE_ALARM),
    monitors=(LEVEL_HIGH, FLOW_UNUSUAL, OFFLINE, DEVICE_CODE),
    tickets=NO_STORM,
)

# A device of its own kind that only shows when the pipeline is ready to take readings.
PROBE = "PROBE-0001"
PROBE_PROFILE = replace(
    PROFILE,
    model="PROBE-1",
    udi_di="06970001009989",
    sensors=(_sensor("number", "1", 0.0, 10_000_000.0),),
    fault_groups=(CONNECTIVITY,),
    monitors=(OFFLINE,),
)

# Without the adaptive monitor: a scenario's outcome then follows from limits alone, whatever the other readings are.
SCENARIO_PROFILE = replace(PROFILE, monitors=(LEVEL_HIGH, FLOW_LOW, OFFLINE, DEVICE_CODE))
SCENARIO_DEVICES = 40
SCENARIO_GATEWAY = "GW-TEST"


def make_devices(
    count: int, *, prefix: str = "T", customers: int = 4, firmware: str = "1.0.0", gateway: str = ""
) -> list[InstalledDevice]:
    """Devices `T-0000`, `T-0001`, …, one after the other at `customers` customers with one site each."""
    return [
        InstalledDevice(
            serial=f"{prefix}-{i:04d}",
            model=MODEL,
            lot="L1",
            firmware=firmware,
            gateway=gateway,
            installed_on=date(2025, 1, 15),
            customer_ref=f"{prefix}-C{i % customers}",
            customer_name=f"Hospital {i % customers}",
            site_ref=f"{prefix}-S{i % customers}",
            site_name=f"Ward {i % customers}",
        )
        for i in range(count)
    ]


def make_scenario_devices() -> list[InstalledDevice]:
    """Forty devices `T-0000` … for one test each, and three of `G-0000` … behind the gateway."""
    return make_devices(SCENARIO_DEVICES) + make_devices(3, prefix="G", customers=1, gateway=SCENARIO_GATEWAY)


def register(database_url: str, profile: Profile, devices: Sequence[InstalledDevice]) -> None:
    """The profile is applied, and every device is in the installed base; so is the probe."""
    probe = InstalledDevice(serial=PROBE, model=PROBE_PROFILE.model, installed_on=date(2025, 1, 15))
    with psycopg.connect(database_url) as conn:
        record_profile(conn, profile, "test")
        record_profile(conn, PROBE_PROFILE, "test")
        report = record_installed_base(conn, [*devices, probe], actor="test", role="admin")
    assert not report.problems, report.problems
    assert report.created == len(devices) + 1
