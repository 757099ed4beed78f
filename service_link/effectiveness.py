"""Measures whether CAPAs helped: counts on the devices of the scope, exact chances and intervals, the verdict.

After the actions a device-day should bring fewer events than the limit. Events are taken as Poisson: with a fixed limit
the chance of so few is the distribution's lower tail; with a limit relative to the rate before, both counts are random
and, given their sum, the later one is binomial.

Source: Garwood 1936 (exact Poisson interval), Clopper and Pearson 1934 (exact binomial interval), Przyborowski and
Wilenski 1940 (comparison of two Poisson rates given their sum).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.audit_capa import effectiveness_judged
from domain.capa import CapaState
from domain.capa_effectiveness import (
    Chances,
    Counts,
    EffectivenessFigures,
    EffectivenessPlan,
    LimitKind,
    find_limit_rate,
    find_verdict,
)
from domain.exact_chances import find_beta_quantile, find_binomial_at_most, find_poisson_at_most
from domain.exposure import PER, bears_rate
from service_link.batch_plan import MACHINE
from service_link.cohort_statistics import (
    CONFIDENCE,
    find_rate_interval,
)
from store.audit import record_audit
from store.capa_effectiveness import (
    EffectivenessResult,
    load_counts,
    load_effectiveness_plan,
    load_effectiveness_results,
    record_effectiveness_result,
)
from store.capas import Capa, load_capa, load_measured_capas, lock_capa, update_capa
from store.pool import Connection

# Figures while the period lasts are renewed this often, though nothing happened: device-days have grown.
RENEWED_AFTER = timedelta(days=1)


def find_chances(plan: EffectivenessPlan, before: Counts, after: Counts) -> Chances:
    """The chance of so few events, were the rate at the limit: as counted, and were every undecided one a failure."""
    worst = after.events + after.undecided
    return Chances(_find_p(plan, before, after, after.events), _find_p(plan, before, after, worst))


def _find_p(plan: EffectivenessPlan, before: Counts, after: Counts, events: int) -> float:
    if plan.limit_kind is LimitKind.RATE:
        return find_poisson_at_most(events, plan.limit / PER * after.device_days)
    total = before.events + events
    weight = plan.limit * after.device_days
    if not total or weight + before.device_days <= 0.0:
        return 1.0
    return find_binomial_at_most(events, total, weight / (weight + before.device_days))


def find_ratio_interval(before: Counts, after: Counts) -> tuple[float, float | None] | None:
    """The exact 95 % interval of the rate after over the rate before; no upper end where nothing was before."""
    if not bears_rate(min(before.device_days, after.device_days)) or not before.events + after.events:
        return None
    tail = (1.0 - CONFIDENCE) / 2.0
    low = 0.0 if not after.events else find_beta_quantile(after.events, before.events + 1, tail)
    high = 1.0 if not before.events else find_beta_quantile(after.events + 1, before.events, 1.0 - tail)
    days = before.device_days / after.device_days
    return low / (1.0 - low) * days, None if high >= 1.0 else high / (1.0 - high) * days


def find_figures(
    plan: EffectivenessPlan,
    before: Counts,
    after: Counts,
    *,
    before_until: datetime,
    after_since: datetime,
    after_until: datetime,
    is_final: bool,
) -> EffectivenessFigures:
    """Everything that is stored and shown, from the counts of both windows."""
    chances = find_chances(plan, before, after)
    verdict, reason = find_verdict(plan, before, after, chances)
    interval = None
    if bears_rate(after.device_days):
        low, high = find_rate_interval(after.events, after.device_days)
        interval = (PER * low, PER * high)
    ratio = after.rate / before.rate if after.rate is not None and before.rate else None
    return EffectivenessFigures(
        before_since=before_until - timedelta(days=plan.before_days),
        before_until=before_until,
        after_since=after_since,
        after_until=after_until,
        before=before,
        after=after,
        rate_before=before.rate,
        rate_after=after.rate,
        rate_after_interval=interval,
        limit_rate=find_limit_rate(plan, before),
        ratio=ratio,
        ratio_interval=find_ratio_interval(before, after),
        p=chances.p,
        p_at_worst=chances.p_at_worst,
        verdict=verdict,
        reason=reason,
        is_final=is_final,
    )


def measure_effectiveness(conn: Connection, now: datetime) -> list[str]:
    """The codes of the CAPAs of which figures were written: their period ended, counts changed, or a day has passed.

    Nothing is locked where there is nothing to write. A verdict moves no state: people take the CAPA on, or back.
    """
    written = []
    for code in load_measured_capas(conn):
        seen = load_capa(conn, code)
        if seen is None or _find_news(conn, seen, now) is None:
            continue
        with conn.transaction():
            capa = lock_capa(conn, code)
            figures = _find_news(conn, capa, now)
            if figures is None:
                continue
            record_effectiveness_result(conn, capa.id, capa.round, capa.plan_version, figures, now)
            if figures.is_final and figures.verdict != capa.effectiveness_verdict:
                update_capa(conn, replace(capa, effectiveness_verdict=figures.verdict, updated_at=now))
                record_audit(conn, MACHINE, effectiveness_judged(code, capa.effectiveness_verdict, figures.to_json()))
            written.append(code)
    return written


def _find_news(conn: Connection, capa: Capa, now: datetime) -> EffectivenessFigures | None:
    """The figures as they are now, where they are not those that were written last."""
    plan = load_effectiveness_plan(conn, capa.id)
    since, until, before_until = capa.effective_from, capa.effective_until, capa.before_until
    if capa.state != CapaState.EFFECTIVENESS or plan is None or since is None or until is None or before_until is None:
        return None
    is_final = until <= now
    after_until = until if is_final else now
    if after_until <= since:
        return None
    before = load_counts(conn, capa.id, plan.metric, before_until - timedelta(days=plan.before_days), before_until)
    after = load_counts(conn, capa.id, plan.metric, since, after_until)
    figures = find_figures(
        plan,
        before,
        after,
        before_until=before_until,
        after_since=since,
        after_until=after_until,
        is_final=is_final,
    )
    last = load_effectiveness_results(conn, capa.id, limit=1)
    return figures if not last or _is_other(figures, last[0], capa, now) else None


def _is_other(figures: EffectivenessFigures, last: EffectivenessResult, capa: Capa, now: datetime) -> bool:
    known = (last.round, last.plan_version, last.is_final) == (capa.round, capa.plan_version, figures.is_final)
    shown = figures.to_json()
    names = ["events_before", "events_after", "undecided_after"]
    names += ["device_days_before", "device_days_after"] if figures.is_final else []
    same = all(last.figures[name] == shown[name] for name in names)
    return not known or not same or (not figures.is_final and now - last.computed_at >= RENEWED_AFTER)
