"""The simulated fleet: who owns which device behind which gateway, and what will go wrong with it when.

All of it follows from the settings alone: two calls give the same customers, devices, faults.
"""

import csv
import random
from dataclasses import dataclass, fields
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

from domain.installed_base import COLUMNS, InstalledDevice
from simulators.faults import Fault, FaultKind
from simulators.infusion_pump import BAD_FIRMWARE, GOOD_FIRMWARE, InfusionPump
from simulators.settings import FleetSettings
from simulators.ventilator import FIRMWARE as VENTILATOR_FIRMWARE
from simulators.ventilator import Ventilator

UDI_DI = {InfusionPump.model: "06970001002003", Ventilator.model: "06970001005004"}
PUMP_SHARE = 0.6
FIRST_MADE = date(2023, 3, 1)
MADE_DAYS = 700
WARRANTY_DAYS = 3 * 365


@dataclass(frozen=True, slots=True)
class Place:
    """A site of a customer and the gateways there."""

    customer_ref: str
    customer_name: str
    customer_type: str
    site_ref: str
    site_name: str
    time_zone: str
    region: str
    gateways: tuple[str, ...]


PLACES = (
    Place(
        "C-1001",
        "North Harbour Hospital",
        "HOSPITAL",
        "S-1001-A",
        "Main building",
        "Europe/London",
        "UK",
        ("GW-1001-1", "GW-1001-2"),
    ),
    Place(
        "C-1001",
        "North Harbour Hospital",
        "HOSPITAL",
        "S-1001-B",
        "Harbour wing",
        "Europe/London",
        "UK",
        ("GW-1001-3",),
    ),
    Place(
        "C-1002", "上海江畔医院", "HOSPITAL", "S-1002-A", "住院部", "Asia/Shanghai", "CN", ("GW-1002-1", "GW-1002-2")
    ),
    Place("C-1002", "上海江畔医院", "HOSPITAL", "S-1002-B", "重症医学科", "Asia/Shanghai", "CN", ("GW-1002-3",)),
    Place(
        "C-1003",
        "Klinikum Lindental",
        "HOSPITAL",
        "S-1003-A",
        "Haus 2",
        "Europe/Berlin",
        "EU",
        ("GW-1003-1", "GW-1003-2"),
    ),
    Place(
        "C-1004",
        "St. Brannoc Medical Center",
        "HOSPITAL",
        "S-1004-A",
        "East campus",
        "America/New_York",
        "US",
        ("GW-1004-1", "GW-1004-2"),
    ),
    Place(
        "C-1005",
        "深圳湾儿童医院",
        "HOSPITAL",
        "S-1005-A",
        "新生儿科",
        "Asia/Shanghai",
        "CN",
        ("GW-1005-1", "GW-1005-2"),
    ),
    Place(
        "C-1006",
        "Lakeside Day Clinic",
        "CLINIC",
        "S-1006-A",
        "Infusion unit",
        "America/Chicago",
        "US",
        ("GW-1006-1", "GW-1006-2"),
    ),
)


