"""Response and resolution times of an order. Calendar time: a site's working hours are not yet counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.profile import TicketPolicy
from domain.tickets import Priority

# sla.due_soon is said when this share of the clock's time is left.
DUE_SOON_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Clocks:
    """When somebody must have taken the order up, and when the device must work again."""

    response_due_at: datetime
    resolution_due_at: datetime


def start_clocks(policy: TicketPolicy, priority: Priority, start: datetime) -> Clocks:
    """Both clocks of an order that opens or reopens at `start`."""
    return Clocks(
        start + timedelta(hours=policy.response_h[priority.place]),
        start + timedelta(hours=policy.resolution_h[priority.place]),
    )


def restart_clocks(policy: TicketPolicy, priority: Priority, start: datetime, running: Clocks) -> Clocks:
    """New clocks from an escalation at `start`; an escalation never gives more time than was left."""
    fresh = start_clocks(policy, priority, start)
    return Clocks(
        min(fresh.response_due_at, running.response_due_at),
        min(fresh.resolution_due_at, running.resolution_due_at),
    )
