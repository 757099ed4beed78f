"""What delays tell of a clock, and numbers of a counter."""

import numpy as np
import pytest

from store.device_clocks import NOTHING, Clocks, Counter, advance_clocks

SECOND = 1_000_000


def follow(delays: list[tuple[float, float]]) -> list[float]:
    """The estimate after each delay in seconds, received at that second; NaN where there is none."""
    nothing, never = np.full(1, np.nan), np.full(1, NOTHING, dtype=np.int64)
    clocks = Clocks(nothing, never, nothing, never, nothing, nothing, never)
    found = []
    for at_s, delay_s in delays:
        clocks = advance_clocks(clocks, np.array([delay_s]), np.array([round(at_s * SECOND)], dtype=np.int64))
        found.append(float(clocks.skew_s[0]))
    return found


def test_the_shortest_delay_of_the_window_counts_and_not_what_was_buffered() -> None:
    assert follow([(10, 0.2), (20, 900.0), (30, 0.05), (40, 3_600.0)]) == [-0.2, -0.2, -0.05, -0.05]


def test_a_clock_that_is_set_right_shows_when_the_window_has_passed() -> None:
    found = follow([(10 * i, -40.0 if i < 10 else 0.1) for i in range(1, 140)])
    assert found[0] == 40.0
    assert found[-1] == -0.1
    assert found.index(-0.1) * 10 <= 100 + 1_200


def test_a_device_that_sends_what_it_kept_is_never_taken_for_one_that_is_behind() -> None:
    found = follow([(10 * i, max(0.2, 3_600.0 - 300.0 * i)) for i in range(1, 30)])
    assert all(np.isnan(skew) or skew >= -0.2 for skew in found)
    assert found[-1] == -0.2


def test_a_clock_that_is_behind_is_believed_after_a_minute() -> None:
    found = follow([(10 * i, 90.0 + i % 2 / 10) for i in range(1, 10)])
    assert np.isnan(found[0])
    assert found[-1] == -90.0


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(1, 3, 3, 1, 3)], (0, 0, 0)),
        ([(1, 3, 3, 1, 3), (5, 6, 2, 5, 6)], (1, 0, 0)),
        ([(1, 3, 3, 1, 3), (5, 6, 2, 5, 6), (4, 4, 1, 4, 4)], (1, 1, 0)),
        ([(5, 5, 1, 5, 5), (1, 2, 2, 6, 7)], (0, 0, 1)),
        ([(254, 255, 2, 1, 2), (0, 1, 2, 3, 4)], (0, 0, 0)),
        ([(5, 5, 1, 5, 5), (9_000_000, 9_000_000, 1, 6, 6)], (0, 0, 1)),
        ([(5, 5, 1, 5, 5), (5, 5, 1, 6, 6)], (0, 0, 0)),
    ],
)
def test_numbers_tell_what_is_missing_what_came_late_and_a_restart(
    runs: list[tuple[int, int, int, int, int]], expected: tuple[int, int, int]
) -> None:
    counter = Counter()
    for run in runs:
        counter.take(*run)
    assert (counter.missing, counter.filled, counter.back) == expected
