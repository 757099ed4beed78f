"""`forewarn rul` from a file to a file: what it writes, what it says, and what it exits with."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from forewarn.cli import build_app
from tests.support.runs_to_failure import make_runs, write_runs


def run(*words: object) -> Result:
    return CliRunner().invoke(build_app(["rul"]), ["rul", *map(str, words)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rul")
    file = write_runs(folder / "runs.csv", make_runs(3, seed=1, shortest=30, longest=60))
    words = ("--unit", "unit", "--cycle", "cycle", "--cap", 40, "--settings", "none", "--out", folder / "model")
    answer = run("train", file, *words)
    assert answer.exit_code == 0, answer.output
    (folder / "said.txt").write_text(" ".join(answer.stderr.split()))
    return folder


def test_every_row_gets_its_line_in_the_order_of_the_file(trained: Path) -> None:
    rows = make_runs(3, seed=2, shortest=20, longest=30)[::-1]
    file = write_runs(trained / "now.csv", rows)
    answer = run("predict", trained / "model", file, "--out", trained / "out" / "remaining.csv", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["rows"] == len(rows)
    with (trained / "out" / "remaining.csv").open() as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == ["unit", "cycle", "rul", "low", "high"]
    assert [(line["unit"], line["cycle"]) for line in found] == [(row[0], row[1]) for row in rows]
    assert all(0 <= float(line["low"]) <= float(line["rul"]) <= float(line["high"]) <= 40 for line in found)


def test_a_column_that_the_model_needs_is_named(trained: Path) -> None:
    rows = make_runs(1, seed=3)
    file = write_runs(trained / "strange.csv", rows, ("unit", "cycle", "load", "warmth", "sound", "speed", "plate"))
    answer = run("predict", trained / "model", file, "--out", trained / "none.csv")
    assert answer.exit_code == 1
    assert "no column 'heat'" in str(answer.exception)
    assert not (trained / "none.csv").exists()


def test_people_are_told_what_was_learnt_and_scripts_find_it_in_the_record(trained: Path) -> None:
    said = (trained / "said.txt").read_text()
    assert "of 3 units, 5 columns" in said
    assert "Not used, because they never move: load, plate" in said
    assert "On units that were left out: off by" in said
    record = json.loads((trained / "model" / "model.json").read_text())
    assert record["data"]["units"] == 3
    assert record["provenance"]["files"][0]["name"] == "runs.csv"
    assert record["provenance"]["unit_column"] == "unit"
    assert record["training"]["cap"] == 40
    assert 0 < record["metrics"]["rmse"] < 40


def test_a_bad_option_is_refused(trained: Path) -> None:
    assert run("train", trained / "runs.csv", "--unit", "unit", "--out", trained / "x").exit_code == 2
    refused = run("train", trained / "runs.csv", "--unit", "serial", "--cycle", "cycle", "--out", trained / "x")
    assert refused.exit_code == 1
    assert "no column 'serial'" in str(refused.exception)
    now = write_runs(trained / "own.csv", make_runs(1, seed=4))
    before = now.read_bytes()
    assert run("predict", trained / "model", now, "--out", now).exit_code == 2
    assert now.read_bytes() == before
    single = write_runs(trained / "single.csv", [row for row in make_runs(4, seed=5) if float(row[1]) == 1])
    refused = run("train", single, "--unit", "unit", "--cycle", "cycle", "--out", trained / "x")
    assert "No unit has more than one row" in str(refused.exception)
