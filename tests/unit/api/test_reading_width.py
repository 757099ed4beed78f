"""Bucket widths: never more buckets than points, and no narrower than needed."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from store.reading_levels import find_width

START = datetime(2026, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


@given(st.integers(1, 10**15), st.integers(1, 10_000))
def test_the_narrowest_width_whose_buckets_are_few_enough(micros: int, points: int) -> None:
    width = find_width(START, START + micros * MICRO, points)
    assert -(-micros // (width // MICRO)) <= points
    if width > MICRO:
        assert -(-micros // (width // MICRO - 1)) > points
