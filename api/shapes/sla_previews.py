"""What a new version of a policy or calendar would change, before it counts."""

from datetime import date
from typing import Any

from pydantic import Field

from api.shapes.pages import Shape
from domain.coming_days import DayKind


class DifferenceShape(Shape):
    """A field that would be, or became, another."""

    path: str = Field(examples=["terms.P1.response_h"])
    before: Any = Field(description="null: it was not there.")
    after: Any = Field(description="null: it is not there any more.")


class PolicyUsageShape(Shape):
    """What a policy is in force for. Clocks that run keep the version that they began with."""

    contracts: int = Field(description="That have it, without terminated ones.")
    customers: int
    open_orders: int = Field(description="Of these contracts.")
    running_clocks: int = Field(description="RUNNING or PAUSED, by any of its versions.")
    earlier_clocks: int = Field(description="Of these, by a version that is no longer current.")


class CalendarUsageShape(Shape):
    """What a calendar is in force for. Clocks that run keep the version that they began with."""

    sites: int
    policies: int = Field(description="That name it for sites without a calendar.")
    open_orders: int = Field(description="At these sites.")
    running_clocks: int
    earlier_clocks: int


class PolicyPreview(Shape):
    """What the next version of a policy would change."""

    version: int = Field(description="That it would get.")
    changes: list[DifferenceShape]
    usage: PolicyUsageShape


class ComingDayShape(Shape):
    """A day with other hours than its weekday's."""

    day: date
    name: str
    hours: list[str] = Field(description="None: off.")
    kind: DayKind


class DayChangeShape(Shape):
    """A day that the next version would treat differently; null: by its weekday."""

    day: date
    before: ComingDayShape | None
    after: ComingDayShape | None


class CalendarPreview(Shape):
    """What a calendar says of the next twelve months and, of one that is there, what would change."""

    version: int
    days: list[ComingDayShape]
    changes: list[DifferenceShape]
    day_changes: list[DayChangeShape]
    usage: CalendarUsageShape | None = Field(description="null: the calendar is not there yet.")
    holidays_release: str = Field(description="Of the library that the public holidays come from.")
