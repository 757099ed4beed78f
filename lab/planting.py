"""The plan of a lab run: devices of one model, what happens to them every day, and the fault on some of them.

Devices, their everyday and which of them have the fault follow from the seed and the size of the run: two runs that
differ in the fault alone differ in nothing else, and two that differ in the profile alone have the very same readings.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from domain.lab import LAB_SENSORS, SETTLE_DAYS, SPREAD, LabFault, LabRequest, find_fault, find_span_h
from lab.plan import DAY, HOUR, MINUTE, FleetPlan, Unit, WorldSettings
from lab.world import FAILS_AT, make_units, plan_everyday
from simulators.faults import Fault, FaultKind
from simulators.fleet_plan import PUMP_SHARE, Rollout, installed_base
from simulators.infusion_pump import BAD_FIRMWARE, FIXED_FIRMWARE, GOOD_FIRMWARE, InfusionPump
from simulators.settings import FleetSettings

UNITS_STREAM, FAULTS_STREAM = 24, 25  # of chance, apart from those of the benchmark's fleets
REPAIR_H = (4.0, 30.0)
MENDED_MIN = (2.0, 10.0)
WEAR_SHAPE = (1.0, 2.0)


def plan_run(request: LabRequest, seed: int) -> FleetPlan:
    """The plan of one seed of the run; equal arguments give an equal plan."""
    settings = WorldSettings(request.devices, float(request.days), seed, new_share=0.0)
    units = _find_units(request, settings)
    everyday = plan_everyday(settings, units, (), (), np.random.default_rng([seed, UNITS_STREAM]))
    faults = _plan_faults(request, settings, units, np.random.default_rng([seed, FAULTS_STREAM]))
    return replace(everyday, faults=faults, rollouts=_mend_rollouts(everyday.rollouts, faults))


def _find_units(request: LabRequest, settings: WorldSettings) -> tuple[Unit, ...]:
    """So many devices of the model, at sites and gateways of the simulated customers, with serials of the lab's own."""
    share = PUMP_SHARE if request.model == InfusionPump.model else 1.0 - PUMP_SHARE
    total = math.ceil(request.devices / share) + 2
    base = installed_base(FleetSettings("", Path(), seed=settings.seed, devices=total))
    own = [device for device in base.devices if device.model == request.model][: request.devices]
    named = [replace(device, serial=f"LAB-{i + 1:04d}") for i, device in enumerate(own)]
    return make_units(named, settings.start_us, np.random.default_rng([settings.seed, UNITS_STREAM, 1]))


def _plan_faults(
    request: LabRequest, settings: WorldSettings, units: tuple[Unit, ...], rng: np.random.Generator
) -> tuple[Fault, ...]:
    fault = find_fault(request.model, request.fault)
    assert fault is not None
    chosen = sorted(rng.choice(len(units), request.planted, replace=False).tolist())
    return tuple(_draw_fault(request, fault, settings, units[number], rng) for number in chosen)


def _draw_fault(
    request: LabRequest, fault: LabFault, settings: WorldSettings, unit: Unit, rng: np.random.Generator
) -> Fault:
    """One fault that begins after the devices have settled and is over before the end of the run."""
    # The same draws whatever the fault is: the devices' faults begin at comparable instants in comparable runs.
    drawn = rng.random(6).tolist()
    span_us = find_span_h(request) * HOUR * (1.0 + SPREAD * (2.0 * drawn[0] - 1.0))
    growth_s, shape, fails_at = 0.0, 1.0, 1.0
    if not fault.grows:
        lasts_us = span_us
    elif fault.is_wear:
        growth_s = span_us / 1e6
        shape, fails_at = _between(WEAR_SHAPE, drawn[1]), _between(FAILS_AT, drawn[2])
        lasts_us = span_us * fails_at ** (1.0 / shape) + _between(REPAIR_H, drawn[3]) * HOUR
    else:
        growth_s = span_us / 1e6
        lasts_us = span_us + _between(MENDED_MIN, drawn[3]) * MINUTE
    first_us = settings.start_us + min(SETTLE_DAYS, settings.days * 2.0 / 3.0) * DAY
    last_us = settings.start_us + settings.days * DAY - lasts_us - HOUR // 2
    onset_us = round(first_us + drawn[4] * (last_us - first_us))
    kind, sensor = FaultKind(fault.key), request.sensor
    if fault.of_sensor and sensor is None:
        sensors = LAB_SENSORS[request.model]
        sensor = sensors[int(drawn[5] * len(sensors))]
    end_us = onset_us + round(lasts_us)
    return Fault(unit.device.serial, kind, onset_us, growth_s, end_us, sensor, shape, fails_at)


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])


def _mend_rollouts(rollouts: tuple[Rollout, ...], faults: tuple[Fault, ...]) -> tuple[Rollout, ...]:
    """A fault of firmware comes with its release and goes with the next one: such a device gets no other."""
    of_firmware = [fault for fault in faults if fault.kind is FaultKind.FIRMWARE_OSCILLATION]
    theirs = {fault.serial for fault in of_firmware}
    kept = [rollout for rollout in rollouts if rollout.serial not in theirs]
    for fault in of_firmware:
        assert fault.end_us is not None
        kept.append(Rollout(fault.serial, fault.onset_us, BAD_FIRMWARE, GOOD_FIRMWARE))
        kept.append(Rollout(fault.serial, fault.end_us, FIXED_FIRMWARE, BAD_FIRMWARE))
    return tuple(kept)
