"""From runs to failure to a model: folds by unit, two kinds of models in each, their blend and their intervals."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomaly.rul.factors import fit_factors
from anomaly.rul.features import find_features, name_features
from anomaly.rul.intervals import fit_offsets, mix_weights, weigh_rows
from anomaly.rul.model import RulModel
from anomaly.rul.network import Network, NetworkSettings, fit_network
from anomaly.rul.regimes import find_settings, fit_regimes
from anomaly.rul.run_table import RunDataError, RunTable
from anomaly.rul.trees import Trees, fit_trees
from domain.counting import say_count

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_UNITS = 3
BLENDS = np.linspace(0.0, 1.0, 11)
NETWORK = NetworkSettings()


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a model is trained.

    Attributes
    ----------
    cap
        Cycles: longer lives are not told apart, because wear does not show yet.
    coverage
        Of the interval low..high.
    settings
        Names of the columns that are set, not measured; None: found from the data.
    rows
        Neighbouring rows of a unit are alike: each model is fitted to about half of them, and to no more than this.
    steps
        A network takes at least so many steps, in more epochs where rows are few.
    """

    cap: float = 125.0
    coverage: float = 0.8
    seed: int = 1
    settings: tuple[str, ...] | None = None
    folds: int = 5
    networks: int = 3
    tree_rounds: int = 150
    rows: int = 15_000
    steps: int = 900
    network: NetworkSettings = NETWORK


Progress = Callable[[int, int], None]


def train_model(
    table: RunTable,
    wanted: TrainingSettings,
    provenance: Mapping[str, Any],
    progress: Progress = lambda done, total: None,
) -> RulModel:
    """A model of units that were all run to failure: the last row of each is its last cycle.

    The same for the same table, settings and seed, also when units come in another order or under other names, and
    when columns are given in other units or another order. `provenance` is written into the record as it is;
    `progress` is called with steps done and steps in all. It takes one core.

    Raises RunDataError with fewer than 3 units, one row for each, an unknown settings column, or no sensor that moves.
    """
    units = len(table.unit_names)
    if units < MIN_UNITS:
        raise RunDataError(
            f"{say_count(units, 'unit runs', 'units run')} to failure; "
            f"at least {MIN_UNITS} are needed to learn and to check."
        )
    for name in wanted.settings or ():
        if name not in table.columns:
            raise RunDataError(f"No column {name!r} for the settings; there are {', '.join(table.columns)}.")
    if int(table.lengths.max()) == 1:
        raise RunDataError("No unit has more than one row: give every cycle of its life a row.")
    # Every step is so short that threads would only wait for one another, and on a busy machine for very long.
    with threadpool_limits(1):
        return _fit_model(table, wanted, provenance, progress)


