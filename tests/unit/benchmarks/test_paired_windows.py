"""Blocks of windows: what fades takes from both sides, and the interval says what chance could have done."""

import numpy as np
import pytest

from benchmarks.paired_windows import (
    WORK,
    Block,
    Window,
    find_cheapness_ratio,
    find_ratio,
    find_throughput_ratio,
    tell_sides,
)


def make_window(msg_s: float, cores: float = 0.2, of_api: float = 0.0, lag_ms: float = 0.0) -> Window:
    """`cores` for each program that messages take; `of_api` within the database and in the API."""
    of_programs = dict.fromkeys(WORK, cores)
    of_programs["database"] += of_api
    return Window(msg_s, lag_ms, of_programs | {"api": of_api, "api_database": of_api})


def make_block(first: float, second: float, third: float, last: float) -> Block:
    return Block(make_window(first), (make_window(second), make_window(third)), make_window(last))


def test_what_fades_evenly_is_no_cost_of_what_is_measured() -> None:
    fading = [make_block(*(40_000 * 0.9 ** (4 * block + window) for window in range(4))) for block in range(5)]
    assert find_throughput_ratio(fading).tell() == [1.0, 1.0, 1.0]
    slowed = [
        Block(one.first, (make_window(one.beside[0].msg_s * 0.8), make_window(one.beside[1].msg_s * 0.8)), one.last)
        for one in fading
    ]
    assert find_throughput_ratio(slowed).tell() == [0.8, 0.8, 0.8]


def test_the_interval_holds_the_truth_in_nineteen_runs_of_twenty() -> None:
    chance = np.random.default_rng(3)
    runs = chance.normal(np.log(0.97), 0.1, size=(4_000, 8))
    held = [one.low <= 0.97 <= one.high for run in runs if (one := find_ratio(np.exp(run).tolist())).low and one.high]
    assert len(held) == 4_000
    assert 0.94 <= np.mean(held) <= 0.96


@pytest.mark.parametrize(
    ("ratios", "reason"),
    [
        ([1.0, 1.01, 0.99], None),
        ([0.5, 0.51, 0.49], "0.500, between 0.476 and 0.525: less than 0.9"),
        ([1.5, 1.0, 0.7], "1.016, between 0.394 and 2.621: may be less than 0.9"),
        ([1.0], "1.000, of a single block: nobody can tell whether it is 0.9 or more"),
    ],
)
def test_a_limit_holds_where_the_whole_interval_does(ratios: list[float], reason: str | None) -> None:
    assert find_ratio(ratios).judge(0.9) == reason


def test_what_the_api_takes_makes_no_message_dearer() -> None:
    blocks = [
        Block(make_window(1_000), (make_window(1_000, of_api=0.3), make_window(1_000, of_api=0.3)), make_window(1_000)),
        Block(make_window(500), (make_window(500, cores=0.4), make_window(500, cores=0.4)), make_window(500)),
    ]
    assert find_cheapness_ratio(blocks[:1]).tell() == [1.0, None, None]
    assert find_cheapness_ratio(blocks[1:]).tell() == [0.5, None, None]


def test_both_sides_stand_side_by_side() -> None:
    blocks = [
        Block(
            make_window(100, lag_ms=5), (make_window(80, lag_ms=9), make_window(60, of_api=0.1)), make_window(300, 0.1)
        )
    ]
    assert tell_sides(blocks) == {
        "msg_s": {"without": 200.0, "with": 70.0},
        "lag_ms": {"without": 5, "with": 9},
        "cores": {
            "without": dict.fromkeys(WORK, 0.15) | {"api": 0.0, "api_database": 0.0},
            "with": dict.fromkeys(WORK, 0.2) | {"database": 0.25, "api": 0.05, "api_database": 0.05},
        },
        "msg_per_core_s": {"without": 350, "with": 70},
    }
