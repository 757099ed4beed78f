"""Days ahead that differ from their weekday, and what a change of the calendar does to them."""

from datetime import date

from domain.coming_days import ComingDay, DayChange, DayKind, find_coming_days, find_day_changes, find_fixed_days
from domain.service_calendar import CalendarDraft, PublicHoliday, SpecialDay, make_calendar

WEEK = (((480, 1020),),) * 5 + ((), ())
NEW_YEAR = PublicHoliday(date(2027, 1, 1), "New Year's Day")
IN_RETURN = PublicHoliday(date(2027, 2, 14), "", is_worked=True)
EVE = SpecialDay(date(2026, 12, 24), ((480, 720),), "Christmas Eve")
OVER = SpecialDay(date(2027, 1, 1), ((540, 600),), "Inventory")


def test_each_day_says_where_it_comes_from_and_own_days_go_first() -> None:
    days = find_coming_days(
        CalendarDraft(WEEK, "XX", "", (EVE, OVER)), [NEW_YEAR, IN_RETURN], date(2026, 11, 22), date(2027, 11, 22)
    )
    assert [(d.day, d.kind, d.spans) for d in days] == [
        (date(2026, 12, 24), DayKind.OWN, ((480, 720),)),
        (date(2027, 1, 1), DayKind.OWN, ((540, 600),)),
        (date(2027, 2, 14), DayKind.WORKED, ((480, 1020),)),
    ]


def test_only_days_of_the_span_are_shown() -> None:
    draft = CalendarDraft(WEEK, "XX", "", (EVE,))
    assert find_coming_days(draft, [NEW_YEAR], date(2026, 12, 25), date(2027, 1, 1)) == []


def test_a_change_names_days_that_are_worked_otherwise_and_not_a_new_name() -> None:
    off = ComingDay(date(2027, 1, 1), "New Year's Day", (), DayKind.HOLIDAY)
    renamed = ComingDay(date(2027, 1, 1), "Neujahr", (), DayKind.HOLIDAY)
    worked = ComingDay(date(2027, 1, 1), "Inventory", ((540, 600),), DayKind.OWN)
    assert find_day_changes([off], [renamed]) == []
    assert find_day_changes([off], [worked]) == [DayChange(date(2027, 1, 1), off, worked)]
    assert find_day_changes([off], []) == [DayChange(date(2027, 1, 1), off, None)]


def test_days_that_a_version_fixed_are_told_apart_by_what_somebody_wrote() -> None:
    fixed = make_calendar(CalendarDraft(WEEK, "XX", "", (EVE,)), [NEW_YEAR, IN_RETURN])
    days = find_fixed_days(fixed, {EVE.day}, date(2026, 11, 22), date(2027, 11, 22))
    assert [d.kind for d in days] == [DayKind.OWN, DayKind.HOLIDAY, DayKind.WORKED]
