"""Work orders and CAPA notices."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.shapes.breaches import BreachShape, DecisionShape
from api.shapes.capas import CapaActionShape, EffectivenessShape, RootCauseShape
from api.shapes.pages import Day, Sent, Shape
from api.shapes.signatures import SignatureShape
from domain.capa import CapaState
from domain.tickets import Priority
from domain.work_order import HoldReason, Outcome, WorkOrderState, WorkOrderType
from store.manual_orders import ReportResult

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class WorkOrderShape(Shape):
    """One work order in a list."""

    code: str = Field(examples=["WO-2026-000123"])
    type: str
    source: str
    priority: str
    state: str
    hold_reason: str | None
    inbox_reason: str | None = Field(description="Why a person has yet to look at it; null: looked at.")
    fault_group: str
    title_code: str = Field(description="Names the sentence; `title_params` fill it in.")
    title_params: dict[str, Any]
    summary: dict[str, str] = Field(
        {},
        description="The ticket in one sentence by language: what is wrong, how sure, since when, which part is "
        "suspected, and what comes of doing nothing. Times are UTC.",
    )
    serial: str | None
    model: str | None
    firmware: str | None
    connectivity: str | None
    gateway: str | None
    site: str | None = Field(validation_alias="site_code")
    site_name: str | None
    customer: str | None = Field(validation_alias="customer_code")
    customer_name: str | None
    region: str
    assignee: str | None = Field(description="null: nobody, or hidden from your roles; so is the name.")
    assignee_name: str | None
    breach_count: int
    active_breach_count: int
    last_breach_at: datetime | None
    quiet_since: datetime | None
    ready_to_verify_at: datetime | None
    response_due_at: datetime | None
    resolution_due_at: datetime | None
    responded_at: datetime | None
    resolved_at: datetime | None
    response_breached: bool
    resolution_breached: bool
    next_due_at: datetime | None = Field(description="Of the clock that runs; null when none does.")
    reopen_count: int
    version: int
    outcome: str | None
    parent: str | None = Field(validation_alias="parent_code")
    child_count: int
    capas: list[str] = Field(validation_alias="capa_codes")
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


class TimelineShape(Shape):
    """One thing that happened: `audit`, `decision` (of the machine), `note` or `signature`."""

    at: datetime
    kind: str
    actor: str
    role: str
    code: str
    text: str
    details: dict[str, Any]


class NextStep(Shape):
    """A step that the life-cycle knows from here."""

    to: WorkOrderState
    allowed: bool = Field(description="The caller has a right that it takes; a guard may still refuse.")
    permissions: list[str] = Field(description="One of these is needed.")


class WorkOrderDetail(WorkOrderShape):
    """One work order with why it opened and what was done."""

    description: str
    cancel_reason: str | None
    failure_code: str | None
    close_out: dict[str, Any] | None
    created_by: str | None = Field(description="null: hidden from your roles.")
    breaches: list[BreachShape]
    decisions: list[DecisionShape]
    timeline: list[TimelineShape] = Field(description="Newest first; empty where it is hidden from your roles.")
    signatures: list[SignatureShape] = Field(description="Oldest first, each with whether it still stands.")
    next_steps: list[NextStep]
    merged: list[str] = Field(description="Orders that turned out to be this one, and went up in it.")
    merged_into: str | None = Field(description="The order that goes on in place of this one.")


class ReportedOrder(WorkOrderDetail):
    """The order that takes care of what was reported."""

    result: ReportResult = Field(description="Whether it is new, was open, or is open again.")


class NewWorkOrder(Sent):
    """A work order that a person opens."""

    serial: Short = Field(min_length=1, examples=["INF-0017"])
    type: WorkOrderType = WorkOrderType.CORRECTIVE
    priority: Priority = Priority.P3
    fault_group: Short = Field(
        min_length=1, description="Of the device's profile; later breaches of it join the order."
    )
    description: Text = Field(min_length=1)


class CloseOutShape(Sent):
    """The service record after 21 CFR 820.35(b)."""

    device_name: Short = ""
    device_identification: Short = Field("", description="UDI or serial.")
    serviced_on: Day | None = None
    serviced_by: Short = ""
    work_performed: Text = ""
    test_data: Text = ""


class Transition(Sent):
    """A step of a work order. Only the fields that the wanted state needs are looked at."""

    to: WorkOrderState
    reason: Text = ""
    assignee: Short | None = Field(None, description="Name of the technician's account; for ASSIGNED.")
    hold_reason: HoldReason | None = Field(None, description="For ON_HOLD.")
    outcome: Outcome | None = Field(None, description="For WORK_DONE.")
    failure_code: Short = ""
    close_out: CloseOutShape | None = Field(None, description="For WORK_DONE.")
    test_evidence: Text = Field("", description="For VERIFIED without a quiet period.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: for CLOSED, which is signed.")
    meaning: Short = Field("", description="What the signature means; for CLOSED.", examples=["Reviewed and closed"])


class NewNote(Sent):
    """A note."""

    body: Text = Field(min_length=1)


class NoteMade(Shape):
    """The note's id."""

    id: int


class CapaShape(Shape):
    """One CAPA notice."""

    code: str = Field(examples=["CAPA-2026-0007"])
    kind: str
    state: str
    model: str
    model_name: dict[str, str]
    safety_critical: bool
    scope_kind: str
    scope_value: str
    fault_group: str
    trigger: str = Field(description="Why the machine proposed it.")
    statistics: dict[str, Any]
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    state_since: datetime
    round: int = Field(description="Counts up when a check failed and the cause is looked at again.")
    open_actions: int
    next_due_on: date | None = Field(description="Of the open actions.")
    effective_until: datetime | None = Field(description="When the period ends in which its effect is measured.")
    effectiveness_verdict: str | None = Field(description="MET, FAILED or INCONCLUSIVE; null: the period is not over.")
    ineffective_of: str | None = Field(validation_alias="ineffective_of_code")
    member_count: int
    device_count: int
    customer_count: int
    is_simulated: bool
    region: str
    row_version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None


class CapaMemberShape(Shape):
    """One work order of the CAPA."""

    work_order: str = Field(validation_alias="code")
    state: str
    priority: str
    serial: str | None
    lot: str | None
    firmware: str | None
    customer: str | None = Field(validation_alias="customer_code")
    customer_name: str | None
    title_code: str
    title_params: dict[str, Any]
    outcome: str | None
    failure_code: str | None
    breach_count: int
    created_at: datetime
    added_at: datetime
    excluded_reason: str | None = Field(description="Why it does not count; null: it counts.")


class CapaStep(Shape):
    """A step that the life-cycle knows from here."""

    to: CapaState
    allowed: bool
    permission: str = Field(description="That the caller uses, or lacks.")
    offered: bool = Field(False, description="The figures of its effect speak for it; people decide.")
    offered_reason: str | None = None


class CapaDetail(CapaShape):
    """One CAPA with its cases, its plan and its effect."""

    members: list[CapaMemberShape]
    next_steps: list[CapaStep]
    root_cause: RootCauseShape
    actions: list[CapaActionShape]
    effectiveness: EffectivenessShape
    approvals: int = Field(description="Signatures on the plan that hold; two are needed.")
    closure_asked: bool = Field(description="Somebody signed that it may be closed, on the figures as they are now.")


class CapaTransition(Sent):
    """A step of a CAPA. IMPLEMENTATION and CLOSED are signed by two people; the second signature moves the CAPA."""

    to: CapaState
    reason: Text = Field("", description="Its justification.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: where the step is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed and approved"])
