"""Marks of what is stored behind the roll-ups: made in the transaction that stores it, so that no reader misses it."""

import numpy as np
from numpy.typing import NDArray

from domain.clock import MICROS_PER_DAY, from_micros, to_micros
from store.pool import Connection

LOAD_ANNOUNCED = "SELECT announced_to FROM rollup_state"
RECORD_MARKS = """
    INSERT INTO rollup_late (series_id, first_at, last_at)
    SELECT * FROM unnest(%s::integer[], %s::timestamptz[], %s::timestamptz[])
"""


def record_marks(conn: Connection, series_id: NDArray[np.int32], observed_us: NDArray[np.int64]) -> None:
    """Names the readings just stored whose bucket may be rolled up already; none, nearly always.

    To be called after the readings were stored, in their transaction: the refresher waits for transactions that had
    begun to write before it announced how far it would go, and the others read here what it announced.
    """
    row = conn.execute(LOAD_ANNOUNCED).fetchone()
    assert row is not None
    spans = find_spans(series_id, observed_us, to_micros(row[0]))
    if spans is None:
        return
    series_ids, first_us, last_us = spans
    firsts = [from_micros(int(us)) for us in first_us]
    conn.execute(RECORD_MARKS, (series_ids.tolist(), firsts, [from_micros(int(us)) for us in last_us]))


def find_spans(
    series_id: NDArray[np.int32], observed_us: NDArray[np.int64], announced_us: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]] | None:
    """Series, first and last instant of what lies before `announced_us`, by series and UTC day; None: nothing does."""
    if not len(observed_us) or int(observed_us.min()) >= announced_us:
        return None
    behind = observed_us < announced_us
    series_id, observed_us = series_id[behind], observed_us[behind]
    order = np.lexsort((observed_us, series_id))
    series_id, observed_us = series_id[order], observed_us[order]
    days = observed_us // MICROS_PER_DAY
    begins = np.flatnonzero(np.r_[True, (series_id[1:] != series_id[:-1]) | (days[1:] != days[:-1])])
    ends = np.r_[begins[1:], len(order)] - 1
    return series_id[begins], observed_us[begins], observed_us[ends]
