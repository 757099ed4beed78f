"""Technicians, their certificates, and whom an order is suggested to."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import Field

from api.shapes.pages import Day, Sent, Shape
from api.shapes.work_order_records import Short, Text
from domain.assignment import AssignmentReason
from domain.work_order import Outcome


class CertificateShape(Shape):
    """Who may work on which device model, and until when."""

    user: str = Field(validation_alias="user_name")
    full_name: str
    model: str
    valid_until: date = Field(description="This day included.")
    reference: str
    row_version: int


class CertificateList(Shape):
    """Certificates of active technicians."""

    items: list[CertificateShape]


class NewCertificate(Sent):
    """A certificate that is given or renewed."""

    valid_until: Day
    reference: Short = Field("", description="Number of the document, or where it is kept.")
    reason: Text = ""


class TechnicianShape(Shape):
    """One active technician."""

    name: str
    full_name: str
    models: list[str] = Field(description="With a certificate that is valid today.")
    regions: list[str] = Field(description="Where he works; none: everywhere.")
    open_orders: int


class TechnicianList(Shape):
    """All active technicians."""

    items: list[TechnicianShape]


class NewRegions(Sent):
    """Where a technician works."""

    regions: list[Short] = Field(max_length=100, description="None: everywhere.")
    reason: Text = ""


class RegionsShape(Shape):
    """Where a technician works."""

    name: str
    regions: list[str]


class ReasonShape(Shape):
    """One reason with its numbers, and in words."""

    code: AssignmentReason
    params: dict[str, Any]
    text: dict[str, str]


class SuggestionShape(Shape):
    """One technician who may do the work."""

    name: str
    full_name: str
    score: float = Field(
        ge=0, le=1, description="How well he fits: place 0.35, past success 0.35, how free he is 0.30."
    )
    reasons: list[ReasonShape]


class UsedPartShape(Shape):
    """How often a part was used."""

    item: str
    description: str
    orders: int
    quantity: Decimal


class PastOrderShape(Shape):
    """A past order of the same device model and fault group."""

    code: str
    serial: str
    is_same_device: bool
    firmware: str
    outcome: Outcome
    failure_code: str | None
    work_performed: str | None
    parts: list[UsedPartShape]
    came_back: bool = Field(description="It was reopened, or the fault recurred.")
    visits: int
    closed_at: datetime | None


class FailureCodeShape(Shape):
    """How often a failure was found."""

    code: str
    orders: int


class FixShape(Shape):
    """What helped before: codes and parts of the orders in which something was mended and that did not come back."""

    orders: int
    confirmed: int
    no_fault_found: int
    sensor_faults: int
    false_alarms: int
    came_back: int
    share_confirmed: float
    failure_codes: list[FailureCodeShape]
    parts: list[UsedPartShape]
    example: str | None = Field(description="The newest order that helped.")


class SuggestionsShape(Shape):
    """To whom the order is suggested, and what helped in such orders before."""

    work_order: str
    assignees: list[SuggestionShape] = Field(description="All who may do it, the best fit first.")
    fix: FixShape | None = Field(description="null: nothing of the kind was closed in three years.")
    past_orders: list[PastOrderShape] = Field(description="The newest first.")
