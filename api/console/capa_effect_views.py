"""Whether a CAPA helped: the plan in words, what was counted, and the rate over the period against its limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.capa_answers import OFFERED
from api.console.acts import Act, Field, mark_fields
from api.console.capa_acts import GUARDS, NAMES
from api.console.capa_figures import say_days, say_rate
from api.console.facts import Fact
from api.console.forms import Typed, say_guard
from api.console.page import View
from domain.capa import CapaState, Verdict
from domain.capa_action import ActionKind, find_plan_refusal
from domain.capa_effectiveness import Counts, EffectivenessMetric, EffectivenessPlan, LimitKind
from domain.exposure import bears_rate
from domain.roles import Permission
from store.capa_effectiveness import EffectivenessResult
from store.capa_transitions import CapaStanding

ACT = "effectiveness"
LEFT, RIGHT, TOP, BOTTOM = 64.0, 690.0, 10.0, 150.0
DEFAULTS = {"period_days": "90", "before_days": "90", "delay_days": "0", "max_p": "0.05"}


@dataclass(frozen=True, slots=True)
class EffectChart:
    """The rate after the actions against its limit, in the coordinates of a drawing of 700 × 180."""

    line: str
    band: str
    dots: list[tuple[float, float]]
    limit_y: float
    limit: str
    ticks: list[dict[str, Any]]
    days: list[dict[str, Any]]
    label: str


@dataclass(frozen=True, slots=True)
class EffectView:
    """The section of the page; `verdict` and `offered` only once there is something to say."""

    facts: list[Fact]
    chart: EffectChart | None
    columns: list[str]
    rows: list[list[str]]
    verdict: str
    verdict_code: str
    offered: str
    form: Act | None


def find_effect(
    view: View, standing: CapaStanding, before: Counts | None, results: Sequence[EffectivenessResult], typed: Typed
) -> EffectView:
    """The plan, the figures, newest first, and the form while the plan is open."""
    capa = standing.capa
    plan = standing.plan.effectiveness
    of_plan = [r for r in results if (r.round, r.plan_version) == (capa.round, capa.plan_version)]
    newest = of_plan[0] if of_plan else None
    verdict = ""
    if newest is not None and capa.state in (CapaState.EFFECTIVENESS, CapaState.CLOSED):
        key = "capa.verdict_final" if newest.is_final else "capa.verdict_so_far"
        why = view.name("verdict_reason", newest.figures["reason"])
        verdict = view.t(key, verdict=view.name("verdict", newest.verdict), why=why)
    is_judged = capa.state == CapaState.EFFECTIVENESS and capa.effectiveness_verdict is not None
    to = OFFERED[Verdict(capa.effectiveness_verdict)] if is_judged and capa.effectiveness_verdict else None
    return EffectView(
        facts=_find_facts(view, standing, plan, before),
        chart=find_chart(view, [r for r in reversed(of_plan) if _has_rate(r)]),
        columns=[
            view.t(f"capa.effect_{name}") for name in ("at", "events", "days", "rate", "interval", "limit", "p", "says")
        ],
        rows=[_find_row(view, result) for result in results],
        verdict=verdict,
        verdict_code=newest.verdict if newest is not None and verdict else "",
        offered="" if to is None else view.t("capa.offered", step=view.t(f"act.{NAMES[CapaState(capa.state), to][0]}")),
        form=_find_form(view, standing, plan, typed),
    )


def _find_facts(
    view: View, standing: CapaStanding, plan: EffectivenessPlan | None, before: Counts | None
) -> list[Fact]:
    capa = standing.capa
    if plan is None:
        return []
    t = view.t
    facts = [
        Fact(t("capa.effect_metric"), view.name("metric", plan.metric)),
        Fact(t("capa.effect_limit"), _say_limit(view, plan)),
        Fact(t("capa.effect_period"), t("capa.effect_period_value", days=plan.period_days, delay=plan.delay_days)),
        Fact(t("capa.effect_chance"), t("capa.effect_chance_value", p=f"{plan.max_p:g}")),
        Fact(t("capa.effect_where"), t("capa.effect_devices", count=standing.plan.devices)),
    ]
    if before is not None:
        said = t(
            "capa.effect_before_counts" if before.rate is None else "capa.effect_before_value",
            events=before.events,
            days=say_days(before.device_days),
            rate=say_rate(before.rate),
            window=plan.before_days,
        )
        facts.append(Fact(t("capa.effect_before"), said))
    begin, end = view.when(capa.effective_from), view.when(capa.effective_until)
    if begin is not None and end is not None:
        facts.append(
            Fact(t("capa.effect_window"), t("capa.effect_window_value", begin=begin.at, end=end.at, ago=end.ago))
        )
    return facts


def _say_limit(view: View, plan: EffectivenessPlan) -> str:
    key = "capa.effect_limit_rate" if plan.limit_kind is LimitKind.RATE else "capa.effect_limit_ratio"
    return view.t(key, limit=f"{plan.limit:g}")


def _find_row(view: View, result: EffectivenessResult) -> list[str]:
    figures = result.figures
    at = view.when(result.computed_at)
    interval = figures.get("rate_after_interval")
    kind = "capa.effect_final" if result.is_final else "capa.effect_running"
    return [
        at.at if at else "",
        f"{figures['events_after']:,}",
        say_days(figures["device_days_after"]),
        say_rate(figures.get("rate_after") if _has_rate(result) else None),
        "–" if interval is None or not _has_rate(result) else f"{say_rate(interval[0])} – {say_rate(interval[1])}",
        say_rate(figures.get("limit_rate")),
        "< 0.0001" if figures["p"] < 0.0001 else f"{figures['p']:.4f}",
        view.t(kind, verdict=view.name("verdict", result.verdict)),
    ]


def _has_rate(result: EffectivenessResult) -> bool:
    """Whether its rate is one to say: results of earlier versions have one of any exposure."""
    return result.figures.get("rate_after") is not None and bears_rate(result.figures["device_days_after"])


def find_chart(view: View, results: Sequence[EffectivenessResult]) -> EffectChart | None:
    """The drawing, oldest first; None without a rate and its limit."""
    limits = [r.figures["limit_rate"] for r in results if r.figures.get("limit_rate") is not None]
    if not results or not limits:
        return None
    limit = float(limits[-1])
    highs = [float((r.figures.get("rate_after_interval") or [0, r.figures["rate_after"]])[1]) for r in results]
    rates = [float(r.figures["rate_after"]) for r in results]
    # The first days have wide intervals; they must not press the rest to the ground.
    top = max(limit * 1.5, max(rates) * 1.2, min(max(highs), limit * 4)) or 1.0
    begin = datetime.fromisoformat(str(results[0].figures["after_since"]))
    times = [datetime.fromisoformat(str(r.figures["after_until"])) for r in results]
    span = max((times[-1] - begin).total_seconds(), 1.0)

    def place(at: datetime, rate: float) -> tuple[float, float]:
        share = min(max((at - begin).total_seconds() / span, 0.0), 1.0)
        return round(LEFT + share * (RIGHT - LEFT), 1), round(BOTTOM - min(rate / top, 1.0) * (BOTTOM - TOP), 1)

    dots = [place(at, rate) for at, rate in zip(times, rates, strict=True)]
    lows = [float((r.figures.get("rate_after_interval") or [r.figures["rate_after"], 0])[0]) for r in results]
    over = [place(at, high) for at, high in zip(times, highs, strict=True)]
    under = [place(at, low) for at, low in zip(times, lows, strict=True)]
    zone = view.find_zone()
    return EffectChart(
        line=_path(dots),
        band=_path([*over, *reversed(under)]) + "Z" if len(dots) > 1 else _path([over[0], under[0]]),
        dots=dots[-1:] if len(dots) > 40 else dots,
        limit_y=place(begin, limit)[1],
        limit=view.t("capa.effect_limit_mark", limit=say_rate(limit)),
        ticks=[{"y": place(begin, value)[1], "label": say_rate(value)} for value in (0.0, top / 2, top)],
        days=[
            {"x": LEFT, "label": begin.astimezone(zone).date().isoformat(), "anchor": "start"},
            {"x": RIGHT, "label": times[-1].astimezone(zone).date().isoformat(), "anchor": "end"},
        ],
        label=view.t("capa.effect_chart_label", rate=say_rate(rates[-1]), limit=say_rate(limit)),
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _find_form(view: View, standing: CapaStanding, plan: EffectivenessPlan | None, typed: Typed) -> Act | None:
    capa = standing.capa
    if find_plan_refusal(CapaState(capa.state), ActionKind.CORRECTIVE) is not None:
        return None
    label = view.t("act.effectiveness")
    if not view.may(Permission.CAPA_WORK):
        return Act(ACT, label, refusal=view.say_missing(Permission.CAPA_WORK))
    if view.person.user_id is None:
        return Act(ACT, label, refusal=say_guard(view, GUARDS, "person_needed"))
    said = typed.of(ACT)
    stands = DEFAULTS | ({} if plan is None else {n: _write(v) for n, v in plan.to_json().items()}) | dict(said.values)
    t = view.t

    def number(name: str, step: str) -> Field:
        why = t(f"field.effect_{name}_why")
        return Field(
            name,
            t(f"field.effect_{name}"),
            "number",
            stands.get(name, ""),
            why=why,
            step=step,
        )

    metrics = tuple((m.value, view.name("metric", m)) for m in EffectivenessMetric)
    kinds = tuple((k.value, view.name("limit_kind", k)) for k in LimitKind)
    return Act(
        ACT,
        label,
        submit=t("act.effectiveness_do"),
        action=f"/capa/{capa.code}/effectiveness",
        row_version=capa.row_version,
        explain=t("act.explain_effectiveness"),
        fields=mark_fields(
            (
                Field("metric", t("capa.effect_metric"), "select", stands.get("metric", ""), metrics),
                Field("limit_kind", t("field.effect_limit_kind"), "select", stands.get("limit_kind", ""), kinds),
                number("limit", "any"),
                number("period_days", "1"),
                number("before_days", "1"),
                number("delay_days", "1"),
                number("max_p", "any"),
            ),
            said.wrong,
        ),
        open=bool(said.act),
    )


def _write(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
