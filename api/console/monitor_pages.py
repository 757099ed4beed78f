"""Monitors: which rule earns its tickets, and the page where people decide on its threshold."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acts import Act, Field
from api.console.backtest_views import find_backtest
from api.console.filters import Filter, find_choice
from api.console.instants import name_age
from api.console.monitor_views import (
    MonitorLine,
    find_drift,
    find_label,
    find_lines,
    find_proposal,
    find_unit,
    say_value,
)
from api.console.page import View, find_view
from api.console.proofs import load_proof
from api.once import change
from api.problems import ProblemError, not_found
from api.routes.device_models import find_profile
from api.routes.monitor_changes import ask_monitor_backtest
from api.routes.monitors import list_monitors, read_monitor
from api.shapes.models import MonitorChanges, NewMonitorBacktest
from api.shapes.monitors import MonitorDetail, ThresholdProposalShape
from api.sign_in import SignInRefused, check_password
from api.state import Database
from domain.audit import Signature
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.model_record import ModelKind, ModelState
from domain.profile import Monitor, MonitorRule
from domain.roles import Permission
from domain.threshold_proposal import SIGNED, TRANSITIONS, ProposalState, find_next_states
from store.audit import AuditFilter, load_audit_events
from store.model_jobs import ModelJob, load_monitor_backtests
from store.models import ModelRow, load_models
from store.monitor_lead_times import MonitorLeadTime, load_lead_times
from store.pool import Connection, Pool
from store.profiles import load_profile_rows, load_profiles
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import ENTITY, load_threshold_proposal

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
LED = timedelta(days=365)
BACKTESTS = 5
BACKTEST_DAYS = ("30", "90", "365")
SETTLING_DAYS = 1.0  # detectors start from nothing at the begin
# What silence is judged by is not kept with readings: no backtest can say anything of these.
UNJUDGED = (MonitorRule.STALENESS, MonitorRule.OFFLINE)
ACTS = {
    ProposalState.ENDORSED: ("threshold_endorse", "E"),
    ProposalState.ACCEPTED: ("threshold_accept", "A"),
    ProposalState.REJECTED: ("threshold_reject", "R"),
}
LOOK = "look"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stood in a form that was refused; `form` is the step, or "backtest"."""

    form: str
    values: dict[str, str] = field(default_factory=dict)


