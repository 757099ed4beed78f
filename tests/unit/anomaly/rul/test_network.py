"""A network that is fitted by plain arithmetic: gradients against differences, learning, and arrays."""

import numpy as np
from sklearn.neural_network import MLPRegressor

from anomaly.rul.network import Network, NetworkSettings, _find_gradients, fit_network

SETTINGS = NetworkSettings(hidden=(16, 8), epochs=40, batch=64, decay=0.1)


def test_gradients_are_those_of_small_differences() -> None:
    rng = np.random.default_rng(2)
    sizes = (5, 4, 3, 1)
    weights = [rng.normal(0.0, 0.7, (sizes[i], sizes[i + 1])) for i in range(3)]
    biases = [rng.normal(0.0, 0.3, size) for size in sizes[1:]]
    inputs, goal, share = rng.normal(size=(20, 5)), rng.normal(size=(20, 1)), rng.random((20, 1))

    def find_loss() -> float:
        layer = inputs
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            layer = np.maximum(layer @ weight + bias, 0.0)
        return float((share * (layer @ weights[-1] + biases[-1] - goal) ** 2).mean())

    # Doubles in place of singles: differences need the digits, and the arithmetic is the same.
    found = _find_gradients(inputs, goal, share, weights, biases, SETTINGS, rng)  # type: ignore[arg-type]
    for array, gradient in zip((*weights, *biases), found, strict=True):
        place = np.unravel_index(array.size // 2, array.shape)
        kept = array[place]
        array[place] = kept + 1e-6
        above = find_loss()
        array[place] = kept - 1e-6
        below = find_loss()
        array[place] = kept
        np.testing.assert_allclose(gradient[place], (above - below) / 2e-6, rtol=1e-5, atol=1e-9)


def test_the_same_weights_predict_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(size=(300, 4))
    model = MLPRegressor(hidden_layer_sizes=(8, 6), max_iter=5, early_stopping=False, random_state=0, tol=0.0)
    model.n_iter_no_change = 100
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is stopped early on purpose
        model.fit(features, features[:, 0] - features[:, 1])
    network = Network(
        np.zeros(4),
        np.ones(4),
        tuple(weight.astype(np.float32) for weight in model.coefs_),
        tuple(bias.astype(np.float32) for bias in model.intercepts_),
    )
    np.testing.assert_allclose(network.predict(features), model.predict(features), atol=1e-5)


def test_it_learns_a_curve_and_the_same_one_for_the_same_seed() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(2_000, 3))
    target = np.abs(features[:, 0]) - 0.5 * features[:, 1]
    ones = np.ones(2_000)
    first = fit_network(features, target, ones, SETTINGS, np.random.default_rng(9))
    again = fit_network(features, target, ones, SETTINGS, np.random.default_rng(9))
    fresh = rng.normal(size=(500, 3))
    error = first.predict(fresh) - (np.abs(fresh[:, 0]) - 0.5 * fresh[:, 1])
    assert float(np.sqrt((error**2).mean())) < 0.15
    assert np.array_equal(first.predict(fresh), again.predict(fresh))


def test_rows_count_by_their_weight() -> None:
    features = np.zeros((400, 1))
    target = np.repeat([0.0, 1.0], 200)
    weight = np.repeat([3.0, 1.0], 200)
    network = fit_network(features, target, weight, SETTINGS, np.random.default_rng(1))
    assert abs(float(network.predict(features[:1])[0]) - 0.25) < 0.05


def test_arrays_bring_the_network_back() -> None:
    rng = np.random.default_rng(4)
    features = rng.normal(size=(300, 3))
    network = fit_network(features, features[:, 0], np.ones(300), SETTINGS, rng)
    back = Network.from_arrays("n", network.to_arrays("n"))
    assert np.array_equal(back.predict(features), network.predict(features))
