"""A recording as a CSV file (gzip too): read row by row into plain arrays, scored, and written with one row per row.

Memory is that of the numbers alone: eight bytes per cell that was asked for. Time is ISO 8601 (also with a blank
instead of the T; without an offset it is UTC), seconds, milliseconds, microseconds or nanoseconds since 1970, or any
number that counts steps, of which one is taken as a second. A time that goes back is taken as the latest one before it.
"""

import csv
import gzip
import json
import math
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

import numpy as np

from anomaly.detectors.contract import Floats, Ints
from anomaly.offline.contract import ScoredTable, TableScorer
from domain.counting import say_count
from domain.errors import RecordingError

GZIP = b"\x1f\x8b"
DELIMITERS = (",", ";", "\t", "|")
EMPTY = frozenset({"", "nan", "na", "n/a", "null", "none", "-nan"})
WORDS = {"true": 1.0, "false": 0.0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Microseconds per unit of a number of at least this size: what counts from 1970 gives away its unit after 1973.
UNITS_FROM = ((1e17, 1e-3), (1e14, 1.0), (1e11, 1e3), (1e8, 1e6))
STEP_US = 1e6
FURTHEST_US = 2**62
LARGEST = 1e30  # of a value: what detectors keep in four bytes holds it, and its differences
COLUMNS_OUT = ("time", "score", "alarm", "state", "detector", "contributions")
LOOK_ROWS = 500  # of a table without a warm-up, by which the scorer is picked
COMMAND_VALUES = 3  # a column of at most so many distinct values is a command, not a measurement


@dataclass(frozen=True, slots=True)
class Table:
    """The wanted columns of a recording: `at_us` shape (rows,), never falling; `values` shape (rows, columns).

    `has_clock` is False where the time column counts steps, so that no hour of a day can be told from it.
    """

    columns: tuple[str, ...]
    at_us: Ints
    values: Floats
    has_clock: bool = True


def read_table(path: Path, time: str, columns: Sequence[str]) -> Table:
    """The recording in `path`; an empty cell is NaN.

    Raises
    ------
    RecordingError
        What is wrong, with line and column.
    """
    at_us, cells = array("q"), array("d")
    to_us: Callable[[str], int] | None = None
    has_clock = True
    latest = -(2**63)
    for line, when, values in _iterate_rows(path, time, columns):
        try:
            if to_us is None:
                to_us, has_clock = _find_clock(when)
            latest = max(latest, to_us(when))
        except (ValueError, OverflowError) as problem:
            raise RecordingError(f"{path.name}, line {line}, column {time}: {problem}") from None
        at_us.append(latest)
        for column, text in zip(columns, values, strict=True):
            try:
                cells.append(_to_number(text))
            except ValueError:
                raise RecordingError(f"{path.name}, line {line}, column {column}: {text!r} is no number.") from None
    if not at_us:
        raise RecordingError(f"{path.name} has no rows below its header.")
    shape = (len(at_us), len(columns))
    matrix = np.array(cells, dtype=np.float64).reshape(shape)
    return Table(tuple(columns), np.array(at_us, dtype=np.int64), matrix, has_clock)


def pick_scorer(table: Table, warmup: int | None) -> TableScorer:
    """The scorer for a table of this kind, by its columns and first rows alone.

    One column is scored by itself. Several of which all but the first hold only a few distinct values are one channel
    and the commands that move it, and so is one column of healthy steps without a clock: it has no hours of the day to
    be strange at, which is most of what one column is scored by. Anything else is a device of several sensors.
    """
    if len(table.columns) == 1 and (table.has_clock or warmup is None):
        return _find_scorer("univariate", "score_univariate")
    head = table.values[: warmup or LOOK_ROWS, 1:]
    if all(np.unique(column[np.isfinite(column)]).shape[0] <= COMMAND_VALUES for column in head.T):
        return _find_scorer("telemetry", "score_telemetry")
    return _find_scorer("joint", "score_joint")


def _find_scorer(module: str, name: str) -> TableScorer:
    # Imported when picked: each brings models of its own.
    scorer: TableScorer = getattr(import_module(f"anomaly.offline.{module}"), name)
    return scorer


def score_table(table: Table, warmup: int | None) -> ScoredTable:
    """The scores and alarms of a recording, each from its row and those before it."""
    return pick_scorer(table, warmup)(table.columns, table.at_us, table.values, warmup)


def write_scores(path: Path, time: str, scored: ScoredTable, out: Path) -> None:
    """Writes `out`: one row per row of `path`, in its order, with the time as it stands there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS_OUT)
        for row, (_, when, _) in enumerate(_iterate_rows(path, time, ())):
            shares = {name: round(share, 4) for name, share in scored.contributions[row]}
            writer.writerow(
                (
                    when,
                    f"{scored.score[row]:.6g}",
                    int(scored.alarm[row]),
                    scored.state[row],
                    scored.detector[row],
                    json.dumps(shares, ensure_ascii=False) if shares else "",
                )
            )


def _iterate_rows(path: Path, time: str, columns: Sequence[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(line, time, wanted cells) of every row, as text; empty lines are no rows."""
    with path.open("rb") as raw:
        packed = raw.read(len(GZIP)) == GZIP
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as opened:
            text = TextIOWrapper(opened, encoding="utf-8-sig", newline="")
            delimiter, header = _read_header(text, path, time)
            places = [_find_column(header, name, path) for name in (time, *columns)]
            reader = csv.reader(text, delimiter=delimiter)
            for cells in reader:
                if not cells:
                    continue
                line = reader.line_num + 1  # the header was read before
                if len(cells) != len(header):
                    raise RecordingError(
                        f"{path.name}, line {line}: {say_count(len(cells), 'cell')}, "
                        f"but {say_count(len(header), 'column')}."
                    )
                yield line, cells[places[0]].strip(), [cells[place] for place in places[1:]]
    except UnicodeDecodeError as problem:
        raise RecordingError(f"{path.name} is no UTF-8 text: {problem.reason} at byte {problem.start}.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error, csv.Error) as problem:
        raise RecordingError(f"{path.name}: {problem}.") from None


def _read_header(text: TextIOWrapper, path: Path, time: str) -> tuple[str, list[str]]:
    """The delimiter by which the first line has the time column, and its columns."""
    first = text.readline()
    for delimiter in DELIMITERS:
        header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
        if time in header:
            return delimiter, header
    raise RecordingError(f"{path.name}, line 1: no column {time!r} in {first.strip()[:200]!r}.")


def _find_column(header: Sequence[str], name: str, path: Path) -> int:
    if header.count(name) != 1:
        reason = "is there more than once" if name in header else f"is not among {', '.join(header)}"
        raise RecordingError(f"{path.name}, line 1: column {name!r} {reason}.")
    return header.index(name)


def _to_number(text: str) -> float:
    """The number in a cell; NaN where it is empty, not finite, or beyond what can be reckoned with."""
    try:
        value = float(text)
    except ValueError:
        word = text.strip().lower()
        if word in EMPTY:
            return math.nan
        if word in WORDS:
            return WORDS[word]
        raise
    return value if abs(value) <= LARGEST else math.nan


def _find_clock(first: str) -> tuple[Callable[[str], int], bool]:
    """How to read the time column, by its first cell: text to microseconds since 1970; and whether it has a clock."""
    try:
        size = abs(float(first))
    except ValueError:
        return _read_instant, True
    unit = next((unit for least, unit in UNITS_FROM if size >= least), None)
    return lambda text: _read_count(text, STEP_US if unit is None else unit), unit is not None


def _read_instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor a time such as 2026-11-22 07:30:00.") from None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND


def _read_count(text: str, unit: float) -> int:
    try:
        at_us = round(float(text) * unit)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no number, as the first time was.") from None
    if abs(at_us) > FURTHEST_US:
        raise ValueError(f"{text!r} lies outside of all time.")
    return at_us
