"""What may be asked of the lab: which faults of which simulated devices, how many, for how long; and why not.

The faults and sensors are those of `simulators` (a test compares them): whoever asks, reads and refuses needs no
physics, and programs may not import one another.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SETTLE_DAYS = 2.0  # at the begin all devices are healthy: detectors start from nothing there
SPREAD = 0.25  # no two faults are alike: the span of each is drawn within so much of what was asked for
MOST_DEVICES, LEAST_DAYS, MOST_DAYS, MOST_SEEDS = 500, 3, 120, 10
MOST_DEVICE_DAYS = 20_000  # of all seeds: some minutes of one core
LARGEST_SEED = 2**31 - 1
LEAST_SPAN_H, MOST_SPAN_H = 0.02, 24.0 * 100


class RunState(StrEnum):
    """Where a run of the lab stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


OPEN_STATES = (RunState.QUEUED, RunState.RUNNING)


class Verdict(StrEnum):
    """What became of one fault that was planted."""

    CAUGHT = "CAUGHT"  # a ticket of the right fault group before the failure; where there is none, while it lasted
    LATE = "LATE"  # one came, but after that
    MISSED = "MISSED"


class LabRefusalCode(StrEnum):
    """Why a run is not begun."""

    NOT_SIMULATED = "not_simulated"
    NOT_OF_MODEL = "not_of_model"
    NOT_A_SENSOR = "not_a_sensor"
    NO_SENSOR_WANTED = "no_sensor_wanted"
    OUT_OF_RANGE = "out_of_range"
    TOO_SHORT = "too_short"
    TOO_MUCH = "too_much"
    NO_PROFILE = "no_profile"
    NOT_A_PROPOSAL = "not_a_proposal"


@dataclass(frozen=True, slots=True)
class LabRefusal:
    """One field that cannot be used, and why; `params` are those of the sentence."""

    field: str
    code: LabRefusalCode
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabFault:
    """A fault that can be planted. `span_h` is the usual time to full strength; of one that does not grow, how long it
    lasts."""

    key: str
    fault_group: str
    sensors: tuple[str, ...]  # where it shows most; empty: in the sensor that is asked for, or in all
    span_h: float
    grows: bool = True
    is_wear: bool = False  # slowly, with a failure somewhere on the way, and a repair hours after it
    of_sensor: bool = False  # one sensor has it

    @property
    def after_h(self) -> float:
        """Until it is mended, at most."""
        if self.is_wear:
            return 30.0
        return 0.2 if self.grows else 0.0


_WEAR_H = 14.0 * 24.0
_OF_ANY = (
    LabFault("stuck_sensor", "data_quality", (), 48.0, grows=False, of_sensor=True),
    LabFault("silent_sensor", "data_quality", (), 48.0, grows=False, of_sensor=True),
    LabFault("offline", "connectivity", (), 12.0, grows=False),
)
LAB_FAULTS: Mapping[str, tuple[LabFault, ...]] = {
    "INF-200": (
        LabFault("occlusion", "occlusion", ("pressure", "flow_error"), 0.1),
        LabFault("motor_wear", "motor_drive", ("motor_current",), _WEAR_H, is_wear=True),
        LabFault("firmware_oscillation", "motor_drive", ("motor_current",), 72.0, grows=False),
        LabFault("battery_fade", "battery", ("battery_health", "battery_voltage"), _WEAR_H, is_wear=True),
        LabFault("flow_sensor_drift", "flow_sensor", ("flow_error",), _WEAR_H, is_wear=True),
        *_OF_ANY,
    ),
    "VEN-500": (
        LabFault("bearing_wear", "turbine_bearing", ("turbine_vibration",), _WEAR_H, is_wear=True),
        LabFault("filter_clogging", "inlet_filter", ("filter_drop",), _WEAR_H, is_wear=True),
        LabFault("circuit_leak", "circuit_leak", ("leak", "peep"), 0.1),
        LabFault("oxygen_drift", "oxygen_sensor", ("fio2_error",), _WEAR_H, is_wear=True),
        *_OF_ANY,
    ),
}
LAB_SENSORS: Mapping[str, tuple[str, ...]] = {
    "INF-200": (
        "flow",
        "flow_error",
        "pressure",
        "motor_current",
        "battery_charge",
        "battery_voltage",
        "battery_health",
        "temperature",
    ),
    "VEN-500": (
        "turbine_speed",
        "turbine_vibration",
        "turbine_temperature",
        "peak_pressure",
        "peep",
        "tidal_volume",
        "flow",
        "leak",
        "fio2",
        "fio2_error",
        "filter_drop",
    ),
}


