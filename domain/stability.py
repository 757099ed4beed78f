"""Whether a distribution moved: the population stability index of counts between fixed edges. Pure.

    PSI = sum over bins of (c - r) ln(c / r), c and r the shares of the current and of the reference counts

Usual readings of it: below 0.1 nothing moved, from 0.25 on it moved far. Counts of hours are not independent, so what a
reference shows within itself, week against week, is the measure of what is usual for it.

Source: Siddiqi 2006 (Credit Risk Scorecards, the index and its thresholds); Yurdakul 2018 (its distribution).
"""

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from math import log
from statistics import median

BINS = 10
WATCH_AT, DRIFT_AT = 0.1, 0.25
USUAL_TIMES = 2.0  # a drift is so many times farther than the reference is from itself
SMALLEST_SHARE = 0.02  # of the reference in a bin that is judged
PSEUDO_COUNT = 0.5


class DriftState(StrEnum):
    """Values stand in the database and never change."""

    STABLE = "STABLE"
    WATCH = "WATCH"
    DRIFT = "DRIFT"


def find_state(psi: float, usual_psi: float) -> DriftState:
    """What an index means beside the one that is usual."""
    if psi < WATCH_AT or psi < USUAL_TIMES * usual_psi:
        return DriftState.STABLE
    return DriftState.DRIFT if psi >= DRIFT_AT else DriftState.WATCH


def find_psi(reference: Sequence[int], current: Sequence[int]) -> float:
    """The index of two counts between the same edges, joined to about ten bins of equal reference share.

    0 where either is empty. Half a count is added to every bin, so that an empty one is far and not infinitely far.

    Raises
    ------
    ValueError
        They are not counted between the same edges.
    """
    if len(reference) != len(current):
        raise ValueError(f"{len(reference)} and {len(current)} bins are not the same")
    if sum(reference) == 0 or sum(current) == 0:
        return 0.0
    groups = find_groups(reference)
    expected = [sum(reference[first:last]) + PSEUDO_COUNT for first, last in groups]
    seen = [sum(current[first:last]) + PSEUDO_COUNT for first, last in groups]
    all_expected, all_seen = sum(expected), sum(seen)
    shares = ((c / all_seen, r / all_expected) for c, r in zip(seen, expected, strict=True))
    return sum((c - r) * log(c / r) for c, r in shares)


def find_groups(reference: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring bins joined until each holds about a tenth of the reference: (first, one behind the last).

    What lies at or beyond its ends is a bin of its own, as that is where a distribution moves to.
    """
    total, least = sum(reference), SMALLEST_SHARE * sum(reference)
    low, high = 0, len(reference)
    while low < high - 1 and sum(reference[: low + 1]) < least:
        low += 1
    while high > low + 1 and sum(reference[high - 1 :]) < least:
        high -= 1
    groups = [(0, low)] if low else []
    first, held = low, 0
    for place in range(low, high):
        held += reference[place]
        if held >= total / BINS and sum(reference[place + 1 : high]) >= least:
            groups.append((first, place + 1))
            first, held = place + 1, 0
    groups.append((first, high))
    return groups if high == len(reference) else [*groups, (high, len(reference))]


def find_usual_psi(weeks: Sequence[Sequence[int]]) -> float:
    """The median index of these weeks, each against the others together; 0 for fewer than two.

    Not the largest: a drift that has already reached the last week of its own reference must not hide itself.
    """
    if len(weeks) < 2:
        return 0.0
    total = [sum(counts) for counts in zip(*weeks, strict=True)]
    return median(find_psi([t - w for t, w in zip(total, week, strict=True)], week) for week in weeks)


def count_between(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie below the first edge, between each two, and at or above the last."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_right(edges, value)] += 1
    return counts


def make_edges(values: Sequence[float], quantiles: int = 40) -> tuple[float, ...]:
    """Edges that tell a first sample apart, and beyond its ends what it moves to: quantiles, then twice as far each."""
    ordered = sorted(values)
    inner = {ordered[round(k * (len(ordered) - 1) / quantiles)] for k in range(quantiles + 1)}
    span = max(ordered[-1] - ordered[0], abs(ordered[-1]) * 1e-3, 1e-9)
    beyond = {ordered[0] - span * 2**k / 8 for k in range(6)} | {ordered[-1] + span * 2**k / 8 for k in range(6)}
    return tuple(sorted(inner | beyond))


def make_score_edges(raise_at: float) -> tuple[float, ...]:
    """Edges of scores, by their share of the threshold; finer where an alarm is near."""
    shares = [0.05 * k for k in range(1, 20)] + [1.0 + 0.25 * k for k in range(13)] + [8.0, 16.0]
    return tuple(raise_at * share for share in shares)
