"""What is rare and what is chance: exact Poisson p-values and intervals, and how many findings are false ones. Pure."""

from collections.abc import Sequence

from domain.exact_chances import find_gamma_quantile, find_poisson_at_least

CONFIDENCE = 0.95


def find_poisson_p(events: int, expected: float) -> float:
    """P(X >= events) for X Poisson with mean `expected`: the one-sided p-value of an excess."""
    return find_poisson_at_least(events, expected)


def find_rate_interval(events: int, exposure: float) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson rate (Garwood); its upper end is finite also for no events."""
    tail = (1.0 - CONFIDENCE) / 2.0
    low = 0.0 if events == 0 else find_gamma_quantile(events, tail)
    high = find_gamma_quantile(events + 1, 1.0 - tail)
    return low / exposure, high / exposure


def adjust_false_discovery(p_values: Sequence[float | None], hypotheses: int = 0) -> list[float | None]:
    """The Benjamini-Hochberg q-value of each p-value, in the same order; None stays None and is not counted.

    Where there are more `hypotheses` than p-values, those that are missing count with a p-value of 1.
    """
    ranked = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    q_values: list[float | None] = [None] * len(p_values)
    count, smallest = max(len(ranked), hypotheses), 1.0
    for rank in range(len(ranked), 0, -1):
        p, i = ranked[rank - 1]
        smallest = min(smallest, p * count / rank)
        q_values[i] = smallest
    return q_values
