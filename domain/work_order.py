"""Work orders: their states, which transitions there are, and the guards that refuse one. A refusal is a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from domain.tickets import Priority


class WorkOrderState(StrEnum):
    NEW = "NEW"
    TRIAGED = "TRIAGED"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    ON_HOLD = "ON_HOLD"
    WORK_DONE = "WORK_DONE"
    VERIFIED = "VERIFIED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"

    @property
    def is_open(self) -> bool:
        """Neither closed nor cancelled."""
        return self not in (WorkOrderState.CLOSED, WorkOrderState.CANCELLED)


class WorkOrderType(StrEnum):
    CORRECTIVE = "CORRECTIVE"
    PREDICTIVE = "PREDICTIVE"
    PREVENTIVE = "PREVENTIVE"
    CALIBRATION = "CALIBRATION"
    INSTALL = "INSTALL"
    TRAINING = "TRAINING"
    FIRMWARE = "FIRMWARE"
    RECALL = "RECALL"


class WorkOrderSource(StrEnum):
    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"
    COMPLAINT = "COMPLAINT"
    PLAN = "PLAN"


class HoldReason(StrEnum):
    PARTS = "PARTS"
    CUSTOMER = "CUSTOMER"
    ACCESS = "ACCESS"
    VENDOR = "VENDOR"


class Outcome(StrEnum):
    CONFIRMED = "CONFIRMED"
    NO_FAULT_FOUND = "NO_FAULT_FOUND"
    SENSOR_FAULT = "SENSOR_FAULT"
    FALSE_ALARM = "FALSE_ALARM"


class ResetReason(StrEnum):
    """Why what is normal of a device is learnt anew after work on it. Values never change."""

    FAULT_MENDED = "fault_mended"
    SENSOR_MENDED = "sensor_mended"
    MAINTENANCE = "maintenance"


class InboxReason(StrEnum):
    """Why a person has yet to look at the order."""

    NEW = "NEW"
    REOPENED = "REOPENED"
    ESCALATED = "ESCALATED"
    CAME_BACK = "CAME_BACK"


class Guard(StrEnum):
    """The rule that refused a transition; a 409 names it. Values never change."""

    NO_SUCH_TRANSITION = "no_such_transition"
    PERMISSION_MISSING = "permission_missing"
    REASON_MISSING = "reason_missing"
    HOLD_REASON_MISSING = "hold_reason_missing"
    ASSIGNEE_MISSING = "assignee_missing"
    ASSIGNEE_UNKNOWN = "assignee_unknown"
    CERTIFICATE_INVALID = "certificate_invalid"
    NOT_ASSIGNEE = "not_assignee"
    CLOSE_OUT_INCOMPLETE = "close_out_incomplete"
    OUTCOME_MISSING = "outcome_missing"
    NOT_QUIET = "not_quiet"
    OWN_WORK = "own_work"
    SECOND_PERSON = "second_person"
    SIGNATURE_MISSING = "signature_missing"
    SIGNER_IS_ANOTHER = "signer_is_another"
    OPEN_ORDER_OF_KEY = "open_order_of_key"
    PART_UNDECIDED = "part_undecided"
    CHECKLIST_INCOMPLETE = "checklist_incomplete"
    VISIT_UNDER_WAY = "visit_under_way"


def find_reset_reason(type_: WorkOrderType, outcome: Outcome | None) -> ResetReason | None:
    """Why work of this kind, done with this outcome, changes what is normal of the device; None: it does not.

    Where nothing was found and nothing was mended, what was learnt before is still true.
    """
    if outcome is Outcome.CONFIRMED:
        return ResetReason.FAULT_MENDED
    if outcome is Outcome.SENSOR_FAULT:
        return ResetReason.SENSOR_MENDED
    if type_ in (WorkOrderType.PREVENTIVE, WorkOrderType.CALIBRATION):
        return ResetReason.MAINTENANCE
    return None


@dataclass(frozen=True, slots=True)
class CloseOut:
    """What a service record must hold after 21 CFR 820.35(b)."""

    device_name: str = ""
    device_identification: str = ""  # UDI or serial
    serviced_on: date | None = None
    serviced_by: str = ""
    work_performed: str = ""
    test_data: str = ""

    def find_missing(self) -> tuple[str, ...]:
        """The names of the fields that are still empty."""
        return tuple(f.name for f in fields(self) if not str(getattr(self, f.name) or "").strip())


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One work order as stored; `row_version` is what `If-Match` compares."""

    id: int
    code: str
    type: WorkOrderType
    source: WorkOrderSource
    priority: Priority
    state: WorkOrderState
    hold_reason: HoldReason | None
    device_id: int | None
    gateway_id: int | None
    site_id: int | None
    customer_id: int | None
    contract_id: int | None
    fault_group: str
    title_code: str
    title_params: Mapping[str, Any]
    description: str
    assignee_id: int | None
    breach_count: int
    last_breach_at: datetime | None
    quiet_since: datetime | None
    ready_to_verify_at: datetime | None
    reopen_count: int
    version: int
    recurrence_of: int | None
    parent_id: int | None
    outcome: Outcome | None
    failure_code: str | None
    close_out: Mapping[str, Any] | None
    response_due_at: datetime | None
    resolution_due_at: datetime | None
    responded_at: datetime | None
    resolved_at: datetime | None
    response_breached: bool
    resolution_breached: bool
    inbox_reason: InboxReason | None
    closed_at: datetime | None
    cancel_reason: str | None
    region: str
    is_simulated: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    external_refs: list[Mapping[str, str]] = field(default_factory=list)
    merged_into_id: int | None = None  # the order that goes on in place of this one
