"""Frozen evidence as charts and bars: drawn from what was stored when the ticket opened, never from today's data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from api.console.charts import (
    Chart,
    Limit,
    find_breaches,
    find_line,
    find_marks,
    find_range,
    find_table,
    name_second,
    name_zone,
)
from api.console.instants import Instant, name_duration
from api.console.page import View
from api.console.panels import Panels, find_words, may_export, say_window, to_seconds
from domain.clock import from_micros
from domain.figures import find_telling_decimals, say_figure, say_limit
from domain.firmware import FirmwareChange
from domain.monitor_names import name_rule
from domain.profile import Profile
from domain.sentences import find_unit_sign, set_unit
from store.work_order_pages import LinkedBreach

LARGEST = 5
# A limit that lies further off than twice the span of what was measured would flatten it: it is named below the chart.
LIMIT_REACH = 2.0
DELAY_SAID = timedelta(seconds=1)  # what is received so much after it was measured shows both times
LIMIT_RULES = ("limit",)
BAND_RULES = ("adaptive",)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One signal's part in a score: a signed bar, `x` and `width` in a drawing from -100 to 100."""

    label: str
    value: str
    expected: str
    share: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """The evidence of one breach for this reader."""

    charts: list[Chart]
    contributions: list[Contribution]
    frozen: Instant | None
    detector: str
    sample_count: int
    gap_count: int
    delay: timedelta | None
    panels: Panels | None
    received: str | None  # both times, where the receiver's differs from the device's


def find_evidence(view: View, breach: LinkedBreach, profile: Profile | None, zone: str | None) -> EvidenceView | None:
    """The evidence, or None where none was stored. Raw points that were not stored give no chart at all."""
    body = breach.evidence
    if body is None:
        return None
    local = view.find_zone(zone)
    charts = [_find_chart(view, body, series, local) for series in body.get("series", []) if series.get("points")]
    detector = body.get("detector") or {}
    delay = _find_delay(body)
    return EvidenceView(
        charts=charts,
        contributions=find_contributions(view, body.get("contributions") or [], profile),
        frozen=view.when(breach.evidence_frozen_at, zone),
        detector=view.t(
            "trust.detector_value",
            rule=view.say(name_rule(str(detector.get("rule", "")))),
            version=detector.get("version", "?"),
        ),
        sample_count=sum(len(series.get("points", [])) for series in body.get("series", [])),
        gap_count=sum(len(chart.data["gaps"]) for chart in charts),
        delay=delay,
        panels=_find_panels(view, breach, charts, local) if charts else None,
        received=_say_received(view, body, delay, local),
    )


def _find_panels(view: View, breach: LinkedBreach, charts: list[Chart], zone: tzinfo) -> Panels:
    """The frozen charts as one group: nobody looks beyond what was frozen."""
    first, last = min(c.data["extent"][0] for c in charts), max(c.data["extent"][1] for c in charts)
    frozen = breach.evidence_frozen_at
    stamp = [view.t("chart.stamp_hash", hash=breach.evidence_sha256 or "?")]
    if frozen is not None:
        stamp.insert(0, view.t("chart.stamp_frozen", at=name_second(to_seconds(frozen), zone, with_year=True)))
    return Panels(
        id="evidence",
        label=view.t("work_order.evidence"),
        title=breach.serial,
        serial=breach.serial,
        window=(first, last),
        earliest=first,
        latest=last,
        zone=zone,
        says=say_window(from_micros(round(first * 1e6)), from_micros(round(last * 1e6)), view.now, zone),
        stamp=stamp,
        words=find_words(view),
        charts=charts,
        may_export=may_export(view),
    )


def _say_received(view: View, body: Mapping[str, Any], delay: timedelta | None, zone: tzinfo) -> str | None:
    if delay is None or abs(delay) < DELAY_SAID:
        return None
    at, received = (to_seconds(datetime.fromisoformat(body[name])) for name in ("at", "received_at"))
    key = "chart.received_early" if delay < timedelta() else "chart.received"
    return view.t(
        key,
        at=name_second(at, zone),
        received=name_second(received, zone),
        delay=name_duration(delay, view.language),
    )


def _find_delay(body: Mapping[str, Any]) -> timedelta | None:
    try:
        return datetime.fromisoformat(body["received_at"]) - datetime.fromisoformat(body["at"])
    except (KeyError, TypeError, ValueError):
        return None


