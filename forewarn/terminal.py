"""What people see and scripts read: tables, JSON, progress, and what an error exits with."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any

from rich.console import Console
from rich.table import Table

from domain.errors import ConfigurationError, ForewarnError
from forewarn.installation_lock import AlreadyRunningError
from forewarn.ports import PortTakenError
from store.pool import DATABASE_GONE

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ExitCode(IntEnum):
    """What the command line ends with. Values never change."""

    DONE = 0
    FAILED = 1  # what was asked for was refused, or something was found wrong
    USAGE = 2  # the command line itself is wrong
    CONFIGURATION = 3  # a setting is missing or wrong
    UNREACHABLE = 4  # the database or the broker is away
    TAKEN = 5  # a port or the folder is in use
    INTERRUPTED = 130


def find_exit_code(error: BaseException) -> ExitCode:
    """The exit code of an error that reaches the command line."""
    if isinstance(error, PortTakenError | AlreadyRunningError):
        return ExitCode.TAKEN
    if isinstance(error, ConfigurationError):
        return ExitCode.CONFIGURATION
    if isinstance(error, DATABASE_GONE):
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED


def describe_error(error: BaseException) -> str:
    """The error in words for a person who did not write this program; it holds no password."""
    if isinstance(error, DATABASE_GONE):
        return f"The database cannot be reached: {' '.join(str(error).split())}"
    if isinstance(error, ForewarnError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def say(line: str) -> None:
    """One line of progress; to standard error, so that standard output is the answer alone."""
    err.print(line, markup=False)


def print_json(value: object) -> None:
    """The value as one JSON document: dataclasses as objects, instants as RFC 3339."""
    sys.stdout.write(json.dumps(_to_plain(value), ensure_ascii=False, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table for people, or the sentence `empty` when it has no row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        # The first column is what a person types next: it is never cut short.
        table.add_column(column, no_wrap=place == 0)
    for row in rows:
        table.add_row(*("" if cell is None else _to_text(cell) for cell in row))
    if table.row_count:
        out.print(table)
    else:
        say(empty)


@contextmanager
def step(title: str) -> Iterator[None]:
    """A spinner while the block runs on a terminal, then a line that says what was done."""
    with err.status(f"{title} …"):
        yield
    err.print(f"[green]✓[/green] {title}")


def _to_plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _to_plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _to_text(cell: object) -> str:
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(cell, list | tuple):
        return ", ".join(str(item) for item in cell)
    return str(cell)
