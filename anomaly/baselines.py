"""When the learning detectors of a device begin a new baseline: its main firmware changed, or work on it was done.

A report tells of a change at an instant of the device's own time, and may come before or behind the readings of that
time. So the new baseline is put down for the instant, and begins, slot by slot, with the first reading that is not
older. Only a change of version counts: a report that repeats a version, or comes behind a newer one, begins nothing.
After work the level is learnt anew and the scale of the noise is kept (`Detector.begin_anew`); new firmware is left to
the detector (`Detector.relearn`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import NEVER, Bools, Ints, SlotArrays, StateField
from domain.firmware import MAIN
from domain.report import FirmwareReport, FirmwareState

AT_ONCE = int(NEVER) + 1  # with the next reading, whatever its time


class Cause(IntEnum):
    """Why a baseline begins anew."""

    FIRMWARE = 0
    WORK = 1


class Baselines(SlotArrays):
    """From which instant on each slot of a learning detector begins a new baseline, and from which one again. Only the
    slots that wait for one have a row here, in ascending order: hardly any does."""

    FIELDS: ClassVar[tuple[StateField, ...]] = (
        StateField("waiting", np.int64),  # the slot
        StateField("begins_us", np.int64, fill=int(NEVER)),
        StateField("again_us", np.int64, fill=int(NEVER)),  # a second change, before any reading came after the first
        StateField("cause", np.int8),
        StateField("again_cause", np.int8),
    )
    waiting: Ints
    begins_us: Ints
    again_us: Ints
    cause: NDArray[np.int8]
    again_cause: NDArray[np.int8]

    @property
    def bytes_per_slot(self) -> int:
        """Memory of a slot that waits for nothing."""
        return 0

    def reset(self, slot: Ints) -> None:
        """These slots begin nothing."""
        self._keep(~np.isin(self.waiting, slot))

    def put_down(self, slot: Ints, at_us: int, cause: Cause = Cause.FIRMWARE) -> None:
        """These slots begin anew with their first reading at or after the instant."""
        place = self._find_rows(slot)
        is_free = self.begins_us[place] == NEVER
        self.begins_us[place[is_free]] = at_us
        self.cause[place[is_free]] = cause
        self.again_us[place[~is_free]] = at_us
        self.again_cause[place[~is_free]] = cause

    def find_due(self, slot: Ints, at_us: Ints) -> Bools:
        """For each reading whether its slot begins anew before it is scored."""
        if self.size == 0:
            return np.zeros(slot.shape[0], dtype=np.bool_)
        place = np.minimum(np.searchsorted(self.waiting, slot), self.size - 1)
        due: Bools = (self.waiting[place] == slot) & (at_us >= self.begins_us[place])
        return due

    def take_due(self, slot: Ints, at_us: Ints) -> tuple[Bools, NDArray[np.int8]]:
        """The same, each slot at most once a call, with the cause for those that are; what is due is due no more."""
        due = self.find_due(slot, at_us)
        if not due.any():
            return due, self.cause[:0]
        place = np.searchsorted(self.waiting, slot[due])
        again_us, again_cause = self.again_us[place], self.again_cause[place]
        both = (again_us != NEVER) & (at_us[due] >= again_us)
        # Work says more than firmware: what it begins anew holds all that firmware begins anew.
        cause = np.where(both, np.maximum(self.cause[place], again_cause), self.cause[place])
        self.begins_us[place] = np.where(both, NEVER, again_us)
        self.cause[place] = again_cause
        self.again_us[place] = NEVER
        self._keep(self.begins_us != NEVER)
        return due, cause

    def adopt_arrays(self, arrays: Mapping[str, NDArray[Any]], source: Ints, target: Ints) -> None:
        """See `SlotArrays.adopt_arrays`; a check-point of before has a row for every slot."""
        self.reset(target)
        place, is_waiting = source, arrays["begins_us"] != NEVER
        if "waiting" in arrays:
            place = np.searchsorted(arrays["waiting"], source)
            found = np.isin(source, arrays["waiting"])
            place, target = place[found], target[found]
        target, place = target[is_waiting[place]], place[is_waiting[place]]
        rows = self._find_rows(target)
        for field in self.fields[1:]:
            getattr(self, field.name)[rows] = arrays[field.name][place]

    def _find_rows(self, slot: Ints) -> Ints:
        """The rows of these slots, each given at most once; those that have none get one."""
        new = np.setdiff1d(slot, self.waiting)
        where = np.searchsorted(self.waiting, new)
        for field in self.fields:
            values = new if field.name == "waiting" else field.fill
            setattr(self, field.name, np.insert(getattr(self, field.name), where, values))
        self.size = self.waiting.shape[0]
        return np.searchsorted(self.waiting, slot)

    def _keep(self, rows: Bools) -> None:
        for field in self.fields:
            setattr(self, field.name, getattr(self, field.name)[rows])
        self.size = self.waiting.shape[0]


@dataclass(frozen=True, slots=True)
class _Known:
    version: str
    at_us: int
    updated: str  # the version of the last UPDATED: what a FAILED that rolls back names


class FirmwareWatch:
    """What the reports of a shard's devices said so far, by component."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], _Known] = {}

    def find_version(self, device_id: int) -> str:
        """What the device's main component runs by its reports; "" where none came."""
        known = self._known.get((device_id, MAIN))
        return "" if known is None else known.version

    def hear(self, report: FirmwareReport) -> int | None:
        """From which instant on the main component runs another version than was known; None: it does not."""
        key = (report.device_id, report.component)
        known = self._known.get(key)
        if known is not None and report.observed_us < known.at_us:
            return None
        if report.state is FirmwareState.UPDATED:
            version, updated = report.version, report.version
        elif (
            report.state is FirmwareState.FAILED
            and report.previous is not None
            and known is not None
            and known.updated == report.version != report.previous
        ):
            version, updated = report.previous, known.updated
        else:
            return None
        before = known.version if known is not None else report.previous
        self._known[key] = _Known(version, report.observed_us, updated)
        if report.component != MAIN or before is None or before == version:
            return None
        # Without a time of its own the report came when it did, by our clock: the device's may show any other time.
        return AT_ONCE if report.observed_us == report.received_us else report.observed_us

    def state_to_json(self) -> list[list[Any]]:
        """What `adopt_json` takes."""
        return [[*key, known.version, known.at_us, known.updated] for key, known in sorted(self._known.items())]

    def adopt_json(self, state: list[list[Any]]) -> None:
        """Takes over what `state_to_json` gave; an entry of an older version tells the version alone."""
        self._known = {
            (int(device), component): _Known(version, *(rest or (int(NEVER), version)))
            for device, component, version, *rest in state
        }
