"""Customers, device models and devices."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.shapes.device_accounts import AccountShape
from api.shapes.pages import Day, Sent, Shape
from domain.installed_base import SERIAL_PATTERN

Code = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Severity = Literal["INFO", "MINOR", "MAJOR", "CRITICAL"]


class CustomerShape(Shape):
    """One customer."""

    code: str = Field(examples=["C-004"])
    name: str = Field(examples=["St. Anna Hospital"])
    type: str = Field(examples=["HOSPITAL"])
    channel: str
    status: str
    region: str
    contacts: list[dict[str, Any]] | None = Field(description="null: hidden from your roles.")
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    site_count: int
    device_count: int
    open_work_orders: int
    row_version: int
    updated_at: datetime


class SiteShape(Shape):
    """One place where devices stand."""

    code: str
    name: str
    department: str
    address: str
    time_zone: str = Field(examples=["Europe/Berlin"])
    region: str
    device_count: int


class ContractShape(Shape):
    """One service contract."""

    code: str
    coverage: str
    starts_on: date
    ends_on: date
    status: str


class CustomerDetail(CustomerShape):
    """One customer with sites and contracts."""

    sites: list[SiteShape]
    contracts: list[ContractShape]


class HealthShape(Shape):
    """Whether a device is healthy, and why it is said to be: no alarm means health only where the data are complete."""

    state: Literal["OK", "ATTENTION", "FAULT", "UNKNOWN"]
    reason: str = Field(
        description="open_breach, not_in_service, never_reported, offline, stale, completeness_not_known, incomplete "
        "or complete.",
        examples=["incomplete"],
    )


class DeviceShape(Shape):
    """One device in a list."""

    serial: str = Field(examples=["INF-0017"])
    model: str = Field(examples=["INF-200"])
    firmware: str = Field(examples=["2.4.1"])
    lot: str
    lifecycle: str = Field(examples=["IN_SERVICE"])
    connectivity: Literal["UNKNOWN", "ONLINE", "STALE", "OFFLINE"]
    connectivity_since: datetime | None
    connectivity_reason: str = Field(
        description="readings, said_online, said_offline or silent; empty before it was judged.", examples=["readings"]
    )
    last_seen_at: datetime | None = Field(description="When its last message came, our time, to a few seconds.")
    gateway: str | None
    site: str | None = Field(validation_alias="site_code")
    site_name: str | None
    customer: str | None = Field(validation_alias="customer_code")
    customer_name: str | None
    region: str
    active_breaches: int
    worst_severity: Severity | None = Field(description="Of its active breaches.")
    open_work_orders: int
    health: HealthShape
    completeness: float | None = Field(description="Of its data on `quality_day`; null: nothing can be said.")
    quality_day: date | None = Field(description="Today or yesterday (UTC).")
    skew_s: float | None = Field(description="Above 0: its clock is ahead.")
    is_simulated: bool
    row_version: int


class LatestShape(Shape):
    """The newest reading of one sensor by the device's own time."""

    sensor: str = Field(examples=["motor_current"])
    label: dict[str, str] | None = Field(None, description="In English and Chinese.")
    unit: str | None = Field(None, description="UCUM.", examples=["A"])
    decimals: int | None = None
    diagnostic: bool = False
    observed_at: datetime | None
    value: float | None
    flags: int | None = Field(description="1 time of receipt, 2 uncertain, 4 bad, 8 late.")


class AttributeShape(Shape):
    """What the device or its gateway says of it beside readings, firmware and status."""

    key: str = Field(examples=["ward"])
    value: Any = Field(description="Any JSON, as it was reported last.", examples=["ICU 2"])
    observed_at: datetime = Field(description="Of the report: the device's time, or that of the receipt.")


