"""A small service with something to decide, made through the product's own store, evidence and triage functions."""

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from anomaly.bank import MonitorSlot, WatchedDevice
from anomaly.evidence import build_evidence, find_windows
from anomaly.ticket_params import describe_ticket
from api.passwords import hash_password
from domain.audit import Actor
from domain.breach import BreachTransition, Severity, TransitionKind, breach_id_of
from domain.clock import to_micros
from domain.installed_base import InstalledDevice
from domain.lab import LabRequest
from domain.profile import MonitorRule, Profile
from domain.profile_file import parse_profile
from domain.reading import Rejection, RejectionReason
from domain.report import AttributeReport, FirmwareReport, FirmwareState
from domain.sentences import duration, quantity
from service_link.batch import triage_batch
from service_link.quality import QualityWatch, propose_capas
from store.breaches import load_raw_windows, record_evidence, record_transitions
from store.certificates import record_certificate
from store.decisions import load_undecided
from store.device_attributes import record_attributes
from store.firmware import load_firmware_changes
from store.heartbeats import record_heartbeat
from store.installed_base import record_installed_base
from store.pool import Connection
from store.profiles import record_profile
from store.readings import ReadingColumns, ensure_partitions, find_days, record_new_readings
from store.registry import Registry, load_registry
from store.rejection_groups import fold_rejections
from store.rejections import record_rejections
from store.reports import record_firmware_report
from store.ticket_policies import load_ticket_policies
from store.users import record_user
from tests.e2e.configuration_seeding import make_configuration
from tests.e2e.fleet_seeding import make_owed
from tests.e2e.monitor_seeding import make_pump_monitors
from tests.support.lab import make_lab_run

PASSWORD = "correct horse battery staple"
PROFILES = Path(__file__).parents[2] / "profiles"
SETUP = Actor("setup", "admin", "user.manage")
PEOPLE = (
    ("mara", "Mara Lindqvist", ["service_manager", "quality_approver"]),
    ("tom", "Tom Okafor", ["technician"]),
    ("li", "Li Na", ["technician"]),
    ("aya", "Aya Sato", ["auditor"]),
    ("sven", "Sven Berg", ["service_manager"]),
    ("ada", "Ada Quist", ["admin"]),
    ("dina", "Dina Rossi", ["data_steward"]),
)
CUSTOMERS = (
    ("C-RUIJIN", "Riverbank Hospital", "S-RUIJIN-ICU", "ICU 3", "Asia/Shanghai", "CN-East"),
    ("C-LINDENTAL", "Klinikum Lindental", "S-LINDENTAL-A", "Ward 12A", "Europe/Berlin", "EU"),
    ("C-MERCY", "Lakeside General", "S-MERCY-ER", "Emergency", "America/Chicago", "US"),
)
SERIALS = tuple(f"INF-748{number}" for number in range(21, 30))
NEVER_SEEN = "INF-74899"
# What ingestion writes of a device that reports, and an installed base old enough to have a rate.
HISTORY = """
    UPDATE device SET created_at = %(since)s,
        connectivity = CASE WHEN serial = %(never)s THEN 'UNKNOWN' ELSE 'ONLINE' END,
        connectivity_since = %(since)s,
        last_seen_at = CASE WHEN serial = %(never)s THEN NULL ELSE %(now)s::timestamptz END
"""


@dataclass(slots=True)
class Seeded:
    """What was made; `now` is the moment that all ages count from."""

    now: datetime
    orders: list[str] = field(default_factory=list)
    capas: list[str] = field(default_factory=list)
    monitor: str = ""  # the page of one with a proposed threshold
    lab: str = ""  # the page of a run that is done


def load_profile_of(name: str) -> Profile:
    """A profile that ships with the product."""
    profile = parse_profile((PROFILES / f"{name}.yaml").read_text("utf-8"), name)
    assert isinstance(profile, Profile), profile
    return profile