@dataclass(frozen=True, slots=True)
class InstalledBase:
    """The fleet's master data, as the maker's ERP would export it."""

    devices: tuple[InstalledDevice, ...]

    @property
    def gateways(self) -> tuple[str, ...]:
        """The gateways in use, sorted."""
        return tuple(sorted({device.gateway for device in self.devices if device.gateway}))

    def serials_of(self, model: str) -> list[str]:
        """The serials of one device model, in order of number."""
        return [device.serial for device in self.devices if device.model == model]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A firmware update of one device."""

    serial: str
    at_us: int
    version: str
    previous: str


def installed_base(settings: FleetSettings) -> InstalledBase:
    """The devices of the fleet; the last two of each model have a connection of their own instead of a gateway."""
    pumps = round(settings.devices * PUMP_SHARE)
    counts = {InfusionPump.model: ("INF", pumps), Ventilator.model: ("VEN", settings.devices - pumps)}
    devices: list[InstalledDevice] = []
    customers = sorted({place.customer_ref for place in PLACES})
    for model, (prefix, count) in counts.items():
        for i in range(count):
            customer = customers[i % len(customers)]
            places = [place for place in PLACES if place.customer_ref == customer]
            routes = [(place, gateway) for place in places for gateway in place.gateways]
            place, gateway = routes[(i // len(customers)) % len(routes)]
            direct = count >= 4 and i >= count - 2
            devices.append(
                _make_device(settings.seed, model, f"{prefix}-{i + 1:04d}", place, "" if direct else gateway)
            )
    return InstalledBase(tuple(devices))


def _make_device(seed: int, model: str, serial: str, place: Place, gateway: str) -> InstalledDevice:
    chance = random.Random(f"{seed}/{serial}/made")  # noqa: S311 - simulation, not a secret
    made_on = FIRST_MADE + timedelta(days=chance.randrange(MADE_DAYS))
    installed_on = made_on + timedelta(days=20 + chance.randrange(60))
    lot = f"L{made_on:%y}Q{(made_on.month + 2) // 3}"
    return InstalledDevice(
        serial=serial,
        model=model,
        lot=lot,
        udi=f"(01){UDI_DI[model]}(11){made_on:%y%m%d}(10){lot}(21){serial}",
        made_on=made_on,
        installed_on=installed_on,
        warranty_end=installed_on + timedelta(days=WARRANTY_DAYS),
        firmware=GOOD_FIRMWARE if model == InfusionPump.model else VENTILATOR_FIRMWARE,
        gateway=gateway,
        customer_ref=place.customer_ref,
        customer_name=place.customer_name,
        customer_type=place.customer_type,
        site_ref=place.site_ref,
        site_name=place.site_name,
        site_time_zone=place.time_zone,
        region=place.region,
        is_simulated=True,
    )


def write_installed_base_csv(base: InstalledBase, path: Path) -> None:
    """Writes the file that `forewarn devices import` takes."""
    columns = [name for name in COLUMNS if name in {f.name for f in fields(InstalledDevice)}]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for device in base.devices:
        writer.writerow([_to_cell(getattr(device, column)) for column in columns])
    path.write_text(text.getvalue(), encoding="utf-8")


def _to_cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


# model, index of the device, kind, seconds after the live start, growth (s), seconds until mended, sensor, shape.
# Indices keep clear of the rollout's: one fault a device, so that each ticket has one true cause.
OPENING: tuple[tuple[str, int, FaultKind, float, float, float, str | None, float], ...] = (
    (InfusionPump.model, 0, FaultKind.OCCLUSION, 8, 15, 420, None, 1.0),
    (Ventilator.model, 0, FaultKind.CIRCUIT_LEAK, 12, 20, 900, None, 1.0),
    (Ventilator.model, 1, FaultKind.FILTER_CLOGGING, 20, 240, 7200, None, 1.0),
    (Ventilator.model, 4, FaultKind.STUCK_SENSOR, 25, 0, 3600, "turbine_temperature", 1.0),
    (Ventilator.model, 2, FaultKind.BEARING_WEAR, 30, 300, 7200, None, 1.5),
    (InfusionPump.model, 23, FaultKind.OFFLINE, 40, 0, 400, None, 1.0),
    (InfusionPump.model, 4, FaultKind.MOTOR_WEAR, 45, 600, 7200, None, 1.5),
    (InfusionPump.model, 5, FaultKind.BATTERY_FADE, 60, 400, 7200, None, 1.0),
    (Ventilator.model, 3, FaultKind.OXYGEN_DRIFT, 90, 300, 7200, None, 1.0),
    (InfusionPump.model, 6, FaultKind.FLOW_SENSOR_DRIFT, 120, 300, 7200, None, 1.0),
    (InfusionPump.model, 8, FaultKind.STUCK_SENSOR, 60, 0, 3600, "pressure", 1.0),
    (Ventilator.model, 5, FaultKind.SILENT_SENSOR, 60, 0, 7200, "peak_pressure", 1.0),
    (InfusionPump.model, 9, FaultKind.OCCLUSION, 150, 60, 600, None, 1.0),
)
ROLLOUT_INDICES = (1, 2, 3, 7, 14)  # of INF-200; customers differ
ROLLOUT_AFTER_S = 55.0
ROLLOUT_STEP_S = 4.0


def plan_opening_faults(base: InstalledBase, live_us: int) -> list[Fault]:
    """The faults of the first minutes, for a fleet that goes live at `live_us`; fewer in a small fleet."""
    faults = []
    for model, index, kind, after_s, growth_s, mended_s, sensor, shape in OPENING:
        serials = base.serials_of(model)
        if index < len(serials):
            onset_us = live_us + round(after_s * 1e6)
            end_us = onset_us + round(mended_s * 1e6)
            faults.append(Fault(serials[index], kind, onset_us, growth_s, end_us, sensor, shape))
    return faults


def plan_rollout(base: InstalledBase, live_us: int) -> list[Rollout]:
    """The bad firmware's way onto part of the pumps, one after the other."""
    serials = base.serials_of(InfusionPump.model)
    chosen = [serials[i] for i in ROLLOUT_INDICES if i < len(serials)]
    return [
        Rollout(serial, live_us + round((ROLLOUT_AFTER_S + i * ROLLOUT_STEP_S) * 1e6), BAD_FIRMWARE, GOOD_FIRMWARE)
        for i, serial in enumerate(chosen)
    ]


LATER_KINDS = {
    InfusionPump.model: (
        FaultKind.OCCLUSION,
        FaultKind.MOTOR_WEAR,
        FaultKind.BATTERY_FADE,
        FaultKind.FLOW_SENSOR_DRIFT,
    ),
    Ventilator.model: (
        FaultKind.BEARING_WEAR,
        FaultKind.FILTER_CLOGGING,
        FaultKind.CIRCUIT_LEAK,
        FaultKind.OXYGEN_DRIFT,
    ),
}


def plan_later_fault(base: InstalledBase, faults: list[Fault], seed: int, number: int, at_us: int) -> Fault | None:
    """The `number`-th fault after the opening, on a device that has none at `at_us`; None where none is free."""
    busy = {fault.serial for fault in faults if fault.end_us is None or fault.end_us > at_us}
    free = [device for device in base.devices if device.serial not in busy]
    if not free:
        return None
    chance = random.Random(f"{seed}/later/{number}")  # noqa: S311 - simulation, not a secret
    device = chance.choice(free)
    kind = chance.choice(LATER_KINDS[device.model])
    growth_s = 20.0 if kind in (FaultKind.OCCLUSION, FaultKind.CIRCUIT_LEAK) else chance.uniform(300.0, 1800.0)
    lasts_s = 600.0 if kind in (FaultKind.OCCLUSION, FaultKind.CIRCUIT_LEAK) else growth_s + 3600.0
    return Fault(device.serial, kind, at_us, round(growth_s), at_us + round(lasts_s * 1e6))
