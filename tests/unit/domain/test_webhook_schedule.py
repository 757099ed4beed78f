"""When an event is tried again: the delays of the standard, chance on top of them, and what receivers ask for."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.webhook_schedule import DELAYS, JITTER, MAX_RETRY_AFTER, find_next_attempt, read_retry_after

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECONDS = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


def test_ten_attempts_with_the_delays_that_are_promised() -> None:
    assert tuple(delay.total_seconds() for delay in DELAYS) == SECONDS
    for tries, seconds in enumerate(SECONDS):
        assert find_next_attempt(tries, AT, spread=0.0) == AT + timedelta(seconds=seconds)
    assert find_next_attempt(len(DELAYS), AT, spread=0.0) is None


@given(
    st.integers(0, len(DELAYS) - 1),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
)
def test_never_earlier_than_promised_or_asked_for_and_never_without_end(
    tries: int, spread: float, asked: timedelta | None
) -> None:
    found = find_next_attempt(tries, AT, spread=spread, retry_after=asked)
    assert found is not None
    waited = found - AT
    assert waited >= DELAYS[tries]
    assert waited >= min(asked or timedelta(0), MAX_RETRY_AFTER)
    assert waited <= max(DELAYS[tries] * (1 + JITTER), min(asked or timedelta(0), MAX_RETRY_AFTER))


def test_what_failed_together_does_not_come_back_together() -> None:
    found = {find_next_attempt(2, AT, spread=spread / 10) for spread in range(10)}
    assert len(found) == 10


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("99999999999999999999", MAX_RETRY_AFTER),
        ("Wed, 04 Mar 2026 12:01:30 GMT", timedelta(seconds=90)),
        ("Wed, 04 Mar 2026 11:00:00 GMT", timedelta(0)),  # it is over
        ("Wed, 04 Mar 2026 12:01:30 -0000", timedelta(seconds=90)),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1.5", None),
        ("٣", None),
        ("Wed, 04 Mar 99999999999999999999 12:00:00 GMT", None),
        ("Wed, 04 Mar 2026 99999999999:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, wanted: timedelta | None) -> None:
    assert read_retry_after(header, AT) == wanted
