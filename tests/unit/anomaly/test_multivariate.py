"""The multivariate detector on what real machines do: creep, jump, come back, and go on differently for good."""

import numpy as np

from anomaly.detectors.contract import Floats, SlotSettings
from anomaly.detectors.multivariate import MultivariateDetector

SECOND_US = 1_000_000
WARMUP = 200


def _score(values: Floats, warmup: int = WARMUP, step_s: float = 1.0) -> tuple[MultivariateDetector, Floats]:
    """The score of each row of one unit whose channels are the columns."""
    rows, channels = values.shape
    detector = MultivariateDetector(channels)
    slot = detector.add_slots([SlotSettings(resolution=1e-3, warmup=warmup)] * channels)
    at_us = np.repeat((np.arange(rows) * step_s * SECOND_US).astype(np.int64), channels)
    score = detector.score_block(np.tile(slot, rows), at_us, values.reshape(-1))
    return detector, score.reshape(rows, channels)[:, -1]


def _noise(rows: int, channels: int = 4, seed: int = 1) -> Floats:
    noise: Floats = np.random.default_rng(seed).normal(0.0, 1.0, (rows, channels))
    return noise


def test_a_level_that_crept_in_the_warm_up_may_creep_on_and_one_that_stood_still_may_not() -> None:
    creeping = np.cumsum(np.random.default_rng(3).normal(0.0, 0.3, 900))
    values = _noise(900)
    values[:, 0] += creeping
    _, score = _score(values)
    assert np.nanmax(score) < 2.0
    standing = _noise(900)
    standing[300:, 0] += creeping[300:] - creeping[300]
    _, score = _score(standing)
    assert np.nanmax(score) > 3.0


def test_noise_alone_stays_near_the_largest_healthy_distance() -> None:
    for channels in (2, 4, 12):
        _, score = _score(_noise(3_000, channels))
        assert np.isnan(score[:WARMUP]).all()
        assert np.nanmax(score) < 1.7
        assert (score[WARMUP:] > 1.35).mean() < 0.005


def test_a_large_fault_is_far_within_seconds_and_its_end_is_seen_as_soon() -> None:
    values = _noise(500)
    values[300:400, 1] += 20.0
    _, score = _score(values)
    assert (score[304:400] > 3.0).all()
    assert (score[408:] < 0.5 * score[399]).all()


def test_a_drift_within_the_healthy_distance_is_followed_and_a_fault_on_top_of_it_is_found() -> None:
    rows = 8_000
    values = _noise(rows) + np.linspace(0.0, 3.0, rows)[:, None]  # in the end three times the noise
    values[7_500:, 2] += 2.0
    detector, score = _score(values)
    assert (score[WARMUP:7_500] > 1.35).mean() < 0.005
    assert (score[7_550:] > 1.35).mean() > 0.9
    found = detector.find_contributions(0)
    assert found[0].channel == 2
    assert abs(sum(c.share for c in found) - 1.0) < 1e-9


def test_while_far_the_baseline_stands_still() -> None:
    values = _noise(2_000)
    values[300:, 0] += 3.0
    detector, score = _score(values)
    assert (score[400:] > 1.35).all()
    assert abs(detector.find_contributions(0)[0].expected) < 0.5


def test_whoever_is_far_for_a_whole_day_warms_up_again() -> None:
    values = _noise(2_000)
    values[300:, 0] += 5.0
    _, score = _score(values, step_s=120.0)  # a day has 720 rows
    assert (score[340:1_015] > 1.35).all()
    assert np.isnan(score[1_040:1_200]).all()
    assert (score[1_300:] < 1.35).all()


def test_a_channel_that_never_moved_does_not_hide_the_others() -> None:
    values = _noise(600)
    values[:, 3] = 7.0
    values[400:, 0] += 5.0
    _, score = _score(values)
    assert np.nanmax(score[:400]) < 1.7
    assert (score[420:] > 2.0).all()


def test_short_warm_ups_have_blocks_of_a_row_or_two_and_are_no_less_quiet() -> None:
    for warmup in (20, 40, 80):
        _, score = _score(_noise(1_500), warmup=warmup)
        assert np.isfinite(score[warmup:]).all()
        assert (score[warmup:] > 2.2).mean() < 0.01
