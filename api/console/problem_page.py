"""A problem as a page in the person's language: what is wrong, what to do; or the way to the sign-in."""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from api.auth import Caller, identify
from api.console.page import find_view
from api.console.record_faults import say_record_faults
from api.problems import (
    CSRF,
    INTERNAL,
    NOT_FOUND,
    PASSWORD_CHANGE_REQUIRED,
    ROW_VERSION_CONFLICT,
    SECOND_FACTOR_REQUIRED,
    UNAUTHENTICATED,
    ProblemError,
)
from domain.roles import Permission
from store.pool import DATABASE_GONE


def render_problem_page(request: Request, problem: ProblemError) -> Response:
    """The page for that problem; without a session it is the way to the sign-in and back."""
    if problem.kind is UNAUTHENTICATED:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        view = find_view(request, None)
        wanted = target if request.method == "GET" and target != "/" else None
        return RedirectResponse(view.link("/sign-in", next=wanted), 303)
    if problem.kind is PASSWORD_CHANGE_REQUIRED:
        return RedirectResponse("/password", 303)
    if problem.kind is SECOND_FACTOR_REQUIRED:
        return RedirectResponse("/account?required=second-factor", 303)
    view = find_view(request, _find_caller(request))
    name, params = _find_words(request, problem)
    faults = [error for error in problem.errors if error.code]
    if faults and name == "bad_request" and request.method != "GET":
        name, params = "fields_wrong", {"what": say_record_faults(view, faults)}
    return view.render(
        "problem.html",
        problem.status,
        title=view.t(f"problem.{name}"),
        detail=view.t(f"problem.{name}_detail", **params),
        request_id=request.state.request_id,
    )


def _find_words(request: Request, problem: ProblemError) -> tuple[str, dict[str, Any]]:
    if problem.kind is CSRF:
        return "csrf", {}
    if problem.kind is NOT_FOUND or problem.status == 404:
        return "not_found", {"what": request.url.path.rsplit("/", 1)[-1] or "/"}
    if problem.status == 403:
        return "forbidden", {"permission": str(problem.extra.get("permission", "?"))}
    if problem.kind is ROW_VERSION_CONFLICT:
        return "conflict", {}
    if problem.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "too_large", {}
    if problem.kind is INTERNAL:
        return "internal", {}
    return ("busy" if problem.status >= 500 else "bad_request"), {}


def _find_caller(request: Request) -> Caller | None:
    # The page keeps its navigation where somebody is signed in. Nothing is done here, so a form without its token may
    # be answered with it too; reading who it is must not fail a second time.
    if request.method != "GET":
        return None
    try:
        return identify(request, Permission.ACCOUNT_USE, None)
    except (ProblemError, *DATABASE_GONE):
        return None
