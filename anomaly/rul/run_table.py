"""Tables of devices from their first cycle on: read from CSV, checked, and sorted by unit and cycle."""

import csv
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from domain.counting import say_count
from domain.errors import ForewarnError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = 1e100  # of a value: its square, times what it is divided by, is a number still
MISSING = frozenset(("", "na", "nan", "null", "none", "n/a"))


class RunDataError(ForewarnError):
    """The recorded runs cannot be used."""


@dataclass(frozen=True, slots=True)
class RunTable:
    """Rows of all units, those of a unit together, by cycle; columns by name, whatever their order in the file.

    Attributes
    ----------
    columns
        Names of the sensors and settings, sorted.
    unit_names
        One entry a unit, as the file writes it.
    starts
        The first row of each unit, and the number of rows at the end.
    cycle
        Rising within a unit, shape (rows,).
    values
        Shape (rows, columns), NaN where a cell is empty.
    source_rows
        Each row's place in the files that were read, from 0.
    text_columns
        Columns without a single number, such as dates and notes; they are left out.
    """

    columns: tuple[str, ...]
    unit_names: tuple[str, ...]
    starts: Ints
    cycle: Floats
    values: Floats
    source_rows: Ints
    text_columns: tuple[str, ...] = ()

    @property
    def lengths(self) -> Ints:
        """Rows of each unit."""
        return np.diff(self.starts)

    @property
    def unit_of_row(self) -> Ints:
        """The unit's number of each row."""
        return np.repeat(np.arange(len(self.unit_names)), self.lengths)

    def find_hash(self) -> str:
        """SHA-256 of names and values; the same whatever the order of columns and units in the files."""
        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        for number in sorted(range(len(self.unit_names)), key=lambda u: self.unit_names[u]):
            rows = slice(int(self.starts[number]), int(self.starts[number + 1]))
            digest.update(b"\x1e" + self.unit_names[number].encode() + b"\x1f")
            digest.update(self.cycle[rows].tobytes() + self.values[rows].tobytes())
        return digest.hexdigest()


