"""What an update changed, as pure statistics: levels against themselves, rates, and looks valid at any time.

Levels: where enough devices were not updated (controls), the changes of the updated ones are compared with theirs
(Mann-Whitney), so that what befell all of them is nobody's fault; else they are compared with no change (Wilcoxon's
signed ranks). Effects are Hodges-Lehmann estimates with their distribution-free intervals. Rates: the conditional test
of two Poisson rates. Looks: there are at most ten at a release, by a fixed scale of device-hours, and each may spend a
tenth of the allowed error, so all looks together cost no more than one.

Source: Wilcoxon 1945; Mann and Whitney 1947; Hodges and Lehmann 1963; Przyborowski and Wilenski 1940; Clopper and
Pearson 1934; Lan and DeMets 1983 (spending the error); Johari et al. 2022 (p-values that are valid at every look).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from domain.exact_chances import find_beta_quantile, find_binomial_at_least, find_binomial_at_most

Floats = NDArray[np.float64]

CONFIDENCE_Z = 1.959963984540054  # of 95 %
CONFIDENCE = 0.95
MIN_CONTROLS = 10  # fewer are no comparison
EXACT_PAIRS = 50  # exact distribution of signed ranks up to here, the normal one beyond
EXACT_PRODUCT = 2_500  # the same of two samples, by the product of their sizes
FIRST_LOOK_HOURS = 60.0  # ten devices for six hours
LOOK_FACTOR = 2.0
MOST_LOOKS = 10  # the eleventh would be due at more hours than a release can have


@dataclass(frozen=True, slots=True)
class LevelChange:
    """By how much devices changed, in the sensor's unit; `controls` is 0 where they were compared with no change."""

    devices: int
    controls: int
    effect: float
    low: float
    high: float
    p: float  # two-sided


@dataclass(frozen=True, slots=True)
class RateChange:
    """Events and device-days before and after; `ratio` and its interval are of the rates, None without any event."""

    events_before: int
    days_before: float
    events_after: int
    days_after: float
    ratio: float | None
    low: float | None
    high: float | None
    p: float  # two-sided


def find_level_change(changes: Floats, controls: Floats) -> LevelChange:
    """How the devices of `changes` differ from those of `controls`, or from no change where these are fewer than ten.

    Raises
    ------
    ValueError
        There is no change at all to look at.
    """
    if changes.size == 0:
        raise ValueError("no device, no change")
    if controls.size >= MIN_CONTROLS:
        pairs = np.sort(np.subtract.outer(changes, controls).ravel())
        spread = sqrt(pairs.size * (changes.size + controls.size + 1) / 12.0)
        effect, low, high = _find_middle(pairs, spread)
        p = find_rank_sum_p(changes, controls)
        return LevelChange(changes.size, controls.size, effect, low, high, p)
    n = changes.size
    first, second = np.triu_indices(n)
    walsh = np.sort((changes[first] + changes[second]) / 2.0)
    effect, low, high = _find_middle(walsh, sqrt(n * (n + 1) * (2 * n + 1) / 24.0))
    return LevelChange(n, 0, effect, low, high, find_signed_rank_p(changes))


def _find_middle(ordered: Floats, deviation: float) -> tuple[float, float, float]:
    """The median of these pairwise estimates, and the two that bound it with 95 % confidence."""
    count = ordered.size
    cut = max(int(count / 2.0 - CONFIDENCE_Z * deviation), 0)
    return float(np.median(ordered)), float(ordered[cut]), float(ordered[count - 1 - cut])


def find_signed_rank_p(changes: Floats) -> float:
    """The two-sided p-value that changes are as often up as down and as far; those of exactly zero are left out."""
    # Imported at the first look: it takes a second and 46 MB, and most installations never have a release to look at.
    from scipy.stats import wilcoxon

    moved = changes[changes != 0.0]
    if moved.size == 0:
        return 1.0
    exact = moved.size <= EXACT_PAIRS and _are_all_different(np.abs(moved))
    return float(wilcoxon(moved, correction=True, method="exact" if exact else "asymptotic").pvalue)


def find_rank_sum_p(first: Floats, second: Floats) -> float:
    """The two-sided p-value that neither sample lies above the other."""
    from scipy.stats import mannwhitneyu

    together = np.concatenate([first, second])
    if (together == together[0]).all():
        return 1.0
    exact = first.size * second.size <= EXACT_PRODUCT and _are_all_different(together)
    return float(mannwhitneyu(first, second, method="exact" if exact else "asymptotic").pvalue)


def _are_all_different(values: Floats) -> bool:
    return np.unique(values).size == values.size


def find_rate_change(events_before: int, days_before: float, events_after: int, days_after: float) -> RateChange:
    """How the rate changed: given all events, those after are binomial with the share of the exposure after.

    Raises
    ------
    ValueError
        An exposure is not above zero.
    """
    if days_before <= 0.0 or days_after <= 0.0:
        raise ValueError("a rate needs an exposure")
    total = events_before + events_after
    if total == 0:
        return RateChange(0, days_before, 0, days_after, None, None, None, 1.0)
    share = days_after / (days_before + days_after)
    at_most = find_binomial_at_most(events_after, total, share)
    at_least = find_binomial_at_least(events_after, total, share)
    tail = (1.0 - CONFIDENCE) / 2.0
    low = 0.0 if events_after == 0 else find_beta_quantile(events_after, events_before + 1, tail)
    high = 1.0 if events_before == 0 else find_beta_quantile(events_after + 1, events_before, 1.0 - tail)
    return RateChange(
        events_before,
        days_before,
        events_after,
        days_after,
        ratio=(events_after / days_after) / (max(events_before, 0.5) / days_before),
        low=_to_ratio(low, days_before / days_after),
        high=_to_ratio(high, days_before / days_after),
        p=min(1.0, 2.0 * min(at_most, at_least)),
    )


def _to_ratio(share: float, exposures: float) -> float | None:
    """The ratio of rates at which so large a share of all events falls behind the update; None: beyond any number."""
    return None if share >= 1.0 else share / (1.0 - share) * exposures


def find_valid_p(p: float, before: float = 1.0) -> float:
    """The p-value that holds whenever one stops looking: the smallest of all looks so far over its share of the error.

    Under the null hypothesis the chance that it ever falls to alpha is at most alpha, however the looks depend on each
    other (Bonferroni over all looks that there can be).

    Parameters
    ----------
    p
        Of this look alone.
    before
        What this function gave at the look before.
    """
    return min(before, p * MOST_LOOKS, 1.0)


def find_next_look_hours(hours: float) -> float:
    """The device-hours at which the next look is due, when these are there: the next step of a fixed scale.

    When a look is taken depends on the clock alone and never on what the readings show.
    """
    due = FIRST_LOOK_HOURS
    while due <= hours:
        due *= LOOK_FACTOR
    return due
