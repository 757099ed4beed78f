"""Remaining life of turbofan engines (NASA C-MAPSS), by folds of units of the training files.

    python -m benchmarks.rul_cmapss --data $FOREWARN_DATA [--only FD001] [--folds 5] [--cuts 10] [--draws 6] [--json]

Every fold trains the product's model on the other units, as `forewarn rul train` does with its defaults, and forecasts
the units that were left out at random cycles (each cut `--cuts` times, from the 20th cycle on), from the rows before
the cut alone. y = min(life, 125), the forecast is cut to [0, 125]. Two shapes of cuts: any cycle of a life, and any
cycle with at most 150 to come. Folds train on a fifth fewer units than the product would. Figures are of the first draw
of cuts; `draws` says how much they move with the draw, the same models given.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomaly.rul.model import RulModel
from anomaly.rul.run_table import RunTable, load_runs
from anomaly.rul.training import TrainingSettings, train_model
from benchmarks.rul_scores import LifeScores, draw_cuts, find_life_scores, find_spread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CAP = 125.0
SHORTEST = 20
SHAPES = {"any_cycle": 10_000, "at_most_150_to_come": 150}
# RMSE on NASA's test files, capped at 125: (who, FD001..FD004). They are other units than those of the folds.
PUBLISHED = (
    ("AIDGN (2026)", (11.46, 12.63, 10.52, 13.03)),
    ("FC-STGNN", (11.62, 13.04, 11.52, 13.52)),
    ("LightGBM", (12.5, 13.4, 12.5, 14.1)),
)


def take_units(table: RunTable, units: Ints, rows_kept: Ints | None = None) -> RunTable:
    """The table of these units alone, each with its first `rows_kept` rows."""
    kept = table.lengths[units] if rows_kept is None else rows_kept
    rows = np.concatenate([np.arange(table.starts[u], table.starts[u] + n) for u, n in zip(units, kept, strict=True)])
    return RunTable(
        columns=table.columns,
        unit_names=tuple(table.unit_names[u] for u in units),
        starts=np.concatenate(([0], np.cumsum(kept))).astype(np.int64),
        cycle=table.cycle[rows],
        values=table.values[rows],
        source_rows=np.arange(rows.size),
    )


def take_columns(table: RunTable, model: RulModel) -> RunTable:
    """The table with the model's columns alone."""
    places = [table.columns.index(name) for name in model.columns]
    return RunTable(
        model.columns, table.unit_names, table.starts, table.cycle, table.values[:, places], table.source_rows
    )


def measure_file(
    file: Path, folds: int, cuts: int, draws: int, seed: int, settings: TrainingSettings
) -> dict[str, Any]:
    """The figures of one training file."""
    table = load_runs([file], "unit", "cycle")
    units = len(table.unit_names)
    lengths = table.lengths
    rng = np.random.default_rng(seed)
    fold_of_unit = np.empty(units, dtype=np.int64)
    fold_of_unit[rng.permutation(units)] = np.arange(units) % folds
    sources = [rng, *(np.random.default_rng((seed, draw)) for draw in range(1, draws))]
    drawn = [
        {
            shape: draw_cuts(lengths, cuts, source, shortest=SHORTEST, longest_life=longest)
            for shape, longest in SHAPES.items()
        }
        for source in sources
    ]
    chosen = {shape: np.concatenate([cut[shape] for cut in drawn], axis=1) for shape in SHAPES}
    answers = {shape: np.empty((3, units, draws * cuts)) for shape in SHAPES}
    differences, seconds = [], []
    for fold in range(folds):
        began = time.monotonic()
        model = train_model(take_units(table, np.flatnonzero(fold_of_unit != fold)), settings, {})
        seconds.append(time.monotonic() - began)
        held = np.flatnonzero(fold_of_unit == fold)
        whole = take_columns(take_units(table, held), model)
        found = model.predict(whole)
        for shape, last in chosen.items():
            rows = whole.starts[:-1, None] + last[held]
            answers[shape][:, held] = np.stack([found.rul[rows], found.low[rows], found.high[rows]])
        # The forecast of a unit that is really cut is the same: nothing behind the cut is looked at.
        short = take_columns(take_units(table, held, chosen["any_cycle"][held, 0] + 1), model)
        differences.append(model.predict(short).rul[short.starts[1:] - 1] - answers["any_cycle"][0, held, 0])
        print(f"{file.name}: fold {fold + 1} of {folds}, trained in {seconds[-1]:.0f} s", file=sys.stderr)
    scores: dict[str, list[LifeScores]] = {shape: [] for shape in SHAPES}
    for shape, last in chosen.items():
        actual = (lengths[:, None] - 1 - last).astype(np.float64)
        for draw in range(draws):
            part = slice(draw * cuts, (draw + 1) * cuts)
            rul, low, high = (answer[:, part].reshape(-1) for answer in answers[shape])
            truth = actual[:, part].reshape(-1)
            scores[shape].append(find_life_scores(rul, low, high, truth, cap=CAP, per_unit=cuts))
    return {
        "units": units,
        "regimes": model.regimes.count,
        "states": model.factors.count,
        "train_s": round(float(np.median(seconds)), 1),
        "largest_change_when_cut": float(np.abs(np.concatenate(differences)).max()),
        **{shape: asdict(found[0]) | {"draws": find_spread(found)} for shape, found in scores.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures as one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FOREWARN_DATA"), help="default: $FOREWARN_DATA")
    parser.add_argument("--only", help="one data set, such as FD001")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=10, help="forecasts a unit and shape")
    parser.add_argument("--draws", type=int, default=6, help="sets of such cuts, at least one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="only the last line")
    options = parser.parse_args(arguments)
    files = sorted((options.data / "cmapss").glob("train_*.csv.gz")) if options.data else []
    if not files:
        print("No C-MAPSS here: --data (or FOREWARN_DATA) names a folder with cmapss/train_FD001.csv.gz and others.")
        print(json.dumps({"skipped": "no data"}))
        return
    found: dict[str, Any] = {}
    for number, file in enumerate(files):
        name = file.name.removeprefix("train_").removesuffix(".csv.gz")
        if options.only and name != options.only:
            continue
        found[name] = measure_file(
            file, options.folds, options.cuts, max(1, options.draws), options.seed, TrainingSettings(cap=CAP)
        )
        if not options.json:
            any_cycle = found[name]["any_cycle"]
            print(
                f"{name}  RMSE {any_cycle['rmse']:.2f}  S {any_cycle['s_score']:.0f}  "
                f"coverage {any_cycle['coverage']:.3f}  width {any_cycle['width']:.1f}"
            )
            for who, figures in PUBLISHED:
                if number < len(figures):
                    print(f"       {who}, test file: RMSE {figures[number]:.2f}")
    print(json.dumps({"cap": CAP, "folds": options.folds, "cuts": options.cuts, "sets": found}))


if __name__ == "__main__":
    main()
