"""Service calendars, SLA policies and the clocks that count by them."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.shapes.pages import Day, Sent, Shape
from domain.coming_days import DayKind

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Hours = Annotated[
    tuple[str, ...],
    Field(
        max_length=24,
        description="In order, local time, the day ends at 24:00; none: off.",
        examples=[["08:00-12:00"]],
    ),
]


class WeeklyHours(Sent):
    """Working hours by weekday. Hours over midnight are two, one on each day."""

    monday: Hours = ()
    tuesday: Hours = ()
    wednesday: Hours = ()
    thursday: Hours = ()
    friday: Hours = ()
    saturday: Hours = ()
    sunday: Hours = ()


class OwnDay(Sent):
    """A day with hours of its own, or without any; it goes before a public holiday."""

    day: Day
    hours: Hours = ()
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""


class CalendarContent(Sent):
    """What a calendar says."""

    name: Name
    weekly: WeeklyHours
    country: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")] = Field(
        "", description="ISO 3166-1 alpha-2: its public holidays are off; empty: none are.", examples=["DE"]
    )
    subdivision: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{0,3}$")] = Field(
        "", description="ISO 3166-2 without the country.", examples=["BY"]
    )
    own_days: Annotated[tuple[OwnDay, ...], Field(max_length=1000)] = ()
    reason: Reason = Field("", description="Why it is as it is, for the audit.")


class NewCalendar(CalendarContent):
    """A calendar to be made."""

    code: Code = Field(examples=["de-by-office"])


class DayShape(Shape):
    """A day with other hours than its weekday's."""

    day: date
    hours: list[str] = Field(description="None: off.")
    name: str


class CalendarShape(Shape):
    """One version of a calendar."""

    code: str
    name: str
    version: int
    weekly: WeeklyHours
    country: str
    subdivision: str
    own_days: list[OwnDay]
    first_year: int = Field(description="From here to `last_year` public holidays are fixed in this version.")
    last_year: int
    holidays_release: str = Field(description="Of the library that the public holidays come from.")
    made_by: str | None = Field(description="null: hidden from your roles.")
    made_at: datetime
    reason: str
    row_version: int


class CalendarDetail(CalendarShape):
    """The current version, with every day that differs from its weekday."""

    days: list[DayShape]


class CalendarVersions(Shape):
    """Every version, the newest first."""

    items: list[CalendarShape]


class PriorityTermsShape(Sent):
    """The times of one priority, in hours of working time."""

    response_h: float
    resolution_h: float
    around_the_clock: bool = Field(False, description="In hours, whatever the site's calendar says.")


class TermsShape(Sent):
    """Times by priority."""

    P1: PriorityTermsShape
    P2: PriorityTermsShape
    P3: PriorityTermsShape
    P4: PriorityTermsShape


class PausesShape(Sent):
    """The hold reasons that pause each clock: PARTS, CUSTOMER, ACCESS, VENDOR."""

    RESPONSE: tuple[str, ...] = ()
    RESOLUTION: tuple[str, ...] = ("ACCESS", "CUSTOMER", "PARTS")


class PolicyContent(Sent):
    """What a policy says."""

    name: Name
    terms: TermsShape
    pauses: PausesShape = PausesShape()
    due_soon_share: float = Field(0.25, description="`sla.due_soon` is said when this share of the time is left.")
    service_calendar: str | None = Field(
        None, description="For sites without a calendar of their own; null: around the clock."
    )
    reason: Reason = Field("", description="Why it is as it is, for the audit.")


class NewPolicy(PolicyContent):
    """A policy to be made."""

    code: Code = Field(examples=["gold"])


class PolicyShape(Shape):
    """One version of a policy."""

    code: str
    name: str
    version: int
    terms: TermsShape
    pauses: PausesShape
    due_soon_share: float
    service_calendar: str | None
    made_by: str | None = Field(description="null: hidden from your roles.")
    made_at: datetime
    reason: str
    row_version: int


class PolicyVersions(Shape):
    """Every version, the newest first."""

    items: list[PolicyShape]


class SiteCalendarShape(Shape):
    """By which calendar a site is served."""

    site: str
    time_zone: str = Field(description="In which its hours are.")
    service_calendar: str | None = Field(description="null: by the policy of its contract, else around the clock.")
    row_version: int


class SiteCalendarChoice(Sent):
    """The calendar that a site is served by from now on."""

    service_calendar: str | None
    reason: Reason = ""


