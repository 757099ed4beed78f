"""Times as people read them: how long ago and when, both, in a named zone: "2 h ago · 11-21 08:41 UTC+8"."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.console.language import translate

SITE_ZONE = "site"  # the choice "each record in the zone of its site"


@dataclass(frozen=True, slots=True)
class Instant:
    """One rendered time. `ago` and `at` are both visible; `iso` is what machines read."""

    iso: str
    ago: str
    at: str


def find_zone(name: str | None) -> tzinfo:
    """The zone of that IANA name; UTC where there is none of that name."""
    if not name or name == "UTC" or "/" not in name or name.startswith("/") or ".." in name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def name_offset(at: datetime) -> str:
    """ "UTC", "UTC+8" or "UTC+5:30" of an aware datetime."""
    minutes = int((at.utcoffset() or timedelta()).total_seconds() // 60)
    if minutes == 0:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")


def name_duration(span: timedelta, language: str) -> str:
    """The two leading units at most: "40 s", "12 min", "2 h 5 min", "3 d 4 h". The sign is dropped."""
    seconds = int(abs(span.total_seconds()))
    if seconds < 60:
        return translate(language, "duration.s", s=seconds)
    if seconds < 3600:
        return translate(language, "duration.min", min=seconds // 60)
    if seconds < 86_400:
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        if minutes and hours < 10:
            return translate(language, "duration.h_min", h=hours, min=minutes)
        return translate(language, "duration.h", h=hours)
    days, hours = seconds // 86_400, seconds % 86_400 // 3600
    if hours and days < 4:
        return translate(language, "duration.d_h", d=days, h=hours)
    return translate(language, "duration.d", d=days)


def name_age(at: datetime, now: datetime, language: str) -> str:
    """ "just now", "2 h ago", or "in 3 h" for what lies ahead."""
    span = now - at
    if abs(span) < timedelta(seconds=5):
        return translate(language, "ago.now")
    seconds = abs(span.total_seconds())
    coarse = timedelta(hours=round(seconds / 3600)) if 36_000 > seconds >= 3600 else span
    return translate(language, "ago.past" if span > timedelta() else "ago.future", span=name_duration(coarse, language))


def name_moment(at: datetime, now: datetime, zone: tzinfo) -> str:
    """The time in that zone with its offset: with seconds where it has some, with the year where it is another one."""
    local = at.astimezone(zone)
    day = "%m-%d" if local.year == now.astimezone(zone).year else "%Y-%m-%d"
    return f"{local.strftime(f'{day} %H:%M:%S' if local.second else f'{day} %H:%M')} {name_offset(local)}"


def render_instant(at: datetime, now: datetime, zone: tzinfo, language: str) -> Instant:
    """The time in that zone with its offset; the year stands only where it is not this year."""
    local = at.astimezone(zone)
    form = "%m-%d %H:%M" if local.year == now.astimezone(zone).year else "%Y-%m-%d %H:%M"
    return Instant(
        iso=at.astimezone(UTC).isoformat(timespec="seconds"),
        ago=name_age(at, now, language),
        at=f"{local.strftime(form)} {name_offset(local)}",
    )
