"""Files of runs: sorted, whatever their order, and refused with file, line, column and reason."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from anomaly.rul.run_table import RunDataError, load_runs


def write(folder: Path, text: str, name: str = "runs.csv") -> Path:
    file = folder / name
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text, encoding="utf-8")
    return file


def test_rows_come_by_unit_and_cycle_and_columns_by_name(tmp_path: Path) -> None:
    text = "b,unit,cycle,a\n1,x,2,10\n2,y,1,20\n\n3,x,1,\n"
    for name in ("runs.csv", "runs.csv.gz"):
        table = load_runs([write(tmp_path, text, name)], "unit", "cycle")
        assert table.columns == ("a", "b")
        assert table.unit_names == ("x", "y")
        assert table.starts.tolist() == [0, 2, 3]
        assert table.cycle.tolist() == [1, 2, 1]
        assert np.array_equal(table.values, np.asarray([[np.nan, 3], [10, 1], [20, 2]]), equal_nan=True)
        assert table.source_rows.tolist() == [2, 0, 1]


def test_the_same_name_in_two_files_is_two_units(tmp_path: Path) -> None:
    files = [write(tmp_path, f"unit,cycle,a\n1,1,{i}\n1,2,{i}\n", f"{i}.csv") for i in range(2)]
    table = load_runs(files, "unit", "cycle")
    assert table.unit_names == ("1", "1")
    assert table.values[:, 0].tolist() == [0, 0, 1, 1]


def test_the_hash_does_not_follow_the_order_of_the_file(tmp_path: Path) -> None:
    first = load_runs([write(tmp_path, "unit,cycle,a,b\nx,1,1,2\ny,1,3,4\n")], "unit", "cycle")
    other = load_runs([write(tmp_path, "b,cycle,unit,a\n4,1,y,3\n2,1,x,1\n")], "unit", "cycle")
    third = load_runs([write(tmp_path, "b,cycle,unit,a\n4,1,y,3\n2,1,x,9\n")], "unit", "cycle")
    assert first.find_hash() == other.find_hash() != third.find_hash()


def test_columns_of_text_alone_are_left_out(tmp_path: Path) -> None:
    table = load_runs([write(tmp_path, "unit,cycle,a,at,empty\nx,1,1,2026-01-01 10:00,\nx,2,1,,\n")], "unit", "cycle")
    assert (table.columns, table.text_columns) == (("a", "empty"), ("at",))


def test_columns_are_chosen_or_left_out(tmp_path: Path) -> None:
    file = write(tmp_path, "unit,cycle,a,note\nx,1,1,2\n")
    assert load_runs([file], "unit", "cycle", ignore=["note"]).columns == ("a",)
    assert load_runs([file], "unit", "cycle", columns=["a"]).columns == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unit,time,a\nx,1,1\n", r"runs.csv: no column 'cycle'; there are unit, time, a"),
        ("unit,cycle,a\nx,1,1\nx,2,oops\n", r"runs.csv, line 3, column 'a': 'oops' is no number.*--ignore a"),
        ("unit,cycle,a\nx,1,1\nx,,2\n", r"line 3, column 'cycle': empty"),
        ("unit,cycle,a\nx,1,1\n,2,2\n", r"line 3, column 'unit': empty"),
        ("unit,cycle,a\nx,1,1\nx,2\n", r"line 3: 2 cells, but 3 columns"),
        ("unit,cycle,a\nx,1,1\ny,1,1\nx,1,2\n", r"line 4, column 'cycle': unit 'x' has 1 twice"),
        ("unit,cycle,a,a\nx,1,1,1\n", r"column 'a' is there twice"),
        ("unit,cycle,a\n", r"no rows"),
        ("", r"no rows"),
        ("unit,cycle\nx,1\n", r"no column beside 'unit' and 'cycle'"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RunDataError, match=message):
        load_runs([write(tmp_path, text)], "unit", "cycle")


def test_files_must_agree_and_columns_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    first = write(tmp_path, "unit,cycle,a\nx,1,1\n", "first.csv")
    second = write(tmp_path, "unit,cycle,b\nx,1,1\n", "second.csv")
    with pytest.raises(RunDataError, match=r"second.csv: columns differ from those of first.csv: a, b"):
        load_runs([first, second], "unit", "cycle")
    with pytest.raises(RunDataError, match="no column 'heat'"):
        load_runs([first], "unit", "cycle", columns=["heat"])
    with pytest.raises(RunDataError, match="to ignore"):
        load_runs([first], "unit", "cycle", ignore=["heat"])


def test_a_broken_archive_is_no_csv(tmp_path: Path) -> None:
    file = tmp_path / "runs.csv.gz"
    file.write_bytes(b"not packed at all")
    with pytest.raises(RunDataError, match="no CSV"):
        load_runs([file], "unit", "cycle")
