"""The order in which the readings of a block pass through a bank: the k-th reading of every slot is one step."""

from dataclasses import dataclass

import numpy as np

from anomaly.bank import Bank
from anomaly.detectors.contract import Ints
from anomaly.ranking import rank_rows


@dataclass(slots=True)
class StepPlan:
    """The rows of one bank in one block, ordered into steps."""

    bank: Bank
    slot: Ints
    row: Ints
    order: Ints
    bounds: Ints

    def rows_of_step(self, k: int) -> Ints:
        """The places in `slot` and `row` of the k-th reading of every slot that has one."""
        if k + 1 >= self.bounds.shape[0]:
            return self.order[:0]
        return self.order[self.bounds[k] : self.bounds[k + 1]]


def plan_steps(bank: Bank, series: Ints) -> StepPlan | None:
    """The steps of readings of these series (index in the shard) through a bank; None where it watches no series.
    Slots that their detector raised on are left out."""
    slots, rows = [], []
    for layer in bank.layers:
        slot = layer[series]
        row = np.flatnonzero(slot >= 0)
        if bank.failed:
            row = row[~bank.is_failed[slot[row]]]
        slots.append(slot[row])
        rows.append(row)
    if not slots:
        return None
    slot, row = np.concatenate(slots), np.concatenate(rows)
    # Rows of one slot lie in one layer, so that they are still in order of arrival.
    order, bounds = rank_rows(slot)
    return StepPlan(bank, slot, row, order, bounds)
