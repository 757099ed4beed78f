"""Data quality of a day, held against a slow and obvious reckoning second by second."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.data_quality import (
    CONNECTIVITY_OWING,
    LIFECYCLE_OWING,
    AlertKind,
    DayCounts,
    Expectation,
    Span,
    StateChange,
    find_common,
    find_expectation,
    find_spans_in,
    judge_day,
)
from domain.profile import DataQualityPolicy

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = DataQualityPolicy()
STATES = st.sampled_from(["IN_SERVICE", "UNDER_MAINTENANCE", "QUARANTINED", "DECOMMISSIONED"])


def at(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[StateChange]]:
    """The state now, and the changes that led to it from `BEGIN` on, some after the end of what is looked at."""
    state = draw(STATES)
    changes = []
    for second in sorted(draw(st.lists(st.integers(0, 400), max_size=6))):
        after = draw(STATES)
        changes.append(StateChange(at(second), state, after))
        state = after
    return state, changes


def find_state_slowly(changes: list[StateChange], now_in: str, second: int) -> str | None:
    """The state in the second that begins then: what the last change before it says, else what the first one left."""
    state: str | None = changes[0].before if changes else now_in
    for change in changes:
        if change.at <= at(second):
            state = change.after
    return state


@given(history=histories(), start=st.integers(0, 100), length=st.integers(0, 300))
def test_spans_are_those_of_every_second(history: tuple[str, list[StateChange]], start: int, length: int) -> None:
    now_in, changes = history
    # Only what happened from the start on is known, as when a day is judged.
    known = [c for c in changes if c.at >= at(start)]
    state_at_start = find_state_slowly(changes, now_in, start) if changes else now_in
    if not known and changes:
        now_in = str(state_at_start)
    spans = find_spans_in(known, now_in, LIFECYCLE_OWING, at(start), at(start + length))
    slow = {s for s in range(start, start + length) if find_state_slowly(changes, now_in, s) in LIFECYCLE_OWING}
    fast = {s for span in spans for s in range(int((span.start - BEGIN).total_seconds()), start + length)
            if at(s) < span.end}  # fmt: skip
    assert fast == slow
    assert all(a.end < b.start for a, b in itertools.pairwise(spans))
    assert all(span.start < span.end for span in spans)


SPANS = st.lists(st.integers(0, 300), max_size=8, unique=True).map(
    lambda edges: [Span(at(a), at(b)) for a, b in zip(*[iter(sorted(edges)[: len(edges) // 2 * 2])] * 2, strict=True)]
)


@given(first=SPANS, second=SPANS)
def test_what_is_common_is_in_both(first: list[Span], second: list[Span]) -> None:
    def seconds(spans: list[Span]) -> set[int]:
        return {s for s in range(300) for span in spans if span.start <= at(s) < span.end}

    assert seconds(find_common(first, second)) == seconds(first) & seconds(second)


@given(spans=SPANS, interval=st.integers(1, 40), present=st.integers(0, 400), rest=st.integers(0, 200))
def test_what_is_expected_is_one_reading_for_each_whole_interval(
    spans: list[Span], interval: int, present: int, rest: int
) -> None:
    expected = 0
    for span in spans:
        second = span.start + timedelta(seconds=interval)
        while second <= span.end:
            expected += 1
            second += timedelta(seconds=interval)
    found = find_expectation(spans, interval, present, rest)
    assert found == Expectation(expected, max(0, expected - present), expected + rest // interval)


def test_an_interval_that_binary_numbers_do_not_know_loses_no_reading() -> None:
    assert find_expectation([Span(at(0), at(0.3))], 0.1, 0, 0).expected == 3
    assert find_expectation([Span(at(0), at(86_400))], 0.1, 864_000, 0).absent == 0


def test_a_device_that_is_offline_or_not_in_service_owes_nothing() -> None:
    for lifecycle in ("REGISTERED", "INSTALLED", "UNDER_MAINTENANCE", "QUARANTINED", "DECOMMISSIONED"):
        assert find_spans_in([], lifecycle, LIFECYCLE_OWING, at(0), at(9)) == []
    assert find_spans_in([], "OFFLINE", CONNECTIVITY_OWING, at(0), at(9)) == []
    for connectivity in ("ONLINE", "STALE", "UNKNOWN"):
        assert find_spans_in([], connectivity, CONNECTIVITY_OWING, at(0), at(9)) == [Span(at(0), at(9))]


def test_a_day_that_is_not_over_is_judged_by_what_it_can_still_become() -> None:
    morning = Expectation(expected=100, absent=90, of_day=1000)
    assert judge_day(morning, DayCounts(), None, POLICY, is_over=False).alerts == ()
    assert judge_day(morning, DayCounts(), None, POLICY, is_over=True).alerts == (AlertKind.MISSING,)
    lost = Expectation(expected=400, absent=201, of_day=1000)
    assert judge_day(lost, DayCounts(), None, POLICY, is_over=False).alerts == (AlertKind.MISSING,)


@pytest.mark.parametrize(
    ("counts", "alert"),
    [
        (DayCounts(received=1000, duplicates=51), AlertKind.DUPLICATE),
        (DayCounts(received=1000, inconsistent=11), AlertKind.INCONSISTENT),
        (DayCounts(received=1000, implausible=6, seq_back=5), AlertKind.IMPLAUSIBLE),
    ],
)
def test_a_share_over_its_limit_is_an_alert_once_enough_came(counts: DayCounts, alert: AlertKind) -> None:
    assert judge_day(Expectation(), counts, None, POLICY, is_over=False).alerts == (alert,)
    few = DayCounts(*(value // 20 for value in (counts.received, 20, 20, 20, 20)))
    assert judge_day(Expectation(), few, None, POLICY, is_over=False).alerts == ()


def test_nothing_expected_and_nothing_received_is_no_ratio() -> None:
    quality = judge_day(Expectation(), DayCounts(), None, POLICY, is_over=True)
    assert (quality.completeness, quality.missing_ratio, quality.duplicate_ratio) == (None, None, None)
    assert quality.alerts == ()


def test_a_clock_is_off_on_either_side() -> None:
    for skew_s, is_off in ((60.0, False), (60.1, True), (-61.0, True), (None, False)):
        quality = judge_day(Expectation(), DayCounts(), skew_s, POLICY, is_over=False)
        assert (AlertKind.CLOCK_SKEW in quality.alerts) is is_off


@given(
    expected=st.integers(0, 1000), absent=st.integers(0, 1000), received=st.integers(0, 100), seq=st.integers(0, 200)
)
def test_ratios_are_shares(expected: int, absent: int, received: int, seq: int) -> None:
    counts = DayCounts(received=received, seq_back=seq)
    quality = judge_day(Expectation(expected, min(absent, expected), expected), counts, None, POLICY, is_over=True)
    for ratio in (quality.missing_ratio, quality.completeness, quality.implausible_ratio):
        assert ratio is None or 0.0 <= ratio <= 1.0
    assert quality.present == expected - min(absent, expected)
    if quality.completeness is not None and quality.missing_ratio is not None:
        assert quality.completeness + quality.missing_ratio == pytest.approx(1.0)
