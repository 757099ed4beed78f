"""What happens in the simulated fleet, drawn from a seed: everything in a plan follows from its `WorldSettings` alone.

What goes wrong runs its course: nothing in the plan depends on what is found, so that two sets of rules are compared on
the very same readings. Wear grows over one to five weeks, a part fails at half to all of its full strength and is
replaced some hours later; an occlusion or a leak grows over minutes and is put right at the bedside minutes after it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from domain.installed_base import InstalledDevice
from lab.plan import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    ClockError,
    Episode,
    FleetPlan,
    GatewayOutage,
    Nuisance,
    SensorSwap,
    Unit,
    WorldSettings,
    kind_of,
)
from simulators.faults import Fault, FaultKind
from simulators.fleet_plan import Rollout, installed_base
from simulators.infusion_pump import GOOD_FIRMWARE, InfusionPump
from simulators.settings import FleetSettings
from simulators.ventilator import Ventilator

# Per device and 90 days; a device has one fault at a time.
WEAR_RATE, FAST_RATE, DATA_RATE = 0.22, 0.14, 0.20
WEAR = {
    InfusionPump.model: (FaultKind.MOTOR_WEAR, FaultKind.BATTERY_FADE, FaultKind.FLOW_SENSOR_DRIFT),
    Ventilator.model: (FaultKind.BEARING_WEAR, FaultKind.FILTER_CLOGGING, FaultKind.OXYGEN_DRIFT),
}
FAST = {InfusionPump.model: FaultKind.OCCLUSION, Ventilator.model: FaultKind.CIRCUIT_LEAK}
WEAR_DAYS = (7.0, 35.0)  # to full strength
FAILS_AT = (0.5, 1.0)  # of it: no two parts bear the same wear
FAST_MINUTES = (2.0, 15.0)
APART_US = 2 * DAY  # between two faults of one device
NEW_DAYS = (20, 30, 40, 50, 60)  # when the devices that are not there at first are installed


def plan_fleet(settings: WorldSettings) -> FleetPlan:
    """The plan of these settings; equal settings give an equal plan."""
    rng = np.random.default_rng([settings.seed, 20])
    units = _plan_units(settings, rng)
    end_us = settings.start_us + round(settings.days * DAY)
    faults, clock_errors = _plan_faults(settings, units, end_us, rng)
    return plan_everyday(settings, units, faults, clock_errors, rng)


def plan_everyday(
    settings: WorldSettings,
    units: tuple[Unit, ...],
    faults: tuple[Fault, ...],
    clock_errors: tuple[ClockError, ...],
    rng: np.random.Generator,
) -> FleetPlan:
    """The plan of these units with these faults, and with what happens to devices and is no fault, which is drawn."""
    end_us = settings.start_us + round(settings.days * DAY)
    heat_us = settings.start_us + round(rng.uniform(0.3, 0.7) * settings.days * DAY)
    return FleetPlan(
        settings=settings,
        units=units,
        faults=faults,
        clock_errors=clock_errors,
        episodes=_plan_episodes(units, end_us, rng),
        outages=_plan_outages(units, settings.start_us, end_us, rng),
        swaps=_plan_swaps(units, end_us, rng),
        rollouts=_plan_rollouts(units, settings, rng),
        heat=(heat_us, heat_us + 6 * DAY, 8.0),
    )


def _plan_units(settings: WorldSettings, rng: np.random.Generator) -> tuple[Unit, ...]:
    base = installed_base(FleetSettings("", Path(), seed=settings.seed, devices=settings.devices))
    is_new = rng.random(len(base.devices)) < settings.new_share
    days = [day for day in NEW_DAYS if day + 8 < settings.days] or [0]
    sites, customers, gateways = _find_numbers(base.devices)
    return tuple(
        Unit(
            number=i,
            device=device,
            site=sites[device.site_ref],
            gateway=gateways.get(device.gateway),
            customer=customers[device.customer_ref],
            begins_us=settings.start_us + (int(rng.choice(days)) * DAY if is_new[i] else 0),
            skew_us=int(rng.uniform(-4, 4) * SECOND),
        )
        for i, device in enumerate(base.devices)
    )


def make_units(devices: Sequence[InstalledDevice], begins_us: int, rng: np.random.Generator) -> tuple[Unit, ...]:
    """The devices as units that are all there from the same instant on."""
    sites, customers, gateways = _find_numbers(devices)
    return tuple(
        Unit(
            number=i,
            device=device,
            site=sites[device.site_ref],
            gateway=gateways.get(device.gateway),
            customer=customers[device.customer_ref],
            begins_us=begins_us,
            skew_us=int(rng.uniform(-4, 4) * SECOND),
        )
        for i, device in enumerate(devices)
    )


def _find_numbers(devices: Sequence[InstalledDevice]) -> tuple[Mapping[str, int], ...]:
    """Numbers from 1 on for the sites, customers and gateways of these devices, by their names."""
    sites = sorted({device.site_ref for device in devices})
    customers = sorted({device.customer_ref for device in devices})
    gateways = sorted({device.gateway for device in devices if device.gateway})
    return tuple({name: place + 1 for place, name in enumerate(names)} for names in (sites, customers, gateways))


def _plan_faults(
    settings: WorldSettings, units: Sequence[Unit], end_us: int, rng: np.random.Generator
) -> tuple[tuple[Fault, ...], tuple[ClockError, ...]]:
    """Faults of every sort; the first begin after two days, and wear that would not fail before the end is left out."""
    faults: list[Fault] = []
    clocks: list[ClockError] = []
    share = settings.days / 90.0
    for unit in units:
        free_us = unit.begins_us + 2 * DAY
        sorts = ["wear"] * rng.poisson(WEAR_RATE * share) + ["fast"] * rng.poisson(FAST_RATE * share)
        sorts += ["data"] * rng.poisson(DATA_RATE * share)
        rng.shuffle(sorts)
        for sort in sorts:
            room_us = end_us - 2 * DAY - free_us
            if room_us <= 0:
                break
            onset_us = free_us + int(rng.uniform(0, 1.0 / len(sorts)) * room_us)
            if sort == "data" and rng.random() < 0.25:
                clocks.append(_draw_clock_error(unit, onset_us, rng))
                free_us = clocks[-1].until_us + APART_US
                continue
            fault = _draw_fault(unit, sort, onset_us, rng)
            if fault.end_us is not None and fault.end_us < end_us:
                faults.append(fault)
                free_us = fault.end_us + APART_US
    return tuple(faults), tuple(clocks)


def _draw_fault(unit: Unit, sort: str, onset_us: int, rng: np.random.Generator) -> Fault:
    model, serial = unit.device.model, unit.device.serial
    if sort == "wear":
        kind = WEAR[model][int(rng.integers(3))]
        growth_s = float(rng.uniform(*WEAR_DAYS)) * 86_400.0
        shape, fails_at = float(rng.uniform(1.0, 2.0)), float(rng.uniform(*FAILS_AT))
        failure_us = onset_us + round(growth_s * fails_at ** (1.0 / shape) * 1e6)
        end_us = failure_us + round(rng.uniform(4, 30) * HOUR)
        return Fault(serial, kind, onset_us, growth_s, end_us, shape=shape, fails_at=fails_at)
    if sort == "fast":
        growth_s = float(rng.uniform(*FAST_MINUTES)) * 60.0
        end_us = onset_us + round(growth_s * 1e6) + round(rng.uniform(2, 10) * MINUTE)
        return Fault(serial, FAST[model], onset_us, growth_s, end_us)
    which = int(rng.integers(3))
    if which == 2:
        end_us = onset_us + round(float(np.exp(rng.uniform(np.log(0.5), np.log(72)))) * HOUR)
        return Fault(serial, FaultKind.OFFLINE, onset_us, 0.0, end_us)
    kind = (FaultKind.STUCK_SENSOR, FaultKind.SILENT_SENSOR)[which]
    sensors = kind_of(model).sensors
    end_us = onset_us + round(rng.uniform(12, 96) * HOUR)
    return Fault(serial, kind, onset_us, 0.0, end_us, sensor=sensors[int(rng.integers(len(sensors)))])


def _draw_clock_error(unit: Unit, onset_us: int, rng: np.random.Generator) -> ClockError:
    offsets = (-365 * DAY, -DAY, -2 * HOUR, -10 * MINUTE, 4 * MINUTE, 2 * HOUR, 3 * DAY)
    return ClockError(
        unit.number, onset_us, onset_us + round(rng.uniform(6, 72) * HOUR), offsets[int(rng.integers(len(offsets)))]
    )


def _plan_episodes(units: Sequence[Unit], end_us: int, rng: np.random.Generator) -> tuple[Episode, ...]:
    episodes: list[Episode] = []
    for unit in units:
        days = max((end_us - unit.begins_us) / DAY, 0.0)
        # Wards test at fixed times: all devices of a model and weekday together.
        for day in range(int(rng.integers(7)), int(days), 7):
            since_us = unit.begins_us + day * DAY + 6 * HOUR + unit.number % 3 * 10 * MINUTE
            episodes.append(Episode(unit.number, Nuisance.SELF_TEST, since_us, since_us + 4 * MINUTE))
        for kind, per_day, least, most in (
            (Nuisance.RESTART, 0.1, 2.0, 3.0),
            (Nuisance.LOST, 0.2, 1.0, 25.0),
            (Nuisance.BUFFERED, 0.15, 1.0, 40.0),
            (Nuisance.LATE, 0.05, 1.0, 25.0),
        ):
            for _ in range(int(rng.poisson(per_day * days))):
                since_us = unit.begins_us + int(rng.uniform(0.0, days) * DAY)
                length_us = round(rng.uniform(least, most) * MINUTE)
                episodes.append(Episode(unit.number, kind, since_us, since_us + length_us))
        since_us = unit.begins_us
        while (since_us := since_us + round((10.0 + rng.exponential(50.0)) * DAY)) < end_us:
            length_us = round(rng.uniform(45, 120) * MINUTE)
            episodes.append(Episode(unit.number, Nuisance.MAINTENANCE, since_us, since_us + length_us))
    return tuple(sorted(episodes, key=lambda e: e.since_us))


def _plan_outages(
    units: Sequence[Unit], start_us: int, end_us: int, rng: np.random.Generator
) -> tuple[GatewayOutage, ...]:
    """Every gateway is away some once in six weeks, for a few minutes up to an hour and a half."""
    outages = []
    for gateway in sorted({unit.gateway for unit in units if unit.gateway is not None}):
        for _ in range(int(rng.poisson((end_us - start_us) / DAY / 42.0))):
            since_us = start_us + int(rng.uniform(0.02, 0.98) * (end_us - start_us))
            outages.append(GatewayOutage(gateway, since_us, since_us + round(rng.uniform(3, 90) * MINUTE)))
    return tuple(sorted(outages, key=lambda outage: outage.since_us))


# Sensor -> least and most of gain, least and most of offset: what differs from one good part to the next.
SWAPS = {
    InfusionPump.model: {
        "pressure": (0.97, 1.03, -1.5, 1.5),
        "motor_current": (0.92, 1.08, 0.0, 0.0),
        "flow_error": (1.0, 1.0, -2.0, 2.0),
        "battery_health": (1.0, 1.0, 0.0, 6.0),
        "temperature": (1.0, 1.0, -1.0, 1.0),
    },
    Ventilator.model: {
        "turbine_vibration": (0.85, 1.2, 0.0, 0.0),
        "fio2_error": (1.0, 1.0, -1.0, 1.0),
        "leak": (1.0, 1.0, -1.0, 1.5),
        "filter_drop": (0.9, 1.1, 0.0, 0.0),
        "turbine_temperature": (1.0, 1.0, -1.5, 1.5),
    },
}


def _plan_swaps(units: Sequence[Unit], end_us: int, rng: np.random.Generator) -> tuple[SensorSwap, ...]:
    """One device in eight has a sensor replaced in 90 days."""
    swaps = []
    for unit in units:
        days = max((end_us - unit.begins_us) / DAY, 0.0)
        for _ in range(int(rng.poisson(days / 90.0 / 8.0))):
            sensor = str(rng.choice(sorted(SWAPS[unit.device.model])))
            least, most, low, high = SWAPS[unit.device.model][sensor]
            at_us = unit.begins_us + int(rng.uniform(0.05, 1.0) * days * DAY)
            swaps.append(SensorSwap(unit.number, sensor, at_us, rng.uniform(least, most), rng.uniform(low, high)))
    return tuple(swaps)


def _plan_rollouts(units: Sequence[Unit], settings: WorldSettings, rng: np.random.Generator) -> tuple[Rollout, ...]:
    """One good release for the pumps, in three weeks from a third of the time on."""
    begin_us = settings.start_us + round(settings.days * DAY / 3.0)
    span_us = min(21 * DAY, round(settings.days * DAY / 3.0))
    return tuple(
        Rollout(unit.device.serial, begin_us + int(rng.uniform(0, 1) * span_us), "2.4.3", GOOD_FIRMWARE)
        for unit in units
        if unit.device.model == InfusionPump.model
    )
