"""Clocks of work orders: when they ran, what they count to, and what became of them."""

from datetime import datetime

from pydantic import Field

from api.shapes.pages import Shape


class LimitShape(Shape):
    """An allowance of working time: from the start, or from an escalation."""

    since: datetime
    allowed_h: float
    used_h: float
    left_h: float = Field(description="Below 0: overdrawn.")
    governs: bool = Field(description="It is the one that is used up first.")
    sla_policy: str | None = Field(description="null: the times of the device model's profile.")
    sla_policy_version: int | None
    service_calendar: str | None = Field(description="null: around the clock.")
    service_calendar_version: int | None
    time_zone: str
    pauses: list[str] = Field(description="Hold reasons that pause the clock.")
    due_soon_share: float


class StretchShape(Shape):
    """A part of the clock's life."""

    since: datetime
    until: datetime
    counted: bool
    reason: str = Field(description="Why it was not counted.")
    worked_h: float = Field(description="Working time in it, by the limit that governed then.")


class ClockEventShape(Shape):
    """What happened to the clock; all else follows from these."""

    kind: str
    at: datetime
    reason: str


class ClockShape(Shape):
    """One clock of one version of the order."""

    clock: str = Field(description="RESPONSE or RESOLUTION.")
    version: int = Field(description="Of the order: reopening it starts new clocks.")
    state: str = Field(description="RUNNING, PAUSED, MET, BREACHED (for good) or STOPPED.")
    started_at: datetime
    due_at: datetime | None = Field(description="null while it is paused, and of one that was stopped.")
    due_soon_at: datetime | None
    paused_since: datetime | None
    pause_reason: str
    met_at: datetime | None
    breached_at: datetime | None = Field(description="When its time was used up.")
    warned_at: datetime | None = Field(description="When `sla.due_soon` was said.")
    waived_at: datetime | None = Field(description="From then on it counts in no figure; a breach stays.")
    waiver_reason: str
    stopped_at: datetime | None
    limits: list[LimitShape]
    stretches: list[StretchShape]
    events: list[ClockEventShape]
    explanation: dict[str, list[str]] = Field(description="The arithmetic in sentences, by language; local times.")


class OrderClocks(Shape):
    """All clocks of an order, the present version's first."""

    work_order: str
    at: datetime = Field(description="As of when they were counted.")
    items: list[ClockShape]
