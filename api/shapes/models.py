"""Models, their steps, training and backtests."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.shapes.pages import Instant, Sent, Shape
from domain.model_record import ModelKind, ModelState, ModelStep

Short = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=10_000)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class ModelRecordShape(Shape):
    """One model."""

    code: str = Field(examples=["MOD-2026-0001"])
    kind: ModelKind
    state: ModelState
    model: str = Field(description="The device model.", examples=["INF-200"])
    safety_critical: bool = Field(description="The device model is: two engineers activate, and steps are signed.")
    firmware: str = Field(description="Only for devices that run this version; empty: for all of the device model.")
    sha256: str = Field(description="Of what the model is: its arrays and its description.")
    size: int = Field(description="Bytes of its arrays.")
    created_by: str
    created_at: datetime
    asked_by: str | None = Field(description="Who asked for its activation; another engineer approves it.")
    asked_at: datetime | None
    approved_by: str | None
    live_since: datetime | None
    live_until: datetime | None
    replaced_code: str | None = Field(description="What it replaced when it became live: a roll-back goes there.")
    has_backtest: bool
    row_version: int
    updated_at: datetime


class ModelStepShape(Shape):
    """A step that the model's state allows."""

    step: ModelStep
    allowed: bool = Field(description="The caller has the right; guards may still refuse.")
    signed: bool = Field(description="It takes the password again.")


class ModelRecordDetail(ModelRecordShape):
    """One model with where it comes from."""

    description: dict[str, Any] = Field(description="Its parts: detector, version, monitor and devices.")
    provenance: dict[str, Any] = Field(description="Data window and hash, code version, seed, metrics.")
    next_steps: list[ModelStepShape]


class ModelTransition(Sent):
    """A step of a model."""

    step: ModelStep
    reason: Text = Field("", description="Needed to take a live model away.")
    password: str | None = Field(None, max_length=1000, description="One's own, again: where the step is signed.")
    meaning: Short = Field("", description="What the signature means.", examples=["Reviewed the backtest"])


class NewTraining(Sent):
    """A training that is asked for."""

    model: Short = Field(description="The device model.", examples=["INF-200"])
    kind: Literal[ModelKind.FLEET_PRIOR] = ModelKind.FLEET_PRIOR
    firmware: Short = ""
    since: Instant | None = Field(None, description="null: the first reading.")
    until: Instant | None = Field(None, description="null: the last reading.")


class NewBacktest(Sent):
    """A backtest that is asked for."""

    since: Instant | None = Field(None, description="null: the first reading.")
    until: Instant | None = Field(None, description="null: the last reading.")
    level: Literal["raw", "minute", "hour"] | None = Field(
        None, description="Readings, or means of them; null: the coarsest that leaves no monitor out."
    )
    settle_days: float = Field(0.0, ge=0.0, le=365.0, description="Days at the begin that are not counted.")


class MonitorChanges(Sent):
    """What would be changed of the monitor; null: as it is."""

    raise_at: Number | None = None
    clear_at: Number | None = None
    critical_at: Number | None = None
    n: int | None = Field(None, ge=1, le=64)
    m: int | None = Field(None, ge=1, le=64)
    duration_s: Number | None = Field(None, ge=0.0)
    clear_duration_s: Number | None = Field(None, ge=0.0)
    window_s: Number | None = Field(None, gt=0.0)
    tolerance: Number | None = Field(None, ge=0.0)
    warmup: int | None = Field(None, ge=0)


class NewMonitorBacktest(NewBacktest):
    """A backtest of other thresholds of one monitor."""

    changes: MonitorChanges


class MonitorProposal(Sent):
    """Other thresholds of one monitor, as a draft."""

    changes: MonitorChanges


class CallOff(Sent):
    """Why a job is called off."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class ModelJobShape(Shape):
    """Training or a backtest, from asked for to done."""

    id: int
    kind: Literal["train", "backtest"]
    model_code: str | None = Field(description="The model that it is about, or made.")
    state: Literal["QUEUED", "RUNNING", "DONE", "FAILED", "CANCELLED"]
    progress: float = Field(description="0 to 1.")
    seconds_left: float | None = Field(description="Estimated; null: not known yet, or over.")
    message: str
    error: str | None
    cancelled_by: str | None = Field(description="Who called it off.")
    cancel_reason: str | None
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ModelJobDetail(ModelJobShape):
    """The same with what was asked for and what came of it."""

    request: dict[str, Any]
    result: dict[str, Any] | None = Field(description="See docs/reference/models.md.")


class ShadowCountShape(Shape):
    """What one side did with one monitor on one day of event time."""

    day: date
    monitor: str
    side: Literal["live", "shadow"]
    raised: int
    escalated: int
    cleared: int


class ShadowCounts(Shape):
    """Champion and challenger side by side, the newest days first."""

    items: list[ShadowCountShape]
