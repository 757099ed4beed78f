"""Noise as a pure function of (unit, tick, channel): no generator state, so any step can be computed again.

Every unit has its own 64-bit seed. A unit's noise therefore does not depend on which other units are in the fleet, nor
on how often the simulator was stopped and started. The mixing function is SplitMix64's finaliser.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
SeedArray = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_TICK_STEP = 0x9E3779B97F4A7C15
_CHANNEL_STEP = 0xD1B54A32D192ED03


def find_unit_seeds(seed: int, serials: list[str]) -> SeedArray:
    """One seed per serial, from the fleet's seed and the serial alone."""
    digests = (hashlib.blake2b(f"{seed}/{serial}".encode(), digest_size=8).digest() for serial in serials)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.uint64)


def draw_uniform(seeds: SeedArray, ticks: int | NDArray[np.int64], channels: list[int]) -> FloatArray:
    """Uniform numbers in [0, 1), shape (channels, units); `ticks` is one tick for all units or one for each."""
    ticks_u64 = np.asarray([ticks], dtype=np.int64) if isinstance(ticks, int) else ticks
    offsets = np.array([(channel * _CHANNEL_STEP) & _MASK for channel in channels], dtype=np.uint64)
    key = seeds + ticks_u64.astype(np.uint64) * np.array([_TICK_STEP], dtype=np.uint64)
    x = key[np.newaxis, :] + offsets[:, np.newaxis]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    uniform: FloatArray = (x >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return uniform


def draw_normal(seeds: SeedArray, tick: int, channels: list[int]) -> FloatArray:
    """Standard normal numbers, cut at 4.5 deviations, shape (channels, units)."""
    u = draw_uniform(seeds, tick, [2 * c for c in channels] + [2 * c + 1 for c in channels])
    radius = np.sqrt(-2.0 * np.log1p(-u[: len(channels)]))  # Box and Muller; 1 - u is never 0
    normal: FloatArray = np.clip(radius * np.cos(2.0 * math.pi * u[len(channels) :]), -4.5, 4.5)
    return normal


def draw_wander(seeds: SeedArray, t_s: float, period_s: float, channel: int) -> FloatArray:
    """A slow smooth movement in [-1, 1] that changes its course every `period_s`, shape (units,)."""
    position = t_s / period_s
    tick = math.floor(position)
    blend = position - tick
    blend = blend * blend * (3.0 - 2.0 * blend)
    before = draw_uniform(seeds, tick, [channel])[0]
    after = draw_uniform(seeds, tick + 1, [channel])[0]
    wander: FloatArray = 2.0 * (before + (after - before) * blend) - 1.0
    return wander
