"""Service calendars: the hours and days on which clocks run, their versions, and who goes by them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.shapes.pages import Day, Sent, Shape
from api.shapes.sla import Code, Name, Reason

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
