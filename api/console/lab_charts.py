"""The signals of an example of the lab as charts: the fault shaded, the ticket and the failure marked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.console.charts import Chart, Limit, find_breaches, find_line, find_range, find_table
from api.console.page import View
from domain.figures import say_limit
from domain.profile import Direction, Monitor, MonitorRule, Profile
from domain.sentences import find_unit_sign, set_unit

LIMIT_REACH = 2.0  # a limit further off than twice the span of what was measured is not drawn
TABLE_ROWS = 60


def find_charts(view: View, example: Mapping[str, Any], profile: Profile) -> list[Chart]:
    """One chart for each signal of the example."""
    return [_find_chart(view, example, signal, profile) for signal in example["signals"]]


def _find_chart(view: View, example: Mapping[str, Any], signal: Mapping[str, Any], profile: Profile) -> Chart:
    sensor = profile.find_sensor(signal["sensor"])
    assert sensor is not None
    unit = find_unit_sign(sensor.unit)
    line = find_line(signal["at"], signal["mean"], signal["bucket_s"])
    low: list[float | None] = [None] * len(line.x)
    high: list[float | None] = [None] * len(line.x)
    for place, least, most in zip(line.places, signal["low"], signal["high"], strict=True):
        low[place], high[place] = least, most
    watching = [m for m in profile.monitors if m.rule is MonitorRule.LIMIT and signal["sensor"] in m.sensors]
    limits = [
        Limit("raise", m.raise_at, view.t("chart.raise", value=set_unit(say_limit(m.raise_at, sensor.decimals), unit)))
        for m in watching
        if m.raise_at is not None
    ]
    beyond = [any(_is_beyond(m, least, most) for m in watching) for least, most in zip(low, high, strict=True)]
    reach = find_range([*line.y, *low, *high], [limit.value for limit in limits], reach=LIMIT_REACH)
    data = {
        "x": line.x,
        "y": line.y,
        "low": low,
        "high": high,
        "breach": find_breaches(line.y, beyond) if any(beyond) else None,
        "range": reach,
        "extent": [line.x[0], line.x[-1]],
        "gaps": line.gaps,
        "limits": [{"kind": limit.kind, "value": limit.value, "label": limit.label} for limit in limits],
        "window": [_to_seconds(example["onset"]), _to_seconds(example["end"])],
        "marks": _find_marks(view, example),
        "zone": "UTC",
        "decimals": sensor.decimals,
        "unit": unit,
        "bucketed": True,
    }
    return Chart(
        key=signal["sensor"],
        label=view.say(sensor.label),
        unit=unit,
        data=data,
        table=find_table(
            line.x, line.y, beyond, sensor.decimals, UTC, limits=limits, spread=(low, high), rows=TABLE_ROWS
        ),
        limits=[limit for limit in limits if reach[0] <= limit.value <= reach[1]],
        has_breach=any(beyond),
        gaps=bool(line.gaps),
    )


def _is_beyond(monitor: Monitor, low: float | None, high: float | None) -> bool:
    if monitor.raise_at is None or low is None or high is None:
        return False
    if monitor.direction is Direction.LOW:
        return low < monitor.raise_at
    if monitor.direction is Direction.BOTH:
        return high > monitor.raise_at or low < -monitor.raise_at
    return high > monitor.raise_at


def _find_marks(view: View, example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The instants that matter, in order of time."""
    named = [("onset", "lab.mark_onset"), ("ticket", "lab.mark_ticket"), ("failure", "lab.mark_failure")]
    marks = [
        {"at": _to_seconds(example[name]), "label": view.t(key)} for name, key in named if example[name] is not None
    ]
    return sorted(marks, key=lambda mark: float(mark["at"]))


def _to_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
