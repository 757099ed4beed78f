"""Complaints and what is decided on reporting them."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from api.shapes.pages import Instant, Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.complaint import ComplaintSeverity, ComplaintState
from domain.vigilance import VigilanceDecision
from domain.vigilance_terms import Harm, Jurisdiction

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ExternalReference(Sent):
    """What another system calls the record."""

    system: Key = Field(examples=["helpdesk"])
    type: Key = Field(examples=["ticket"])
    id: Key = Field(examples=["4711"])


class ComplaintShape(Shape):
    """One complaint in a list."""

    code: str = Field(examples=["CMP-2026-000001"])
    state: str
    version: int
    received_at: datetime
    severity: str
    device_name: str
    device_identification: str = Field(description="UDI, UPC, serial or lot as the complainant gave it.")
    reporter_name: str | None = Field(description="null: hidden from your roles; so are address and phone.")
    reporter_address: str | None
    reporter_phone: str | None
    details: str
    correction: str
    reply: str
    serial: str | None
    model: str | None
    customer: str | None
    fault_group: str | None
    work_order: str | None
    joined_as: str | None = Field(description="OPENED, JOINED or REOPENED; null: device or fault group is not known.")
    investigated: bool | None = Field(description="null: not decided yet.")
    investigation: str
    not_investigated_reason: str
    investigation_decided_by: str | None
    harm: str | None = Field(description="As it was assessed last.")
    decision: str | None = Field(description="On the newest assessment; null: none yet.")
    next_report_due_at: datetime | None = Field(description="Of the clocks that run.")
    is_report_overdue: bool
    closed_at: datetime | None
    external_refs: list[ExternalReference]
    region: str
    is_simulated: bool
    row_version: int
    created_by: str | None
    created_at: datetime
    updated_at: datetime


class ReportClockShape(Shape):
    """Until when one authority must have been told, if it is to be told."""

    jurisdiction: str
    state: str
    rule: str
    time_zone: str
    due_at: datetime = Field(description="The end of the last day in the authority's zone.")
    warn_at: datetime
    holidays_release: str
    warned_at: datetime | None
    overdue_at: datetime | None = Field(description="Stays when the report comes later.")
    submitted_at: datetime | None
    submitted_by: str | None
    reference: str


class AssessmentShape(Shape):
    """What a person said of the harm, and what another one decided on it."""

    version: int
    aware_at: datetime
    harm: str
    is_unanticipated: bool
    needs_remedial_action: bool
    threat_known_at: datetime | None
    remedial_need_known_at: datetime | None
    jurisdictions: list[str]
    reason: str
    assessed_by: str
    assessed_at: datetime
    decision: str | None
    reportable_in: list[str]
    justification: str
    decided_by: str | None
    decided_at: datetime | None
    clocks: list[ReportClockShape]


class ComplaintStep(Shape):
    """A step that is possible from here."""

    to: ComplaintState
    allowed: bool = Field(description="The caller has the right that it takes; a guard may still refuse.")
    permission: str


class ComplaintDetail(ComplaintShape):
    """One complaint with all that was decided on it."""

    missing: list[str] = Field(description="Fields of 21 CFR 820.35(a) that are still empty.")
    assessments: list[AssessmentShape]
    signatures: list[SignatureShape]
    next_steps: list[ComplaintStep]


class NewComplaint(Sent):
    """A complaint as it came in."""

    received_at: Instant | None = Field(None, description="When the maker received it; left out: now.")
    severity: ComplaintSeverity
    details: Text = Field(min_length=1, description="Nature and details.")
    device_name: Short = ""
    device_identification: Short = ""
    reporter_name: Short = ""
    reporter_address: Text = ""
    reporter_phone: Short = ""
    correction: Text = ""
    reply: Text = ""
    serial: Short | None = None
    fault_group: Short | None = Field(
        None, description="Of the device model's profile. With the serial it says which work order it belongs to."
    )
    customer: Short | None = Field(None, description="Code; where no serial is known.")
    is_simulated: bool = Field(False, description="Where no serial is known; a simulated device's is simulated.")
    external_refs: list[ExternalReference] = Field(
        [], max_length=10, description="Sent again with one of these, it is the same complaint."
    )


class ComplaintChange(Sent):
    """What is put right or added; what is left out stays."""

    severity: ComplaintSeverity | None = None
    device_name: Short | None = None
    device_identification: Short | None = None
    reporter_name: Short | None = None
    reporter_address: Text | None = None
    reporter_phone: Short | None = None
    details: Text | None = Field(None, min_length=1)
    correction: Text | None = None
    reply: Text | None = None
    fault_group: Short | None = None
    serial: Short | None = None
    reason: Text = Field(min_length=1, description="Why; kept with before and after.")


class ComplaintTransition(Sent):
    """What becomes of a complaint."""

    to: ComplaintState
    reason: Text = Field("", description="Without an investigation: why there was none. Going back: why.")
    investigation: Text = Field("", description="What the investigation found.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: closing is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed and closed"])


class NewAssessment(Sent):
    """What is known of the harm."""

    aware_at: Instant = Field(description="When somebody of the maker came to know of the incident.")
    harm: Harm
    jurisdictions: list[Jurisdiction] = Field(max_length=3)
    reason: Text = Field("", description="On what it rests; of a second one also why.")
    is_unanticipated: bool = Field(False, description="An unanticipated serious deterioration of health (EU).")
    needs_remedial_action: bool = Field(
        False, description="To prevent an unreasonable risk of substantial harm to the public health (US)."
    )
    threat_known_at: Instant | None = Field(
        None, description="When a serious public health threat became known, where that was later than the incident."
    )
    remedial_need_known_at: Instant | None = Field(
        None, description="When the need for remedial action became known, where that was later than the incident."
    )

    @model_validator(mode="after")
    def verify_jurisdictions(self) -> Self:
        """Each is named once.

        Raises
        ------
        ValueError
            One is named twice.
        """
        if len(set(self.jurisdictions)) != len(self.jurisdictions):
            raise ValueError("jurisdictions: each once")
        return self


class NewVigilanceDecision(Sent):
    """Whether it is reported."""

    decision: VigilanceDecision
    justification: Text = ""
    reportable_in: list[Jurisdiction] = Field([], max_length=3, description="Of the assessment's; with REPORTABLE.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: the decision is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Decided on the facts given"])


class NewSubmission(Sent):
    """A report was submitted to an authority."""

    jurisdiction: Jurisdiction
    submitted_at: Instant
    reference: Short = Field("", description="What the authority calls the report.")
