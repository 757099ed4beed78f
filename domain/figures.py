"""Values of a signal in figures: always its decimals, and more only where fewer would say what is not so.

A limit is said exactly. A value that differs from a limit, however little, is never said as if it did not: both get
the digits that tell them apart.
"""

import math
from collections.abc import Iterable
from decimal import Decimal

MOST_DECIMALS = 15  # beyond them a float holds no more


def say_figure(value: float, decimals: int) -> str:
    """The value with exactly so many decimals, and no sign before a zero."""
    text = f"{value:.{min(max(decimals, 0), MOST_DECIMALS)}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def count_decimals(value: float) -> int:
    """How many decimals the value is written with: 2 of 0.55, 0 of 12.0; at most 15."""
    if not math.isfinite(value):
        return 0
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return min(max(-int(exponent), 0), MOST_DECIMALS)


def find_limit_decimals(limit: float, decimals: int) -> int:
    """The decimals of the signal, or as many more as the limit has."""
    return max(decimals, count_decimals(limit))


def say_limit(limit: float, decimals: int) -> str:
    """The limit with the decimals of its signal, or as many more as it has: 0.555 stays 0.555 beside two decimals."""
    return say_figure(limit, find_limit_decimals(limit, decimals))


def find_telling_decimals(value: float, others: Iterable[float], decimals: int) -> int:
    """The fewest decimals, from `decimals` on, at which the value is not said as one of `others` that it is not.

    Rounding keeps order: what is told apart stands on its own side, also beside a limit that is said exactly.
    """
    apart = [other for other in others if other != value and math.isfinite(other)]
    found = min(max(decimals, 0), MOST_DECIMALS)
    if not math.isfinite(value):
        return found
    while found < MOST_DECIMALS and any(say_figure(value, found) == say_figure(other, found) for other in apart):
        found += 1
    return found


def say_beside(value: float, limits: Iterable[float], decimals: int) -> str:
    """The value with the decimals of its signal, or as many more as say on which side of each limit it stands.

    One that stands at a limit is said as that limit is. The limits are those that are said by `say_limit`.
    """
    known = list(limits)
    least = find_limit_decimals(value, decimals) if value in known else decimals
    return say_figure(value, find_telling_decimals(value, known, least))
