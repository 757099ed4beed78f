"""A fleet prior from scorers that have seen the healthy history of a fleet; pure state, no I/O."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.shard_scorer import ShardScorer
from anomaly.training.contract import LEAST_DEVICES, FleetPrior, PriorPart, find_key
from anomaly.training.poolings import POOLINGS
from domain.profile import MonitorRule

States = dict[str, NDArray[Any]]


class StateCollector:
    """The states of the settled slots of a model's devices, kept until all are there; some kB a device.

    Several scorers may be added one after the other, each with devices of its own: what a fleet needs at once is then
    what one of them needs.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.devices = 0
        self._states: dict[tuple[MonitorRule, str], list[States]] = {}
        self._versions: dict[MonitorRule, int] = {}

    def add(self, scorer: ShardScorer, without: Collection[int] = ()) -> None:
        """Takes the states of the scorer's devices of the model, except those of the device ids in `without`."""
        self.devices += sum(d.model == self.model and d.id not in without for d in scorer.devices.values())
        for rule, pooling in POOLINGS.items():
            bank = scorer.banks[rule]
            self._versions[rule] = bank.detector.VERSION
            by_key: dict[str, list[int]] = {}
            for number, slot in enumerate(bank.slots):
                if slot.device.model == self.model and slot.device.id not in without:
                    by_key.setdefault(find_key(slot), []).append(number)
            for key, numbers in by_key.items():
                slots = np.array(numbers, dtype=np.int64)
                slots = slots[pooling.find_settled(bank, slots)]
                if slots.shape[0]:
                    self._states.setdefault((rule, key), []).append(pooling.collect(bank, slots))

    def pool(self, firmware: str = "") -> FleetPrior:
        """The prior of all that was added; a monitor that too few devices have settled on has no part in it."""
        parts = []
        for (rule, key), rows in sorted(self._states.items(), key=lambda item: (item[0][0].value, item[0][1])):
            states = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            devices = next(iter(states.values())).shape[0]
            arrays = POOLINGS[rule].pool(states) if devices >= LEAST_DEVICES else None
            if arrays is not None:
                parts.append(PriorPart(rule, key, self._versions[rule], devices, arrays))
        return FleetPrior(self.model, firmware, tuple(parts))


def pool_fleet(scorer: ShardScorer, model: str, firmware: str = "", without: Collection[int] = ()) -> FleetPrior:
    """The prior that the devices of one scorer give, except those in `without` (faulty, or too young)."""
    collector = StateCollector(model)
    collector.add(scorer, without)
    return collector.pool(firmware)
