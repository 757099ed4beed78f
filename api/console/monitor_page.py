"""One monitor: quality, drift, thresholds that were proposed, and backtests that were asked for."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.auth import Caller, require
from api.console.backtest_views import find_backtest
from api.console.forms import NOTHING, Typed
from api.console.model_job_acts import say_called_off
from api.console.model_links import find_model_links
from api.console.monitor_acts import find_acts, find_backtest_act
from api.console.monitor_drift_views import find_drift
from api.console.monitor_lines import find_lines
from api.console.monitor_proposal_views import find_proposal
from api.console.monitor_records import load_monitor_records
from api.console.monitor_words import Measure, find_label, find_measure, say_threshold
from api.console.page import View, find_view
from api.routes.device_models import find_profile
from api.routes.monitors import read_monitor
from api.shapes.monitors import MonitorDetail
from api.state import Database
from domain.profile import Monitor, Profile
from domain.roles import Permission
from store.model_jobs import ModelJob, load_monitor_backtests
from store.pool import Pool

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
BACKTESTS = 5


@router.get("/monitors/{model}/{monitor}")
def show_monitor(request: Request, pool: Database, caller: Reader, model: str, monitor: str) -> Response:
    """One monitor: quality, drift, thresholds that were proposed, backtests that were asked for."""
    return render_monitor(find_view(request, caller), pool, model, monitor)


def render_monitor(
    view: View,
    pool: Pool,
    model: str,
    key: str,
    *,
    problem: str = "",
    english: str = "",
    typed: Typed = NOTHING,
    status: int = 200,
) -> Response:
    """The page, with what was typed where a step was refused."""
    shown = read_monitor(model, key, view.person, pool)
    with pool.connection() as conn:
        profile = find_profile(conn, model)
        records = load_monitor_records(conn, model)
        models = find_model_links(view, conn, model, key)
        jobs = load_monitor_backtests(conn, model, key, limit=BACKTESTS)
    monitor = profile.find_monitor(key)
    assert monitor is not None
    lines = find_lines(view, profile, shown, records)
    measure = find_measure(view, profile, monitor)
    proposals = [find_proposal(view, profile, monitor, p) for p in shown.proposals]
    current = next((p for p in shown.proposals if p.code == next((q.code for q in proposals if q.is_open), "")), None)
    is_asked = "hx-request" in view.request.headers
    return view.render(
        "monitor.html",
        status,
        monitor={"key": key, "model": model, "label": find_label(view, profile, monitor)},
        lines=lines,
        models=models,
        facts=_find_facts(view, monitor, shown, measure),
        flag_at=view.when(shown.flag.flagged_at) if shown.flag else None,
        flag=shown.flag,
        open_proposal=next((p for p in proposals if p.is_open), None),
        acts=[] if current is None else find_acts(view, profile.safety_critical, current, typed),
        past_proposals=[p for p in proposals if not p.is_open],
        safety_critical=profile.safety_critical,
        drift=find_drift(view, profile, shown.drift_days),
        backtest_act=find_backtest_act(view, monitor, model, measure, typed),
        jobs=[_find_job(view, job, profile, measure) for job in jobs],
        is_running=any(job.state in ("QUEUED", "RUNNING") for job in jobs),
        is_asked_again=is_asked,
        problem=problem,
        english=english,
    )


def _find_facts(view: View, monitor: Monitor, shown: MonitorDetail, measure: Measure) -> list[tuple[str, str]]:
    t = view.t
    facts = [
        (t("monitor_field.raise_at"), say_threshold(monitor.raise_at, measure)),
        (t("monitor_field.clear_at"), say_threshold(monitor.clear_at, measure)),
        (t("monitors.critical_at"), say_threshold(monitor.critical_at, measure)),
        (t("monitors.n_of_m"), t("monitors.n_of_m_value", n=monitor.n, m=monitor.m) if monitor.m > 1 else "–"),
        (t("monitors.duration"), f"{monitor.duration_s:g} s" if monitor.duration_s else "–"),
        (t("monitors.window"), f"{monitor.window_s:g} s" if monitor.window_s else "–"),
        (t("monitors.severity"), view.name("severity", shown.severity)),
    ]
    return [(label, value) for label, value in facts if value != "–"]


def _find_job(view: View, job: ModelJob, profile: Profile, measure: Measure) -> dict[str, Any]:
    changes = job.request.get("changes", {})
    left = view.t("monitors.seconds_left", seconds=round(job.seconds_left)) if job.seconds_left is not None else ""
    said = [
        view.t("monitors.field_value", field=view.name("monitor_field", name), value=say_threshold(value, measure))
        for name, value in changes.items()
        if name in ("raise_at", "clear_at")
    ]
    others = [name for name in changes if name not in ("raise_at", "clear_at")]
    said += [view.t("monitors.field_value", field=view.name("monitor_field", n), value=changes[n]) for n in others]
    return {
        "id": job.id,
        "state": job.state,
        "changes": view.t("list.comma").join(said),
        "by": view.who(job.requested_by),
        "at": view.when(job.requested_at),
        "percent": round(100 * job.progress),
        "left": left,
        "error": job.error or "",
        "called_off": say_called_off(view, job),
        "backtest": find_backtest(view, job.result, profile),
    }