class DeviceDetail(DeviceShape):
    """One device with everything that the first look needs."""

    model_name: dict[str, str]
    manufacturer: str
    udi_di: str
    udi: str
    safety_critical: bool
    profile_version: int
    lifecycle_since: datetime
    site_department: str | None
    site_time_zone: str | None
    made_on: date | None
    expires_on: date | None = Field(description="The last day on which it may be used.")
    purchased_on: date | None
    installed_on: date | None
    warranty_end: date | None
    calibration_due: date | None
    external_refs: list[dict[str, Any]]
    contract: ContractShape | None = Field(None, description="The customer's contract that is active today.")
    latest: list[LatestShape] = Field(default_factory=list)
    attributes: list[AttributeShape] = Field(default_factory=list, description="By key, at most 100.")
    account: AccountShape | None = Field(None, description="Its account at the broker; null: none was made here.")
    updated_at: datetime


class HistoryShape(Shape):
    """Something that happened to the device."""

    at: datetime
    kind: Literal["change", "firmware", "event", "status"]
    field: str = Field(examples=["firmware:main"])
    before: str | None
    after: str | None
    detail: str
    source: str = Field(examples=["device"])


class NewDevice(Sent):
    """A device to be registered, with where it stands."""

    serial: Annotated[str, StringConstraints(pattern=f"^{SERIAL_PATTERN.pattern}$")] = Field(examples=["MY-0001"])
    model: Code = Field(min_length=1, examples=["INF-200"])
    lot: Code = ""
    udi: Words = ""
    firmware: Code = ""
    gateway: Code = ""
    customer: Code = Field("", description="Code of the customer; made if it is new.")
    customer_name: Words = ""
    customer_type: Literal["HOSPITAL", "CLINIC", "LAB", "DISTRIBUTOR"] = "HOSPITAL"
    site: Code = Field("", description="Code of the site; made if it is new.")
    site_name: Words = ""
    site_time_zone: Code = "UTC"
    region: Code = ""
    made_on: Day | None = None
    installed_on: Day | None = None
    warranty_end: Day | None = None
    calibration_due: Day | None = None


class ModelShape(Shape):
    """One device model, as its profile file says."""

    model: str = Field(examples=["INF-200"])
    version: int
    manufacturer: str
    name: dict[str, str]
    udi_di: str
    safety_critical: bool


class ModelDetail(ModelShape):
    """One device model with the whole profile."""

    profile: dict[str, Any] = Field(description="Sensors, fault groups, monitors and ticket rules.")


class BucketedReadings(Shape):
    """Readings of one sensor in [from, to), by column; the columns are equally long.

    `raw`: every reading, each with min = max = mean and count 1. Otherwise equal buckets; those without a reading are
    left out. Buckets narrower than a minute begin at `from`; wider ones are whole minutes, hours or days in UTC, of
    which the first and the last count what lies in [from, to).
    """

    serial: str
    sensor: str
    unit: str | None
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    raw: bool
    level: Literal["raw", "1m", "1h", "1d"] = Field(
        description="The coarsest roll-up that the figures come from: by minute, hour or day. They are exact on each."
    )
    bucket_s: float | None = Field(description="Width of a bucket in seconds; null for raw readings.")
    at: list[int] = Field(description="Milliseconds since 1970: of the reading, or where the bucket begins.")
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    count: list[int] = Field(description="Readings in the bucket that are not bad.")
    flags: list[int] = Field(
        description="Every mark of the bucket's readings: 1 time of receipt, 2 uncertain, 4 bad, 8 late."
    )


class ScoreColumns(Shape):
    """One detector's scores by column."""

    detector: str
    at: list[int] = Field(description="Milliseconds since 1970 where the bucket begins.")
    max: list[float]
    mean: list[float]
    count: list[int]


class BucketedScores(Shape):
    """Scores of one sensor in [from, to), per detector."""

    serial: str
    sensor: str
    from_: datetime = Field(serialization_alias="from")
    to: datetime
    bucket_s: float
    completeness: float | None = Field(
        description="Of the device's data on the days of the window; null: nothing can be said."
    )
    detectors: list[ScoreColumns]
