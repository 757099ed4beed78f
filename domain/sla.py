"""The terms that an order's clocks begin with, and when they are due: response and resolution, in working time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.profile import TicketPolicy
from domain.sla_policy import DUE_SOON_SHARE, ClockKind, SlaPolicy, find_profile_policy
from domain.tickets import Priority
from domain.work_order import HoldReason
from domain.working_time import WorkingSchedule, find_continuous_schedule


@dataclass(frozen=True, slots=True)
class ClockTerms:
    """What one clock counts against, fixed when it begins: a later version of policy or calendar changes nothing."""

    allowed: timedelta  # working time
    schedule: WorkingSchedule
    pauses: frozenset[HoldReason]
    due_soon_share: float = DUE_SOON_SHARE
    policy_version_id: int | None = None  # None: the profile's times
    calendar_version_id: int | None = None  # None: around the clock

    def find_due(self, start: datetime) -> datetime:
        """When the allowed time is used up, if nothing pauses."""
        return self.schedule.add(start, self.allowed)


OrderTerms = Mapping[ClockKind, ClockTerms]


@dataclass(frozen=True, slots=True)
class Clocks:
    """When somebody must have taken the order up, and when the device must work again; None: that clock is paused."""

    response_due_at: datetime | None
    resolution_due_at: datetime | None


def find_order_terms(
    policy: SlaPolicy,
    priority: Priority,
    schedule: WorkingSchedule,
    *,
    policy_version_id: int | None = None,
    calendar_version_id: int | None = None,
) -> OrderTerms:
    """The terms of both clocks at that priority; a policy may overrule `schedule`, the site's, for a priority."""
    terms = policy.find_terms(priority)
    if terms.around_the_clock:
        schedule, calendar_version_id = find_continuous_schedule(schedule.zone_name), None
    return {
        kind: ClockTerms(
            timedelta(hours=terms.find_hours(kind)),
            schedule,
            policy.pauses[kind],
            policy.due_soon_share,
            policy_version_id,
            calendar_version_id,
        )
        for kind in ClockKind
    }


def find_profile_terms(tickets: TicketPolicy, priority: Priority) -> OrderTerms:
    """The terms where no contract's policy and no calendar says otherwise: the profile's times, around the clock."""
    return find_order_terms(find_profile_policy(tickets), priority, find_continuous_schedule())


def start_clocks(terms: OrderTerms, start: datetime) -> Clocks:
    """Both clocks of an order that opens or reopens at `start`."""
    return Clocks(terms[ClockKind.RESPONSE].find_due(start), terms[ClockKind.RESOLUTION].find_due(start))