def seed(url: str, *, now: datetime | None = None) -> Seeded:
    """People, nine pumps at three customers, readings, breaches with evidence, their orders, and a CAPA proposal."""
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    seeded = Seeded(moment)
    pump = load_profile_of("infusion_pump")
    with psycopg.connect(url) as conn:
        record_profile(conn, pump, "setup")
        record_profile(conn, load_profile_of("ventilator"), "setup")
        record_installed_base(conn, make_devices(pump.model), actor="setup", role="admin")
        make_people(conn, pump.model)
        conn.commit()
        registry = load_registry(conn)
        for place, serial in enumerate(SERIALS):
            make_readings(conn, registry, serial, moment, place)
        conn.execute(HISTORY, {"since": moment - timedelta(days=400), "now": moment, "never": NEVER_SEEN})
        conn.commit()
        make_firmware(conn, registry, moment)
        make_breaches(conn, registry, pump, moment)
        conn.commit()
        triage(conn, moment)
        seeded.capas = propose_capas(conn, QualityWatch(), load_ticket_policies(conn), moment)
        make_rejections(conn, moment)
        make_data_quality(conn, moment)
        make_owed(conn, SERIALS, moment)
        for program in ("ingest", "anomaly", "service-link"):
            record_heartbeat(conn, program, "seed", moment, {})
        conn.commit()
        fold_rejections(conn, 1_000)
        conn.commit()
        seeded.orders = [row[0] for row in conn.execute("SELECT code FROM work_order ORDER BY id")]
        seeded.monitor = make_pump_monitors(conn, pump.model, seeded.orders, SERIALS, moment)
        make_configuration(conn, moment)
        planted = LabRequest(model=pump.model, fault="motor_wear", devices=20, days=30, seed=1)
        seeded.lab = f"/lab/{make_lab_run(conn, planted, pump, moment)}"
        conn.commit()
    return seeded


def make_firmware(conn: Connection, registry: Registry, now: datetime) -> None:
    """The first pump has said what it runs, failed at an update, and got another version of its motor's controller."""
    device_id = registry.devices[SERIALS[0]].id
    said = (
        (timedelta(days=300), "main", "2.4.1", FirmwareState.UPDATED, None),
        (timedelta(days=299), "motor", "7.0", FirmwareState.UPDATED, None),
        (timedelta(days=2, minutes=4), "main", "2.5.0", FirmwareState.DOWNLOADING, None),
        (timedelta(days=2), "main", "2.5.0", FirmwareState.FAILED, "the signature does not match"),
        (timedelta(minutes=7), "motor", "7.1", FirmwareState.UPDATED, None),
    )
    for ago, component, version, state, error in said:
        us = to_micros(now - ago)
        record_firmware_report(conn, FirmwareReport(device_id, us, us + 200, component, version, state, None, error))
    attributes = {"ward": "ICU 2", "a_key_of_a_hundred_characters_" + "x" * 70: [1, {"nested": True}]}
    record_attributes(conn, AttributeReport(device_id, to_micros(now), to_micros(now), attributes))


def make_devices(model: str) -> list[InstalledDevice]:
    """The pumps, dealt to the customers in turn; every second one runs the newer firmware."""
    devices = []
    for place, serial in enumerate((*SERIALS, NEVER_SEEN)):
        customer, name, site, site_name, zone, region = CUSTOMERS[place % len(CUSTOMERS)]
        devices.append(
            InstalledDevice(
                serial=serial,
                model=model,
                lot=f"L{2401 + place % 2}",
                udi=f"(01)06970001002003(21){serial}",
                installed_on=date(2025, 3, 10),
                warranty_end=date(2028, 3, 9),
                calibration_due=date(2027, 1, 15),
                firmware="2.4.1" if place < 5 else "2.3.0",
                customer_ref=customer,
                customer_name=name,
                site_ref=site,
                site_name=site_name,
                site_time_zone=zone,
                region=region,
            )
        )
    return devices


