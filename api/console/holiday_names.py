"""Names of public holidays: stored as the library has them in English, shown in the reader's language where known."""

import re
from dataclasses import dataclass

from api.console.page import View

_EXCHANGED = re.compile(r"Day off \(substituted from (\d\d)/(\d\d)/(\d{4})\)")
_IN_LIEU = "Alternative holiday for "
_ENDS = {" (observed)": "observed", " (estimated)": "estimated"}


@dataclass(frozen=True, slots=True)
class DayName:
    """What a day off is called.

    `tag` is the language of a name that is not in the reader's, else ""; `is_own`: somebody wrote it into the calendar.
    """

    text: str
    tag: str = ""
    is_own: bool = False


def name_day(view: View, name: str, *, is_own: bool = False) -> DayName:
    """The name in the reader's language; one that nobody has translated stays English and says so. What people wrote
    themselves (`is_own`) stays as it is."""
    if not name or is_own or view.language == "en":
        return DayName(name, is_own=is_own)
    parts = [_find_name(view, part) for part in name.split("; ")]
    known = [part for part in parts if part is not None]
    return DayName(view.t("list.comma").join(known)) if len(known) == len(parts) else DayName(name, "en")


def _find_name(view: View, name: str) -> str | None:
    name = name.replace(" (observed, estimated)", " (observed) (estimated)")
    for end, form in _ENDS.items():
        if name.endswith(end):
            return _fill(view, form, name.removesuffix(end))
    if name.startswith(_IN_LIEU):
        return _fill(view, "in_lieu", name.removeprefix(_IN_LIEU))
    if exchanged := _EXCHANGED.fullmatch(name):
        month, day, year = exchanged.groups()
        return view.t("holiday_form.exchanged", day=f"{year}-{month}-{day}")
    named = view.name("holiday", name)
    return None if named == name else named


def _fill(view: View, form: str, name: str) -> str | None:
    named = _find_name(view, name)
    return None if named is None else view.t(f"holiday_form.{form}", name=named)
