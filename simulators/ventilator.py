"""VEN-500, a turbine-driven ventilator: patient, circuit, turbine, inlet filter and oxygen cell, coupled.

The patient is the single-compartment lung model (resistance and compliance); the turbine's speed follows from the
pressure that it must build up, inlet filter included, so that a clogged filter or a leak is seen in several signals.
"""

import numpy as np

from domain.breach import Severity
from simulators.chance import FloatArray, SeedArray, draw_normal, draw_uniform, draw_wander
from simulators.device_kind import DeviceAlarm, State, find_daylight, lag
from simulators.faults import FaultKind, Intensities

PATIENT_S = 4.0 * 3600.0  # settings last for so long
FIRMWARE = "5.1.0"
OXYGEN_PERCENT = np.array([30.0, 35.0, 40.0, 50.0, 60.0])

_NOISE = list(range(11))
_UNIT = list(range(100, 107))
_PATIENT = list(range(120, 127))
_LEAK, _FRICTION = 130, 131


class Ventilator:
    """The device kind; see `simulators.device_kind.DeviceKind`."""

    model: str = "VEN-500"
    sensors: tuple[str, ...] = (
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
    )
    decimals: tuple[int, ...] = (0, 3, 2, 2, 2, 1, 2, 2, 2, 2, 3)
    faults: dict[FaultKind, str] = {  # noqa: RUF012 - an attribute of the Protocol; never changed
        FaultKind.BEARING_WEAR: "turbine_bearing",
        FaultKind.FILTER_CLOGGING: "inlet_filter",
        FaultKind.CIRCUIT_LEAK: "circuit_leak",
        FaultKind.OXYGEN_DRIFT: "oxygen_sensor",
        FaultKind.STUCK_SENSOR: "data_quality",
        FaultKind.SILENT_SENSOR: "data_quality",
        FaultKind.OFFLINE: "connectivity",
    }
    alarms: tuple[DeviceAlarm, ...] = (
        DeviceAlarm("V1007", "leak", True, 38.0, 22.0, Severity.MAJOR, "large leak"),
        DeviceAlarm("V2010", "turbine_vibration", True, 4.0, 2.5, Severity.MAJOR, "turbine vibration"),
    )

    def start(self, seeds: SeedArray, t_s: float) -> State:
        """Units that have been ventilating for hours."""
        unit = draw_uniform(seeds, 0, _UNIT)
        inspiratory, peep, oxygen, _, _, _ = _find_patient(seeds, t_s)
        return {
            "inspiratory": inspiratory,
            "peep": peep,
            "oxygen": oxygen,
            "temperature": 44.0 + 4.0 * unit[4],
        }

    def advance(
        self, seeds: SeedArray, state: State, t_s: float, dt_s: float | FloatArray, faults: Intensities
    ) -> tuple[State, FloatArray]:
        """One step of all ventilators; pure."""
        unit = draw_uniform(seeds, 0, _UNIT)
        noise = draw_normal(seeds, round(t_s), _NOISE) * (0.6 + unit[3])
        wear = faults.of(FaultKind.BEARING_WEAR)
        clogging = faults.of(FaultKind.FILTER_CLOGGING)
        leaking = faults.of(FaultKind.CIRCUIT_LEAK)
        drift = faults.of(FaultKind.OXYGEN_DRIFT)

        # Settings are ramped in by the device.
        set_inspiratory, set_peep, set_oxygen, rate, compliance, resistance = _find_patient(seeds, t_s)
        inspiratory = lag(state["inspiratory"], set_inspiratory, dt_s, 20.0)
        peep = lag(state["peep"], set_peep, dt_s, 20.0)
        oxygen = lag(state["oxygen"], set_oxygen, dt_s, 40.0)

        # Patient: one compartment filled for a third of the breath.
        inspiration_s = 60.0 / rate / 3.0
        driving = inspiratory - peep - 2.0 * leaking
        filled = 1.0 - np.exp(-inspiration_s / (resistance * compliance / 1000.0))
        tidal_ml = compliance * driving * filled * (1.0 - 0.25 * leaking)

        # Circuit, inlet filter, turbine.
        leak = 2.0 + 4.0 * unit[0] + 1.0 * draw_wander(seeds, t_s, 240.0, _LEAK) + 48.0 * leaking
        flow = tidal_ml * rate / 1000.0 + leak
        clean_drop = 0.045 * (0.8 + 0.4 * unit[1]) * np.minimum(flow, 60.0)
        drop = np.minimum(clean_drop * (1.0 + 21.0 * clogging), 30.0)  # the turbine cannot suck harder
        speed = 9000.0 + 2600.0 * np.sqrt(inspiratory + drop + 0.15 * flow)
        vibration = (0.5 + 0.3 * unit[2]) * (speed / 20000.0) * (1.0 + 8.0 * wear)
        vibration = vibration + 0.03 * draw_wander(seeds, t_s, 1200.0, _FRICTION)
        ambient = 22.0 + 3.0 * unit[4] + 1.2 * find_daylight(t_s)
        warm = ambient + 18.0 * (speed / 20000.0) ** 2 * (1.0 + 0.8 * wear)
        temperature = lag(state["temperature"], warm, dt_s, 600.0)

        shown_oxygen = oxygen * (1.0 + 0.02 * (unit[5] - 0.5)) - 13.0 * drift + 0.15 * noise[8]
        readings = np.stack(
            [
                speed + 40.0 * noise[0],
                np.maximum(vibration + 0.02 * (1.0 + 3.0 * wear) * noise[1], 0.0),
                temperature + 0.06 * noise[2],
                inspiratory - 3.0 * leaking + 0.2 * noise[3],
                peep - 5.5 * leaking + 0.1 * noise[4],
                np.maximum(tidal_ml + 5.0 * noise[5], 0.0),
                flow + 0.12 * noise[6],
                np.maximum(leak + 0.25 * noise[7], 0.0),
                shown_oxygen,
                shown_oxygen - oxygen,
                drop + 0.012 * noise[10],
            ]
        )
        return {"inspiratory": inspiratory, "peep": peep, "oxygen": oxygen, "temperature": temperature}, readings


def _find_patient(seeds: SeedArray, t_s: float) -> tuple[FloatArray, ...]:
    """Inspiratory pressure, PEEP (cm[H2O]), oxygen (%), breaths (/min), compliance (mL/cm[H2O]), resistance.

    Another patient or another setting every four hours, at a phase of the unit's own.
    """
    slot = np.floor(t_s / PATIENT_S + draw_uniform(seeds, 0, [_PATIENT[0]])[0]).astype(np.int64)
    u = draw_uniform(seeds, slot, _PATIENT)
    return (
        14.0 + 10.0 * u[1],
        5.0 + 3.0 * u[2],
        OXYGEN_PERCENT[(u[3] * len(OXYGEN_PERCENT)).astype(np.int64)],
        12.0 + 6.0 * u[4],
        40.0 + 20.0 * u[5],
        8.0 + 6.0 * u[6],  # cm[H2O].s/L
    )
