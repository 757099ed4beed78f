"""The k-th reading of every slot in a block, as one vector step."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_LOW_HALF = np.int64(0xFFFFFFFF)


def order_rows(slot: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers ordered by slot, rows of one slot in their order of arrival.

    Parameters
    ----------
    slot
        Shape (n,), 0 <= slot < 2**31.
    """
    # One sort of packed (slot, row) keys is stable by construction and vectorised, unlike a stable argsort.
    ordered: NDArray[np.int64] = np.sort((slot << 32) | np.arange(slot.shape[0], dtype=np.int64)) & _LOW_HALF
    return ordered


def rank_rows(slot: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers ordered by (how many earlier rows have the same slot, slot), and the bounds of the steps.

    Step k is `order[bounds[k]:bounds[k + 1]]`: it holds every slot at most once, and the rows of one slot come in
    their order of arrival over the steps. Sorting by slot inside a step makes gathers run forward through memory.

    Parameters
    ----------
    slot
        Shape (n,), 0 <= slot < 2**31.
    """
    n = slot.shape[0]
    if n == 0:
        return np.empty(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    row = order_rows(slot)
    sorted_slot = slot[row]
    starts = np.empty(n, dtype=bool)
    starts[0] = True
    np.not_equal(sorted_slot[1:], sorted_slot[:-1], out=starts[1:])
    if starts.all():
        return row, np.array([0, n], dtype=np.int64)
    position = np.arange(n, dtype=np.int64)
    rank = position - np.maximum.accumulate(np.where(starts, position, 0))
    by_rank = np.sort((rank << 32) | position)
    bounds = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(rank), dtype=np.int64)))
    return row[by_rank & _LOW_HALF], bounds


def iterate_steps(slot: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The steps of `rank_rows`, one array of row numbers after the other."""
    order, bounds = rank_rows(slot)
    for k in range(bounds.shape[0] - 1):
        yield order[bounds[k] : bounds[k + 1]]
