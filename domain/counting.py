"""A number with its noun as English writes it: "1 device", "1,204 devices", "< 1 device-day". Pure.

A template asks for it in the placeholder, `{devices:device|devices}`, and the words may be more than the noun:
`{open:order was|orders were}`. Chinese has no plural, so that its templates have plain placeholders.

Chinese sets a blank between its own words and figures or letters and none between two of its own words. A template has
the blank at a placeholder; whether it stays follows from what is filled in: "在 7 分钟后", and "在 14:05 后". So does
one between two placeholders, in a template that has a Chinese word: of others nobody knows whether they are Chinese.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Any

_BETWEEN = "|"
_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_JOINT = re.compile(rf"{_CHINESE.pattern} \{{|\}} {_CHINESE.pattern}|\}} \{{")
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
    """The template with its parameters, like `str.format_map`, and what it counts said with its noun; without its blank
    where that would stand between two Chinese words.

    Raises
    ------
    KeyError
        It has a parameter that was not given.
    """
    if parts := _find_joined(template):
        return _fill_joined(parts, params)
    # Nine of ten templates count nothing, and the one of the language is ten times as fast.
    return _FORMATTER.vformat(template, (), params) if _BETWEEN in template else template.format_map(params)


def find_forms(spec: str) -> tuple[str, str] | None:
    """The words for one and for more that the placeholder asks for by `spec`; None where it counts nothing."""
    one, between, other = spec.partition(_BETWEEN)
    return (one, other) if between else None


_Part = tuple[str, str | None, str | None, str | None]


@lru_cache(maxsize=2_000)
def _find_joined(template: str) -> tuple[_Part, ...]:
    """The parts of a Chinese template that has a blank between a placeholder and a word or another placeholder; of any
    other none."""
    return tuple(Formatter().parse(template)) if _CHINESE.search(template) and _JOINT.search(template) else ()


def _fill_joined(parts: tuple[_Part, ...], params: Mapping[str, Any]) -> str:
    said: list[str] = []
    value = ""
    for text, field, spec, conversion in parts:
        literal = text[1:] if text.startswith(" ") and _meet(value[-1:], text[1:2]) else text
        before, value = value, ""
        if field is not None:
            given = _FORMATTER.convert_field(_FORMATTER.get_field(field, (), params)[0], conversion)
            value = _FORMATTER.format_field(given, spec or "")
            if literal.endswith(" ") and _meet((before + literal)[-2:-1], value[:1]):
                literal = literal[:-1]
        said += literal, value
    return "".join(said)


def _meet(before: str, after: str) -> bool:
    return bool(_CHINESE.match(before) and _CHINESE.match(after))


class _CountFormatter(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        forms = find_forms(format_spec)
        return str(super().format_field(value, format_spec)) if forms is None else say_count(value, *forms)


_FORMATTER = _CountFormatter()
