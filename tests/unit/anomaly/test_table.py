"""Recordings as CSV files: what is read, what is refused and how, and which scorer takes them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from anomaly.offline import table
from anomaly.offline.contract import ScoredTable
from anomaly.offline.table import Table, pick_scorer, read_table, write_scores
from domain.errors import RecordingError

SECOND = 1_000_000


def _write(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    "times",
    [
        ("2026-11-22 07:30:00", "2026-11-22 07:30:01"),
        ("2026-11-22T07:30:00Z", "2026-11-22T07:30:01Z"),
        ("2026-11-22T08:30:00+01:00", "2026-11-22 08:30:01+01:00"),
        ("1795332600", "1795332601"),
        ("1795332600.0", "1795332601.0"),
        ("1795332600000", "1795332601000"),
        ("1795332600000000", "1795332601000000"),
    ],
)
def test_times_in_every_spelling(tmp_path: Path, times: tuple[str, str]) -> None:
    path = _write(tmp_path, f"t,x\n{times[0]},1\n{times[1]},2\n")
    assert read_table(path, "t", ["x"]).at_us.tolist() == [1_795_332_600 * SECOND, 1_795_332_601 * SECOND]


def test_steps_are_seconds_and_a_clock_that_goes_back_stands_still(tmp_path: Path) -> None:
    path = _write(tmp_path, "t,x\n0,1\n5,1\n3,1\n6.5,1\n")
    assert read_table(path, "t", ["x"]).at_us.tolist() == [0, 5 * SECOND, 5 * SECOND, 6_500_000]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_columns_are_taken_in_the_order_asked_for(tmp_path: Path, name: str, delimiter: str) -> None:
    text = "\ufeff" + "t,a,b\n0,1,2\n\n1,,nan\n2,True,inf\n".replace(",", delimiter)
    found = read_table(_write(tmp_path, text, name), "t", ["b", "a"])
    assert found.columns == ("b", "a")
    assert np.array_equal(found.values, np.array([[2, 1], [np.nan, np.nan], [np.nan, 1]]), equal_nan=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t,x\n0,1\n1,wet\n", "a.csv, line 3, column x: 'wet' is no number"),
        ("t,x\n0,1\nnoon,1\n", "a.csv, line 3, column t: 'noon' is no number, as the first time was"),
        ("t,x\nnoon,1\n", "a.csv, line 2, column t: 'noon' is neither a number nor a time"),
        ("t,x\n0,1\n1\n", "a.csv, line 3: 1 cell, but 2 columns"),
        ("t,y\n0,1\n", "a.csv, line 1: column 'x' is not among t, y"),
        ("t,x,x\n0,1,2\n", "a.csv, line 1: column 'x' is there more than once"),
        ("s,x\n0,1\n", "a.csv, line 1: no column 't'"),
        ("t,x\n", "a.csv has no rows"),
        ("", "a.csv, line 1: no column 't'"),
        ("t,x\n0,1\n1e30,1\n", "a.csv, line 3, column t: '1e30' lies outside of all time"),
        ("t,x\nnan,1\n", "a.csv, line 2, column t: 'nan' is no number"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RecordingError) as caught:
        read_table(_write(tmp_path, text), "t", ["x"])
    assert said in str(caught.value)


def test_bytes_that_are_no_text_and_a_cut_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"t,x\n0,1\n1,\xff\n")
    with pytest.raises(RecordingError, match="no UTF-8"):
        read_table(path, "t", ["x"])
    path.write_bytes(gzip.compress(b"t,x\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(5_000)))[:-300])
    with pytest.raises(RecordingError):
        read_table(path, "t", ["x"])


def _pick(values: object, warmup: int | None = None) -> str:
    array = np.asarray(values, dtype=np.float64)
    columns = tuple(f"c{i}" for i in range(array.shape[1]))
    return pick_scorer(Table(columns, np.arange(array.shape[0]), array), warmup).__module__


def test_the_scorer_follows_from_the_columns_and_the_first_rows() -> None:
    random = np.random.default_rng(1)
    sensors = random.normal(0, 1, (1_000, 3))
    assert _pick(sensors[:, :1]) == "anomaly.offline.univariate"
    assert _pick(sensors) == "anomaly.offline.joint"
    commands = np.column_stack((sensors[:, 0], random.integers(0, 2, (1_000, 4))))
    assert _pick(commands) == "anomaly.offline.telemetry"
    later = sensors.copy()
    later[:300, 1:] = 0.0
    assert (_pick(later, 200), _pick(later)) == ("anomaly.offline.telemetry", "anomaly.offline.joint")
    assert table.LOOK_ROWS > 300


def test_rows_in_rows_out(tmp_path: Path) -> None:
    path = _write(tmp_path, "t;x;y\n2026-11-22 07:30:00;1;2\n\n2026-11-22 07:31:00;3;4\n")
    scored = ScoredTable(
        np.array([0.0, 3.25]),
        np.array([False, True]),
        np.array(["warming", "alarm"], dtype=np.object_),
        np.array(["", "novelty.season"], dtype=np.object_),
        [(), (("x", 0.75), ("y", 0.25))],
    )
    out = tmp_path / "out.csv"
    write_scores(path, "t", scored, out)
    assert out.read_text().splitlines() == [
        "time,score,alarm,state,detector,contributions",
        "2026-11-22 07:30:00,0,0,warming,,",
        '2026-11-22 07:31:00,3.25,1,alarm,novelty.season,"{""x"": 0.75, ""y"": 0.25}"',
    ]


def test_a_column_of_healthy_steps_has_no_hours_of_the_day(tmp_path: Path) -> None:
    steps, clock = tmp_path / "steps.csv", tmp_path / "clock.csv"
    steps.write_text("step,value\n" + "".join(f"{i},1.5\n" for i in range(20)))
    clock.write_text("time,value\n" + "".join(f"2026-03-01 00:{i:02d}:00,1.5\n" for i in range(20)))
    stepped, timed = read_table(steps, "step", ["value"]), read_table(clock, "time", ["value"])
    assert (stepped.has_clock, timed.has_clock) == (False, True)
    assert pick_scorer(stepped, 10).__module__ == "anomaly.offline.telemetry"
    assert pick_scorer(stepped, None).__module__ == "anomaly.offline.univariate"
    assert pick_scorer(timed, 10).__module__ == "anomaly.offline.univariate"
