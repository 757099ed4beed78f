"""Marks of late readings: every reading behind the announcement lies in exactly one span of its series and day."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.clock import MICROS_PER_DAY
from store.rollup_marks import find_spans

readings = st.lists(
    st.tuples(st.integers(1, 4), st.integers(-3 * MICROS_PER_DAY, 3 * MICROS_PER_DAY)), min_size=1, max_size=60
)


@given(readings, st.integers(-2 * MICROS_PER_DAY, 2 * MICROS_PER_DAY))
def test_spans_hold_all_that_is_late_and_end_at_readings(found: list[tuple[int, int]], announced_us: int) -> None:
    series_id = np.array([series for series, _ in found], np.int32)
    observed_us = np.array([at for _, at in found], np.int64)
    late = [(series, at) for series, at in found if at < announced_us]
    spans = find_spans(series_id, observed_us, announced_us)
    if not late:
        assert spans is None
        return
    assert spans is not None
    marks = list(zip(*(column.tolist() for column in spans), strict=True))
    for series, at in late:
        assert sum(s == series and first <= at <= last for s, first, last in marks) == 1
    for series, first, last in marks:
        assert (series, first) in late
        assert (series, last) in late
        assert first // MICROS_PER_DAY == last // MICROS_PER_DAY
    assert len({(series, first // MICROS_PER_DAY) for series, first, _ in marks}) == len(marks)


def test_nothing_is_late_in_an_empty_batch() -> None:
    assert find_spans(np.empty(0, np.int32), np.empty(0, np.int64), 0) is None
