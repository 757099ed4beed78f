"""The signals of the devices with the fault, around it, in a few hundred buckets each: what examples are drawn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.lab import LabFault
from domain.profile import Profile
from lab.plan import HOUR, MINUTE, FleetPlan
from lab.signals import WorldBlock

BUCKETS = 240
MOST_SENSORS = 3


@dataclass(frozen=True, slots=True)
class _Place:
    unit: int
    sensor: str
    since_us: int
    width_us: int


class Traces:
    """Hears every block of one seed; `describe` gives the signals of one device."""

    def __init__(
        self, plan: FleetPlan, series: Mapping[int, Mapping[str, int]], sensors: Mapping[str, Sequence[str]]
    ) -> None:
        """`series` by unit and sensor; `sensors` by serial, of the devices with the fault."""
        self._places: list[_Place] = []
        faults = {fault.serial: fault for fault in plan.faults}
        slots = []
        for unit in plan.units:
            fault = faults.get(unit.device.serial)
            if fault is None:
                continue
            assert fault.end_us is not None
            since_us, until_us = _find_window(fault.onset_us, fault.end_us)
            since_us, until_us = max(since_us, plan.settings.start_us), min(until_us, plan.end_us)
            for sensor in sensors[unit.device.serial]:
                slots.append(series[unit.number][sensor])
                width_us = -(-(until_us - since_us) // BUCKETS)
                self._places.append(_Place(unit.number, sensor, since_us, width_us))
        count = len(slots)
        self._slot = np.full(max((max(own.values()) for own in series.values()), default=0) + 1, -1, dtype=np.int64)
        self._slot[slots] = np.arange(count)
        self._since = np.array([place.since_us for place in self._places], dtype=np.int64)
        self._width = np.array([place.width_us for place in self._places], dtype=np.int64)
        self._count = np.zeros((count, BUCKETS), dtype=np.int64)
        self._sum = np.zeros((count, BUCKETS))
        self._low = np.full((count, BUCKETS), np.inf)
        self._high = np.full((count, BUCKETS), -np.inf)

    def hear(self, block: WorldBlock) -> None:
        """Takes the readings of a block that lie in one of the windows."""
        columns = block.columns
        slot = self._slot[columns.series_id]
        own = slot >= 0
        slot, at_us, value = slot[own], columns.observed_us[own], columns.value[own]
        bucket = (at_us - self._since[slot]) // self._width[slot]
        inside = (bucket >= 0) & (bucket < BUCKETS)
        place, value = (slot[inside], bucket[inside]), value[inside]
        np.add.at(self._count, place, 1)
        np.add.at(self._sum, place, value)
        np.minimum.at(self._low, place, value)
        np.maximum.at(self._high, place, value)

    def describe(self, unit: int, profile: Profile) -> list[dict[str, Any]]:
        """The signals of that unit as JSON: of each bucket with readings its middle (s), mean, lowest and highest."""
        found = []
        for slot, place in enumerate(self._places):
            if place.unit != unit:
                continue
            sensor = profile.find_sensor(place.sensor)
            filled = np.flatnonzero(self._count[slot])
            if sensor is None or filled.shape[0] == 0:
                continue
            times = (place.since_us + filled * place.width_us + place.width_us // 2) / 1e6
            digits = sensor.decimals
            found.append(
                {
                    "sensor": place.sensor,
                    "bucket_s": round(place.width_us / 1e6, 3),
                    "at": [round(at, 1) for at in times.tolist()],
                    "mean": np.round(self._sum[slot, filled] / self._count[slot, filled], digits).tolist(),
                    "low": np.round(self._low[slot, filled], digits).tolist(),
                    "high": np.round(self._high[slot, filled], digits).tolist(),
                }
            )
        return found


def find_sensors(profile: Profile, fault: LabFault, sensor: str | None) -> tuple[str, ...]:
    """The signals of an example: that of a sensor's own fault alone; else where the fault shows, then what the monitors
    of its fault group look at; of one that shows in all, what the first monitor looks at."""
    if sensor is not None:
        return (sensor,) if profile.find_sensor(sensor) is not None else ()
    own = [key for m in profile.monitors if m.fault_group == fault.fault_group for key in m.sensors]
    any_other = [key for m in profile.monitors for key in m.sensors[:1]][:1]
    wanted = dict.fromkeys([*fault.sensors, *own] or any_other)
    return tuple(key for key in wanted if profile.find_sensor(key) is not None)[:MOST_SENSORS]


def _find_window(onset_us: int, end_us: int) -> tuple[int, int]:
    """Half as long before the fault as it lasts, and a seventh after it; some minutes at least."""
    lasts_us = end_us - onset_us
    return onset_us - max(lasts_us // 2, 10 * MINUTE), end_us + max(min(lasts_us // 7, 24 * HOUR), 5 * MINUTE)