def make_people(conn: Connection, model: str) -> None:
    """One account for each story; the technicians may work on the pump."""
    password_hash = hash_password(PASSWORD)  # one for all: it takes a tenth of a second
    for name, full_name, roles in PEOPLE:
        record_user(
            conn,
            name=name,
            full_name=full_name,
            password_hash=password_hash,
            roles=roles,
            must_change_password=False,
        )
    for name in ("tom", "li"):
        record_certificate(conn, SETUP, name, model, date(2099, 1, 1))


def make_readings(conn: Connection, registry: Registry, serial: str, now: datetime, place: int) -> None:
    """Forty minutes of readings every five seconds, with a gap of two minutes; the first pumps go wrong at the end."""
    device = registry.devices[serial]
    seconds = np.arange(-2400, 0, 5)
    seconds = seconds[(seconds < -1500) | (seconds > -1380)]
    chance = np.random.default_rng(place)
    waves = np.sin(seconds / 97.0 + place)
    late = np.clip((seconds + 420) / 300.0, 0.0, 1.0)  # from 0 to 1 over the last minutes
    signals = {
        "flow": 120 + 0.8 * waves,
        "flow_error": 0.4 * waves,
        "pressure": 22 + 3 * waves + (46 * late if place in (5, 6) else 0),
        "motor_current": 0.32 + 0.02 * waves + (0.36 * late if place < 5 else 0),
        "battery_charge": 88 + seconds / 2400.0 * 6,
        "battery_voltage": 12.4 + 0.05 * waves,
        "battery_health": np.full(seconds.shape, 93.0 if place != 7 else 66.0),
        "temperature": 31 + 0.6 * waves,
    }
    spread = {"flow": 0.4, "flow_error": 0.5, "pressure": 0.8, "motor_current": 0.008}
    base = to_micros(now)
    columns: list[tuple[np.ndarray[Any, Any], ...]] = []
    for sensor, values in signals.items():
        if sensor in device.series:
            noisy = values + chance.normal(0, spread.get(sensor, 0.02), seconds.shape)
            ids = np.full(seconds.shape, device.series[sensor], np.int32)
            columns.append((ids, base + seconds.astype(np.int64) * 1_000_000, noisy, np.zeros(seconds.shape, np.int16)))
    joined = [np.concatenate([column[i] for column in columns]) for i in range(4)]
    readings = ReadingColumns(joined[0], joined[1], joined[2], joined[3])
    ensure_partitions(conn, find_days(readings.observed_us))
    record_new_readings(conn, readings)


def make_breaches(conn: Connection, registry: Registry, pump: Profile, now: datetime) -> None:
    """The breaches that scoring would have raised on these readings, each with its frozen evidence."""
    wanted: list[tuple[str, str, int]] = [(SERIALS[place], "motor_current_high", 40 + 30 * place) for place in range(5)]
    wanted += [
        (SERIALS[5], "pressure_high", 90),
        (SERIALS[6], "pressure_high", 35),
        (SERIALS[7], "battery_health_low", 300),
    ]
    for serial, monitor, ago in wanted:
        raise_breach(conn, registry, pump, serial, monitor, now - timedelta(seconds=ago))


