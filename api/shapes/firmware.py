"""What devices run and ran, and how their updates went."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.shapes.pages import Shape

State = Literal["DOWNLOADING", "DOWNLOADED", "VERIFIED", "UPDATING", "UPDATED", "FAILED"]


class RunningShape(Shape):
    """What one component runs, or ran at the instant that was asked for."""

    component: str = Field(examples=["main"])
    version: str = Field(examples=["2.4.1"])
    since: datetime | None = Field(description="Device time; null: before its first report.")
    source: Literal["reported", "previous", "registered"] = Field(
        description="A report of that time; the version before the first report, by that report; the master data alone."
    )


class FirmwareChangeShape(Shape):
    """A component went from one version to another."""

    at: datetime
    component: str
    before: str | None = Field(description="null: nothing was known.")
    after: str


class UpdateAttemptShape(Shape):
    """One update, from its first report to its last."""

    component: str
    version: str
    previous: str | None
    began_at: datetime
    last_at: datetime
    outcome: Literal["under_way", "updated", "failed", "rolled_back", "abandoned"]
    steps: list[State] = Field(description="Each that was reported, in the order in which they happened.")
    error: str | None
    irregularities: list[Literal["steps_missing", "out_of_order", "repeated", "previous_differs"]]


class DeviceFirmware(Shape):
    """The firmware of one device: now or at an instant, its changes and its updates, both newest first."""

    serial: str
    at: datetime = Field(description="The instant that `running` is of.")
    running: list[RunningShape]
    changes: list[FirmwareChangeShape]
    attempts: list[UpdateAttemptShape]


class FirmwareCountShape(Shape):
    """How many devices of a model run a version of the main component now."""

    model: str
    version: str = Field(description="Empty: nobody knows.")
    devices: int
    first_updated_at: datetime | None = Field(description="When the first of them came to it, by its own report.")


class FirmwareCounts(Shape):
    """Every version that runs, by model."""

    items: list[FirmwareCountShape]
