"""What a fleet prior is: the state from which the learning detectors of a new device of a known model start.

A prior is pooled from the states of devices of one model that are past their warm-up (`anomaly.training.pool`), and put
into slots that have heard nothing yet (`anomaly.training.seeding`). For each learning detector two functions say how,
on arrays alone; a detector that has no entry in `anomaly.training.poolings` keeps warming up as it always did.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from anomaly.bank import Bank, MonitorSlot
from anomaly.detectors.contract import Bools, Ints
from domain.profile import MonitorRule

Arrays = Mapping[str, NDArray[Any]]

LEAST_DEVICES = 3  # fewer say nothing about how devices differ


@dataclass(frozen=True, slots=True)
class PriorPart:
    """The prior of one monitor on one sensor (of all its sensors, if MULTIVARIATE)."""

    rule: MonitorRule
    key: str  # of `find_key`
    version: int  # of the detector whose state it is
    devices: int  # pooled in it
    arrays: Arrays


@dataclass(frozen=True, slots=True)
class FleetPrior:
    """The priors of one device model: for every device of it, or for those that run one version of the firmware."""

    model: str
    firmware: str  # "": whatever a device runs
    parts: tuple[PriorPart, ...]
    record_id: int = 0  # of the model record; 0: of none
    code: str = ""  # of the same


@dataclass(frozen=True, slots=True)
class Pooling:
    """How the state of one learning detector is pooled and put into new slots; slots are numbered as in the bank.

    collect: the states of these slots, one row each, as arrays; those of a multivariate one as wide as its unit.
    find_settled: which slots are past their warm-up.
    pool: several devices' rows as the one from which a new device starts; None where they agree on nothing.
    find_new: which slots of the bank may be seeded: nothing of their own would be lost.
    seed: puts the pooled state into these slots; given once more, it changes nothing.
    clear: makes slots that were seeded start from nothing again.
    """

    collect: Callable[[Bank, Ints], dict[str, NDArray[Any]]]
    find_settled: Callable[[Bank, Ints], Bools]
    pool: Callable[[Arrays], dict[str, NDArray[Any]] | None]
    find_new: Callable[[Bank], Bools]
    seed: Callable[[Bank, Ints, Arrays], None]
    clear: Callable[[Bank, Ints], None]


def find_key(slot: MonitorSlot) -> str:
    """What tells the slots of one device apart, and is the same on every device of the model."""
    return f"{slot.monitor.key}:{','.join(sensor.key for sensor in slot.sensors)}"
