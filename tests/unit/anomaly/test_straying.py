"""How far a level strays, on block means worked out by hand."""

import numpy as np
import pytest

from anomaly.detectors.contract import Floats
from anomaly.detectors.straying import find_block_rows, find_rare_distance, find_straying

FIT_ROWS = np.array([320], dtype=np.int32)  # ten blocks of 32 rows, five pairs


def _one(number: float) -> Floats:
    return np.array([[number]])


def test_blocks_are_a_tenth_of_the_rows_and_never_empty() -> None:
    assert find_block_rows(np.array([320, 48, 5], dtype=np.int32)).tolist() == [32, 4, 1]


def test_a_level_strays_as_far_as_its_block_means_do() -> None:
    # Nine moves of squared 0.08 and four of 0.02: variances of 0.04 and 0.01, of which the larger counts.
    found = find_straying(_one(9 * 0.08), _one(4 * 0.02), _one(1.0), FIT_ROWS)
    assert found[0, 0] == pytest.approx(0.2)


def test_no_level_strays_less_than_its_noise_allows() -> None:
    assert find_straying(_one(0.0), _one(0.0), _one(4.0), FIT_ROWS)[0, 0] == pytest.approx(2.0 / np.sqrt(32.0))
    assert find_straying(_one(0.0), _one(0.0), _one(0.0), FIT_ROWS)[0, 0] == 0.0


def test_a_channel_whose_variance_is_slow_counts_for_less() -> None:
    # Between pairs lies 24/64 of the variance, four times what is usual: 4 ** 1.5 = 8 times the straying.
    found = find_straying(_one(0.0), _one(4 * 2 * 24 / 64), _one(1.0), FIT_ROWS)
    assert found[0, 0] == pytest.approx(8.0 * np.sqrt(24.0 / 64.0))


def test_few_channels_are_further_out_once_in_ten_thousand_rows() -> None:
    draws = np.random.default_rng(1).normal(0.0, 1.0, (200_000, 8))
    for channels in (2, 8):
        distance = np.sqrt((draws[:, :channels] ** 2).mean(axis=1))
        limit = find_rare_distance(np.array([channels]))[0]
        assert 2e-5 < (distance > limit).mean() < 3e-4
