"""What panels over stored readings show: the worst of a stretch, the gaps at its ends, who sees which events."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from api.console.charts import Chart, find_gaps, find_outer_gaps, find_table
from api.console.device_signals import find_worst, round_beside
from api.console.language import load_catalogue
from api.console.panels import CSV_POINTS, WORDS, Panels, say_window
from domain.lane import LaneKind, find_shown_kinds
from domain.profile import Direction, Monitor
from domain.roles import ROLE_PERMISSIONS, Permission, Role
from store.reading_queries import Bucket
from tests.support.fleet import FLOW_LOW, LEVEL_HIGH

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_bucket(low: float | None, high: float | None) -> Bucket:
    return Bucket(NOON, low, high, None if low is None or high is None else (low + high) / 2, 9, 0)


@pytest.mark.parametrize(
    ("rules", "low", "high", "worst"),
    [
        ([LEVEL_HIGH], 20.0, 81.0, 81.0),  # its mean is far below the limit
        ([LEVEL_HIGH], 20.0, 79.9, None),
        ([LEVEL_HIGH], None, None, None),  # nothing but readings that are known to be bad
        ([], 20.0, 99.0, None),
    ],
)
def test_a_moment_beyond_the_limit_is_not_lost_in_a_mean(
    rules: list[Monitor], low: float | None, high: float | None, worst: float | None
) -> None:
    assert find_worst(make_bucket(low, high), rules) == worst


def test_a_low_limit_is_judged_by_the_lowest_reading() -> None:
    assert FLOW_LOW.direction is Direction.LOW
    assert FLOW_LOW.raise_at is not None
    below = FLOW_LOW.raise_at - 1
    assert find_worst(make_bucket(below, below + 50), [FLOW_LOW]) == below


def test_a_stretch_without_readings_at_an_end_is_a_gap() -> None:
    x = [float(at) for at in range(100, 200, 5)]
    assert find_outer_gaps(x, (0.0, 300.0)) == [(0.0, 100.0), (195.0, 300.0)]
    assert find_outer_gaps(x, (90.0, 205.0)) == []
    assert find_outer_gaps([], (0.0, 300.0)) == [(0.0, 300.0)]


def test_buckets_narrower_than_the_sampling_have_no_gaps() -> None:
    x = [float(at) for at in range(0, 1200, 60)]
    assert not any(find_gaps(x, 9.0))
    holed = [at for at in x if not 300 < at < 700]
    assert [pair for pair, is_gap in zip(pairwise(holed), find_gaps(holed, 9.0)[1:], strict=True) if is_gap] == [
        (300.0, 720.0)
    ]


def test_the_table_says_what_a_mean_is_of() -> None:
    (row,) = find_table([0.0], [1.5], [False], 1, UTC, spread=([1.0], [2.0]))
    assert (row["value"], row["spread"]) == ("1.5", "1.0 – 2.0")
    assert find_table([0.0], [1.5], [False], 1, UTC)[0]["spread"] == ""


def test_every_sort_of_event_needs_its_right() -> None:
    assert find_shown_kinds({Permission.DEVICE_READ}) == [LaneKind.FIRMWARE, LaneKind.SITE, LaneKind.LIFECYCLE]
    assert find_shown_kinds(ROLE_PERMISSIONS[Role.SERVICE_MANAGER]) == list(LaneKind)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sort_of_event_has_a_name_and_the_browser_its_words(language: str) -> None:
    catalogue = load_catalogue(language)
    assert [kind for kind in LaneKind if f"lane.{kind.value}" not in catalogue] == []
    assert all(isinstance(catalogue[key], str) for key in WORDS)  # without plural forms: the browser does not choose


def test_the_year_stands_where_it_is_not_this_one() -> None:
    assert say_window(NOON - timedelta(hours=1), NOON, NOON, UTC) == "11-22 11:00 – 11-22 12:00 UTC"
    assert say_window(NOON - timedelta(days=365), NOON, NOON, UTC) == "2025-11-22 12:00 – 11-22 12:00 UTC"


def test_the_csv_is_of_the_same_sensor_and_time() -> None:
    chart = Chart("flow", "Flow", "L/min", {}, [])
    at = NOON.timestamp()
    panels = Panels("p", "", "T:1", "T:1", (at - 60, at), at - 600, None, UTC, "", [], {}, [chart])
    assert panels.find_csv(chart) == (
        "/api/v1/devices/T%3A1/readings?sensor=flow&from=2026-11-22T11%3A59%3A00%2B00%3A00"
        f"&to=2026-11-22T12%3A00%3A00%2B00%3A00&points={CSV_POINTS}&format=csv"
    )


def test_what_is_drawn_stays_on_its_side_of_a_limit() -> None:
    assert round_beside(12.345678, [55.0], 4) == 12.3457
    assert round_beside(55.00001, [55.0], 4) == 55.00001
    assert round_beside(54.99999, [55.0], 4) == 54.99999
    assert round_beside(55.0, [55.0], 4) == 55.0
    assert round_beside(None, [55.0], 4) is None
