"""Chances and quantiles beside those of scipy, over all counts and rates that an installed base can have."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import bdtr, bdtrc, betaincinv, chdtri, pdtr, pdtrc

from domain.exact_chances import (
    find_beta_quantile,
    find_binomial_at_least,
    find_binomial_at_most,
    find_gamma_quantile,
    find_poisson_at_least,
    find_poisson_at_most,
)

COUNTS = st.integers(0, 40) | st.integers(0, 20_000)
TAILS = st.sampled_from([0.025, 0.5, 0.975])


def same(value: float) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-290)


@settings(max_examples=200)
@given(COUNTS, st.floats(0.0, 3.0) | st.floats(0.0, 1e4))
def test_poisson(count: int, mean: float) -> None:
    assert find_poisson_at_most(count, mean) == same(pdtr(count, mean))
    assert find_poisson_at_least(count + 1, mean) == same(pdtrc(count, mean))


@settings(max_examples=200)
@given(COUNTS, COUNTS, st.floats(0.0, 1.0))
def test_binomial(count: int, others: int, chance: float) -> None:
    trials = count + others
    assert find_binomial_at_most(count, trials, chance) == same(bdtr(count, trials, chance))
    assert find_binomial_at_least(count + 1, trials, chance) == same(bdtrc(count, trials, chance))


@settings(max_examples=200)
@given(COUNTS, COUNTS, TAILS)
def test_quantiles_of_beta_by_whole_counts_and_by_counts_and_a_half(first: int, second: int, tail: float) -> None:
    for more in (0.5, 1.0):
        found = find_beta_quantile(first + more, second + more, tail)
        wanted = float(betaincinv(first + more, second + more, tail))
        assert found == pytest.approx(wanted, rel=1e-9)
        # Ratios of rates are made of both.
        assert 1.0 - found == pytest.approx(1.0 - wanted, rel=1e-9, abs=1e-15)


@settings(max_examples=200)
@given(st.integers(1, 40) | st.integers(1, 20_000), TAILS)
def test_quantiles_of_gamma_are_half_of_chi_squares(count: int, tail: float) -> None:
    assert find_gamma_quantile(count, tail) == pytest.approx(chdtri(2 * count, 1.0 - tail) / 2.0, rel=1e-9)


def test_by_hand() -> None:
    assert find_poisson_at_most(0, 2.0) == pytest.approx(math.exp(-2.0))
    assert find_poisson_at_least(1, 2.0) == pytest.approx(1.0 - math.exp(-2.0))
    assert find_binomial_at_least(8, 8, 0.5) == pytest.approx(1 / 256)
    assert find_beta_quantile(0.5, 0.5, 0.25) == pytest.approx(math.sin(math.pi / 8) ** 2)
    assert find_gamma_quantile(1, 0.5) == pytest.approx(math.log(2.0))


def test_what_cannot_be_and_what_must_be() -> None:
    assert (find_poisson_at_most(-1, 2.0), find_poisson_at_least(0, 2.0)) == (0.0, 1.0)
    assert (find_poisson_at_most(3, 0.0), find_poisson_at_least(1, 0.0)) == (1.0, 0.0)
    assert (find_binomial_at_most(-1, 5, 0.5), find_binomial_at_most(5, 5, 0.5)) == (0.0, 1.0)
    assert (find_binomial_at_least(0, 5, 0.5), find_binomial_at_least(6, 5, 0.5)) == (1.0, 0.0)
    assert (find_binomial_at_most(2, 5, 0.0), find_binomial_at_most(2, 5, 1.0)) == (1.0, 0.0)
