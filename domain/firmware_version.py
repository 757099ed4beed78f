"""Firmware versions in order: what is older than what, and which lie in a range. Pure.

A version is numbers with dots, after an optional `v`; then, optionally, `-` with a pre-release and `+` with a build:
`2.4.1`, `v2.10`, `2.4.1-rc.2+b7`. Numbers are compared as numbers (2.10 is later than 2.9), missing ones are zero
(2.4 is 2.4.0), a pre-release comes before its release, the build plays no part. A text of any other form has no order,
and nothing here guesses one.

Source: Semantic Versioning 2.0.0, items 10 and 11, with any number of numbers instead of three.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FORM = re.compile(
    r"[vV]?(?P<numbers>\d{1,9}(?:\.\d{1,9}){0,7})(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)

VersionKey = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]


def find_version_key(text: str) -> VersionKey | None:
    """What versions are compared by, or None for a text that has no order."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    numbers = [int(number) for number in match["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    pre = tuple(
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part)
        for part in (match["pre"] or "").split(".")
        if part
    )
    return tuple(numbers), 0 if pre else 1, pre


@dataclass(frozen=True, slots=True)
class VersionRange:
    """From `since` on, up to `until` (itself included) or `before` (itself not); an empty text is no bound."""

    since: str = ""
    until: str = ""
    before: str = ""

    @property
    def is_open(self) -> bool:
        """It bounds nothing: every version is in it, those without an order too."""
        return not (self.since or self.until or self.before)

    def find_problems(self) -> dict[str, str]:
        """What is wrong with it, by bound; nothing where it can be used."""
        problems = {
            name: "is no version that has an order, such as 2.4.1 or 2.4.1-rc.1"
            for name in ("since", "until", "before")
            if getattr(self, name) and find_version_key(getattr(self, name)) is None
        }
        if self.until and self.before:
            problems["before"] = "cannot be given together with until"
        low, high = find_version_key(self.since), find_version_key(self.until or self.before)
        if not problems and low is not None and high is not None and (low > high or (low == high and self.before)):
            problems["since"] = "lies behind the end of the range"
        return problems

    def find_membership(self, version: str) -> bool | None:
        """Whether the version is in the range; None where it has no order, and so nobody can say.

        Raises
        ------
        ValueError
            The range itself cannot be used.
        """
        if self.is_open:
            return True
        if self.find_problems():
            raise ValueError("the range of versions cannot be used")
        key = find_version_key(version)
        if key is None:
            return None
        low, high, end = (find_version_key(bound) for bound in (self.since, self.until, self.before))
        return (low is None or key >= low) and (high is None or key <= high) and (end is None or key < end)


def split_versions(wanted: VersionRange, versions: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of the versions that are in the range, and those of which nobody can say."""
    inside, unknown = [], []
    for version in versions:
        member = wanted.find_membership(version)
        if member is None:
            unknown.append(version)
        elif member:
            inside.append(version)
    return inside, unknown
