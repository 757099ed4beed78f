"""What to do when a detector raises: find the slots that make it raise, leave all others as if nothing had happened.

A detector that raises may have written half of its state. So it is asked again on copies: the slots of the step are
taken apart until each one that raises stands alone; what a failed try wrote is put back. Slots of a step know nothing
of one another, so those that do not raise get the scores that they would have got.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Bools, Floats, Ints, SlotArrays, StateField, StepDetector
from anomaly.detectors.multivariate import MultivariateDetector, UnitScores
from domain.profile import MonitorRule

LONGEST_REASON = 300


class DetectorFailedError(Exception):
    """A detector raised in the midst of a step: its state is worthless. Whoever owns the scorer builds it again from
    the check-point and replays what came since with `ShardScorer.is_careful` set."""


@dataclass(frozen=True, slots=True)
class UnscoredMonitor:
    """One monitor of one device that nobody judges, since its detector raises on it."""

    device_id: int
    serial: str
    monitor: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnitFailure:
    """Why a unit of several sensors makes its detector raise, and how many of its readings come before the first that
    does."""

    reason: str
    readings_before: int


def step_carefully(
    detector: StepDetector, slot: Ints, at_us: Ints, value: Floats, frozen: Bools | None
) -> tuple[Floats, dict[int, str]]:
    """The scores of `detector.step`, NaN for the slots that make it raise; these, their state untouched, with why."""
    score = np.full(slot.shape[0], np.nan)
    failed: dict[int, str] = {}

    def attempt(rows: Ints) -> None:
        found = detector.step(slot[rows], at_us[rows], value[rows], None if frozen is None else frozen[rows])
        score[rows] = found

    for rows, reason in _take_apart(detector, slot, np.arange(slot.shape[0], dtype=np.int64), attempt):
        failed[int(slot[rows[0]])] = reason
    return score, failed


def find_failing_units(
    detector: MultivariateDetector, slot: Ints, at_us: Ints, value: Floats
) -> dict[int, UnitFailure]:
    """The units whose readings make `detector.iterate_scores` raise; the state of all is untouched."""
    unit = slot // detector.width
    everyone = np.unique(unit)

    def attempt_rows(rows: Ints) -> None:
        for _ in detector.iterate_scores(slot[rows], at_us[rows], value[rows]):
            pass

    def attempt(units: Ints) -> None:
        attempt_rows(np.flatnonzero(np.isin(unit, units)))

    before = copy_slots(detector, everyone)
    failed = {}
    for units, reason in _take_apart(detector, everyone, everyone, attempt):
        own, state = np.flatnonzero(unit == units[0]), copy_slots(detector, units)
        good, bad = 0, own.shape[0]  # as many readings do not raise; as many do
        while bad - good > 1:
            middle = (good + bad) // 2
            try:
                attempt_rows(own[:middle])
                good = middle
            except Exception:  # noqa: BLE001  as in `_take_apart`
                bad = middle
            restore_slots(detector, units, state)
        failed[int(units[0])] = UnitFailure(reason, good)
    restore_slots(detector, everyone, before)
    return failed


def iterate_guarded(steps: Iterator[UnitScores], rule: MonitorRule) -> Iterator[UnitScores]:
    """The same steps; what the detector raises becomes a `DetectorFailedError`, what their user raises does not."""
    while True:
        try:
            step = next(steps)
        except StopIteration:
            return
        except Exception as error:
            raise DetectorFailedError(f"{rule.value}: {type(error).__name__}: {error}") from error
        yield step


def _take_apart(
    detector: SlotArrays, number: Ints, everyone: Ints, attempt: Callable[[Ints], None]
) -> list[tuple[Ints, str]]:
    """Tries all at once, then halves of what raised; each one that raises alone is given back with why.

    Parameters
    ----------
    number
        Of the slot that a member of `everyone` stands for: by place where these are rows, themselves where they are
        units.
    """
    failed: list[tuple[Ints, str]] = []
    slot_of = dict(zip(everyone.tolist(), number.tolist(), strict=True))
    waiting = [everyone]
    while waiting:
        some = waiting.pop()
        slots = np.array([slot_of[i] for i in some.tolist()], dtype=np.int64)
        before = copy_slots(detector, slots)
        try:
            attempt(some)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not stop the others
            restore_slots(detector, slots, before)
            if some.shape[0] == 1:
                failed.append((some, f"{type(error).__name__}: {error}"[:LONGEST_REASON]))
            else:
                half = some.shape[0] // 2
                waiting += [some[half:], some[:half]]
    return failed


Taken = list[tuple[SlotArrays, StateField, NDArray[Any]]]


def copy_slots(state: SlotArrays, slots: Ints) -> Taken:
    """All that these slots hold, parts of the detector that are slot arrays themselves included."""
    taken: Taken = []
    for part in _find_parts(state):
        for one in part.fields:
            # A part that counts otherwise than by slot is kept whole.
            is_by_slot = part.size == state.size
            taken.append((part, one, part.find_table(one)[slots] if is_by_slot else getattr(part, one.name).copy()))
    return taken


def restore_slots(state: SlotArrays, slots: Ints, before: Taken) -> None:
    """Puts back what `copy_slots` took; nothing else moves."""
    for part, one, values in before:
        if part.size == state.size:
            part.find_table(one)[slots] = values
        else:
            getattr(part, one.name)[:] = values


def _find_parts(state: SlotArrays) -> list[SlotArrays]:
    parts: dict[int, SlotArrays] = {id(state): state}
    for value in vars(state).values():
        several = (
            value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else (value,)
        )
        for one in several:
            if isinstance(one, SlotArrays):
                parts |= {id(part): part for part in _find_parts(one)}
    return list(parts.values())
