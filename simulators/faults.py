"""Faults that are injected, how strong each is at an instant, and the ground-truth file that tells about them."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from domain.clock import from_micros
from simulators.chance import FloatArray


class FaultKind(StrEnum):
    """What can go wrong; the first block is of pumps, the second of ventilators, the third of any device."""

    OCCLUSION = "occlusion"
    MOTOR_WEAR = "motor_wear"
    FIRMWARE_OSCILLATION = "firmware_oscillation"  # motor control of INF-200 firmware 2.4.1
    BATTERY_FADE = "battery_fade"
    FLOW_SENSOR_DRIFT = "flow_sensor_drift"

    BEARING_WEAR = "bearing_wear"
    FILTER_CLOGGING = "filter_clogging"
    CIRCUIT_LEAK = "circuit_leak"
    OXYGEN_DRIFT = "oxygen_drift"

    STUCK_SENSOR = "stuck_sensor"
    SILENT_SENSOR = "silent_sensor"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device: nothing before `onset_us`, growing to full strength, gone at `end_us`.

    The functional failure, from which on the device no longer does what it is for, is at the strength `fails_at`: no
    two parts bear the same wear.
    """

    serial: str
    kind: FaultKind
    onset_us: int
    growth_s: float
    end_us: int | None = None
    sensor: str | None = None  # STUCK_SENSOR and SILENT_SENSOR
    shape: float = 1.0  # 1: grows linearly; 2: slowly first, as wear does
    fails_at: float = 1.0  # above 0, at most 1

    @property
    def failure_us(self) -> int | None:
        """When the device fails; None where the fault ends before."""
        failure = self.onset_us + round(self.growth_s * self.fails_at ** (1.0 / self.shape) * 1e6)
        return None if self.end_us is not None and failure > self.end_us else failure

    def find_intensity(self, t_us: int) -> float:
        """0 (nothing) to 1 (functional failure)."""
        if t_us < self.onset_us or (self.end_us is not None and t_us >= self.end_us):
            return 0.0
        if self.growth_s <= 0:
            return 1.0
        return float(min((t_us - self.onset_us) / 1e6 / self.growth_s, 1.0) ** self.shape)

    def to_json(self) -> dict[str, Any]:
        """As it is kept in the fleet's state file."""
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Fault":
        """The fault that `to_json` made this of."""
        return Fault(**{**document, "kind": FaultKind(document["kind"])})


class Intensities:
    """How strong every fault is on every unit of one device kind, at one instant."""

    def __init__(self, serials: Iterable[str], faults: Iterable[Fault], t_us: int) -> None:
        index = {serial: i for i, serial in enumerate(serials)}
        self._by_kind: dict[FaultKind, FloatArray] = {}
        self._nothing = np.zeros(len(index))
        for fault in faults:
            if fault.serial in index and (intensity := fault.find_intensity(t_us)) > 0.0:
                row = self._by_kind.setdefault(fault.kind, np.zeros(len(index)))
                row[index[fault.serial]] = max(row[index[fault.serial]], intensity)

    @classmethod
    def of_rows(cls, units: int, rows: Mapping[FaultKind, FloatArray]) -> "Intensities":
        """Those that were computed elsewhere: per kind one number of 0 to 1 for each of the `units`."""
        made = cls((), (), 0)
        made._by_kind, made._nothing = dict(rows), np.zeros(units)
        return made

    def of(self, kind: FaultKind) -> FloatArray:
        """0 to 1 per unit."""
        return self._by_kind.get(kind, self._nothing)


def describe_truth(fault: Fault, model: str, fault_group: str, **known: str) -> dict[str, Any]:
    """One line of the ground-truth file; the fields are documented in docs/how-to/simulators.md."""
    failure = fault.failure_us
    return {
        "serial": fault.serial,
        "model": model,
        "kind": fault.kind.value,
        "fault_group": fault_group,
        "sensor": fault.sensor,
        "onset": from_micros(fault.onset_us).isoformat(),
        "growth_s": fault.growth_s,
        "shape": fault.shape,
        "functional_failure": None if failure is None else from_micros(failure).isoformat(),
        "end": None if fault.end_us is None else from_micros(fault.end_us).isoformat(),
        **known,
    }


def append_truth(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Appends the lines as JSON Lines; they are on disk on return, before the first reading that shows the fault."""
    with path.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
