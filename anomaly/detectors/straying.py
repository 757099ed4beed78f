"""How far the level of a channel strays while it is healthy, from the differences of successive block means.

Noise cancels within a block, creep does not: the Allan variance tells them apart, where a standard deviation does not.
Blocks are a tenth of the fitted rows, pairs of blocks a fifth.

Sources: Allan 1966; Wilson and Hilferty 1931 (chi-squared by a cube root).
"""

import numpy as np
from numpy.typing import NDArray

from anomaly.detectors.contract import Floats, Ints

BLOCK_SHARE = 0.1  # of the fitted rows, in one block; two blocks make a pair
NOISE_SHARE = 1.0 / 32.0  # of the variance: no channel strays less, however calm its blocks were
SLOW_SHARE = 6.0 / 64.0  # of the variance, that may lie between pairs of blocks before the channel counts for less
SLOW_BLOCKS = 3.0  # the same for short blocks, as a multiple of what independent readings would show
SLOW_POWER = 1.5
RARE_Z = 3.72  # once in 10,000 rows, as a normal deviation


def find_block_rows(fit_rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Rows of a block, at least one."""
    found: NDArray[np.int32] = np.maximum((fit_rows * BLOCK_SHARE).astype(np.int32), 1)
    return found


def find_straying(block_moves: Floats, pair_moves: Floats, variance: Floats, fit_rows: NDArray[np.int32]) -> Floats:
    """The straying of each channel, in its unit; larger where its range was not seen yet.

    Parameters
    ----------
    block_moves, pair_moves, variance
        Shape (units, channels): squared differences of successive blocks and of successive pairs of blocks, summed;
        and the variance of the readings.
    fit_rows
        Shape (units,): rows that all this is from.
    """
    rows = find_block_rows(fit_rows)
    blocks = fit_rows // rows
    between_blocks = 0.5 * block_moves / np.maximum(blocks - 1, 1)[:, None]
    between_pairs = 0.5 * pair_moves / np.maximum(blocks // 2 - 1, 1)[:, None]
    straying = np.sqrt(np.maximum(np.maximum(between_blocks, between_pairs), NOISE_SHARE * variance))
    slow = between_pairs / np.where(variance > 0.0, variance, 1.0)
    usual = np.maximum(SLOW_SHARE, SLOW_BLOCKS / (2.0 * rows))
    found: Floats = straying * np.maximum(slow / usual[:, None], 1.0) ** SLOW_POWER
    return found


def find_rare_distance(channels: Ints) -> Floats:
    """The distance per channel that independent channels exceed once in 10,000 rows: more where they are few."""
    width = 2.0 / (9.0 * channels)
    found: Floats = (1.0 - width + RARE_Z * np.sqrt(width)) ** 1.5
    return found
