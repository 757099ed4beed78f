import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.ranking import iterate_steps


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**31 - 1) | st.integers(0, 3), max_size=60))
def test_each_step_has_a_slot_once_and_the_rows_of_a_slot_come_in_their_order(slots: list[int]) -> None:
    slot = np.array(slots, dtype=np.int64)
    steps = [rows.tolist() for rows in iterate_steps(slot)]
    assert sorted(row for step in steps for row in step) == list(range(len(slots)))
    for step in steps:
        assert [slots[row] for row in step] == sorted({slots[row] for row in step})
    for number in set(slots):
        own = [row for step in steps for row in step if slots[row] == number]
        assert own == [row for row, s in enumerate(slots) if s == number]
