"""What all lists have in common."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

Item = TypeVar("Item")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)


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


Instant = Annotated[AwareDatetime, AfterValidator(verify_instant)]  # that is kept; the database holds more than Python


class Shape(BaseModel):
    """A part of the public contract: made from the store's records, unknown fields in requests refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Pass it as `cursor` for the next page; null: this is the last.")
    total: int | None = Field(None, description="How many match in all; only with `total=true`.")
