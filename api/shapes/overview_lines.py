"""Lines of the overviews of customers and devices: short forms of records that have pages of their own."""

from datetime import date, datetime
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import Field

from api.shapes.pages import Shape

Line = TypeVar("Line")


class Part(Shape, Generic[Line]):
    """The first of a list, and how many there are in all."""

    total: int
    items: list[Line]


class OrderLineShape(Shape):
    """One work order."""

    code: str = Field(examples=["WO-2026-000123"])
    type: str
    source: str
    priority: str
    state: str
    hold_reason: str | None
    fault_group: str
    title: dict[str, str] = Field(description="In English and Chinese.")
    serial: str | None
    site: str | None
    assignee: str | None = Field(description="null: nobody, or hidden from your roles; so is the name.")
    assignee_name: str | None
    breach_count: int
    reopen_count: int
    recurrence_of: str | None
    outcome: str | None
    failure_code: str | None
    response_due_at: datetime | None
    resolution_due_at: datetime | None
    created_at: datetime
    closed_at: datetime | None


class ClockLineShape(Shape):
    """An SLA clock of an open order."""

    work_order: str
    priority: str
    serial: str | None
    clock: str = Field(examples=["RESPONSE"])
    state: str = Field(description="RUNNING, PAUSED or BREACHED, at this moment.")
    started_at: datetime
    due_at: datetime | None = Field(description="null while it is paused.")
    due_soon_at: datetime | None
    paused_since: datetime | None
    pause_reason: str
    breached_at: datetime | None


class ItemLineShape(Shape):
    """A device in a field action."""

    action: str = Field(examples=["FA-2026-000001"])
    kind: str
    title: str
    action_state: str
    is_halted: bool
    serial: str
    state: str
    state_since: datetime
    scheduled_for: datetime | None
    work_order: str | None


class CapaLineShape(Shape):
    """An open CAPA."""

    code: str
    kind: str
    state: str
    scope_kind: str
    scope_value: str
    model: str
    fault_group: str
    orders: int = Field(description="Of this customer or device, that belong to it.")
    created_at: datetime


class ComplaintLineShape(Shape):
    """A complaint, without who complained."""

    code: str
    state: str
    severity: str
    received_at: datetime
    serial: str | None
    fault_group: str | None
    work_order: str | None
    closed_at: datetime | None


class PlannedLineShape(Shape):
    """One time that planned work is due."""

    occurrence: str
    plan: str
    plan_name: str
    order_type: str
    kind: str
    serial: str
    state: str
    due_on: date | None = Field(description="null: no date can be said yet.")
    days_left: int | None
    work_order: str | None


class BreachLineShape(Shape):
    """An active breach."""

    id: UUID
    sensor: str | None
    monitor: str
    kind: str
    severity: str
    fault_group: str
    first_seen: datetime
    raised_at: datetime
    last_seen: datetime
    count: int
    sentence: dict[str, str] = Field(description="In English and Chinese.")
    is_acknowledged: bool
    is_shelved: bool = Field(description="Set aside by a person for now; it counts all the same.")
    work_orders: list[str]


class ForecastLineShape(Shape):
    """That a sensor will reach its limit: the remaining useful life as its monitor saw it last."""

    breach_id: UUID
    sensor: str | None
    monitor: str
    fault_group: str
    at: datetime = Field(description="When it was said (device time).")
    hours_to_limit: float = Field(description="From then on.")
    hours_low: float | None
    hours_high: float | None = Field(description="null: the slower bound never reaches it.")
    expected_at: datetime
    is_passed: bool = Field(description="That moment is over, and the breach still stands.")
