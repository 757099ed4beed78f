"""The population stability index by hand, on what does not move and on what does; a warning before orders in vain."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stability import (
    DriftState,
    count_between,
    find_groups,
    find_psi,
    find_state,
    find_usual_psi,
    make_edges,
    make_score_edges,
)


def test_the_index_by_hand() -> None:
    # Two bins, 500 and 500 against 250 and 750, half a count added to each.
    low, high = 250.5 / 1001, 750.5 / 1001
    expected = (low - 0.5) * log(low / 0.5) + (high - 0.5) * log(high / 0.5)
    assert find_psi([500, 500], [250, 750]) == pytest.approx(expected)
    assert find_psi([500, 500], [500, 500]) == 0.0
    assert find_psi([], []) == find_psi([1], [0]) == 0.0
    with pytest.raises(ValueError, match="not the same"):
        find_psi([1, 2], [1])


def test_neighbouring_bins_are_joined_until_each_holds_a_tenth() -> None:
    groups = find_groups([5] * 100)
    assert groups[0] == (0, 1)
    assert groups[1] == (1, 11)
    assert groups[-1] == (99, 100)
    assert [first for first, _ in groups[1:]] == [last for _, last in groups[:-1]]
    # A bin that holds nearly all stays alone, and what lies beyond it is a bin of its own.
    assert find_groups([0, 97, 3, 0]) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert find_groups([0, 100, 0]) == [(0, 1), (1, 2), (2, 3)]


def test_what_is_usual_for_a_reference_is_no_drift() -> None:
    assert find_state(0.05, 0.0) is DriftState.STABLE
    assert find_state(0.15, 0.01) is DriftState.WATCH
    assert find_state(0.3, 0.01) is DriftState.DRIFT
    assert find_state(0.3, 0.2) is DriftState.STABLE
    assert find_usual_psi([[10, 10]]) == 0.0
    # Two weeks like each other and one that is not: what is usual is that of the two.
    assert 0.02 < find_usual_psi([[100, 100], [100, 100], [180, 20]]) < find_psi([200, 200], [180, 20]) / 2


@given(st.lists(st.integers(0, 500), min_size=3, max_size=60), st.integers(0, 2**32 - 1))
def test_the_index_is_never_negative_and_the_same_from_both_sides(reference: list[int], seed: int) -> None:
    current = np.random.default_rng(seed).permutation(reference).tolist()
    assert find_psi(reference, current) >= 0.0
    assert find_psi(reference, reference) == pytest.approx(0.0)


def test_edges_tell_a_sample_apart_and_where_it_moves_to() -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(50.0, 2.0, 2_000).tolist()
    edges = make_edges(values)
    assert list(edges) == sorted(set(edges))
    reference = count_between(values, edges)
    assert sum(reference) == 2_000
    same = count_between(chance.normal(50.0, 2.0, 2_000).tolist(), edges)
    moved = count_between(chance.normal(52.0, 2.0, 2_000).tolist(), edges)
    wider = count_between(chance.normal(50.0, 4.0, 2_000).tolist(), edges)
    assert find_psi(reference, same) < 0.02
    assert find_psi(reference, moved) > 0.25
    assert find_psi(reference, wider) > 0.25
    # A constant has edges, too.
    constant = make_edges([7.0] * 10)
    assert find_psi(count_between([7.0] * 10, constant), count_between([7.5] * 10, constant)) > 0.25
    assert make_score_edges(8.0)[19] == 8.0


def test_the_warning_comes_before_orders_in_vain() -> None:
    """Scores of 40 healthy devices that creep up by a hundredth of the threshold a day: a month until they reach it."""
    chance = np.random.default_rng(5)
    edges, raise_at = make_score_edges(10.0), 10.0
    days, in_vain = [], []
    for day in range(120):
        level = 3.0 + 0.1 * max(day - 30, 0)
        scores = level * chance.lognormal(0.0, 0.25, 40 * 24)
        days.append(count_between(scores.tolist(), edges))
        in_vain.append(int((scores >= raise_at).sum()))

    def add(counts: list[list[int]]) -> list[int]:
        return [sum(column) for column in zip(*counts, strict=True)]

    warned = next(
        day
        for day in range(35, 120)
        if find_state(
            find_psi(add(days[:28]), add(days[day - 6 : day + 1])),
            find_usual_psi([add(days[k : k + 7]) for k in range(0, 28, 7)]),
        )
        is DriftState.DRIFT
    )
    rising = next(day for day in range(30, 120) if sum(in_vain[day - 6 : day + 1]) >= 5)
    assert 30 < warned < rising - 7
    # Nothing is said while nothing moves.
    usual = find_usual_psi([add(days[k : k + 7]) for k in range(0, 28, 7)])
    assert find_state(find_psi(add(days[:21]), add(days[21:28])), usual) is DriftState.STABLE
