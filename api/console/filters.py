"""Filters of a list: what may be chosen, and what was."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Filter:
    """One drop-down. `options` are (value, label); `all` is what stands for no choice."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]]
    all: str = ""

    @property
    def marked(self) -> Markup:
        """The options as HTML, without the one for no choice. There can be hundreds of them, which a template takes
        twice as long to write; a list asks for the same ones at every look."""
        return _mark(tuple(self.options), self.value)


@lru_cache(maxsize=100)
def _mark(options: tuple[tuple[str, str], ...], chosen: str) -> Markup:
    texts = [
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in options
    ]
    return Markup("".join(texts))  # noqa: S704 - value and label are escaped


def find_choice(value: str, allowed: Iterable[str]) -> str:
    """The value if it is one that is offered, else none: an old address shows the whole list rather than an error."""
    return value if value in set(allowed) else ""
