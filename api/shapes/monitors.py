"""How good monitors are: precision, budget, flags, drift; and thresholds that are proposed."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.shapes.pages import Sent, Shape
from api.shapes.service import Short, Text
from domain.threshold_proposal import ProposalState


class QualityShape(Shape):
    """What outcomes of orders say; simulated devices are a fleet of their own."""

    is_simulated: bool
    confirmed: int
    sensor_fault: int
    no_fault_found: int
    false_alarm: int
    precision_mean: float = Field(description="Share of its orders that are useful: CONFIRMED or SENSOR_FAULT.")
    precision_low: float = Field(description="Low and high bound 95 % of what it may be.")
    precision_high: float
    tickets: int = Field(description="Automatic orders of the last 30 days that it was behind.")
    device_days: float
    ticket_rate: float | None = Field(description="Tickets per 1,000 device-days; null below one device-day.")
    allowed_rate: float = Field(description="And how many it may open, by its precision.")
    is_over_budget: bool = Field(
        description="Three tickets or more, and more than chance makes of what is allowed, also where there is no rate."
    )
    judged_at: datetime


class MonitorFlagShape(Shape):
    """Three orders behind it were closed as false alarms."""

    profile_version: int
    false_alarms: int
    flagged_at: datetime


class DriftShape(Shape):
    """How far its scores, or the readings of its sensors, moved away from the reference."""

    is_simulated: bool
    kind: str = Field(description="`input`: readings of a sensor; `score`: scores of the monitor.")
    subject: str
    firmware: str = Field(description="Empty: all versions together.")
    day: date
    psi: float = Field(description="Population stability index of the last week against the reference.")
    usual_psi: float = Field(description="What the reference shows within itself, week against week.")
    devices: int
    state: str = Field(description="`STABLE`, `WATCH` or `DRIFT`.")


class ThresholdProposalShape(Shape):
    """A threshold that the machine proposes, from what orders found."""

    code: str = Field(examples=["TP-2026-0001"])
    model: str
    monitor: str
    profile_version: int
    safety_critical: bool
    state: str
    raise_at: float
    clear_at: float
    proposed_raise_at: float
    proposed_clear_at: float
    basis: dict[str, Any] = Field(description="Outcomes and peaks that it was made from, and what it would have saved.")
    backtest_job_id: int | None
    backtest_job_state: str | None = Field(description="Of the backtest that was asked for.")
    backtest_error: str | None
    backtest: dict[str, Any] | None = Field(description="What it found, as docs/reference/models.md says.")
    backtested_at: datetime | None
    endorsed_by: str | None
    endorsed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    made_version: int | None = Field(description="The profile version that accepting made.")
    row_version: int
    created_at: datetime
    updated_at: datetime


class ProposalStep(Shape):
    """A step that the life-cycle knows from here."""

    to: ProposalState
    allowed: bool
    permission: str


class ThresholdProposalDetail(ThresholdProposalShape):
    """One proposed threshold with what can be done with it."""

    next_steps: list[ProposalStep]


class ProposalTransition(Sent):
    """A person's decision on a proposed threshold."""

    to: ProposalState
    reason: Text = ""
    password: str | None = Field(None, max_length=1000, description="One's own, again: for ENDORSED and ACCEPTED.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed and accepted"])


class MonitorShape(Shape):
    """One monitor of a current profile."""

    model: str
    monitor: str
    rule: str
    fault_group: str
    severity: str
    raise_at: float | None
    clear_at: float | None
    quality: list[QualityShape]
    flag: MonitorFlagShape | None
    drift: list[DriftShape] = Field(description="Of the newest day, of its scores and its sensors, if any drifts.")
    proposal: ThresholdProposalShape | None = Field(description="The one that waits for a decision.")


class RuleShape(Shape):
    """All monitors of one detector of a model together."""

    model: str
    rule: str
    quality: QualityShape


class Monitors(Shape):
    """Every monitor of every current profile, and every detector."""

    items: list[MonitorShape]
    detectors: list[RuleShape]


class MonitorDetail(MonitorShape):
    """One monitor with the past of its drift and proposals."""

    proposals: list[ThresholdProposalShape] = Field(description="The newest first.")
    drift_days: list[DriftShape] = Field(description="The last 60 days, the newest first.")