def _find_chart(view: View, body: Mapping[str, Any], series: Mapping[str, Any], zone: tzinfo) -> Chart:
    unit, decimals = find_unit_sign(series["unit"]), int(series["decimals"])
    monitor = body.get("monitor") or {}
    line = find_line([us / 1e6 for us, _ in series["points"]], [value for _, value in series["points"]])
    limits = _find_limits(view, body, monitor, unit, decimals)
    band = (body.get("expected") or None) if monitor.get("rule") in BAND_RULES else None
    window = body.get("window") or {}
    trigger = _find_trigger(window, line.x)
    beyond = _find_beyond(line.x, line.y, monitor, body, band, trigger)
    values: list[float | None] = [*line.y, *((band["low"], band["high"]) if band else ())]
    marks = find_marks(_read_changes(body))
    data: dict[str, Any] = {
        "x": line.x,
        "y": line.y,
        "breach": find_breaches(line.y, beyond),
        "range": find_range(values, [limit.value for limit in limits], reach=LIMIT_REACH),
        "extent": [window["from_us"] / 1e6, window["to_us"] / 1e6] if window else [line.x[0], line.x[-1]],
        "window": trigger,
        "gaps": line.gaps,
        "limits": [{"kind": limit.kind, "value": limit.value, "label": limit.label} for limit in limits],
        "marks": marks,
        "zone": name_zone(zone),
        "decimals": decimals,
        "unit": unit,
        "bucketed": False,
    }
    if band:
        data |= {"low": [band["low"]] * len(line.x), "high": [band["high"]] * len(line.x)}
    label = series["label"]
    return Chart(
        key=series["sensor"],
        label=str(label.get(view.language) or label.get("en") or series["sensor"]),
        unit=unit,
        data=data,
        table=find_table(line.x, line.y, beyond, decimals, zone, limits=limits),
        limits=limits,
        has_breach=any(beyond),
        has_band=bool(band),
        window=trigger is not None,
        gaps=bool(line.gaps),
        marks=bool(marks),
    )


def _read_changes(body: Mapping[str, Any]) -> list[FirmwareChange]:
    """Those that were known when it was frozen; evidence of before they were kept has none."""
    return [
        FirmwareChange(from_micros(c["at_us"]), c["component"], c["before"], c["after"])
        for c in body.get("firmware_changes") or []
    ]


def _find_limits(
    view: View, body: Mapping[str, Any], monitor: Mapping[str, Any], unit: str, decimals: int
) -> list[Limit]:
    """Only a limit rule's limits are in the signal's unit and may be drawn over it."""
    if monitor.get("rule") not in LIMIT_RULES:
        return []
    values: Mapping[str, float | None] = body.get("limits") or {}
    found = []
    for kind in ("raise", "clear", "critical"):
        value = values.get(kind)
        if value is not None:
            said = set_unit(say_limit(value, decimals), unit)
            found.append(Limit(kind, value, view.t(f"chart.{kind}", value=said)))
    return found


def _find_trigger(window: Mapping[str, Any], x: list[float]) -> tuple[float, float] | None:
    if not window or not x:
        return None
    first = max(window["trigger_from_us"], window["from_us"]) / 1e6
    return first, window["to_us"] / 1e6


def _find_beyond(
    x: list[float],
    y: list[float | None],
    monitor: Mapping[str, Any],
    body: Mapping[str, Any],
    band: Mapping[str, float] | None,
    trigger: tuple[float, float] | None,
) -> list[bool]:
    """Which points are abnormal: beyond the limit or outside the band; by other rules those of the trigger window."""
    raise_at = (body.get("limits") or {}).get("raise")
    direction = monitor.get("direction", "high")

    def is_beyond(at: float, value: float | None) -> bool:
        if value is None:
            return False
        if monitor.get("rule") in LIMIT_RULES and raise_at is not None:
            return bool(value <= raise_at if direction == "low" else value >= raise_at)
        in_window = trigger is not None and trigger[0] <= at <= trigger[1]
        if band is not None:
            above, below = value > band["high"], value < band["low"]
            outside = above if direction == "high" else below if direction == "low" else above or below
            return outside and in_window
        return in_window

    return [is_beyond(at, value) for at, value in zip(x, y, strict=True)]


def find_contributions(view: View, given: list[Mapping[str, Any]], profile: Profile | None) -> list[Contribution]:
    """The largest parts of a multivariate score, as signed bars to one scale."""
    ranked = sorted(given, key=lambda one: -abs(float(one.get("share", 0.0))))[:LARGEST]
    most = max((abs(float(one.get("share", 0.0))) for one in ranked), default=0.0) or 1.0
    shown = []
    for one in ranked:
        sensor = profile.find_sensor(str(one.get("sensor"))) if profile else None
        unit = find_unit_sign(sensor.unit) if sensor else ""
        decimals = sensor.decimals if sensor else 2
        name = view.say(sensor.label) if sensor else str(one.get("sensor"))
        value, expected = _read_number(one.get("value")), _read_number(one.get("expected"))
        share = float(one.get("share", 0.0))
        if value is not None and expected is not None:
            decimals = find_telling_decimals(value, [expected], decimals)
        is_down = value is not None and expected is not None and value < expected
        width = abs(share) / most * 96
        shown.append(
            Contribution(
                label=name,
                value="–" if value is None else set_unit(say_figure(value, decimals), unit),
                expected="–" if expected is None else set_unit(say_figure(expected, decimals), unit),
                share=f"{'−' if is_down else '+'}{abs(share) * 100:.0f}%",
                x=round(-width if is_down else 0.0, 1),
                width=round(width, 1),
            )
        )
    return shown


def _read_number(value: Any) -> float | None:
    """A number, or the quantity {"value": ...} that a sentence carries."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return float(value) if isinstance(value, (int, float)) else None
