"""Own days as people type them into the form of a calendar."""

from datetime import date

from api.console.calendar_views import read_own_days, write_own_days
from domain.service_calendar import SpecialDay


def test_own_days_are_read_as_they_are_written() -> None:
    days = [
        {"day": "2026-12-31", "hours": [], "name": "New Year's Eve"},
        {"day": "2026-12-24", "hours": ["08:00-12:00", "13:00-14:00"], "name": ""},
    ]
    text = write_own_days(days)
    assert text.splitlines() == ["2026-12-24 08:00-12:00,13:00-14:00", "2026-12-31 off New Year's Eve"]
    assert read_own_days(text) == [
        SpecialDay(date(2026, 12, 24), ((480, 720), (780, 840)), ""),
        SpecialDay(date(2026, 12, 31), (), "New Year's Eve"),
    ]


def test_chinese_words_and_signs_are_read_too() -> None:
    assert read_own_days("2026-12-31 08:00–12:00，13:00–14:00 年终\n\n2027-01-02 休息") == [
        SpecialDay(date(2026, 12, 31), ((480, 720), (780, 840)), "年终"),
        SpecialDay(date(2027, 1, 2), (), ""),
    ]


def test_the_first_line_that_is_none_is_named() -> None:
    assert read_own_days("2026-12-31 off\n24.12.2026 off") == 2
    assert read_own_days("2026-12-31 morning") == 1
    assert read_own_days("9999-12-31") == 1
    assert read_own_days(f"2026-12-31 off {'x' * 201}") == 1
