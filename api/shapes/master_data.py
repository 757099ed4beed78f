"""Master data as other systems bring it, and what became of it."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.shapes.installed_base import Code, Words
from api.shapes.pages import Day, Sent, Shape
from domain.contract import MOST_REMIND_DAYS, ContractState
from domain.device_lifecycle import Lifecycle
from domain.master_data import MOST_CONTACTS, MOST_DEVICES, MOST_ID, UpsertAction

ExternalId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=MOST_ID)]
LongWords = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Serial = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
_REF = "The same by its name in the system of the request."


class ContactShape(Sent):
    """A person at a customer."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    role: Words = ""
    phone: Words = ""
    email: Words = ""


class _Named(Sent):
    external_type: Code = Field(
        "", description="What the other system calls this kind of record.", examples=["Customer"]
    )


class CustomerUpsert(_Named):
    """A customer; what is left out stays as it is."""

    code: Code = Field("", description="Ours. Of a new one: its id, unless given. It never changes.")
    name: Words = Field("", examples=["Lakeview Hospital"])
    type: Literal["HOSPITAL", "CLINIC", "LAB", "DISTRIBUTOR"] = "HOSPITAL"
    channel: Literal["DIRECT", "DISTRIBUTOR"] = "DIRECT"
    status: Literal["PROSPECT", "ACTIVE", "INACTIVE"] = "ACTIVE"
    region: Code = ""
    contacts: list[ContactShape] = Field([], max_length=MOST_CONTACTS, description="All of them: others are removed.")
    is_simulated: bool = Field(False, description="Stays as it was first said.")


class SiteUpsert(_Named):
    """A site; what is left out stays as it is."""

    code: Code = Field("", description="Ours. Of a new one: its id, unless given. It never changes.")
    customer: Code = Field("", description="Code of the customer.")
    customer_ref: ExternalId = Field("", description=_REF)
    name: Words = ""
    department: Words = ""
    address: LongWords = ""
    time_zone: Code = Field("UTC", examples=["Europe/Berlin"])
    region: Code = ""
    service_calendar: Code | None = Field(None, description="Of a new site; later it has a route of its own.")


class ContractUpsert(_Named):
    """A service contract; what is left out stays as it is."""

    code: Code = Field("", description="Ours. Of a new one: its id, unless given. It never changes.")
    customer: Code = Field("", description="Code of the customer.")
    customer_ref: ExternalId = Field("", description=_REF)
    coverage: LongWords = ""
    starts_on: Day | None = None
    ends_on: Day | None = Field(None, description="Its last day.")
    remind_days: int = Field(60, ge=0, le=MOST_REMIND_DAYS)
    sla_policy: Code | None = Field(None, description="Fixed while it is ACTIVE: there it has a route of its own.")
    devices: list[Serial] | Literal["*"] = Field(
        "*", max_length=MOST_DEVICES, description="Serials of the devices that it covers; `*`: all of the customer."
    )
    region: Code = ""
    status: ContractState = Field(
        ContractState.DRAFT, description="Of a new one DRAFT or ACTIVE; then it moves by steps."
    )


class DeviceUpsert(_Named):
    """A device; what is left out stays as it is."""

    serial: Code = Field("", description="Of a new one: its id, unless given. Of a known one a key field.")
    model: Code = Field("", description="Key of the device model. It never changes.", examples=["INF-200"])
    model_ref: ExternalId = Field("", description=_REF)
    lot: Code = ""
    udi: Words = Field(
        "",
        description="GS1 carrier, as printed or as scanned. It says lot, made_on and expires_on where nothing else "
        "does. Once known a key field.",
        examples=["(01)04012345000016(11)260115(10)L26(21)SN-0001"],
    )
    made_on: Day | None = None
    expires_on: Day | None = None
    purchased_on: Day | None = None
    installed_on: Day | None = None
    warranty_end: Day | None = None
    calibration_due: Day | None = None
    site: Code | None = Field(None, description="Code. To a site of another customer: a key field.")
    site_ref: ExternalId = Field("", description=_REF)
    gateway: Code | None = Field(None, description="Which gateway speaks for it; made where it is new.")
    region: Code = ""
    lifecycle: Literal["REGISTERED", "INSTALLED", "IN_SERVICE"] = Field(
        "REGISTERED",
        description="Of a new one; left out: IN_SERVICE with site and installed_on, else REGISTERED. Then it moves by "
        "steps.",
    )
    is_simulated: bool = Field(False, description="That of its site. Stays as it was first said.")


class ModelName(_Named):
    """Which device model the other system means."""

    model: Code = Field(min_length=1, examples=["INF-200"])


class UpsertAnswer(Shape):
    """What became of the record."""

    action: Literal["created", "changed", "unchanged"]
    code: str = Field(description="Ours; of a device its serial.")
    fields: list[str] = Field(description="That were set or changed.")
    row_version: int


class RecordName(Shape):
    """Which record of ours a system means."""

    code: str = Field(description="Ours; of a device its serial.")
    external_id: str | None
    external_type: str | None
    row_version: int
    address: str = Field(examples=["/api/v1/customers/C-004"])


class LineError(Shape):
    """Why a line was left out."""

    field: str
    reason: str
    guard: str = Field(description="The rule that refuses the change; empty: the value cannot be used.")


class ImportLine(Shape):
    """What became of one line, or would."""

    line: int = Field(description="From 1, the header included.")
    action: UpsertAction
    external_id: str
    code: str
    fields: list[str] = Field(description="That were set or changed.")
    errors: list[LineError]


class ImportReport(Shape):
    """What became of a file, or would: every line that can be is taken, the others are left out."""

    dry_run: bool
    lines: int
    created: int
    changed: int
    unchanged: int
    refused: int
    items: list[ImportLine]


class SiteRecordShape(Shape):
    """One place where devices stand."""

    code: str
    customer: str
    customer_name: str
    name: str
    department: str
    address: str
    time_zone: str
    region: str
    service_calendar: str | None
    device_count: int
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    row_version: int
    updated_at: datetime


class ServiceContractShape(Shape):
    """One service contract."""

    code: str
    customer: str
    customer_name: str
    coverage: str
    starts_on: date
    ends_on: date = Field(description="Its last day.")
    status: ContractState
    status_since: datetime
    status_reason: str
    remind_days: int
    sla_policy: str | None
    covers_all: bool = Field(description="All devices of the customer; else `devices`.")
    devices: list[str] = Field(description="Serials, in a list the first hundred.")
    device_count: int = Field(description="How many it covers.")
    region: str
    external_refs: list[dict[str, Any]]
    is_simulated: bool
    row_version: int
    updated_at: datetime


class ContractTransition(Sent):
    """A step of a contract."""

    to: ContractState
    reason: Reason = ""


class LifecycleTransition(Sent):
    """A step of a device's life-cycle."""

    to: Lifecycle
    reason: Reason = ""


class LifecycleAnswer(Shape):
    """Where a device stands in its life-cycle."""

    serial: str
    lifecycle: Lifecycle
    lifecycle_since: datetime
    row_version: int


class KeyFieldChange(Shape):
    """One change of serial, UDI, owner or site."""

    at: datetime
    field: Literal["serial", "udi", "customer", "site"]
    before: str | None
    after: str | None
    source: str = Field(
        description="Who, or the request by which two people did it.", examples=["approval:AR-2026-000001"]
    )
    approval_request: str | None
    reason: str | None
    asked_by: str | None
    decided_by: str | None
    audit_seq: int | None = Field(description="The audit's event in which it was granted.")
