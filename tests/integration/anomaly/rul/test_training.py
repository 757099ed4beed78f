"""A model from files: what it must not depend on, what it must find, and what it says about bad files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomaly.rul.model import ARRAYS_FILE, RECORD_FILE, RulModel, RulModelError, load_model, record_model
from anomaly.rul.network import NetworkSettings
from anomaly.rul.run_table import RunDataError, RunTable, load_runs
from anomaly.rul.training import TrainingSettings, train_model
from tests.support.runs_to_failure import COLUMNS, Rows, make_runs, write_runs

Answers = dict[tuple[str, float], np.ndarray]

SMALL = TrainingSettings(
    cap=60.0, folds=3, networks=1, tree_rounds=25, steps=150, network=NetworkSettings(hidden=(16,), epochs=10)
)
RUNS = make_runs(16, seed=1, regimes=3)
NEW = make_runs(6, seed=2, regimes=3)


def load(folder: Path, rows: Rows, columns: tuple[str, ...] = ("unit", "cycle", *COLUMNS)) -> RunTable:
    file = write_runs(folder / "runs.csv", rows, columns)
    return load_runs([file], "unit", "cycle")


def predict(
    model: RulModel, folder: Path, rows: Rows, columns: tuple[str, ...] = ("unit", "cycle", *COLUMNS)
) -> Answers:
    """The forecast of each unit and cycle."""
    table = load_runs([write_runs(folder / "new.csv", rows, columns)], "unit", "cycle", columns=model.columns)
    found = model.predict(table)
    names = [table.unit_names[u] for u in table.unit_of_row]
    return {
        (name, cycle): np.asarray(answer)
        for name, cycle, *answer in zip(names, table.cycle, found.rul, found.low, found.high, strict=True)
    }


def assert_same(first: Answers, second: Answers, within: float) -> None:
    assert first.keys() == second.keys()
    for key, answer in first.items():
        np.testing.assert_allclose(answer, second[key], rtol=0, atol=within)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> RulModel:
    return train_model(load(tmp_path_factory.mktemp("runs"), RUNS), SMALL, {"unit_column": "unit"})


def test_it_forecasts_units_that_it_never_saw(model: RulModel, tmp_path: Path) -> None:
    found = predict(model, tmp_path, NEW)
    last = {unit: max(cycle for name, cycle in found if name == unit) for unit, _ in found}
    actual = np.asarray([min(last[unit] - cycle, 60.0) for unit, cycle in found])
    rul, low, high = np.asarray(list(found.values())).T
    assert float(np.sqrt(np.mean((rul - actual) ** 2))) < 8.0  # a constant guess is off by some 20
    assert 0.6 <= float(np.mean((low <= actual) & (actual <= high))) <= 0.95
    assert np.all((low >= 0) & (low <= rul) & (rul <= high) & (high <= 60))
    assert model.record["settings_columns"] == ["load"]
    assert model.record["unused_columns"] == ["plate"]
    assert model.record["metrics"]["rmse"] < 8.0


def test_later_rows_change_no_forecast(model: RulModel, tmp_path: Path) -> None:
    whole = predict(model, tmp_path, NEW)
    short = predict(model, tmp_path, [row for row in NEW if int(row[1]) <= 40])
    assert_same({key: answer for key, answer in whole.items() if key[1] <= 40}, short, 1e-4)


def test_order_and_names_of_units_and_columns_change_no_forecast(model: RulModel, tmp_path: Path) -> None:
    whole = predict(model, tmp_path, NEW)
    order = np.random.default_rng(1).permutation(len(NEW))
    renamed = [[f"new-{NEW[i][0]}", *NEW[i][1:]] for i in order]
    names = ("unit", "cycle", *COLUMNS)
    places = [6, 3, 0, 2, 5, 1, 4]
    mixed = predict(model, tmp_path, [[row[p] for p in places] for row in renamed], tuple(names[p] for p in places))
    assert_same({(f"new-{unit}", cycle): answer for (unit, cycle), answer in whole.items()}, mixed, 1e-4)


def test_training_does_not_depend_on_names_order_or_units_of_measure(model: RulModel, tmp_path: Path) -> None:
    whole = predict(model, tmp_path, NEW)

    def change(rows: Rows) -> Rows:
        """Other names of units, sensors in other units of measure, columns from right to left, units from the end."""
        changed = []
        for unit, cycle, *cells in rows:
            scaled = [repr(float(cell) * (1.8 + k) + 32.0) for k, cell in enumerate(cells)]
            changed.append([f"{999 - int(unit[1:]):03d}", cycle, *scaled][::-1])
        return sorted(changed, key=lambda row: (row[-1], float(row[-2])))

    names = ("unit", "cycle", *COLUMNS)[::-1]
    again = train_model(load(tmp_path, change(RUNS), names), SMALL, {})
    found = predict(again, tmp_path, change(NEW), names)
    back = {(f"U{999 - int(unit):03d}", cycle): answer for (unit, cycle), answer in found.items()}
    assert_same(whole, back, 1e-3)


def test_the_same_seed_gives_the_same_folder_and_another_one_does_not(model: RulModel, tmp_path: Path) -> None:
    table = load(tmp_path, RUNS)
    record_model(train_model(table, SMALL, {"unit_column": "unit"}), tmp_path / "again")
    record_model(model, tmp_path / "first")
    for name in (ARRAYS_FILE, RECORD_FILE):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    other = train_model(table, replace(SMALL, seed=2), {})
    assert other.record["metrics"] != model.record["metrics"]


def test_a_model_from_its_folder_forecasts_the_same(model: RulModel, tmp_path: Path) -> None:
    record_model(model, tmp_path / "model")
    back = load_model(tmp_path / "model")
    assert_same(predict(back, tmp_path, NEW), predict(model, tmp_path, NEW), 0.0)
    record = json.loads((tmp_path / "model" / RECORD_FILE).read_text())
    assert record["data"]["units"] == 16
    assert record["training"]["seed"] == 1
    assert record["provenance"] == {"unit_column": "unit"}
    assert len(record["features"]) == 2 + 16 * record["states"]


def test_a_folder_that_is_no_model_is_refused(model: RulModel, tmp_path: Path) -> None:
    with pytest.raises(RulModelError, match="missing"):
        load_model(tmp_path / "missing")
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RulModelError, match="not empty"):
        record_model(model, tmp_path)
    folder = tmp_path / "model"
    record_model(model, folder)
    record_model(model, folder)  # a model may be replaced
    arrays = (folder / ARRAYS_FILE).read_bytes()
    (folder / ARRAYS_FILE).write_bytes(arrays[:-1] + bytes([arrays[-1] ^ 1]))
    with pytest.raises(RulModelError, match="not what"):
        load_model(folder)
    (folder / RECORD_FILE).write_text('{"format": "something else"}')
    with pytest.raises(RulModelError, match="no record"):
        load_model(folder)


def test_missing_cells_single_rows_and_strange_settings_are_lived_with(model: RulModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [[*row[:2], *(("" if rng.random() < 0.2 and k else cell) for k, cell in enumerate(row[2:]))] for row in NEW]
    found = predict(model, tmp_path, rows)
    whole = predict(model, tmp_path, NEW)
    off = np.asarray([found[key][0] - whole[key][0] for key in whole])
    assert float(np.abs(off).mean()) < 4.0
    one = predict(model, tmp_path, [NEW[0], ["other", "1", "", "", "nan", "NA", ""]])
    assert all(np.isfinite(answer).all() for answer in one.values())
    strange = write_runs(tmp_path / "strange.csv", [[*row[:2], "77.7", *row[3:]] for row in NEW[:50]])
    assert model.predict(load_runs([strange], "unit", "cycle", columns=model.columns)).unknown_regime == 50


def test_short_lives_missing_cells_and_constant_columns_can_be_trained_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    rows = make_runs(5, seed=3, shortest=30, longest=40)
    rows += [
        ["short", "1", "0", "80", "5", "1000", "7"],
        ["two", "1", "0", "", "5", "", "7"],
        ["two", "2", *"123", "", ""],
    ]
    rows = [[*row[:2], *("" if rng.random() < 0.1 else cell for cell in row[2:])] for row in rows]
    model = train_model(load(tmp_path, rows), replace(SMALL, cap=20.0), {})
    found = predict(model, tmp_path, rows)
    assert all(np.isfinite(answer).all() for answer in found.values())
    assert model.record["data"]["shortest"] == 1


def test_progress_rises_to_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    train_model(load(tmp_path, RUNS[:900]), SMALL, {}, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))


def test_what_cannot_be_learnt_from_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunDataError, match="at least 3"):
        train_model(load(tmp_path, [row for row in RUNS if row[0] < "U002"]), SMALL, {})
    still = [[row[0], row[1], "1", "2", "3", "4", "5"] for row in RUNS]
    with pytest.raises(RunDataError, match="No sensor column moves"):
        train_model(load(tmp_path, still), SMALL, {})
    with pytest.raises(RunDataError, match="'weight'"):
        train_model(load(tmp_path, RUNS), replace(SMALL, settings=("weight",)), {})
