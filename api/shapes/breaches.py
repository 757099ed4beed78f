"""Breaches, their evidence, and shelving."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from api.shapes.pages import Instant, Sent, Shape

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class BreachShape(Shape):
    """One episode of a monitor being violated on one device."""

    id: UUID
    serial: str = Field(examples=["INF-0017"])
    model: str
    sensor: str | None
    monitor: str = Field(examples=["motor_current_drift"])
    profile_version: int = Field(description="The version of the profile that judged it.")
    kind: Literal["LIMIT", "ANOMALY", "FORECAST", "DEVICE_CODE", "OFFLINE", "STALE"]
    severity: Literal["INFO", "MINOR", "MAJOR", "CRITICAL"]
    fault_group: str
    state: Literal["ACTIVE", "CLEARED", "DISCARDED"]
    first_seen: datetime = Field(description="Device time of the first reading of the episode.")
    raised_at: datetime
    last_seen: datetime
    cleared_at: datetime | None
    count: int
    peak: float
    score: float
    firmware: str = Field(description="That the device ran then.")
    reason_code: str = Field(description="Names the sentence; `params` fill it in.")
    params: dict[str, Any]
    acknowledged_by: str | None = Field(description="null: nobody, or hidden from your roles.")
    acknowledged_at: datetime | None
    customer: str | None = Field(validation_alias="customer_code")
    customer_name: str | None
    work_orders: list[str] = Field(validation_alias="work_order_codes", examples=[["WO-2026-000123"]])
    is_simulated: bool
    recorded_at: datetime
    completeness: float | None = Field(
        description="Share of the device's expected data that came on the day (UTC) it was first seen; null: not known."
    )


class DecisionShape(Shape):
    """What became of one step of a breach, and why."""

    transition_kind: str = Field(examples=["RAISED"])
    severity: str
    at: datetime = Field(description="Device time.")
    decided_at: datetime
    decision: str = Field(examples=["OPENED"])
    reason: str = Field(examples=["opened_major"])
    params: dict[str, Any]
    work_order: str | None = Field(validation_alias="work_order_code")


class BreachDetail(BreachShape):
    """One breach with the decisions on it."""

    sentence: dict[str, str] = Field(description="What happened, in English and Chinese.")
    decisions: list[DecisionShape]


class EvidenceShape(Shape):
    """What was frozen when the breach was raised."""

    breach_id: UUID
    sha256: str = Field(description="Over the canonical JSON of the body.")
    frozen_at: datetime
    completeness: float | None = Field(description="As of the breach; the evidence itself never changes.")
    body: dict[str, Any] = Field(description="Raw window, limits or band, score, contributions, versions, firmware.")


class NewShelving(Sent):
    """That a device, or one fault group of it, shall open nothing for a while."""

    fault_group: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="null: all of the device."
    )
    reason: Sentence
    until: Instant = Field(description="At most 90 days from now.")


class ShelvingShape(Shape):
    """One shelving; a CRITICAL breach still opens a work order."""

    id: int
    serial: str
    fault_group: str | None
    reason: str
    shelved_by: str | None = Field(description="null: hidden from your roles.")
    shelved_at: datetime
    shelved_until: datetime
    ended_at: datetime | None
