"""When messages are received, whatever the machine's clock does."""

import pytest

from ingest.mqtt_source import CLOCK_WAS_SET_US, find_receipt

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("now_us", "free_us", "received_us"),
    [
        (HOUR_US, 0, HOUR_US),
        (HOUR_US, HOUR_US - 5, HOUR_US),
        (HOUR_US, HOUR_US + 512, HOUR_US + 512),  # more messages than microseconds
        (HOUR_US, HOUR_US + CLOCK_WAS_SET_US, HOUR_US + CLOCK_WAS_SET_US),  # a clock that is slewed
        (HOUR_US, 24 * HOUR_US, HOUR_US),  # a clock that was a day ahead, and is set right
    ],
)
def test_receipts_go_forward_and_follow_a_clock_that_was_set_back(now_us: int, free_us: int, received_us: int) -> None:
    assert find_receipt(now_us, free_us) == received_us