class ContractPolicyShape(Shape):
    """Which policy a contract has."""

    contract: str
    sla_policy: str | None = Field(description="null: the times of the device models' profiles.")
    row_version: int


class ContractPolicyChoice(Sent):
    """The policy that a contract has from now on."""

    sla_policy: str | None
    reason: Reason = ""


class LimitShape(Shape):
    """An allowance of working time: from the start, or from an escalation."""

    since: datetime
    allowed_h: float
    used_h: float
    left_h: float = Field(description="Below 0: overdrawn.")
    governs: bool = Field(description="It is the one that is used up first.")
    sla_policy: str | None = Field(description="null: the times of the device model's profile.")
    sla_policy_version: int | None
    service_calendar: str | None = Field(description="null: around the clock.")
    service_calendar_version: int | None
    time_zone: str
    pauses: list[str] = Field(description="Hold reasons that pause the clock.")
    due_soon_share: float


class StretchShape(Shape):
    """A part of the clock's life."""

    since: datetime
    until: datetime
    counted: bool
    reason: str = Field(description="Why it was not counted.")
    worked_h: float = Field(description="Working time in it, by the limit that governed then.")


class ClockEventShape(Shape):
    """What happened to the clock; all else follows from these."""

    kind: str
    at: datetime
    reason: str


class ClockShape(Shape):
    """One clock of one version of the order."""

    clock: str = Field(description="RESPONSE or RESOLUTION.")
    version: int = Field(description="Of the order: reopening it starts new clocks.")
    state: str = Field(description="RUNNING, PAUSED, MET, BREACHED (for good) or STOPPED.")
    started_at: datetime
    due_at: datetime | None = Field(description="null while it is paused, and of one that was stopped.")
    due_soon_at: datetime | None
    paused_since: datetime | None
    pause_reason: str
    met_at: datetime | None
    breached_at: datetime | None = Field(description="When its time was used up.")
    warned_at: datetime | None = Field(description="When `sla.due_soon` was said.")
    waived_at: datetime | None = Field(description="From then on it counts in no figure; a breach stays.")
    waiver_reason: str
    stopped_at: datetime | None
    limits: list[LimitShape]
    stretches: list[StretchShape]
    events: list[ClockEventShape]
    explanation: dict[str, list[str]] = Field(description="The arithmetic in sentences, by language; local times.")


class OrderClocks(Shape):
    """All clocks of an order, the present version's first."""

    work_order: str
    at: datetime = Field(description="As of when they were counted.")
    items: list[ClockShape]


class DifferenceShape(Shape):
    """A field that would be, or became, another."""

    path: str = Field(examples=["terms.P1.response_h"])
    before: Any = Field(description="null: it was not there.")
    after: Any = Field(description="null: it is not there any more.")


class PolicyUsageShape(Shape):
    """What a policy is in force for. Clocks that run keep the version that they began with."""

    contracts: int = Field(description="That have it, without terminated ones.")
    customers: int
    open_orders: int = Field(description="Of these contracts.")
    running_clocks: int = Field(description="RUNNING or PAUSED, by any of its versions.")
    earlier_clocks: int = Field(description="Of these, by a version that is no longer current.")


class CalendarUsageShape(Shape):
    """What a calendar is in force for. Clocks that run keep the version that they began with."""

    sites: int
    policies: int = Field(description="That name it for sites without a calendar.")
    open_orders: int = Field(description="At these sites.")
    running_clocks: int
    earlier_clocks: int


class PolicyPreview(Shape):
    """What the next version of a policy would change."""

    version: int = Field(description="That it would get.")
    changes: list[DifferenceShape]
    usage: PolicyUsageShape


class ComingDayShape(Shape):
    """A day with other hours than its weekday's."""

    day: date
    name: str
    hours: list[str] = Field(description="None: off.")
    kind: DayKind


class DayChangeShape(Shape):
    """A day that the next version would treat differently; null: by its weekday."""

    day: date
    before: ComingDayShape | None
    after: ComingDayShape | None


class CalendarPreview(Shape):
    """What a calendar says of the next twelve months and, of one that is there, what would change."""

    version: int
    days: list[ComingDayShape]
    changes: list[DifferenceShape]
    day_changes: list[DayChangeShape]
    usage: CalendarUsageShape | None = Field(description="null: the calendar is not there yet.")
    holidays_release: str = Field(description="Of the library that the public holidays come from.")
