"""Monitors in words and figures: which rule, how good it is, what drifts, and what is proposed of its threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from api.console.backtest_views import Backtest, find_backtest, say_number
from api.console.charts import find_breaches, find_line, find_range
from api.console.instants import Instant, name_duration
from api.console.order_rows import find_fault
from api.console.page import View
from api.shapes.monitors import DriftShape, MonitorShape, QualityShape, ThresholdProposalShape
from domain.profile import Monitor, MonitorRule, Profile
from domain.sentences import find_unit_sign
from store.models import ModelRow
from store.monitor_lead_times import MonitorLeadTime
from store.profiles import ProfileRow

WATCH_PSI, DRIFT_PSI = 0.1, 0.25
DAY_S = 86_400.0
# What a raised score is counted in, where it is not the sensor's own unit.
SCORES = {
    MonitorRule.ADAPTIVE: "monitors.in_deviations",
    MonitorRule.MULTIVARIATE: "monitors.in_warmups",
    MonitorRule.NOVELTY: "monitors.in_surprise",
}


@dataclass(frozen=True, slots=True)
class QualityLine:
    """What outcomes say of one fleet's orders."""

    is_simulated: bool
    rate: str
    allowed: str
    tickets: str
    is_over: bool
    precision: str
    interval: str
    outcomes: list[tuple[str, int]]
    judged_orders: int
    lead: str
    judged: Instant | None
    low: float  # of the interval, in the drawing from 0 to 100
    mean: float
    high: float


@dataclass(frozen=True, slots=True)
class MonitorLine:
    """One monitor of the list, of one fleet."""

    href: str
    label: str
    key: str
    model: str
    fault: str
    modes: list[tuple[str, str]]  # (code of the state, what it is of)
    threshold: str
    quality: QualityLine | None
    drift: str  # state of the worst drift, empty: none
    drift_of: str
    marks: list[str]
    proposal: str | None
    edited_by: str
    edited: Instant | None
    needs_a_look: bool


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One proposed threshold."""

    code: str
    state: str
    is_open: bool
    row_version: int
    now: str
    proposed: str
    basis: str
    figures: list[tuple[str, str]]
    backtest: Backtest | None
    backtest_state: str
    backtest_error: str
    endorsed: str
    decided: str
    created: Instant | None


@dataclass(frozen=True, slots=True)
class DriftView:
    """One subject over the days: a chart, and the same as a table."""

    key: str
    label: str
    is_simulated: bool
    data: dict[str, Any]
    rows: list[dict[str, Any]]
    of_firmware: list[dict[str, Any]]
    state: str


def find_label(view: View, profile: Profile, monitor: Monitor) -> str:
    """What the monitor watches and how, in the reader's language."""
    names = []
    for key in monitor.sensors:
        sensor = profile.find_sensor(key)
        names.append(key if sensor is None else sensor.label.zh if view.language == "zh" else sensor.label.en)
    rule = view.name("rule", monitor.rule.value)
    if not names:
        return rule[:1].upper() + rule[1:]
    if monitor.rule in (MonitorRule.LIMIT, MonitorRule.FORECAST, MonitorRule.RATE_OF_CHANGE):
        rule = view.t("monitors.rule_directed", rule=rule, direction=view.name("direction", monitor.direction.value))
    return view.t("monitors.label", sensors=view.t("list.comma").join(names), rule=rule)


def find_unit(view: View, profile: Profile, monitor: Monitor) -> str:
    """What its threshold is counted in."""
    if monitor.rule in SCORES:
        return view.t(SCORES[monitor.rule])
    sensor = profile.find_sensor(monitor.sensors[0]) if monitor.sensors else None
    sign = find_unit_sign(sensor.unit) if sensor else ""
    return f"{sign or '1'}/s" if monitor.rule is MonitorRule.RATE_OF_CHANGE else sign


def say_value(value: float | None, unit: str) -> str:
    """A threshold with what it is counted in."""
    return "–" if value is None else f"{value:.6g} {unit}".strip()


def find_quality(view: View, q: QualityShape, lead: MonitorLeadTime | None) -> QualityLine:
    """The figures of one fleet."""
    outcomes = {
        "CONFIRMED": q.confirmed,
        "SENSOR_FAULT": q.sensor_fault,
        "NO_FAULT_FOUND": q.no_fault_found,
        "FALSE_ALARM": q.false_alarm,
    }
    judged = sum(outcomes.values())
    return QualityLine(
        is_simulated=q.is_simulated,
        rate=say_number(q.ticket_rate, 2),
        allowed=say_number(q.allowed_rate, 2),
        tickets=view.t("monitors.tickets_in", count=q.tickets, days=f"{q.device_days:,.0f}"),
        is_over=q.is_over_budget,
        precision=f"{100 * q.precision_mean:.0f}%" if judged else "–",
        interval=f"{100 * q.precision_low:.0f}–{100 * q.precision_high:.0f}%",
        outcomes=[(view.name("outcome", name), n) for name, n in outcomes.items()],
        judged_orders=judged,
        lead=_say_lead(view, lead),
        judged=view.when(q.judged_at),
        low=100 * q.precision_low,
        mean=100 * q.precision_mean,
        high=100 * q.precision_high,
    )


