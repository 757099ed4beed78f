"""A number with its noun as English writes it: "1 device", "1,204 devices", "< 1 device-day". Pure.

A template asks for it in the placeholder, `{devices:device|devices}`, and the words may be more than the noun:
`{open:order was|orders were}`. Chinese has no plural, so that its templates have plain placeholders.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Any

_BETWEEN = "|"
# What counts as one when it comes as text: less than one device-day is said in the singular too.
_ONE = ("1", "< 1")


def say_count(count: float | str, one: str, other: str = "") -> str:
    """The count with its noun: `one` of exactly 1, else `other`, without which it is `one` with an s.

    A text, such as "1,204" or "< 1", is taken as it is; a number gets its thousands apart, and 1.0 is said as 1.
    """
    said = say_number(count)
    return f"{said} {one if said in _ONE else other or f'{one}s'}"


def is_one(count: float | str) -> bool:
    """Whether a count is said in the singular: exactly 1, also as a text, or "< 1"."""
    return say_number(count) in _ONE


def say_number(count: float | str) -> str:
    """The count with its thousands apart; a text as it is."""
    if isinstance(count, str):
        return count
    return f"{int(count) if count == int(count) else count:,}"


def fill_counts(template: str, params: Mapping[str, Any]) -> str:
    """The template with its parameters, like `str.format_map`, and what it counts said with its noun.

    Raises
    ------
    KeyError
        It has a parameter that was not given.
    """
    # Nine of ten templates count nothing, and the one of the language is ten times as fast.
    return _FORMATTER.vformat(template, (), params) if _BETWEEN in template else template.format_map(params)


def find_forms(spec: str) -> tuple[str, str] | None:
    """The words for one and for more that the placeholder asks for by `spec`; None where it counts nothing."""
    one, between, other = spec.partition(_BETWEEN)
    return (one, other) if between else None


class _CountFormatter(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        forms = find_forms(format_spec)
        return str(super().format_field(value, format_spec)) if forms is None else say_count(value, *forms)


_FORMATTER = _CountFormatter()
