"""What happened to a device, as the lane of events below its charts shows it: instants and periods."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.roles import Permission


class LaneKind(StrEnum):
    """The sort of an event. Values never change."""

    FIRMWARE = "FIRMWARE"
    VISIT = "VISIT"  # somebody was there
    SITE = "SITE"  # it moved
    LIFECYCLE = "LIFECYCLE"
    FAULT = "FAULT"  # from the first abnormal reading until it was clear
    ORDER = "ORDER"  # while a work order was open
    SHELVED = "SHELVED"  # nothing was opened on purpose


# The right that shows each sort beside device.read.
LANE_RIGHTS: dict[LaneKind, Permission] = {
    LaneKind.VISIT: Permission.WORK_ORDER_READ,
    LaneKind.ORDER: Permission.WORK_ORDER_READ,
    LaneKind.FAULT: Permission.BREACH_READ,
    LaneKind.SHELVED: Permission.BREACH_READ,
}


@dataclass(frozen=True, slots=True)
class LaneEvent:
    """One event. An instant has no `until`; of a period None says that it goes on.

    `subject` is the component, the code of the order or the fault group ("" for the whole device), `before` and `after`
    what changed; of an order `after` is its state, of a fault its severity.
    """

    kind: LaneKind
    at: datetime
    until: datetime | None
    subject: str
    before: str
    after: str


def find_shown_kinds(permissions: Collection[Permission]) -> list[LaneKind]:
    """The sorts that somebody with these rights, who may read the device, sees."""
    return [kind for kind in LaneKind if LANE_RIGHTS.get(kind, Permission.DEVICE_READ) in permissions]