def _fit_model(
    table: RunTable, wanted: TrainingSettings, provenance: Mapping[str, Any], progress: Progress
) -> RulModel:
    units = len(table.unit_names)
    table_hash = table.find_hash()
    table = _sort_units(table)
    lengths = table.lengths
    unit = table.unit_of_row
    last = table.cycle[table.starts[1:] - 1]
    target = np.minimum(last[unit] - table.cycle, wanted.cap) / wanted.cap
    weight = lengths.mean() / lengths[unit]
    if wanted.settings is None:
        settings = find_settings(table.values, table.cycle, table.starts)
    else:
        settings = tuple(table.columns.index(name) for name in sorted(set(wanted.settings)))
    regimes = fit_regimes(table.values, settings, wanted.seed)
    regime = regimes.find_regimes(table.values)
    factors = fit_factors(table.values, regime, table.starts, np.asarray(settings, dtype=np.int64), regimes.count)
    if factors is None:
        raise RunDataError("No sensor column moves: there is nothing to learn from.")
    features = find_features(table.cycle, *factors.find_evidence(table.values, regime), table.starts)
    folds = min(wanted.folds, units)
    total = folds * (wanted.networks + 1) + 1
    progress(1, total)
    fold_of_unit = np.empty(units, dtype=np.int64)
    fold_of_unit[np.random.default_rng(wanted.seed).permutation(units)] = np.arange(units) % folds
    fold = fold_of_unit[unit]
    trees: list[Trees] = []
    networks: list[tuple[Network, ...]] = []
    by_trees, by_networks = np.zeros(target.shape[0]), np.zeros(target.shape[0])
    for f in range(folds):
        inside, outside = np.flatnonzero(fold != f), np.flatnonzero(fold == f)

        def draw(member: int, f: int = f, inside: Ints = inside) -> tuple[Ints, np.random.Generator]:
            rng = np.random.default_rng((wanted.seed, f, member))
            count = inside.size if inside.size <= 8_000 else max(8_000, min(inside.size // 2, wanted.rows))
            return np.sort(rng.choice(inside, count, replace=False)), rng

        rows, _ = draw(0)
        trees.append(
            fit_trees(features[rows], target[rows], weight[rows], rounds=wanted.tree_rounds, seed=wanted.seed + f)
        )
        by_trees[outside] = trees[-1].predict(features[outside])
        progress(2 + f * (wanted.networks + 1), total)
        members: list[Network] = []
        for member in range(1, wanted.networks + 1):
            rows, rng = draw(member)
            members.append(fit_network(features[rows], target[rows], weight[rows], _find_pace(wanted, rows.size), rng))
            progress(2 + f * (wanted.networks + 1) + member, total)
        networks.append(tuple(members))
        by_networks[outside] = np.mean([network.predict(features[outside]) for network in members], axis=0)
    errors = [_find_error(b * by_trees + (1.0 - b) * by_networks, target, weight) for b in BLENDS]
    blend = float(BLENDS[int(np.argmin(errors))])
    predicted = np.clip(blend * by_trees + (1.0 - blend) * by_networks, 0.0, 1.0) * wanted.cap
    actual = target * wanted.cap
    whole, below = weigh_rows(actual, table.starts, wanted.cap)
    offsets = fit_offsets(predicted, actual, mix_weights(whole, below), units, wanted.cap, wanted.coverage)
    names = table.columns
    used = sorted({*settings, *(int(j) for j in factors.places)})
    record: dict[str, Any] = {
        "settings_columns": [names[j] for j in settings],
        "sensor_columns": [names[j] for j in factors.places],
        "text_columns": list(table.text_columns),
        "unused_columns": sorted(set(names) - {names[j] for j in used}),
        "features": list(name_features(factors.count)),
        "regimes": regimes.count,
        "states": factors.count,
        "training": asdict(wanted),
        "data": {
            "sha256": table_hash,
            "units": units,
            "rows": int(table.cycle.shape[0]),
            "shortest": int(lengths.min()),
            "longest": int(lengths.max()),
        },
        "metrics": {
            "rmse": wanted.cap * min(errors),
            "rmse_trees": wanted.cap * errors[-1],
            "rmse_networks": wanted.cap * errors[0],
            **_check_intervals(predicted, actual, whole, below, fold, wanted),
        },
        "provenance": dict(provenance),
    }
    return RulModel(
        record=record,
        columns=tuple(names[j] for j in used),
        cap=wanted.cap,
        regimes=replace(regimes, places=np.searchsorted(used, regimes.places)),
        factors=replace(factors, places=np.searchsorted(used, factors.places)),
        trees=tuple(trees),
        networks=tuple(networks),
        blend=blend,
        offsets=offsets,
    )


def _sort_units(table: RunTable) -> RunTable:
    """Units in an order that follows from their data alone: by length, then by their means."""
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.where(np.isfinite(table.values), table.values, 0.0)
        scaled = (seen - seen.mean(axis=0)) / seen.std(axis=0)
    scaled = np.where(np.isfinite(scaled), scaled, 0.0)
    means = np.add.reduceat(scaled, table.starts[:-1], axis=0) / table.lengths[:, None]
    order = np.lexsort((*np.round(means, 6).T[::-1], table.lengths))
    rows = np.concatenate([np.arange(table.starts[u], table.starts[u + 1]) for u in order])
    return RunTable(
        columns=table.columns,
        unit_names=tuple(table.unit_names[u] for u in order),
        starts=np.concatenate(([0], np.cumsum(table.lengths[order]))).astype(np.int64),
        cycle=table.cycle[rows],
        values=table.values[rows],
        source_rows=table.source_rows[rows],
        text_columns=table.text_columns,
    )


def _find_pace(wanted: TrainingSettings, rows: int) -> NetworkSettings:
    """The network's settings with as many epochs as its steps need."""
    per_epoch = max(1, rows // wanted.network.batch)
    epochs = max(wanted.network.epochs, ceil(wanted.steps / per_epoch))
    return replace(wanted.network, epochs=epochs)


def _find_error(predicted: Floats, target: Floats, weight: Floats) -> float:
    """Root of the mean squared error of a random row of a random unit."""
    return float(np.sqrt(np.average((np.clip(predicted, 0.0, 1.0) - target) ** 2, weights=weight)))


def _check_intervals(
    predicted: Floats, actual: Floats, whole: Floats, below: Floats, fold: Ints, wanted: TrainingSettings
) -> dict[str, float]:
    """Coverage and mean width by both weights, each fold judged by offsets from the other folds."""
    held, width = np.zeros(predicted.shape[0]), np.zeros(predicted.shape[0])
    weight = mix_weights(whole, below)
    for f in range(int(fold.max()) + 1):
        inside, outside = fold != f, fold == f
        units = round(float(whole[inside].sum()))
        offsets = fit_offsets(predicted[inside], actual[inside], weight[inside], units, wanted.cap, wanted.coverage)
        low, high = offsets.find_interval(predicted[outside], wanted.cap)
        held[outside] = (low <= actual[outside]) & (actual[outside] <= high)
        width[outside] = high - low
    return {
        "coverage": float(np.average(held, weights=whole)),
        "coverage_below_cap": float(np.average(held, weights=below)),
        "width": float(np.average(width, weights=whole)),
    }
