"""Public holidays in Chinese: every one of the countries whose names are kept, and honest English for the rest."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from api.console.holiday_names import DayName, name_day
from api.console.language import find_name, translate
from api.console.page import View
from domain.public_holidays import find_public_holidays


@dataclass(frozen=True)
class Reader:
    """As much of a view as names of days ask for."""

    language: str

    def t(self, key: str, **params: Any) -> str:
        return translate(self.language, key, **params)

    def name(self, group: str, code: str) -> str:
        return find_name(self.language, group, code)


def name(text: str, language: str = "zh", *, is_own: bool = False) -> DayName:
    return name_day(cast(View, Reader(language)), text, is_own=is_own)


COUNTRIES = ("CN", "HK", "MO", "TW", "GB", "FR", "US", "JP", "KR", "SG", "AT", "CH")
LANDS = ("BW", "BY", "BE", "HE", "NW", "SN")
PLACES = [*((country, "") for country in COUNTRIES), *(("DE", land) for land in LANDS)]


@pytest.mark.parametrize(("country", "part"), PLACES)
def test_holidays_of_the_next_years_have_chinese_names(country: str, part: str) -> None:
    days = [day for day in find_public_holidays(country, part, range(2026, 2029)) if not day.is_worked]
    assert [day.name for day in days if name(day.name).tag] == []


def test_forms_of_a_holiday_are_told() -> None:
    assert name("Christmas Day (observed)") == DayName("圣诞节（补休）")
    assert name("Alternative holiday for Hangul Day") == DayName("韩文日（补休）")
    assert name("Day off (substituted from 02/14/2026)") == DayName("休息日（由 2026-02-14 调休）")
    assert name("Labor Day; Ascension Day") == DayName("劳动节、耶稣升天节")


def test_a_holiday_that_nobody_has_translated_stays_english_and_says_so() -> None:
    assert name("Bennington Battle Day") == DayName("Bennington Battle Day", "en")
    assert name("Christmas Day; Bennington Battle Day").tag == "en"


def test_english_readers_and_days_that_people_wrote_are_left_alone() -> None:
    assert name("Christmas Day", "en") == DayName("Christmas Day")
    assert name("Christmas Day", is_own=True) == DayName("Christmas Day", is_own=True)
