"""How pressing a customer or device is, and why."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.shapes.pages import Shape
from domain.due_date import DueState
from domain.risk import Trouble


class ReasonShape(Shape):
    """Why there are points."""

    code: Trouble
    points: int
    params: dict[str, Any] = Field(description="`count`, and `example`: one record of it, always the same.")
    sentence: dict[str, str] = Field(description="In English and Chinese.")


class RiskShape(Shape):
    """The sum of all points, with the reasons that give the most."""

    score: int = Field(description="0: nothing is known to be wrong, and nothing is unknown.")
    reasons: list[ReasonShape] = Field(description="At most five, the most points first.")
    more_reasons: int = Field(description="Reasons that are not named; their points are in the score.")


class DueShape(Shape):
    """The end of something."""

    on: date | None
    days_left: int | None = Field(description="Below 0: over for so many days.")
    state: DueState = Field(description="UNKNOWN: no date is on record.")


class AttentionShape(Shape):
    """A customer in the order in which customers need a call."""

    rank: int
    code: str = Field(examples=["C-004"])
    name: str
    type: str
    region: str
    status: str
    device_count: int = Field(description="Devices that are not decommissioned.")
    contacts: list[dict[str, Any]] | None = Field(description="null: hidden from your roles.")
    is_simulated: bool
    risk: RiskShape


class AttentionPage(Shape):
    """One page of the customers that need a call, and of how many this is the answer."""

    at: datetime
    is_simulated: bool
    customers: int = Field(description="That were looked at.")
    devices: int = Field(description="Of theirs.")
    total: int = Field(description="Customers with at least so many points as were asked for.")
    hidden: list[str] = Field(
        description="Kinds of trouble, and fields, that your roles do not show; they count nothing."
    )
    items: list[AttentionShape]
    next_cursor: str | None = Field(None, description="Pass it as `cursor` for the next page; null: this is the last.")
