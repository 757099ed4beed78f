"""No rate of less than one device-day, and how such an exposure is said."""

import pytest

from domain.counting import say_count
from domain.exposure import bears_rate, find_rate, say_device_days


def test_a_rate_needs_a_device_day() -> None:
    assert find_rate(6, 0.17) is find_rate(0, 0.0) is None
    assert find_rate(6, 1.0) == pytest.approx(6_000.0)
    assert find_rate(0, 400.0) == 0.0
    assert [bears_rate(days) for days in (None, 0.0, 0.999, 1.0)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0.0, "0 device-days"),
        (0.001, "< 1 device-day"),
        (0.999, "< 1 device-day"),
        (1.0, "1 device-day"),
        (1.6, "2 device-days"),
        (1_203.7, "1,204 device-days"),
    ],
)
def test_less_than_a_device_day_is_said_as_such(days: float, said: str) -> None:
    assert say_count(say_device_days(days), "device-day") == said
