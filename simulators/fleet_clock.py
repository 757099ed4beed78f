"""The simulated devices themselves: from one instant to the next, what they would report. No connection, no clock."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simulators.chance import find_unit_seeds
from simulators.device_kind import DeviceKind
from simulators.faults import Fault, FaultKind, Intensities
from simulators.fleet_plan import InstalledBase, Rollout
from simulators.fleet_state import FleetState
from simulators.infusion_pump import BAD_FIRMWARE, InfusionPump
from simulators.ventilator import Ventilator

KINDS: tuple[DeviceKind, ...] = (InfusionPump(), Ventilator())
FIRMWARE_STEPS_S = (("DOWNLOADING", 0.0), ("DOWNLOADED", 4.0), ("VERIFIED", 5.0), ("UPDATING", 6.0), ("UPDATED", 12.0))
MISBEHAVES_AFTER_S = 5.0
MISBEHAVES_GROWTH_S = 20.0


@dataclass(slots=True)
class Step:
    """What happens at one instant."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)  # serial -> telemetry entry
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # serial, device alarm
    firmware: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # serial, firmware report
    offline: set[str] = field(default_factory=set)
    new_faults: list[Fault] = field(default_factory=list)


class FleetClock:
    """Moves a `FleetState` on; equal states and equal instants give equal steps."""

    def __init__(self, base: InstalledBase, state: FleetState) -> None:
        self.state = state
        self._units = []
        for kind in KINDS:
            serials = base.serials_of(kind.model)
            if serials:
                self._units.append((kind, serials, find_unit_seeds(state.seed, serials)))
        for device in base.devices:
            state.firmware.setdefault(device.serial, device.firmware)
            state.seq.setdefault(device.serial, 0)

    def start(self, t_us: int) -> None:
        """Puts all units into the healthy state of `t_us`."""
        self.state.t_us = t_us
        for kind, _, seeds in self._units:
            self.state.physics[kind.model] = kind.start(seeds, t_us / 1e6)

    def advance(self, t_us: int) -> Step:
        """Moves every unit to `t_us` and says what it reports."""
        step = Step()
        self._roll_out(t_us, step)
        faults = [fault for fault in self.state.faults if fault.find_intensity(t_us) > 0.0]
        step.offline = {fault.serial for fault in faults if fault.kind is FaultKind.OFFLINE}
        dt_s = (t_us - self.state.t_us) / 1e6
        for kind, serials, seeds in self._units:
            strength = Intensities(serials, faults, t_us)
            physics, readings = kind.advance(seeds, self.state.physics[kind.model], t_us / 1e6, dt_s, strength)
            self.state.physics[kind.model] = physics
            self._report(kind, serials, readings, t_us, step)
        self._spoil_sensors(faults, step)
        self.state.t_us = t_us
        return step

    def _report(
        self,
        kind: DeviceKind,
        serials: list[str],
        readings: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
        t_us: int,
        step: Step,
    ) -> None:
        rounded = [
            np.round(row, decimals).tolist() for row, decimals in zip(readings, kind.decimals, strict=True)
        ]  # lists: orjson writes Python floats in their shortest form
        for i, serial in enumerate(serials):
            if serial in step.offline:
                continue
            values = {sensor: row[i] for sensor, row in zip(kind.sensors, rounded, strict=True)}
            self.state.seq[serial] += 1
            step.entries[serial] = {"ts": t_us // 1000, "seq": self.state.seq[serial], "values": values}
            self._find_alarms(kind, serial, values, t_us, step)

    def _find_alarms(self, kind: DeviceKind, serial: str, values: dict[str, float], t_us: int, step: Step) -> None:
        for alarm in kind.alarms:
            value, name = values[alarm.sensor], f"{serial}/{alarm.code}"
            sign = 1.0 if alarm.above else -1.0
            if name in self.state.alarmed:
                if sign * value < sign * alarm.rearm:
                    self.state.alarmed.remove(name)
            elif sign * value > sign * alarm.threshold:
                self.state.alarmed.append(name)
                body = {"ts": t_us // 1000, "code": alarm.code, "severity": alarm.severity.value}
                step.events.append((serial, {**body, "message": alarm.message}))

    def _spoil_sensors(self, faults: list[Fault], step: Step) -> None:
        stuck = {}
        for fault in faults:
            if fault.sensor is None or fault.sensor not in step.entries.get(fault.serial, {}).get("values", ()):
                continue
            values = step.entries[fault.serial]["values"]
            if fault.kind is FaultKind.SILENT_SENSOR:
                values.pop(fault.sensor, None)
            elif fault.kind is FaultKind.STUCK_SENSOR:
                name = f"{fault.serial}/{fault.sensor}"
                stuck[name] = self.state.held.get(name, values[fault.sensor])
                values[fault.sensor] = stuck[name]
        self.state.held = stuck

    def _roll_out(self, t_us: int, step: Step) -> None:
        remaining = []
        for rollout in self.state.rollouts:
            last = self._report_rollout(rollout, t_us, step)
            if not last:
                remaining.append(rollout)
        self.state.rollouts = remaining

    def _mend(self, rollout: Rollout, at_us: int) -> None:
        """Another version ends what the bad one did."""
        if rollout.version != BAD_FIRMWARE:
            self.state.faults = [
                replace(fault, end_us=at_us)
                if fault.serial == rollout.serial and fault.kind is FaultKind.FIRMWARE_OSCILLATION and not fault.end_us
                else fault
                for fault in self.state.faults
            ]

    def _report_rollout(self, rollout: Rollout, t_us: int, step: Step) -> bool:
        """Reports the states that became due since the last step; True when the update is done."""
        done = False
        for name, after_s in FIRMWARE_STEPS_S:
            at_us = rollout.at_us + round(after_s * 1e6)
            if not self.state.t_us < at_us <= t_us:
                continue
            body = {"ts": at_us // 1000, "component": "main", "version": rollout.version, "state": name}
            step.firmware.append((rollout.serial, {**body, "previous": rollout.previous}))
            if name == "UPDATED":
                done = True
                self.state.firmware[rollout.serial] = rollout.version
                self._mend(rollout, at_us)
                if rollout.version == BAD_FIRMWARE:
                    onset_us = at_us + round(MISBEHAVES_AFTER_S * 1e6)
                    fault = Fault(rollout.serial, FaultKind.FIRMWARE_OSCILLATION, onset_us, MISBEHAVES_GROWTH_S)
                    self.state.faults.append(fault)
                    step.new_faults.append(fault)
        return done
