"""What all lists have in common."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Shape(BaseModel):
    """A part of the public contract: made from the store's records, unknown fields in requests refused."""

    model_config = ConfigDict(from_attributes=True, extra="forbid", frozen=True)


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None = Field(None, description="Pass it as `cursor` for the next page; null: this is the last.")
    total: int | None = Field(None, description="How many match in all; only with `total=true`.")
