"""Which readings of a batch are surely new, which are late, and which repeat or contradict another one of it. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOTHING_YET = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Resolved:
    """Row numbers into the batch; `certain` and `uncertain` are in order of series and time, as an index likes it.

    Every row is in just one of `certain`, `uncertain` and `repeats`.
    """

    certain: NDArray[np.intp]  # newer than all that is stored of their series
    uncertain: NDArray[np.intp]  # may be stored already
    repeats: NDArray[np.intp]  # the same series and time as an earlier row of the batch ...
    repeated: NDArray[np.intp]  # ... namely this one
    is_late: NDArray[np.bool_]  # by row: older than what the series already had when it arrived


def resolve(series_id: NDArray[np.int32], observed_us: NDArray[np.int64], high_water_us: NDArray[np.int64]) -> Resolved:
    """Resolves a batch in the order of arrival against the newest stored time of each series.

    Parameters
    ----------
    high_water_us
        By series id; NOTHING_YET where nothing is stored.
    """
    count = len(series_id)
    nothing = np.empty(0, dtype=np.intp)
    if not count:
        return Resolved(nothing, nothing, nothing, nothing, np.zeros(0, dtype=np.bool_))
    order = _sort_by_series(series_id)
    series, observed = series_id[order], observed_us[order]
    is_first = np.empty(count, dtype=np.bool_)
    is_first[0] = True
    np.not_equal(series[1:], series[:-1], out=is_first[1:])
    water = high_water_us[series]
    before = np.empty_like(observed)
    before[0] = NOTHING_YET
    before[1:] = observed[:-1]
    before[is_first] = water[is_first]
    if (observed > before).all():
        # What happens nearly always: every series moves forward.
        return Resolved(order, nothing, nothing, nothing, np.zeros(count, dtype=np.bool_))
    is_late = np.empty(count, dtype=np.bool_)
    is_late[order] = observed < _newest_before(observed, is_first, water)
    by_key = np.lexsort((order, observed, series))
    series, observed, rows = series[by_key], observed[by_key], order[by_key]
    starts_key = np.ones(count, dtype=np.bool_)
    starts_key[1:] = (series[1:] != series[:-1]) | (observed[1:] != observed[:-1])
    first_of_key = rows[starts_key][np.cumsum(starts_key) - 1]
    is_certain = starts_key & (observed > high_water_us[series])
    return Resolved(
        certain=rows[is_certain],
        uncertain=rows[starts_key & ~is_certain],
        repeats=rows[~starts_key],
        repeated=first_of_key[~starts_key],
        is_late=is_late,
    )


def _sort_by_series(series_id: NDArray[np.int32]) -> NDArray[np.intp]:
    """A stable order; small numbers have a radix sort, which takes a fifth of the time."""
    narrow = series_id.astype(np.uint16) if series_id.max() < 65_536 else series_id
    return np.argsort(narrow, kind="stable")


def _newest_before(
    observed: NDArray[np.int64], is_first: NDArray[np.bool_], water: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For each row, in order of series and arrival: the newest time that its series had before it arrived."""
    # Ranks are small, so that each series can be lifted above the one before, and one running maximum serves all.
    times, rank = np.unique(np.concatenate((observed, water)), return_inverse=True)
    count, size = len(observed), len(times)
    lift = (np.cumsum(is_first) - 1) * size
    own = rank[:count] + lift
    floor = rank[count:] + lift
    seen = np.empty(count, dtype=np.int64)
    seen[0] = floor[0]
    seen[1:] = np.maximum(own[:-1], floor[1:])
    newest: NDArray[np.int64] = times[np.maximum.accumulate(np.maximum(seen, floor)) - lift]
    return newest
