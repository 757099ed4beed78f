"""What can become of a breach transition, and the named reasons that people are shown.

The values stand in `ticket_decision` and in the console's translations: they never change, new ones may come.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain.breach import BreachKind, BreachState, Severity, TransitionKind


class Priority(StrEnum):
    """How soon an order must be served; P1 first."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    @property
    def place(self) -> int:
        """0 (P1) to 3 (P4): the index into the hours of a ticket policy."""
        return int(self.value[1]) - 1

    def is_above(self, other: "Priority") -> bool:
        """Whether this one is served before the other."""
        return self.place < other.place


class DecisionKind(StrEnum):
    """What was done."""

    NOTHING = "NOTHING"
    OPENED = "OPENED"
    JOINED = "JOINED"
    REOPENED = "REOPENED"
    ESCALATED = "ESCALATED"
    QUIET = "QUIET"
    PARENT = "PARENT"


class TicketReason(StrEnum):
    """Why it was done. One line of docs/reference/ticket-rules.md each."""

    # OPENED
    OPENED_MAJOR = "opened_major"
    OPENED_CRITICAL = "opened_critical"
    THIRD_MINOR = "third_minor"
    FORECAST_WITHIN_LEAD_TIME = "forecast_within_lead_time"
    CRITICAL_OVERRIDES_SHELVING = "critical_overrides_shelving"
    CRITICAL_OVERRIDES_MAINTENANCE = "critical_overrides_maintenance"
    SHELVING_EXPIRED = "shelving_expired"
    MAINTENANCE_TIMED_OUT = "maintenance_timed_out"
    RECURRENCE = "recurrence"
    CLOSED_AS_FALSE_ALARM = "closed_as_false_alarm"
    # REOPENED
    REOPENED_WITHIN_DAYS = "reopened_within_14_days"
    # JOINED
    JOINED_OPEN_ORDER = "joined_open_order"
    JOINED_AND_RAISED_PRIORITY = "joined_and_raised_priority"
    CAME_BACK_AFTER_WORK = "came_back_after_work"
    JOINED_GATEWAY_ORDER = "joined_gateway_order"
    # ESCALATED
    PRIORITY_RAISED = "priority_raised"
    # PARENT
    GATEWAY_OFFLINE = "gateway_offline"
    SITE_STORM = "site_storm"
    # QUIET
    ALL_CLEARED = "all_cleared"
    # NOTHING
    BELOW_THRESHOLD = "below_threshold"
    LATE_NO_LONGER_TRUE = "late_no_longer_true"
    SHELVED = "shelved"
    UNDER_MAINTENANCE = "under_maintenance"
    DECOMMISSIONED = "decommissioned"
    ALREADY_LINKED = "already_linked"
    OTHERS_STILL_ACTIVE = "others_still_active"
    CLEARED_WITHOUT_ORDER = "cleared_without_order"
    TRIAGE_FAILED = "triage_failed"


# Decisions that are taken again when the shelving or the maintenance is over.
PUT_OFF = (TicketReason.SHELVED, TicketReason.UNDER_MAINTENANCE)

# What was put off about readings is decided again when the device was heard for so long since: what work on a device
# does to its signals is over by then, and has been seen to be over.
HEARD_AGAIN = timedelta(minutes=15)
READING_KINDS = (BreachKind.LIMIT, BreachKind.ANOMALY, BreachKind.FORECAST)

# Fault groups of the orders that belong to no single device.
GATEWAY_FAULT_GROUP = "gateway_offline"
STORM_FAULT_GROUP = "site_storm"

# By convention of the profiles: fault groups about the measurement or the connection, not the device's function.
DATA_QUALITY_FAULT_GROUPS = ("data_quality", "connectivity")


@dataclass(frozen=True, slots=True)
class UndecidedTransition:
    """One undecided breach transition with what is known of its breach and device at this moment."""

    id: int
    breach_id: UUID
    kind: TransitionKind
    severity: Severity
    at: datetime  # event time
    received_at: datetime
    recorded_at: datetime
    reason_code: str
    params: dict[str, Any]
    breach_kind: BreachKind
    breach_state: BreachState  # now, not at the transition
    monitor: str
    fault_group: str
    firmware: str
    device_id: int
    serial: str
    device_model_id: int
    safety_critical: bool
    lifecycle: str
    lifecycle_since: datetime
    gateway_id: int | None
    gateway: str | None
    site_id: int | None
    site_code: str | None
    customer_id: int | None
    contract_id: int | None
    region: str
    is_simulated: bool
    earlier_reason: TicketReason | None = None  # it was put off for this reason, and is decided again


def find_priority(severity: Severity, *, safety_critical: bool, under_contract: bool) -> Priority:
    """The priority of a breach: by severity, one lower where nobody is harmed, and one lower again without a contract.

    On a safety-critical model the lack of a contract lowers nothing.
    """
    step = (0 if safety_critical else 1) + (0 if safety_critical or under_contract else 1)
    place = (Severity.CRITICAL.rank - severity.rank) + step
    return list(Priority)[min(place, Priority.P4.place)]
