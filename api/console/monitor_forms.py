"""The steps at a monitor: a decision on its threshold, and a backtest of another one."""

from dataclasses import replace
from datetime import timedelta
from math import isfinite
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.conflict_words import say_conflict
from api.console.form_faults import Fault, say_fault
from api.console.forms import LongText, Typed
from api.console.guard_fields import find_guard_marks
from api.console.monitor_acts import ACTS, BACKTEST_DAYS
from api.console.monitor_page import render_monitor
from api.console.page import View, find_view
from api.console.rejection_words import Name, tell_pattern
from api.console.signing_words import say_unsigned
from api.once import change
from api.problems import ProblemError, not_found
from api.routes.monitor_changes import ask_monitor_backtest
from api.shapes.models import MonitorChanges, NewMonitorBacktest
from api.sign_in import check_password
from api.state import Database
from domain.audit import Signature
from domain.errors import GuardRefusedError, RowVersionConflictError
from domain.monitor_names import name_rule, name_sensor
from domain.profile import Profile
from domain.roles import Permission
from domain.sentences import find_unit_sign
from domain.threshold_proposal import SIGNED, ProposalState
from store.pool import Connection
from store.profiles import load_profile
from store.threshold_decisions import record_proposal_decision
from store.threshold_proposals import ENTITY, load_threshold_proposal

router = APIRouter(include_in_schema=False)
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
SETTLING_DAYS = 1.0  # detectors start from nothing at the begin


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
    reason: LongText = "",
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
        return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=422)
    wanted = ProposalState(to)
    signature = None
    if wanted in SIGNED and password and caller.user_id is not None:
        wrong = check_password(pool, caller.name, password, at=view.now, request_id=caller.request_id)
        if wrong is not None:
            status = 429 if wrong.reason == "locked" else 422
            problem = say_unsigned(view, wrong)
            typed = replace(typed, wrong={"password": problem})
            return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=status)
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
        sent = {**typed.values, "password": password}
        typed = replace(typed, wrong=find_guard_marks(refused.guard, problem, sent))
        return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=409)
    except RowVersionConflictError:
        problem = f"{say_conflict(view, pool, ENTITY, proposal)} {view.t('conflict.look')}"
        return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=412)
    return RedirectResponse(view.link(f"/monitors/{model}/{monitor}", done="saved"), 303)


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
    unread = [name for name, value in values.items() if value is None]
    if unread:
        named = view.t("list.comma").join(view.t(f"monitor_field.{name}") for name in unread)
        problem = view.t("monitors.not_a_number", fields=named)
        typed = replace(typed, wrong=dict.fromkeys(unread, say_fault(view, Fault.NOT_A_NUMBER)))
        return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=422)
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
        if any(error.field == "changes" for error in refused.errors):
            problem, english = view.t("monitors.changes_nothing"), ""
            typed = replace(typed, wrong=dict.fromkeys(values, problem))
        else:
            problem = view.t("monitors.no_threshold")
            with pool.connection() as conn:
                profile = load_profile(conn, model)
            details = {error.field.rpartition(".")[2]: error.detail for error in refused.errors}
            told = {field: _tell(view, profile, field, detail) for field, detail in details.items()}
            typed = replace(typed, wrong={name: text if is_told else problem for name, (text, is_told) in told.items()})
            problem = " ".join([problem, *(text for text, is_told in told.values() if is_told)])
            english = " ".join(text for text, is_told in told.values() if not is_told)
        return render_monitor(view, pool, model, monitor, problem=problem, english=english, typed=typed, status=422)
    except GuardRefusedError as full:
        problem = view.name("queue_guard", full.guard)
        return render_monitor(view, pool, model, monitor, problem=problem, typed=typed, status=409)
    return RedirectResponse(view.link(f"/monitors/{model}/{monitor}", done="backtest"), 303)


def _tell(view: View, profile: Profile | None, field: str, detail: str) -> tuple[str, bool]:
    """What is wrong with a threshold, and whether it is in the reader's language."""

    def quote(name: str) -> str:
        return view.t("list.quoted", name=name)

    names: dict[str, Name] = {
        "field": lambda code: quote(view.name("monitor_field", code)),
        "rule": lambda code: quote(view.say(name_rule(code))),
        "sensor": lambda code: quote(code if profile is None else view.say(name_sensor(profile, code))),
        "unit": find_unit_sign,
    }
    told = tell_pattern(view.language, detail, "threshold_problem", names=names)
    said = detail if told is None else told
    return f"{view.name('monitor_field', field)}{view.t('list.colon')}{said}{view.t('list.end')}", told is not None


def _read_number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
