"""What a new version of a policy or a calendar would change, before anybody makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.coming_days import ComingDay, DayChange, find_coming_days, find_day_changes, find_fixed_days
from domain.differences import Difference, find_differences
from domain.public_holidays import find_public_holidays
from domain.service_calendar import WEEKDAYS, CalendarDraft, calendar_from_json, format_spans
from domain.sla_policy import SlaPolicy, policy_to_json
from store.service_calendars import CalendarRow, find_draft
from store.sla_policies import PolicyRow

AHEAD = timedelta(days=366)


def find_policy_changes(row: PolicyRow, name: str, policy: SlaPolicy, calendar: str | None) -> list[Difference]:
    """What would be another in the policy."""
    before = {"name": row.name, "service_calendar": row.service_calendar, **row.body}
    return find_differences(before, {"name": name, "service_calendar": calendar, **policy_to_json(policy)})


@dataclass(frozen=True, slots=True)
class CalendarOutlook:
    """The next twelve months of a calendar, and what they would differ in from its current version."""

    days: list[ComingDay]
    changes: list[Difference]
    day_changes: list[DayChange]


def look_ahead(draft: CalendarDraft, today: date) -> list[ComingDay]:
    """Public holidays and own days of the next twelve months, as the library of holidays has them now."""
    last = today + AHEAD
    years = range(today.year, last.year + 1)
    holidays = find_public_holidays(draft.country, draft.subdivision, years) if draft.country else ()
    return find_coming_days(draft, holidays, today, last)


def find_days_ahead(row: CalendarRow, today: date) -> list[ComingDay]:
    """The next twelve months by which clocks that begin now count: with the holidays that the version fixed."""
    own = {d.day for d in find_draft(row).own_days}
    return find_fixed_days(calendar_from_json(row.calendar), own, today, today + AHEAD)


def preview_calendar(row: CalendarRow | None, name: str, draft: CalendarDraft, today: date) -> CalendarOutlook:
    """The months ahead by `draft`; beside the current version where there is one."""
    days = look_ahead(draft, today)
    if row is None:
        return CalendarOutlook(days, [], [])
    current = find_draft(row)
    changes = find_differences(_describe(row.name, current), _describe(name, draft))
    return CalendarOutlook(days, changes, find_day_changes(find_days_ahead(row, today), days))


def _describe(name: str, draft: CalendarDraft) -> dict[str, object]:
    return {
        "name": name,
        "country": draft.country,
        "subdivision": draft.subdivision,
        "weekly": {day: format_spans(spans) for day, spans in zip(WEEKDAYS, draft.weekly, strict=True)},
        "own_days": _describe_own(draft),
    }


def _describe_own(draft: CalendarDraft) -> Sequence[dict[str, object]]:
    return [
        {"key": d.day.isoformat(), "hours": format_spans(d.spans), "name": d.name}
        for d in sorted(draft.own_days, key=lambda d: d.day)
    ]
