"""Exact chances of counts and the quantiles that their intervals are made of, to nine digits or better.

In plain Python: the library that has them takes longer to import than the rest of a program, and a page or a round
asks for some hundreds. Quantiles are remembered, as counts come again.

Source: DLMF 8.7.1 and 8.9.2 (incomplete gamma function), 8.17.22 (incomplete beta function), Lentz 1976 (continued
fractions), Garwood 1936 and Clopper and Pearson 1934 (intervals of counts by these quantiles).
"""

from collections.abc import Callable
from functools import lru_cache
from math import exp, inf, lgamma, log, log1p

TINY = 1e-300  # instead of a zero in a denominator
ENOUGH = 1e-15  # a factor so near to 1 changes nothing any more
NEAR = 1e-13  # of a quantile and of what is left of 1
MOST_STEPS = 200  # halving alone needs fewer
MOST_TERMS = 100_000  # some tens of square roots of the count


def find_poisson_at_most(count: int, mean: float) -> float:
    """P(X <= count) for X Poisson with that mean."""
    return _split_gamma(count + 1.0, mean)[1] if count >= 0 else 0.0


def find_poisson_at_least(count: int, mean: float) -> float:
    """P(X >= count) for X Poisson with that mean."""
    return _split_gamma(float(count), mean)[0] if count > 0 else 1.0


def find_binomial_at_most(count: int, trials: int, chance: float) -> float:
    """P(X <= count) of so many trials that succeed with that chance."""
    if not 0 <= count < trials:
        return float(count >= trials)
    return _split_beta(count + 1.0, float(trials - count), chance)[1]


def find_binomial_at_least(count: int, trials: int, chance: float) -> float:
    """P(X >= count) of so many trials that succeed with that chance."""
    if not 0 < count <= trials:
        return float(count <= 0)
    return _split_beta(float(count), trials - count + 1.0, chance)[0]


@lru_cache(maxsize=10_000)
def find_beta_quantile(a: float, b: float, chance: float) -> float:
    """Below it lies that share, between 0 and 1, of the beta distribution with these two shapes above 0."""
    scale = lgamma(a + b) - lgamma(a) - lgamma(b)

    def find_density(x: float) -> float:
        return exp(scale + (a - 1.0) * log(x) + (b - 1.0) * log1p(-x))

    return _solve(lambda x: _split_beta(a, b, x)[0] - chance, find_density, begin=a / (a + b), end=1.0)


@lru_cache(maxsize=10_000)
def find_gamma_quantile(shape: float, chance: float) -> float:
    """Below it lies that share, between 0 and 1, of the gamma distribution with this shape above 0 and the scale 1."""
    scale = lgamma(shape)

    def find_density(x: float) -> float:
        return exp((shape - 1.0) * log(x) - x - scale)

    return _solve(lambda x: _split_gamma(shape, x)[0] - chance, find_density, begin=shape, end=inf)


def _solve(
    find_excess: Callable[[float], float], find_density: Callable[[float], float], *, begin: float, end: float
) -> float:
    """Where a rising function between 0 and `end` is 0: Newton's steps, and halves where one would lead outside."""
    low, high, x = 0.0, end, begin
    for _ in range(MOST_STEPS):
        excess, density = find_excess(x), find_density(x)
        if excess > 0.0:
            high = x
        else:
            low = x
        following = x - excess / density if density > 0.0 else inf
        if not low < following < high:
            following = 2.0 * x if high == inf else (low + high) / 2.0
        if abs(following - x) <= NEAR * min(following, end - following):
            return following
        x = following
    return x


def _split_gamma(a: float, x: float) -> tuple[float, float]:
    """The shares of the gamma distribution below and above x; the smaller one as exact as the larger."""
    if x <= 0.0:
        return 0.0, 1.0
    front = exp(a * log(x) - x - lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        for n in range(1, MOST_TERMS):
            term *= x / (a + n)
            total += term
            if term < total * ENOUGH:
                break
        return front * total, 1.0 - front * total
    b = x + 1.0 - a
    c, d = 1.0 / TINY, 1.0 / b
    total = d
    for n in range(1, MOST_TERMS):
        factor = n * (a - n)
        b += 2.0
        d = 1.0 / _keep_off_zero(factor * d + b)
        c = _keep_off_zero(b + factor / c)
        total *= c * d
        if abs(c * d - 1.0) < ENOUGH:
            break
    return 1.0 - front * total, front * total


def _split_beta(a: float, b: float, x: float) -> tuple[float, float]:
    """The shares of the beta distribution below and above x; the smaller one as exact as the larger."""
    if not 0.0 < x < 1.0:
        return (1.0, 0.0) if x > 0.0 else (0.0, 1.0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        below = front / a * _continue_beta(a, b, x)
        return below, 1.0 - below
    above = front / b * _continue_beta(b, a, 1.0 - x)
    return 1.0 - above, above


def _continue_beta(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _keep_off_zero(1.0 - (a + b) * x / (a + 1.0))
    total = d
    for n in range(1, MOST_TERMS):
        even = n * (b - n) * x / ((a + 2 * n - 1.0) * (a + 2 * n))
        odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1.0))
        for factor in (even, odd):
            d = 1.0 / _keep_off_zero(1.0 + factor * d)
            c = _keep_off_zero(1.0 + factor / c)
            total *= c * d
        if abs(c * d - 1.0) < ENOUGH:
            break
    return total


def _keep_off_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
