"""The fleet prior of the adaptive detector: the modes of a fleet, each as wide as its devices differ.

The modes of all devices are put side by side and cut where the next one is further away than a reading may be from its
own mode. A mode that several devices share becomes one of the prior: its level is their mean, its spread holds both the
noise within a device and the differences between them. A new device is therefore judged from its first reading, no more
strictly than the fleet varies. The prior weighs little: after some dozens of readings of its own the device's level and
spread are its own.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.bank import Bank
from anomaly.detectors.adaptive import AdaptiveDetector
from anomaly.detectors.adaptive_modes import BOOT, MODES, NEAR, TAIL_NORMAL
from anomaly.detectors.contract import NEVER, Bools, Floats, Ints
from anomaly.training.contract import Arrays, Pooling

WEIGHT = 20.0  # readings that the prior counts for; above BOOT, so that far readings do not pull it
LEAST_SHARE = 0.05  # of the devices, that share a mode ...
LEAST_SHARING = 2  # ... and at least so many
LEAST_READINGS = 16.0  # of a mode on a device
TAIL_SHARE = 0.75  # quantile of the devices' tails: careful at first
OUTERMOST = 0.02  # share of devices left out at each end where levels are the user's choice


def collect(bank: Bank, slot: Ints) -> dict[str, NDArray[Any]]:
    """See `Pooling`; with the resolution, below which no spread counts."""
    detector = _detector_of(bank)
    states = {f.name: detector.find_table(f)[slot] for f in detector.fields if f.kept}
    return states | {"resolution": detector.resolution[slot].reshape(-1, 1)}


def find_settled(bank: Bank, slot: Ints) -> Bools:
    """Past the warm-up, and not in the middle of a breach."""
    detector = _detector_of(bank)
    warm: Bools = detector.varied[slot] >= detector.warmup[slot]
    return warm & ~bank.rules.is_open[slot]


def pool(states: Arrays) -> dict[str, NDArray[Any]] | None:
    """See `Pooling`; the mode that is met most stands first."""
    devices = states["center"].shape[0]
    resolution = float(states["resolution"].max())
    learnt = states["learnt"].astype(np.float64)
    most = learnt.max(axis=1, keepdims=True)
    device, mode = np.nonzero((learnt >= LEAST_READINGS) | ((learnt == most) & (learnt > 0.0)))
    if device.shape[0] == 0:
        return None
    center = states["center"][device, mode]
    spread = np.maximum(states["spread"][device, mode].astype(np.float64), resolution)
    order = np.lexsort((device, center))
    center, spread, device, weight = center[order], spread[order], device[order], learnt[device, mode][order]
    cluster = _find_clusters(center, spread)
    count = int(cluster[-1]) + 1
    shared = np.array([np.unique(device[cluster == k]).shape[0] for k in range(count)])
    least = min(max(LEAST_SHARING, math.ceil(LEAST_SHARE * devices)), int(shared.max()))
    kept = [k for k in range(count) if shared[k] >= least]
    by_weight = sorted(kept, key=lambda k: (-float(weight[cluster == k].sum()), k))
    if not by_weight:
        return None
    levels = [_pool_mode(center[cluster == k], spread[cluster == k]) for k in by_weight[:MODES]]
    found = len(levels)
    prior = _make_blank()
    prior["center"][0, :found] = [level for level, _ in levels]
    prior["spread"][0, :found] = [width for _, width in levels]
    prior["learnt"][0, :found] = WEIGHT
    prior["seen"][0] = BOOT
    prior["tail"][0] = max(np.quantile(states["tail"].astype(np.float64), TAIL_SHARE), TAIL_NORMAL)
    prior["excess"][0] = np.median(states["excess"].astype(np.float64))
    _pool_range(prior, states, len(by_weight), center)
    return prior


def _find_clusters(center: Floats, spread: Floats) -> Ints:
    """The number of each mode's cluster; modes in ascending order of their levels."""
    gap = np.diff(center) > NEAR * np.maximum(spread[1:], spread[:-1])
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(gap, dtype=np.int64)))


def _pool_mode(center: Floats, spread: Floats) -> tuple[float, float]:
    """Level and spread of a mode that several devices share; wider where few devices tell how they differ."""
    n = center.shape[0]
    allowance = (1.0 + 1.0 / n) * (n + 1.0) / max(n - 1.0, 1.0)
    between = float(center.var(ddof=1)) if n > 1 else 0.0
    return float(center.mean()), math.sqrt(float((spread * spread).mean()) + allowance * between)


def _pool_range(prior: dict[str, NDArray[Any]], states: Arrays, modes: int, center: Floats) -> None:
    """Where most devices work at levels of their users' choice, what lies between the levels of the fleet is normal."""
    chosen = modes > MODES or float(np.median(states["adoptions"])) >= MODES
    prior["adoptions"][0] = MODES if chosen else min(modes - 1, MODES - 1)
    if chosen:
        prior["lowest"][0] = np.quantile(center, OUTERMOST)
        prior["highest"][0] = np.quantile(center, 1.0 - OUTERMOST)
    else:
        used = prior["learnt"][0] > 0.0
        prior["lowest"][0] = prior["center"][0][used].min()
        prior["highest"][0] = prior["center"][0][used].max()


def _make_blank() -> dict[str, NDArray[Any]]:
    fields = [f for f in AdaptiveDetector.FIELDS if f.kept]
    return {f.name: np.full((1, f.width), f.fill, dtype=f.dtype) for f in fields}


def find_new(bank: Bank) -> Bools:
    """Slots that have heard nothing yet, seeded or not; one that begins anew after work keeps its own spread."""
    detector = _detector_of(bank)
    new: Bools = (detector.last_us == NEVER) & (detector.credit == 0.0)
    return new


def seed(bank: Bank, slot: Ints, arrays: Arrays) -> None:
    """See `Pooling`; the warm-up counts as done."""
    detector = _detector_of(bank)
    detector.adopt_arrays(arrays, np.zeros(slot.shape[0], dtype=np.int64), slot)
    detector.varied[slot] = detector.warmup[slot]


def clear(bank: Bank, slot: Ints) -> None:
    """See `Pooling`."""
    _detector_of(bank).reset(slot)


def _detector_of(bank: Bank) -> AdaptiveDetector:
    assert isinstance(bank.detector, AdaptiveDetector)
    return bank.detector


POOLING = Pooling(collect, find_settled, pool, find_new, seed, clear)
