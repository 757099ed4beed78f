"""One customer, or one device, with all that is known of it on one page."""

from datetime import date, datetime
from typing import Any

from pydantic import Field

from api.shapes.breaches import ShelvingShape
from api.shapes.firmware import FirmwareChangeShape, RunningShape
from api.shapes.installed_base import HealthShape, HistoryShape
from api.shapes.overview_lines import (
    BreachLineShape,
    CapaLineShape,
    ClockLineShape,
    ComplaintLineShape,
    ForecastLineShape,
    ItemLineShape,
    OrderLineShape,
    Part,
    PlannedLineShape,
)
from api.shapes.pages import Shape
from api.shapes.risk import DueShape, RiskShape
from domain.device_exception import DeviceException

HIDDEN = "Fields and parts that your roles do not show; they are null and count nothing in the risk."


class ContractLineShape(Shape):
    """The contract that counts: the one in force that lasts longest, else the one that was in force last."""

    code: str
    coverage: str
    status: str
    starts_on: date
    end: DueShape
    is_current: bool
    covers_all: bool = Field(description="Whether it covers all devices of the customer, or those that it names.")
    sla_policy: str | None = Field(description="null: the times of the device model's profile.")
    follows: str | None = Field(description="A contract that lasts longer.")


class SlaShareShape(Shape):
    """How clocks of one kind ended."""

    met: int
    breached: int
    share: float | None = Field(description="met / (met + breached); null: none ended, which says nothing.")


class SlaShape(Shape):
    """The SLA of one customer."""

    since: datetime = Field(
        description="Clocks that were met, or whose time ran out, from then on; waived ones left out."
    )
    shares: dict[str, SlaShareShape] = Field(description="By clock.")
    clocks: Part[ClockLineShape] = Field(description="Of open orders, the one due first at the top.")


class ExceptionDeviceShape(Shape):
    """A device that is not as it should be."""

    serial: str
    model: str
    site: str
    reason: str = Field(description="Severity, reason of the health, or a date.")
    since: datetime | None = Field(description="Of `offline` and `stale`.")


class ExceptionShape(Shape):
    """Devices that are not as they should be, in one way."""

    exception: DeviceException
    total: int
    items: list[ExceptionDeviceShape]


class DeviceCounts(Shape):
    """The customer's devices that are not decommissioned."""

    total: int
    by_health: dict[str, int] = Field(description="UNKNOWN is never OK.")
    by_lifecycle: dict[str, int]
    by_connectivity: dict[str, int]
    exceptions: list[ExceptionShape] = Field(description="Every kind, those without devices too.")


class DueLineShape(Shape):
    """A device that is to be calibrated."""

    serial: str
    model: str
    site: str
    due: DueShape


class CustomerOverview(Shape):
    """What we owe a customer, and what is wrong there."""

    code: str = Field(examples=["C-004"])
    name: str
    type: str
    channel: str
    status: str
    region: str
    at: datetime
    is_simulated: bool = Field(description="Whether simulated records are counted, or real ones: never both.")
    contacts: list[dict[str, Any]] | None = Field(description="null: hidden by role.")
    hidden: list[str] = Field(description=HIDDEN)
    risk: RiskShape
    contract: ContractLineShape | None = Field(description="null: none has begun.")
    sla: SlaShape
    devices: DeviceCounts
    work_orders: Part[OrderLineShape] = Field(description="Not closed, the most urgent first.")
    capas: Part[CapaLineShape] | None = Field(description="Open ones that its orders belong to.")
    field_actions: Part[ItemLineShape] | None = Field(description="Its devices that running actions have to do with.")
    complaints: Part[ComplaintLineShape] | None = Field(description="Open ones, the worst first.")
    calibrations: Part[DueLineShape] = Field(description="Due within 30 days or overdue, then unknown.")
    maintenance: Part[PlannedLineShape] = Field(description="Due, overdue, or planned within 30 days.")


class PlaceShape(Shape):
    """Where a device stands."""

    site: str | None
    site_name: str | None
    department: str | None
    time_zone: str | None
    customer: str | None
    customer_name: str | None
    gateway: str | None
    region: str


class StateShape(Shape):
    """A state, since when and why."""

    state: str
    since: datetime | None
    reason: str = ""


class DeviceFirmwareShape(Shape):
    """What a device runs and ran, by its own reports."""

    running: list[RunningShape]
    changes: list[FirmwareChangeShape] = Field(description="Newest first.")


class QualityLineShape(Shape):
    """One judged day (UTC)."""

    day: date
    completeness: float | None
    least_completeness: float
    duplicate_ratio: float | None
    skew_s: float | None
    alerts: list[str]


class DeviceOverview(Shape):
    """One device with all that happened to it and all that is open."""

    serial: str = Field(examples=["INF-0017"])
    model: str
    model_name: dict[str, str]
    manufacturer: str
    safety_critical: bool
    lot: str
    udi: str
    udi_di: str
    made_on: date | None
    purchased_on: date | None
    installed_on: date | None
    at: datetime
    is_simulated: bool
    hidden: list[str] = Field(description=HIDDEN)
    risk: RiskShape
    health: HealthShape
    lifecycle: StateShape
    connectivity: StateShape = Field(description="Apart from the lifecycle.")
    last_seen_at: datetime | None
    place: PlaceShape
    firmware: DeviceFirmwareShape
    contract: ContractLineShape | None = Field(description="That covers it; null: none has begun.")
    warranty: DueShape
    calibration: DueShape
    planned: Part[PlannedLineShape] = Field(description="Planned work that is open, calibration too.")
    work_orders: Part[OrderLineShape] = Field(description="Not closed, the most urgent first.")
    past_work_orders: Part[OrderLineShape] = Field(description="Closed or cancelled, newest first.")
    clocks: Part[ClockLineShape]
    breaches: Part[BreachLineShape] = Field(description="Active ones, the worst first.")
    forecasts: list[ForecastLineShape]
    shelvings: list[ShelvingShape] = Field(description="Those that hold now.")
    field_actions: Part[ItemLineShape] | None = Field(description="All that it is or was in, drafts left out.")
    capas: Part[CapaLineShape] | None
    complaints: Part[ComplaintLineShape] | None = Field(description="All, closed ones last.")
    data_quality: list[QualityLineShape] = Field(description="The last seven judged days, newest first.")
    history: list[HistoryShape] = Field(description="The newest 50; all of it at /devices/{serial}/history.")