def _say_lead(view: View, lead: MonitorLeadTime | None) -> str:
    if lead is None:
        return "–"
    span = name_duration(timedelta(hours=lead.median_h), view.language)
    return view.t("monitors.lead_value", span=span, count=lead.failures)


def find_lines(
    view: View,
    profile: Profile,
    shown: MonitorShape,
    *,
    versions: Sequence[ProfileRow],
    drafts: Sequence[ModelRow],
    leads: Mapping[tuple[str, bool, str], MonitorLeadTime],
) -> list[MonitorLine]:
    """The monitor once for each fleet that it watches: what simulated devices found says nothing of real ones."""
    monitor = profile.find_monitor(shown.monitor)
    assert monitor is not None
    applied = next((v for v in versions if v.model == profile.model and v.is_current), None)
    unit = find_unit(view, profile, monitor)
    modes = [("LIVE", view.t("monitors.version", version=profile.version))]
    modes += [
        (d.state, d.code)
        for d in drafts
        if d.model == profile.model and d.provenance.get("monitor") == monitor.key and d.state != "LIVE"
    ]
    lines = []
    fleets: list[QualityShape | None] = [*shown.quality] or [None]
    for quality in fleets:
        is_simulated = quality.is_simulated if quality else False
        worst = find_worst([d for d in shown.drift if d.is_simulated == is_simulated])
        marks = [
            name
            for name, is_so in (
                ("OVER_BUDGET", quality is not None and quality.is_over_budget),
                ("FLAGGED", shown.flag is not None),
            )
            if is_so
        ]
        is_of = shown.proposal is not None and bool(shown.proposal.basis.get("is_simulated", False)) == is_simulated
        proposal = shown.proposal.code if shown.proposal and (is_of or len(shown.quality) < 2) else None
        lead = leads.get((profile.model, is_simulated, monitor.key))
        lines.append(
            MonitorLine(
                href=f"/monitors/{profile.model}/{monitor.key}",
                label=find_label(view, profile, monitor),
                key=monitor.key,
                model=profile.model,
                fault=find_fault(view, {profile.model: profile}, profile.model, monitor.fault_group),
                modes=modes,
                threshold=say_value(monitor.raise_at, unit),
                quality=None if quality is None else find_quality(view, quality, lead),
                drift=worst.state if worst else "",
                drift_of="" if worst is None else name_subject(view, profile, worst),
                marks=marks,
                proposal=proposal,
                edited_by=applied.applied_by if applied else "",
                edited=view.when(applied.applied_at) if applied else None,
                needs_a_look=bool(marks or proposal or worst),
            )
        )
    return lines


def find_worst(days: Sequence[DriftShape]) -> DriftShape | None:
    """The one that is farthest from stable."""
    return max((d for d in days if d.state != "STABLE"), key=lambda d: (d.state == "DRIFT", d.psi), default=None)


def name_subject(view: View, profile: Profile, day: DriftShape) -> str:
    """What drifts: readings of a sensor, or the monitor's own scores; of which firmware, if not of all."""
    sensor = profile.find_sensor(day.subject)
    if day.kind == "score" or sensor is None:
        name = view.t("monitors.drift_scores")
    else:
        name = sensor.label.zh if view.language == "zh" else sensor.label.en
    return view.t("monitors.drift_of_firmware", name=name, firmware=day.firmware) if day.firmware else name


def find_proposal(view: View, profile: Profile, monitor: Monitor, p: ThresholdProposalShape) -> ProposalView:
    """A proposed threshold with its grounds and its backtest."""
    unit = find_unit(view, profile, monitor)
    basis = p.basis
    figures = [
        (view.t("monitors.basis_vain"), str(basis.get("in_vain", "–"))),
        (view.t("monitors.basis_removed"), str(basis.get("removed", "–"))),
        (view.t("monitors.basis_confirmed"), str(basis.get("confirmed", "–"))),
        (view.t("monitors.basis_precision"), _say_share(basis.get("precision"))),
        (view.t("monitors.basis_expected"), _say_share(basis.get("expected_precision"))),
        (view.t("monitors.basis_vain_peaks"), _say_peaks(view, basis.get("vain_peaks"), unit)),
        (view.t("monitors.basis_confirmed_peaks"), _say_peaks(view, basis.get("confirmed_peaks"), unit)),
    ]
    return ProposalView(
        code=p.code,
        state=p.state,
        is_open=p.state in ("PROPOSED", "BACKTESTED", "ENDORSED"),
        row_version=p.row_version,
        now=_say_pair(view, p.raise_at, p.clear_at, unit),
        proposed=_say_pair(view, p.proposed_raise_at, p.proposed_clear_at, unit),
        basis=view.t("monitors.basis_sim" if basis.get("is_simulated") else "monitors.basis_real"),
        figures=figures,
        backtest=find_backtest(view, p.backtest),
        backtest_state=p.backtest_job_state or "",
        backtest_error=p.backtest_error or "",
        endorsed=_say_who(view, "monitors.endorsed_by", p.endorsed_by, p.endorsed_at),
        decided=_say_decision(view, p),
        created=view.when(p.created_at),
    )


