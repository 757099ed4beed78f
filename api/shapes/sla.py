"""SLA policies: what is promised, their versions, and which contracts go by them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.shapes.pages import Sent, Shape

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


class PriorityTermsShape(Sent):
    """The times of one priority, in hours of working time."""

    response_h: float
    resolution_h: float
    around_the_clock: bool = Field(False, description="In hours, whatever the site's calendar says.")


class TermsShape(Sent):
    """Times by priority."""

    P1: PriorityTermsShape
    P2: PriorityTermsShape
    P3: PriorityTermsShape
    P4: PriorityTermsShape


class PausesShape(Sent):
    """The hold reasons that pause each clock: PARTS, CUSTOMER, ACCESS, VENDOR."""

    RESPONSE: tuple[str, ...] = ()
    RESOLUTION: tuple[str, ...] = ("ACCESS", "CUSTOMER", "PARTS")


class PolicyContent(Sent):
    """What a policy says."""

    name: Name
    terms: TermsShape
    pauses: PausesShape = PausesShape()
    due_soon_share: float = Field(0.25, description="`sla.due_soon` is said when this share of the time is left.")
    service_calendar: str | None = Field(
        None, description="For sites without a calendar of their own; null: around the clock."
    )
    reason: Reason = Field("", description="Why it is as it is, for the audit.")


class NewPolicy(PolicyContent):
    """A policy to be made."""

    code: Code = Field(examples=["gold"])


class PolicyShape(Shape):
    """One version of a policy."""

    code: str
    name: str
    version: int
    terms: TermsShape
    pauses: PausesShape
    due_soon_share: float
    service_calendar: str | None
    made_by: str | None = Field(description="null: hidden from your roles.")
    made_at: datetime
    reason: str
    row_version: int


class PolicyVersions(Shape):
    """Every version, the newest first."""

    items: list[PolicyShape]


class ContractPolicyShape(Shape):
    """Which policy a contract has."""

    contract: str
    sla_policy: str | None = Field(description="null: the times of the device models' profiles.")
    row_version: int


class ContractPolicyChoice(Sent):
    """The policy that a contract has from now on."""

    sla_policy: str | None
    reason: Reason = ""
