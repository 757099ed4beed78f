"""A recording in a CSV file as timed readings; what cannot be read is named by line and column and left out."""

import csv
import gzip
import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from domain.clock import to_micros
from domain.counting import say_count
from domain.errors import ConfigurationError
from simulators.settings import ReplaySettings

DELIMITERS = ";,\t|"
TIME_NAMES = ("time", "timestamp", "ts", "datetime", "date_time", "date", "observed_at")
MAX_ROWS = 5_000_000
KEPT_PROBLEMS = 1_000


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was left out; `line` counts from 1, the header included."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


@dataclass(slots=True)
class Recording:
    """The rows that could be read, in the order of the file."""

    sensors: tuple[str, ...]
    times_us: list[int] = field(default_factory=list)
    values: list[dict[str, float]] = field(default_factory=list)  # an empty cell is a value less, not a bad row
    skipped: int = 0
    problems: list[RowProblem] = field(default_factory=list)  # the first KEPT_PROBLEMS


def find_sensor_key(column: str) -> str:
    """A column's name as a sensor key: `Volume Flow RateRMS` is `volume_flow_rate_rms`, `Accelerometer1RMS` is
    `accelerometer1_rms`. Words and changes from small to capital letters are separated by `_`.
    """
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip())
    return re.sub(r"[^a-z0-9]+", "_", separated.lower()).strip("_")


def parse_instant_us(text: str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 instant (no offset: UTC) or of a number of seconds or milliseconds."""
    text = text.strip()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            return None
        if not math.isfinite(number) or number < 0 or number > 1e14:
            return None
        return round(number * 1e6) if number < 1e11 else round(number * 1e3)
    return to_micros(instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC))


def load_recording(settings: ReplaySettings) -> Recording:
    """Reads the file (`.gz` too).

    Raises
    ------
    ConfigurationError
        The file cannot be read, has no header with the columns asked for, or no time column can be found.
    """
    try:
        with _open_text(settings.file) as file:
            return _read(file, settings)
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise ConfigurationError(f"{settings.file} cannot be read: {error}.") from error


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b" if isinstance(raw, io.BufferedReader) else False
        with (
            gzip.open(raw) if packed else raw as plain,
            io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text,
        ):
            yield text


def _read(file: TextIO, settings: ReplaySettings) -> Recording:
    first_line = file.readline()
    delimiter = settings.delimiter or max(DELIMITERS, key=first_line.count)
    header = [name.strip() for name in next(csv.reader([first_line], delimiter=delimiter), [])]
    if len(header) < 2 or len(set(header)) != len(header):
        raise ConfigurationError(f"{settings.file} needs a header of two different columns or more; it has {header}.")
    rows = _number_rows(csv.reader(file, delimiter=delimiter))
    sample = next(rows, None)
    if sample is None:
        raise ConfigurationError(f"{settings.file} has a header and no rows.")
    time_index = _find_time_column(header, sample[1], settings)
    sensor_of = _find_sensors(header, sample[1], time_index, settings)
    recording = Recording(tuple(sensor_of.values()))
    for line, cells in _chain(sample, rows):
        if line > MAX_ROWS:
            raise ConfigurationError(f"{settings.file} has more than {MAX_ROWS} rows; split it.")
        problem = _add_row(recording, line, cells, header, time_index, sensor_of)
        if problem is not None:
            recording.skipped += 1
            if len(recording.problems) < KEPT_PROBLEMS:
                recording.problems.append(problem)
    return recording


def _number_rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = [f"not CSV: {error}"]
        if any(cell.strip() for cell in cells):
            yield reader.line_num + 1, cells  # the header was read before


def _chain(sample: tuple[int, list[str]], rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    yield sample
    yield from rows


def _find_time_column(header: list[str], sample: list[str], settings: ReplaySettings) -> int:
    if settings.time is not None:
        if settings.time not in header:
            raise ConfigurationError(f"There is no column `{settings.time}`; there are {', '.join(header)}.")
        return header.index(settings.time)
    for i, name in enumerate(header):
        if name.lower() in TIME_NAMES and i < len(sample) and parse_instant_us(sample[i]) is not None:
            return i
    for i, cell in enumerate(sample[: len(header)]):
        if re.match(r"\s*\d{4}-?\d{2}-?\d{2}[T ]", cell) and parse_instant_us(cell) is not None:
            return i
    raise ConfigurationError(f"No time column was found; name it with --time-column. There are {', '.join(header)}.")


def _find_sensors(header: list[str], sample: list[str], time_index: int, settings: ReplaySettings) -> dict[int, str]:
    if settings.columns is not None:
        missing = [column for column, _ in settings.columns if column not in header]
        if missing:
            raise ConfigurationError(f"There is no column {', '.join(missing)}; there are {', '.join(header)}.")
        return {header.index(column): key for column, key in settings.columns}
    ignored = {find_sensor_key(name) for name in settings.ignore}
    sensors = {
        i: find_sensor_key(name)
        for i, name in enumerate(header)
        if i != time_index
        and find_sensor_key(name) not in ignored
        and (i >= len(sample) or _is_number_or_empty(sample[i]))
    }
    if not sensors:
        raise ConfigurationError(f"No column with numbers was found among {', '.join(header)}.")
    return sensors


def _is_number_or_empty(cell: str) -> bool:
    return not cell.strip() or _parse_number(cell) is not None


def _parse_number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _add_row(
    recording: Recording, line: int, cells: list[str], header: list[str], time_index: int, sensor_of: dict[int, str]
) -> RowProblem | None:
    if len(cells) != len(header):
        reason = cells[0] if len(cells) == 1 else f"{say_count(len(cells), 'cell')}, the header has {len(header)}"
        return RowProblem(line, "line", reason)
    time_us = parse_instant_us(cells[time_index])
    if time_us is None:
        return RowProblem(line, header[time_index], f"{cells[time_index][:60]!r} is no instant")
    values: dict[str, float] = {}
    for i, key in sensor_of.items():
        if not cells[i].strip():
            continue
        number = _parse_number(cells[i])
        if number is None:
            return RowProblem(line, header[i], f"{cells[i][:60]!r} is no finite number")
        values[key] = number
    if not values:
        return RowProblem(line, "line", "no value in any sensor's column")
    recording.times_us.append(time_us)
    recording.values.append(values)
    return None
