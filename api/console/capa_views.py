"""CAPA notices in words and figures: the trigger as a sentence, the cohort as a table, the ratio as a drawing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.console.instants import Instant
from api.console.order_rows import find_fault
from api.console.page import View
from domain.capa import CapaState, CapaTrigger
from domain.profile import Profile
from domain.roles import Permission
from domain.sentences import find_unit_sign
from store.capas import Capa, count_capas, load_capas
from store.pool import Connection

# The drawing of the interval: logarithmic, as a ratio of 1/4 lies as far from 1 as one of 4.
LEFT, RIGHT = 10.0, 630.0
PROPOSALS = 3  # that the inbox shows: its own rows stay in sight
STAGES = (
    CapaState.PROPOSED,
    CapaState.OPEN,
    CapaState.INVESTIGATION,
    CapaState.ACTION_PLAN,
    CapaState.IMPLEMENTATION,
    CapaState.VERIFICATION,
    CapaState.EFFECTIVENESS,
    CapaState.CLOSED,
)


@dataclass(frozen=True, slots=True)
class CapaLine:
    """One CAPA of a list."""

    code: str
    state: str
    scope: str
    fault: str
    trigger: str
    sentence: str
    devices: int
    at: Instant | None
    flags: list[str]


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


@dataclass(frozen=True, slots=True)
class Regression:
    """What differs before and after a firmware update, as a table."""

    explain: str
    columns: list[str]
    rows: list[list[str]]


def find_scope(view: View, capa: Capa) -> str:
    """What the CAPA is about, beside model and fault."""
    return view.t(f"capa.scope_{capa.scope_kind}", value=capa.scope_value)


def find_trigger(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> str:
    """Why the machine proposed it, in one sentence with its figures."""
    figures = capa.statistics
    return view.t(
        f"capa.trigger_{capa.trigger}",
        model=capa.model,
        scope=find_scope(view, capa),
        fault=find_fault(view, profiles, capa.model, capa.fault_group),
        events=figures.get("events", capa.member_count),
        devices=figures.get("devices", capa.device_count),
        customers=figures.get("customers", capa.customer_count),
        ratio=_say(figures.get("ratio"), 1),
    )


def find_line(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> CapaLine:
    """The line of that CAPA for this reader."""
    return CapaLine(
        code=capa.code,
        state=capa.state,
        scope=f"{capa.model} · {find_scope(view, capa)}",
        fault=find_fault(view, profiles, capa.model, capa.fault_group),
        trigger=view.name("trigger", capa.trigger),
        sentence=find_trigger(view, capa, profiles),
        devices=capa.device_count,
        at=view.when(capa.created_at),
        flags=["SIM"] if capa.is_simulated else [],
    )


@dataclass(frozen=True, slots=True)
class Proposals:
    """CAPAs that wait for a decision: the newest, and how many there are."""

    lines: list[CapaLine]
    total: int

    @property
    def more(self) -> int:
        """How many are not among the lines."""
        return self.total - len(self.lines)


def load_proposals(view: View, conn: Connection, profiles: Mapping[str, Profile]) -> Proposals:
    """What the inbox shows of them; nothing to who may not read CAPAs."""
    if not view.may(Permission.CAPA_READ):
        return Proposals([], 0)
    newest = load_capas(conn, states=(CapaState.PROPOSED,), limit=PROPOSALS)
    total = count_capas(conn, states=(CapaState.PROPOSED,)) if len(newest) == PROPOSALS else len(newest)
    return Proposals([find_line(view, capa, profiles) for capa in newest], total)


def find_cohort(view: View, capa: Capa) -> Cohort:
    """The figures behind the proposal. Without a baseline there are counts, and no ratio is made up."""
    figures = capa.statistics
    has_rate = _has_rate(figures.get("device_days"))
    has_test = has_rate and figures.get("ratio") is not None and figures.get("baseline_rate") is not None
    names = ["devices", "customers", "device_days", "events", "rate", "baseline", "ratio", "interval", "p", "q"]
    low, high = _find_bounds(figures)
    values = {
        "devices": _say(figures.get("devices", capa.device_count), 0),
        "customers": _say(figures.get("customers", capa.customer_count), 0),
        "device_days": _say_days(figures.get("device_days")),
        "events": _say(figures.get("events", capa.member_count), 0),
        "rate": _say_rate(figures.get("rate") if has_rate else None),
        "baseline": _say_rate(figures.get("baseline_rate")) if has_test else view.t("capa.no_baseline"),
        "ratio": _say(figures.get("ratio"), 1),
        "interval": _say_interval(low, high, 1) if has_test else "–",
        "p": _say_probability(figures.get("p")),
        "q": _say_probability(figures.get("q")),
    }
    if not has_test and capa.trigger == CapaTrigger.COHORT_NO_BASELINE:
        names = names[:6]
    compared = capa.trigger == CapaTrigger.FIRMWARE_REGRESSION and "window_days" not in figures
    if compared:
        names = [name for name in names if name != "events"]
    heads = ["p_compared" if compared and name == "p" else name for name in names]
    return Cohort(
        columns=[view.t("capa.col_scope"), *(view.t(f"capa.col_{name}") for name in heads)],
        rows=[[f"{capa.model}, {find_scope(view, capa)}", *(values[name] for name in names)]],
        explain=view.t(
            "capa.explain_regression" if compared else "capa.explain" if has_test else "capa.explain_counts"
        ),
        interval=_find_interval(view, figures, low, high) if has_test else None,
        groups=find_groups(view, figures),
        baseline_at=_place_rate(figures["baseline_rate"], _find_top(figures)) if has_test else None,
    )


def find_regression(view: View, capa: Capa, profiles: Mapping[str, Profile]) -> Regression | None:
    """What was compared before and after a firmware update; None where nothing was."""
    found = capa.statistics.get("regression")
    if not found:
        return None
    names = ("subject", "before", "after", "effect", "interval", "share", "p_compared", "q")
    return Regression(
        explain=view.t(
            "capa.regression_explain",
            devices=found["devices"],
            controls=found["controls"],
            hours=_say(found["device_hours"], 0),
        ),
        columns=[view.t(f"capa.col_{name}") for name in names],
        rows=[_find_regression_row(view, capa, line, profiles) for line in found["lines"]],
    )


def _find_regression_row(view: View, capa: Capa, line: Mapping[str, Any], profiles: Mapping[str, Profile]) -> list[str]:
    profile = profiles.get(capa.model)
    sensor = None if profile is None else profile.find_sensor(line["subject"])
    is_rate = line["measure"] == "rate"
    if is_rate:
        subject = find_fault(view, profiles, capa.model, line["subject"])
    else:
        subject = str(line["subject"]) if sensor is None else str(getattr(sensor.label, view.language, sensor.label.en))
    unit = "" if is_rate else f" {find_unit_sign(line['unit'])}"
    decimals = 2 if sensor is None else sensor.decimals + 1
    return [
        view.t(f"capa.measure_{line['measure']}", subject=subject),
        f"{_say(line['before'], decimals)}{unit}",
        f"{_say(line['after'], decimals)}{unit}",
        f"× {_say(line['effect'], 1)}" if is_rate else f"{line['effect']:+,.{decimals}f}{unit}",
        _say_interval(line["low"], line["high"], decimals, sign="" if is_rate else "+"),
        "–" if line["share"] is None else f"{line['share']:.0%}",
        _say_probability(line["p"]),
        _say_probability(line["q"]),
    ]


def find_groups(view: View, figures: Mapping[str, Any]) -> list[GroupLine]:
    """Every firmware version and lot of the cohort, on one scale; without them a scope cannot be judged."""
    top = _find_top(figures)
    lines = []
    for group in figures.get("groups") or []:
        low, high = group["rate_interval"]
        has_rate = _has_rate(group["device_days"])
        lines.append(
            GroupLine(
                name=view.t(f"capa.scope_{group['kind']}", value=group["value"] or "?"),
                devices=_say(group["devices"], 0),
                device_days=_say_days(group["device_days"]),
                events=_say(group["events"], 0),
                rate=_say_rate(group["rate"] if has_rate else None),
                interval=f"{_say_rate(low)} – {_say_rate(high)}" if has_rate else "–",
                has_rate=has_rate,
                low=_place_rate(low, top),
                at=_place_rate(group["rate"], top),
                high=_place_rate(high, top),
            )
        )
    return lines


def _find_top(figures: Mapping[str, Any]) -> float:
    groups = figures.get("groups") or []
    highs = [float(group["rate_interval"][1]) for group in groups if _has_rate(group["device_days"])]
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
            ratio=_say(ratio, 1),
            low=_say(low, 1),
            high=_say(high, 1),
        ),
    )


def _say(value: Any, decimals: int) -> str:
    return "–" if value is None else f"{float(value):,.{decimals}f}"


def _say_interval(low: Any, high: Any, decimals: int, sign: str = "") -> str:
    """Both ends; where the upper one is infinite, from where on. A difference (`sign` "+") has its sign at both."""
    if low is None:
        return "–"
    ends = [f"{float(end):{sign},.{decimals}f}" for end in (low, high) if end is not None and math.isfinite(end)]
    return " – ".join(ends) if len(ends) == 2 else f"≥ {ends[0]}"


def _has_rate(device_days: Any) -> bool:
    """Below one device-day a rate is a number without a meaning, and none is shown."""
    return device_days is not None and float(device_days) >= 1.0


def _say_days(value: Any) -> str:
    if value is not None and 0.0 < float(value) < 1.0:
        return "< 1"
    return _say(value, 0)


def _say_rate(value: Any) -> str:
    """Per 1,000 device-days, as it is stored."""
    return "–" if value is None else f"{float(value):,.2f}"


def _say_probability(value: Any) -> str:
    if value is None:
        return "–"
    return "< 0.0001" if float(value) < 0.0001 else f"{float(value):.4f}"
