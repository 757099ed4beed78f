"""Monitors as lines of the list: which rule, how good it is, what drifts, and what is proposed of its threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from api.console.backtest_views import say_number
from api.console.instants import Instant, name_duration
from api.console.monitor_records import MonitorRecords
from api.console.monitor_words import find_label, find_measure, name_subject, say_threshold
from api.console.order_rows import find_fault
from api.console.page import View
from api.console.profile_views import say_applier
from api.shapes.monitors import DriftShape, MonitorShape, QualityShape
from domain.exposure import say_device_days
from domain.profile import Profile
from store.monitor_lead_times import MonitorLeadTime


@dataclass(frozen=True, slots=True)
class QualityLine:
    """What outcomes say of one fleet's orders."""

    is_simulated: bool
    rate: str
    has_rate: bool  # a budget is judged without one as well
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
        has_rate=q.ticket_rate is not None,
        allowed=say_number(q.allowed_rate, 2),
        tickets=view.t("monitors.tickets_in", count=q.tickets, days=say_device_days(q.device_days)),
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


def find_lines(view: View, profile: Profile, shown: MonitorShape, records: MonitorRecords) -> list[MonitorLine]:
    """The monitor once for each fleet that it watches: what simulated devices found says nothing of real ones."""
    monitor = profile.find_monitor(shown.monitor)
    assert monitor is not None
    applied = next((v for v in records.versions if v.model == profile.model and v.is_current), None)
    measure = find_measure(view, profile, monitor)
    modes = [("LIVE", view.t("monitors.version", version=profile.version))]
    modes += [
        (d.state, d.code)
        for d in records.drafts
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
        lead = records.leads.get((profile.model, is_simulated, monitor.key))
        lines.append(
            MonitorLine(
                href=f"/monitors/{profile.model}/{monitor.key}",
                label=find_label(view, profile, monitor),
                key=monitor.key,
                model=profile.model,
                fault=find_fault(view, {profile.model: profile}, profile.model, monitor.fault_group),
                modes=modes,
                threshold=say_threshold(monitor.raise_at, measure),
                quality=None if quality is None else find_quality(view, quality, lead),
                drift=worst.state if worst else "",
                drift_of="" if worst is None else name_subject(view, profile, worst),
                marks=marks,
                proposal=proposal,
                edited_by=say_applier(view, applied.applied_by) if applied else "",
                edited=view.when(applied.applied_at) if applied else None,
                needs_a_look=bool(marks or proposal or worst),
            )
        )
    return lines


def find_worst(days: Sequence[DriftShape]) -> DriftShape | None:
    """The one that is farthest from stable."""
    return max((d for d in days if d.state != "STABLE"), key=lambda d: (d.state == "DRIFT", d.psi), default=None)
