"""Filters of a list: what may be chosen, and what was."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """One drop-down. `options` are (value, label); `all` is what stands for no choice."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]]
    all: str = ""


def find_choice(value: str, allowed: Iterable[str]) -> str:
    """The value if it is one that is offered, else none: an old address shows the whole list rather than an error."""
    return value if value in set(allowed) else ""
