"""INF-200, a peristaltic infusion pump: rate, line pressure, drive, battery and heat, coupled as in the real thing.

Sources: order of magnitude of pressures, flows and of the occlusion build-up after IEC 60601-2-24; the battery is three
lithium cells with internal resistance; all heat goes through one first-order lag into the ward's air.
"""

import math

import numpy as np

from domain.breach import Severity
from simulators.chance import FloatArray, SeedArray, draw_normal, draw_uniform, draw_wander
from simulators.device_kind import DeviceAlarm, State, find_daylight, lag
from simulators.faults import FaultKind, Intensities

RATES_ML_H = np.array([25.0, 40.0, 60.0, 80.0, 100.0, 125.0, 150.0])
KEEP_VEIN_OPEN_ML_H = 3.0
PRESCRIPTION_S = 1500.0  # a rate lasts for so long
MAINS_S = 1800.0  # plugged in or carried around for so long
STALL_KPA = 105.0  # the drive cannot press harder
BAD_FIRMWARE = "2.4.1"
GOOD_FIRMWARE = "2.4.0"
FIXED_FIRMWARE = "2.4.2"

# Channels of chance: below 100 per reading, above per unit or per slot.
_NOISE = list(range(8))
_UNIT = list(range(100, 109))
_RATE, _MAINS, _IDLE = 120, 121, 122
_MOVEMENT, _FRICTION, _GAUGE = 130, 131, 132


