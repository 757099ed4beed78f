"""A small neural network: fitted by plain arithmetic, kept as arrays, and predicted from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

CLIP = 5.0  # standardised inputs beyond it are no reason to extrapolate
BETAS = (0.9, 0.99)
EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How a network is fitted. `decay` is the decoupled weight decay, per step and unit of learning rate."""

    hidden: tuple[int, ...] = (32, 32, 16)
    epochs: int = 30
    batch: int = 256
    rate: float = 4e-3
    decay: float = 2.0
    dropout: float = 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """Standardised inputs, layers of max(0, xW + b), one linear output.

    Attributes
    ----------
    centre, scale
        Of the inputs, shape (inputs,).
    weights, biases
        One entry a layer, shapes (inputs, outputs) and (outputs,).
    """

    centre: Floats
    scale: Floats
    weights: tuple[Singles, ...]
    biases: tuple[Singles, ...]

    def predict(self, features: NDArray[np.floating[Any]]) -> Floats:
        """One value a row; a row's value does not depend on which others stand beside it, but for rounding."""
        layer = _standardise(features, self.centre, self.scale)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layer = np.maximum(layer @ weight + bias, np.float32(0.0))
        return (layer @ self.weights[-1] + self.biases[-1])[:, 0].astype(np.float64)

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Every array under a name that begins with `prefix`, for a model's folder."""
        arrays: dict[str, NDArray[Any]] = {f"{prefix}.centre": self.centre, f"{prefix}.scale": self.scale}
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays[f"{prefix}.weight{i}"] = weight
            arrays[f"{prefix}.bias{i}"] = bias
        return arrays

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> "Network":
        """The network that `to_arrays` gave. Raises KeyError where an array is missing."""
        count = sum(name.startswith(f"{prefix}.weight") for name in arrays)
        return cls(
            arrays[f"{prefix}.centre"],
            arrays[f"{prefix}.scale"],
            tuple(arrays[f"{prefix}.weight{i}"] for i in range(count)),
            tuple(arrays[f"{prefix}.bias{i}"] for i in range(count)),
        )


def fit_network(
    features: NDArray[np.floating[Any]],
    target: Floats,
    weight: Floats,
    settings: NetworkSettings,
    rng: np.random.Generator,
) -> Network:
    """The network with the least weighted squared error that AdamW finds; the same for the same `rng` state.

    The learning rate falls along half a cosine to zero, which leaves less of the last steps' noise in the weights.

    Source: Kingma and Ba 2015 (Adam), Loshchilov and Hutter 2017 and 2019 (cosine, decoupled decay), He et al. 2015
    (initial weights).
    """
    centre = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    scale = np.where(scale > 1e-9 * np.maximum(1.0, np.abs(centre)), scale, 1.0)
    inputs = _standardise(features, centre, scale)
    goal = target.astype(np.float32)[:, None]
    share = (weight / weight.mean()).astype(np.float32)[:, None]
    sizes = (inputs.shape[1], *settings.hidden, 1)
    weights = [
        rng.normal(0.0, np.sqrt(2.0 / sizes[i]), (sizes[i], sizes[i + 1])).astype(np.float32)
        for i in range(len(sizes) - 1)
    ]
    weights[-1] *= np.float32(0.1)
    biases = [np.zeros(size, dtype=np.float32) for size in sizes[1:]]
    biases[-1][:] = np.float32((share * goal).mean())
    moments = [(np.zeros_like(array), np.zeros_like(array)) for array in (*weights, *biases)]
    rows = inputs.shape[0]
    per_epoch = max(1, rows // settings.batch)
    steps = per_epoch * settings.epochs
    step = 0
    for _ in range(settings.epochs):
        order = rng.permutation(rows)
        for batch in np.array_split(order, per_epoch):
            step += 1
            rate = settings.rate * min(1.0, step / (0.05 * steps + 1.0)) * 0.5 * (1.0 + np.cos(np.pi * step / steps))
            gradients = _find_gradients(inputs[batch], goal[batch], share[batch], weights, biases, settings, rng)
            corrections = (1.0 - BETAS[0] ** step, 1.0 - BETAS[1] ** step)
            for i, (array, gradient) in enumerate(zip((*weights, *biases), gradients, strict=True)):
                first, second = moments[i]
                first += np.float32(1.0 - BETAS[0]) * (gradient - first)
                second += np.float32(1.0 - BETAS[1]) * (gradient * gradient - second)
                move = (first / np.float32(corrections[0])) / (
                    np.sqrt(second / np.float32(corrections[1])) + np.float32(EPSILON)
                )
                if i < len(weights):
                    array *= np.float32(1.0 - rate * settings.decay)
                array -= np.float32(rate) * move
    return Network(centre, scale, tuple(weights), tuple(biases))


def _standardise(features: NDArray[np.floating[Any]], centre: Floats, scale: Floats) -> Singles:
    return np.clip((features - centre) / scale, -CLIP, CLIP).astype(np.float32)


def _find_gradients(
    inputs: Singles,
    goal: Singles,
    share: Singles,
    weights: list[Singles],
    biases: list[Singles],
    settings: NetworkSettings,
    rng: np.random.Generator,
) -> list[Singles]:
    """Of the weighted squared error with respect to every weight, then every bias."""
    layers = [inputs]
    masks: list[Singles] = []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        layer = layers[-1] @ weight + bias
        mask = (layer > 0).astype(np.float32)
        if settings.dropout > 0:
            kept = rng.random(layer.shape, dtype=np.float32) >= settings.dropout
            mask *= kept * np.float32(1.0 / (1.0 - settings.dropout))
        masks.append(mask)
        layers.append(layer * mask)
    error = layers[-1] @ weights[-1] + biases[-1] - goal
    delta = error * share * np.float32(2.0 / inputs.shape[0])
    weight_gradients: list[Singles] = []
    bias_gradients: list[Singles] = []
    for i in range(len(weights) - 1, -1, -1):
        weight_gradients.append(layers[i].T @ delta)
        bias_gradients.append(delta.sum(axis=0))
        if i:
            delta = (delta @ weights[i].T) * masks[i - 1]
    return [*reversed(weight_gradients), *reversed(bias_gradients)]