def raise_breach(
    conn: Connection,
    registry: Registry,
    profile: Profile,
    serial: str,
    monitor_key: str,
    at: datetime,
    *,
    severity: Severity | None = None,
) -> BreachTransition:
    """One breach of a limit with its transition and its evidence, as of `at`."""
    registered = registry.devices[serial]
    monitor = profile.find_monitor(monitor_key)
    assert monitor is not None
    assert monitor.rule is MonitorRule.LIMIT
    sensor = profile.find_sensor(monitor.sensors[0])
    assert sensor is not None
    series_id = registered.series[sensor.key]
    watched = WatchedDevice(registered.id, serial, profile.model, registered.firmware, registered.series)
    slot = MonitorSlot(watched, profile, monitor, (sensor,), (series_id,))
    first = at - timedelta(seconds=90)
    is_low = monitor.direction.value == "low"
    peak = (monitor.raise_at or 0.0) * (0.94 if is_low else 1.21)
    transition = BreachTransition(
        breach_id=breach_id_of(registered.id, monitor.key, series_id, to_micros(first)),
        kind=TransitionKind.RAISED,
        device_id=registered.id,
        series_id=series_id,
        monitor=monitor.key,
        profile_version=profile.version,
        breach_kind=monitor.kind,
        severity=severity or monitor.severity,
        fault_group=monitor.fault_group,
        first_seen=first,
        at=at,
        received_at=at + timedelta(milliseconds=340),
        count=18,
        peak=peak,
        score=round(math.log10(1e6), 1),
        reason_code="limit_low" if is_low else "limit_high",
        params={
            "serial": serial,
            "label": {"en": sensor.label.en, "zh": sensor.label.zh},
            "peak": quantity(peak, sensor.unit, sensor.decimals),
            "limit": quantity(monitor.raise_at or 0.0, sensor.unit, sensor.decimals),
            "duration": duration(90),
            "sure": {"kind": "measured"},
            **describe_ticket(slot, to_micros(first)),
        },
    )
    record_transitions(conn, [transition])
    windows = find_windows(transition, slot)
    loaded = load_raw_windows(conn, windows)
    raw = {window.series_id: loaded[window.breach_id, window.series_id] for window in windows}
    changes = load_firmware_changes(conn, registered.id, windows[0].since, windows[0].until)
    record_evidence(conn, [build_evidence(transition, slot, None, registered.firmware, raw, changes)])
    return transition


def triage(conn: Connection, now: datetime) -> None:
    """What service_link does with transitions that nobody has decided."""
    undecided = load_undecided(conn, after=0, now=now, limit=500)
    if undecided:
        triage_batch(conn, undecided, load_ticket_policies(conn), now)


def make_rejections(conn: Connection, now: datetime) -> None:
    """Some data that could not be used."""
    topic = "forewarn/v1/INF-00000/telemetry"
    record_rejections(
        conn,
        [
            Rejection(now - timedelta(minutes=3), topic, "INF-00000", RejectionReason.UNKNOWN_SERIAL, None,
                "no device has the serial INF-00000", b'{"values": {"flow": 1.2}}'),
            Rejection(now - timedelta(minutes=9), f"forewarn/v1/{SERIALS[0]}/telemetry", SERIALS[0],
                RejectionReason.NOT_JSON, None, "unexpected end of data", b'{"values": {"flow": '),
        ],
    )  # fmt: skip


QUALITY = """
    INSERT INTO data_quality_day (day, device_id, expected, present, missing_ratio, completeness, received,
        duplicate_ratio, inconsistent_ratio, implausible_ratio, skew_s, least_completeness, alerts, judged_until,
        is_over, judged_at)
    SELECT %(day)s, id, 57600, round(57600 * %(complete)s), 1 - %(complete)s, %(complete)s, 55000, %(repeated)s, 0, 0,
        %(skew_s)s, 0.8, %(alerts)s, %(until)s, false, %(until)s
    FROM device WHERE serial = %(serial)s
"""
LEDGER = """
    INSERT INTO ingest_ledger (day, writer, messages, values_received, stored, duplicates, conflicts, late, rejected)
    VALUES (%s, 'seed', 482114, 2410577, 2409301, 1204, 3, 2210, 69)
"""


def make_data_quality(conn: Connection, now: datetime) -> None:
    """What the judging of today found: one device loses much, one has a clock that is off, one has not been judged."""
    for place, serial in enumerate(SERIALS[:-1]):
        day = {
            "day": now.date(),
            "until": now,
            "serial": serial,
            "complete": 0.538 if place == 3 else 0.9994,
            "repeated": 0.061 if place == 3 else 0.0004,
            "skew_s": 84.2 if place == 5 else -0.3,
            "alerts": {3: ["missing", "duplicate"], 5: ["clock_skew"]}.get(place, []),
        }
        conn.execute(QUALITY, day)
    conn.execute(LEDGER, (now.date(),))