class InfusionPump:
    """The device kind; see `simulators.device_kind.DeviceKind`."""

    model: str = "INF-200"
    sensors: tuple[str, ...] = (
        "flow",
        "flow_error",
        "pressure",
        "motor_current",
        "battery_charge",
        "battery_voltage",
        "battery_health",
        "temperature",
    )
    decimals: tuple[int, ...] = (2, 2, 2, 4, 1, 3, 1, 3)
    faults: dict[FaultKind, str] = {  # noqa: RUF012 - an attribute of the Protocol; never changed
        FaultKind.OCCLUSION: "occlusion",
        FaultKind.MOTOR_WEAR: "motor_drive",
        FaultKind.FIRMWARE_OSCILLATION: "motor_drive",
        FaultKind.BATTERY_FADE: "battery",
        FaultKind.FLOW_SENSOR_DRIFT: "flow_sensor",
        FaultKind.STUCK_SENSOR: "data_quality",
        FaultKind.SILENT_SENSOR: "data_quality",
        FaultKind.OFFLINE: "connectivity",
    }
    alarms: tuple[DeviceAlarm, ...] = (
        DeviceAlarm("E1042", "pressure", True, 80.0, 50.0, Severity.MAJOR, "occlusion downstream"),
        DeviceAlarm("E2001", "motor_current", True, 0.70, 0.50, Severity.MAJOR, "drive current too high"),
        DeviceAlarm("E3001", "battery_health", False, 60.0, 75.0, Severity.MINOR, "battery due for replacement"),
    )

    def start(self, seeds: SeedArray, t_s: float) -> State:
        """Units that have been infusing for hours, on mains."""
        unit = draw_uniform(seeds, 0, _UNIT)
        rate = _find_rate(seeds, t_s)
        return {
            "flow": rate,
            "pressure": _find_vein_kpa(unit) + _find_line(unit) * rate,
            "charge": 0.90 + 0.10 * unit[8],
            "temperature": 34.0 + 3.0 * unit[5],
        }

    def advance(
        self, seeds: SeedArray, state: State, t_s: float, dt_s: float | FloatArray, faults: Intensities
    ) -> tuple[State, FloatArray]:
        """One step of all pumps; pure."""
        unit = draw_uniform(seeds, 0, _UNIT)
        noise = draw_normal(seeds, round(t_s), _NOISE) * (0.6 + unit[4])
        blocked = faults.of(FaultKind.OCCLUSION)
        wear = faults.of(FaultKind.MOTOR_WEAR)
        oscillation = faults.of(FaultKind.FIRMWARE_OSCILLATION)
        fade = faults.of(FaultKind.BATTERY_FADE)
        drift = faults.of(FaultKind.FLOW_SENSOR_DRIFT)

        # Flow: the drive ramps to the prescribed rate. A line is occluded during an infusion, not at keep-vein-open.
        rate = _find_rate(seeds, t_s)
        rate = np.where(blocked > 0.0, np.maximum(rate, 80.0), rate)
        commanded = lag(state["flow"], rate, dt_s, 3.0)
        flow = commanded * (1.0 - 0.95 * np.clip((blocked - 0.45) / 0.55, 0.0, 1.0))

        # Pressure: vein plus line resistance; a blocked line fills up, the faster the higher the rate.
        free_kpa = _find_vein_kpa(unit) + _find_line(unit) * commanded * (1.0 - blocked)
        pressure = lag(
            state["pressure"], np.minimum(free_kpa + blocked * STALL_KPA, STALL_KPA), dt_s, 2.0 + 200.0 / commanded
        )

        # Motor: friction (worn gears rub), load by rate, torque against the line, and the bad firmware's oscillation.
        friction = 0.115 + 0.02 * unit[2] + 0.003 * draw_wander(seeds, t_s, 3600.0, _FRICTION)
        current = friction * (1.0 + 4.5 * wear) + 0.0003 * commanded + 0.0011 * pressure
        current = current + oscillation * (0.60 + 0.06 * math.sin(2.0 * math.pi * t_s / 7.3))
        motor_noise = 0.006 * (1.0 + 3.0 * wear + 3.0 * oscillation)

        # Battery: charge counted in and out, a healthy reserve is kept by the nurse who plugs the pump in again.
        health = (0.88 + 0.11 * unit[6]) * (1.0 - 0.55 * fade)
        carried = (_find_carried(seeds, t_s)) & (state["charge"] > 0.5)
        load_a = 0.30 + 0.5 * current
        charging_a = np.minimum(0.6, 6.0 * (1.0 - state["charge"]))
        battery_a = np.where(carried, -load_a, charging_a)
        capacity_ah = (1.9 + 0.2 * unit[7]) * health
        charge = np.clip(state["charge"] + battery_a * dt_s / 3600.0 / capacity_ah, 0.0, 1.0)
        voltage = 10.5 + 1.9 * charge + battery_a * 0.12 * (1.0 + 5.0 * fade)

        # Heat: ward air with its daily rhythm, electronics, drive and charger, through the housing's lag.
        ambient = 22.0 + 3.0 * unit[5] + 1.2 * find_daylight(t_s)
        warm = ambient + 9.0 + 14.0 * current + np.where(carried, 0.0, 4.0 * charging_a)
        temperature = lag(state["temperature"], warm, dt_s, 900.0)

        shown_flow = flow * (1.0 + 0.03 * (unit[3] - 0.5) + 0.22 * drift) + noise[0] * (0.1 + 0.004 * flow)
        shown_flow = np.maximum(shown_flow, 0.0)
        readings = np.stack(
            [
                shown_flow,
                100.0 * (shown_flow - commanded) / np.maximum(commanded, 20.0),
                pressure + 0.8 * draw_wander(seeds, t_s, 90.0, _MOVEMENT) + 0.15 * noise[2],
                np.maximum(current + motor_noise * noise[3], 0.0),
                np.clip(100.0 * charge + 0.1 * noise[4], 0.0, 100.0),
                voltage + 0.004 * noise[5],
                100.0 * health + 0.4 * draw_wander(seeds, t_s, 1800.0, _GAUGE) + 0.1 * noise[6],
                temperature + 0.012 * noise[7],
            ]
        )
        after = {"flow": commanded, "pressure": pressure, "charge": charge, "temperature": temperature}
        return after, readings


def _find_vein_kpa(unit: FloatArray) -> FloatArray:
    kpa: FloatArray = 2.0 + 3.0 * unit[1]
    return kpa


def _find_line(unit: FloatArray) -> FloatArray:
    kpa_per_ml_h: FloatArray = 0.05 * (0.8 + 0.4 * unit[0])
    return kpa_per_ml_h


def _find_rate(seeds: SeedArray, t_s: float) -> FloatArray:
    """The prescribed rate: another every 25 minutes, at a phase of the unit's own; by night more keep-vein-open."""
    slot = np.floor(t_s / PRESCRIPTION_S + draw_uniform(seeds, 0, [_RATE])[0]).astype(np.int64)
    choice = (draw_uniform(seeds, slot, [_RATE])[0] * len(RATES_ML_H)).astype(np.int64)
    idle = draw_uniform(seeds, slot, [_IDLE])[0] < 0.30 - 0.20 * find_daylight(t_s)
    return np.where(idle, KEEP_VEIN_OPEN_ML_H, RATES_ML_H[choice])


def _find_carried(seeds: SeedArray, t_s: float) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    slot = np.floor(t_s / MAINS_S + draw_uniform(seeds, 0, [_MAINS])[0]).astype(np.int64)
    carried = draw_uniform(seeds, slot, [_MAINS])[0] < 0.10 + 0.06 * find_daylight(t_s)
    return np.asarray(carried)
