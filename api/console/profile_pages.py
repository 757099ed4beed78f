"""Versions of device models' profiles: history, two versions beside each other, and an earlier one proposed again."""

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, require
from api.console.form_faults import Fault
from api.console.forms import NOT_REFUSED, Fields, Refused, find_typed, find_unusable, read_text, read_whole
from api.console.page import View, find_view
from api.console.profile_views import (
    RETURN_ACT,
    find_difference_lines,
    find_model_line,
    find_return_act,
    find_version_line,
)
from api.once import change
from api.problems import ProblemError, not_found
from api.profile_returns import find_profile_differences, propose_return
from api.state import Database
from domain.roles import Permission
from store.models import load_models
from store.pool import Pool
from store.profile_history import load_profile_history, load_profile_models

router = APIRouter(prefix="/admin/profiles", include_in_schema=False)
Reader = Annotated[Caller, require(Permission.CONFIGURATION_READ)]
Writer = Annotated[Caller, require(Permission.PROFILE_WRITE)]
DRAFTS = 20


@router.get("")
def show_profiles(request: Request, pool: Database, caller: Reader) -> Response:
    """Device models with the profile that is in force."""
    view = find_view(request, caller)
    with pool.connection() as conn:
        rows = load_profile_models(conn, customer_id=caller.customer_id)
    return view.render("admin_profiles.html", rows=[find_model_line(view, row) for row in rows])


@router.get("/{model}")
def show_profile(
    request: Request, pool: Database, caller: Reader, model: str, before: str = "", after: str = ""
) -> Response:
    """The history of one profile, and what differs between two versions of it."""
    return _render(find_view(request, caller), pool, model, _read_version(before), _read_version(after))


@router.post("/{model}/proposals")
def take_return(request: Request, pool: Database, caller: Writer, model: str, fields: Fields) -> Response:
    """Registers an earlier version as a draft, which is backtested and made live on its own page."""
    view = find_view(request, caller)
    version, reason = read_whole(fields, "version"), read_text(fields, "reason", 2_000)
    if version is None:
        raise not_found("profile version", read_text(fields, "version"), "version")
    if not reason:
        refusal = find_unusable(view, RETURN_ACT, fields, {"reason": Fault.MISSING})
        return _render(view, pool, model, version, None, refusal)
    try:
        row = change(pool, lambda conn: propose_return(conn, caller, model, version, reason, view.now))
    except ProblemError as refused:
        if refused.status != 422:
            raise
        said = Refused(view.t("profiles.same"), 422, find_typed(RETURN_ACT, fields))
        return _render(view, pool, model, version, None, said)
    return RedirectResponse(view.link(f"/models/{row.code}", done="saved"), 303)


def _read_version(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _render(
    view: View, pool: Pool, model: str, before: int | None, after: int | None, refused: Refused = NOT_REFUSED
) -> Response:
    with pool.connection() as conn:
        history = load_profile_history(conn, model)
        if not history:
            raise not_found("device model", model, "model")
        known = [row.version for row in history]
        later = after if after in known else known[0]
        earlier = before if before in known else next((v for v in known if v < later), later)
        differences = find_profile_differences(conn, model, earlier, later)
        # What the earlier one of the two has otherwise than the current one: that is what a return would undo.
        is_same = not (differences if later == known[0] else find_profile_differences(conn, model, earlier, known[0]))
        sees = view.may(Permission.CAPA_READ)
        drafts = load_models(conn, model=model, kind="profile", states=["DRAFT", "SHADOW"], limit=DRAFTS)
        models = {row.model: row for row in load_profile_models(conn, customer_id=view.person.customer_id)}
    return view.render(
        "admin_profile.html",
        refused.status,
        problem=refused.problem,
        line=find_model_line(view, models[model]),
        versions=[find_version_line(view, row) for row in history],
        known=known,
        before=earlier,
        after=later,
        differences=find_difference_lines(differences),
        act=find_return_act(view, model, earlier, refused.typed, is_same=is_same),
        drafts=[
            {"code": d.code, "state": view.name("model_state", d.state), "by": view.who(d.created_by)} for d in drafts
        ],
        sees_drafts=sees,
    )
