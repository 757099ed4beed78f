"""Whole sentences from reason codes and parameters, in English and Chinese; what is stored is the code, not the text.

A sentence is one template per language with named parameters. Parameters that are quantities carry their own unit and
decimals, names carry both languages, so that a sentence can be rendered long after the profile moved on. How many
decimals are shown is decided here, see `domain.sentence_figures`: those of the signal, and more where a limit has more
or a value would be said as if it were at its limit.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from string import Formatter
from typing import Any

from domain.counting import fill_counts
from domain.figures import say_figure
from domain.profile import Text
from domain.sentence_figures import align_figures, is_at_limit
from domain.sentence_templates import AT_LIMIT, SENTENCES

LANGUAGES = ("en", "zh")
# A record of a version that kept no names says what it has.
_KEYS = {"monitor_name": "monitor", "fault_name": "fault_group"}


def describe_forecast(hours: float, low: float, high: float | None) -> dict[str, Any]:
    """The parameters of a time to a limit: `left` and `interval` for the sentence, hours for programs."""
    return {
        "hours_to_limit": round(hours, 3),
        "hours_low": round(low, 3),
        "hours_high": None if high is None else round(high, 3),
        "left": duration(hours * 3600.0),
        "interval": {"low_s": low * 3600.0, "high_s": None if high is None else high * 3600.0},
    }


def instant(at: datetime) -> dict[str, str]:
    """A parameter that is said as a date and time of day."""
    return {"at": at.isoformat()}


def render(reason_code: str, params: Mapping[str, Any], lang: str) -> str:
    """The sentence of `reason_code` in `lang` (English where the language is none of ours), never an exception.

    An unknown code or a missing parameter, as of a record older than this program, leaves what is known readable.

    Parameters
    ----------
    params
        Text as it is; names as {"en": ..., "zh": ...}; quantities as {"value": 1.9, "unit": "A", "decimals": 1};
        durations as {"seconds": 180}; intervals of time as {"low_s": 60, "high_s": 180 or None}; instants as
        {"at": "2026-03-02T08:13:00+00:00"}.
    """
    language = lang if lang in LANGUAGES else "en"
    params = {name: params[key] for name, key in _KEYS.items() if key in params} | dict(params)
    templates = SENTENCES.get(reason_code)
    if templates is None:
        return f"{reason_code}: {params.get('serial', '')}".rstrip(": ")
    if reason_code in AT_LIMIT and is_at_limit(params):
        templates = AT_LIMIT[reason_code]
    return fill(templates[language], params, language)


def lacks_monitor_name(reason_code: str, params: Mapping[str, Any]) -> bool:
    """Whether the sentence calls a monitor by a name that its record, of an earlier version, does not hold."""
    templates = SENTENCES.get(reason_code)
    return templates is not None and "monitor_name" not in params and "monitor_name" in _find_fields(templates["en"])


def fill(template: str, params: Mapping[str, Any], lang: str, zone: tzinfo = UTC) -> str:
    """The template with its parameters said in `lang`, instants in `zone`; one that is missing becomes "?"."""
    language = lang if lang in LANGUAGES else "en"
    fields = _find_fields(template)
    known = align_figures({field: params[field] for field in fields if field in params})
    named = {field: _say(known[field], language, zone) if field in known else "?" for field in fields}
    return fill_counts(template, named)


@lru_cache(maxsize=1_000)
def _find_fields(template: str) -> tuple[str, ...]:
    return tuple(field for _, field, _, _ in Formatter().parse(template) if field)


def quantity(value: float, unit: str, decimals: int) -> dict[str, Any]:
    """A parameter that is said with its unit and a fixed number of decimals."""
    return {"value": value, "unit": unit, "decimals": decimals}


def in_both(text: Text) -> dict[str, str]:
    """A parameter that is a name, in both languages."""
    return {"en": text.en, "zh": text.zh}


def duration(seconds: float) -> dict[str, Any]:
    """A parameter that is said as a time span, in the largest unit that fits."""
    return {"seconds": seconds}


_UNIT_SIGNS = {"Cel": "°C", "[degF]": "°F", "1": "", "{1}": ""}
# What UCUM spells in plain letters; the order matters only for the brackets, which come last.
_SIGN_PARTS = (("H2O", "H₂O"), ("Ohm", "Ω"), ("m3", "m³"), ("s2", "s²"), (".", "·"), ("[", ""), ("]", ""))
_MICRO = re.compile(r"(?<![A-Za-z])u(?=[A-Za-z])")
_SPANS = ((86_400.0, "day", "天"), (3_600.0, "hour", "小时"), (60.0, "minute", "分钟"), (1.0, "second", "秒"))


def find_unit_sign(unit: str) -> str:
    """How a UCUM unit is written for people: "Cel" as "°C", "m/s2" as "m/s²"; one that needs no other sign as it is."""
    if unit in _UNIT_SIGNS:
        return _UNIT_SIGNS[unit]
    sign = _MICRO.sub("µ", unit)
    for spelt, meant in _SIGN_PARTS:
        sign = sign.replace(spelt, meant)
    return sign


def set_unit(figure: str, sign: str) -> str:
    """The figure with the sign of its unit behind it: "9.4 kPa", "61%", "0.5" of a number without one."""
    return f"{figure}%" if sign == "%" else f"{figure} {sign}".strip()


def _say(param: Any, language: str, zone: tzinfo) -> str:
    try:
        return _say_known(param, language, zone)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "?"  # a record that another program wrote; the rest of the sentence is still worth reading


def _say_known(param: Any, language: str, zone: tzinfo) -> str:
    if isinstance(param, Mapping):
        if "seconds" in param:
            return _say_span(float(param["seconds"]), language)
        if "low_s" in param:
            return _say_interval(float(param["low_s"]), param["high_s"], language)
        if "at" in param:
            return _say_instant(datetime.fromisoformat(param["at"]), zone)
        if "unit" in param:
            return _say_quantity(float(param["value"]), str(param["unit"]), int(param["decimals"]))
        return str(param.get(language, param.get("en", "?")))
    if isinstance(param, float):
        return say_figure(param, 1)
    return str(param)


def _say_instant(at: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone)
    # The offset and not the zone's letters, as everywhere on the page: CST is Shanghai's and Chicago's.
    minutes = round((local.utcoffset() or timedelta()).total_seconds() / 60.0)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}" if minutes else ""
    return f"{local:%Y-%m-%d %H:%M} UTC{offset}"


def _say_interval(low_s: float, high_s: float | None, language: str) -> str:
    low = _say_span(low_s, language)
    if high_s is None:
        return f"最早 {low}" if language == "zh" else f"{low} at the earliest"
    high = _say_span(float(high_s), language)
    return f"{low}至 {high}" if language == "zh" else f"{low} to {high}"


def _say_quantity(value: float, unit: str, decimals: int) -> str:
    return set_unit(say_figure(value, decimals), find_unit_sign(unit))


def _say_span(seconds: float, language: str) -> str:
    seconds = max(seconds, 0.0)
    # "90 minutes" says more than "2 hours": a unit is used from two of it on, except the last.
    size, en, zh = next((s for s in _SPANS if seconds >= 2.0 * s[0]), _SPANS[-1])
    count = round(seconds / size)
    if language == "zh":
        return f"{count} {zh}"
    return f"{count} {en}" if count == 1 else f"{count} {en}s"
