"""Versions of a record in words: who made each, when and why, and what it changed of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from api.console.instants import Instant
from api.console.page import View
from domain.masking import is_shown


class Version(Protocol):
    """A record in one version."""

    @property
    def code(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def row_version(self) -> int: ...
    @property
    def made_by(self) -> str: ...
    @property
    def made_at(self) -> datetime: ...
    @property
    def reason(self) -> str: ...


Row = TypeVar("Row", bound=Version)


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One field before and after."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version, and what it changed of the one before."""

    version: int
    is_current: bool
    made: Instant | None
    made_by: str
    reason: str
    changes: list[ChangeLine]


def say_maker(view: View, record: str, name: str) -> str:
    """Who made a version, where the reader sees the maker's people."""
    return view.who(name) if is_shown(record, "made_by", view.person.permissions) else view.t("fact.hidden")


def find_version_lines(
    view: View, record: str, rows: Sequence[Row], find_changes: Callable[[View, Row, Row], list[ChangeLine]]
) -> list[VersionLine]:
    """Every version of `rows`, the newest first, with what it changed; a customer's people read no reasons."""
    return [
        VersionLine(
            row.version,
            place == 0,
            view.when(row.made_at),
            say_maker(view, record, row.made_by),
            row.reason if view.person.customer_id is None else "",
            find_changes(view, rows[place + 1], row) if place + 1 < len(rows) else [],
        )
        for place, row in enumerate(rows)
    ]