@dataclass(frozen=True, slots=True)
class LabRequest:
    """What is simulated; the same request and profile give the same result.

    `rate` is the share of the devices that have the fault once, above 0 and at most 1: at least one device has it.
    `span_h` None: that of the fault. `sensor` None: another one for each device.
    """

    model: str
    fault: str
    devices: int
    days: int
    seed: int
    seeds: int = 1
    rate: float = 0.2
    span_h: float | None = None
    sensor: str | None = None

    @property
    def device_days(self) -> int:
        """Of all seeds."""
        return self.devices * self.days * self.seeds

    @property
    def planted(self) -> int:
        """Devices with the fault, of one seed."""
        return max(1, min(self.devices, round(self.rate * self.devices)))

    def to_json(self) -> dict[str, Any]:
        """As it is kept with the run."""
        return asdict(self)


def find_fault(model: str, key: str) -> LabFault | None:
    """The fault of that model, or None."""
    return next((fault for fault in LAB_FAULTS.get(model, ()) if fault.key == key), None)


def find_span_h(request: LabRequest) -> float:
    """The span that is asked for, or that of the fault."""
    fault = find_fault(request.model, request.fault)
    assert fault is not None
    return fault.span_h if request.span_h is None else request.span_h


def find_least_days(fault: LabFault, span_h: float) -> int:
    """The shortest run in which the slowest of these faults ends: they settle first, and grow, and are mended."""
    return max(LEAST_DAYS, math.ceil(SETTLE_DAYS + ((1.0 + SPREAD) * span_h + fault.after_h + 1.0) / 24.0))


def find_refusals(request: LabRequest) -> list[LabRefusal]:
    """Every field that cannot be used; none: it can be run."""
    if request.model not in LAB_FAULTS:
        return [LabRefusal("model", LabRefusalCode.NOT_SIMULATED, {"models": ", ".join(LAB_FAULTS)})]
    fault = find_fault(request.model, request.fault)
    if fault is None:
        faults = ", ".join(fault.key for fault in LAB_FAULTS[request.model])
        return [LabRefusal("fault", LabRefusalCode.NOT_OF_MODEL, {"model": request.model, "faults": faults})]
    span_h = fault.span_h if request.span_h is None else request.span_h
    ranges: tuple[tuple[str, float, float, float], ...] = (
        ("devices", request.devices, 1, MOST_DEVICES),
        ("days", request.days, LEAST_DAYS, MOST_DAYS),
        ("seed", request.seed, 0, LARGEST_SEED),
        ("seeds", request.seeds, 1, MOST_SEEDS),
        ("rate", request.rate, 0.001, 1.0),
        ("span_h", span_h, LEAST_SPAN_H, MOST_SPAN_H),
    )
    found = [
        LabRefusal(name, LabRefusalCode.OUT_OF_RANGE, {"low": f"{low:g}", "high": f"{high:.10g}"})
        for name, value, low, high in ranges
        if not low <= value <= high
    ]
    if request.sensor is not None:
        if not fault.of_sensor:
            found.append(LabRefusal("sensor", LabRefusalCode.NO_SENSOR_WANTED, {}))
        elif request.sensor not in LAB_SENSORS[request.model]:
            names = ", ".join(LAB_SENSORS[request.model])
            found.append(LabRefusal("sensor", LabRefusalCode.NOT_A_SENSOR, {"sensors": names}))
    if found:
        return found
    least = find_least_days(fault, span_h)
    if request.days < least:
        found.append(LabRefusal("days", LabRefusalCode.TOO_SHORT, {"least": str(least), "span": f"{span_h:g}"}))
    if request.device_days > MOST_DEVICE_DAYS:
        params = {"most": f"{MOST_DEVICE_DAYS:,}", "asked": f"{request.device_days:,}"}
        found.append(LabRefusal("devices", LabRefusalCode.TOO_MUCH, params))
    return found


def request_from_json(document: Mapping[str, Any]) -> LabRequest:
    """The request that `to_json` made this of."""
    return LabRequest(**document)
