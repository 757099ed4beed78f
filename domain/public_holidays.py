"""Public holidays of a country or a part of it, from the library `holidays`: which days, by which release of it."""

from collections.abc import Iterable
from importlib.metadata import version

from domain.service_calendar import PublicHoliday

RELEASE = version("holidays")


def find_unknown_place(country: str, subdivision: str) -> tuple[str, str] | None:
    """(field, what is wrong) where the library knows no such country, or no such part of it; None where it does."""
    import holidays  # here and below: no program needs it at its start

    try:
        holidays.country_holidays(country)
    except NotImplementedError:
        return "country", f"no public holidays are known of {country}: give its ISO 3166-1 alpha-2 code, e.g. DE"
    if not subdivision:
        return None
    try:
        holidays.country_holidays(country, subdiv=subdivision)
    except NotImplementedError:
        return (
            "subdivision",
            f"{country} has none of that ISO 3166-2 code; the part behind the hyphen, e.g. BY of DE-BY",
        )
    return None


def find_public_holidays(country: str, subdivision: str, years: Iterable[int]) -> tuple[PublicHoliday, ...]:
    """The days off of these years in order, and the weekend days worked in return where a country has such.

    A half day off is no day off. The names are English where the library has them in English.

    Raises
    ------
    NotImplementedError
        `find_unknown_place` would have said so.
    """
    import holidays

    wanted = sorted(set(years))
    languages = holidays.country_holidays(country).supported_languages
    known = holidays.country_holidays(
        country, subdiv=subdivision or None, years=wanted, language="en_US" if "en_US" in languages else None
    )
    off = [PublicHoliday(day, name) for day, name in known.items() if day.year in wanted]
    worked = [PublicHoliday(day, "", is_worked=True) for day in known.weekend_workdays if day.year in wanted]
    return tuple(sorted(off + worked, key=lambda h: (h.day, h.is_worked)))
