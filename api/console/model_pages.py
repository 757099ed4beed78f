"""Models: the list, and the page of one with its backtest, its time in shadow, and the steps that engineers sign."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.approval_changes import find_profile_changes
from api.console.backtest_views import find_backtest
from api.console.filters import Filter, find_choice
from api.console.forms import (
    NOT_REFUSED,
    NOTHING,
    Fields,
    RecordForms,
    Refused,
    Version,
    find_typed,
    find_unsigned,
    read_text,
    sign,
)
from api.console.model_job_acts import find_job_line, find_refused_act, say_called_off
from api.console.model_links import find_monitor_links
from api.console.model_views import (
    GUARDS,
    NAMES,
    find_model_acts,
    find_model_facts,
    find_model_line,
    find_model_stages,
    find_shadow_lines,
)
from api.console.page import View, find_view
from api.console.signature_views import find_signature_lines
from api.console.timeline import find_audit_lines
from api.once import change
from api.routes.model_jobs import call_off_job
from api.routes.models import find_model
from api.state import Database
from domain.errors import GuardRefusedError
from domain.model_record import MODEL_PERMISSION, ModelKind, ModelState, ModelStep, is_signed
from domain.roles import Permission
from store.audit import AuditFilter, load_audit_events
from store.model_jobs import ModelJob, load_newest_backtest, load_open_jobs
from store.model_steps import StepRequest, load_model_facts, record_step
from store.models import ENTITY, load_models
from store.pool import Connection, Pool
from store.profiles import load_profile, load_profiles
from store.shadows import load_shadow_counts
from store.signatures import load_signatures

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
ROWS = 50


@router.get("/models")
def show_models(
    request: Request, pool: Database, caller: Reader, model: str = "", state: str = "", before: int | None = None
) -> Response:
    """Models, the newest first, and the trainings and backtests that wait or run."""
    return _render_models(find_view(request, caller), pool, model, state, before)


@router.post("/model-jobs/{job_id}/cancel")
def call_model_job_off(request: Request, pool: Database, caller: Writer, job_id: int, fields: Fields) -> Response:
    """Calls a training or a backtest off, with a reason."""
    view = find_view(request, caller)
    act, reason = f"call_off_{job_id}", read_text(fields, "reason")
    if not reason:
        refused = Refused(view.t("model_jobs.why"), 422, find_typed(act, fields, {"reason": view.t("model_jobs.why")}))
        return _render_models(view, pool, refused=refused)
    try:
        change(pool, lambda conn: call_off_job(conn, caller, job_id, reason))
    except GuardRefusedError as over:
        return _render_models(view, pool, refused=Refused(view.name("queue_guard", over.guard), 409, NOTHING))
    return RedirectResponse(view.link("/models", done="job_called_off"), 303)


def _render_models(
    view: View,
    pool: Pool,
    model: str = "",
    state: str = "",
    before: int | None = None,
    refused: Refused = NOT_REFUSED,
) -> Response:
    states = [(s.value, view.name("model_state", s)) for s in ModelState]
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        names = sorted(profiles)
        model = find_choice(model, names)
        state = find_choice(state, [value for value, _ in states])
        found = load_models(conn, model=model, states=[state] if state else [], before_id=before, limit=ROWS + 1)
        jobs = load_open_jobs(conn)
    chosen = {"model": model, "state": state}
    return view.render(
        "models.html",
        refused.status,
        problem=refused.problem,
        jobs=[find_job_line(view, job, profiles, refused.typed) for job in jobs],
        refused_act=find_refused_act(view),
        rows=[find_model_line(view, row) for row in found[:ROWS]],
        filters=[
            Filter("model", view.t("column.model"), model, [(name, name) for name in names]),
            Filter("state", view.t("column.state"), state, states),
        ],
        filtered=any(chosen.values()),
        older=view.link("/models", **chosen, before=found[ROWS - 1].id) if len(found) > ROWS else None,
        proof=view.t("models.proof", count=len(names)),
    )


@router.get("/models/{code}")
def show_model(request: Request, pool: Database, caller: Reader, code: str) -> Response:
    """One model."""
    return render_model(find_view(request, caller), pool, code)


def render_model(view: View, pool: Pool, code: str, refused: Refused = NOT_REFUSED) -> Response:
    """The page; with a step that was refused, why, and what was typed where it was typed."""
    me = view.person.user_id
    with pool.connection() as conn:
        row = find_model(conn, code)
        facts = load_model_facts(conn, row, actor_id=me, signer_id=me)
        job = load_newest_backtest(conn, row.id)
        counts = load_shadow_counts(conn, row.id)
        signatures = load_signatures(conn, ENTITY, row.id, {"code": row.code, "sha256": row.sha256})
        events = load_audit_events(conn, AuditFilter(entity=ENTITY, entity_id=code))
        current = load_profile(conn, row.model)
        monitors = find_monitor_links(view, conn, row, current)
    is_profile = row.kind == ModelKind.PROFILE
    is_waiting = row.state in (ModelState.DRAFT, ModelState.SHADOW)
    return view.render(
        "model.html",
        refused.status,
        problem=refused.problem,
        line=find_model_line(view, row),
        row_version=row.row_version,
        safety_critical=row.safety_critical,
        stage_list=find_model_stages(row),
        acts=find_model_acts(view, row, facts, refused.typed),
        changing=find_profile_changes(view, row, current) if current and is_profile and is_waiting else [],
        job=None if job is None else _find_job(view, job),
        backtest=None if job is None else find_backtest(view, job.result, current),
        shadow=find_shadow_lines(view, counts, current),
        monitors=monitors,
        facts=find_model_facts(view, row, current),
        signatures=find_signature_lines(view, signatures),
        timeline=find_audit_lines(view, events),
    )


def _find_job(view: View, job: ModelJob) -> dict[str, object]:
    at = view.when(job.requested_at)
    return {"state": job.state, "error": job.error or "", "at": at, "called_off": say_called_off(view, job)}


FORMS = RecordForms(ENTITY, "/models/", render_model)


@router.post("/models/{code}/steps")
def take_model_step(
    request: Request,
    pool: Database,
    caller: Writer,
    code: str,
    to: Annotated[ModelStep, Form()],
    row_version: Version,
    fields: Fields,
) -> Response:
    """Shadow, activate, roll back or retire; what changes the live of a safety-critical device model is signed, and
    the first activation only asks."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        row = find_model(conn, code)
    actor, act = find_actor(caller, (MODEL_PERMISSION,)), NAMES[to]
    signature = sign(view, pool, fields) if is_signed(to, ModelState(row.state), row.safety_critical) else None
    if isinstance(signature, str):
        return render_model(view, pool, code, find_unsigned(signature, act, fields))
    wish = StepRequest(to, read_text(fields, "reason"), signature, expected_row_version=row_version)

    def work(conn: Connection) -> object:
        return record_step(conn, actor, code, wish, view.now)

    return FORMS.take(view, pool, code, work, find_typed(act, fields), guards=GUARDS)
