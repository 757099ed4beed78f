"""How long readings and the like are kept: what counts, what goes next, and asking for another length."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.acting import find_actor
from api.console.form_faults import Fault
from api.console.forms import (
    NOT_REFUSED,
    Fields,
    Refused,
    find_guarded,
    find_typed,
    find_unsigned,
    find_unusable,
    read_text,
    read_whole,
    say_guard,
    sign,
)
from api.console.page import View, find_view
from api.console.retention_views import ASK_ACT, find_ask_act, find_limits, find_lines, find_loss, say_days, say_size
from api.kept_overview import KeptOverview, load_kept_overview
from api.once import change
from api.problems import FORBIDDEN, ProblemError
from api.state import Database
from domain.approval_request import ApprovalKind, ApprovalState, ApprovalWish
from domain.errors import GuardRefusedError
from domain.retention import KeptClass, find_retention_problems, find_retention_refusal
from domain.roles import Permission
from store.approval_handlers import HANDLERS
from store.approval_requests import ask_approval, load_approval_requests
from store.pool import Pool

router = APIRouter(prefix="/admin/retention", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.RETENTION_WRITE)]
GUARDS = "retention_guard record_guard"


@router.get("")
def show_retention(request: Request, pool: Database, caller: Reader, kept: str = "") -> Response:
    """Every class; with `kept` the form stands open for that one."""
    return _render(find_view(request, caller), pool, chosen=kept if kept in [one.value for one in KeptClass] else "")


@router.post("/requests")
def ask_for_retention(request: Request, pool: Database, caller: Writer, fields: Fields) -> Response:
    """Shows what another length would take away or, with `to=ask`, asks for it, signed; another person decides."""
    view = find_view(request, caller)
    if caller.customer_id is not None:
        raise ProblemError(FORBIDDEN, "An account of one customer asks for no change that takes two people.")
    kept, days, reason = read_text(fields, "kept"), read_whole(fields, "days"), read_text(fields, "reason", 2_000)
    problems = find_retention_problems(kept, {"days": days})
    wrong = {
        "kept": Fault.NOT_A_CHOICE.where("entity_id" in problems),
        "days": view.t("retention.wrong_days") if "payload.days" in problems else None,
        "reason": Fault.MISSING.where(not reason),
    }
    if any(wrong.values()) or days is None:
        return _render(view, pool, refused=find_unusable(view, ASK_ACT, fields, wrong))
    if read_text(fields, "to") != "ask":
        return _render(view, pool, refused=Refused("", 200, find_typed(ASK_ACT, fields)), shown=(KeptClass(kept), days))
    signature = sign(view, pool, fields)
    if isinstance(signature, str):
        unsigned = find_unsigned(signature, ASK_ACT, fields)
        return _render(view, pool, refused=unsigned, shown=(KeptClass(kept), days))
    actor = find_actor(caller, (Permission.RETENTION_WRITE,))
    wish = ApprovalWish(ApprovalKind.RETENTION_CHANGE, kept, {"days": days}, reason)
    try:
        asked = change(pool, lambda conn: ask_approval(conn, actor, wish, HANDLERS, signature, view.now))
    except GuardRefusedError as guard:
        refused = find_guarded(view, GUARDS, guard.guard, find_typed(ASK_ACT, fields))
        return _render(view, pool, refused=refused, shown=(KeptClass(kept), days))
    return RedirectResponse(view.link(f"/approvals/{asked.code}", done="saved"), 303)


def _render(
    view: View,
    pool: Pool,
    *,
    chosen: str = "",
    refused: Refused = NOT_REFUSED,
    shown: tuple[KeptClass, int] | None = None,
) -> Response:
    with pool.connection() as conn:
        overview = load_kept_overview(conn, view.now.date())
        kinds, states = (ApprovalKind.RETENTION_CHANGE,), (ApprovalState.ASKED,)
        asked = {one.entity_id: one for one in load_approval_requests(conn, kinds=kinds, states=states)}
    typed = refused.typed
    preview, refusal = None, None
    if shown is not None:
        preview, refusal = _preview(view, overview, *shown)
    applied = [line.row.applied_at for line in overview.lines if line.row.applied_at is not None]
    return view.render(
        "admin_retention.html",
        refused.status,
        problem=refused.problem or refusal,
        lines=find_lines(view, overview.lines, asked),
        readings=say_size(overview.amounts.readings_bytes),
        scores=say_size(overview.amounts.score_bytes),
        days=say_size(overview.amounts.day_bytes),
        applied=view.when(max(applied)) if applied else None,
        unknown=sum(line.unknown for line in overview.lines),
        preview=preview,
        limits=find_limits(view),
        act=find_ask_act(view, overview.lines, typed, chosen=chosen, is_shown=shown is not None and refusal is None),
    )


def _preview(view: View, overview: KeptOverview, kept: KeptClass, days: int) -> tuple[list[str] | None, str | None]:
    """(what it would change, in sentences, None); or (None, the guard that would refuse it)."""
    in_force = {line.kept: line.row.days for line in overview.lines}
    refusal = find_retention_refusal(kept, days, in_force)
    if refusal is not None:
        return None, say_guard(view, GUARDS, refusal[0])
    line = next(one for one in overview.lines if one.kept is kept)
    move = view.t(
        "retention.move",
        kept=view.name("kept", kept),
        before=say_days(view, in_force[kept]),
        after=say_days(view, days),
    )
    return [move, find_loss(view, line, days, view.now.date())], None