def load_runs(
    files: Sequence[Path],
    unit: str,
    cycle: str,
    *,
    columns: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> RunTable:
    """The rows of all files; units of different files are different units, though they have the same name.

    Parameters
    ----------
    columns
        The columns wanted, or None for all but those of `ignore` and those that hold text alone.

    Raises
    ------
    RunDataError
        With file, line and column: a column that is missing or named twice, a cell that is no number, a unit that has
        a cycle twice, files whose columns differ, or no row at all.
    """
    names: list[str] = []
    unit_names: list[str] = []
    units: list[int] = []
    blocks: list[Floats] = []
    wanted = None if columns is None else sorted(columns)
    text_columns: set[str] = set()
    for file in files:
        header, rows, lines = _read_rows(file)
        for name in (unit, cycle, *(wanted or ())):
            if name not in header:
                raise RunDataError(f"{file.name}: no column {name!r}; there are {', '.join(header)}.")
        absent = [name for name in ignore if name not in header]
        if absent:
            raise RunDataError(f"{file.name}: no column {absent[0]!r} to ignore; there are {', '.join(header)}.")
        found = wanted or sorted(set(header) - {unit, cycle} - set(ignore))
        if wanted is None:
            text = {name for name in found if _is_text([row[header.index(name)] for row in rows])}
            text_columns |= text
            found = [name for name in found if name not in text]
        if names and found != names:
            other = sorted(set(found) ^ set(names))
            raise RunDataError(f"{file.name}: columns differ from those of {files[0].name}: {', '.join(other)}.")
        names = found
        if not names:
            raise RunDataError(f"{file.name}: no column beside {unit!r} and {cycle!r}.")
        places = [header.index(name) for name in (cycle, *names)]
        blocks.append(_to_numbers(file, rows, lines, places, (cycle, *names)))
        place = header.index(unit)
        numbers: dict[str, int] = {}
        for row, line in zip(rows, lines, strict=True):
            label = row[place].strip()
            if not label:
                raise RunDataError(f"{file.name}, line {line}, column {unit!r}: empty.")
            if label not in numbers:
                numbers[label] = len(unit_names)
                unit_names.append(label)
            units.append(numbers[label])
        _check_cycles(file, blocks[-1][:, 0], units[-len(rows) :], unit_names, lines, cycle)
    if not units:
        raise RunDataError("No file was given.")
    unit_of_row = np.asarray(units, dtype=np.int64)
    table = np.concatenate(blocks)
    order = np.lexsort((table[:, 0], unit_of_row))
    counts = np.bincount(unit_of_row, minlength=len(unit_names))
    return RunTable(
        columns=tuple(names),
        unit_names=tuple(unit_names),
        starts=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        cycle=table[order, 0],
        values=table[order, 1:],
        source_rows=order.astype(np.int64),
        text_columns=tuple(sorted(text_columns)),
    )


@contextmanager
def open_text(file: Path) -> Iterator[TextIO]:
    """The file as text; what ends in .gz is unpacked."""
    if file.suffix == ".gz":
        with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    else:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            yield stream


def _read_rows(file: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows that are not empty, and the line in the file that each one ends at."""
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with open_text(file) as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
                    if len(row) != len(header):
                        raise RunDataError(
                            f"{file.name}, line {reader.line_num}: {say_count(len(row), 'cell')}, "
                            f"but {say_count(len(header), 'column')}."
                        )
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError) as problem:
        raise RunDataError(f"{file.name}: no CSV: {problem}.") from problem
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise RunDataError(f"{file.name}: the column {twice[0]!r} is there twice.")
    if not rows:
        raise RunDataError(f"{file.name}: no rows.")
    return header, rows, lines


def _to_numbers(file: Path, rows: list[list[str]], lines: list[int], places: list[int], names: Sequence[str]) -> Floats:
    """The columns at these places, shape (rows, places); the first of them, the cycle, is never empty."""
    table = np.empty((len(rows), len(places)))
    for i, place in enumerate(places):
        cells = [row[place] for row in rows]
        try:
            table[:, i] = np.asarray(cells, dtype=np.float64)
        except ValueError:
            table[:, i] = [_to_number(file, cell, line, names[i]) for cell, line in zip(cells, lines, strict=True)]
    table[~(np.abs(table) <= LARGEST)] = np.nan
    empty = np.flatnonzero(np.isnan(table[:, 0]))
    if empty.size:
        raise RunDataError(f"{file.name}, line {lines[int(empty[0])]}, column {names[0]!r}: empty.")
    return table


def _is_text(cells: Sequence[str]) -> bool:
    """No cell is a number, and not all are empty."""
    seen = [cell.strip() for cell in cells if cell.strip().lower() not in MISSING]
    return bool(seen) and not any(_is_number(cell) for cell in seen)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _to_number(file: Path, cell: str, line: int, name: str) -> float:
    text = cell.strip()
    if text.lower() in MISSING:
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise RunDataError(
            f"{file.name}, line {line}, column {name!r}: {text!r} is no number. "
            f"A column of text is left out with --ignore {name}."
        ) from None


def _check_cycles(
    file: Path, cycle: Floats, units: Sequence[int], unit_names: Sequence[str], lines: Sequence[int], name: str
) -> None:
    order = np.lexsort((cycle, np.asarray(units)))
    unit = np.asarray(units)[order]
    same = np.flatnonzero((unit[1:] == unit[:-1]) & (np.diff(cycle[order]) == 0))
    if same.size:
        place = int(order[same[0] + 1])
        raise RunDataError(
            f"{file.name}, line {lines[place]}, column {name!r}: unit {unit_names[units[place]]!r} has "
            f"{cycle[place]:g} twice."
        )
