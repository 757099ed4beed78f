"""Why something may not be done, for records whose guards are enumerations of their own."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RecordRefusal:
    """The guard that refuses, and a sentence for people; of several records or lines the keys of those it is about."""

    guard: StrEnum
    detail: str
    about: tuple[str, ...] = ()
