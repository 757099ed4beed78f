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


class RegressionLine(Shape):
    """One thing that was compared, each device with itself before the update."""

    measure: Literal["rate", "level", "spread"]
    subject: str = Field(description="A fault group (rate) or a sensor.", examples=["motor_current"])
    unit: str = Field(description="Of before, after and effect; of a rate breaches per 1,000 device-days.")
    devices: int
    controls: int = Field(description="Devices without the update that they were compared with; 0: there were too few.")
    before: float | None
    after: float | None = Field(description="What the controls did as well is taken out.")
    effect: float | None = Field(description="After less before; of a rate their ratio.")
    low: float | None = Field(description="Of the 95 % interval of the effect.")
    high: float | None
    p: float = Field(description="Of the last look alone, two-sided.")
    p_valid: float = Field(description="Valid whenever one looks.")
    q: float = Field(description="p_valid after false-discovery correction over all that is compared.")
    share: float | None = Field(description="Of the way to the limit of `monitor` that was used up.")
    monitor: str | None
    fault_group: str | None
    verdict: Literal["WORSE", "CHANGED", "IMPROVED", "NONE", "TOO_FEW"]


class ReleaseShape(Shape):
    """How far the comparison of a release is, and what it found; simulated devices are a fleet of their own."""

    is_simulated: bool
    first_update_at: datetime
    devices: int = Field(description="Updated devices with at least six hours that can be compared.")
    controls: int
    customers: int
    device_hours: float
    next_look_hours: float = Field(description="Device-hours at which it is tested the next time.")
    looks: int
    looked_at: datetime | None
    lines: list[RegressionLine] = Field(description="The most certain differences first.")
    capas: dict[str, str] = Field(description="By fault group the CAPA that it led to.")


class Regression(Shape):
    """What a firmware version changed on the devices that it reached."""

    model: str
    version: str
    releases: list[ReleaseShape]
