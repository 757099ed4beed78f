"""Levels: few enough buckets, and segments that cover a window exactly once, each where its level is valid."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.clock import EPOCH
from store.reading_levels import LEVELS, MICRO, WIDTH, Level, Span, find_finest, find_grid, find_segments, floor
from store.rollups import RollupState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = EPOCH + 20_000 * DAY


def make_state(minutes: int) -> RollupState:
    """Rolled up as far as whole hours, and what depends on them, lie before so many minutes after BEGIN."""
    to = BEGIN + minutes * timedelta(minutes=1)
    return RollupState(
        to, floor(to, HOUR), floor(to, 6 * HOUR), floor(to, DAY), EPOCH, EPOCH, EPOCH, EPOCH, refreshed_at=to
    )


micros = st.integers(0, 4 * 86_400 * 10**6)
spans = st.tuples(micros, st.integers(1, 5 * 3600 * 10**6)).map(
    lambda found: Span(BEGIN + found[0] * MICRO, BEGIN + (found[0] + found[1]) * MICRO)
)


@given(micros, micros, st.sampled_from(LEVELS), st.integers(-100, 6_000), st.lists(spans, max_size=6))
def test_segments_cover_the_window_once_and_each_is_valid(
    first: int, last: int, level: Level, minutes: int, late: list[Span]
) -> None:
    window = Span(BEGIN + min(first, last) * MICRO, BEGIN + (max(first, last) + 1) * MICRO)
    state = make_state(minutes)
    ready_to = {Level.MINUTE: state.minutes_to, Level.HOUR: state.hours_to, Level.DAY: state.days_to}
    segments = find_segments(window, level, state, late)
    at = window.begin
    for segment in segments:
        assert segment.begin == at < segment.end
        at = segment.end
        assert LEVELS.index(segment.level) <= LEVELS.index(level)
        if segment.level is not Level.RAW:
            width = WIDTH[segment.level]
            assert floor(segment.begin, width) == segment.begin
            assert floor(segment.end, width) == segment.end <= ready_to[segment.level]
            assert not any(span.begin < segment.end and segment.begin < span.end for span in late)
    assert at == window.end


def test_a_year_is_mostly_hours() -> None:
    since = BEGIN + timedelta(minutes=17, seconds=3)
    until = since + 365 * DAY
    grid = find_grid(since, until, 1_000, Level.RAW)
    assert (grid.level, grid.width, grid.origin) == (Level.HOUR, 9 * HOUR, BEGIN)
    state = make_state(365 * 1440 + 16)
    levels = [segment.level for segment in find_segments(Span(since, until), grid.level, state, [])]
    assert levels == [Level.RAW, Level.MINUTE, Level.HOUR, Level.RAW]


@given(micros, st.integers(1, 10**15), st.integers(1, 10_000), st.sampled_from(LEVELS))
def test_a_grid_has_no_more_buckets_than_points(begin: int, length: int, points: int, finest: Level) -> None:
    since = BEGIN + begin * MICRO
    until = since + length * MICRO
    grid = find_grid(since, until, points, finest)
    assert grid.origin <= since
    assert grid.origin + points * grid.width >= until
    assert grid.level is Level.RAW or (grid.width % WIDTH[grid.level] == timedelta(0) and grid.width >= WIDTH[finest])


def test_what_retention_has_left_answers() -> None:
    state = make_state(0)
    assert find_finest(BEGIN, BEGIN, state) is Level.RAW
    assert find_finest(BEGIN - MICRO, BEGIN, state) is Level.MINUTE
    assert find_grid(BEGIN, BEGIN + HOUR, 1_000, Level.HOUR).width == HOUR
    gone = RollupState(BEGIN, BEGIN, BEGIN, BEGIN, BEGIN, BEGIN, BEGIN, BEGIN - DAY, refreshed_at=BEGIN)
    assert find_finest(BEGIN - HOUR, BEGIN, gone) is Level.HOUR
    assert find_finest(BEGIN - 2 * DAY, BEGIN, gone) is Level.DAY
