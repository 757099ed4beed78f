"""YAML nodes to the frozen dataclasses of `domain.profile`, by their type hints; every problem noted, none raised."""

import math
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from enum import EnumType
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import yaml

from domain.counting import say_count
from domain.profile_yaml import ProfileProblem

NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
WHOLE = re.compile(r"[-+]?\d+")
MAX_ITEMS = 500
MAX_TEXT = 2_000

Defaults = Callable[[type, dict[str, Any]], dict[str, Any]]


class _Unreadable:
    """Stands for a value that could not be read; the problem is already noted."""


UNREADABLE = _Unreadable()


class FieldReader:
    """Reads nodes into values and remembers where each field stands, so that later checks can point at it."""

    def __init__(self, source: str, defaults: Defaults) -> None:
        self.source = source
        self.problems: list[ProfileProblem] = []
        self._defaults = defaults
        self.declared: dict[type, list[tuple[str, str]]] = {}  # keys of every record, also of one that cannot be built
        self._marks: dict[str, tuple[int, int]] = {}
        self._placed: dict[int, tuple[Any, str]] = {}  # by identity; the record is kept so that its id stays its own

    def note(self, path: str, reason: str) -> None:
        """Notes a problem at the field of that path, or at the nearest field around it that the file has."""
        at = path
        while at not in self._marks and at:
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        line, column = self._marks.get(at, (1, 1))
        self.problems.append(ProfileProblem(self.source, line, column, path, reason))

    def read(self, hint: Any, node: yaml.Node, path: str) -> Any:
        """The value of `hint`'s type that the node holds, or UNREADABLE with at least one problem noted."""
        self._marks.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if get_origin(hint) is UnionType:
            if node.tag.endswith(":null"):
                return None
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        if get_origin(hint) is tuple:
            return self._read_tuple(get_args(hint), node, path)
        if hasattr(hint, "__dataclass_fields__"):
            return self._read_record(hint, node, path)
        if not isinstance(node, yaml.ScalarNode):
            return self._refuse(path, f"must be {_describe(hint)}, not a {_kind(node)}")
        if isinstance(hint, EnumType):
            return self._read_enum(hint, node, path)
        if hint is str:
            return self._read_text(node, path)
        return self._read_scalar(hint, node, path)

    def _refuse(self, path: str, reason: str) -> _Unreadable:
        self.note(path, reason)
        return UNREADABLE

    def _read_text(self, node: yaml.ScalarNode, path: str) -> Any:
        if not node.tag.endswith(":str"):
            return self._refuse(path, f"must be text; write it in quotes: {path.rpartition('.')[2]}: '{node.value}'")
        text = node.value.strip()
        if not text:
            return self._refuse(path, "must not be empty")
        if len(text) > MAX_TEXT:
            return self._refuse(path, f"has more than {MAX_TEXT} characters")
        return text

    def _read_enum(self, hint: EnumType, node: yaml.ScalarNode, path: str) -> Any:
        names = [str(member.value) for member in cast(Any, hint)]
        if node.value in names:
            return cast(Any, hint)(node.value)
        return self._refuse(path, f"must be one of {', '.join(names)}{suggest(node.value, names)}")

    def _read_scalar(self, hint: Any, node: yaml.ScalarNode, path: str) -> Any:
        text = node.value if node.style is None else ""
        if hint is bool and node.tag.endswith(":bool"):
            return text.lower() in ("true", "yes", "on")
        if hint is int and WHOLE.fullmatch(text) and len(text) <= 15:
            return int(text)
        if hint is float and NUMBER.fullmatch(text) and len(text) <= 40 and math.isfinite(float(text)):
            return float(text)
        return self._refuse(path, f"must be {_describe(hint)}, not {node.value[:40]!r}")

    def _read_tuple(self, args: tuple[Any, ...], node: yaml.Node, path: str) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self._refuse(path, f"must be a list, not a {_kind(node)}")
        items: list[yaml.Node] = node.value
        if len(items) > MAX_ITEMS:
            return self._refuse(path, f"has more than {MAX_ITEMS} entries")
        if args[-1] is not Ellipsis and len(items) != len(args):
            return self._refuse(path, f"must have {say_count(len(args), 'entry', 'entries')}, not {len(items)}")
        hints = [args[0]] * len(items)
        values = [
            self.read(hint, item, f"{path}[{i}]") for i, (hint, item) in enumerate(zip(hints, items, strict=True))
        ]
        readable = tuple(value for value in values if value is not UNREADABLE)
        # A scalar list with a hole would mean something else; a list of records is checked as far as it can be read.
        whole = len(readable) == len(values) or hasattr(args[0], "__dataclass_fields__")
        return readable if whole else UNREADABLE

    def _read_record(self, hint: type, node: yaml.Node, path: str) -> Any:
        values, complete = self.read_values(hint, node, path)
        if not complete:
            return UNREADABLE
        record = hint(**values)
        self._placed[id(record)] = (record, path)
        return record

    def read_values(self, hint: type, node: yaml.Node, path: str) -> tuple[dict[str, Any], bool]:
        """The readable fields of one record, and whether all that it needs are there.

        A field with a default that could not be read falls back to it, so that the rest of the record is still checked.
        """
        if not isinstance(node, yaml.MappingNode):
            self.note(path, f"must be a mapping, not a {_kind(node)}")
            return {}, False
        known: dict[str, Field[Any]] = {f.name: f for f in fields(cast(Any, hint))}
        hints = get_type_hints(hint)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            field_path = f"{path}.{key}" if path else key
            mark = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if field_path in self._marks:
                self.problems.append(ProfileProblem(self.source, *mark, field_path, "stands here a second time"))
                continue
            self._marks[field_path] = mark
            if key not in known:
                self.note(field_path, f"is no field of {_noun(hint)}{suggest(key, list(known))}")
                continue
            values[key] = self.read(hints[key], value_node, field_path)
        readable = self._defaults(hint, {key: value for key, value in values.items() if value is not UNREADABLE})
        if isinstance(readable.get("key"), str):
            self.declared.setdefault(hint, []).append((readable["key"], path))
        complete = True
        for name, spec in known.items():
            if name in readable or spec.default is not MISSING or spec.default_factory is not MISSING:
                continue
            complete = False
            if name not in values:
                self.note(f"{path}.{name}" if path else name, "is missing")
        return readable, complete

    def path_of(self, record: Any) -> str:
        """Where a record that was read here stands in the file."""
        return self._placed[id(record)][1]


def _describe(hint: Any) -> str:
    if isinstance(hint, EnumType):
        return "a word"
    return {str: "text", int: "a whole number", float: "a finite number", bool: "true or false"}[hint]


def _kind(node: yaml.Node) -> str:
    return str(getattr(node, "id", "node"))


def _noun(hint: type) -> str:
    words = re.sub("(?<!^)([A-Z])", r" \1", hint.__name__).lower()
    return f"a {words}"


def suggest(word: str, known: list[str]) -> str:
    """`; did you mean ...?` where a known word is near, else nothing."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""
