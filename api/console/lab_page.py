"""Would we catch this fault? A fault is planted on simulated devices, and the page says what became of it."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.forms import NOTHING, Typed, read_text
from api.console.lab_charts import find_charts
from api.console.lab_form import ACT, describe_request, find_fields, name_refusals, read_form
from api.console.lab_views import (
    find_answer,
    find_bins,
    find_caveat,
    find_column,
    find_fault_rows,
    find_left_out,
    find_monitor_rows,
    find_run_line,
    find_verdict,
)
from api.console.page import View, find_view
from api.once import change
from api.routes.lab import LabRefusedError, ask_run, call_off, read_run
from api.shapes.lab import LabRunDetail, LabRunShape
from api.state import Database
from domain.errors import GuardRefusedError
from domain.profile import Profile
from domain.roles import Permission
from store.heartbeats import load_heartbeats
from store.lab_runs import LAB_RUNS, load_judged_profile, load_run
from store.pool import Pool
from store.profiles import load_profiles

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CAPA_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
RUNS = 25
ALIVE_S = 15.0


async def _read_fields(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=40)


Sent = Annotated[FormData, Depends(_read_fields)]


@router.get("/lab")
def show_lab(request: Request, pool: Database, caller: Reader) -> Response:
    """The form, and the runs that there were."""
    return _render(find_view(request, caller), pool)


@router.get("/lab/{code}")
def show_run(request: Request, pool: Database, caller: Reader, code: str, other: str = "") -> Response:
    """One run: how far it is, then what came of it; beside another one where that is asked for."""
    return _render(find_view(request, caller), pool, code=code, other=other)


@router.post("/lab")
def ask(request: Request, pool: Database, caller: Writer, fields: Sent) -> Response:
    """Asks for a run; what was typed is kept where it cannot be begun."""
    view = find_view(request, caller)
    sent = {name: value for name, value in fields.items() if isinstance(value, str) and name != "csrf_token"}
    body, wrong = read_form(view, sent)
    if body is not None:
        asked = body
        try:
            code = change(pool, lambda conn: ask_run(conn, caller, asked))
            return RedirectResponse(view.link(f"/lab/{code}", done="lab_asked"), 303)
        except LabRefusedError as refused:
            wrong = name_refusals(view, refused.refusals)
        except GuardRefusedError as full:
            problem = view.name("queue_guard", full.guard)
            return _render(view, pool, problem=problem, typed=Typed(ACT, sent), status=409)
    problem = view.t("lab.refused")
    return _render(view, pool, problem=problem, typed=Typed(ACT, sent, wrong), status=422)


@router.post("/lab/{code}/cancel")
def cancel(request: Request, pool: Database, caller: Writer, code: str, fields: Sent) -> Response:
    """Calls a run off, with a reason if one was typed."""
    view = find_view(request, caller)
    try:
        call_off(pool, caller, code, read_text(fields, "reason"))
    except GuardRefusedError:
        return _render(view, pool, code=code, problem=view.t("lab.is_over"), status=409)
    return RedirectResponse(view.link(f"/lab/{code}", done="lab_cancelled"), 303)


def _render(
    view: View,
    pool: Pool,
    *,
    code: str = "",
    other: str = "",
    problem: str = "",
    typed: Typed = NOTHING,
    status: int = 200,
) -> Response:
    with pool.connection() as conn:
        profiles = load_profiles(conn)
        run = read_run(conn, code) if code else None
        profile = load_judged_profile(conn, code) if run is not None else None
        beside = read_run(conn, other) if other and load_run(conn, other) is not None else None
        rows = LAB_RUNS.load_page(conn, limit=RUNS + 1)
        works = any(beat.program == "lab" and beat.age_s <= ALIVE_S for beat in load_heartbeats(conn))
        if run is not None and typed is NOTHING:
            typed = Typed(ACT, describe_request(run.request, run.proposal))
        fields = find_fields(view, conn, profiles, typed)
    fields_of = LabRunShape.model_fields
    runs = [find_run_line(view, LabRunShape.model_validate({n: getattr(r, n) for n in fields_of})) for r in rows[:RUNS]]
    is_asked = "hx-request" in view.request.headers
    return view.render(
        "lab.html",
        status,
        fields=fields,
        may_ask=view.may(Permission.PROFILE_WRITE),
        refusal=view.say_missing(Permission.PROFILE_WRITE),
        run=None if run is None else find_run_line(view, run),
        shown=None if run is None or profile is None else _find_shown(view, run, profile, beside),
        runs=runs,
        comparable=[line for line in runs if line.code != code and line.caught != "–"] if run is not None else [],
        other="" if beside is None else beside.code,
        more=len(rows) > RUNS,
        works=works,
        is_asked_again=is_asked,
        problem=problem,
    )


def _find_shown(view: View, run: LabRunDetail, profile: Profile, beside: LabRunDetail | None) -> dict[str, Any] | None:
    """What came of the run; None while there is nothing."""
    result = run.result
    if result is None:
        return None
    version = view.t("lab.profile_version", version=run.profile_version)
    columns = [
        find_column(view, view.t("lab.all_monitors"), result["figures"], under=version),
        find_column(view, view.t("lab.fixed_limits"), result["fixed_limits"], under=version),
    ]
    if beside is not None and beside.figures is not None:
        line = find_run_line(view, beside)
        columns.append(
            find_column(view, line.code, beside.figures, under=f"{line.fault}, {line.profile}", href=line.href)
        )
    return {
        "answer": find_answer(view, result),
        "caveat": find_caveat(view, result),
        "grows": result["grows"],
        "columns": columns,
        "names": _find_names(view, grows=result["grows"]),
        "bins": find_bins(view, result),
        "monitors": find_monitor_rows(view, result, profile),
        "faults": find_fault_rows(view, result, profile),
        "fault_count": result["figures"]["planted"],
        "examples": [
            _find_example(view, kind, example, result, profile) for kind, example in result["examples"].items()
        ],
        "left_out": find_left_out(view, result, profile),
        "device_days": f"{result['device_days']:,.0f}",
        "readings": f"{result['readings']:,}",
        "settle_days": f"{result['settle_days']:g}",
        "same_readings": beside is not None and _has_same_readings(run.request, beside.request),
        "is_beside": beside is not None,
    }


def _has_same_readings(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Two runs of the same request had the very same readings: whatever differs comes from the profile."""
    return dict(one) == dict(other)


def _find_names(view: View, *, grows: bool) -> list[str]:
    t = view.t
    warning = t("lab.warning") if grows else t("lab.delay")
    return [t("lab.caught"), t("lab.late"), t("lab.missed"), warning, t("lab.group"), t("lab.false")]


def _find_example(
    view: View, kind: str, example: Mapping[str, Any], result: Mapping[str, Any], profile: Profile
) -> dict[str, Any]:
    return {
        "kind": kind,
        "title": view.t("lab.title_caught" if kind == "caught" else "lab.title_missed"),
        "said": find_verdict(view, example, profile, grows=result["grows"]),
        "charts": find_charts(view, example, profile),
    }
