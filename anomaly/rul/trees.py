"""Gradient-boosted trees as arrays: taken from scikit-learn once they are fitted, and predicted without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 4096  # rows at a time: memory is CHUNK x trees


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of trees, each node an entry.

    Attributes
    ----------
    base
        What is predicted before any tree.
    roots
        The first node of each tree.
    feature, threshold
        A row goes left where its feature is at most the threshold; a NaN goes left where `missing_left` says so.
    left, right
        Nodes; a leaf is its own child.
    value
        What a leaf adds.
    depth
        Of the deepest tree.
    """

    base: float
    roots: Ints
    feature: Ints
    threshold: Floats
    missing_left: NDArray[np.bool_]
    left: Ints
    right: Ints
    value: Floats
    depth: int

    @classmethod
    def from_sklearn(cls, model: HistGradientBoostingRegressor) -> "Trees":
        """The trees of a fitted model with one output and numeric features.

        Raises ValueError for a model that splits on categories.
        """
        stages = [stage[0].nodes for stage in model._predictors]  # no public name; a test compares predictions
        roots = np.concatenate(([0], np.cumsum([nodes.shape[0] for nodes in stages])))[:-1].astype(np.int64)
        nodes = np.concatenate(stages)
        if bool(nodes["is_categorical"].any()):
            raise ValueError("trees that split on categories are not supported")
        leaf = nodes["is_leaf"].astype(np.bool_)
        own = np.arange(nodes.shape[0], dtype=np.int64)
        shift = np.repeat(roots, [stage.shape[0] for stage in stages])
        return cls(
            base=float(np.asarray(model._baseline_prediction).reshape(-1)[0]),
            roots=roots,
            feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
            threshold=np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
            missing_left=nodes["missing_go_to_left"].astype(np.bool_),
            left=np.where(leaf, own, nodes["left"].astype(np.int64) + shift),
            right=np.where(leaf, own, nodes["right"].astype(np.int64) + shift),
            value=np.where(leaf, nodes["value"], 0.0).astype(np.float64),
            depth=int(nodes["depth"].max()),
        )

    def predict(self, features: NDArray[np.floating[Any]]) -> Floats:
        """One value a row, added up in the order of the trees, so rows do not depend on one another."""
        found = np.full(features.shape[0], self.base)
        for first in range(0, features.shape[0], CHUNK):
            rows = features[first : first + CHUNK].astype(np.float64)
            place = np.broadcast_to(self.roots[:, None], (self.roots.shape[0], rows.shape[0])).copy()
            line = np.arange(rows.shape[0])[None, :]
            for _ in range(self.depth):
                cell = rows[line, self.feature[place]]
                goes_left = (cell <= self.threshold[place]) | (np.isnan(cell) & self.missing_left[place])
                place = np.where(goes_left, self.left[place], self.right[place])
            for tree in place:
                found[first : first + CHUNK] += self.value[tree]
        return found

    def to_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Every array under a name that begins with `prefix`, for a model's folder."""
        return {
            f"{prefix}.base": np.asarray([self.base]),
            f"{prefix}.roots": self.roots.astype(np.int32),
            f"{prefix}.feature": self.feature.astype(np.int16),
            f"{prefix}.threshold": self.threshold,
            f"{prefix}.missing_left": self.missing_left,
            f"{prefix}.left": self.left.astype(np.int32),
            f"{prefix}.right": self.right.astype(np.int32),
            f"{prefix}.value": self.value,
            f"{prefix}.depth": np.asarray([self.depth], dtype=np.int32),
        }

    @classmethod
    def from_arrays(cls, prefix: str, arrays: Mapping[str, NDArray[Any]]) -> "Trees":
        """The trees that `to_arrays` gave. Raises KeyError where an array is missing."""
        return cls(
            base=float(arrays[f"{prefix}.base"][0]),
            roots=arrays[f"{prefix}.roots"].astype(np.int64),
            feature=arrays[f"{prefix}.feature"].astype(np.int64),
            threshold=arrays[f"{prefix}.threshold"],
            missing_left=arrays[f"{prefix}.missing_left"],
            left=arrays[f"{prefix}.left"].astype(np.int64),
            right=arrays[f"{prefix}.right"].astype(np.int64),
            value=arrays[f"{prefix}.value"],
            depth=int(arrays[f"{prefix}.depth"][0]),
        )


def fit_trees(features: NDArray[np.floating[Any]], target: Floats, weight: Floats, *, rounds: int, seed: int) -> Trees:
    """Trees with the least weighted squared error, the same for the same seed.

    Source: Friedman 2001; histograms of features as in Ke et al. 2017.
    """
    model = HistGradientBoostingRegressor(
        max_iter=rounds,
        learning_rate=0.06,
        max_leaf_nodes=12,
        min_samples_leaf=max(2, min(40, features.shape[0] // 20)),
        l2_regularization=1.0,
        max_bins=64,
        early_stopping=False,
        random_state=seed,
    )
    model.fit(features, target, sample_weight=weight)
    return Trees.from_sklearn(model)
