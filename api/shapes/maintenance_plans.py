"""Maintenance plans, their occurrences, and reminders."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.shapes.complaints import ExternalReference
from api.shapes.pages import Day, Sent, Shape
from domain.maintenance_plan import PlanAnchor, PlanKind, PlanUnit
from domain.tickets import Priority

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class MaintenancePlanShape(Shape):
    """One plan."""

    code: str = Field(examples=["MP-2026-000001"])
    name: str
    state: str
    order_type: str
    kind: str
    anchor: str
    model: str
    serial: str | None = Field(description="null: every installed device of the model.")
    every_count: int | None
    every_unit: str | None
    usage_sensor: str | None
    usage_every: float | None
    fault_group: str | None
    lead_days: int
    priority: str
    instructions: str
    starts_on: date
    ended_at: datetime | None
    end_reason: str
    open_occurrences: int
    overdue_occurrences: int
    external_refs: list[ExternalReference]
    region: str
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


class NewMaintenancePlan(Sent):
    """A plan to be made."""

    name: Short = Field(min_length=1, examples=["Yearly safety check"])
    order_type: Literal["PREVENTIVE", "CALIBRATION"]
    kind: PlanKind
    anchor: PlanAnchor = Field(PlanAnchor.FIXED, description="Counts from the installation, or from when it was done.")
    model: Short
    serial: Short | None = Field(None, description="Of one device; left out: every installed device of the model.")
    every_count: int | None = Field(None, ge=1, le=1200)
    every_unit: PlanUnit | None = None
    usage_sensor: Short | None = Field(None, description="The sensor that counts, e.g. run hours.")
    usage_every: float | None = Field(None, gt=0, lt=1e12)
    fault_group: Short | None = Field(None, description="Of CONDITION: a breach of it makes the work due.")
    lead_days: int = Field(14, ge=0, le=365, description="So many days before it is due the work order opens.")
    priority: Priority = Priority.P3
    instructions: Text = ""
    starts_on: Day | None = Field(None, description="Nothing is due before; left out: today.")
    external_refs: list[ExternalReference] = Field([], max_length=10)


class PlanTransition(Sent):
    """Ends a plan."""

    to: Literal["ENDED"]
    reason: Text = ""


class PlanOccurrenceShape(Shape):
    """One time that planned work is due at one device."""

    code: str = Field(examples=["PO-2026-000001"])
    plan: str
    plan_name: str
    order_type: str
    kind: str
    serial: str
    customer: str | None
    site: str | None
    time_zone: str
    number: int
    state: str
    due_on: date | None = Field(description="On the site's calendar; of USAGE a forecast, null where none can be made.")
    usage_target: float | None
    usage_total: float | None
    work_order: str | None
    work_order_state: str | None
    done_on: date | None
    skip_request: str | None
    skip_reason: str
    is_simulated: bool
    row_version: int
    created_at: datetime
    updated_at: datetime


class ReminderShape(Shape):
    """That something ends; said once."""

    kind: str
    subject: str = Field(description="Serial, code of a contract, or technician and model.")
    ends_on: date
    serial: str | None
    contract: str | None
    technician: str | None
    customer: str | None
    region: str
    is_simulated: bool
    reminded_at: datetime
    is_current: bool = Field(description="It still ends on that day; false: it was moved since.")