@router.get("/monitors")
def show_monitors(request: Request, pool: Database, caller: Reader, model: str = "", show: str = "") -> Response:
    """Every monitor of every current profile, those that need a look first."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        model = find_choice(model, profiles)
        versions = load_profile_rows(conn)
        drafts = _load_drafts(conn, model)
        leads = _load_leads(view, conn, (model,) if model else ())
        proof = load_proof(view, conn)
    found = list_monitors(caller, pool, model or None)
    lines = [
        line
        for item in found.items
        if item.model in profiles
        for line in find_lines(view, profiles[item.model], item, versions=versions, drafts=drafts, leads=leads)
    ]
    show = find_choice(show, [LOOK])
    shown = [line for line in lines if line.needs_a_look or show != LOOK]
    names = sorted(profiles)
    return view.render(
        "monitors.html",
        rows=sorted(shown, key=_find_rank),
        total=len(lines),
        looks=sum(line.needs_a_look for line in lines),
        filters=[
            Filter("model", view.t("column.model"), model, [(name, name) for name in names], view.t("list.all")),
            Filter("show", view.t("monitors.show"), show, [(LOOK, view.t("monitors.show_look"))], view.t("list.all")),
        ],
        filtered=bool(model or show),
        proof=proof,
    )


def _find_rank(line: MonitorLine) -> tuple[bool, bool, float, str, str]:
    rate = float(line.quality.rate.replace(",", "")) if line.quality and line.quality.rate != "–" else 0.0
    return (line.proposal is None, not line.needs_a_look, -rate, line.model, line.key)


def _load_drafts(conn: Connection, model: str) -> list[ModelRow]:
    states = (ModelState.DRAFT.value, ModelState.SHADOW.value)
    return load_models(conn, model=model, kind=ModelKind.PROFILE.value, states=states, limit=200)


def _load_leads(view: View, conn: Connection, models: tuple[str, ...]) -> dict[tuple[str, bool, str], MonitorLeadTime]:
    rows = load_lead_times(conn, view.now - LED, models=models)
    return {(row.model, row.is_simulated, row.monitor): row for row in rows}


@router.get("/monitors/{model}/{monitor}")
def show_monitor(request: Request, pool: Database, caller: Reader, model: str, monitor: str) -> Response:
    """One monitor: quality, drift, thresholds that were proposed, backtests that were asked for."""
    return _render(find_view(request, caller), pool, model, monitor)


@router.post("/monitors/{model}/{monitor}/decision")
def take_decision(
    request: Request,
    pool: Database,
    caller: Writer,
    model: str,
    monitor: str,
    proposal: str = "",
    to: Annotated[str, Form(max_length=20)] = "",
    row_version: Annotated[int, Form(ge=0)] = 0,
    reason: Annotated[str, Form(max_length=10_000)] = "",
    meaning: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Endorses, accepts or rejects; what was typed is kept when it cannot be, the password never."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        known = load_threshold_proposal(conn, proposal)
    if known is None or (known.model, known.monitor) != (model, monitor):
        raise not_found("threshold proposal", proposal, "proposal")
    typed = Typed(to, {"reason": reason, "meaning": meaning})
    if to not in ACTS:
        problem = view.name("proposal_guard", "no_such_transition")
        return _render(view, pool, model, monitor, problem=problem, typed=typed, status=422)
    wanted = ProposalState(to)
    signature = None
    if wanted in SIGNED and password and caller.user_id is not None:
        wrong = check_password(pool, caller.name, password, at=view.now, request_id=caller.request_id)
        if wrong is not None:
            problem, status = _say_wrong(view, wrong)
            return _render(view, pool, model, monitor, problem=problem, typed=typed, status=status)
        signature = Signature(caller.user_id, caller.full_name, meaning.strip())
    try:

        def work(conn: Connection) -> None:
            record_proposal_decision(
                conn,
                caller.actor,
                proposal,
                wanted,
                reason=reason.strip(),
                signature=signature,
                expected_row_version=row_version,
                now=view.now,
            )

        change(pool, work)
    except GuardRefusedError as refused:
        problem = view.name("proposal_guard", refused.guard)
        return _render(view, pool, model, monitor, problem=problem, typed=typed, status=409)
    except RowVersionConflictError:
        problem = _find_conflict(view, pool, proposal)
        return _render(view, pool, model, monitor, problem=problem, typed=typed, status=412)
    return RedirectResponse(view.link(f"/monitors/{model}/{monitor}", done="saved"), 303)


def _say_wrong(view: View, wrong: SignInRefused) -> tuple[str, int]:
    if wrong.reason == "locked":
        return view.t("monitors.locked", seconds=int(wrong.wait_s) + 1), 429
    key = "monitors.no_password" if wrong.reason == "no_password" else "work_order.wrong_password"
    return view.t(key), 422


def _find_conflict(view: View, pool: Pool, code: str) -> str:
    """Who changed the proposal meanwhile, and when."""
    with pool.connection() as conn:
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code), limit=1)
        proposal = load_threshold_proposal(conn, code)
    assert proposal is not None
    who = events[0].actor if events else view.t("work_order.changed_by")
    return view.t("work_order.conflict", who=who, ago=name_age(proposal.updated_at, view.now, view.language))


@router.post("/monitors/{model}/{monitor}/backtest")
def take_backtest(
    request: Request,
    pool: Database,
    caller: Writer,
    model: str,
    monitor: str,
    raise_at: Annotated[str, Form(max_length=40)] = "",
    clear_at: Annotated[str, Form(max_length=40)] = "",
    days: Annotated[str, Form(max_length=4)] = "",
) -> Response:
    """Asks for a backtest of another threshold; it changes nothing."""
    view = find_view(request, caller)
    typed = Typed("backtest", {"raise_at": raise_at, "clear_at": clear_at, "days": days})
    span = timedelta(days=int(days if days in BACKTEST_DAYS else "90"))
    values = {name: _read_number(text) for name, text in typed.values.items() if name != "days" and text.strip()}
    unread = [view.t(f"monitor_field.{name}") for name, value in values.items() if value is None]
    if unread:
        problem = view.t("monitors.not_a_number", fields=view.t("list.comma").join(unread))
        return _render(view, pool, model, monitor, problem=problem, typed=typed, status=422)
    body = NewMonitorBacktest(
        changes=MonitorChanges(**values),
        since=view.now - span,
        settle_days=SETTLING_DAYS,
    )
    try:
        change(pool, lambda conn: ask_monitor_backtest(conn, caller, model, monitor, body))
    except ProblemError as refused:
        if refused.status != 422:
            raise
        problem = view.t("monitors.changes_nothing")
        english = ""
        if not any(error.field == "changes" for error in refused.errors):
            problem = view.t("monitors.no_threshold")
            english = " ".join(f"{error.field.rpartition('.')[2]}: {error.detail}" for error in refused.errors)
        return _render(view, pool, model, monitor, problem=problem, english=english, typed=typed, status=422)
    return RedirectResponse(view.link(f"/monitors/{model}/{monitor}", done="backtest"), 303)


def _read_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _render(
    view: View,
    pool: Pool,
    model: str,
    key: str,
    *,
    problem: str = "",
    english: str = "",
    typed: Typed | None = None,
    status: int = 200,
) -> Response:
    shown = read_monitor(model, key, view.person, pool)
    with pool.connection() as conn:
        profile = find_profile(conn, model)
        versions = load_profile_rows(conn)
        drafts = _load_drafts(conn, model)
        leads = _load_leads(view, conn, (model,))
        jobs = load_monitor_backtests(conn, model, key, limit=BACKTESTS)
    monitor = profile.find_monitor(key)
    assert monitor is not None
    lines = find_lines(view, profile, shown, versions=versions, drafts=drafts, leads=leads)
    unit = find_unit(view, profile, monitor)
    proposals = [find_proposal(view, profile, monitor, p) for p in shown.proposals]
    current = next((p for p in shown.proposals if p.code == next((q.code for q in proposals if q.is_open), "")), None)
    is_asked = "hx-request" in view.request.headers
    return view.render(
        "monitor.html",
        status,
        monitor={"key": key, "model": model, "label": find_label(view, profile, monitor)},
        lines=lines,
        facts=_find_facts(view, monitor, shown, unit),
        flag_at=view.when(shown.flag.flagged_at) if shown.flag else None,
        flag=shown.flag,
        open_proposal=next((p for p in proposals if p.is_open), None),
        acts=[] if current is None else _find_acts(view, profile.safety_critical, current, typed),
        past_proposals=[p for p in proposals if not p.is_open],
        safety_critical=profile.safety_critical,
        drift=find_drift(view, profile, shown.drift_days),
        backtest_act=_find_backtest_act(view, monitor, model, unit, typed),
        jobs=[_find_job(view, job, unit) for job in jobs],
        is_running=any(job.state in ("QUEUED", "RUNNING") for job in jobs),
        is_asked_again=is_asked,
        problem=problem,
        english=english,
    )


def _find_facts(view: View, monitor: Monitor, shown: MonitorDetail, unit: str) -> list[tuple[str, str]]:
    t = view.t
    facts = [
        (t("monitor_field.raise_at"), say_value(monitor.raise_at, unit)),
        (t("monitor_field.clear_at"), say_value(monitor.clear_at, unit)),
        (t("monitors.critical_at"), say_value(monitor.critical_at, unit)),
        (t("monitors.n_of_m"), t("monitors.n_of_m_value", n=monitor.n, m=monitor.m) if monitor.m > 1 else "–"),
        (t("monitors.duration"), f"{monitor.duration_s:g} s" if monitor.duration_s else "–"),
        (t("monitors.window"), f"{monitor.window_s:g} s" if monitor.window_s else "–"),
        (t("monitors.severity"), view.name("severity", shown.severity)),
    ]
    return [(label, value) for label, value in facts if value != "–"]


def _find_acts(view: View, safety_critical: bool, p: ThresholdProposalShape, typed: Typed | None) -> list[Act]:
    state = ProposalState(p.state)
    acts = []
    for to in find_next_states(state, safety_critical=safety_critical):
        name, key = ACTS[to]
        permission = TRANSITIONS[state, to]
        label = view.t(f"act.{name}")
        refusal = ""
        if not view.may(permission):
            refusal = view.t("act.refused_permission", permission=permission.value)
        elif to is ProposalState.ACCEPTED and p.endorsed_by == view.person.name:
            refusal = view.name("proposal_guard", "second_person")
        if refusal:
            acts.append(Act(name, label, refusal=refusal))
            continue
        kept = typed.values if typed is not None and typed.form == to else {}
        fields = [Field("reason", view.t("field.justification"), "textarea", kept.get("reason", ""))]
        if to in SIGNED:
            default = view.t(f"monitors.meaning_{to.value}")
            fields.append(Field("meaning", view.t("field.meaning"), "text", kept.get("meaning") or default))
            fields.append(Field("password", view.t("field.password"), "password"))
        acts.append(
            Act(
                name,
                label,
                submit=view.t(f"act.{name}_do"),
                key=key,
                action=view.link(f"/monitors/{p.model}/{p.monitor}/decision", proposal=p.code),
                to=to.value,
                row_version=p.row_version,
                explain=view.t(f"act.explain_{name}") if to in SIGNED else "",
                fields=tuple(fields),
                open=bool(kept),
            )
        )
    return acts


def _find_backtest_act(view: View, monitor: Monitor, model: str, unit: str, typed: Typed | None) -> Act | None:
    """None where a threshold is none of readings."""
    if monitor.raise_at is None or monitor.rule in UNJUDGED:
        return None
    label = view.t("act.backtest")
    if not view.may(Permission.PROFILE_WRITE):
        refusal = view.t("act.refused_permission", permission=Permission.PROFILE_WRITE.value)
        return Act("backtest", label, refusal=refusal)
    kept = typed.values if typed is not None and typed.form == "backtest" else {}
    clear_at = monitor.raise_at if monitor.clear_at is None else monitor.clear_at
    options = tuple((days, view.t("monitors.days", days=days)) for days in BACKTEST_DAYS)

    def label_of(name: str) -> str:
        return view.t("monitors.field_in", field=view.t(f"monitor_field.{name}"), unit=unit or "1")

    return Act(
        "backtest",
        label,
        submit=view.t("act.backtest_do"),
        key="T",
        action=f"/monitors/{model}/{monitor.key}/backtest",
        explain=view.t("act.explain_backtest"),
        fields=(
            Field("raise_at", label_of("raise_at"), "text", kept.get("raise_at", f"{monitor.raise_at:g}")),
            Field("clear_at", label_of("clear_at"), "text", kept.get("clear_at", f"{clear_at:g}")),
            Field("days", view.t("monitors.over"), "select", kept.get("days", "90"), options),
        ),
        open=bool(kept),
    )


def _find_job(view: View, job: ModelJob, unit: str) -> dict[str, Any]:
    changes = job.request.get("changes", {})
    left = view.t("monitors.seconds_left", seconds=round(job.seconds_left)) if job.seconds_left is not None else ""
    said = [
        view.t("monitors.field_value", field=view.name("monitor_field", name), value=say_value(value, unit))
        for name, value in changes.items()
        if name in ("raise_at", "clear_at")
    ]
    others = [name for name in changes if name not in ("raise_at", "clear_at")]
    said += [f"{name} {changes[name]}" for name in others]
    return {
        "id": job.id,
        "state": job.state,
        "changes": view.t("list.comma").join(said),
        "by": job.requested_by,
        "at": view.when(job.requested_at),
        "percent": round(100 * job.progress),
        "left": left,
        "error": job.error or "",
        "backtest": find_backtest(view, job.result),
    }
