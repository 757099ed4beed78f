"""Service calendars in words: the week, the months ahead, and own days as people type them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from api.console.acts import Field
from api.console.holiday_names import DayName, name_day
from api.console.instants import Instant
from api.console.page import View
from api.console.version_views import ChangeLine, say_maker
from domain.coming_days import ComingDay, DayChange, DayKind
from domain.differences import Difference, find_differences
from domain.service_calendar import WEEKDAYS, SpecialDay, format_spans, parse_spans
from store.service_calendars import CalendarRow
from store.sla_usage import CalendarUsage

LONGEST_NAME = 200  # of a day
_OFF = ("off", "休息", "-")
_WORKING = dict.fromkeys(WEEKDAYS[:5], "08:00-17:00")


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """One calendar of the list."""

    code: str
    name: str
    version: int
    week: str
    place: str
    sites: int
    policies: int
    open_orders: int
    made: Instant | None
    made_by: str


@dataclass(frozen=True, slots=True)
class DayLine:
    """A day that differs from its weekday; `change` says how a new version moves it."""

    day: str
    weekday: str
    name: DayName
    hours: str
    kind: str


def find_calendar_line(view: View, row: CalendarRow, usage: CalendarUsage) -> CalendarLine:
    """The calendar as a line of the list."""
    return CalendarLine(
        row.code,
        row.name,
        row.version,
        say_week(view, row.weekly),
        say_place(view, row.country, row.subdivision),
        usage.sites,
        usage.policies,
        usage.open_orders,
        view.when(row.made_at),
        say_maker(view, "service_calendar", row.made_by),
    )


def say_place(view: View, country: str, subdivision: str) -> str:
    """Whose public holidays are off."""
    if not country:
        return view.t("calendar.no_country")
    return f"{country}-{subdivision}" if subdivision else country


def say_hours(view: View, hours: Sequence[str]) -> str:
    """Working hours, or that the day is off."""
    return view.t("list.comma").join(h.replace("-", "–") for h in hours) or view.t("calendar.off")


def say_week(view: View, weekly: Mapping[str, Sequence[str]]) -> str:
    """The week, days with the same hours together."""
    groups: list[tuple[str, str, str]] = []
    for day in WEEKDAYS:
        hours = say_hours(view, weekly.get(day, ()))
        if groups and groups[-1][2] == hours:
            groups[-1] = (groups[-1][0], day, hours)
        else:
            groups.append((day, day, hours))
    texts = []
    for first, last, hours in groups:
        begin, end = view.name("weekday_short", first), view.name("weekday_short", last)
        texts.append(f"{begin if first == last else f'{begin}–{end}'} {hours}")
    return view.t("calendar.joint").join(texts)


def find_day_lines(view: View, days: Sequence[ComingDay]) -> list[DayLine]:
    """The days ahead as lines."""
    return [
        DayLine(
            d.day.isoformat(),
            _say_weekday(view, d.day),
            name_day(view, d.name, is_own=d.kind is DayKind.OWN),
            say_hours(view, format_spans(d.spans)),
            view.name("day_kind", d.kind),
        )
        for d in days
    ]


def find_moved_days(view: View, changes: Sequence[DayChange]) -> list[ChangeLine]:
    """What a new version would do to days ahead."""
    return [
        ChangeLine(f"{c.day} {_say_weekday(view, c.day)}", _say_day(view, c.before), _say_day(view, c.after))
        for c in changes
    ]


def _say_weekday(view: View, day: date) -> str:
    return view.name("weekday_short", WEEKDAYS[day.weekday()])


def _say_day(view: View, day: ComingDay | None) -> str:
    if day is None:
        return view.t("calendar.as_weekday")
    hours = say_hours(view, format_spans(day.spans))
    name = name_day(view, day.name, is_own=day.kind is DayKind.OWN).text
    return f"{hours} · {name}" if name else hours


def say_change(view: View, difference: Difference) -> ChangeLine:
    """One field before and after, in words."""
    path, _, part = difference.path.partition(".")
    if path == "weekly":
        label = view.name("weekday", part)
        return ChangeLine(label, say_hours(view, difference.before or ()), say_hours(view, difference.after or ()))
    if path.startswith("own_days"):
        day = path.removeprefix("own_days[").removesuffix("]")
        label = view.t("calendar.own_day", day=day)
        return ChangeLine(label, _say_own(view, difference.before), _say_own(view, difference.after))
    return ChangeLine(view.name("calendar_field", path), difference.before or "–", difference.after or "–")


def _say_own(view: View, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        name = value.get("name", "")
        return f"{say_hours(view, value.get('hours', ()))}{f' · {name}' if name else ''}"
    return say_hours(view, value) if isinstance(value, list) else str(value) or "–"


def find_version_changes(view: View, before: CalendarRow, after: CalendarRow) -> list[ChangeLine]:
    """What the later one of two versions says otherwise; one that the machine made says so."""
    changes = [say_change(view, one) for one in find_differences(_describe(before), _describe(after))]
    if before.holidays_release != after.holidays_release:
        changes.append(ChangeLine(view.t("calendar.release"), before.holidays_release, after.holidays_release))
    if before.last_year != after.last_year:
        changes.append(ChangeLine(view.t("calendar.last_year"), str(before.last_year), str(after.last_year)))
    return changes


def _describe(row: CalendarRow) -> dict[str, Any]:
    own = [{"key": d["day"], "hours": d["hours"], "name": d["name"]} for d in row.own_days]
    return {"country": row.country, "subdivision": row.subdivision, "weekly": row.weekly, "own_days": own}


def write_own_days(days: Sequence[Mapping[str, Any]]) -> str:
    """Own days as lines that `read_own_days` reads."""
    lines = [f"{d['day']} {','.join(d['hours']) or _OFF[0]} {d['name']}".rstrip() for d in days]
    return "\n".join(sorted(lines))


def read_own_days(text: str) -> list[SpecialDay] | int:
    """The days of such lines: the day, its hours or `off`, a name; or the number of the first line that is none."""
    days = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = line.split(None, 2)
        try:
            day = date.fromisoformat(parts[0])
        except ValueError:
            return number
        hours = parts[1] if len(parts) > 1 else _OFF[0]
        spans = () if hours.lower() in _OFF else parse_spans(hours.replace("–", "-").replace("，", ",").split(","))
        name = parts[2].strip() if len(parts) > 2 else ""
        if spans is None or not 1970 <= day.year < 3000 or len(name) > LONGEST_NAME:
            return number
        days.append(SpecialDay(day, spans, name))
    return days


def find_form_values(row: CalendarRow | None) -> dict[str, str]:
    """What stands in the form at first: the current version; of a new calendar usual hours."""
    if row is None:
        return dict(_WORKING)
    values = {day: ", ".join(row.weekly.get(day, ())) for day in WEEKDAYS}
    values |= {"name": row.name, "country": row.country, "subdivision": row.subdivision}
    return values | {"own_days": write_own_days(row.own_days)}


@dataclass(frozen=True, slots=True)
class CalendarForm:
    """The form of a calendar."""

    head: list[Field]
    week: list[Field]
    tail: list[Field]


def find_calendar_form(
    view: View, values: Mapping[str, str], wrong: Mapping[str, str], *, is_new: bool
) -> CalendarForm:
    """The form with these values, and beside each field what is wrong with it."""

    def field(name: str, label: str, kind: str = "text", *, required: bool = False, why: str = "") -> Field:
        return Field(name, label, kind, values.get(name, ""), required=required, why=why, wrong=wrong.get(name, ""))

    t = view.t
    return CalendarForm(
        head=[
            *([field("code", t("column.code"), required=True, why=t("sla.code_why"))] if is_new else []),
            field("name", t("sla.name"), required=True),
            field("country", t("calendar.country"), why=t("calendar.country_why")),
            field("subdivision", t("calendar.subdivision"), why=t("calendar.subdivision_why")),
        ],
        week=[field(day, view.name("weekday", day)) for day in WEEKDAYS],
        tail=[
            field("own_days", t("calendar.own_days"), "textarea", why=t("calendar.own_days_why")),
            field("reason", t("field.reason"), "textarea", required=True, why=t("sla.reason_why")),
        ],
    )
