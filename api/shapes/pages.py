"""What all shapes have in common: of lists, of what is sent to us, of instants and days."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
)
from pydantic_core import CoreSchema

Item = TypeVar("Item")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# Below these keys of pydantic's own description of a shape stand the parts that a value is made of.
_PARTS = ("schema", "fields", "items_schema", "values_schema", "keys_schema", "choices", "definitions")
_STRICT = frozenset({"bool", "int", "float"})


def verify_instant(value: datetime) -> datetime:
    """The instant when every program can read it back in any time zone.

    Raises
    ------
    ValueError
        It lies before 1970, or in 3000 or later.
    """
    if not FIRST <= value < LAST:
        raise ValueError("must lie in 1970 or later, and before 3000")
    return value


def verify_day(value: date) -> date:
    """The day when it lies where instants may.

    Raises
    ------
    ValueError
        It lies before 1970, or in 3000 or later.
    """
    if not FIRST.date() <= value < LAST.date():
        raise ValueError("must lie in 1970 or later, and before 3000")
    return value


def refuse_number(value: Any) -> Any:
    """The value; a number would be read as seconds since 1970, which nobody meant.

    Raises
    ------
    ValueError
        It is a number, or a text that does not begin with a day.
    """
    if isinstance(value, int | float) or (isinstance(value, str) and _DAY.match(value.strip()) is None):
        raise ValueError("must be written as RFC 3339 has it, such as 2026-11-22T08:41:07Z")
    return value


def refuse_other_than_day(value: Any) -> Any:
    """The value when it is a day, or the text of one alone.

    Raises
    ------
    ValueError
        It is a number, or a text with more than a day or less.
    """
    if isinstance(value, int | float) or (isinstance(value, str) and _DAY.fullmatch(value) is None):
        raise ValueError("must be a day such as 2026-11-22")
    return value


# What callers send; the database holds more than Python.
Instant = Annotated[AwareDatetime, BeforeValidator(refuse_number), AfterValidator(verify_instant)]
Day = Annotated[date, BeforeValidator(refuse_other_than_day), AfterValidator(verify_day)]


class Shape(BaseModel):
    """A part of the public contract: made from the store's records, unknown fields in requests refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


def _tighten(part: Any) -> Any:
    if isinstance(part, list | tuple):
        return type(part)(_tighten(choice) for choice in part)
    if not isinstance(part, Mapping):
        return part
    if not isinstance(part.get("type"), str):  # fields by their names, of which one may be called type
        return {name: _tighten(inner) for name, inner in part.items()}
    found = {key: _tighten(inner) if key in _PARTS else inner for key, inner in part.items()}
    if part["type"] == "str":
        return {"min_length": 0, **found}  # only where a length is asked for, half a character is found and refused
    return found | {"strict": True} if part["type"] in _STRICT else found


class Sent(Shape):
    """A part of the body of a request: a truth value is not written as a number, nor a number as a text."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """What pydantic makes of it, with numbers and truth values taken as they are."""
        tightened: CoreSchema = _tighten(handler(source))
        return tightened


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Pass it as `cursor` for the next page; null: this is the last.")
    total: int | None = Field(None, description="How many match in all; only with `total=true`.")
