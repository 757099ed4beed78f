"""Our prediction from a fitted forest's arrays is scikit-learn's, bit for bit."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from anomaly.rul.trees import Trees, fit_trees


def _make_data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(0.0, 1.0, (rows, 6)).astype(np.float32)
    target = features[:, 0] * 3.0 + np.sin(features[:, 1] * 4.0) + (features[:, 2] > 0.3) * features[:, 3]
    return features, target.astype(np.float64)


def test_the_prediction_is_that_of_scikit_learn() -> None:
    features, target = _make_data(3_000, 1)
    model = HistGradientBoostingRegressor(max_iter=40, max_leaf_nodes=12, max_bins=64, random_state=0)
    model.fit(features, target)
    trees = Trees.from_sklearn(model)
    new, _ = _make_data(5_000, 2)
    np.testing.assert_allclose(trees.predict(new), model.predict(new), rtol=0, atol=1e-12)


def test_missing_features_go_where_scikit_learn_sends_them() -> None:
    features, target = _make_data(3_000, 1)
    features[np.random.default_rng(3).random(features.shape) < 0.2] = np.nan
    model = HistGradientBoostingRegressor(max_iter=30, random_state=0).fit(features, target)
    np.testing.assert_allclose(Trees.from_sklearn(model).predict(features), model.predict(features), rtol=0, atol=1e-12)


def test_rows_do_not_depend_on_one_another() -> None:
    features, target = _make_data(2_000, 1)
    trees = fit_trees(features, target, np.ones(2_000), rounds=10, seed=1)
    assert np.array_equal(trees.predict(features)[700:710], trees.predict(features[700:710]))


def test_arrays_bring_the_trees_back() -> None:
    features, target = _make_data(2_000, 1)
    trees = fit_trees(features, target, np.ones(2_000), rounds=10, seed=1)
    back = Trees.from_arrays("a", trees.to_arrays("a"))
    assert np.array_equal(back.predict(features), trees.predict(features))
    with pytest.raises(KeyError):
        Trees.from_arrays("b", trees.to_arrays("a"))


def test_a_model_with_categories_is_refused() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 8, (500, 1))
    model = HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(kinds, kinds[:, 0] % 3)
    with pytest.raises(ValueError, match="categories"):
        Trees.from_sklearn(model)
