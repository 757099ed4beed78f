"""What a CAPA notice rests on: the cohort's figures as a table, its ratio and its groups' rates as drawings."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.capa_figures import say_days, say_figure, say_interval, say_probability, say_rate
from api.console.capa_views import find_scope
from api.console.page import View
from domain.capa import CapaTrigger
from domain.exposure import bears_rate
from store.capas import Capa

# The drawing of the interval: logarithmic, as a ratio of 1/4 lies as far from 1 as one of 4.
LEFT, RIGHT = 10.0, 630.0


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio with its interval, in the coordinates of the drawing."""

    low: float
    ratio: float
    high: float
    is_open: bool  # the ratio has no upper bound: nothing happened before
    one: float
    ticks: list[dict[str, Any]]
    caption: str
    label: str


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One firmware version or lot: its rate with interval, the bar in coordinates from 0 to 200."""

    name: str
    devices: str
    device_days: str
    events: str
    rate: str
    interval: str
    has_rate: bool
    low: float
    at: float
    high: float


@dataclass(frozen=True, slots=True)
class Cohort:
    """The table of the cohort; `interval` None where there is no baseline."""

    columns: list[str]
    rows: list[list[str]]
    explain: str
    interval: Interval | None
    groups: list[GroupLine]
    baseline_at: float | None


def find_cohort(view: View, capa: Capa) -> Cohort:
    """The figures behind the proposal. Without a baseline there are counts, and no ratio is made up."""
    figures = capa.statistics
    has_rate = bears_rate(figures.get("device_days"))
    has_baseline = figures.get("baseline_rate") is not None
    has_test = has_rate and has_baseline and figures.get("ratio") is not None
    names = ["devices", "customers", "device_days", "events", "rate", "baseline", "ratio", "interval", "p", "q"]
    low, high = _find_bounds(figures)
    values = {
        "devices": say_figure(figures.get("devices", capa.device_count), 0),
        "customers": say_figure(figures.get("customers", capa.customer_count), 0),
        "device_days": say_days(figures.get("device_days")),
        "events": say_figure(figures.get("events", capa.member_count), 0),
        "rate": say_rate(figures.get("rate") if has_rate else None),
        "baseline": say_rate(figures.get("baseline_rate")) if has_baseline else view.t("capa.no_baseline"),
        "ratio": say_figure(figures.get("ratio") if has_rate else None, 1),
        "interval": say_interval(low, high, 1) if has_test else "–",
        "p": say_probability(figures.get("p")),
        "q": say_probability(figures.get("q")),
    }
    if not has_test and capa.trigger == CapaTrigger.COHORT_NO_BASELINE:
        names = names[:6]
    compared = capa.trigger == CapaTrigger.FIRMWARE_REGRESSION and "window_days" not in figures
    if compared:
        names = [name for name in names if name != "events"]
    heads = ["p_compared" if compared and name == "p" else name for name in names]
    return Cohort(
        columns=[view.t("capa.col_scope"), *(view.t(f"capa.col_{name}") for name in heads)],
        rows=[[f"{capa.model}{view.t('list.and_then')}{find_scope(view, capa)}", *(values[name] for name in names)]],
        explain=view.t(f"capa.{_find_explanation(has_test, has_baseline, compared=compared)}"),
        interval=_find_interval(view, figures, low, high) if has_test else None,
        groups=find_groups(view, figures),
        baseline_at=_place_rate(figures["baseline_rate"], _find_top(figures)) if has_test else None,
    )


def _find_explanation(has_test: bool, has_baseline: bool, *, compared: bool) -> str:
    if compared:
        return "explain_regression"
    if has_test:
        return "explain"
    return "explain_no_rate" if has_baseline else "explain_counts"


def find_groups(view: View, figures: Mapping[str, Any]) -> list[GroupLine]:
    """Every firmware version and lot of the cohort, on one scale; without them a scope cannot be judged."""
    top = _find_top(figures)
    lines = []
    for group in figures.get("groups") or []:
        has_rate = bears_rate(group["device_days"])
        rate, (low, high) = (group["rate"], group["rate_interval"]) if has_rate else (0.0, (0.0, 0.0))
        lines.append(
            GroupLine(
                name=view.t(f"capa.scope_{group['kind']}", value=group["value"] or "?"),
                devices=say_figure(group["devices"], 0),
                device_days=say_days(group["device_days"]),
                events=say_figure(group["events"], 0),
                rate=say_rate(rate if has_rate else None),
                interval=f"{say_rate(low)} – {say_rate(high)}" if has_rate else "–",
                has_rate=has_rate,
                low=_place_rate(low, top),
                at=_place_rate(rate, top),
                high=_place_rate(high, top),
            )
        )
    return lines


def _find_top(figures: Mapping[str, Any]) -> float:
    groups = figures.get("groups") or []
    highs = [float(group["rate_interval"][1]) for group in groups if bears_rate(group["device_days"])]
    return max([*highs, float(figures.get("baseline_rate") or 0.0)], default=1.0) or 1.0


def _place_rate(rate: Any, top: float) -> float:
    # By the square root: a baseline near zero stays apart from zero.
    return round(4 + math.sqrt(min(float(rate) / top, 1.0)) * 192, 1)


def _find_bounds(figures: Mapping[str, Any]) -> tuple[float | None, float | None]:
    interval = figures.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        return interval[0], interval[1]
    return None, None


def _find_interval(view: View, figures: Mapping[str, Any], low: Any, high: Any) -> Interval | None:
    ratio = figures.get("ratio")
    if not ratio or low is None:
        return None
    is_open = high is None or not math.isfinite(high)
    top = ratio * 4 if is_open else high
    bottom = max(float(low), 0.05)
    reach = max(math.log10(top), abs(math.log10(bottom)), math.log10(2)) * 1.1
    first = -0.15 * reach if bottom >= 1 else min(math.log10(bottom) * 1.1, -0.15 * reach)

    def place(value: float) -> float:
        return round(LEFT + (math.log10(value) - first) / (reach - first) * (RIGHT - LEFT), 1)

    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    ticks = [{"x": place(s), "label": f"{s:g}"} for s in steps if first <= math.log10(s) <= reach]
    return Interval(
        low=place(bottom),
        ratio=place(float(ratio)),
        high=RIGHT if is_open else place(top),
        is_open=is_open,
        one=place(1.0),
        ticks=ticks,
        caption=view.t("capa.interval_caption"),
        label=view.t(
            "capa.interval_label_open" if is_open else "capa.interval_label",
            ratio=say_figure(ratio, 1),
            low=say_figure(low, 1),
            high=say_figure(high, 1),
        ),
    )
