"""Hidden states are recovered from noisy sensors, regime by regime, and features look back alone."""

import numpy as np

from anomaly.rul.factors import MAX_FACTORS, Factors, find_state, fit_factors
from anomaly.rul.features import find_features, name_features

UNITS, ROWS = 12, 80
STARTS = np.arange(UNITS + 1, dtype=np.int64) * ROWS
CYCLE = np.tile(np.arange(1.0, ROWS + 1), UNITS)
NONE = np.zeros(0, dtype=np.int64)


def _make(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A state that grows and one that swings, at each unit's own pace, two regimes (the second noisy), six sensors."""
    rng = np.random.default_rng(seed)
    pace = np.repeat(rng.uniform(0.5, 1.5, (UNITS, 2)), ROWS, axis=0)
    state = np.column_stack((pace[:, 0] * (CYCLE / ROWS) ** 2, np.sin(4.0 * pace[:, 1] * CYCLE / ROWS)))
    regime = rng.integers(0, 2, CYCLE.size)
    loading = rng.normal(0.0, 1.0, (2, 6, 2))
    noise = np.asarray([0.1, 0.5])[regime][:, None] * rng.normal(0.0, 1.0, (CYCLE.size, 6))
    return state, regime, 50.0 + 10.0 * regime[:, None] + np.einsum("rjs,rs->rj", loading[regime], state) + noise


def _fit(values: np.ndarray, regime: np.ndarray) -> Factors:
    factors = fit_factors(values, regime, STARTS, NONE, 2)
    assert factors is not None
    return factors


def test_the_states_are_those_that_were_planted() -> None:
    state, regime, values = _make(1)
    factors = _fit(values, regime)
    assert factors.count == 2
    found = find_state(*factors.find_evidence(values, regime))[regime == 0]
    design = np.column_stack((np.ones(found.shape[0]), found))
    for planted in state[regime == 0].T:
        fitted = design @ np.linalg.lstsq(design, planted, rcond=None)[0]
        assert np.corrcoef(fitted, planted)[0, 1] > 0.95


def test_a_noisy_regime_says_less_and_an_unknown_one_nothing() -> None:
    _, regime, values = _make(2)
    factors = _fit(values, regime)
    precision, vector = factors.find_evidence(values, np.where(np.arange(values.shape[0]) < 5, -1, regime))
    trace = np.trace(precision, axis1=1, axis2=2)
    assert not trace[:5].any()
    assert not vector[:5].any()
    assert trace[5:][regime[5:] == 0].mean() > 5.0 * trace[5:][regime[5:] == 1].mean()


def test_a_missing_sensor_takes_its_part_of_the_evidence_alone() -> None:
    _, regime, values = _make(3)
    factors = _fit(values, regime)
    whole, _ = factors.find_evidence(values, regime)
    values[:, 0] = np.nan
    part, _ = factors.find_evidence(values, regime)
    lost = np.linalg.eigvalsh(whole - part)
    assert lost.min() > -1e-9
    assert lost.max() > 0


def test_sensors_that_never_move_give_no_factors() -> None:
    assert fit_factors(np.full((UNITS * ROWS, 3), 7.0), np.zeros(UNITS * ROWS, dtype=np.int64), STARTS, NONE, 1) is None


def test_there_are_never_more_states_than_allowed() -> None:
    rng = np.random.default_rng(4)
    walks = np.concatenate([np.cumsum(rng.normal(0.0, 1.0, (ROWS, 12)), axis=0) for _ in range(UNITS)])
    factors = fit_factors(walks, np.zeros(walks.shape[0], dtype=np.int64), STARTS, NONE, 1)
    assert factors is not None
    assert factors.count == MAX_FACTORS


def test_features_look_back_alone_bit_for_bit() -> None:
    _, regime, values = _make(5)
    factors = _fit(values, regime)
    precision, vector = factors.find_evidence(values, regime)
    whole = find_features(CYCLE, precision, vector, STARTS)
    assert whole.shape[1] == len(name_features(factors.count))
    for kept in (1, 7, 41):
        rows = (STARTS[:-1, None] + np.arange(kept)).reshape(-1)
        starts = np.arange(UNITS + 1, dtype=np.int64) * kept
        assert np.array_equal(find_features(CYCLE[rows], precision[rows], vector[rows], starts), whole[rows])


def test_features_mean_what_they_are_called() -> None:
    state = np.linspace(0.0, 1.0, 100)
    precision = np.full((100, 1, 1), 1e9)
    features = find_features(np.arange(1.0, 101.0), precision, 1e9 * state[:, None], np.asarray([0, 100]))
    last = dict(zip(name_features(1), features[-1].astype(float), strict=True))
    np.testing.assert_allclose(last["age"], 100.0)
    np.testing.assert_allclose(last["state1.first"], state[:15].mean(), rtol=1e-5)
    np.testing.assert_allclose(last["state1.life"], state.mean(), rtol=1e-5)
    np.testing.assert_allclose(last["state1.last5"], state[-5:].mean(), rtol=1e-5)
    np.testing.assert_allclose(last["state1.ago20to40"], state[60:80].mean(), rtol=1e-5)
    np.testing.assert_allclose(last["state1.since_first"], state[-20:].mean() - state[:15].mean(), rtol=1e-5)
    np.testing.assert_allclose(last["state1.pace40"], (state[-20:].mean() - state[60:80].mean()) * 0.5, rtol=1e-5)
