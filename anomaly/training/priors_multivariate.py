"""The fleet prior of the multivariate detector: the joint healthy history of a fleet, as wide as its devices differ.

Means, spreads and correlations of the devices become one covariance: the mean one within a device, and the one between
the devices' means. A unit that is seeded is judged by it while its own warm-up lasts; then its own baseline speaks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.bank import Bank
from anomaly.detectors.contract import NEVER, Bools, Floats, Ints
from anomaly.detectors.multivariate import MultivariateDetector
from anomaly.detectors.multivariate_baseline import LEAST_REFERENCE
from anomaly.training.contract import Arrays, Pooling

REFERENCE_SHARE = 0.9  # quantile of the devices' largest healthy distances: careful at first
LEAST_SHARE = 0.5  # of the devices, that have a channel; one of fewer is left out


def collect(bank: Bank, slot: Ints) -> dict[str, NDArray[Any]]:
    """See `Pooling`; correlations between channels that a unit has, 0 elsewhere."""
    detector = _detector_of(bank)
    units, width = slot.shape[0], detector.width
    channels = max((len(bank.slots[i].sensors) for i in slot.tolist()), default=0)
    active = (detector.active[slot][:, None] >> np.arange(width, dtype=np.uint32)) & np.uint32(1) == 1
    inverse = detector.matrix.reshape(-1, width, width)[slot]
    correlation = np.zeros((units, width, width))
    for row in range(units):
        index = np.flatnonzero(active[row])
        correlation[row][np.ix_(index, index)] = np.linalg.inv(inverse[row][np.ix_(index, index)])
    return {
        "active": active[:, :channels],
        "mean": detector.mean.reshape(-1, width)[slot][:, :channels],
        "spread": detector.spread.reshape(-1, width)[slot][:, :channels],
        "correlation": correlation[:, :channels, :channels].reshape(units, -1),
        "reference": detector.reference[slot].reshape(-1, 1),
    }


def find_settled(bank: Bank, slot: Ints) -> Bools:
    """Past the warm-up, and not in the middle of a breach."""
    detector = _detector_of(bank)
    done: Bools = detector.rows_seen[slot] >= detector.warmup[slot]
    return done & ~bank.rules.is_open[slot]


def pool(states: Arrays) -> dict[str, NDArray[Any]] | None:
    """See `Pooling`."""
    active = states["active"]
    width = active.shape[1]
    kept = active.mean(axis=0) >= LEAST_SHARE
    whole = (active | ~kept).all(axis=1)  # devices that have every channel that is kept
    if not kept.any() or not whole.any():
        return None
    n = int(np.count_nonzero(whole))
    index = np.flatnonzero(kept)
    mean = states["mean"][whole][:, index]
    spread = states["spread"][whole][:, index]
    correlation = states["correlation"][whole].reshape(n, width, width)[:, index][:, :, index]
    within: Floats = (correlation * spread[:, :, None] * spread[:, None, :]).mean(axis=0)
    if n > 1:
        offset = mean - mean.mean(axis=0)
        allowance = (1.0 + 1.0 / n) * (n + 1.0) / (n - 1.0)
        # Between devices the variances alone: so few devices would promise correlations that do not hold.
        within = within + np.diag(allowance * (offset * offset).sum(axis=0) / (n - 1.0))
    scale = np.sqrt(np.diagonal(within))
    pooled = within / scale[:, None] / scale[None, :]
    inverse = np.zeros((width, width))
    inverse[np.ix_(index, index)] = np.linalg.inv(0.5 * (pooled + pooled.T))
    means, spreads = np.zeros(width), np.ones(width)
    means[index], spreads[index] = mean.mean(axis=0), scale
    reference = max(float(np.quantile(states["reference"], REFERENCE_SHARE)), LEAST_REFERENCE)
    return {
        "active": kept.reshape(1, -1),
        "mean": means.reshape(1, -1),
        "spread": spreads.reshape(1, -1),
        "matrix": inverse.reshape(1, -1),
        "reference": np.array([[reference]]),
    }


def find_new(bank: Bank) -> Bools:
    """Units that have heard nothing yet and were never reset, and those that a prior still speaks for."""
    detector = _detector_of(bank)
    new: Bools = (detector.row_us == NEVER) & ~detector.restarted
    if detector.prior is not None:
        new = new | (detector.prior.rows_seen > 0)
    return new


def seed(bank: Bank, slot: Ints, arrays: Arrays) -> None:
    """See `Pooling`; a unit that has this prior already goes on with it."""
    detector = _detector_of(bank)
    prior = detector.begin_prior()
    width, channels = detector.width, arrays["mean"].shape[1]
    bits = np.bitwise_or.reduce(np.where(arrays["active"][0], np.uint32(1) << np.arange(channels, dtype=np.uint32), 0))
    mean, spread = np.zeros(width), np.ones(width)
    mean[:channels], spread[:channels] = arrays["mean"][0], arrays["spread"][0]
    matrix = np.zeros((width, width))
    matrix[:channels, :channels] = arrays["matrix"][0].reshape(channels, channels)
    reference = float(arrays["reference"][0, 0])
    has_it = (prior.rows_seen[slot] > 0) & (prior.reference[slot] == reference)
    has_it &= (prior.mean.reshape(-1, width)[slot] == mean).all(axis=1)
    has_it &= (prior.matrix.reshape(-1, width * width)[slot] == matrix.reshape(-1)).all(axis=1)
    slot = slot[~has_it]
    prior.rows_seen[slot] = np.iinfo(np.int32).max
    prior.active[slot] = bits
    prior.mean.reshape(-1, width)[slot] = mean
    prior.spread.reshape(-1, width)[slot] = spread
    prior.matrix.reshape(-1, width * width)[slot] = matrix.reshape(-1)
    for average in (prior.smoothed, prior.quick):
        average.reshape(-1, width)[slot] = 0.0
    prior.reference[slot] = reference


def clear(bank: Bank, slot: Ints) -> None:
    """See `Pooling`."""
    detector = _detector_of(bank)
    if detector.prior is not None:
        detector.prior.rows_seen[slot] = 0


def _detector_of(bank: Bank) -> MultivariateDetector:
    assert isinstance(bank.detector, MultivariateDetector)
    return bank.detector


POOLING = Pooling(collect, find_settled, pool, find_new, seed, clear)
