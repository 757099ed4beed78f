"""Key figures as people read them: value with unit, what was divided by what, why there is none, months as bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.console.facts import say_share
from api.console.monitor_names import name_monitor
from api.console.page import View
from api.console.place_words import tell_code
from domain.exposure import say_device_days
from domain.kpi import Better, Kpi, KpiFigure, NoValue
from domain.profile import Profile

# The drawing of a trend: bars over months, each `STEP` apart.
HEIGHT, STEP, WIDTH = 24.0, 9.0, 6.0


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One figure; `value` is "" where there is none, and `reason` says why in words."""

    key: str
    name: str
    definition: str
    numerator_name: str
    denominator_name: str
    better: str
    value: str
    spread: str
    numerator: str
    denominator: str
    records: str
    left_out: int
    reason: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One period of a trend in the coordinates of the drawing; one without a value is a mark on the ground."""

    x: float
    y: float
    height: float
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """Bars, and the same in words: first, last and how many."""

    bars: list[Bar]
    width: float
    label: str


def say_value(view: View, unit: str, value: float | None) -> str:
    """The value with its unit; "" where there is none."""
    if value is None:
        return ""
    if unit == "1":
        return say_share(value)
    if unit in ("h", "d"):
        decimals = 2 if 0 < abs(value) < 1 else 1
        return view.t(f"kpis.unit_{unit}", value=f"{value:,.{decimals}f}")
    return f"{value:,.2f}"


def say_number(value: float) -> str:
    """A count without decimals, a sum of time with one."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100_000 else f"{value:,.1f}"


def find_figure_line(view: View, kpi: Kpi, figure: KpiFigure) -> FigureLine:
    """The figure for this reader."""
    spread = ""
    if figure.median is not None and figure.p90 is not None:
        median, p90 = say_value(view, kpi.unit, figure.median), say_value(view, kpi.unit, figure.p90)
        spread = view.t("kpis.spread", median=median, p90=p90)
    return FigureLine(
        key=kpi.key,
        name=view.say(kpi.name),
        definition=view.say(kpi.definition),
        numerator_name=view.say(kpi.numerator),
        denominator_name=view.say(kpi.denominator),
        better=view.t("kpis.better_higher" if kpi.better is Better.HIGHER else "kpis.better_lower"),
        value=say_value(view, kpi.unit, figure.value),
        spread=spread,
        numerator=say_number(figure.numerator),
        denominator=_say_denominator(figure),
        records=f"{figure.records:,}",
        left_out=figure.left_out,
        reason="" if figure.reason is None else view.name("kpi_reason", figure.reason.value),
    )


def _say_denominator(figure: KpiFigure) -> str:
    if figure.reason is NoValue.TOO_LITTLE_EXPOSURE:
        return say_device_days(figure.denominator)
    return say_number(figure.denominator)


def find_trend(view: View, kpi: Kpi, figures: Sequence[KpiFigure]) -> Trend:
    """The figures of periods that follow each other, as bars from zero."""
    values = [figure.value for figure in figures]
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    if kpi.unit == "1":
        top = max(top, 1.0) if kpi.better is Better.HIGHER else top
    bars = []
    for place, value in enumerate(values):
        height = 0.0 if value is None else round(max(value / top * HEIGHT, 1.0), 1)
        bars.append(Bar(round(place * STEP, 1), round(HEIGHT - height, 1), height, value is None))
    known = [figure for figure in figures if figure.value is not None]
    label = view.t("kpis.trend_none", count=len(figures))
    if known:
        said = [(f.bucket.name, say_value(view, kpi.unit, f.value)) for f in (known[0], known[-1])]
        (first, began), (last, now) = said
        label = view.t("kpis.trend_label", first=first, began=began, last=last, now=now)
    return Trend(bars, len(values) * STEP, label)


def find_group_lines(
    view: View, kpi: Kpi, figures: Sequence[KpiFigure], dimension: str, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The figures of groups, the worst first; those without a value last."""

    def place(figure: KpiFigure) -> tuple[bool, float, str]:
        value = figure.value or 0.0
        return figure.value is None, value if kpi.better is Better.HIGHER else -value, _name_group(figure, dimension)

    top = max((figure.value for figure in figures if figure.value is not None), default=0.0) or 1.0
    return [
        {
            "name": tell_code(view, _name_group(figure, dimension), names) or view.t("kpis.group_none"),
            "line": find_figure_line(view, kpi, figure),
            "bar": 0.0 if figure.value is None else round(figure.value / top * 100, 1),
        }
        for figure in sorted(figures, key=place)
    ]


def find_month_lines(view: View, kpi: Kpi, figures: Sequence[KpiFigure], *, at: datetime) -> list[dict[str, Any]]:
    """The figures of periods as counted `at` that instant, newest first; a period that is not whole says so."""
    top = max((figure.value for figure in figures if figure.value is not None), default=0.0) or 1.0
    lines: list[dict[str, Any]] = []
    for figure in reversed(figures):
        bar = 0.0 if figure.value is None else round(figure.value / top * 100, 1)
        is_open = figure.bucket.until >= at
        line = find_figure_line(view, kpi, figure)
        lines.append({"name": figure.bucket.name, "line": line, "bar": bar, "is_open": is_open})
    return lines


def find_actors(
    view: View, detail: Sequence[Mapping[str, Any]], total: float, profiles: Mapping[str, Profile]
) -> list[dict[str, str]]:
    """The origins that alarm most, each with its share of all alarms; `profiles` has that of each serial."""
    return [
        {
            "serial": str(actor["serial"]),
            "monitor": name_monitor(view, profiles.get(str(actor["serial"])), str(actor["monitor"])),
            "key": str(actor["monitor"]),
            "alarms": f"{actor['alarms']:,}",
            "share": say_share(actor["alarms"] / total if total else None),
        }
        for actor in detail
    ]


def _name_group(figure: KpiFigure, dimension: str) -> str:
    return str(getattr(figure.group, dimension) or "")