def _say_who(view: View, key: str, who: str | None, at: datetime | None) -> str:
    instant = view.when(at)
    return "" if who is None or instant is None else view.t(key, who=who, at=instant.at)


def _say_decision(view: View, p: ThresholdProposalShape) -> str:
    instant = view.when(p.decided_at)
    if p.decided_by is None or instant is None:
        return ""
    if p.made_version is not None:
        return view.t("monitors.accepted_by", who=p.decided_by, at=instant.at, version=p.made_version, reason=p.reason)
    return view.t("monitors.rejected_by", who=p.decided_by, at=instant.at, reason=p.reason)


def _say_pair(view: View, raise_at: float, clear_at: float, unit: str) -> str:
    return view.t("monitors.pair", raise_at=say_value(raise_at, unit), clear_at=say_value(clear_at, unit))


def _say_share(values: Sequence[float] | None) -> str:
    if not values:
        return "–"
    mean, low, high = (100 * value for value in values)
    return f"{mean:.0f}% ({low:.0f}–{high:.0f}%)"


def _say_peaks(view: View, peaks: Sequence[float] | None, unit: str) -> str:
    if not peaks:
        return "–"
    return f"{view.t('list.comma').join(f'{peak:.4g}' for peak in peaks)} {unit}".strip()


def find_drift(view: View, profile: Profile, days: Sequence[DriftShape]) -> list[DriftView]:
    """Each subject of each fleet over all days, scores first; single firmware versions below it where they moved."""
    keys = dict.fromkeys((d.is_simulated, d.kind != "score", d.kind, d.subject) for d in days)
    views = []
    for place, (is_simulated, _, kind, subject) in enumerate(sorted(keys)):
        own = [d for d in days if (d.is_simulated, d.kind, d.subject) == (is_simulated, kind, subject)]
        together = sorted((d for d in own if not d.firmware), key=lambda d: d.day)
        if not together:
            continue
        views.append(
            DriftView(
                key=f"drift-{place}",
                label=name_subject(view, profile, together[-1]),
                is_simulated=is_simulated,
                data=_find_chart(view, together),
                rows=[_find_day(d) for d in reversed(together)],
                of_firmware=[{"firmware": d.firmware, **_find_day(d)} for d in _find_newest(own)],
                state=together[-1].state,
            )
        )
    return views


def _find_newest(days: Sequence[DriftShape]) -> list[DriftShape]:
    newest: dict[str, DriftShape] = {}
    for day in sorted(days, key=lambda d: d.day, reverse=True):
        if day.firmware:
            newest.setdefault(day.firmware, day)
    return list(newest.values())


def _find_day(d: DriftShape) -> dict[str, Any]:
    return {
        "day": d.day.isoformat(),
        "psi": f"{d.psi:.3f}",
        "usual": f"{d.usual_psi:.3f}",
        "devices": d.devices,
        "state": d.state,
    }


def _find_chart(view: View, days: Sequence[DriftShape]) -> dict[str, Any]:
    x = [datetime.combine(d.day, time(12), UTC).timestamp() for d in days]
    line = find_line(x, [d.psi for d in days], DAY_S)
    drifting = dict(zip(x, (d.state == "DRIFT" for d in days), strict=True))
    limits = [
        {"kind": "clear", "value": WATCH_PSI, "label": view.name("drift", "WATCH")},
        {"kind": "raise", "value": DRIFT_PSI, "label": view.name("drift", "DRIFT")},
    ]
    return {
        "x": line.x,
        "y": line.y,
        "breach": find_breaches(line.y, [drifting.get(at, False) for at in line.x]),
        "range": find_range([*line.y, 0.0], [WATCH_PSI, DRIFT_PSI], reach=None),
        "extent": [min(x[0], x[-1] - 59 * DAY_S), x[-1] + DAY_S / 2],
        "gaps": line.gaps,
        "limits": limits,
        "marks": [],
        "zone": "UTC",
        "decimals": 3,
        "unit": "",
    }
