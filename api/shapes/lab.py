"""Runs of the lab: simulated devices with one fault, and what a profile made of it."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.shapes.pages import Sent, Shape
from domain.lab import MOST_DEVICE_DAYS, LabRequest, RunState

Short = Annotated[str, Field(max_length=200)]
Whole = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class NewLabRun(Sent):
    """A run that is asked for. Devices times days times seeds are limited."""

    model: Short = Field(description="A device model whose physics is simulated.", examples=["INF-200"])
    fault: Short = Field(
        description="What goes wrong, one of the model's: docs/how-to/lab.md.", examples=["motor_wear"]
    )
    devices: Whole = Field(20, description=f"At most {MOST_DEVICE_DAYS:,} device-days in all.")
    days: Whole = 30
    seed: Whole = Field(1, description="The same seed gives the same devices, faults and readings.")
    seeds: Whole = Field(1, description="So many fleets, with this seed and those after it.")
    rate: Number = Field(0.2, description="Share of the devices that have the fault once: above 0, at most 1.")
    span_h: Number | None = Field(
        None, description="Hours to full strength; of a fault that does not grow, how long it lasts. null: the usual."
    )
    sensor: Short | None = Field(None, description="Of a sensor that sticks or is silent; null: one by chance.")
    proposal: Short | None = Field(
        None,
        description="Code of a threshold proposal, or of a draft of a profile, that is judged; null: what is live.",
        examples=["TP-2026-0001"],
    )

    def to_request(self) -> LabRequest:
        """What the lab is asked for."""
        return LabRequest(
            model=self.model,
            fault=self.fault,
            devices=self.devices,
            days=self.days,
            seed=self.seed,
            seeds=self.seeds,
            rate=self.rate,
            span_h=self.span_h,
            sensor=self.sensor,
        )


class CallOffRun(Sent):
    """Why a run is called off, if that is to be said."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)] = ""


class LabRunShape(Shape):
    """One run, from asked for to done."""

    code: str = Field(examples=["LAB-2026-000001"])
    request: dict[str, Any]
    profile_version: int
    profile_sha256: str = Field(description="Of the profile that is judged.")
    proposal: str | None
    state: RunState
    progress: float = Field(description="0 to 1.")
    seconds_left: float | None = Field(description="Estimated; null: not known yet, or over.")
    figures: dict[str, Any] | None = Field(description="Caught, late, missed, warning, false tickets; null: not done.")
    error: str | None
    requested_by: str
    requested_at: datetime
    cancelled_by: str | None
    cancel_reason: str | None
    started_at: datetime | None
    finished_at: datetime | None


class LabRunDetail(LabRunShape):
    """The same with all that came of it."""

    result: dict[str, Any] | None = Field(description="See docs/how-to/lab.md.")
