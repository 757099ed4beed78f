"""What charts are given: gaps stay open, the axis shows what it must, the table says the same."""

from datetime import UTC, datetime

import pytest

from api.console.charts import TABLE_ROWS, Limit, find_breaches, find_line, find_marks, find_range, find_table
from domain.firmware import FirmwareChange


def test_another_sampling_rate_is_no_gap() -> None:
    every_five, every_second = list(range(0, 50, 5)), list(range(46, 200))
    x = [float(at) for at in (*every_five, *every_second)]
    assert find_line(x, [1.0] * len(x)).gaps == []


def test_two_pauses_in_a_row_are_two_gaps() -> None:
    x = [float(at) for at in (*range(10), 70, 130, *range(131, 140))]
    assert find_line(x, [1.0] * len(x)).gaps == [(9, 70), (70, 130)]


def test_a_pause_longer_than_three_intervals_is_a_gap() -> None:
    line = find_line([0, 5, 10, 15, 60, 65], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert line.gaps == [(15, 60)]
    assert line.y == [1.0, 2.0, 3.0, 4.0, None, 5.0, 6.0]
    assert line.x[4] == 37.5
    assert [line.x[place] for place in line.places] == [0, 5, 10, 15, 60, 65]


def test_pauses_up_to_three_intervals_are_none() -> None:
    assert find_line([0, 5, 10, 25], [1.0, 2.0, 3.0, 4.0]).gaps == []


def test_the_width_of_buckets_is_the_usual_interval() -> None:
    assert find_line([0, 10, 60], [1.0, 2.0, 3.0], 10.0).gaps == [(10, 60)]
    assert find_line([0, 10, 60], [1.0, 2.0, 3.0], 30.0).gaps == []


@pytest.mark.parametrize("x", [[], [7.0], [7.0, 7.0]])
def test_too_few_points_have_no_gap(x: list[float]) -> None:
    line = find_line(x, [1.0 for _ in x])
    assert (line.x, line.gaps) == (x, [])


def test_the_axis_shows_near_limits_and_not_those_that_would_flatten_the_data() -> None:
    low, high = find_range([0.3, None, 0.7], [0.55, 2.0], reach=2.0)
    assert low < 0.3
    assert 0.7 < high < 1.0
    assert find_range([0.3, 0.7], [2.0], reach=None)[1] > 2.0


def test_the_axis_of_a_constant_or_empty_signal_has_height() -> None:
    for values in ([5.0, 5.0], [0.0], [], [None]):
        low, high = find_range(values, [], reach=1.0)
        assert low < high


def test_only_points_beyond_are_red() -> None:
    assert find_breaches([1.0, None, 3.0], [False, False, True]) == [None, None, 3.0]


def test_the_table_keeps_what_lies_beyond() -> None:
    x = [float(second) for second in range(1000)]
    y: list[float | None] = [1.0] * 1000
    beyond = [second in (501, 503) for second in range(1000)]
    table = find_table(x, y, beyond, 2, UTC)
    assert len(table) <= TABLE_ROWS
    assert sum(line["breach"] for line in table) == 2
    assert table[0]["at"] > table[-1]["at"]
    assert table[0]["value"] == "1.00"


def test_holes_have_no_row() -> None:
    assert len(find_table([0.0, 1.0, 2.0], [1.0, None, 2.0], [False] * 3, 1, UTC)) == 2


def test_every_change_of_firmware_is_marked_but_not_a_first_report() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    changes = [
        FirmwareChange(at, "main", None, "1.0"),
        FirmwareChange(at, "main", "1.0", "2.0"),
        FirmwareChange(at, "pump", "7.0", "7.1"),
    ]
    assert find_marks(changes) == [
        {"at": at.timestamp(), "label": "2.0"},
        {"at": at.timestamp(), "label": "pump 7.1"},
    ]


def test_a_table_never_says_a_value_as_if_it_stood_at_a_limit_where_it_does_not() -> None:
    limits = [Limit("raise", 0.55, "raise 0.55"), Limit("clear", 0.4955, "clear 0.4955")]
    y = [0.55, 0.5504, 0.496, 0.4955, 0.3]
    table = find_table([0.0, 1.0, 2.0, 3.0, 4.0], y, [False] * 5, 2, UTC, limits=limits, spread=(y, [1.0] * 5))
    assert [row["value"] for row in reversed(table)] == ["0.55", "0.5504", "0.496", "0.4955", "0.30"]
    assert table[-2]["spread"] == "0.5504 – 1.00"
