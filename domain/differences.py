"""What differs between two JSON documents, field by field, as people compare two versions of a record. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same; `before` or `after` is None where it is not there at all."""

    path: str  # as monitors[occlusion].raise_at
    before: Any
    after: Any


_NOTHING = object()


def find_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Every field that differs, in the order of `after`, then what only `before` has.

    Lists of objects that have a `key` are compared by it, whatever their order; other lists as a whole.
    """
    return list(_compare("", before, after))


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _compare_fields(path, before, after)
        return
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        old, new = _by_key(before), _by_key(after)
        if old is not None and new is not None:
            yield from _compare_items(path, old, new)
            return
        before, after = list(before), list(after)
    if before != after or (isinstance(before, bool) is not isinstance(after, bool)):
        yield Difference(path, None if before is _NOTHING else before, None if after is _NOTHING else after)


def _compare_fields(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*after, *(name for name in before if name not in after)]:
        inner = f"{path}.{name}" if path else str(name)
        yield from _compare(inner, before.get(name, _NOTHING), after.get(name, _NOTHING))


def _compare_items(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for key in [*after, *(key for key in before if key not in after)]:
        yield from _compare(f"{path}[{key}]", before.get(key, _NOTHING), after.get(key, _NOTHING))


def _by_key(items: list[Any] | tuple[Any, ...]) -> dict[str, Any] | None:
    """The items by their keys; None where one has none, or two have the same."""
    found = {item["key"]: item for item in items if isinstance(item, Mapping) and isinstance(item.get("key"), str)}
    return found if len(found) == len(items) else None
